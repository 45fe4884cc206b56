/*
 * GTID sets as text. The input is cut at its first '|'; where both sides parse, they are also
 * joined and taken apart, and the sets that come out must agree with each other.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "binlog/gtid_set.h"

static void check_round_trip(const struct gtid_set *s)
{
    struct err err;
    struct buf text;
    struct gtid_set again;
    buf_init(&text);
    gtid_set_init(&again);
    gtid_set_format(s, &text);
    BUG_ON(gtid_set_parse(buf_bytes(&text), &again, &err) != 0);
    BUG_ON(!gtid_set_equal(s, &again));
    gtid_set_fini(&again);
    buf_fini(&text);
}

/* (a + b) - b must be a - b, and with b added again a + b. */
static void check_algebra(const struct gtid_set *a, const struct gtid_set *b)
{
    struct gtid_set sum, rest, left;
    gtid_set_init(&sum);
    gtid_set_init(&rest);
    gtid_set_init(&left);
    gtid_set_copy(&sum, a);
    gtid_set_union(&sum, b);
    BUG_ON(!gtid_set_is_subset(a, &sum) || !gtid_set_is_subset(b, &sum));
    gtid_set_copy(&rest, &sum);
    gtid_set_subtract(&rest, b);
    gtid_set_copy(&left, a);
    gtid_set_subtract(&left, b);
    BUG_ON(!gtid_set_equal(&rest, &left));
    check_round_trip(&rest);
    for (size_t i = 0; i < b->count; i++) {
        const struct gtid_set_part *p = &b->parts[i];
        for (size_t k = 0; k < p->count; k++)
            gtid_set_add_range(&rest, &p->source, p->iv[k].first, p->iv[k].last);
    }
    BUG_ON(!gtid_set_equal(&rest, &sum));
    gtid_set_fini(&sum);
    gtid_set_fini(&rest);
    gtid_set_fini(&left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct gtid_set a, b;
    const uint8_t *bar = size ? memchr(data, '|', size) : NULL;
    struct bytes first = bytes_of(data, bar ? (size_t)(bar - data) : size);
    struct bytes second = bar ? bytes_of(bar + 1, size - first.n - 1) : bytes_of("", 0);
    gtid_set_init(&a);
    gtid_set_init(&b);
    if (gtid_set_parse(first, &a, &err) == 0 && gtid_set_parse(second, &b, &err) == 0) {
        check_round_trip(&a);
        check_algebra(&a, &b);
    }
    gtid_set_fini(&a);
    gtid_set_fini(&b);
    return 0;
}
