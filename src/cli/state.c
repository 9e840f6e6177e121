/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>

#include "cli.h"

int state_absent(const options *o, const char *path)
{
    return path == NULL || o->force ? EX_OK : output_absent(path);
}

int state_save(const options *o, const char *path, const tw_exchange *exchange)
{
    const unsigned flags = OUTPUT_PRIVATE | (o->force ? 0 : OUTPUT_NEW | OUTPUT_BINARY);
    uint8_t bytes[TW_MAX_SAVE];
    size_t len = 0;
    output *out;
    int status = output_open(path, flags, NULL, &out);
    tw_err err;

    if (status != EX_OK) {
        return status;
    }
    err = tw_exchange_save(exchange, bytes, sizeof(bytes), &len);
    status = err == TW_OK ? output_put(out, bytes, len) : fail_tw(err, ABOUT_WORK, path);
    tw_wipe(bytes, sizeof(bytes));
    return status == EX_OK ? output_commit(out) : status;
}

static tw_err load(const blob *file, state *out)
{
    tw_header header;
    tw_err err = tw_exchange_peek(file->data, file->len, &header);

    if (err == TW_OK) {
        err = tw_suite_new(header.kem_id, header.kdf_id, header.aead_id, NULL, &out->suite);
    }
    if (err == TW_OK) {
        err = tw_exchange_load(out->suite, NULL, file->data, file->len, &out->exchange);
    }
    return err;
}

int state_load(const char *path, state *out)
{
    blob file;
    tw_err err;
    int status;

    *out = (state){0};
    status = blob_read(path, TW_MAX_SAVE, &file);
    if (status != EX_OK) {
        return status;
    }
    err = load(&file, out);
    if (err == TW_OK) {
        blob_warn(path, &file);
    }
    blob_free(&file);
    if (err != TW_OK) {
        state_free(out);
        return fail_tw(err, ABOUT_STATE, path);
    }
    return EX_OK;
}

void state_free(state *s)
{
    tw_exchange_free(s->exchange);
    tw_suite_free(s->suite);
    *s = (state){0};
}
