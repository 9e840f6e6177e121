/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#define TEXT_OF(x) #x
#define NUMBER(x)  TEXT_OF(x)

const char *tw_strerror(tw_err err)
{
    switch (err) {
    case TW_OK:
        return "success";
    case TW_ERR_INVALID:
        return "an argument is out of range";
    case TW_ERR_STATE:
        return "the operation is not allowed in this state";
    case TW_ERR_SPACE:
        return "the output buffer is too small";
    case TW_ERR_MEMORY:
        return "out of memory";
    case TW_ERR_RANDOM:
        return "no random bytes could be had";
    case TW_ERR_CRYPTO:
        return "the cryptographic library refused an operation";
    case TW_ERR_BACKEND:
        return "an injected suite, KEM or key failed";
    case TW_ERR_IO:
        return "reading or writing failed";
    case TW_ERR_TOKEN_ABSENT:
        return "the module, slot, token or key was not found";
    case TW_ERR_TOKEN_PIN:
        return "the PIN is missing, wrong or locked";
    case TW_ERR_TOKEN_BUSY:
        return "no session with the token became free in time";
    case TW_ERR_TOKEN_POLICY:
        return "the token does not permit this with this key";
    case TW_ERR_TOKEN_FAILED:
        return "the token failed";
    case TW_ERR_FORMAT:
        return "the input is malformed";
    case TW_ERR_KEY:
        return "the key id or suite is not served here, or a public key is bad";
    case TW_ERR_AUTH:
        return "the message did not authenticate";
    case TW_ERR_TRUNCATED:
        return "the input ended too early";
    case TW_ERR_LIMIT:
        return "a size or counter limit was reached";
    }
    return "unknown error";
}

bool tw_err_is_peer(tw_err err)
{
    return err <= TW_ERR_FORMAT && err >= TW_ERR_LIMIT;
}

const char *tw_version(void)
{
    return NUMBER(TW_VERSION_MAJOR) "." NUMBER(TW_VERSION_MINOR) "." NUMBER(TW_VERSION_PATCH);
}
