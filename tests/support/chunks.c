/* SPDX-License-Identifier: Apache-2.0 */
#include "chunks.h"
#include "check.h"

bytes varint_of(uint64_t value, size_t width)
{
    static const uint8_t prefix[9] = {[1] = 0x00, [2] = 0x40, [4] = 0x80, [8] = 0xc0};
    bytes out;

    if (width == 0) {
        width = value < 64 ? 1 : value < 16384 ? 2 : value < 1073741824 ? 4 : 8;
    }
    out = bytes_new(width);
    for (size_t i = 0; i < width; i++) {
        out.data[width - 1 - i] = (uint8_t)(value >> (8 * i));
    }
    must((out.data[0] & 0xc0) == 0);
    out.data[0] |= prefix[width];
    return out;
}

bytes chunk_of(bytes ct)
{
    return bytes_cat(varint_of(ct.len, 0), ct);
}

bytes final_chunk_of(bytes ct)
{
    return bytes_cat(varint_of(0, 0), ct);
}

/* take_varint moves `rest` past a varint; false where it is cut off. */
static bool take_varint(bytes *rest, uint64_t *value)
{
    size_t width;

    if (rest->len == 0) {
        return false;
    }
    width = (size_t)1 << (rest->data[0] >> 6);
    if (rest->len < width) {
        return false;
    }
    *value = rest->data[0] & 0x3f;
    for (size_t i = 1; i < width; i++) {
        *value = *value << 8 | rest->data[i];
    }
    *rest = bytes_from(*rest, width);
    return true;
}

chunks chunks_split(bytes body)
{
    chunks c = {.count = 0};
    uint64_t len = 1;

    while (len != 0) {
        must(take_varint(&body, &len));
        must(c.count < MAX_CHUNKS);
        c.ct[c.count++] = len == 0 ? body : bytes_part(body, 0, (size_t)len);
        body = bytes_from(body, (size_t)len);
    }
    return c;
}

bytes chunks_join(const chunks *c)
{
    bytes body = bytes_new(0);

    for (size_t i = 0; i + 1 < c->count; i++) {
        body = bytes_cat(body, chunk_of(c->ct[i]));
    }
    return bytes_cat(body, final_chunk_of(c->ct[c->count - 1]));
}

static verdict whole_verdict(bytes genuine, bytes altered)
{
    if (bytes_equal(genuine, altered)) {
        return (verdict){TW_OK, genuine.len - TAG_LEN};
    }
    return (verdict){TW_ERR_AUTH, 0};
}

/* One ordinary chunk of `len` bytes, of which `rest` may hold fewer. The order is
 * that in which a receiver learns of it: the length before the bytes. */
static tw_err chunk_verdict(uint64_t len, size_t max_chunk, bytes rest, const bytes *expected)
{
    if (len < TAG_LEN) {
        return TW_ERR_FORMAT;
    }
    if (len == TAG_LEN) {
        return TW_ERR_AUTH;
    }
    if (len - TAG_LEN > max_chunk) {
        return TW_ERR_LIMIT;
    }
    if (len > rest.len) {
        return TW_ERR_TRUNCATED;
    }
    if (expected == NULL || !bytes_equal(*expected, bytes_part(rest, 0, (size_t)len))) {
        return TW_ERR_AUTH;
    }
    return TW_OK;
}

/* chunked_verdict walks `altered` beside what was sent. */
static verdict chunked_verdict(size_t max_chunk, const chunks *sent, bytes altered)
{
    verdict v = {TW_OK, 0};
    size_t last = sent->count - 1;
    uint64_t len;

    for (size_t i = 0;; i++) {
        if (!take_varint(&altered, &len)) {
            return (verdict){TW_ERR_TRUNCATED, v.prefix_len};
        }
        if (len == 0 && altered.len > max_chunk + TAG_LEN) {
            return (verdict){TW_ERR_LIMIT, v.prefix_len};
        }
        if (len == 0) {
            bool genuine = i == last && bytes_equal(altered, sent->ct[last]);

            return genuine ? (verdict){TW_OK, v.prefix_len + altered.len - TAG_LEN}
                           : (verdict){TW_ERR_AUTH, v.prefix_len};
        }
        v.err = chunk_verdict(len, max_chunk, altered, i < last ? &sent->ct[i] : NULL);
        if (v.err != TW_OK) {
            return v;
        }
        altered = bytes_from(altered, (size_t)len);
        v.prefix_len += (size_t)len - TAG_LEN;
    }
}

verdict verdict_on(bool chunked, size_t max_chunk, bytes genuine, bytes altered)
{
    chunks sent;

    if (!chunked) {
        return whole_verdict(genuine, altered);
    }
    if (max_chunk < TW_CHUNK_LEN) {
        max_chunk = TW_CHUNK_LEN; /* twoway.h, tw_format: a receiver takes that much */
    }
    sent = chunks_split(genuine);
    return chunked_verdict(max_chunk, &sent, altered);
}
