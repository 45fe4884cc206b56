/*
 * Which of the stored files are to go: arithmetic on what is known of them.
 *
 * Files go from the oldest on, as long as there is a reason for the oldest that is left. Time is
 * that of the events, and "now" is the earlier of the clock and of the newest event's time: one of
 * the two alone cannot make files old. And not more than half of the files go at once, so that what
 * is wrong is seen before all of them are gone.
 */
#ifndef BINLOGD_STORE_EXPIRY_H
#define BINLOGD_STORE_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

enum expiry_reason {
    EXPIRY_NONE, /* it stays */
    EXPIRY_AGE,  /* all in it is older than allowed */
    EXPIRY_SIZE, /* the files are larger than allowed */
    EXPIRY_FREE  /* too little space is free */
};

/* 0: nothing goes for that reason. */
struct expiry_rules {
    uint32_t days;
    uint64_t max_size; /* bytes of all files */
    uint64_t min_free; /* bytes free on the file system */
};

struct expiry_file {
    uint64_t size;             /* bytes */
    uint32_t begun;            /* seconds since 1970; 0: not known. The one before is no younger. */
    enum expiry_reason reason; /* of the answer */
};

struct expiry_input {
    struct expiry_file *files; /* all of them, the oldest first */
    size_t n;
    size_t may; /* so many may go, by other guards; less than n */
    uint64_t free;
    int64_t now;     /* of the clock, seconds since 1970 */
    uint32_t newest; /* time of the newest event; 0: not known, then nothing is old */
};

enum expiry_stop {
    EXPIRY_ENOUGH, /* nothing more is to go */
    EXPIRY_HELD,   /* the next may not go */
    EXPIRY_SHARE   /* half of them go, and more are to */
};

struct expiry_plan {
    size_t n; /* so many go; reasons are set in the files, in that of the next too */
    uint64_t bytes;
    enum expiry_stop stop;
};

void expiry_plan(struct expiry_plan *plan, const struct expiry_rules *rules,
                 const struct expiry_input *in);
/* How many files hold nothing as young as the time, whether they may go or not; never the last. */
size_t expiry_before(const struct expiry_file *files, size_t n, int64_t time);
/* The key of the configuration. */
const char *expiry_reason_name(enum expiry_reason reason);

#endif
