/* Makes file operations below one folder fail, or the process die at one of them.
 *
 * Loaded by LD_PRELOAD, so it stands before libc for Python, Arrow, HDF5 and TensorFlow alike. It
 * does nothing until faults_arm is called. Each operation has a label, `write out/.tmp/x`: its kind
 * and the path below the folder. What fails with which error is decided in preload.py.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LABEL = PATH_MAX + 32 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX], pattern[LABEL], lasting[256];
static int journal, fault, struck;
static long left;

/* From now on: write the label of every operation below `where` to descriptor `labels`, and at the
 * `nth` (from 1) whose label matches `labelled`, a pattern of fnmatch, fail with `error`, or die if
 * it is 0. Then every operation fails whose kind is in `kinds`, which has a space before and after
 * each. The label of the first that fails is written with an exclamation mark. */
void faults_arm(const char *where, int labels, const char *labelled, long nth, int error,
                const char *kinds) {
    snprintf(folder, sizeof folder, "%s/", where);
    snprintf(pattern, sizeof pattern, "%s", labelled);
    snprintf(lasting, sizeof lasting, "%s", kinds);
    journal = labels, left = nth, fault = error, struck = 0;
}

static int fails(const char *kind, const char *path) {
    size_t length = strlen(folder);
    if (!length || strncmp(path, folder, length))
        return 0;
    char label[LABEL], word[32];
    snprintf(label, sizeof label, "%s %s", kind, path + length);
    snprintf(word, sizeof word, " %s ", kind);
    pthread_mutex_lock(&mutex);
    int hit = struck && strstr(lasting, word);
    int first = !struck && left > 0 && !fnmatch(pattern, label, 0) && !--left;
    dprintf(journal, "%s%s\n", first ? "!" : "", label);
    if (first && !fault)
        kill(getpid(), SIGKILL);
    struck |= first;
    hit |= first;
    pthread_mutex_unlock(&mutex);
    if (hit)
        errno = fault;
    return hit;
}

/* The path that a descriptor was opened by, or that of a name below a folder's descriptor. */
static int fails_at(const char *kind, int descriptor, const char *name) {
    char path[PATH_MAX], link[64];
    int before = errno;
    if (!*folder)
        return 0;
    if (name && *name == '/')
        return fails(kind, name);
    snprintf(link, sizeof link, descriptor == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d",
             descriptor);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = before;
    if (size < 0)
        return 0;
    snprintf(path + size, sizeof path - size, name ? "/%s" : "", name);
    return fails(kind, path);
}

/* A function of libc that asks first; `wrong` is what it returns when it fails. */
#define FUNCTION(type, name, parameters, arguments, asked, wrong)  \
    type name parameters {                                         \
        static type(*real) parameters;                             \
        if (!real)                                                 \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);    \
        return asked ? (type)wrong : real arguments;               \
    }
#define ON_PATH(kind, type, name, parameters, arguments) \
    FUNCTION(type, name, parameters, arguments, fails_at(kind, AT_FDCWD, path), -1)
#define ON_FD(kind, type, name, parameters, arguments) \
    FUNCTION(type, name, parameters, arguments, fails_at(kind, fd, NULL), -1)
#define AT(kind, type, name, parameters, arguments) \
    FUNCTION(type, name, parameters, arguments, fails_at(kind, fd, path), -1)
#define FILE_FD fileno(file), NULL

ON_FD("read", ssize_t, read, (int fd, void *data, size_t size), (fd, data, size))
ON_FD("read", ssize_t, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
ON_FD("read", ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FD("write", ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
ON_FD("write", ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at),
      (fd, data, size, at))
ON_FD("write", ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at),
      (fd, data, size, at))
ON_FD("write", ssize_t, writev, (int fd, const struct iovec *data, int n), (fd, data, n))
ON_FD("write", ssize_t, sendfile, (int fd, int from, off_t *at, size_t size), (fd, from, at, size))
ON_FD("write", ssize_t, sendfile64, (int fd, int from, off64_t *at, size_t size),
      (fd, from, at, size))
ON_FD("sync", int, fsync, (int fd), (fd))
ON_FD("sync", int, fdatasync, (int fd), (fd))
ON_FD("truncate", int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD("truncate", int, ftruncate64, (int fd, off64_t size), (fd, size))
FUNCTION(DIR *, fdopendir, (int fd), (fd), fails_at("list", fd, NULL), NULL)
ON_PATH("rename", int, rename, (const char *from, const char *path), (from, path))
AT("rename", int, renameat, (int from_fd, const char *from, int fd, const char *path),
   (from_fd, from, fd, path))
ON_PATH("remove", int, unlink, (const char *path), (path))
ON_PATH("remove", int, rmdir, (const char *path), (path))
AT("remove", int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
ON_PATH("make", int, mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH("make", int, symlink, (const char *to, const char *path), (to, path))
ON_PATH("make", int, link, (const char *from, const char *path), (from, path))
FUNCTION(DIR *, opendir, (const char *path), (path), fails_at("list", AT_FDCWD, path), NULL)
ON_PATH("look", int, stat, (const char *path, struct stat *found), (path, found))
ON_PATH("look", int, lstat, (const char *path, struct stat *found), (path, found))
ON_PATH("look", int, stat64, (const char *path, struct stat64 *found), (path, found))
ON_PATH("look", int, lstat64, (const char *path, struct stat64 *found), (path, found))
AT("look", int, fstatat, (int fd, const char *path, struct stat *found, int flags),
   (fd, path, found, flags))
AT("look", int, fstatat64, (int fd, const char *path, struct stat64 *found, int flags),
   (fd, path, found, flags))
FUNCTION(size_t, fwrite, (const void *data, size_t size, size_t n, FILE *file),
         (data, size, n, file), fails_at("write", FILE_FD), 0)
FUNCTION(int, fflush, (FILE *file), (file), (file && fails_at("write", FILE_FD)), EOF)

/* Closing fails only where something was written, and closes even then. */
static int close_fails(int fd) {
    return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY && fails_at("close", fd, NULL);
}

int close(int fd) {
    int failed = close_fails(fd), error = errno;
    int closed = (int)syscall(SYS_close, fd);
    return failed ? (errno = error, -1) : closed;
}

int fclose(FILE *file) {
    static int (*real)(FILE *);
    if (!real)
        real = (int (*)(FILE *))dlsym(RTLD_NEXT, "fclose");
    int failed = close_fails(fileno(file)), error = errno;
    int closed = real(file);
    return failed ? (errno = error, EOF) : closed;
}

static const char *kind_of_open(int flags) {
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
        return "create";
    return flags & (O_WRONLY | O_RDWR) ? "update" : "open";
}

static int open_at(int fd, const char *path, int flags, va_list rest) {
    int mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, int) : 0;
    if (fails_at(kind_of_open(flags), fd, path))
        return -1;
    return (int)syscall(SYS_openat, fd, path, flags, mode);
}

#define OPEN(name, parameters, fd)                       \
    int name parameters {                                \
        va_list rest;                                    \
        va_start(rest, flags);                           \
        int opened = open_at(fd, path, flags, rest);     \
        va_end(rest);                                    \
        return opened;                                   \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int fd, const char *path, int flags, ...), fd)
OPEN(openat64, (int fd, const char *path, int flags, ...), fd)

#define OPEN_FILE(name)                                                                        \
    FUNCTION(FILE *, name, (const char *path, const char *mode), (path, mode),                 \
             fails_at(*mode == 'r' ? (strchr(mode, '+') ? "update" : "open") : "create",       \
                      AT_FDCWD, path),                                                         \
             NULL)
OPEN_FILE(fopen)
OPEN_FILE(fopen64)
