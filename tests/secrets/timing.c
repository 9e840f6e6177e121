/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenes of messages.c under valgrind, with every secret byte marked as undefined for as
 * long as it is in our hands: memcheck then reports each branch and each address of ours
 * that depends on one. libcrypto is given bytes that count as defined and is not judged;
 * what it hands back is marked anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <valgrind/memcheck.h>

#include "check.h"
#include "seam.h"
#include "stage.h"

#define SKIPPED 77 /* what meson counts as skipped */

/* --- The seam. ----------------------------------------------------------------------------- */

enum { MOST_GIVEN = 16 };

/* What libcrypto has for the call at hand, and what of it was undefined before. */
static struct given {
    void *data;
    unsigned char *bits;
    size_t len;
} givens[MOST_GIVEN];
static size_t given_count;

bool seam_give(const char *what, const void *data, size_t len)
{
    struct given *g = &givens[given_count++];
    bool secret = false;

    (void)what;
    must(given_count <= MOST_GIVEN);
    *g = (struct given){(void *)(uintptr_t)data, malloc(len), len};
    must(g->bits != NULL && VALGRIND_GET_VBITS(data, g->bits, len) == 1);
    for (size_t i = 0; i < len; i++) {
        secret = secret || g->bits[i] != 0;
    }
    (void)VALGRIND_MAKE_MEM_DEFINED(data, len);
    return secret;
}

void seam_returned(void)
{
    while (given_count > 0) {
        struct given *g = &givens[--given_count];

        must(VALGRIND_SET_VBITS(g->data, g->bits, g->len) == 1);
        free(g->bits);
    }
}

void seam_take(const char *what, const void *data, size_t len)
{
    (void)what;
    (void)VALGRIND_MAKE_MEM_UNDEFINED(data, len);
}

/* --- What the scenes ask for. ----------------------------------------------------------------- */

/* Shared with the scenes' processes. */
static struct tally {
    size_t steps, wrong;
} * tally;

static const char *scene_name;
static size_t reported; /* so far, in this process */

void check_held(const char *file, int line, const char *step, const char *allowed)
{
    size_t errors = VALGRIND_COUNT_ERRORS;

    (void)allowed;
    tally->steps++;
    if (errors > reported) {
        (void)fprintf(stderr, "%s:%d: %s: %s depends on a secret in %zu places\n", file, line,
                      scene_name, step, errors - reported);
        tally->wrong++;
        reported = errors;
    }
}

void deep(void (*fn)(void *arg), void *arg)
{
    fn(arg);
}

bytes held(size_t len)
{
    return (bytes){vault_new(len), len};
}

bytes held_secret(const char *name, size_t len)
{
    bytes b = held(len);

    (void)name;
    memset(b.data, 0x5a, len);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(b.data, len);
    return b;
}

void scene(const char *name, void (*fn)(const void *arg), const void *arg)
{
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        scene_name = name;
        fn(arg);
        _exit(EXIT_SUCCESS);
    }
    must(waitpid(child, &status, 0) == child);
    if (status != 0) {
        (void)fprintf(stderr, "FAILED: %s (status 0x%x)\n", name, (unsigned)status);
        tally->wrong++;
    }
}

/* --- That it would be seen. ----------------------------------------------------------------------
 */

typedef struct planted {
    tw_key base;
    const tw_key *inner;
    bool branch;
} planted;

static volatile uint8_t table[256], sink;

/* A decapsulation that looks at its secret: by a branch, or by an index. */
static tw_err planted_decap(const tw_key *key, const uint8_t *enc, const uint8_t *sender_public,
                            uint8_t *secret)
{
    const planted *self = (const planted *)key;
    tw_err err = self->inner->ops->decap(self->inner, enc, sender_public, secret);

    if (self->branch && (secret[0] & 1) != 0) {
        sink = 1;
    } else if (!self->branch) {
        sink = table[secret[0]];
    }
    return err;
}

/* Whether the secrets of both sides are equal is what it is asked. */
static void check(const tw_key *key)
{
    tw_err err = tw_key_check(key);

    (void)VALGRIND_MAKE_MEM_DEFINED(&err, sizeof(err));
    must_ok(err);
}

static void must_see(const void *arg)
{
    static const tw_key_ops ops = {.size = sizeof(ops), .decap = planted_decap};
    const setting *s = arg;
    planted key = {.base = {.ops = &ops}};
    size_t before = VALGRIND_COUNT_ERRORS;

    stage_begin(s);
    peers_new(&st);
    key.inner = st.key;
    key.base.kem = st.key->kem;
    key.base.public_key = st.key->public_key;
    check(st.key);
    must(VALGRIND_COUNT_ERRORS == before);
    for (int branch = 0; branch < 2; branch++) {
        size_t clean = VALGRIND_COUNT_ERRORS;

        key.branch = branch == 1;
        check(&key.base);
        must(VALGRIND_COUNT_ERRORS > clean);
    }
    peers_free(&st);
    tw_suite_free(st.suite);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *arg);
    } scenes[] = {{"chunked", chunked},         {"whole", whole},
                  {"given up", given_up},       {"hpke", hpke},
                  {"one to many", one_to_many}, {"pump", pump}};
    size_t count = 0;

    if (!RUNNING_ON_VALGRIND) {
        (void)fprintf(stderr, "SKIPPED: 1 tests: this is a program for valgrind\n");
        return SKIPPED;
    }
    (void)VALGRIND_STACK_REGISTER(seam_stack, seam_stack + sizeof(seam_stack));
    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(tally != MAP_FAILED);
    for (const setting *s = settings; s->name != NULL; s++) {
        /* The way of a request and its answer with each; all the rest with these two, as of the
         * others only libcrypto's arithmetic is another, and slow here. */
        const bool all = (s->kem_id == TW_KEM_X25519_HKDF_SHA256) == (s->properties == NULL);

        for (size_t j = 0; j < (all ? sizeof(scenes) / sizeof(scenes[0]) : 1); j++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "%s, %s", scenes[j].name, s->name);
            scene(name, scenes[j].run, s);
            count++;
        }
    }
    scene("what is planted", must_see, &settings[0]);
    printf("%zu steps; a planted branch and a planted index were seen\n", tally->steps);
    printf("%zu passed, %zu failed\n", count + 1 - tally->wrong, tally->wrong);
    return tally->wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
