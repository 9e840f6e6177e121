/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

tw_suite_id tw_kem_suite_id(uint16_t kem_id)
{
    tw_suite_id id = {"HPKE-v1KEM", 12};

    tw_store16(id.bytes + 10, kem_id);
    return id;
}

tw_suite_id tw_hpke_suite_id(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id)
{
    tw_suite_id id = {"HPKE-v1HPKE", 17};

    tw_store16(id.bytes + 11, kem_id);
    tw_store16(id.bytes + 13, kdf_id);
    tw_store16(id.bytes + 15, aead_id);
    return id;
}

tw_err tw_labeled_extract(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *salt,
                          size_t salt_len, const char *label, const uint8_t *ikm, size_t ikm_len,
                          uint8_t *prk)
{
    tw_piece pieces[] = {{id->bytes, id->len}, {label, strlen(label)}, {ikm, ikm_len}};

    return tw_hkdf_extract(hmac, salt, salt_len, pieces, TW_COUNT(pieces), prk);
}

tw_err tw_labeled_expand(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *prk, size_t prk_len,
                         const char *label, const tw_piece *info, size_t info_count, uint8_t *out,
                         size_t out_len)
{
    uint8_t length[2];
    tw_piece pieces[6] = {{length, sizeof(length)}, {id->bytes, id->len}, {label, strlen(label)}};

    if (out_len > UINT16_MAX || info_count > 3) {
        return TW_ERR_INVALID;
    }
    tw_store16(length, (uint16_t)out_len);
    memcpy(pieces + 3, info, info_count * sizeof(*info));
    return tw_hkdf_expand(hmac, prk, prk_len, pieces, 3 + info_count, out, out_len);
}
