/* SPDX-License-Identifier: Apache-2.0 */

/* Public keys from files: what a sender seals to, and the half that a token may lack. */

#include <string.h>
#include <time.h>

#include "cli.h"

static int refuse_time(const char *path, const char *when, int64_t seconds, const char *act)
{
    const time_t t = (time_t)seconds;
    char text[64] = "?";
    struct tm utc;

    if (gmtime_r(&t, &utc) != NULL) {
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &utc);
    }
    return fail(EX_NOINPUT, path,
                "expected a certificate that is valid now, came one that %s on %s UTC; %s", when,
                text, act);
}

/* RFC 5280: what its usage (section 4.2.1.3) or its time (section 4.1.2.5) excludes is not
 * sealed to. */
static int check_use(const tw_certificate *c, const char *path)
{
    const int64_t now = (int64_t)time(NULL);

    if (!c->for_sealing) {
        return fail(EX_NOINPUT, path,
                    "expected a certificate whose key usage has keyAgreement, came one for other "
                    "uses; ask its owner for one to encrypt to");
    }
    if (now < c->not_before) {
        return refuse_time(path, "begins", c->not_before, "check this machine's clock, or wait");
    }
    if (now > c->not_after) {
        return refuse_time(path, "ended", c->not_after, "ask its owner for the present one");
    }
    return EX_OK;
}

int certificate_read(const char *path, const blob *file, bool sealing, tw_config *c, bool *found)
{
    tw_certificate read = {.size = sizeof(read)};
    const tw_err err = tw_public_from_certificate(file->data, file->len, NULL, &read);
    int status;

    *found = err != TW_ERR_FORMAT;
    if (!*found) {
        return EX_OK;
    }
    status = err == TW_OK ? EX_OK : fail_tw(err, ABOUT_CERTIFICATE, path);
    if (status == EX_OK && sealing) {
        status = check_use(&read, path);
    }
    if (status == EX_OK) {
        c->kem_id = read.kem_id;
        c->public_len = read.public_len;
        memcpy(c->public_key, read.public_key, read.public_len);
    }
    return status;
}

static int from_certificate(const options *o, const blob *file, tw_config *c)
{
    const bool sealing = o->key == NULL && o->check == NULL;
    bool found;
    const int status = certificate_read(o->certificate, file, sealing, c, &found);

    return found ? status : fail_tw(TW_ERR_FORMAT, ABOUT_CERTIFICATE, o->certificate);
}

static int from_pem(const options *o, const blob *file, tw_config *c)
{
    const tw_err err = tw_public_from_pem((const char *)file->data, file->len, NULL, &c->kem_id,
                                          c->public_key, sizeof(c->public_key), &c->public_len);

    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_PUBLIC, o->public_file);
}

const char *public_path(const options *o)
{
    return o->certificate != NULL ? o->certificate : o->public_file;
}

int public_read(const options *o, tw_config *c)
{
    blob file;
    int status = blob_read(public_path(o), MAX_KEY_FILE, &file);

    if (status == EX_OK) {
        status = o->certificate != NULL ? from_certificate(o, &file, c) : from_pem(o, &file, c);
        blob_free(&file);
    }
    return status;
}
