/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum {
    FIRST_MS = 1000, /* what takes less shows nothing */
    EVERY_MS = 200,
};

static struct {
    const char *what;
    const input *in;
    int64_t start, last; /* milliseconds */
    bool shown;
} progress;

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_start(const char *what, const input *in)
{
    if (is_quiet() || isatty(STDERR_FILENO) == 0) {
        return;
    }
    progress.what = what;
    progress.in = in;
    progress.start = progress.last = now_ms();
}

static void print_size(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;

    while (bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
        bytes /= 1024;
        unit++;
    }
    fprintf(stderr, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void progress_update(void)
{
    const input *in = progress.in;
    char what[256];
    int64_t now;

    if (in == NULL) {
        return;
    }
    now = now_ms();
    if (now - progress.start < FIRST_MS || now - progress.last < EVERY_MS) {
        return;
    }
    progress.last = now;
    progress.shown = true;
    (void)snprintf(what, sizeof(what), "%s", progress.what);
    name_clean(what);
    fprintf(stderr, "\r%s: ", what);
    print_size((double)in->done);
    if (in->size > 0 && in->done <= in->size) {
        fprintf(stderr, " of ");
        print_size((double)in->size);
        fprintf(stderr, ", %u %%", (unsigned)(100 * (double)in->done / (double)in->size));
    }
    fprintf(stderr, ", ");
    print_size((double)in->done * 1000 / (double)(now - progress.start));
    fprintf(stderr, "/s\033[K");
    (void)fflush(stderr);
}

void progress_clear(void)
{
    waiting_clear();
    if (progress.shown) {
        fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
        progress.shown = false;
    }
}

void progress_end(void)
{
    progress_clear();
    progress.in = NULL;
}
