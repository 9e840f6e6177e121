/* SPDX-License-Identifier: Apache-2.0 */

/* An interrupt acts at once, wherever the command is, a token's call included:
 * outputs that are not finished go, the terminal echoes again, and the process dies
 * of the signal, so that a shell sees what happened. */

#include <signal.h>
#include <unistd.h>

#include "cli.h"

/* All that end a process, but for those that say that it is broken, and SIGPIPE, which main
 * ignores. */
static const int signals[] = {SIGHUP,  SIGINT,  SIGTERM,   SIGQUIT, SIGXCPU, SIGALRM,
                              SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGPOLL};
enum { SIGNAL_COUNT = sizeof(signals) / sizeof(*signals) };

static volatile sig_atomic_t deferred, noted;

static void act(int number)
{
    terminal_restore();
    outputs_unlink();
    (void)signal(number, SIG_DFL);
    (void)raise(number); /* in the handler, it is blocked until that returns */
}

static void interrupted(int number)
{
    static const char text[] = "twoway: tokens: interrupted; the key pair that was made is removed "
                               "first, unless you interrupt again\n";

    if (!deferred || noted != 0) {
        act(number);
        return;
    }
    noted = number;
    if (!is_quiet()) {
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    }
}

void interrupts_defer(bool defer)
{
    deferred = defer;
    if (!defer && noted != 0) {
        act((int)noted);
    }
}

bool interrupts_noted(void)
{
    return noted != 0;
}

static void all_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        (void)sigaddset(set, signals[i]);
    }
}

void interrupts_install(void)
{
    struct sigaction action = {.sa_handler = interrupted};
    struct sigaction old;

    all_signals(&action.sa_mask);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            (void)sigaction(signals[i], &action, NULL); /* nohup's choice stands */
        }
    }
}

void interrupts_block(bool block)
{
    sigset_t set;

    all_signals(&set);
    (void)sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}
