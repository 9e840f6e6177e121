/* SPDX-License-Identifier: Apache-2.0 */
#include "failures.h"

#include <stdio.h>
#include <string.h>

/*
 * What cannot be told apart from outside of libcrypto or p11-kit. Each row is printed with how
 * often it was met, and one that is not met any more is to be removed.
 */
#define CALLS (1u << FAIL_CALL | 1u << FAIL_CALL_LATE | 1u << FAIL_CALL_SILENT)

static const char emptied[] = "a cipher's context that cannot be emptied is freed; and all is well";
static const char trial[] = "whether libcrypto follows a peer is tried, and then gone without";
static const char member[] = "a member that fails is set aside, and the other serves";
static const char removal[] = "the key pair is removed at the next try, as the token shows";
static const char first_der[] = "what is no DER is read as PEM, whatever kept it from being DER";
static const char no_point[] =
    "a point that is none is seen to be that whatever kept it from a key";
static const char silent[] = "decoding failed, and libcrypto says nothing of memory";
static const char decoder[] = "libcrypto's decoders forget that it was memory that they lacked";

static struct {
    const char *operation; /* its beginning */
    unsigned kinds;        /* 1 << failure_kind, of those */
    const char *failed;    /* the function, NULL for any */
    tw_err err;
    const char *reason;
    size_t met;
} known[] = {
    {"", CALLS, "EVP_CipherFinal_ex", TW_ERR_AUTH,
     "the last call of an opening says only that it failed; it asks for no memory", 0},
    {"tw_hpke_seal_once", CALLS, NULL, TW_OK, emptied, 0},
    {"tw_hpke_open_once", CALLS, NULL, TW_OK, emptied, 0},
    {"tw_multi_encap", CALLS, NULL, TW_OK, emptied, 0},
    {"tw_receiver_accept_multi", CALLS, NULL, TW_OK, emptied, 0},
    {"tw_key_ops.decap from an identity", CALLS, NULL, TW_OK, trial, 0},
    {"tw_hpke_receiver with psk and identity", CALLS, NULL, TW_OK, trial, 0},
    {"tw_token_join", CALLS, NULL, TW_OK, member, 0},
    {"tw_token_check with a key pair", 1u << FAIL_OURS, NULL, TW_OK, removal, 0},
    {"tw_public_from_certificate, PEM", CALLS, "X509_new_ex", TW_OK, first_der, 0},
    {"tw_public_from_certificate, PEM", CALLS, "d2i_X509", TW_OK, first_der, 0},
    {"tw_public_from_pem of a point", CALLS, "PEM_read_bio_PUBKEY_ex", TW_OK, no_point, 0},
    {"tw_public_from_pem of a point", 1u << FAIL_CALL_SILENT, "EC_POINT_oct2point", TW_OK, no_point,
     0},
    {"tw_key_from_pem", 1u << FAIL_CALL_SILENT, NULL, TW_ERR_FORMAT, silent, 0},
    {"tw_key_from_pem", 1u << FAIL_CALL_SILENT, NULL, TW_ERR_INVALID, silent, 0},
    {"tw_public_from_", 1u << FAIL_CALL_SILENT, NULL, TW_ERR_FORMAT, silent, 0},
    {"tw_public_from_", 1u << FAIL_CALL_SILENT, NULL, TW_ERR_INVALID, silent, 0},
    {"tw_public_from_certificate", 1u << FAIL_CALL_SILENT, "X509_get_ext_d2i", TW_OK, silent, 0},
    {"tw_key_from_pem", 1u << FAIL_LIBCRYPTO, NULL, TW_ERR_FORMAT, decoder, 0},
    {"tw_public_from_", 1u << FAIL_LIBCRYPTO, NULL, TW_ERR_FORMAT, decoder, 0},
    {"tw_public_from_", 1u << FAIL_LIBCRYPTO, NULL, TW_ERR_INVALID, decoder, 0},
    {NULL, 0, NULL, TW_OK, NULL, 0},
};

const char *known_reason(const char *name, failure_kind k, const char *failed, tw_err err)
{
    for (size_t i = 0; known[i].operation != NULL; i++) {
        if (strncmp(name, known[i].operation, strlen(known[i].operation)) == 0 &&
            (known[i].kinds & 1u << k) != 0 && known[i].err == err &&
            (known[i].failed == NULL || strcmp(known[i].failed, failed) == 0)) {
            known[i].met++;
            return known[i].reason;
        }
    }
    return NULL;
}

void known_print(void)
{
    for (size_t i = 0; known[i].operation != NULL; i++) {
        (void)printf("%6zu %s %s%s gave %s: %s\n", known[i].met,
                     known[i].operation[0] == '\0' ? "all" : known[i].operation,
                     known[i].failed == NULL ? "" : known[i].failed,
                     known[i].kinds == 1u << FAIL_LIBCRYPTO ? "an allocation" : "",
                     err_name(known[i].err), known[i].reason);
    }
}
