/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

int input_open(const char *path, input *in)
{
    struct stat st;

    *in = (input){.fd = STDIN_FILENO, .name = path != NULL ? path : "standard input"};
    if (path != NULL) {
        in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (in->fd < 0) {
            return fail_errno(EX_NOINPUT, path, "a file to read", errno, "check the path");
        }
    }
    if (fstat(in->fd, &st) != 0) {
        return fail_errno(EX_NOINPUT, in->name, "a file to read", errno, "check the path");
    }
    if (S_ISDIR(st.st_mode)) {
        return fail(EX_NOINPUT, in->name, "expected a file to read, came a directory; name a file");
    }
    in->regular = S_ISREG(st.st_mode);
    in->size = in->regular ? (uint64_t)st.st_size : 0;
    in->mode = st.st_mode;
    in->device = st.st_dev;
    in->inode = st.st_ino;
    return EX_OK;
}

void input_close(input *in)
{
    if (in->fd > STDERR_FILENO) {
        (void)close(in->fd);
    }
    in->fd = -1;
}

ssize_t input_read(input *in, void *buf, size_t cap)
{
    for (;;) {
        const ssize_t n = read(in->fd, buf, cap);

        if (n >= 0) {
            in->done += (uint64_t)n;
            return n;
        }
        if (errno == EAGAIN) { /* a descriptor that someone else made non-blocking */
            struct pollfd ready = {.fd = in->fd, .events = POLLIN};

            (void)poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
}

bool input_is_ready(const input *in)
{
    struct pollfd ready = {.fd = in->fd, .events = POLLIN};

    return (S_ISFIFO(in->mode) || S_ISSOCK(in->mode)) && poll(&ready, 1, 0) == 1 &&
           (ready.revents & POLLIN) != 0;
}

bool input_would_wait(const input *in)
{
    struct pollfd ready = {.fd = in->fd, .events = POLLIN};

    return !in->regular && poll(&ready, 1, 0) == 0;
}

int input_head(input *in, void *buf, size_t len, size_t *got)
{
    *got = 0;
    while (*got < len) {
        const ssize_t n = input_read(in, (uint8_t *)buf + *got, len - *got);

        if (n < 0) {
            return fail_errno(EX_IOERR, in->name, "to read on", errno, "try again");
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return EX_OK;
}

int blob_read(const char *path, size_t max, blob *out)
{
    input in;
    int status = input_open(path, &in);

    *out = (blob){0};
    if (status == EX_OK) {
        out->mode = in.regular ? in.mode & 0777 : 0;
        out->data = malloc(max + 1);
        status = out->data != NULL ? input_head(&in, out->data, max + 1, &out->len)
                                   : fail_tw(TW_ERR_MEMORY, ABOUT_WORK, in.name);
    }
    if (status == EX_OK && out->len > max) {
        status =
            fail(EX_NOINPUT, in.name, "expected at most %zu bytes, came more; check the path", max);
    }
    input_close(&in);
    if (status != EX_OK) {
        out->len = out->data != NULL ? max : 0; /* wipe all that may have been read */
        blob_free(out);
        return status;
    }
    out->data[out->len] = 0; /* NOLINT(*.NullDereference): no fail_tw() gives EX_OK */
    return EX_OK;
}

void blob_warn(const char *path, const blob *b)
{
    if ((b->mode & (S_IRWXG | S_IRWXO)) != 0) {
        warn(path, "expected a secret that only its owner may read, came mode %03o; chmod 600 it",
             (unsigned)b->mode);
    }
}

void blob_free(blob *b)
{
    if (b->data != NULL) {
        tw_wipe(b->data, b->len);
        free(b->data);
    }
    *b = (blob){0};
}
