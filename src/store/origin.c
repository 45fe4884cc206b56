/* The file `follows` of an epoch. */
#include "origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ORIGIN_MAX (64u << 20) /* bytes; a set can have a million intervals */

int origin_write(const struct epoch *before, enum store_follow follow, const struct fs *fs,
                 int dirfd, struct err *err)
{
    char time_text[32];
    char folder[EPOCH_FOLDER_MAX];
    time_t now = time(NULL);
    struct tm tm;
    struct buf text;
    gmtime_r(&now, &tm);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    epoch_folder(before->number, before->source, folder);
    buf_init(&text);
    wr_fmt(&text, "time=%s\nfollows=%s\njoined=%d\ngtids=", time_text, folder,
           follow == STORE_JOINS);
    gtid_set_format(&before->gtids, &text);
    wr_str(&text, "\n");
    int rc = fs_write_atomic(fs, dirfd, ORIGIN_FILE, buf_bytes(&text), err);
    buf_fini(&text);
    return rc;
}

/* Takes the line "KEY=VALUE" off the text; key ends in "=". */
static bool take_line(struct bytes *text, const char *key, struct bytes *value)
{
    size_t n = strlen(key);
    const uint8_t *end = memchr(text->p, '\n', text->n);
    if (!end || text->n < n || memcmp(text->p, key, n) != 0)
        return false;
    size_t line = (size_t)(end - text->p);
    *value = bytes_of(text->p + n, line - n);
    *text = bytes_skip(*text, line + 1);
    return true;
}

static int damaged(struct err *err)
{
    return err_set(err, "%s is damaged", ORIGIN_FILE);
}

static int parse(struct origin *o, struct bytes text, struct err *err)
{
    struct bytes began, folder, joined, gtids;
    if (!take_line(&text, "time=", &began) || !take_line(&text, "follows=", &folder) ||
        !take_line(&text, "joined=", &joined) || !take_line(&text, "gtids=", &gtids) || text.n ||
        bytes_to_str(folder, o->folder, sizeof o->folder) < 0)
        return damaged(err);
    bool joins = bytes_eq(joined, bytes_str("1"));
    if (!joins && !bytes_eq(joined, bytes_str("0")))
        return damaged(err);
    o->follow = joins ? STORE_JOINS : STORE_DIVERGES;
    return gtid_set_parse(gtids, &o->gtids, err) < 0 ? damaged(err) : 0;
}

int origin_read(struct origin *o, const struct fs *fs, int dirfd, struct err *err)
{
    char *text;
    size_t n;
    *o = (struct origin){.follow = STORE_DIVERGES};
    gtid_set_init(&o->gtids);
    if (fs_read_file(fs, dirfd, ORIGIN_FILE, ORIGIN_MAX, &text, &n, err) < 0)
        return -1;
    if (!text)
        return err_set(err, "%s is missing", ORIGIN_FILE);
    int rc = parse(o, bytes_of(text, n), err);
    free(text);
    return rc;
}

void origin_fini(struct origin *o)
{
    gtid_set_fini(&o->gtids);
}
