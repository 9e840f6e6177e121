/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS 32

/* WORKING: with the other thread, neither read nor written meanwhile. */
typedef enum stage { HEAD, WORKING, BODY, PARTING } stage;

typedef struct peer {
    int fd; /* -1: nobody */
    stage stage;
    tw_err worked;    /* what the other thread's work came to */
    size_t got;       /* of head */
    size_t sent, len; /* of out */
    uint8_t head[LOOP_HEAD], out[LOOP_GIVE];
    talk talk;
} peer;

typedef struct loop {
    const server *server;
    size_t head_len;
    peer peers[PEERS];
    int to_worker[2], to_loop[2]; /* pipes that carry peer * */
    pthread_t worker;
} loop;

static void *work(void *arg)
{
    const loop *l = arg;
    peer *p;

    while (read(l->to_worker[0], &p, sizeof(p)) == sizeof(p)) {
        p->worked = l->server->work(p->talk.pending);
        if (write(l->to_loop[1], &p, sizeof(p)) != sizeof(p)) {
            break;
        }
    }
    return NULL;
}

static void hang_up(peer *p)
{
    close(p->fd);
    p->fd = -1;
    tw_sealer_free(p->talk.answer);
    tw_opener_free(p->talk.request);
    tw_exchange_free(p->talk.exchange);
    tw_pending_free(p->talk.pending);
}

static void settle(peer *p, bool going_on)
{
    if (!going_on || (p->stage == PARTING && p->len == 0)) {
        hang_up(p);
    }
}

static bool give(peer *p)
{
    ssize_t n = send(p->fd, p->out + p->sent, p->len - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

    p->sent += n > 0 ? (size_t)n : 0;
    if (p->sent == p->len) {
        p->sent = p->len = 0;
    }
    return n > 0;
}

/* Not a byte more than the head is read until the work for it is done. */
static bool take_head(const loop *l, peer *p)
{
    size_t all = l->head_len;
    ssize_t n = recv(p->fd, p->head + p->got, all - p->got, MSG_DONTWAIT);

    p->got += n > 0 ? (size_t)n : 0;
    if (n <= 0 || p->got < all) {
        return n > 0;
    }
    p->stage = WORKING;
    return l->server->meet(&p->talk, p->head, all) == TW_OK &&
           write(l->to_worker[1], &p, sizeof(p)) == sizeof(p);
}

static bool take(const loop *l, peer *p)
{
    uint8_t in[LOOP_TAKE];
    ssize_t n;

    if (p->stage == HEAD) {
        return take_head(l, p);
    }
    n = recv(p->fd, in, sizeof(in), MSG_DONTWAIT);
    p->stage = n == 0 ? PARTING : BODY;
    return n >= 0 && l->server->take(&p->talk, in, (size_t)n, n == 0, p->out, &p->len) == TW_OK;
}

static bool greet(const loop *l, peer *p)
{
    p->stage = BODY;
    return p->worked == TW_OK && l->server->greet(&p->talk, p->out, &p->len) == TW_OK;
}

/* Fills in what to wait for; the place for one more peer, NULL when there is none. */
static peer *look(loop *l, struct pollfd *fds)
{
    peer *vacant = NULL;

    for (size_t i = 0; i < PEERS; i++) {
        peer *p = &l->peers[i];

        vacant = p->fd < 0 ? p : vacant;
        fds[i].fd = p->stage == WORKING ? -1 : p->fd;
        fds[i].events = p->len > 0 ? POLLOUT : POLLIN; /* what waits is sent before more is read */
    }
    return vacant;
}

static void serve(loop *l, int listener, int stop)
{
    struct pollfd fds[PEERS + 3];
    peer *p;

    for (;;) {
        peer *vacant = look(l, fds);

        fds[PEERS] = (struct pollfd){.fd = stop, .events = POLLIN};
        fds[PEERS + 1] = (struct pollfd){.fd = l->to_loop[0], .events = POLLIN};
        fds[PEERS + 2] = (struct pollfd){.fd = vacant == NULL ? -1 : listener, .events = POLLIN};
        if (poll(fds, PEERS + 3, -1) < 0) {
            continue;
        }
        if (fds[PEERS].revents != 0) {
            return;
        }
        for (size_t i = 0; i < PEERS; i++) {
            p = &l->peers[i];
            if (fds[i].fd >= 0 && fds[i].revents != 0) {
                settle(p, p->len > 0 ? give(p) : take(l, p));
            }
        }
        if (fds[PEERS + 1].revents != 0 && read(l->to_loop[0], &p, sizeof(p)) == sizeof(p)) {
            settle(p, greet(l, p));
        }
        if (fds[PEERS + 2].revents != 0) {
            *vacant = (peer){.fd = accept(listener, NULL, NULL)};
        }
    }
}

void loop_run(int listener, int stop, size_t head_len, const server *s)
{
    static loop l;

    if (head_len > LOOP_HEAD) {
        errx(1, "a head of %zu bytes is too long", head_len);
    }
    l.server = s;
    l.head_len = head_len;
    for (size_t i = 0; i < PEERS; i++) {
        l.peers[i].fd = -1;
    }
    if (pipe(l.to_worker) != 0 || pipe(l.to_loop) != 0 ||
        pthread_create(&l.worker, NULL, work, &l) != 0) {
        errx(1, "no worker");
    }
    serve(&l, listener, stop);
    close(l.to_worker[1]);
    pthread_join(l.worker, NULL); /* it ends what it has begun */
    for (size_t i = 0; i < PEERS; i++) {
        if (l.peers[i].fd >= 0) {
            hang_up(&l.peers[i]);
        }
    }
}
