/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a turn: in line, and no longer than until the deadline. Looks inside. A plain
 * program, which the thread sanitizer runs too. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "token.h"

enum {
    THREADS = 4,
    ROUNDS = 200,
};

static turn u;
static unsigned order[THREADS * ROUNDS];
static size_t taken; /* by the turn */

typedef struct one {
    pthread_t thread;
    unsigned number;
} one;

static size_t waiting(void)
{
    size_t length;

    pthread_mutex_lock(&u.lock);
    length = u.line.length;
    pthread_mutex_unlock(&u.lock);
    return length;
}

static void wait_for(size_t count)
{
    for (int i = 0; waiting() < count; i++) {
        must(i < 10000);
        usleep(1000);
    }
}

static void *take_often(void *arg)
{
    const one *me = arg;

    for (int i = 0; i < ROUNDS; i++) {
        must(twp_turn_take(&u, NULL));
        order[taken++] = me->number;
        twp_turn_give(&u);
    }
    return NULL;
}

static void nobody_is_overtaken(void)
{
    static one all[THREADS];

    must(twp_turn_take(&u, NULL));
    for (unsigned i = 0; i < THREADS; i++) {
        all[i].number = i;
        must(pthread_create(&all[i].thread, NULL, take_often, &all[i]) == 0);
        wait_for(i + 1);
    }
    twp_turn_give(&u);
    must(twp_turn_take(&u, NULL)); /* who gives it and wants it again stands behind them */
    must(taken >= THREADS);
    twp_turn_give(&u);
    for (unsigned i = 0; i < THREADS; i++) {
        must(pthread_join(all[i].thread, NULL) == 0);
        must_size(i, order[i]); /* as they came */
    }
    must_size(THREADS * ROUNDS, taken);
}

static void *take_once(void *arg)
{
    struct timespec deadline = twp_time_in(1000); /* until then the others stand in line too */

    *(bool *)arg = twp_turn_take(&u, &deadline);
    return NULL;
}

static void none_waits_past_its_deadline(void)
{
    pthread_t threads[3];
    bool mine[3] = {true, true, true};
    struct timespec passed = twp_time_in(0);

    must(twp_turn_take(&u, &passed)); /* a free one needs no time */
    must(!twp_turn_take(&u, &passed));
    for (int i = 0; i < 3; i++) {
        must(pthread_create(&threads[i], NULL, take_once, &mine[i]) == 0);
    }
    for (int i = 0; i < 3; i++) {
        must(pthread_join(threads[i], NULL) == 0);
        must(!mine[i]);
    }
    must_size(0, waiting());
    twp_turn_give(&u);
    must(twp_turn_take(&u, &passed)); /* those who left the line were given nothing */
    twp_turn_give(&u);
}

/* The first and the last of three leave; who stays is still in line. */
static void who_leaves_the_line_takes_no_other_along(void)
{
    pthread_t early, late;
    static one patient;
    bool mine[2] = {true, true};
    size_t before = taken;

    must(twp_turn_take(&u, NULL));
    must(pthread_create(&early, NULL, take_once, &mine[0]) == 0);
    wait_for(1);
    taken = 0;
    must(pthread_create(&patient.thread, NULL, take_often, &patient) == 0);
    wait_for(2);
    must(pthread_create(&late, NULL, take_once, &mine[1]) == 0);
    must(pthread_join(early, NULL) == 0);
    must(pthread_join(late, NULL) == 0);
    must(!mine[0] && !mine[1]);
    must_size(1, waiting());
    twp_turn_give(&u);
    must(pthread_join(patient.thread, NULL) == 0);
    must_size(ROUNDS, taken);
    must_size(THREADS * ROUNDS, before);
}

static long long nanoseconds(const struct timespec *t)
{
    must(t->tv_nsec >= 0 && t->tv_nsec < 1000000000);
    return t->tv_sec * 1000000000LL + t->tv_nsec;
}

static struct timespec now(void)
{
    struct timespec t;

    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return t;
}

static void a_deadline_is_as_many_milliseconds_away_as_asked(void)
{
    static const unsigned times[] = {0, 1, 500, 999, 1000, 1999, 2000, 61001, 3600000};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        const struct timespec before = now(), then = twp_time_in(times[i]), after = now();
        const long long ms = 1000000LL * times[i];

        must(nanoseconds(&before) + ms <= nanoseconds(&then));
        must(nanoseconds(&then) <= nanoseconds(&after) + ms);
    }
}

static void a_time_has_passed_from_its_nanosecond_on(void)
{
    struct timespec t = now();

    must(twp_time_passed(&t));
    t.tv_sec++;
    t.tv_nsec = 0;
    must(!twp_time_passed(&t) || now().tv_sec >= t.tv_sec); /* or a slow machine has got there */
    t = now();
    t.tv_sec--;
    t.tv_nsec = 999999999;
    must(twp_time_passed(&t));
    do { /* later in this second, of which enough is left */
        t = now();
    } while (t.tv_nsec > 500000000);
    t.tv_nsec = 999999999;
    must(!twp_time_passed(&t) || now().tv_sec > t.tv_sec);
}

/* Whether a mutex that is not to be had was waited for about as long as asked. */
static bool waits_in_time(pthread_mutex_t *taken_mutex)
{
    const struct timespec deadline = twp_time_in(20);
    struct timespec after;
    long long late;

    must(!twp_mutex_take(taken_mutex, &deadline));
    after = now();
    late = nanoseconds(&after) - nanoseconds(&deadline);
    must(late > -1000000); /* it goes by another clock, which may be a little quicker */
    return late < 900000000;
}

/* At a second's end of either clock, what is left is carried over. */
static void a_mutex_is_waited_for_until_the_deadline(void)
{
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    const struct timespec passed = now();

    must(twp_mutex_take(&m, NULL) && pthread_mutex_trylock(&m) != 0);
    must(pthread_mutex_unlock(&m) == 0);
    must(twp_mutex_take(&m, &passed) && pthread_mutex_trylock(&m) != 0);
    must(waits_in_time(&m) || waits_in_time(&m) || waits_in_time(&m)); /* on a busy machine */
    for (size_t i = 0; i < LENGTH(clocks); i++) {
        int tries = 0;

        do {
            struct timespec t;

            must(tries++ < 5);
            do {
                usleep(1000);
                must(clock_gettime(clocks[i], &t) == 0);
            } while (t.tv_nsec < 985000000);
        } while (!waits_in_time(&m));
    }
    must(pthread_mutex_unlock(&m) == 0);
}

int main(void)
{
    memset(&u, 0x5a, sizeof(u)); /* init leaves nothing to chance */
    twp_turn_init(&u);
    a_mutex_is_waited_for_until_the_deadline();
    a_deadline_is_as_many_milliseconds_away_as_asked();
    a_time_has_passed_from_its_nanosecond_on();
    nobody_is_overtaken();
    none_waits_past_its_deadline();
    who_leaves_the_line_takes_no_other_along();
    twp_turn_clear(&u);
    puts("6 passed, 0 failed");
    return 0;
}
