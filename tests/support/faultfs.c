/* The file system that fails on demand, and its model of what is durable. */
#include "faultfs.h"

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECTOR   512u
#define NAMES    300
#define FDS      1024
#define NAME_LEN 300

/* A write, or with data NULL a change of the size to off. */
struct change {
    uint8_t *data;
    size_t n;
    uint64_t off;
};

struct node {
    bool is_dir;
    uint8_t *durable;
    size_t size;
    struct change *pending;
    size_t pending_n;
    ino_t ino; /* of a directory */
};

/* node -1: the name goes. */
struct name_change {
    char name[NAME_LEN];
    char old[NAME_LEN]; /* of a rename, else empty */
    int node;
    int dir;
};

struct entry {
    int dir;
    int node;
    char name[NAME_LEN];
};

struct names {
    struct entry at[NAMES];
    size_t n;
};

static struct {
    pthread_mutex_t lock;
    uint64_t fail_in;
    unsigned mask;
    int errnum;
    enum faultfs_mode mode;
    pthread_t owner; /* who asked for the fault */
    bool failed;
    bool crashed;
    char what[80];
    size_t write_max;
    bool limited;
    uint64_t space;
    void (*hook)(void *, enum faultfs_op, const char *);
    void *hook_ctx;
    uint64_t counts[FAULTFS_OPS];
    unsigned record_mask;
    struct buf record;

    struct {
        char name[NAME_LEN];
        int node;
        bool direct; /* it reads past the page cache */
    } fds[FDS];
    bool modelled;
    struct node *nodes;
    size_t nodes_n;
    struct names live;
    struct names durable;
    struct name_change *renames; /* pending changes of names, in order */
    size_t renames_n;
} fsys = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const op_names[] = {"openat",    "close",    "pread",     "pwritev",
                                       "fdatasync", "fsync",    "ftruncate", "fstat",
                                       "mkdirat",   "renameat", "unlinkat",  "getdents64"};

/* ---- names and nodes ---- */

static int names_find(const struct names *l, int dir, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].dir == dir && strcmp(l->at[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int names_node(const struct names *l, int dir, const char *name)
{
    int i = names_find(l, dir, name);
    return i < 0 ? -1 : l->at[i].node;
}

static void names_set(struct names *l, int dir, const char *name, int node)
{
    int i = names_find(l, dir, name);
    if (node < 0) {
        if (i >= 0)
            l->at[i] = l->at[--l->n];
        return;
    }
    if (i < 0) {
        BUG_ON(l->n == NAMES);
        i = (int)l->n++;
        l->at[i].dir = dir;
        snprintf(l->at[i].name, NAME_LEN, "%s", name);
    }
    l->at[i].node = node;
}

static int new_node(bool is_dir)
{
    fsys.nodes = mem_realloc(fsys.nodes, (fsys.nodes_n + 1) * sizeof *fsys.nodes);
    fsys.nodes[fsys.nodes_n] = (struct node){.is_dir = is_dir};
    return (int)fsys.nodes_n++;
}

/* The node of a directory that was opened, perhaps elsewhere; -1: outside. The number of one that
 * was removed may have come to another, or to a file. */
static int dir_node(int dirfd)
{
    struct stat st;
    if (!fsys.modelled || dirfd == AT_FDCWD || fstat(dirfd, &st) < 0 || !S_ISDIR(st.st_mode))
        return -1;
    for (size_t i = fsys.nodes_n; i-- > 0;)
        if (fsys.nodes[i].is_dir && fsys.nodes[i].ino == st.st_ino)
            return (int)i;
    return -1;
}

static void change_name(int dir, const char *old, const char *name, int node)
{
    if (old)
        names_set(&fsys.live, dir, old, -1);
    names_set(&fsys.live, dir, name, node);
    fsys.renames = mem_realloc(fsys.renames, (fsys.renames_n + 1) * sizeof *fsys.renames);
    struct name_change *c = &fsys.renames[fsys.renames_n++];
    *c = (struct name_change){.node = node, .dir = dir};
    snprintf(c->name, NAME_LEN, "%s", name);
    snprintf(c->old, NAME_LEN, "%s", old ? old : "");
}

static void apply_name(struct names *l, const struct name_change *c)
{
    if (c->old[0]) {
        if (names_node(l, c->dir, c->old) != c->node)
            return; /* what would be renamed did not get there */
        names_set(l, c->dir, c->old, -1);
    }
    names_set(l, c->dir, c->name, c->node);
}

static void sync_dir(int dir)
{
    size_t kept = 0;
    for (size_t i = 0; i < fsys.renames_n; i++) {
        if (fsys.renames[i].dir == dir)
            apply_name(&fsys.durable, &fsys.renames[i]);
        else
            fsys.renames[kept++] = fsys.renames[i];
    }
    fsys.renames_n = kept;
}

/* ---- content ---- */

static void change_content(int node, const void *data, size_t n, uint64_t off)
{
    if (node < 0)
        return;
    struct node *f = &fsys.nodes[node];
    f->pending = mem_realloc(f->pending, (f->pending_n + 1) * sizeof *f->pending);
    struct change *c = &f->pending[f->pending_n++];
    *c = (struct change){NULL, n, off};
    if (data) {
        c->data = mem_alloc(n);
        memcpy(c->data, data, n);
    }
}

struct image {
    uint8_t *data;
    size_t size;
};

static void image_resize(struct image *im, size_t size)
{
    im->data = mem_realloc(im->data, size);
    if (size > im->size)
        memset(im->data + im->size, 0, size - im->size);
    im->size = size;
}

static void image_apply(struct image *im, const struct change *c, size_t n)
{
    if (!c->data) {
        image_resize(im, (size_t)c->off);
        return;
    }
    if (c->off + n > im->size)
        image_resize(im, (size_t)c->off + n);
    memcpy(im->data + c->off, c->data, n);
}

static struct image image_of(const struct node *f)
{
    struct image im = {mem_alloc(f->size), f->size};
    if (f->size)
        memcpy(im.data, f->durable, f->size);
    return im;
}

/* With all that was written since the last sync. */
static struct image image_with_pending(const struct node *f)
{
    struct image im = image_of(f);
    for (size_t i = 0; i < f->pending_n; i++)
        image_apply(&im, &f->pending[i], f->pending[i].n);
    return im;
}

static void forget_pending(struct node *f)
{
    for (size_t i = 0; i < f->pending_n; i++)
        free(f->pending[i].data);
    f->pending_n = 0;
}

/* What the kernel does with pages whose write failed: they count as clean, and no later sync writes
 * them. */
static void lose_content(int node)
{
    if (node >= 0)
        forget_pending(&fsys.nodes[node]);
}

static void sync_content(int node)
{
    if (node < 0)
        return;
    struct node *f = &fsys.nodes[node];
    struct image im = {f->durable, f->size};
    for (size_t i = 0; i < f->pending_n; i++)
        image_apply(&im, &f->pending[i], f->pending[i].n);
    f->durable = im.data;
    f->size = im.size;
    forget_pending(f);
}

/* ---- faults and record ---- */

/* Whether this is the call that was to fail; counts it. */
static bool fails_now(enum faultfs_op op)
{
    if (!fsys.fail_in || !(fsys.mask & FAULTFS_BIT(op)))
        return false;
    if (fsys.mode == FAULTFS_ONCE_MINE && !pthread_equal(fsys.owner, pthread_self()))
        return false;
    return --fsys.fail_in == 0;
}

/* Holds the lock after; true when the call must fail, errno being set. */
static bool enter(enum faultfs_op op, const char *name)
{
    pthread_mutex_lock(&fsys.lock);
    void (*hook)(void *, enum faultfs_op, const char *) = fsys.hook;
    void *ctx = fsys.hook_ctx;
    char copy[NAME_LEN];
    snprintf(copy, sizeof copy, "%s", name);
    pthread_mutex_unlock(&fsys.lock);
    if (hook)
        hook(ctx, op, copy);
    pthread_mutex_lock(&fsys.lock);
    fsys.counts[op]++;
    bool fails = fsys.crashed;
    if (!fails && fails_now(op)) {
        fails = fsys.failed = true;
        fsys.crashed = fsys.mode == FAULTFS_CRASH;
        snprintf(fsys.what, sizeof fsys.what, "%s %.60s", op_names[op], copy);
    }
    if (fails)
        errno = fsys.errnum;
    return fails;
}

static int leave(int rc)
{
    int saved = errno;
    pthread_mutex_unlock(&fsys.lock);
    errno = saved;
    return rc;
}

#define RECORD(op, ...)                                                                            \
    do {                                                                                           \
        if (fsys.record_mask & FAULTFS_BIT(op))                                                    \
            wr_fmt(&fsys.record, __VA_ARGS__);                                                     \
    } while (0)

static void fd_name(int fd, char dst[NAME_LEN])
{
    pthread_mutex_lock(&fsys.lock);
    snprintf(dst, NAME_LEN, "%s", fd >= 0 && fd < FDS ? fsys.fds[fd].name : "");
    pthread_mutex_unlock(&fsys.lock);
}

/* The node of an fd that openat gave; of a directory's duplicate, the directory's. */
static int fd_node(int fd)
{
    int dir = dir_node(fd);
    return dir >= 0 ? dir : fd >= 0 && fd < FDS && fsys.modelled ? fsys.fds[fd].node : -1;
}

/* ---- the calls ---- */

static void opened(int fd, int dir, const char *name, int flags)
{
    BUG_ON(fd >= FDS);
    int node = dir < 0 ? -1 : names_node(&fsys.live, dir, name);
    if (dir >= 0 && node < 0 && name[0] != '.') {
        node = new_node(false);
        change_name(dir, NULL, name, node);
    } else if (node >= 0 && (flags & O_TRUNC)) {
        change_content(node, NULL, 0, 0);
    }
    snprintf(fsys.fds[fd].name, NAME_LEN, "%s", name);
    fsys.fds[fd].node = node;
    fsys.fds[fd].direct = flags & O_DIRECT;
}

static int fault_openat(int dirfd, const char *name, int flags, mode_t mode)
{
    if (enter(FAULTFS_OPENAT, name))
        return leave(-1);
    int fd = fs_posix()->openat(dirfd, name, flags & ~O_DIRECT, mode);
    RECORD(FAULTFS_OPENAT, "openat %s%s\n", name, flags & O_CREAT ? " create" : "");
    if (fd >= 0)
        opened(fd, dir_node(dirfd), name, flags);
    return leave(fd);
}

static int fault_close(int fd)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    bool fails = enter(FAULTFS_CLOSE, name);
    int error = errno;
    RECORD(FAULTFS_CLOSE, "close %s\n", name);
    if (fd >= 0 && fd < FDS) {
        fsys.fds[fd].name[0] = 0;
        fsys.fds[fd].node = -1;
    }
    int rc = close(fd); /* as the kernel does, also when it reports an error */
    if (fails) {
        errno = error;
        rc = -1;
    }
    return leave(rc);
}

/* Where nothing was written there are zeros. */
static void read_model(const struct node *f, uint8_t *buf, size_t n, size_t off)
{
    struct image im = image_with_pending(f);
    if (off + n > im.size)
        image_resize(&im, off + n);
    memcpy(buf, im.data + off, n);
    free(im.data);
}

static ssize_t fault_pread(int fd, void *buf, size_t n, off_t off)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    if (enter(FAULTFS_PREAD, name))
        return leave(-1);
    ssize_t rc = pread(fd, buf, n, off);
    if (rc > 0 && fsys.fds[fd].direct && fd_node(fd) >= 0)
        read_model(&fsys.nodes[fd_node(fd)], buf, (size_t)rc, (size_t)off);
    leave(0);
    return rc;
}

/* Of n bytes at off, how many there is room for: what is there already takes none. */
static size_t take_space(int fd, size_t n, off_t off)
{
    struct stat st;
    if (!fsys.limited || fstat(fd, &st) < 0)
        return n;
    uint64_t inside = st.st_size > off ? (uint64_t)(st.st_size - off) : 0;
    if (n <= inside)
        return n;
    uint64_t more = n - inside < fsys.space ? n - inside : fsys.space;
    fsys.space -= more;
    return (size_t)(inside + more);
}

static ssize_t fault_pwritev(int fd, const struct iovec *iov, int count, off_t off)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    BUG_ON(count != 1); /* nobody uses more */
    if (enter(FAULTFS_PWRITEV, name))
        return leave(-1);
    size_t n = iov->iov_len;
    if (fsys.write_max && n > fsys.write_max)
        n = fsys.write_max;
    n = take_space(fd, n, off);
    if (!n && iov->iov_len) {
        errno = ENOSPC;
        return leave(-1);
    }
    RECORD(FAULTFS_PWRITEV, "pwritev %s %lld %zu\n", name, (long long)off, n);
    ssize_t rc = pwrite(fd, iov->iov_base, n, off);
    if (rc > 0)
        change_content(fd_node(fd), iov->iov_base, (size_t)rc, (uint64_t)off);
    leave(0);
    return rc;
}

static int failed_sync(int fd)
{
    if (!fsys.crashed)
        lose_content(fd_node(fd));
    return leave(-1);
}

static int fault_fdatasync(int fd)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    if (enter(FAULTFS_FDATASYNC, name))
        return failed_sync(fd);
    RECORD(FAULTFS_FDATASYNC, "fdatasync %s\n", name);
    sync_content(fd_node(fd));
    return leave(0);
}

static int fault_fsync(int fd)
{
    char name[NAME_LEN];
    pthread_mutex_lock(&fsys.lock);
    bool is_dir = dir_node(fd) >= 0;
    pthread_mutex_unlock(&fsys.lock);
    if (is_dir)
        snprintf(name, sizeof name, "directory");
    else
        fd_name(fd, name);
    if (enter(FAULTFS_FSYNC, name))
        return is_dir ? leave(-1) : failed_sync(fd);
    RECORD(FAULTFS_FSYNC, "fsync %s\n", name);
    if (is_dir)
        sync_dir(dir_node(fd));
    else
        sync_content(fd_node(fd));
    return leave(0);
}

static int fault_ftruncate(int fd, off_t len)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    if (enter(FAULTFS_FTRUNCATE, name))
        return leave(-1);
    RECORD(FAULTFS_FTRUNCATE, "ftruncate %s %lld\n", name, (long long)len);
    int rc = ftruncate(fd, len);
    if (rc == 0)
        change_content(fd_node(fd), NULL, 0, (uint64_t)len);
    return leave(rc);
}

static int fault_fstat(int fd, struct stat *st)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    if (enter(FAULTFS_FSTAT, name))
        return leave(-1);
    return leave(fstat(fd, st));
}

static int fault_mkdirat(int dirfd, const char *name, mode_t mode)
{
    if (enter(FAULTFS_MKDIRAT, name))
        return leave(-1);
    RECORD(FAULTFS_MKDIRAT, "mkdirat %s\n", name);
    int dir = dir_node(dirfd);
    int rc = mkdirat(dirfd, name, mode);
    if (rc == 0 && dir >= 0) {
        struct stat st;
        int node = new_node(true);
        fstatat(dirfd, name, &st, 0);
        fsys.nodes[node].ino = st.st_ino;
        change_name(dir, NULL, name, node);
    }
    return leave(rc);
}

static int fault_renameat(int olddir, const char *oldname, int newdir, const char *newname)
{
    if (enter(FAULTFS_RENAMEAT, newname))
        return leave(-1);
    RECORD(FAULTFS_RENAMEAT, "rename %s %s\n", oldname, newname);
    int dir = dir_node(olddir);
    int rc = renameat(olddir, oldname, newdir, newname);
    if (rc == 0 && dir >= 0)
        change_name(dir, oldname, newname, names_node(&fsys.live, dir, oldname));
    return leave(rc);
}

static int fault_unlinkat(int dirfd, const char *name, int flags)
{
    if (enter(FAULTFS_UNLINKAT, name))
        return leave(-1);
    RECORD(FAULTFS_UNLINKAT, "unlinkat %s\n", name);
    int dir = dir_node(dirfd);
    int rc = unlinkat(dirfd, name, flags);
    if (rc == 0 && dir >= 0)
        change_name(dir, NULL, name, -1);
    return leave(rc);
}

static ssize_t fault_getdents64(int fd, void *buf, size_t n)
{
    char name[NAME_LEN];
    fd_name(fd, name);
    if (enter(FAULTFS_GETDENTS64, name))
        return leave(-1);
    ssize_t rc = getdents64(fd, buf, n);
    leave(0);
    return rc;
}

const struct fs *faultfs(void)
{
    static const struct fs table = {
        .openat = fault_openat,
        .close = fault_close,
        .pread = fault_pread,
        .pwritev = fault_pwritev,
        .fdatasync = fault_fdatasync,
        .fsync = fault_fsync,
        .ftruncate = fault_ftruncate,
        .fstat = fault_fstat,
        .mkdirat = fault_mkdirat,
        .renameat = fault_renameat,
        .unlinkat = fault_unlinkat,
        .getdents64 = fault_getdents64,
    };
    return &table;
}

/* ---- setting up ---- */

static void forget_model(void)
{
    for (size_t i = 0; i < fsys.nodes_n; i++) {
        forget_pending(&fsys.nodes[i]);
        free(fsys.nodes[i].pending);
        free(fsys.nodes[i].durable);
    }
    free(fsys.nodes);
    free(fsys.renames);
    fsys.nodes = NULL;
    fsys.renames = NULL;
    fsys.nodes_n = fsys.renames_n = 0;
    fsys.live.n = fsys.durable.n = 0;
    fsys.modelled = false;
    for (size_t i = 0; i < FDS; i++) {
        fsys.fds[i].node = -1;
        fsys.fds[i].name[0] = 0;
    }
}

static void load_file(int node, int dirfd, const char *name, size_t size)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    uint8_t *data = mem_alloc(size);
    BUG_ON(fd < 0 || pread(fd, data, size, 0) != (ssize_t)size);
    close(fd);
    fsys.nodes[node].durable = data;
    fsys.nodes[node].size = size;
}

static void load_dir(int node, int fd)
{
    DIR *dir = fdopendir(fd);
    struct stat st;
    BUG_ON(!dir || fstat(fd, &st) < 0);
    fsys.nodes[node].ino = st.st_ino;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        BUG_ON(fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0);
        int child = new_node(S_ISDIR(st.st_mode));
        names_set(&fsys.live, node, e->d_name, child);
        if (S_ISDIR(st.st_mode))
            load_dir(child, openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        else
            load_file(child, fd, e->d_name, (size_t)st.st_size);
    }
    closedir(dir);
}

void faultfs_reset(const char *root)
{
    pthread_mutex_lock(&fsys.lock);
    forget_model();
    buf_fini(&fsys.record);
    fsys.fail_in = 0;
    fsys.failed = fsys.crashed = fsys.limited = false;
    fsys.what[0] = 0;
    fsys.write_max = 0;
    fsys.hook = NULL;
    fsys.record_mask = 0;
    memset(fsys.counts, 0, sizeof fsys.counts);
    if (root) {
        int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        BUG_ON(fd < 0);
        load_dir(new_node(true), fd);
        fsys.durable = fsys.live;
        fsys.modelled = true;
    }
    pthread_mutex_unlock(&fsys.lock);
}

void faultfs_fail(uint64_t n, unsigned mask, int errnum, enum faultfs_mode mode)
{
    pthread_mutex_lock(&fsys.lock);
    fsys.fail_in = n;
    fsys.mask = mask;
    fsys.errnum = errnum;
    fsys.mode = mode;
    fsys.owner = pthread_self();
    fsys.failed = fsys.crashed = false;
    pthread_mutex_unlock(&fsys.lock);
}

void faultfs_write_at_most(size_t n)
{
    pthread_mutex_lock(&fsys.lock);
    fsys.write_max = n;
    pthread_mutex_unlock(&fsys.lock);
}

void faultfs_space(uint64_t bytes)
{
    pthread_mutex_lock(&fsys.lock);
    fsys.limited = true;
    fsys.space = bytes;
    pthread_mutex_unlock(&fsys.lock);
}

void faultfs_hook(void (*hook)(void *ctx, enum faultfs_op op, const char *name), void *ctx)
{
    pthread_mutex_lock(&fsys.lock);
    fsys.hook = hook;
    fsys.hook_ctx = ctx;
    pthread_mutex_unlock(&fsys.lock);
}

bool faultfs_failed(char what[80])
{
    pthread_mutex_lock(&fsys.lock);
    bool failed = fsys.failed;
    memcpy(what, fsys.what, sizeof fsys.what);
    pthread_mutex_unlock(&fsys.lock);
    return failed;
}

uint64_t faultfs_count(unsigned mask)
{
    uint64_t sum = 0;
    pthread_mutex_lock(&fsys.lock);
    for (int i = 0; i < FAULTFS_OPS; i++)
        if (mask & FAULTFS_BIT(i))
            sum += fsys.counts[i];
    pthread_mutex_unlock(&fsys.lock);
    return sum;
}

void faultfs_record(unsigned mask)
{
    pthread_mutex_lock(&fsys.lock);
    buf_clear(&fsys.record);
    fsys.record_mask = mask;
    pthread_mutex_unlock(&fsys.lock);
}

char *faultfs_recorded(void)
{
    pthread_mutex_lock(&fsys.lock);
    struct bytes b = buf_bytes(&fsys.record);
    char *text = mem_alloc(b.n + 1);
    if (b.n)
        memcpy(text, b.p, b.n);
    pthread_mutex_unlock(&fsys.lock);
    return text;
}

/* ---- power cut ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Up to which byte of the change it got there: the start or the end of it, or a sector's. */
static size_t torn_length(const struct change *c, uint32_t *random)
{
    uint64_t first = c->off / SECTOR, last = (c->off + c->n) / SECTOR;
    uint64_t at = (first + next_random(random) % (last - first + 1)) * SECTOR;
    return at <= c->off ? 0 : (size_t)(at - c->off);
}

static struct image lose_tail(const struct node *f, bool zeros, uint32_t *random)
{
    struct image im = image_of(f);
    size_t whole = next_random(random) % (uint32_t)(f->pending_n + 1);
    size_t size = im.size;
    for (size_t i = 0; i < f->pending_n; i++) {
        const struct change *c = &f->pending[i];
        if (i < whole)
            image_apply(&im, c, c->n);
        else if (i == whole && c->data)
            image_apply(&im, c, torn_length(c, random));
        size = c->data ? size > c->off + c->n ? size : (size_t)(c->off + c->n) : (size_t)c->off;
    }
    if (zeros && size > im.size)
        image_resize(&im, size);
    return im;
}

/* A cut cannot be out of order with what was written before and behind it: they are metadata. */
static struct image lose_holes(const struct node *f, uint32_t *random)
{
    struct image im = image_of(f);
    for (size_t i = 0; i < f->pending_n; i++) {
        const struct change *c = &f->pending[i];
        if (!c->data) {
            image_apply(&im, c, 0);
            continue;
        }
        if (c->off + c->n > im.size)
            image_resize(&im, (size_t)(c->off + c->n));
        for (uint64_t at = c->off; at < c->off + c->n;) {
            uint64_t next = (at / SECTOR + 1) * SECTOR;
            uint64_t end = next < c->off + c->n ? next : c->off + c->n;
            if (next_random(random) & 1)
                memcpy(im.data + at, c->data + (at - c->off), (size_t)(end - at));
            at = end;
        }
    }
    return im;
}

static struct image content_after(const struct node *f, enum faultfs_loss loss, uint32_t *random)
{
    switch (loss) {
    case FAULTFS_LOSE_ALL:
        return image_of(f);
    case FAULTFS_LOSE_NONE:
        return image_with_pending(f);
    case FAULTFS_LOSE_TAIL:
        return lose_tail(f, false, random);
    case FAULTFS_LOSE_ZEROS:
        return lose_tail(f, true, random);
    case FAULTFS_LOSE_HOLES:
        return lose_holes(f, random);
    case FAULTFS_LOSSES:
        break;
    }
    return (struct image){NULL, 0};
}

static void names_after(struct names *l, enum faultfs_loss loss, uint32_t *random)
{
    *l = fsys.durable;
    size_t until = next_random(random) % (uint32_t)(fsys.renames_n + 1);
    for (size_t i = 0; i < fsys.renames_n; i++) {
        bool there = loss == FAULTFS_LOSE_NONE;
        if (loss == FAULTFS_LOSE_TAIL || loss == FAULTFS_LOSE_ZEROS)
            there = i < until;
        else if (loss == FAULTFS_LOSE_HOLES)
            there = next_random(random) & 1;
        if (there)
            apply_name(l, &fsys.renames[i]);
    }
}

static void write_dir(int fd, int dir, const struct names *l, enum faultfs_loss loss,
                      uint32_t *random)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->at[i].dir != dir)
            continue;
        const struct node *f = &fsys.nodes[l->at[i].node];
        if (f->is_dir) {
            BUG_ON(mkdirat(fd, l->at[i].name, FS_DIR_MODE) < 0);
            int child = openat(fd, l->at[i].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            write_dir(child, l->at[i].node, l, loss, random);
            close(child);
            continue;
        }
        struct image im = content_after(f, loss, random);
        int out = openat(fd, l->at[i].name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FS_FILE_MODE);
        BUG_ON(out < 0 || pwrite(out, im.data, im.size, 0) != (ssize_t)im.size);
        close(out);
        free(im.data);
    }
}

void faultfs_power_cut(const char *to, enum faultfs_loss loss, uint32_t seed)
{
    static struct names names; /* large */
    uint32_t random = seed;
    int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    BUG_ON(fd < 0 || !fsys.modelled);
    pthread_mutex_lock(&fsys.lock);
    names_after(&names, loss, &random);
    write_dir(fd, 0, &names, loss, &random);
    pthread_mutex_unlock(&fsys.lock);
    close(fd);
}
