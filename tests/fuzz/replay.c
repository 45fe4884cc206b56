/*
 * Runs a fuzz target over every file of the directories and files named on the command line, with
 * any compiler. Each input is copied to memory of just its size, so that a sanitizer sees a read
 * past its end.
 */
#include "fuzz.h"

#include "base/mem.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int run_file(const char *path, size_t size)
{
    uint8_t *data = mem_alloc(size ? size : 1);
    FILE *f = fopen(path, "rb");
    if (!f || fread(data, 1, size, f) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(f);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE-OR-DIRECTORY...\n", argv[0]);
        return 2;
    }
    FTS *fts = fts_open(argv + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    BUG_ON(!fts);
    int count = 0;
    for (FTSENT *e; (e = fts_read(fts));) {
        if (e->fts_info == FTS_F)
            count += run_file(e->fts_path, (size_t)e->fts_statp->st_size);
    }
    fts_close(fts);
    printf("%d inputs\n", count);
    return count == 0;
}
