/* SPDX-License-Identifier: Apache-2.0 */
#include "soak.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"

enum {
    TEXT_LEN = 1024,
    BODY_LEN = TEXT_LEN + 64,
};

long long soak_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void soak_sleep(unsigned ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

/* --- One exchange. -------------------------------------------------------------------- */

static size_t seal(tw_sealer *sealer, const uint8_t *text, uint8_t *out)
{
    size_t len;

    must_ok(tw_sealer_final(sealer, text, TEXT_LEN, out, BODY_LEN, &len));
    tw_sealer_free(sealer);
    return len;
}

static bool opens_to(tw_opener *opener, const uint8_t *body, size_t len, const uint8_t *text)
{
    uint8_t out[BODY_LEN];
    size_t out_len;
    tw_err err = tw_opener_final(opener, body, len, out, sizeof(out), &out_len);

    tw_opener_free(opener);
    return err == TW_OK && out_len == TEXT_LEN && memcmp(out, text, TEXT_LEN) == 0;
}

static bool answers(tw_exchange *asked, tw_exchange *answered, const uint8_t *text)
{
    uint8_t head[TW_MAX_HEAD], body[BODY_LEN];
    size_t head_len = tw_exchange_response_head_len(answered), len;
    tw_sealer *sealer;
    tw_opener *opener;

    must_ok(tw_exchange_respond(answered, NULL, head, sizeof(head), &sealer));
    len = seal(sealer, text, body);
    must_ok(tw_exchange_receive(asked, NULL, head, head_len, &opener));
    return opens_to(opener, body, len, text);
}

tw_err soak_exchange(const load *l, unsigned which, unsigned long number, bool *wrong)
{
    const tw_sender *sender = l->senders[which];
    uint8_t head[TW_MAX_HEAD], body[BODY_LEN], text[TEXT_LEN];
    tw_exchange *asked = NULL, *answered = NULL;
    tw_sealer *sealer;
    tw_opener *opener;
    size_t len;
    tw_err err;

    memset(text, (int)(number & 0xff), sizeof(text));
    must_ok(tw_sender_request(sender, NULL, head, sizeof(head), &sealer, &asked));
    len = seal(sealer, text, body);
    err = tw_receiver_accept(l->receivers[which], NULL, head, tw_sender_head_len(sender), &opener,
                             &answered);
    *wrong =
        err == TW_OK && (!opens_to(opener, body, len, text) || !answers(asked, answered, text));
    tw_exchange_free(asked);
    tw_exchange_free(answered);
    return err;
}

/* --- Many. ------------------------------------------------------------------------------ */

static void raise_to(atomic_ulong *most, unsigned long now)
{
    if (atomic_load(most) < now) { /* one thread writes */
        atomic_store(most, now);
    }
}

static void note(worker *w, tw_err err, bool wrong, long long took_us)
{
    load *l = w->load;
    long long none = 0;

    if (err != TW_OK) {
        atomic_fetch_add(&w->failed[-err], 1);
        raise_to(&w->longest_failure_us, (unsigned long)took_us);
    } else {
        atomic_fetch_add(wrong ? &w->wrong : &w->succeeded, 1);
        (void)atomic_compare_exchange_strong(&l->first_success_us, &none, soak_now());
    }
    raise_to(&w->longest_us, (unsigned long)took_us);
    if (took_us > (long long)l->late_after_ms * 1000) {
        atomic_fetch_add(&w->late, 1);
    }
}

static void *work(void *arg)
{
    worker *w = arg;

    while (!atomic_load(&w->load->stop)) {
        unsigned long number = atomic_fetch_add(&w->tried, 1);
        long long begun = soak_now();
        bool wrong;
        tw_err err =
            soak_exchange(w->load, (unsigned)(number + w->number) % SOAK_KEYS, number, &wrong);

        note(w, err, wrong, soak_now() - begun);
        if (err != TW_OK) {
            soak_sleep(1); /* as a server would, which has other work */
        }
    }
    return NULL;
}

void load_start(load *l, unsigned threads)
{
    l->threads = threads;
    for (unsigned i = 0; i < threads; i++) {
        worker *w = &l->workers[i];

        w->load = l;
        w->number = i;
        must(pthread_create(&w->thread, NULL, work, w) == 0);
    }
}

void load_stop(load *l)
{
    atomic_store(&l->stop, true);
    for (unsigned i = 0; i < l->threads; i++) {
        must(pthread_join(l->workers[i].thread, NULL) == 0);
    }
}

static unsigned long member_of(const worker *w, size_t member)
{
    return atomic_load((const atomic_ulong *)(const void *)((const char *)w + member));
}

unsigned long load_sum(const load *l, size_t member, unsigned first)
{
    unsigned long sum = 0;

    for (unsigned i = first; i < l->threads; i++) {
        sum += member_of(&l->workers[i], member);
    }
    return sum;
}

unsigned long load_most(const load *l, size_t member)
{
    unsigned long most = 0;

    for (unsigned i = 0; i < l->threads; i++) {
        unsigned long one = member_of(&l->workers[i], member);

        most = one > most ? one : most;
    }
    return most;
}

unsigned long load_all_failed(const load *l)
{
    return load_total(l, tried) - load_total(l, succeeded);
}

unsigned long load_failed(const load *l, tw_err err)
{
    return load_sum(l, offsetof(worker, failed) + (size_t)-err * sizeof(atomic_ulong), 0);
}
