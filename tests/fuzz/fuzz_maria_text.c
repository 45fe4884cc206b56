/* MariaDB positions as text: what is read must be read again from what is printed. */
#include "fuzz.h"

#include "base/mem.h"
#include "binlog/maria.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct maria_state s = {0}, again = {0};
    struct buf text = {0}, second = {0};
    if (maria_position_parse(&s, bytes_of(data, size), &err) == MARIA_PARSED) {
        maria_state_format(&s, &text);
        BUG_ON(maria_position_parse(&again, buf_bytes(&text), &err) != MARIA_PARSED);
        maria_state_format_last(&again, &second);
        BUG_ON(!bytes_eq(buf_bytes(&text), buf_bytes(&second)));
    }
    maria_state_fini(&s);
    maria_state_fini(&again);
    buf_fini(&text);
    buf_fini(&second);
    return 0;
}
