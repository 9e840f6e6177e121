/* SPDX-License-Identifier: Apache-2.0 */

/* A token that does not answer may wait for a person, who has to be told: the call that
 * waits cannot do that, so a thread does. */

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static const char hint[] =
    "\rtwoway: waiting for the token; it may want a touch, or a PIN on its pad"
    "\033[K";
static const char erase[] = "\r\033[K";

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct timespec due;
    bool running, over, shown;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void show(const char *text, size_t len)
{
    const ssize_t written = write(STDERR_FILENO, text, len);

    (void)written; /* nothing to do about it */
}

static void in_a_second(void)
{
    (void)clock_gettime(CLOCK_MONOTONIC, &waiting.due);
    waiting.due.tv_sec++;
}

static bool is_due(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > waiting.due.tv_sec ||
           (now.tv_sec == waiting.due.tv_sec && now.tv_nsec >= waiting.due.tv_nsec);
}

static void *watch(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.over) {
        if (waiting.shown) {
            pthread_cond_wait(&waiting.changed, &waiting.lock);
        } else if (is_due()) {
            show(hint, sizeof(hint) - 1);
            waiting.shown = true;
        } else {
            pthread_cond_timedwait(&waiting.changed, &waiting.lock, &waiting.due);
        }
    }
    pthread_mutex_unlock(&waiting.lock);
    return NULL;
}

/* Signals are for the first thread, which a token's call is in. */
static bool start_thread(void)
{
    sigset_t all, before;
    bool started;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&waiting.thread, NULL, watch, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void waiting_begin(void)
{
    pthread_condattr_t monotonic;

    if (is_quiet() || isatty(STDERR_FILENO) == 0) {
        return;
    }
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&waiting.changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    in_a_second();
    waiting.over = false;
    waiting.running = start_thread();
}

static void take_back(bool over)
{
    pthread_mutex_lock(&waiting.lock);
    if (waiting.shown) {
        show(erase, sizeof(erase) - 1);
    }
    waiting.shown = false;
    waiting.over = over;
    in_a_second();
    pthread_cond_signal(&waiting.changed);
    pthread_mutex_unlock(&waiting.lock);
}

void waiting_clear(void)
{
    if (waiting.running) {
        take_back(false);
    }
}

bool waiting_end(void)
{
    const bool was = waiting.running;

    if (was) {
        take_back(true);
        (void)pthread_join(waiting.thread, NULL);
        (void)pthread_cond_destroy(&waiting.changed);
        waiting.running = false;
    }
    return was;
}
