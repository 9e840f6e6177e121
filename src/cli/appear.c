/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How a file that is finished takes its name, and how what had that name is kept until
 * the verb ends, which may yet fail. Wherever the process is killed, the old file or the
 * new one stands under the name; only where files can neither trade names nor have two
 * (exFAT, some of FUSE) is there a moment with nothing under it: the old file is then in
 * `spare`, the new one in `temporary`, and nobody is left to put either back.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

void tell_left(const char *path, int errnum)
{
    if (errnum != 0 && errnum != ENOENT) {
        (void)fail_errno(EX_OK, path, "to remove this", errnum, "remove it yourself");
    }
}

void tell_aside(const char *path, const char *aside, int errnum)
{
    (void)fail(EX_OK, path, "expected to put back what was here, came '%s'; it is in '%s'",
               strerror(errnum), aside);
}

/* Some filesystems know no rename that spares what is there; a link then serves. */
int appear_new(const char *temporary, const char *path)
{
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
    if (link(temporary, path) != 0) {
        return errno;
    }
    tell_left(temporary, unlink(temporary) == 0 ? 0 : errno);
    return 0;
}

/* The old file is in `spare`, and with `linked` under its name too. */
static int take_name(const char *temporary, const char *path, const char *spare, bool linked)
{
    int errnum;

    if (rename(temporary, path) == 0) {
        return 0;
    }
    errnum = errno;
    if (linked) {
        tell_left(spare, unlink(spare) == 0 ? 0 : errno);
    } else if (rename(spare, path) != 0) {
        tell_aside(path, spare, errno);
    }
    return errnum;
}

/* A folder that is there by now is nobody's to replace, though two names can be traded for it. */
int appear_over(const char *temporary, const char *path, const char *spare,
                const char *volatile *aside)
{
    struct stat st;
    bool linked;
    int errnum;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return EISDIR;
    }
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        *aside = temporary;
        return 0;
    }
    linked = link(path, spare) == 0;
    if (linked || (errno != ENOENT && rename(path, spare) == 0)) {
        errnum = take_name(temporary, path, spare, linked);
        *aside = errnum == 0 ? spare : NULL;
        return errnum;
    }
    return errno == ENOENT && rename(temporary, path) == 0 ? 0 : errno;
}

/* By its time too, as some filesystems number a file anew whenever they are asked for it. */
bool appears_another(const char *path, const struct stat *placed)
{
    struct stat st;

    return placed->st_nlink != 0 && lstat(path, &st) == 0 &&
           (st.st_dev != placed->st_dev || st.st_ino != placed->st_ino) &&
           (st.st_mtim.tv_sec != placed->st_mtim.tv_sec ||
            st.st_mtim.tv_nsec != placed->st_mtim.tv_nsec);
}
