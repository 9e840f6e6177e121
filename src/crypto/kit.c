/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

tw_err tw_fetch_failed(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_UNSUPPORTED ? TW_ERR_INVALID
                                                                      : TW_ERR_CRYPTO;
}

bool tw_decoding_begin(void)
{
    bool was_empty = ERR_peek_error() == 0;

    (void)ERR_set_mark();
    if (!was_empty) { /* nothing that was said before is taken for new */
        ERR_raise(ERR_LIB_USER, ERR_R_OPERATION_FAIL);
    }
    return was_empty;
}

/* The first error is where the trouble began, the last where it was told. */
bool tw_decoding_lacked_memory(bool was_empty)
{
    return (was_empty && ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE) ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

void tw_decoding_end(tw_err err)
{
    (void)(err == TW_ERR_CRYPTO ? ERR_clear_last_mark() : ERR_pop_to_mark());
}

tw_err tw_kit_new(uint16_t kdf_id, uint16_t aead_id, const tw_provider *provider, tw_kit **out)
{
    static const tw_provider default_provider;
    const tw_kdf_alg *kdf = tw_kdf_alg_find(kdf_id);
    const tw_aead_alg *aead = tw_aead_alg_find(aead_id);
    tw_kit *kit;
    tw_err err;

    *out = NULL;
    if (kdf == NULL || (aead == NULL && aead_id != TW_AEAD_EXPORT_ONLY)) {
        return TW_ERR_INVALID;
    }
    kit = OPENSSL_zalloc(sizeof(*kit));
    if (kit == NULL) {
        return TW_ERR_MEMORY;
    }
    atomic_init(&kit->refs, 1);
    kit->provider = provider == NULL ? default_provider : *provider;
    err = tw_hash_init(&kit->hash, kdf, &kit->provider);
    if (err == TW_OK && aead != NULL) {
        err = tw_cipher_init(&kit->cipher, aead, &kit->provider);
    }
    if (err != TW_OK) {
        tw_kit_free(kit);
        return err;
    }
    *out = kit;
    return TW_OK;
}

tw_kit *tw_kit_ref(tw_kit *kit)
{
    if (!kit->owned) {
        atomic_fetch_add_explicit(&kit->refs, 1, memory_order_relaxed);
    }
    return kit;
}

void tw_kit_unref(tw_kit *kit)
{
    if (kit != NULL && !kit->owned &&
        atomic_fetch_sub_explicit(&kit->refs, 1, memory_order_acq_rel) == 1) {
        tw_kit_free(kit);
    }
}

static void clear_buffers(const tw_slots *buffers)
{
    tw_buf buf;

    for (tw_buf_take(&buf, buffers); buf.data != NULL; tw_buf_take(&buf, buffers)) {
        tw_buf_free(&buf);
    }
}

void tw_kit_free(tw_kit *kit)
{
    if (kit != NULL) {
        tw_hash_clear(&kit->hash);
        tw_cipher_clear(&kit->cipher);
        clear_buffers(&kit->buffers);
        OPENSSL_free(kit);
    }
}
