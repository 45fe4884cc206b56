/*
 * Errors as values: a kind, which decides what the daemon does about it, and one line for a person.
 *
 * Functions that can fail return 0 or -1 and take `struct err *err` last; it is filled only on -1.
 * Context is added once, by the caller who passes the error up (err_prefix).
 */
#ifndef BINLOGD_BASE_ERR_H
#define BINLOGD_BASE_ERR_H

enum err_kind {
    ERR_OTHER,    /* may pass: try again */
    ERR_USAGE,    /* the command line or the configuration is wrong */
    ERR_IO,       /* the storage failed: nothing on it can be trusted without a restart */
    ERR_NO_SPACE, /* the storage is full: go on when there is room */
    ERR_DIVERGED, /* the source's history is not the one stored here */
    ERR_CORRUPT,  /* stored bytes are damaged */
    ERR_LONG,     /* will not pass by itself soon: try again slowly */
    ERR_MALFORMED /* the source sent what cannot be right: try again, but not for ever */
};

#define ERR_KINDS (ERR_MALFORMED + 1)

struct err {
    enum err_kind kind;
    unsigned code; /* of a server that answered with an error; 0: none did */
    char text[600];
};

/* Each sets the text (truncated to fit) and returns -1, so that `return err_set(…)` reads well. */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int err_kind_set(struct err *e, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Appends ": " and the text of the errno value; ENOSPC and EDQUOT become ERR_NO_SPACE, and the
 * other file errors ERR_IO. */
int err_io(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Puts text before what is there, with ": " between; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ERR_OTHER, as decoders tell it, becomes ERR_MALFORMED; returns -1. */
int err_malformed(struct err *e);

#endif
