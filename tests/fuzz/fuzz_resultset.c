/*
 * Answers to COM_QUERY. The input is packets, each its length (2 bytes) and its payload; the cells
 * of what was read must be C strings, and stay the same when all packets are fed again.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "mysql/resultset.h"

#include <stdlib.h>

static enum resultset_step feed(struct resultset *rs, struct bytes payload)
{
    struct err err = {.text = ""};
    uint8_t *copy = mem_alloc(payload.n ? payload.n : 1);
    memcpy(copy, payload.p, payload.n);
    enum resultset_step step = resultset_feed(rs, bytes_of(copy, payload.n), &err);
    free(copy);
    BUG_ON(step == RESULTSET_BROKEN && !*err.text);
    return step;
}

static enum resultset_step read_all(struct resultset *rs, struct bytes input)
{
    struct rd r = rd_of(input);
    enum resultset_step step = RESULTSET_MORE;
    resultset_init(rs);
    while (rd_left(&r) && step == RESULTSET_MORE) {
        uint16_t n = rd_u16(&r);
        step = feed(rs, rd_bytes(&r, n < rd_left(&r) ? n : rd_left(&r)));
    }
    return step;
}

static void compare(const struct resultset *a, const struct resultset *b)
{
    BUG_ON(a->rows != b->rows || a->columns != b->columns || a->columns > RESULTSET_COLUMNS_MAX);
    for (size_t row = 0; row <= a->rows; row++) {
        for (size_t column = 0; column <= a->columns; column++) {
            const char *x = resultset_get(a, row, column), *y = resultset_get(b, row, column);
            BUG_ON(!x != !y || (x && strcmp(x, y) != 0));
            BUG_ON(x && (row == a->rows || column == a->columns));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resultset a, b;
    enum resultset_step step = read_all(&a, bytes_of(data, size));
    BUG_ON(read_all(&b, bytes_of(data, size)) != step);
    compare(&a, &b);
    if (step == RESULTSET_ERR)
        BUG_ON(!memchr(a.error.message, 0, sizeof a.error.message));
    resultset_fini(&a);
    resultset_fini(&b);
    return 0;
}
