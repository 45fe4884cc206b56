/* Helpers shared by the tests. */
#include "check.h"

#include "base/mem.h"

#include <ctype.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct bytes check_unhex(const char *hex)
{
    uint8_t *out = mem_alloc(strlen(hex) / 2 + 1);
    size_t n = 0;
    while (*hex) {
        if (isspace((unsigned char)*hex)) {
            hex++;
            continue;
        }
        unsigned v;
        BUG_ON(sscanf(hex, "%2x", &v) != 1);
        out[n++] = (uint8_t)v;
        hex += 2;
    }
    return bytes_of(out, n);
}

char *check_mkdir(void)
{
    const char *base = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/binlogd-test-XXXXXX", base ? base : "/tmp");
    BUG_ON(!mkdtemp(path));
    return mem_strdup(path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void check_rmdir(char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

void check_limit_fds(int more)
{
    static struct rlimit before;
    int fds[8];
    if (more < 0) {
        BUG_ON(setrlimit(RLIMIT_NOFILE, &before) < 0);
        return;
    }
    BUG_ON(more >= (int)COUNT_OF(fds) || getrlimit(RLIMIT_NOFILE, &before) < 0);
    for (int i = 0; i <= more; i++)
        BUG_ON((fds[i] = dup(STDIN_FILENO)) < 0); /* always the lowest number that is free */
    for (int i = 0; i <= more; i++)
        close(fds[i]);
    struct rlimit limit = {(rlim_t)fds[more], before.rlim_max};
    BUG_ON(setrlimit(RLIMIT_NOFILE, &limit) < 0);
}

uint8_t *check_data(const char *name, size_t *n)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", getenv("TEST_DATA") ? getenv("TEST_DATA") : "data", name);
    FILE *f = fopen(path, "rb");
    BUG_ON(!f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *data = mem_alloc((size_t)size + 1);
    *n = fread(data, 1, (size_t)size, f);
    fclose(f);
    return data;
}
