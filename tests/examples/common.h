/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

/* What the example servers have in common, so that each can show the one thing it is for:
 * sockets, processes, and whole requests answered by whole answers. */

#include <err.h>
#include <stdbool.h>
#include <sys/types.h>

#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

/* For what must not fail at the start. */
#define CHECK(call) ((call) == TW_OK ? (void)0 : errx(1, "failed: %s", #call))

/* Each server is this: it gives the program's exit code. */
int serve(const char *path, const char *uri);

/* A receiver under key id 1, and what it stands on. */
typedef struct gateway {
    tw_token *token;
    tw_key *key;
    tw_suite *suite;
    tw_receiver *receiver;
} gateway;

/* gateway_open opens the token and finds the key; gateway_serve makes the rest for a key that
 * is there already. Or they end the process; with one of these where only a person can help, and
 * who starts the server must not start it again and again (RestartPreventExitStatus= of systemd):
 * every try may cost one of the PIN's. */
#define NOT_PERMITTED  77 /* EX_NOPERM */
#define WRONG_ARGUMENT 64 /* EX_USAGE: a URI that is none, or that several keys match */
void gateway_open(gateway *g, const char *uri);
void gateway_serve(gateway *g);
void gateway_close(gateway *g);

/* listen_at makes a Unix socket. */
int listen_at(const char *path);

/* serve_whole takes one peer after the other, for ever: a request to the end of its side, and
 * an answer, NAME and what it said. `key_step` does what tw_pending_perform does. */
typedef tw_err key_step(tw_pending *pending, void *arg);
_Noreturn void serve_whole(int listener, const tw_receiver *receiver, const char *name,
                           key_step *step, void *arg);

/* stop_signals gives a descriptor that becomes readable on SIGTERM, which from then on does
 * not end the process. */
int stop_signals(void);

/* keep_children runs `child` in up to 16 processes until SIGTERM or until none is left. Each
 * has its turn to get ready, which it ends with say_ready. One that is killed is replaced, one
 * that ends by itself is not: how the last such ended is what keep_children answers then. */
typedef void child_function(int listener, const char *uri, int ready);
int keep_children(size_t count, child_function *child, int listener, const char *uri);
void say_ready(int ready);

/* start_beside runs `child` in a process of its own and gives the socket to speak with it.
 * What one says the other hears whole, by its length: 0 when the other has ended, more than
 * `cap` for what is too long. */
int start_beside(void (*child)(int fd, const char *uri), const char *uri);
bool say(int fd, const void *what, size_t len);
size_t hear(int fd, void *what, size_t cap);

/* must_hear is hear where there is nothing without an answer: it ends as the other ended. */
size_t must_hear(int fd, void *what, size_t cap);

#endif
