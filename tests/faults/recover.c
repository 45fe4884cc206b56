/*
 * Recovers data directories one after the other, as the daemon does at its start: a line on stdin
 * is a directory, the answer is a line on stdout, "ok FILE POS GTIDS" ("-" for what is empty) or
 * "refused KIND TEXT".
 */
#include "base/log.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define RING 4096u

static void wake(void *ctx)
{
    (void)ctx;
}

static void print_recovered(const struct store *s)
{
    struct store_pos end = store_end(s);
    struct buf gtids;
    buf_init(&gtids);
    gtid_set_format(store_gtids(s), &gtids);
    wr_u8(&gtids, 0);
    const char *text = (const char *)buf_bytes(&gtids).p;
    printf("ok %s %llu %s\n", *end.file ? end.file : "-", (unsigned long long)end.pos,
           *text ? text : "-");
    buf_fini(&gtids);
}

static void recover(const char *directory)
{
    struct store_opts opts = {
        .directory = directory, .fs = fs_posix(), .ring_size = RING, .wake = wake};
    struct err err;
    struct store *s = store_open(&opts, &err);
    if (s)
        print_recovered(s);
    else
        printf("refused %d %s\n", (int)err.kind, err.text);
    store_close(s);
    fflush(stdout);
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        recover(line);
    }
    return 0;
}
