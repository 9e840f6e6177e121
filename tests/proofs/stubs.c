/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's allocator and what else the proven files call outside of themselves. */
#include <stdlib.h>
#include <string.h>

#include "message/message.h"

#include "proof.h"

/* They end where the object does, whose size is a constant, which CBMC prefers. */
uint8_t *any_bytes(size_t len)
{
    uint8_t *bytes = malloc(MOST_BYTES);

    assume(bytes != NULL);
    prove(len <= MOST_BYTES, "there are so many");
    return bytes + (MOST_BYTES - len); /* what malloc gives has any value */
}

void OPENSSL_cleanse(void *p, size_t len)
{
    if (len > 0) {
        memset(p, 0, len);
    }
}

void *CRYPTO_zalloc(size_t len, const char *file, int line)
{
    return calloc(1, len);
}

void CRYPTO_free(void *p, const char *file, int line)
{
    free(p);
}

void CRYPTO_clear_free(void *p, size_t len, const char *file, int line)
{
    OPENSSL_cleanse(p, p == NULL ? 0 : len);
    free(p);
}

void *CRYPTO_clear_realloc(void *p, size_t before, size_t len, const char *file, int line)
{
    void *larger = malloc(len);

    if (larger != NULL && p != NULL) {
        memcpy(larger, p, before < len ? before : len);
        CRYPTO_clear_free(p, before, file, line);
    }
    return larger;
}

/* No buffer is idle; none of those that fit here is long enough to become so. */
void *tw_slots_take(const tw_slots *slots)
{
    return NULL;
}

bool tw_slots_give(const tw_slots *slots, void *object)
{
    prove(false, "no buffer of a proof is kept");
    return false;
}

tw_kit *tw_kit_ref(tw_kit *kit)
{
    return kit;
}

void tw_kit_unref(tw_kit *kit)
{
}

void tw_ctx_free(tw_hpke_ctx *ctx)
{
}
