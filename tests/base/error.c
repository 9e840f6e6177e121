/* SPDX-License-Identifier: Apache-2.0 */
/* error.h: the codes, their sentences and whose fault they are. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <twoway/error.h>

#include "check.h"

static const struct {
    tw_err err;
    bool peer;
} codes[] = {
    {TW_OK, false},
    {TW_ERR_INVALID, false},
    {TW_ERR_STATE, false},
    {TW_ERR_SPACE, false},
    {TW_ERR_MEMORY, false},
    {TW_ERR_RANDOM, false},
    {TW_ERR_CRYPTO, false},
    {TW_ERR_BACKEND, false},
    {TW_ERR_IO, false},
    {TW_ERR_TOKEN_ABSENT, false},
    {TW_ERR_TOKEN_PIN, false},
    {TW_ERR_TOKEN_BUSY, false},
    {TW_ERR_TOKEN_POLICY, false},
    {TW_ERR_TOKEN_FAILED, false},
    {TW_ERR_FORMAT, true},
    {TW_ERR_KEY, true},
    {TW_ERR_AUTH, true},
    {TW_ERR_TRUNCATED, true},
    {TW_ERR_LIMIT, true},
};

#define CODES (sizeof(codes) / sizeof(codes[0]))

Test(error, every_code_has_a_sentence_of_its_own)
{
    const char *unknown = tw_strerror((tw_err)-999);

    must(unknown != NULL);
    for (size_t i = 0; i < CODES; i++) {
        const char *sentence = tw_strerror(codes[i].err);

        must(sentence != NULL && strlen(sentence) > 6);
        must(strcmp(sentence, unknown) != 0);
        for (size_t j = 0; j < i; j++) {
            must(strcmp(sentence, tw_strerror(codes[j].err)) != 0);
        }
    }
}

Test(error, an_unknown_code_has_a_sentence_and_blames_nobody)
{
    must(tw_strerror((tw_err)1) != NULL);
    must(tw_strerror((tw_err)-25) != NULL);
    must(!tw_err_is_peer((tw_err)1));
    must(!tw_err_is_peer((tw_err)-25));
    must(!tw_err_is_peer((tw_err)-999));
}

Test(error, only_the_last_group_is_the_peers_fault)
{
    for (size_t i = 0; i < CODES; i++) {
        check_note("for %s", err_name(codes[i].err));
        must(tw_err_is_peer(codes[i].err) == codes[i].peer);
    }
}

Test(error, the_running_version_is_that_of_the_header)
{
    char expected[32];

    (void)snprintf(expected, sizeof(expected), "%d.%d.%d", TW_VERSION_MAJOR, TW_VERSION_MINOR,
                   TW_VERSION_PATCH);
    must(strcmp(tw_version(), expected) == 0);
}
