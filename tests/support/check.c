/* Helpers shared by the tests. */
#include "check.h"

#include "base/mem.h"

#include <ctype.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
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
