/* SPDX-License-Identifier: Apache-2.0 */
#include "plumbing.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* The thread sanitizer has one of its own. */
#if defined(__SANITIZE_THREAD__)
#define PLUMBING_ANY_THREADS true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLUMBING_ANY_THREADS true
#endif
#endif
#ifndef PLUMBING_ANY_THREADS
#define PLUMBING_ANY_THREADS false
#endif

/* --- The other threads. ---------------------------------------------------------------- */

/* Whether the thread lets a signal through that ends or stops a program. */
static bool heeds_signals(const char *thread)
{
    char path[NAME_MAX + 32], line[128];
    unsigned long long blocked = ~0ull;
    FILE *status;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
    status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        (void)sscanf(line, "SigBlk: %llx", &blocked);
    }
    if (status != NULL) {
        (void)fclose(status);
    }
    return (blocked & 1ull << (SIGINT - 1)) == 0 || (blocked & 1ull << (SIGTERM - 1)) == 0;
}

static size_t others(void)
{
    DIR *tasks = opendir("/proc/self/task");
    long caller = syscall(SYS_gettid);
    size_t count = 0;
    struct dirent *task;

    must(tasks != NULL);
    while ((task = readdir(tasks)) != NULL) {
        if (task->d_name[0] != '.' && strtol(task->d_name, NULL, 10) != caller) {
            must(PLUMBING_ANY_THREADS || !heeds_signals(task->d_name));
            count++;
        }
    }
    (void)closedir(tasks);
    return count;
}

/* --- The callbacks. ------------------------------------------------------------------------ */

static tw_err read_some(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    plumbing *p = arg;
    size_t take = p->in.len < cap ? p->in.len : cap;

    must(pthread_equal(p->caller, pthread_self()) && !p->ended);
    if ((p->was_short || p->waits) && p->chunk_in > 0) {
        must(p->out_len >= p->taken / p->chunk_in * p->chunk_out);
    }
    if (p->reads_left-- == 0) {
        return TW_ERR_TOKEN_FAILED; /* any code is an I/O error to the caller */
    }
    take = p->most != 0 && take > p->most ? p->most : take;
    memcpy(buf, p->in.data, take);
    p->in = bytes_from(p->in, take);
    p->taken += take;
    p->since++;
    p->was_short = take < cap;
    p->ended = take == 0;
    *len = take;
    return TW_OK;
}

static bool would_wait(void *arg)
{
    const plumbing *p = arg;

    must(pthread_equal(p->caller, pthread_self()));
    return p->waits;
}

static tw_err write_all(void *arg, const uint8_t *buf, size_t len)
{
    plumbing *p = arg;
    size_t threads = others();

    threads -= PLUMBING_ANY_THREADS && threads > 0 ? 1 : 0;
    must(pthread_equal(p->caller, pthread_self()) && len > 0);
    p->threads = p->threads < threads ? threads : p->threads;
    if (p->writes == p->writes_left) {
        return TW_ERR_AUTH;
    }
    p->writes++;
    p->ahead = p->ahead < p->since ? p->since : p->ahead;
    p->since = 0;
    must(len <= p->out_cap - p->out_len);
    memcpy(p->out + p->out_len, buf, len);
    p->out_len += len;
    return TW_OK;
}

plumbing *plumbing_new(bytes in, size_t out_cap)
{
    plumbing *p = calloc(1, sizeof(*p));

    must(p != NULL);
    p->in = in;
    p->reads_left = p->writes_left = SIZE_MAX;
    p->caller = pthread_self();
    p->out_cap = out_cap;
    p->out = malloc(out_cap + 1);
    must(p->out != NULL);
    return p;
}

tw_pipe plumbing_pipe(plumbing *p, size_t jobs)
{
    return (tw_pipe){.size = sizeof(tw_pipe),
                     .read = read_some,
                     .write = write_all,
                     .arg = p,
                     .jobs = jobs,
                     .would_wait = would_wait};
}

bytes plumbing_out(const plumbing *p)
{
    return bytes_of(p->out, p->out_len);
}

/* A thread that was joined may be seen a little longer. */
void plumbing_free(plumbing *p)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    for (size_t i = 0; i < 10000 && !PLUMBING_ANY_THREADS && others() > 0; i++) {
        (void)nanosleep(&moment, NULL);
    }
    must(PLUMBING_ANY_THREADS || others() == 0);
    free(p->out);
    free(p);
}
