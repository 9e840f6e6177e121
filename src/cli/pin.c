/* SPDX-License-Identifier: Apache-2.0 */

/* Where a PIN comes from when the URI does not say, or --pin-source says first. No
 * message here repeats what --pin-source was given, unless that is a file: someone may
 * have typed the PIN. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

static struct termios terminal_before, terminal_silent;
static volatile sig_atomic_t terminal = -1; /* its descriptor while it does not echo */
static volatile sig_atomic_t resumed;       /* after a stop, and nothing was asked for since */

/* In the background the terminal is as the shell wants it, and setting it would stop the process,
 * which may be about to end. */
static void set_terminal(int fd, const struct termios *mode)
{
    if (tcgetpgrp(fd) == getpgrp()) {
        (void)tcsetattr(fd, TCSAFLUSH, mode);
    }
}

void terminal_restore(void)
{
    const int fd = (int)terminal;

    terminal = -1;
    if (fd >= 0) {
        set_terminal(fd, &terminal_before);
    }
}

/* Who continues what was stopped, mostly a shell, lets the terminal echo. */
static void on_continue(int number)
{
    const int saved = errno;

    (void)number;
    resumed = 1;
    if (terminal >= 0) {
        set_terminal((int)terminal, &terminal_silent);
    }
    errno = saved;
}

static tw_err no_pin(const char *sentence)
{
    (void)fail(EX_NOPERM, "PIN", "%s", sentence);
    return TW_ERR_TOKEN_PIN;
}

/* Flushing waits in the background for the foreground: before that the terminal's settings are those
 * of the shell's own line editor, by which no line ends. */
static void wait_for_foreground(int fd)
{
    while (tcflush(fd, TCIFLUSH) != 0 && errno == EINTR) {
    }
}

/* No echo but of the newline, and no Ctrl-Z, which would leave the shell without echo. */
static bool echo_off(int fd)
{
    if (tcgetattr(fd, &terminal_before) != 0) {
        return false;
    }
    terminal_silent = terminal_before;
    terminal_silent.c_lflag &= ~(tcflag_t)ECHO;
    terminal_silent.c_lflag |= ICANON | ISIG | ECHONL;
    terminal_silent.c_cc[VSUSP] = _POSIX_VDISABLE;
    terminal = fd;
    return tcsetattr(fd, TCSAFLUSH, &terminal_silent) == 0;
}

static void prompt(int fd, const char *label)
{
    bool shown;

    dprintf(fd, "PIN for token '");
    for (size_t step; label != NULL && *label != '\0'; label += step) {
        step = name_step(label, &shown);
        dprintf(fd, "%.*s", shown ? (int)step : 1, shown ? label : "?");
    }
    dprintf(fd, "': ");
}

/* Waits for a line. A stop that has ended by then is told, wherever in the command it fell. */
static bool was_stopped(int fd, const sigset_t *unblocked)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    bool was;

    (void)ppoll(&ready, 1, NULL, unblocked);
    was = resumed != 0;
    resumed = 0;
    return was;
}

static tw_err read_line(int fd, const char *label, const sigset_t *unblocked, char *buf, size_t cap,
                        size_t *len)
{
    char c;
    ssize_t n;

    prompt(fd, label);
    for (*len = 0;;) {
        if (was_stopped(fd, unblocked)) { /* what was typed until then is no PIN */
            *len = 0;
            (void)tcflush(fd, TCIFLUSH);
            prompt(fd, label);
            continue;
        }
        n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            *len = 0;
            return no_pin("expected a PIN, came none that can be read; try again");
        }
        if (n == 0) {
            dprintf(fd, "\n"); /* Ctrl-D shows none */
            break;
        }
        if (c == '\n') {
            break;
        }
        if (*len == cap) {
            *len = 0;
            return no_pin("expected a shorter PIN, came one that no token takes; try again");
        }
        buf[(*len)++] = c;
    }
    tw_wipe(&c, sizeof(c));
    return *len > 0 ? TW_OK : no_pin("expected a PIN, came none; try again");
}

/* SIGCONT comes only where a line is waited for, so that none is missed. */
static tw_err ask_on(int fd, const char *label, char *buf, size_t cap, size_t *len)
{
    const struct sigaction action = {.sa_handler = on_continue};
    struct sigaction action_before;
    sigset_t resuming, before, unblocked;
    tw_err err;

    (void)sigemptyset(&resuming);
    (void)sigaddset(&resuming, SIGCONT);
    (void)sigprocmask(SIG_BLOCK, &resuming, &before);
    (void)sigaction(SIGCONT, &action, &action_before);
    unblocked = before;
    (void)sigdelset(&unblocked, SIGCONT);
    if (echo_off(fd)) {
        err = read_line(fd, label, &unblocked, buf, cap, len);
    } else {
        err = no_pin("expected a terminal that can hide what is typed, came another; give "
                     "--pin-source");
    }
    terminal_restore();
    (void)sigaction(SIGCONT, &action_before, NULL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return err;
}

static tw_err ask(const char *label, char *buf, size_t cap, size_t *len)
{
    const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    tw_err err;

    if (fd < 0) {
        return no_pin("expected a terminal to ask on, came none; give --pin-source");
    }
    progress_clear();
    wait_for_foreground(fd);
    err = ask_on(fd, label, buf, cap, len);
    (void)close(fd);
    return err;
}

/* A key may want a login before each use, and has at least two in one command. Its owner, who
 * started that, types the PIN once. */
static struct {
    char label[64];
    char pin[TW_TOKEN_MAX_PIN];
    size_t len;
} typed;

void pin_forget(void)
{
    tw_wipe(&typed, sizeof(typed));
}

static tw_err from_terminal(const char *label, char *buf, size_t cap, size_t *len)
{
    const bool known = typed.len > 0 && typed.len <= cap && strcmp(label, typed.label) == 0;
    bool waiting;
    tw_err err;

    if (known) {
        memcpy(buf, typed.pin, typed.len);
        *len = typed.len;
        return TW_OK;
    }
    waiting = waiting_end(); /* it is the token that waits now */
    err = ask(label, buf, cap, len);
    if (err == TW_OK && *len <= sizeof(typed.pin) && strlen(label) < sizeof(typed.label)) {
        strcpy(typed.label, label); /* NOLINT(*.strcpy): it fits */
        memcpy(typed.pin, buf, *len);
        typed.len = *len;
    }
    if (waiting) {
        waiting_begin();
    }
    return err;
}

static tw_err from_environment(const char *name, char *buf, size_t cap, size_t *len)
{
    const char *value = getenv(name);

    if (value == NULL || *value == '\0') {
        return no_pin("expected it in the variable that --pin-source names, came none; set it");
    }
    if (strlen(value) > cap) {
        return no_pin("expected a shorter PIN, came one that no token takes; set another");
    }
    *len = strlen(value);
    memcpy(buf, value, *len);
    return TW_OK;
}

/* One line ending after the PIN is not part of it. */
static size_t without_newline(const char *buf, size_t len)
{
    if (len > 0 && buf[len - 1] == '\n') {
        len--;
    }
    if (len > 0 && buf[len - 1] == '\r') {
        len--;
    }
    return len;
}

/* What is more than a line is another file, and would cost one of the PIN's tries. */
static bool is_line(const char *text, size_t len)
{
    return memchr(text, '\n', len) == NULL && memchr(text, '\r', len) == NULL &&
           memchr(text, '\0', len) == NULL;
}

static tw_err from_file(const char *path, char *buf, size_t cap, size_t *len)
{
    input in = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), .name = "PIN"};
    char text[TW_TOKEN_MAX_PIN + 3]; /* a line ending, and one more to see that it is too long */
    struct stat st;
    size_t got = 0;
    tw_err err = TW_OK;

    if (in.fd < 0) {
        return no_pin("expected the file that --pin-source names, came none that can be read; "
                      "check its path");
    }
    /* The group may be the one that a service runs in, or stand for an access list. */
    if (fstat(in.fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0) {
        warn(path, "expected a file that not everybody may read, came mode %03o; chmod o= it",
             (unsigned)st.st_mode & 0777U);
    }
    if (input_head(&in, text, sizeof(text), &got) != EX_OK) {
        err = TW_ERR_TOKEN_PIN;
    }
    input_close(&in);
    *len = without_newline(text, got);
    if (err == TW_OK && (*len == 0 || *len > cap || !is_line(text, *len))) {
        err = no_pin("expected a PIN, one line, in the file that --pin-source names, came none or "
                     "one that no token takes; check the file");
    }
    if (err == TW_OK) {
        memcpy(buf, text, *len);
    } else {
        *len = 0;
    }
    tw_wipe(text, sizeof(text));
    return err;
}

tw_err pin_supply(void *arg, const char *token_label, char *buf, size_t cap, size_t *len)
{
    const char *source = ((const options *)arg)->pin_source;

    *len = 0;
    if (source == NULL || strcmp(source, "ask") == 0) {
        return from_terminal(token_label, buf, cap, len);
    }
    if (strncmp(source, "env:", 4) == 0) {
        return from_environment(source + 4, buf, cap, len);
    }
    return from_file(source, buf, cap, len);
}
