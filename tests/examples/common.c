/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* accept4 */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST     65536 /* bytes of a whole request, and of its answer */
#define CHILDREN 16    /* at most */

/* What an operator wants to read when a token does not do what it should. */
static void tell(void *arg, const tw_token_event *event)
{
    (void)arg;
    warnx("%s", event->message);
}

static tw_err find_key(gateway *g, const char *uri)
{
    const tw_token_options options = {.size = sizeof(options), .event = tell};
    tw_err err = tw_token_open(uri, &options, &g->token);

    if (err == TW_OK) {
        err = tw_token_find_key(g->token, uri, NULL, 0, &g->key);
        if (err != TW_OK) {
            tw_token_free(g->token);
        }
    }
    return err;
}

static int exit_code_of(tw_err err)
{
    if (err == TW_ERR_TOKEN_PIN || err == TW_ERR_TOKEN_POLICY) {
        return NOT_PERMITTED;
    }
    return err == TW_ERR_INVALID ? WRONG_ARGUMENT : 1;
}

void gateway_open(gateway *g, const char *uri)
{
    tw_err err = find_key(g, uri);

    /* A token may be away for a moment. A PIN that it refused is not sent again. */
    for (int i = 0; i < 20 && (err == TW_ERR_TOKEN_ABSENT || err == TW_ERR_TOKEN_BUSY); i++) {
        (void)usleep(250000);
        err = find_key(g, uri);
    }
    if (err != TW_OK) {
        errx(exit_code_of(err), "%s: %s", uri, tw_strerror(err));
    }
    gateway_serve(g);
}

void gateway_serve(gateway *g)
{
    CHECK(tw_suite_new(g->key->kem->id, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, &g->suite));
    CHECK(tw_receiver_new(g->suite, 1, g->key, NULL, &g->receiver));
}

void gateway_close(gateway *g)
{
    tw_receiver_free(g->receiver);
    tw_suite_free(g->suite);
    tw_key_free(g->key);
    tw_token_free(g->token); /* last: it outlives its keys */
}

/* --- Sockets. ------------------------------------------------------------------------------ */

int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        errx(WRONG_ARGUMENT, "%s: too long a path for a socket", path);
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        err(1, "%s", path);
    }
    return fd;
}

static size_t read_all(int fd, uint8_t *in, size_t cap)
{
    size_t len = 0;
    ssize_t n = 1;

    while (len < cap && n != 0) {
        n = read(fd, in + len, cap - len);
        if (n < 0 && errno != EINTR) {
            break;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    return len;
}

static tw_err write_all(int fd, const uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, out, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            return TW_ERR_IO;
        }
        out += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return TW_OK;
}

/* --- Whole messages. ------------------------------------------------------------------------- */

static tw_err send_answer(int fd, tw_exchange *exchange, const uint8_t *text, size_t text_len)
{
    uint8_t out[TW_MAX_HEAD + MOST];
    size_t head_len = tw_exchange_response_head_len(exchange), body_len = 0;
    tw_sealer *sealer;
    tw_err err = tw_exchange_respond(exchange, NULL, out, sizeof(out), &sealer);

    if (err == TW_OK) {
        err = tw_sealer_final(sealer, text, text_len, out + head_len, sizeof(out) - head_len,
                              &body_len);
    }
    if (err == TW_OK) {
        err = write_all(fd, out, head_len + body_len);
    }
    tw_sealer_free(sealer);
    return err;
}

static tw_err answer(int fd, const char *name, tw_pending *pending, const uint8_t *body,
                     size_t body_len)
{
    uint8_t text[MOST];
    size_t name_len = (size_t)snprintf((char *)text, sizeof(text), "%s: ", name), len = 0;
    tw_opener *opener = NULL;
    tw_exchange *exchange = NULL;
    tw_err err = tw_pending_finish(pending, &opener, &exchange);

    if (err == TW_OK) {
        err =
            tw_opener_final(opener, body, body_len, text + name_len, sizeof(text) - name_len, &len);
    }
    if (err == TW_OK) {
        err = send_answer(fd, exchange, text, name_len + len);
    }
    tw_opener_free(opener);
    tw_exchange_free(exchange);
    tw_wipe(text, sizeof(text));
    return err;
}

static tw_err serve_one(int fd, const tw_receiver *receiver, const char *name, key_step *step,
                        void *arg)
{
    uint8_t in[MOST];
    size_t len = read_all(fd, in, sizeof(in)), head_len = tw_receiver_head_len(receiver);
    tw_pending *pending = NULL;
    tw_err err = len < head_len ? TW_ERR_TRUNCATED : len == sizeof(in) ? TW_ERR_LIMIT : TW_OK;

    if (err == TW_OK) {
        err = tw_receiver_begin(receiver, NULL, in, head_len, &pending);
    }
    if (err == TW_OK) {
        err = step(pending, arg);
    }
    if (err == TW_OK) {
        err = answer(fd, name, pending, in + head_len, len - head_len);
    }
    tw_pending_free(pending);
    return err;
}

void serve_whole(int listener, const tw_receiver *receiver, const char *name, key_step *step,
                 void *arg)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
            tw_err err = serve_one(fd, receiver, name, step, arg);

            if (err != TW_OK) {
                warnx("%s: %s", name, tw_strerror(err)); /* the peer learns that it is over */
            }
            close(fd);
        }
    }
}

/* --- Processes. ------------------------------------------------------------------------------ */

static sigset_t waited_for(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    return set;
}

int stop_signals(void)
{
    sigset_t set = waited_for();
    int fd;

    sigdelset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0) {
        err(1, "signalfd");
    }
    return fd;
}

void say_ready(int ready)
{
    if (write(ready, "", 1) != 1) {
        err(1, "nobody waits");
    }
    close(ready);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Comes back when the child is ready, or with -1 and its exit code when it ended before. */
static pid_t start(child_function *child, int listener, const char *uri, int *ended)
{
    sigset_t set = waited_for();
    int ready[2], status = 0;
    char byte;
    pid_t pid;

    if (pipe(ready) != 0 || (pid = fork()) < 0) {
        err(1, "fork");
    }
    if (pid == 0) {
        close(ready[0]);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        child(listener, uri, ready[1]);
        exit(0);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        waitpid(pid, &status, 0);
        *ended = exit_code(status);
        pid = -1;
    }
    close(ready[0]);
    return pid;
}

/* Replaces those that were killed; how many are left. */
static size_t look_after(pid_t *pids, size_t count, child_function *child, int listener,
                         const char *uri, int *ended)
{
    size_t left = 0;
    int status;

    for (size_t i = 0; i < count; i++) {
        if (pids[i] > 0 && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
            *ended = exit_code(status);
            pids[i] = WIFSIGNALED(status) ? start(child, listener, uri, ended) : -1;
        }
        left += pids[i] > 0;
    }
    return left;
}

int keep_children(size_t count, child_function *child, int listener, const char *uri)
{
    sigset_t set = waited_for();
    pid_t pids[CHILDREN] = {0};
    int signal = 0, ended = 1;

    sigprocmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < count && i < CHILDREN; i++) {
        pids[i] = start(child, listener, uri, &ended);
        if (pids[i] < 0) {
            break; /* the next would fare no better */
        }
    }
    while (signal != SIGTERM && look_after(pids, CHILDREN, child, listener, uri, &ended) > 0) {
        sigwait(&set, &signal);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        if (pids[i] > 0) {
            kill(pids[i], SIGTERM);
            waitpid(pids[i], NULL, 0);
        }
    }
    return signal == SIGTERM ? 0 : ended;
}

int start_beside(void (*child)(int fd, const char *uri), const char *uri)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        err(1, "socketpair");
    }
    if (fork() == 0) {
        close(ends[0]); /* or it would not see the other process end */
        child(ends[1], uri);
        exit(0);
    }
    close(ends[1]);
    return ends[0];
}

bool say(int fd, const void *what, size_t len)
{
    return send(fd, what, len, MSG_NOSIGNAL) == (ssize_t)len;
}

size_t hear(int fd, void *what, size_t cap)
{
    ssize_t n = recv(fd, what, cap, MSG_TRUNC);

    return n > 0 ? (size_t)n : 0;
}

size_t must_hear(int fd, void *what, size_t cap)
{
    size_t len = hear(fd, what, cap);
    int status = 0;

    if (len == 0) {
        errx(wait(&status) > 0 ? exit_code(status) : 1, "the process beside has ended");
    }
    return len;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        errx(WRONG_ARGUMENT, "usage: %s SOCKET KEY-URI", argv[0]);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* as twoway/pkcs11.h says: the module may write to a socket */
    return serve(argv[1], argv[2]);
}
