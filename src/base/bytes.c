/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <string.h>

#include <openssl/crypto.h>

#include <twoway/kem.h>

void tw_wipe(void *p, size_t len)
{
    if (p != NULL) {
        OPENSSL_cleanse(p, len);
    }
}

size_t tw_mul(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

void tw_copy(void *out, const void *in, size_t len)
{
    if (len > 0) {
        memcpy(out, in, len);
    }
}

tw_err tw_buf_append(tw_buf *buf, const uint8_t *in, size_t len, size_t most)
{
    size_t need = tw_add(buf->len, len);
    size_t cap;
    uint8_t *data;

    if (need > most) {
        return TW_ERR_LIMIT;
    }
    if (need > buf->cap) {
        cap = tw_mul(buf->cap, 2) > need ? tw_mul(buf->cap, 2) : need;
        cap = cap > most ? most : cap;
        data = OPENSSL_clear_realloc(buf->data, buf->cap, cap);
        if (data == NULL) {
            return TW_ERR_MEMORY;
        }
        buf->data = data;
        buf->cap = cap;
    }
    tw_copy(buf->data + buf->len, in, len);
    buf->len = need;
    return TW_OK;
}

void tw_buf_free(tw_buf *buf)
{
    OPENSSL_clear_free(buf->data, buf->cap);
    *buf = (tw_buf){0};
}

/* An idle buffer begins with its own length. */
void tw_buf_give(tw_buf *buf, const tw_slots *idle)
{
    if (buf->cap >= sizeof(buf->cap)) {
        memcpy(buf->data, &buf->cap, sizeof(buf->cap));
        if (tw_slots_give(idle, buf->data)) {
            *buf = (tw_buf){0};
        }
    }
    tw_buf_free(buf);
}

void tw_buf_take(tw_buf *buf, const tw_slots *idle)
{
    buf->data = tw_slots_take(idle);
    buf->len = buf->cap = 0;
    if (buf->data != NULL) {
        memcpy(&buf->cap, buf->data, sizeof(buf->cap));
    }
}
