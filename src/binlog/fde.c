/* Format_description event. */
#include "binlog/fde.h"

#include <stdio.h>

#define ALGORITHM_NONE  0
#define ALGORITHM_CRC32 1
#define FIXED_PART      57 /* version 2, server version 50, created 4, header length 1 */

static bool checksum_aware(const char *version)
{
    unsigned major = 0, minor = 0, patch = 0;
    if (sscanf(version, "%u.%u.%u", &major, &minor, &patch) < 2)
        return false;
    unsigned v = major * 10000 + minor * 100 + patch;
    return strstr(version, "MariaDB") ? v >= 50300 : v >= 50601;
}

static int decode_algorithm(struct fde *f, struct rd *r, struct err *err)
{
    if (rd_left(r) < 1 + EVENT_CRC)
        return err_set(err, "truncated Format_description event");
    f->own_crc = true;
    uint8_t algorithm = r->end[-1 - EVENT_CRC];
    r->end -= 1 + EVENT_CRC;
    if (algorithm != ALGORITHM_NONE && algorithm != ALGORITHM_CRC32)
        return err_set(err, "checksum algorithm %u is unknown", algorithm);
    f->crc_len = algorithm == ALGORITHM_CRC32 ? EVENT_CRC : 0;
    return 0;
}

int fde_decode(struct fde *f, struct bytes event, struct err *err)
{
    *f = (struct fde){0};
    struct rd r = rd_of(event);
    rd_bytes(&r, EVENT_HEADER);
    if (rd_left(&r) < FIXED_PART)
        return err_set(err, "truncated Format_description event");
    uint16_t version = rd_u16(&r);
    struct bytes server = rd_bytes(&r, 50);
    f->created = rd_u32(&r);
    uint8_t header = rd_u8(&r);
    if (version != 4 || header != EVENT_HEADER)
        return err_set(err, "binary log version %u with headers of %u bytes, not 4 with %u",
                       version, header, EVENT_HEADER);
    memcpy(f->server_version, server.p, server.n);
    if (checksum_aware(f->server_version) && decode_algorithm(f, &r, err) < 0)
        return -1;
    struct bytes lengths = rd_rest(&r);
    if (!lengths.n || lengths.n > 255)
        return err_set(err, "Format_description event with %zu post-header lengths", lengths.n);
    f->types = (uint8_t)lengths.n;
    memcpy(f->post_header + 1, lengths.p, lengths.n);
    return 0;
}

int fde_check_header(const struct fde *f, const struct event_header *h, struct err *err)
{
    if ((h->type == 0 || h->type > f->types) && !(h->flags & EVENT_FLAG_IGNORABLE))
        return err_set(err, "event of unknown type %u", h->type);
    size_t least = EVENT_HEADER + fde_post_header(f, h->type) + f->crc_len;
    if (h->length < least || h->length > EVENT_MAX)
        return err_set(err, "%s event with a length of %u bytes", event_type_name(h->type),
                       h->length);
    return 0;
}
