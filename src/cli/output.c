/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Outputs, all or none. A regular file is written beside its place under a name of
 * its own and renamed; what is not finished is removed by outputs_finish or by an
 * interrupt, which both walk one list.
 *
 * Keys and stored exchanges are synced before they appear: nothing can make them
 * again. Messages are not: their input is still there, and a sync would cost more
 * than the sealing.
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

struct output {
    output *next;
    const char *volatile doomed; /* what goes if the verb fails; NULL for nothing */
    const char *volatile aside;  /* where what was replaced waits, to be put back then */
    bool directory;              /* and `doomed` is a directory */
    bool committed;
    char *name; /* for messages */
    char *path; /* where the file will be; NULL when written directly */
    char *temporary;
    char *spare;        /* the other name that what is replaced may get */
    struct stat placed; /* what was put at `path`; no link: nothing yet, or it is there to stay */
    unsigned flags;
    mode_t mode;
    int fd;
};

static output *volatile outputs; /* newest first */

static output *output_new(const char *name, unsigned flags)
{
    output *out = calloc(1, sizeof(*out));

    if (out != NULL) {
        out->name = strdup(name);
        out->flags = flags;
        out->fd = -1;
    }
    if (out == NULL || out->name == NULL) {
        free(out);
        (void)fail_tw(TW_ERR_MEMORY, ABOUT_WORK, name);
        return NULL;
    }
    out->next = outputs;
    outputs = out;
    return out;
}

const char *output_name(const output *out)
{
    return out->name;
}

static int cannot_create(const char *name, int errnum)
{
    return fail_errno(EX_CANTCREAT, name, "a place to write to", errnum, "name another");
}

static int exists(const char *name)
{
    return fail(EX_CANTCREAT, name,
                "expected no such file, came one that exists; name another, or say --force");
}

static int open_directly(output *out, const char *path, const input *in)
{
    const int fd = standard_descriptor(path);
    struct stat st;

    out->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                      : open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (out->fd < 0 || fstat(out->fd, &st) != 0) {
        return cannot_create(out->name, errno);
    }
    if (in != NULL && in->regular && S_ISREG(st.st_mode) && st.st_dev == in->device &&
        st.st_ino == in->inode) {
        return fail(EX_CANTCREAT, out->name,
                    "expected another file than the input, came the same; name it with -o, which "
                    "replaces it when done");
    }
    if ((out->flags & OUTPUT_BINARY) != 0 && isatty(out->fd) != 0) {
        return fail(EX_USAGE, out->name,
                    "expected a file or a pipe for binary data, came a terminal; use -o, or say "
                    "--force");
    }
    return EX_OK;
}

/* A file of its own beside the final one, as only that can be renamed into place. */
static int open_beside(output *out)
{
    char *copy = strdup(out->path);
    const char *folder = copy != NULL ? dirname(copy) : NULL;
    int saved;

    if (folder == NULL || asprintf(&out->temporary, "%s/.twoway-XXXXXX", folder) < 0) {
        free(copy);
        return fail_tw(TW_ERR_MEMORY, ABOUT_WORK, out->name);
    }
    free(copy);
    interrupts_block(true);
    out->fd = mkostemp(out->temporary, O_CLOEXEC);
    saved = errno;
    if (out->fd >= 0) {
        out->doomed = out->temporary;
    }
    interrupts_block(false);
    if (out->fd < 0) {
        return cannot_create(out->name, saved);
    }
    return asprintf(&out->spare, "%s.old", out->temporary) >= 0
               ? EX_OK
               : fail_tw(TW_ERR_MEMORY, ABOUT_WORK, out->name);
}

/* The mode that an ordinary open() would give. */
static mode_t default_mode(void)
{
    const mode_t mask = umask(0);

    (void)umask(mask);
    return 0666 & ~mask;
}

static bool names_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] == '\0';
}

/* What is there decides: a regular file is replaced, behind a symbolic link too, and
 * keeps its mode; a pipe or device is written to. */
static int find_place(output *out, const char *path, bool *direct)
{
    struct stat st;
    const bool found = stat(path, &st) == 0;

    out->mode = (out->flags & OUTPUT_PRIVATE) != 0 ? 0600 : default_mode();
    *direct = found && !S_ISREG(st.st_mode);
    if (found && S_ISDIR(st.st_mode)) {
        return cannot_create(out->name, EISDIR);
    }
    if (!found && errno != ENOENT) {
        return cannot_create(out->name, errno);
    }
    if (*direct) {
        return EX_OK;
    }
    if (!found && names_folder(path)) { /* which no file can be renamed to */
        return fail(EX_CANTCREAT, out->name,
                    "expected a file's name, came one that ends with a slash; take that off, or "
                    "name a file in a folder that is there");
    }
    if (!found && lstat(path, &st) == 0) {
        return fail(EX_CANTCREAT, out->name,
                    "expected a file, came a symbolic link to nothing; remove it or name another");
    }
    if (found && (out->flags & OUTPUT_NEW) != 0) {
        return exists(out->name);
    }
    if (found && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0) {
        return cannot_create(out->name, errno);
    }
    if (found && (out->flags & OUTPUT_PRIVATE) == 0) {
        out->mode = st.st_mode & 0777;
    }
    out->path = found ? realpath(path, NULL) : strdup(path);
    if (out->path != NULL) {
        return EX_OK;
    }
    return errno == ENOMEM ? fail_tw(TW_ERR_MEMORY, ABOUT_WORK, out->name)
                           : cannot_create(out->name, errno);
}

int output_open(const char *path, unsigned flags, const input *in, output **out)
{
    bool direct;
    int status = EX_OK;

    *out = output_new(path != NULL ? path : "standard output", flags);
    if (*out == NULL) {
        return EX_SOFTWARE;
    }
    path = path != NULL ? path : "/dev/stdout";
    direct = standard_descriptor(path) >= 0;
    if (!direct) {
        status = find_place(*out, path, &direct);
    }
    if (status != EX_OK) {
        return status;
    }
    return direct ? open_directly(*out, path, in) : open_beside(*out);
}

int output_write(output *out, const void *buf, size_t len)
{
    const uint8_t *at = buf;

    while (len > 0) {
        const ssize_t n = write(out->fd, at, len);

        if (n >= 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = out->fd, .events = POLLOUT};

            (void)poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

int output_failed(const output *out, int errnum)
{
    return fail_errno(EX_IOERR, out->name, "to write all of it", errnum,
                      "make room or mend the place, then try again");
}

int output_put(output *out, const void *buf, size_t len)
{
    const int errnum = output_write(out, buf, len);

    return errnum == 0 ? EX_OK : output_failed(out, errnum);
}

/* Some filesystems give all files one owner and mode (CIFS, FAT), and take no other from who is not
 * that owner. A secret has to have its own. */
static int set_mode(const output *out, int fd)
{
    if (fchmod(fd, out->mode) == 0) {
        return 0;
    }
    return errno == EPERM && (out->flags & OUTPUT_PRIVATE) == 0 ? 0 : errno;
}

int output_commit(output *out)
{
    const int fd = out->fd;
    int errnum = 0;

    out->fd = -1;
    if (out->path != NULL && ((out->flags & OUTPUT_PRIVATE) != 0 && fsync(fd) != 0)) {
        errnum = errno;
    }
    if (out->path != NULL && errnum == 0) {
        errnum = set_mode(out, fd);
    }
    if (close(fd) != 0 && errnum == 0) { /* where NFS tells of a full disk */
        errnum = errno;
    }
    if (errnum != 0) {
        return output_failed(out, errnum);
    }
    if (out->path != NULL) {
        interrupts_block(true);
        errnum = (out->flags & OUTPUT_NEW) != 0
                     ? appear_new(out->temporary, out->path)
                     : appear_over(out->temporary, out->path, out->spare, &out->aside);
        out->doomed = errnum == 0 ? out->path : out->temporary;
        if (errnum == 0 && lstat(out->path, &out->placed) != 0) {
            out->placed.st_nlink = 0;
        }
        interrupts_block(false);
    }
    if (errnum != 0) {
        return errnum == EEXIST ? exists(out->name) : cannot_create(out->name, errnum);
    }
    out->committed = true;
    return EX_OK;
}

int output_directory(const char *path)
{
    output *out = output_new(path, 0);
    struct stat st;
    int errnum = 0;

    if (out == NULL) {
        return EX_SOFTWARE;
    }
    out->path = strdup(path);
    if (out->path == NULL) {
        return fail_tw(TW_ERR_MEMORY, ABOUT_WORK, path);
    }
    interrupts_block(true);
    if (mkdir(path, 0777) == 0) {
        out->directory = true;
        out->committed = true;
        out->doomed = out->path;
    } else {
        errnum = errno;
    }
    interrupts_block(false);
    if (errnum == EEXIST && stat(path, &st) == 0) {
        errnum = S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    }
    return errnum == 0 ? EX_OK : cannot_create(path, errnum);
}

int output_absent(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? exists(path) : EX_OK;
}

/* Where someone else has put something in meanwhile, the folder is theirs as well. */
static int remove_folder(const char *path)
{
    return rmdir(path) == 0 || errno == ENOTEMPTY || errno == EEXIST ? 0 : -1;
}

/* Puts back what was replaced or removes what is doomed; 0, or errno. Where someone else has put a
 * file meanwhile, that one stays, and what it would have replaced, too, goes. */
static int undo(const output *out)
{
    int answer = 0;

    if (appears_another(out->path, &out->placed)) {
        answer = out->aside != NULL ? unlink(out->aside) : 0;
    } else if (out->aside != NULL) {
        answer = rename(out->aside, out->path);
    } else if (out->doomed != NULL) {
        answer = out->directory ? remove_folder(out->doomed) : unlink(out->doomed);
    }
    return answer == 0 ? 0 : errno;
}

static void undo_and_tell(const output *out)
{
    const int errnum = undo(out);

    if (out->aside == NULL) {
        tell_left(out->doomed, errnum);
    } else if (errnum != 0) {
        tell_aside(out->path, out->aside, errnum);
    }
}

void outputs_unlink(void)
{
    for (const output *out = outputs; out != NULL; out = out->next) {
        (void)undo(out);
    }
}

void outputs_finish(bool keep)
{
    interrupts_block(true);
    for (output *out = outputs; out != NULL; out = out->next) {
        if (keep && out->committed) {
            out->doomed = out->aside; /* NULL when nothing was replaced */
            out->aside = NULL;
            out->placed.st_nlink = 0;
        }
    }
    while (outputs != NULL) {
        output *out = outputs;

        undo_and_tell(out);
        outputs = out->next;
        if (out->fd >= 0) {
            (void)close(out->fd);
        }
        free(out->name);
        free(out->path);
        free(out->temporary);
        free(out->spare);
        free(out);
    }
    interrupts_block(false);
}

int text_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        return fail_errno(EX_IOERR, "standard output", "to write all of it", errno,
                          "make room or mend the place, then try again");
    }
    return EX_OK;
}
