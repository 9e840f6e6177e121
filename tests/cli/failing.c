/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Linked into a copy of the command (meson.build wraps these rows): one of its calls of the system
 * fails, as the environment says.
 *
 *   TWOWAY_FAIL=N          the N-th of all these calls, each as it fails in life
 *   TWOWAY_FAIL=N:again    the N-th read or write is interrupted by a signal
 *   TWOWAY_FAIL=N:little   the N-th read or write does one byte
 *   TWOWAY_FAIL=N:stuck    the N-th, and then all that should remove or put back
 *   TWOWAY_FAIL=N:killed   before the N-th the process is killed
 *   TWOWAY_FAIL_ONLY       names of calls, if only they count
 *   TWOWAY_FAIL_REPORT     the file that gets the name of what failed
 *   TWOWAY_LACKS           what the filesystem cannot do: "flags" of renameat2, as NFS; "flags
 *                          call", as a kernel without it; "flags link", as exFAT; "mode", as a
 *                          share or FAT that is mounted with another's user id; these are no
 *                          failures that count
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <p11-kit/uri.h>

static struct {
    long left; /* until it fails; 0: it has, or never will */
    const char *mode;
} plan = {.mode = ""};

static void report(const char *function)
{
    const char *path = getenv("TWOWAY_FAIL_REPORT");
    long fd = path == NULL ? -1 : syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);

    if (fd >= 0) {
        (void)syscall(SYS_write, fd, function, strlen(function));
        (void)syscall(SYS_close, fd);
    }
}

static bool takes_back(const char *function)
{
    return strcmp(function, "unlink") == 0 || strcmp(function, "rmdir") == 0 ||
           strcmp(function, "rename") == 0;
}

static bool counts(const char *function)
{
    const char *only = getenv("TWOWAY_FAIL_ONLY");

    return only == NULL || strstr(only, function) != NULL;
}

static bool fails(const char *function, const char *mode)
{
    const bool stuck = strcmp(plan.mode, "stuck") == 0, killed = strcmp(plan.mode, "killed") == 0;

    if (stuck && plan.left == 0 && takes_back(function)) {
        return true;
    }
    if (plan.left == 0 || strcmp(stuck || killed ? "" : plan.mode, mode) != 0 ||
        !counts(function) || --plan.left > 0) {
        return false;
    }
    report(function);
    if (killed) {
        (void)raise(SIGKILL);
    }
    return true;
}

/* The library's own allocations count too, which go through libcrypto's allocator. */
static bool is_ours(const char *file)
{
    return file != NULL && (strstr(file, "src/") != NULL || strstr(file, "pkcs11/") != NULL);
}

void *__real_malloc(size_t n);

static void *crypto_malloc(size_t len, const char *file, int line)
{
    (void)line;
    return is_ours(file) && fails("malloc", "") ? NULL : __real_malloc(len);
}

static void *crypto_realloc(void *data, size_t len, const char *file, int line)
{
    (void)line;
    return is_ours(file) && fails("realloc", "") ? NULL : realloc(data, len);
}

static void crypto_free(void *data, const char *file, int line)
{
    (void)file;
    (void)line;
    free(data);
}

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("TWOWAY_FAIL");
    char *end = NULL;

    if (text != NULL) {
        plan.left = strtol(text, &end, 10);
        plan.mode = *end == ':' ? end + 1 : "";
    }
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1) {
        abort();
    }
}

#define CALL(type, name, takes, gives, failed, number)                                             \
    type __real_##name takes;                                                                      \
    type __wrap_##name takes;                                                                      \
    type __wrap_##name takes                                                                       \
    {                                                                                              \
        if (fails(#name, "")) {                                                                    \
            errno = number;                                                                        \
            return failed;                                                                         \
        }                                                                                          \
        return __real_##name gives;                                                                \
    }
#define STAND_IN(name)

CALL(int, close, (int fd), (fd), ((void)syscall(SYS_close, fd), -1), EIO)
CALL(int, fstat64, (int fd, struct stat64 *s), (fd, s), -1, EIO)
CALL(int, stat64, (const char *p, struct stat64 *s), (p, s), -1, EACCES)
CALL(int, lstat64, (const char *p, struct stat64 *s), (p, s), -1, EACCES)
CALL(int, fsync, (int fd), (fd), -1, EIO)
CALL(int, rename, (const char *a, const char *b), (a, b), -1, EIO)
CALL(int, unlink, (const char *p), (p), -1, EIO)
CALL(int, rmdir, (const char *p), (p), -1, EIO)
CALL(int, mkdir, (const char *p, mode_t m), (p, m), -1, ENOSPC)
CALL(int, mkostemp64, (char *p, int f), (p, f), -1, ENOSPC)
CALL(char *, realpath, (const char *p, char *o), (p, o), NULL, EIO)
CALL(int, faccessat, (int d, const char *p, int m, int f), (d, p, m, f), -1, EACCES)
CALL(int, fflush, (FILE * f), (f), EOF, ENOSPC)
CALL(ssize_t, getrandom, (void *b, size_t n, unsigned f), (b, n, f), -1, ENOSYS)
CALL(void *, malloc, (size_t n), (n), NULL, ENOMEM)
CALL(void *, calloc, (size_t n, size_t m), (n, m), NULL, ENOMEM)
CALL(char *, strdup, (const char *s), (s), NULL, ENOMEM)
CALL(P11KitUri *, p11_kit_uri_new, (void), (), NULL, ENOMEM)
CALL(int, p11_kit_uri_parse, (const char *s, P11KitUriType t, P11KitUri *u), (s, t, u),
     P11_KIT_URI_UNEXPECTED, ENOMEM)

/* What that does is done as far as it can be, and its failures are test_memory.py's. */
STAND_IN(memory_guard)
void __real_memory_guard(void);
void __wrap_memory_guard(void);
void __wrap_memory_guard(void)
{
    const long left = plan.left;

    plan.left = 0;
    __real_memory_guard();
    plan.left = left;
}

static bool lacks(const char *what)
{
    const char *lacking = getenv("TWOWAY_LACKS");

    return lacking != NULL && strstr(lacking, what) != NULL;
}

STAND_IN(renameat2)
int __real_renameat2(int a, const char *b, int c, const char *d, unsigned f);
int __wrap_renameat2(int a, const char *b, int c, const char *d, unsigned f);
int __wrap_renameat2(int a, const char *b, int c, const char *d, unsigned f)
{
    const bool cannot = f != 0 && lacks("flags");

    if (cannot || fails("renameat2", "")) {
        errno = !cannot ? EIO : lacks("call") ? ENOSYS : EINVAL;
        return -1;
    }
    return __real_renameat2(a, b, c, d, f);
}

STAND_IN(link)
int __real_link(const char *a, const char *b);
int __wrap_link(const char *a, const char *b);
int __wrap_link(const char *a, const char *b)
{
    const bool cannot = lacks("link");

    if (cannot && access(a, F_OK) != 0) {
        return -1; /* as the kernel has it, which looks for it first */
    }
    if (cannot || fails("link", "")) {
        errno = cannot ? EPERM : EIO;
        return -1;
    }
    return __real_link(a, b);
}

STAND_IN(fchmod)
int __real_fchmod(int fd, mode_t m);
int __wrap_fchmod(int fd, mode_t m);
int __wrap_fchmod(int fd, mode_t m)
{
    const bool cannot = lacks("mode");

    if (cannot || fails("fchmod", "")) {
        errno = cannot ? EPERM : EIO;
        return -1;
    }
    return __real_fchmod(fd, m);
}

STAND_IN(read)
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    bool error = fails("read", ""), again = fails("read", "again");

    if (error || again) {
        errno = error ? EIO : EINTR;
        return -1;
    }
    return __real_read(fd, buf, len > 1 && fails("read", "little") ? 1 : len);
}

STAND_IN(write)
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    bool error = fails("write", ""), again = fails("write", "again");

    if (error || again) {
        errno = error ? ENOSPC : EINTR;
        return -1;
    }
    return __real_write(fd, buf, len > 1 && fails("write", "little") ? 1 : len);
}

STAND_IN(open64)
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    if (fails("open64", "")) {
        errno = EACCES;
        return -1;
    }
    return __real_open64(path, flags);
}

STAND_IN(fcntl64)
int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list args;
    int value;

    va_start(args, command);
    value = va_arg(args, int);
    va_end(args);
    if (command != F_GETFD && fails("fcntl64", "")) {
        errno = EMFILE;
        return -1;
    }
    return __real_fcntl64(fd, command, value);
}

STAND_IN(asprintf)
__attribute__((format(printf, 2, 3))) int __wrap_asprintf(char **out, const char *format, ...);
int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    int len;

    if (fails("asprintf", "")) {
        *out = NULL;
        return -1;
    }
    va_start(args, format);
    len = vasprintf(out, format, args);
    va_end(args);
    return len;
}
