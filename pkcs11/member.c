/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include <signal.h>
#include <stdlib.h>

/*
 * The members of a joined key. One that failed is set aside and looked after by a thread of its
 * own, so that no operation waits to see whether it is back.
 */

enum {
    PROBE_MS = 100,
    MOST_PROBE_MS = 2000,
    EXIT_WAITS_MS = 500, /* then a token hangs */
};

/* --- The end of the process. exit() runs what modules and libcrypto have registered, and so frees
 * what a prober in a call works with: it is waited for, and none makes another call. ----------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    atomic_ullong process; /* whose probers these are */
    size_t calling;
    bool over;
} ending;

/* Under the process's lock, before there is a prober. */
static void ending_here(void)
{
    if (atomic_load(&ending.process) != twp_process()) {
        pthread_mutex_init(&ending.lock, NULL);
        twp_cond_init(&ending.idle);
        ending.calling = 0;
        ending.over = false;
        atomic_store(&ending.process, twp_process());
    }
}

static void at_exit(void)
{
    struct timespec until = twp_time_in(EXIT_WAITS_MS);
    bool first;

    if (atomic_load(&ending.process) != twp_process()) {
        return; /* a child, in which none was started */
    }
    pthread_mutex_lock(&ending.lock);
    first = !ending.over;
    ending.over = true;
    while (first && ending.calling > 0 &&
           pthread_cond_timedwait(&ending.idle, &ending.lock, &until) == 0) {
    }
    pthread_mutex_unlock(&ending.lock);
}

/* When the member's module is there: what was registered last runs first. */
static void watch_exit(void)
{
    twp_process_lock();
    ending_here();
    twp_process_unlock();
    (void)atexit(at_exit);
}

static bool call_begins(void)
{
    bool going_on;

    pthread_mutex_lock(&ending.lock);
    going_on = !ending.over;
    ending.calling += going_on ? 1 : 0;
    pthread_mutex_unlock(&ending.lock);
    return going_on;
}

static void call_ends(void)
{
    pthread_mutex_lock(&ending.lock);
    ending.calling--;
    pthread_cond_broadcast(&ending.idle);
    pthread_mutex_unlock(&ending.lock);
}

/* --- A member's key. -------------------------------------------------------------------------- */

/* The public half has to be the one that the others have. */
static tw_err find(const member *m, tw_key **out)
{
    const tw_kem *kem = m->all->base.kem;

    return tw_token_find_key(m->token, m->uri, kem == NULL ? NULL : m->all->public_key,
                             kem == NULL ? 0 : kem->public_len, out);
}

/* Nobody is to be asked at a token's own pad again and again, who did not ask for anything: not by
 * one that is there and has not the key, either. Nor by `pin`, once what it gave was refused. */
static bool asks_in_vain(const tw_token *t, unsigned long long logins_before, tw_err err)
{
    bool sent = atomic_load(&t->counters.logins) != logins_before;

    return (t->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0
               ? err != TW_ERR_TOKEN_ABSENT || sent
               : err == TW_ERR_TOKEN_PIN && sent && twp_pin_asked(&t->opt, &t->uri);
}

/* A PIN's try may be the cost of each more, or a person's. None is where there was no PIN to send:
 * its file may come yet. */
static bool is_over(const member *m, unsigned long long logins_before, tw_err err)
{
    const tw_token *t = m->token;

    bool unsent = atomic_load(&t->counters.logins) == logins_before &&
                  twp_pin_given(&t->opt, &t->uri) && !twp_pin_asked(&t->opt, &t->uri);

    return (err == TW_ERR_TOKEN_PIN && !unsent) || err == TW_ERR_TOKEN_POLICY ||
           err == TW_ERR_KEY || err == TW_ERR_INVALID || asks_in_vain(t, logins_before, err);
}

tw_err twp_member_open(member *m)
{
    unsigned long long logins = atomic_load(&m->token->counters.logins);
    tw_key *key = NULL;
    tw_err err = m->token->module == NULL ? twp_token_arrive(m->token) : TW_OK;

    if (err == TW_OK) {
        if (!m->watched) { /* a probe of one that is not there comes here again and again */
            m->watched = true;
            watch_exit();
        }
        err = find(m, &key);
        if (err != TW_OK) {
            twp_token_leave(m->token);
        }
    }
    pthread_mutex_lock(&m->all->lock);
    m->key = key;
    m->err = err;
    m->aside = err != TW_OK;
    m->lost = m->aside && is_over(m, logins, err);
    pthread_mutex_unlock(&m->all->lock);
    return err;
}

/* --- Members that are aside. ------------------------------------------------------------------ */

/* False: the joined key is being freed. */
static bool pause_for(joined *j, unsigned ms)
{
    struct timespec until = twp_time_in(ms);
    bool going_on;

    pthread_mutex_lock(&j->lock);
    while (!j->stopping && pthread_cond_timedwait(&j->stop, &j->lock, &until) == 0) {
    }
    going_on = !j->stopping;
    pthread_mutex_unlock(&j->lock);
    return going_on;
}

/* One that was open remembers itself which PIN was refused. */
static bool is_back(member *m)
{
    unsigned long long logins = atomic_load(&m->token->counters.logins);
    tw_err err;

    if (m->key == NULL) {
        return twp_member_open(m) == TW_OK;
    }
    err = tw_key_check(m->key);
    pthread_mutex_lock(&m->all->lock);
    m->err = err;
    m->aside = err != TW_OK;
    m->lost = m->aside && asks_in_vain(m->token, logins, err);
    pthread_mutex_unlock(&m->all->lock);
    return err == TW_OK;
}

static void *probe(void *arg)
{
    member *m = arg;
    unsigned ms = PROBE_MS;
    bool done = false;

    while (!done && pause_for(m->all, ms) && call_begins()) {
        done = is_back(m) || m->lost;
        call_ends();
        ms = 2 * ms < MOST_PROBE_MS ? 2 * ms : MOST_PROBE_MS;
    }
    return NULL;
}

/* A signal is for the program's own threads. */
static bool start_prober(member *m)
{
    sigset_t all, before;
    bool started;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&m->prober, NULL, probe, m) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Under the lock. Without a thread it stays aside, to be asked when no other is left, and the
 * next failure tries to start one again. */
void twp_member_aside(member *m, tw_err err)
{
    m->err = err;
    if (m->lost || m->all->stopping || (m->aside && m->probed)) {
        return;
    }
    m->aside = true;
    if (m->probed) { /* it ended when it put the member back */
        pthread_join(m->prober, NULL);
    }
    m->probed = start_prober(m);
}

/* --- A forked child, in which the probers do not run, nor who was at work in the parent. ------ */

void twp_joined_forget(joined *j)
{
    twp_process_lock();
    ending_here();
    if (atomic_load(&j->process) != twp_process()) {
        pthread_mutex_init(&j->lock, NULL);
        twp_cond_init(&j->stop);
        for (size_t i = 0; i < j->count; i++) {
            j->members[i].in_flight = 0;
            j->members[i].probed = false;
        }
        atomic_store(&j->process, twp_process());
    }
    twp_process_unlock();
}

void twp_joined_adopt(joined *j)
{
    if (atomic_load(&j->process) == twp_process()) {
        return;
    }
    twp_joined_forget(j);
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->count; i++) {
        if (j->members[i].aside) {
            twp_member_aside(&j->members[i], j->members[i].err);
        }
    }
    pthread_mutex_unlock(&j->lock);
}
