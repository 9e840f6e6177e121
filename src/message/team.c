/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <pthread.h>
#include <signal.h>

#include <openssl/crypto.h>

/*
 * Threads at one body. Its chunks come in lots, in a ring: the calling thread fills one,
 * hands it over, and takes it back when it is the oldest, so that lots leave in the order in
 * which they came. While it waits for one it works on another itself. All that two threads
 * share is the ring's states, under one lock; a lot belongs to who took it.
 */

typedef struct worker {
    tw_team *team;
    tw_hand hand;
    pthread_t thread;
} worker;

struct tw_team {
    const tw_hand *body; /* whose numbers and key all have */
    tw_hand hand;        /* the calling thread's */
    pthread_mutex_t lock;
    pthread_cond_t ready, done;
    tw_lot *lots;
    size_t lot_count;
    size_t oldest, taken, newest; /* lots ever taken back, taken up, handed over */
    worker *workers;
    size_t worker_count, worker_most;
    size_t idle; /* workers that wait */
    bool stop;
};

static tw_lot *lot_at(const tw_team *team, size_t number)
{
    return &team->lots[number % team->lot_count];
}

void tw_lot_clear(tw_lot *lot)
{
    OPENSSL_clear_free(lot->in, lot->in_cap);
    OPENSSL_clear_free(lot->out, lot->out_cap);
}

/* --- Working. -------------------------------------------------------------------------- */

/* The first lot that nobody has taken up, or NULL. Under the lock. */
static tw_lot *take_up(tw_team *team)
{
    return team->taken == team->newest || team->stop ? NULL : lot_at(team, team->taken++);
}

static void work_on(tw_team *team, tw_hand *hand, tw_lot *lot)
{
    tw_err err;

    pthread_mutex_unlock(&team->lock);
    err = tw_hand_update(hand, lot);
    pthread_mutex_lock(&team->lock);
    lot->err = err;
    lot->done = true;
}

static void *work(void *arg)
{
    worker *self = arg;
    tw_team *team = self->team;

    pthread_mutex_lock(&team->lock);
    while (!team->stop) {
        tw_lot *lot = take_up(team);

        if (lot != NULL) {
            work_on(team, &self->hand, lot);
            pthread_cond_signal(&team->done);
        } else {
            team->idle++;
            pthread_cond_wait(&team->ready, &team->lock);
            team->idle--;
        }
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

/* One more, if there is none that waits. Without it the others have more to do. A signal is
 * for the program's own threads. */
static void hire(tw_team *team)
{
    worker *w = &team->workers[team->worker_count];
    sigset_t all, before;
    int failed;

    w->team = team;
    if (tw_hand_lend(team->body, &w->hand) != TW_OK) {
        team->worker_most = team->worker_count;
        return;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&w->thread, NULL, work, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        tw_hand_free(&w->hand);
        team->worker_most = team->worker_count;
        return;
    }
    team->worker_count++;
}

/* --- The calling thread. ---------------------------------------------------------------- */

static tw_err make(tw_team *team, size_t jobs)
{
    if (pthread_mutex_init(&team->lock, NULL) != 0) {
        return TW_ERR_MEMORY;
    }
    if (pthread_cond_init(&team->ready, NULL) != 0) {
        (void)pthread_mutex_destroy(&team->lock);
        return TW_ERR_MEMORY;
    }
    if (pthread_cond_init(&team->done, NULL) != 0) {
        (void)pthread_cond_destroy(&team->ready);
        (void)pthread_mutex_destroy(&team->lock);
        return TW_ERR_MEMORY;
    }
    team->lot_count = 2 * jobs;
    team->worker_most = jobs - 1;
    return TW_OK;
}

tw_err tw_team_new(const tw_hand *body, size_t jobs, tw_team **out)
{
    tw_team *team = OPENSSL_zalloc(sizeof(*team));
    tw_err err;

    *out = NULL;
    if (team == NULL || make(team, jobs) != TW_OK) {
        OPENSSL_free(team);
        return TW_ERR_MEMORY;
    }
    team->body = body;
    team->lots = OPENSSL_zalloc(team->lot_count * sizeof(*team->lots));
    team->workers = OPENSSL_zalloc(jobs * sizeof(*team->workers));
    err = team->lots == NULL || team->workers == NULL ? TW_ERR_MEMORY
                                                      : tw_hand_lend(body, &team->hand);
    if (err != TW_OK) {
        tw_team_free(team);
        return err;
    }
    *out = team;
    return TW_OK;
}

tw_lot *tw_team_spare(const tw_team *team)
{
    return team->newest - team->oldest == team->lot_count ? NULL : lot_at(team, team->newest);
}

void tw_team_hand_over(tw_team *team)
{
    bool all_busy;

    lot_at(team, team->newest)->done = false;
    pthread_mutex_lock(&team->lock);
    team->newest++;
    all_busy = team->idle == 0;
    pthread_cond_signal(&team->ready);
    pthread_mutex_unlock(&team->lock);
    if (all_busy && team->worker_count < team->worker_most) {
        hire(team);
    }
}

bool tw_team_rests(const tw_team *team)
{
    return team->oldest == team->newest;
}

tw_lot *tw_team_take_back(tw_team *team)
{
    tw_lot *lot;

    if (tw_team_rests(team)) {
        return NULL;
    }
    lot = lot_at(team, team->oldest++);
    pthread_mutex_lock(&team->lock);
    while (!lot->done) {
        tw_lot *other = take_up(team);

        if (other != NULL) {
            work_on(team, &team->hand, other);
        } else {
            pthread_cond_wait(&team->done, &team->lock);
        }
    }
    pthread_mutex_unlock(&team->lock);
    return lot;
}

void tw_team_free(tw_team *team)
{
    if (team == NULL) {
        return;
    }
    pthread_mutex_lock(&team->lock);
    team->stop = true;
    pthread_cond_broadcast(&team->ready);
    pthread_mutex_unlock(&team->lock);
    for (size_t i = 0; i < team->worker_count; i++) {
        (void)pthread_join(team->workers[i].thread, NULL);
        tw_hand_free(&team->workers[i].hand);
    }
    for (size_t i = 0; team->lots != NULL && i < team->lot_count; i++) {
        tw_lot_clear(&team->lots[i]);
    }
    tw_hand_free(&team->hand);
    (void)pthread_cond_destroy(&team->done);
    (void)pthread_cond_destroy(&team->ready);
    (void)pthread_mutex_destroy(&team->lock);
    OPENSSL_free(team->workers);
    OPENSSL_free(team->lots);
    OPENSSL_free(team);
}
