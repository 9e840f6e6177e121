/* SPDX-License-Identifier: Apache-2.0 */

/*
 *   failures [--full] [OPERATION]    quickly, or with every KEM, and a provider's query
 *
 * See failures.h. Prints for each operation how many things were made to fail in it.
 */

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#include "allocations.h"
#include "world.h"

#define MOST 20000 /* of one kind in one operation; more and it does not end */

const variant *now;
static bool whole; /* --full */

static struct {
    size_t operations, points, overcome, known, wrong;
} total;

static const tw_provider by_query = {.properties = "provider=default"};

static const variant quick[] = {
    {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, "x25519"},
    {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305, &by_query,
     "p256 by query"},
};

static const variant full[] = {
    {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL, "x25519"},
    {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_256_GCM, NULL, "p256"},
    {TW_KEM_P384_HKDF_SHA384, TW_KDF_HKDF_SHA384, TW_AEAD_CHACHA20_POLY1305, NULL, "p384"},
    {TW_KEM_P521_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_AES_256_GCM, NULL, "p521"},
    {TW_KEM_X448_HKDF_SHA512, TW_KDF_HKDF_SHA512, TW_AEAD_CHACHA20_POLY1305, NULL, "x448"},
    {TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA512, TW_AEAD_AES_128_GCM, &by_query,
     "x25519 by query"},
    {TW_KEM_P256_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_CHACHA20_POLY1305, &by_query,
     "p256 by query"},
};

/* How tokens fail, which the operation may overcome or not. */
static const CK_RV token_codes[] = {
    CKR_HOST_MEMORY,    CKR_DEVICE_ERROR,  CKR_SESSION_HANDLE_INVALID, /* quickly, only these */
    CKR_DEVICE_REMOVED, CKR_ARGUMENTS_BAD, 0x80000001,
};
enum { QUICK_CODES = 3, CODES = sizeof(token_codes) / sizeof(token_codes[0]) };

/* --- Whether an answer is right. ------------------------------------------------------------- */

/* Where the library goes on without what it asked for: a digest's context that cannot be made to
 * forget is freed, a page that cannot be had for nonces is not needed. That nothing else of a
 * digest failed, the operation sees by what it gave. */
static bool is_overcome(const char *failed)
{
    static const char *const functions[] = {"EVP_MD_CTX_copy_ex", "mmap64", "madvise"};
    bool found = failures_in_free(failed);

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        found = found || strcmp(failed, functions[i]) == 0;
    }
    return found;
}

static bool is_random(const char *failed)
{
    return strstr(failed, "RAND") != NULL || strcmp(failed, "getrandom") == 0;
}

/* What some functions' failure means, whatever the reason. */
static bool is_meant(const char *failed, tw_err err)
{
    static const struct {
        const char *function;
        tw_err err;
    } meant[] = {
        {"p11_kit_module_load", TW_ERR_TOKEN_ABSENT}, /* no such module */
        {"p11_kit_module_get_filename", TW_OK},       /* no such name for messages */
        {"open64", TW_ERR_TOKEN_PIN},                 /* no PIN */
        {"read", TW_ERR_TOKEN_PIN},
        {"fstat64", TW_ERR_TOKEN_PIN},
    };

    for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
        if (meant[i].err == err && strcmp(meant[i].function, failed) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_right(failure_kind k, const char *failed, tw_err err)
{
    bool by_token = err <= TW_ERR_TOKEN_ABSENT && err >= TW_ERR_TOKEN_FAILED;

    switch (k) {
    case FAIL_OURS:
        return err == TW_ERR_MEMORY;
    case FAIL_LIBCRYPTO:
        return err == TW_OK || err == TW_ERR_MEMORY || err == TW_ERR_CRYPTO || err == TW_ERR_RANDOM;
    case FAIL_TOKEN:
        return err == TW_OK || by_token || (failures_rv == CKR_HOST_MEMORY && err == TW_ERR_MEMORY);
    default:
        return err == TW_ERR_MEMORY || err == TW_ERR_CRYPTO ||
               (err == TW_ERR_RANDOM && is_random(failed)) ||
               (err == TW_OK && is_overcome(failed)) || is_meant(failed, err);
    }
}

static void judge(const operation *op, failure_kind k, size_t n, const char *failed, tw_err err)
{
    total.points++;
    if (is_right(k, failed, err)) {
        total.overcome += err == TW_OK;
    } else if (known_reason(op->name, k, failed, err) != NULL) {
        total.known++;
    } else {
        total.wrong++;
        (void)printf("  %s, %s: %s, number %zu of the %s, gave %s\n", op->name, now->name, failed,
                     n, failure_name(k), err_name(err));
    }
}

/* --- One operation. -------------------------------------------------------------------------- */

static void again(const operation *op, tw_err err)
{
    tw_err later = op->act();

    if (op->then != EITHER || later != TW_OK) {
        must_err(op->then == SERVES ? TW_OK : err, later);
    }
}

static bool fail_one(const operation *op, failure_kind k, size_t n)
{
    size_t before = allocations_ours().bytes;
    const char *failed;
    tw_err err;

    check_note("(%s, %s: number %zu of the %s)", op->name, now->name, n, failure_name(k));
    if (op->begin != NULL) {
        op->begin();
    }
    failures_arm(k, n);
    err = op->act();
    failed = failures_disarm();
    if (failed == NULL) {
        must_ok(err);
    } else {
        judge(op, k, n, failed, err);
        if (err != TW_OK) {
            again(op, err);
        }
    }
    if (op->end != NULL) {
        op->end();
    }
    world_end();
    ERR_clear_error();
    must_size(before, allocations_ours().bytes);
    check_note("%s", "");
    return failed != NULL;
}

/* What is made once for all, by libcrypto and the tests, is there from then on. */
static void warm_up(const operation *op)
{
    if (op->begin != NULL) {
        op->begin();
    }
    must_ok(op->act());
    if (op->end != NULL) {
        op->end();
    }
    world_end();
}

static size_t fail_each(const operation *op, failure_kind k)
{
    size_t n = 1, points = 0;

    while (fail_one(op, k, n)) {
        points++;
        must(n < MOST);
        n += whole || k == FAIL_OURS || n < 16 ? 1 : 1 + n / 6; /* quickly, fewer of very many */
    }
    return points;
}

static size_t fail_token(const operation *op)
{
    size_t points = 0;

    for (size_t i = 0; i < (whole ? CODES : QUICK_CODES); i++) {
        failures_rv = token_codes[i];
        points += fail_each(op, FAIL_TOKEN);
    }
    return points;
}

static void run(const operation *op)
{
    size_t points[FAILURE_KINDS];

    warm_up(op);
    for (failure_kind k = 0; k < FAIL_TOKEN; k++) {
        points[k] = fail_each(op, k);
    }
    points[FAIL_TOKEN] = fail_token(op);
    total.operations++;
    (void)printf("%-46s %-15s", op->name, now->name);
    for (failure_kind k = 0; k < FAILURE_KINDS; k++) {
        (void)printf(" %5zu", points[k]);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static void run_all(const variant *v, const char *only)
{
    static const operation *const tables[] = {
        kem_operations,  hpke_operations,  key_operations,         message_operations,
        body_operations, ohttp_operations, token_whole_operations, token_operations};

    enum { TOKEN_TABLES = 6 }; /* from here on */

    now = v;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (i >= TOKEN_TABLES && !whole && v->provider != NULL) {
            continue; /* the token is the same */
        }
        for (const operation *op = tables[i]; op->name != NULL; op++) {
            if (only == NULL || strcmp(only, op->name) == 0) {
                run(op);
            }
        }
    }
}

int main(int argc, char **argv)
{
    const variant *variants;
    const char *only;
    size_t count;

    whole = argc > 1 && strcmp(argv[1], "--full") == 0;
    variants = whole ? full : quick;
    count = whole ? sizeof(full) / sizeof(full[0]) : sizeof(quick) / sizeof(quick[0]);
    only = argc > 1 + whole ? argv[1 + whole] : NULL;

    for (size_t i = 0; i < count; i++) {
        run_all(&variants[i], only);
    }
    known_print();
    (void)printf("%zu operations, %zu things made to fail: %zu overcome, %zu explained above, "
                 "%zu failures of ours\n",
                 total.operations, total.points, total.overcome, total.known, total.wrong);
    return total.operations > 0 && total.wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
