/* SPDX-License-Identifier: Apache-2.0 */
#include "rng.h"

#include <string.h>

static tw_err script_fill(void *arg, uint8_t *out, size_t len)
{
    script *s = arg;

    if (s->draws < SCRIPT_DRAWS) {
        s->sizes[s->draws] = len;
    }
    s->draws++;
    if (len > s->left.len) {
        return s->error;
    }
    if (len > 0) {
        memcpy(out, s->left.data, len);
    }
    s->left = bytes_from(s->left, len);
    return TW_OK;
}

tw_rng script_start(script *s, bytes bytes_to_give)
{
    *s = (script){.left = bytes_to_give, .error = TW_ERR_RANDOM};
    return (tw_rng){.fill = script_fill, .arg = s};
}

bool script_all_used(const script *s)
{
    return s->left.len == 0;
}
