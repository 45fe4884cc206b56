/* JSON strings (RFC 8259), from bytes of any kind. */
#include "base/json.h"

/* Length of the UTF-8 sequence that p begins with, 0 when it is none: no overlong form, no
 * surrogate, nothing above U+10FFFF (RFC 3629). A NUL ends the text, and is no continuation. */
static size_t utf8_length(const uint8_t *p)
{
    static const struct {
        uint8_t first_min, first_max, second_min, second_max, length;
    } forms[] = {
        {0x01, 0x7f, 0, 0xff, 1},    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*p < forms[i].first_min || *p > forms[i].first_max)
            continue;
        size_t n = forms[i].length;
        if (n > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
            return 0;
        for (size_t k = 2; k < n; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return n;
    }
    return 0;
}

void json_string(struct buf *out, const char *text)
{
    wr_u8(out, '"');
    for (const uint8_t *p = (const uint8_t *)text; *p;) {
        size_t n = utf8_length(p);
        if (!n)
            wr_str(out, "\xef\xbf\xbd");
        else if (*p == '"' || *p == '\\')
            wr_fmt(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            wr_fmt(out, "\\u%04x", *p);
        else
            wr_bytes(out, bytes_of(p, n));
        p += n ? n : 1;
    }
    wr_u8(out, '"');
}
