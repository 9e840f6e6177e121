/* SPDX-License-Identifier: Apache-2.0 */

/* An interrupt acts at once, wherever the command is, a token's call included:
 * outputs that are not finished go, the terminal echoes again, and the process dies
 * of the signal, so that a shell sees what happened. */

#include <signal.h>
#include <unistd.h>

#include "cli.h"

/* All that end a process, and those of real time beside, but for those that say that it is broken,
 * and SIGPIPE and SIGXFSZ, which main ignores. */
static const int signals[] = {SIGHUP,  SIGINT,    SIGTERM, SIGQUIT, SIGXCPU, SIGALRM,  SIGUSR1,
                              SIGUSR2, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR,  SIGSTKFLT};
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
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++) {
        (void)sigaddset(set, number);
    }
}

void interrupts_install(void)
{
    struct sigaction action = {.sa_handler = interrupted};
    struct sigaction old;

    all_signals(&action.sa_mask);
    for (int number = 1; number <= SIGRTMAX; number++) {
        if (sigismember(&action.sa_mask, number) == 1 && sigaction(number, NULL, &old) == 0 &&
            old.sa_handler != SIG_IGN) {
            (void)sigaction(number, &action, NULL); /* nohup's choice stands */
        }
    }
}

/* What was blocked before the command began stays so. */
void interrupts_block(bool block)
{
    static sigset_t before;
    sigset_t set;

    if (block) {
        all_signals(&set);
        (void)sigprocmask(SIG_BLOCK, &set, &before);
    } else {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    }
}
