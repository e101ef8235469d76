/* Counts a process's calls that change files under one folder, logs them, and does harm at a chosen one.
   Left out are SQLite's shared memory files, which hold nothing of their own.

Preloaded with LD_PRELOAD. Nothing happens until doom_begin is called: `kill_at` counts from 1 (0: never); `manner` is
0 to kill before the call, 1 inside (half of a write is done), 2 after it; or the call fails: 3 for a disk that is full
from then on, 4 for one that cannot be written from then on, 5 for one that fails this once. Each call that was done is
a line of the log: number, tab, name, tab, size of the file or 1 for one that was made, tab, path, tab, second path. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BEFORE, TORN, AFTER, FULL, READ_ONLY, BROKEN };

static atomic_int armed;
static atomic_long calls;
static long kill_at;
static int manner, log_fd = -1;
static char folder[PATH_MAX];

void doom_begin(const char *under, const char *log_path, long at, int how) {
    strncpy(folder, under, sizeof folder - 1);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    kill_at = at;
    manner = how;
    atomic_store(&calls, 0);
    atomic_store(&armed, 1);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int inside(const char *path) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The absolute path of a name beside a directory's descriptor; 0 when it is outside the folder. */
static int named(int at, const char *name, char *out) {
    if (!atomic_load(&armed) || name == NULL) return 0;
    if (name[0] == '/') {
        snprintf(out, PATH_MAX, "%s", name);
        return inside(out);
    }
    char link[64], base[PATH_MAX];
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t got = readlink(link, base, sizeof base - 1);
    if (got <= 0) return 0;
    base[got] = 0;
    if (snprintf(out, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    return inside(out);
}

static int opened(int fd, char *out) {
    if (!atomic_load(&armed)) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, out, PATH_MAX - 1);
    if (got <= 0) return 0;
    out[got] = 0;
    if (strstr(out, "-shm") != NULL) return 0;
    return inside(out);
}

static long arrive(void) {
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (number == kill_at && manner == BEFORE) die();
    return number;
}

/* Whether the disk refuses this call. A full one lets go of what it holds, but takes nothing more. */
static int refused(long number, int takes) {
    if (kill_at == 0 || number < kill_at) return 0;
    if (manner == FULL && takes) return errno = ENOSPC;
    if (manner == READ_ONLY) return errno = EROFS;
    if (manner == BROKEN && number == kill_at) return errno = EIO;
    return 0;
}

static void depart(long number, const char *name, long size, const char *path, const char *second) {
    int kept = errno;
    char line[2 * PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%ld\t%s\t%ld\t%s\t%s\n", number, name, size, path, second ? second : "");
    if (log_fd >= 0) syscall(SYS_write, log_fd, line, (size_t)length);
    if (number == kill_at && manner <= AFTER) die();
    errno = kept;
}

static long size_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? (long)found.st_size : -1;
}

#define WRITER(symbol, signature, part, whole)                                                                         \
    ssize_t symbol signature;                                                                                          \
    ssize_t symbol signature {                                                                                         \
        char path[PATH_MAX];                                                                                           \
        if (!opened(fd, path)) return whole;                                                                           \
        long number = arrive();                                                                                        \
        if (refused(number, 1)) return -1;                                                                             \
        if (number == kill_at && manner == TORN) {                                                                     \
            ssize_t half = part;                                                                                       \
            depart(number, "write", half < 0 ? half : size_of(fd), path, NULL);                                        \
        }                                                                                                              \
        ssize_t done = whole;                                                                                          \
        depart(number, "write", size_of(fd), path, NULL);                                                              \
        return done;                                                                                                   \
    }

static ssize_t plain_write(int fd, const void *data, size_t size) {
    return syscall(SYS_write, fd, data, size);
}
static ssize_t plain_pwrite(int fd, const void *data, size_t size, off_t at) {
    return syscall(SYS_pwrite64, fd, data, size, at);
}
WRITER(write, (int fd, const void *data, size_t size), plain_write(fd, data, size / 2), plain_write(fd, data, size))
WRITER(pwrite, (int fd, const void *data, size_t size, off_t at), plain_pwrite(fd, data, size / 2, at),
       plain_pwrite(fd, data, size, at))
WRITER(pwrite64, (int fd, const void *data, size_t size, off_t at), plain_pwrite(fd, data, size / 2, at),
       plain_pwrite(fd, data, size, at))
WRITER(writev, (int fd, const struct iovec *data, int count), syscall(SYS_writev, fd, data, count / 2),
       syscall(SYS_writev, fd, data, count))
WRITER(copy_file_range,
       (int from, off_t *start, int fd, off_t *at, size_t size, unsigned flags),
       syscall(SYS_copy_file_range, from, start, fd, at, size / 2, flags),
       syscall(SYS_copy_file_range, from, start, fd, at, size, flags))
WRITER(sendfile, (int fd, int from, off_t *start, size_t size), syscall(SYS_sendfile, fd, from, start, size / 2),
       syscall(SYS_sendfile, fd, from, start, size))

#define BY_FD(symbol, signature, label, whole)                                                                         \
    int symbol signature;                                                                                              \
    int symbol signature {                                                                                             \
        char path[PATH_MAX];                                                                                           \
        if (!opened(fd, path)) return (int)(whole);                                                                    \
        long number = arrive();                                                                                        \
        if (refused(number, 0)) return -1;                                                                             \
        int done = (int)(whole);                                                                                       \
        depart(number, label, size_of(fd), path, NULL);                                                                \
        return done;                                                                                                   \
    }

BY_FD(fsync, (int fd), "fsync", syscall(SYS_fsync, fd))
BY_FD(fdatasync, (int fd), "fsync", syscall(SYS_fdatasync, fd))
BY_FD(ftruncate, (int fd, off_t size), "truncate", syscall(SYS_ftruncate, fd, size))
BY_FD(ftruncate64, (int fd, off_t size), "truncate", syscall(SYS_ftruncate, fd, size))

static int make(int at, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || !named(at, name, path) || strstr(path, "-shm") != NULL)
        return (int)syscall(SYS_openat, at, name, flags, mode);
    struct stat found;
    int there = stat(path, &found) == 0;
    if (there && (!(flags & O_TRUNC) || found.st_size == 0)) return (int)syscall(SYS_openat, at, name, flags, mode);
    long number = arrive();
    if (refused(number, !there)) return -1;
    int fd = (int)syscall(SYS_openat, at, name, flags, mode);
    if (fd >= 0) depart(number, there ? "truncate" : "create", there ? 0 : 1, path, NULL);
    return fd;
}

#define OPENER(symbol)                                                                                                 \
    int symbol(const char *name, int flags, ...);                                                                      \
    int symbol(const char *name, int flags, ...) {                                                                     \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return make(AT_FDCWD, name, flags, mode);                                                                      \
    }
#define OPENER_AT(symbol)                                                                                              \
    int symbol(int at, const char *name, int flags, ...);                                                              \
    int symbol(int at, const char *name, int flags, ...) {                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return make(at, name, flags, mode);                                                                            \
    }
OPENER(open)
OPENER(open64)
OPENER_AT(openat)
OPENER_AT(openat64)

#define BY_NAME(symbol, signature, label, present, at, name, second, whole)                                            \
    int symbol signature;                                                                                              \
    int symbol signature {                                                                                             \
        char path[PATH_MAX];                                                                                           \
        struct stat found;                                                                                             \
        if (!named(at, name, path) || (lstat(path, &found) == 0) != (present)) return (int)(whole);                    \
        long number = arrive();                                                                                        \
        if (refused(number, !(present))) return -1;                                                                    \
        int done = (int)(whole);                                                                                       \
        depart(number, done == 0 ? label : "failed", 0, path, second);                                                 \
        return done;                                                                                                   \
    }

BY_NAME(rename, (const char *old, const char *fresh), "rename", 1, AT_FDCWD, old, fresh,
        syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, fresh, 0))
BY_NAME(renameat, (int at, const char *old, int to, const char *fresh), "rename", 1, at, old, fresh,
        syscall(SYS_renameat2, at, old, to, fresh, 0))
BY_NAME(link, (const char *old, const char *fresh), "link", 1, AT_FDCWD, old, fresh,
        syscall(SYS_linkat, AT_FDCWD, old, AT_FDCWD, fresh, 0))
BY_NAME(linkat, (int at, const char *old, int to, const char *fresh, int flags), "link", 1, at, old, fresh,
        syscall(SYS_linkat, at, old, to, fresh, flags))
BY_NAME(unlink, (const char *name), "unlink", 1, AT_FDCWD, name, NULL, syscall(SYS_unlinkat, AT_FDCWD, name, 0))
BY_NAME(unlinkat, (int at, const char *name, int flags), "unlink", 1, at, name, NULL,
        syscall(SYS_unlinkat, at, name, flags))
BY_NAME(rmdir, (const char *name), "unlink", 1, AT_FDCWD, name, NULL, syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR))
BY_NAME(mkdir, (const char *name, mode_t mode), "mkdir", 0, AT_FDCWD, name, NULL,
        syscall(SYS_mkdirat, AT_FDCWD, name, mode))
BY_NAME(mkdirat, (int at, const char *name, mode_t mode), "mkdir", 0, at, name, NULL,
        syscall(SYS_mkdirat, at, name, mode))
