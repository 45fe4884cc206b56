/*
 * Names of binary log files, and lists of them in their order.
 *
 * A name is BASE.NUMBER. Names come from the source and from replicas, so they are checked before a
 * file call sees them: no slash, no leading dot, 6 to 10 digits at the end (contract of both
 * sides).
 */
#ifndef BINLOGD_STORE_BINFILE_H
#define BINLOGD_STORE_BINFILE_H

#include "base/buf.h"
#include "base/fs.h"

#define BINFILE_NAME_MAX 261 /* base of at most 250, a dot, at most 10 digits */

struct binfile_name {
    char text[BINFILE_NAME_MAX + 1];
    size_t base_len; /* of BASE */
    uint64_t number;
};

/* -1 if text is not a name that may be used; err then quotes nothing of it beyond 64 bytes. */
int binfile_name_parse(struct binfile_name *name, struct bytes text, struct err *err);
bool binfile_same_base(const struct binfile_name *a, const struct binfile_name *b);
bool binfile_name_eq(const struct binfile_name *a, const struct binfile_name *b);

struct binfile_list {
    struct binfile_name *at;
    size_t n;
    size_t cap;
};

void binfile_list_fini(struct binfile_list *l);
void binfile_list_add(struct binfile_list *l, const struct binfile_name *name);
/* Removes the first n. */
void binfile_list_drop(struct binfile_list *l, size_t n);
/* The position of the name in the list, or -1. */
ssize_t binfile_list_find(const struct binfile_list *l, const struct binfile_name *name);
/* Fills the list from the directory's regular files, sorted by number. */
int binfile_list_read_dir(struct binfile_list *l, const struct fs *fs, int dirfd, struct err *err);

/* The index file lists the names one a line as "./NAME", as MySQL writes it; its own name is
 * BASE.index. */
void binfile_index_name(const struct binfile_name *any, char dst[BINFILE_NAME_MAX + 8]);
void binfile_index_format(const struct binfile_list *l, struct buf *out);
/* The same as a malloc'ed text. */
char *binfile_index_text(const struct binfile_list *l);

#endif
