/* Configuration files: what is taken can be printed and is the same on reload, what is not is
 * refused with words that name the file. */
#include "fuzz.h"

#include "app/config.h"
#include "base/mem.h"

#define NAME "fuzz.ini"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;
    struct err err;
    if (config_parse(&c, NAME, bytes_of(data, size), &err) < 0) {
        BUG_ON(err.kind != ERR_USAGE || !memchr(err.text, 0, sizeof err.text));
        BUG_ON(!strstr(err.text, NAME));
        config_free(&c);
        return 0;
    }
    struct buf text;
    buf_init(&text);
    config_print(&c, &text);
    BUG_ON(!text.len || config_reload_check(&c, &c, CONFIG_RELOAD_RUNNING, &err) < 0);
    buf_fini(&text);
    config_free(&c);
    return 0;
}
