/* SPDX-License-Identifier: Apache-2.0 */
#include "message/message.h"

#include <string.h>

#include <openssl/crypto.h>

/* RFC 9458 sections 4.3 and 4.4; chunked draft sections 6.1 and 6.2. */
static const char *default_label(tw_direction direction, bool chunked)
{
    static const char *const labels[2][2] = {
        [TW_REQUEST] = {"message/bhttp request", "message/bhttp chunked request"},
        [TW_RESPONSE] = {"message/bhttp response", "message/bhttp chunked response"},
    };

    return labels[direction][chunked];
}

tw_err tw_layout_read(const tw_format *format, tw_direction direction, tw_layout *out)
{
    *out = (tw_layout){.max_chunk = TW_CHUNK_LEN};
    if (format != NULL) {
        if (format->size == 0) {
            return TW_ERR_INVALID;
        }
        if (TW_HAS(tw_format, format, label)) {
            out->label = format->label;
        }
        if (TW_HAS(tw_format, format, chunked)) {
            out->chunked = format->chunked;
        }
        if (TW_HAS(tw_format, format, max_chunk) && format->max_chunk != 0) {
            out->max_chunk = format->max_chunk;
        }
    }
    if (out->max_chunk > TW_MAX_CHUNK) {
        return TW_ERR_INVALID;
    }
    if (out->label == NULL) {
        out->label = default_label(direction, out->chunked);
    }
    return TW_OK;
}

void tw_header_write(const tw_header *header, uint8_t *out)
{
    out[0] = header->key_id;
    tw_store16(out + 1, header->kem_id);
    tw_store16(out + 3, header->kdf_id);
    tw_store16(out + 5, header->aead_id);
}

tw_err tw_header_parse(const uint8_t *in, size_t in_len, tw_header *out)
{
    if (out == NULL) {
        return TW_ERR_INVALID;
    }
    *out = (tw_header){0};
    if (in == NULL && in_len > 0) {
        return TW_ERR_INVALID;
    }
    if (in_len < TW_HEADER_LEN) {
        return TW_ERR_TRUNCATED;
    }
    *out = (tw_header){
        .key_id = in[0],
        .kem_id = tw_load16(in + 1),
        .kdf_id = tw_load16(in + 3),
        .aead_id = tw_load16(in + 5),
    };
    return TW_OK;
}

bool tw_header_equal(const tw_header *a, const tw_header *b)
{
    return a->key_id == b->key_id && a->kem_id == b->kem_id && a->kdf_id == b->kdf_id &&
           a->aead_id == b->aead_id;
}

tw_err tw_info_make(const char *label, const uint8_t *header, tw_info *out)
{
    size_t label_len = strlen(label);

    out->len = label_len + 1 + TW_HEADER_LEN;
    out->data = out->small;
    if (out->len > sizeof(out->small)) {
        out->data = OPENSSL_malloc(out->len);
        if (out->data == NULL) {
            return TW_ERR_MEMORY;
        }
    }
    memcpy(out->data, label, label_len + 1);
    memcpy(out->data + label_len + 1, header, TW_HEADER_LEN);
    return TW_OK;
}

void tw_info_clear(tw_info *info)
{
    if (info->data != info->small) {
        OPENSSL_free(info->data);
    }
    info->data = info->small;
}

tw_err tw_suite_fits(const tw_suite *suite)
{
    if (tw_suite_usable(suite) != TW_OK || tw_kdf_alg_find(suite->kdf_id) == NULL ||
        tw_aead_alg_find(suite->aead_id) == NULL || suite->tag_len != TW_TAG_LEN) {
        return TW_ERR_INVALID;
    }
    return TW_OK;
}
