/* SPDX-License-Identifier: Apache-2.0 */
#include "hpke/hpke.h"

#include <string.h>

static const char version_label[] = "HPKE-v1";

#define TEXT(s)                                                                                    \
    {                                                                                              \
        (s), sizeof(s) - 1                                                                         \
    }

tw_suite_id tw_kem_suite_id(uint16_t kem_id)
{
    tw_suite_id id = {"KEM", 5};

    tw_store16(id.bytes + 3, kem_id);
    return id;
}

tw_suite_id tw_hpke_suite_id(uint16_t kem_id, uint16_t kdf_id, uint16_t aead_id)
{
    tw_suite_id id = {"HPKE", 10};

    tw_store16(id.bytes + 4, kem_id);
    tw_store16(id.bytes + 6, kdf_id);
    tw_store16(id.bytes + 8, aead_id);
    return id;
}

tw_err tw_labeled_extract(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *salt,
                          size_t salt_len, const char *label, const uint8_t *ikm, size_t ikm_len,
                          uint8_t *prk)
{
    tw_piece pieces[] = {
        TEXT(version_label), {id->bytes, id->len}, {label, strlen(label)}, {ikm, ikm_len}};

    return tw_hkdf_extract(hmac, salt, salt_len, pieces, TW_COUNT(pieces), prk);
}

tw_err tw_labeled_expand(tw_hmac *hmac, const tw_suite_id *id, const uint8_t *prk, size_t prk_len,
                         const char *label, const tw_piece *info, size_t info_count, uint8_t *out,
                         size_t out_len)
{
    uint8_t length[2];
    tw_piece pieces[7] = {{length, sizeof(length)},
                          TEXT(version_label),
                          {id->bytes, id->len},
                          {label, strlen(label)}};

    if (out_len > UINT16_MAX || info_count > 3) {
        return TW_ERR_INVALID;
    }
    tw_store16(length, (uint16_t)out_len);
    memcpy(pieces + 4, info, info_count * sizeof(*info));
    return tw_hkdf_expand(hmac, prk, prk_len, pieces, 4 + info_count, out, out_len);
}
