/* SPDX-License-Identifier: Apache-2.0 */

/* The descriptors 0, 1 and 2, and the names of those that are open already. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* A file opened while one of 0, 1, 2 is closed would take its number, and a message
 * meant for standard error would land in it. The stand-ins fail as a closed
 * descriptor does: nothing can be read from 0 or written to 1. */
void standard_fill(void)
{
    static const int stand_in[] = {O_WRONLY, O_RDONLY, O_WRONLY};

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", stand_in[fd]) != fd) {
            _Exit(fail_errno(EX_SOFTWARE, "/dev/null", "to open it where a descriptor is closed",
                             errno, "open 0, 1 and 2, or make it"));
        }
    }
}

/* The descriptor that names such as /dev/stdout stand for, else -1. They are kept as
 * they are: renaming over the file behind them would cut it off from its owner. */
int standard_descriptor(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

    if (strcmp(path, "/dev/stdin") == 0) {
        return STDIN_FILENO;
    }
    if (strcmp(path, "/dev/stdout") == 0) {
        return STDOUT_FILENO;
    }
    if (strcmp(path, "/dev/stderr") == 0) {
        return STDERR_FILENO;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        const size_t len = strlen(folders[i]);
        char *end = NULL;

        if (strncmp(path, folders[i], len) == 0 && path[len] >= '0' && path[len] <= '9') {
            const long fd = strtol(path + len, &end, 10);

            return *end == '\0' && fd <= INT_MAX ? (int)fd : -1;
        }
    }
    return -1;
}
