/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <string.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define STRENGTH 256 /* bits; AES-256's */

/* The generator of a library context may be anybody's: a provider that the caller asked
 * for draws with its own, seeded by the system. */
static bool draw_by_query(const tw_provider *provider, uint8_t *out, size_t len)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_CIPHER, (char *)"AES-256-CTR", 0),
        OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_PROPERTIES, (char *)provider->properties,
                                         0),
        OSSL_PARAM_construct_end(),
    };
    EVP_RAND *rand = EVP_RAND_fetch(provider->libctx, "CTR-DRBG", provider->properties);
    EVP_RAND_CTX *ctx = rand == NULL ? NULL : EVP_RAND_CTX_new(rand, NULL);
    bool ok = ctx != NULL && EVP_RAND_instantiate(ctx, STRENGTH, 0, NULL, 0, params) == 1 &&
              EVP_RAND_generate(ctx, out, len, STRENGTH, 0, NULL, 0) == 1;

    EVP_RAND_CTX_free(ctx);
    EVP_RAND_free(rand);
    return ok;
}

tw_err tw_random(const tw_provider *provider, const tw_rng *rng, bool secret, uint8_t *out,
                 size_t len)
{
    OSSL_LIB_CTX *libctx = provider->libctx;
    bool filled;

    if (rng != NULL && rng->fill != NULL) {
        filled = rng->fill(rng->arg, out, len) == TW_OK;
    } else if (provider->properties != NULL) {
        filled = draw_by_query(provider, out, len);
    } else if (secret) {
        filled = RAND_priv_bytes_ex(libctx, out, len, 0) == 1;
    } else {
        filled = RAND_bytes_ex(libctx, out, len, 0) == 1;
    }
    if (!filled) {
        tw_wipe(out, len);
        return TW_ERR_RANDOM;
    }
    return TW_OK;
}

/* --- Nonces. ---------------------------------------------------------------- */

/* Drawn ahead, as a draw of few bytes costs as much as one of a page: a microsecond with
 * OpenSSL 3.0, a fortieth of an answered request. The kernel clears them in a forked child,
 * so that two processes never use the same. */
#define DRAW_LEN (4096 - sizeof(size_t))
typedef struct draw {
    size_t left;
    uint8_t bytes[DRAW_LEN];
} draw;

static draw *draw_new(void)
{
#ifdef MADV_WIPEONFORK
    void *page =
        mmap(NULL, sizeof(draw), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return NULL;
    }
    if (madvise(page, sizeof(draw), MADV_WIPEONFORK) == 0) {
        return page;
    }
    (void)munmap(page, sizeof(draw));
#endif
    return NULL; /* then each nonce is a draw of its own */
}

static void draw_free(draw *d)
{
    tw_wipe(d, sizeof(*d));
    (void)munmap(d, sizeof(*d));
}

/* What is handed out is cleared, and counted first: nothing can come out twice. */
static tw_err draw_take(draw *d, const tw_provider *provider, uint8_t *out, size_t len)
{
    tw_err err = TW_OK;

    if (d->left < len) {
        d->left = 0;
        err = tw_random(provider, NULL, false, d->bytes, sizeof(d->bytes));
        d->left = err == TW_OK ? sizeof(d->bytes) : 0;
    }
    if (err != TW_OK) {
        tw_wipe(out, len);
        return err;
    }
    d->left -= len;
    memcpy(out, d->bytes + d->left, len);
    tw_wipe(d->bytes + d->left, len);
    return TW_OK;
}

tw_err tw_nonce(const tw_slots *ahead, const tw_provider *provider, const tw_rng *rng, uint8_t *out,
                size_t len)
{
    draw *d;
    tw_err err;

    if (ahead == NULL || (rng != NULL && rng->fill != NULL) || len > DRAW_LEN) {
        return tw_random(provider, rng, false, out, len);
    }
    d = tw_slots_take(ahead);
    if (d == NULL) {
        d = draw_new();
    }
    if (d == NULL) {
        return tw_random(provider, NULL, false, out, len);
    }
    err = draw_take(d, provider, out, len);
    if (!tw_slots_give(ahead, d)) {
        draw_free(d);
    }
    return err;
}

void tw_nonces_clear(tw_slots *ahead)
{
    draw *d;

    while ((d = tw_slots_take(ahead)) != NULL) {
        draw_free(d);
    }
}
