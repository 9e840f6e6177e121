/* SPDX-License-Identifier: Apache-2.0 */
#include "seeds.h"

#include <stdio.h>
#include <string.h>

#include "script.h"

#define ALL (SCRIPT_LIST | SCRIPT_GENERATE | SCRIPT_USE | SCRIPT_AUTH)

static void token_seed(const char *name, unsigned like, unsigned second, unsigned doing,
                       const char *uri, bytes calls)
{
    const uint8_t start[] = {(uint8_t)like, (uint8_t)second, (uint8_t)doing};
    const uint8_t len = (uint8_t)strlen(uri);
    bytes all = bytes_of(start, sizeof(start));

    if (second >= SCRIPT_URI) {
        all = bytes_cat(bytes_cat(all, bytes_of(&len, 1)), bytes_text(uri));
    }
    write_seed("token", name, bytes_cat(all, calls));
}

/* Tokens of all kinds, of which all is true. */
static void honest_tokens(void)
{
    static const struct {
        const char *name;
        unsigned like, second, doing;
    } tokens[] = {
        {"honest", 0, 0, ALL},
        {"honest-p256", 0, 1, ALL},
        {"check", 0, 0, SCRIPT_CHECK},
        {"check-never-export", SCRIPT_NEVER_EXPORT | SCRIPT_HASHES_KEYS, 0, SCRIPT_CHECK},
        {"odd-label", 0, 0, ALL | SCRIPT_ODD},
        {"hkdf", SCRIPT_KEEPS_DH | SCRIPT_RUNS_HKDF, 0, ALL},
        {"digest", SCRIPT_KEEPS_DH | SCRIPT_HASHES_KEYS, 1, ALL},
        {"keeps-all", SCRIPT_KEEPS_DH, 0, ALL},
        {"never-export", SCRIPT_NEVER_EXPORT | SCRIPT_HASHES_KEYS, 0, ALL},
        {"given", SCRIPT_NO_PUBLIC, 1, ALL | SCRIPT_GIVEN},
        {"no-public", SCRIPT_NO_PUBLIC, 0, ALL},
        {"each-login", SCRIPT_EACH_LOGIN, 0, ALL},
        {"der-alone", SCRIPT_DER_ALONE, 1, ALL},
        {"wrong-pin", SCRIPT_WRONG_PIN, 0, ALL},
    };

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        token_seed(tokens[i].name, tokens[i].like, tokens[i].second, tokens[i].doing, "",
                   bytes_new(0));
    }
}

/* One call of many fails, or lies. */
static void one_call(const char *what, size_t place, const uint8_t *how, size_t how_len)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s-%zu", what, place);
    token_seed(name, 0, 0, SCRIPT_USE, "", bytes_cat(bytes_new(place), bytes_of(how, how_len)));
}

/* A logout of someone else's, and then a refusal of what was the PIN until now. */
static void pin_refused(size_t place, size_t later)
{
    static const uint8_t logout[] = {12}, refusal[] = {18};
    const bytes calls = bytes_cat(bytes_new(place), bytes_of(logout, 1));
    char name[64];

    (void)snprintf(name, sizeof(name), "pin-refused-%zu", place);
    token_seed(name, 0, 0, SCRIPT_USE | SCRIPT_AUTH, "",
               bytes_cat(bytes_cat(calls, bytes_new(later)), bytes_of(refusal, 1)));
}

void token_seeds(void)
{
    uint8_t flips[37];
    static const uint8_t error[] = {2}, session[] = {9}, removed[] = {6}, memory[] = {4};
    static const uint8_t number[] = {SCRIPT_LIES, LIE_MOST}, more[] = {SCRIPT_LIES, LIE_MORE},
                         filled[] = {SCRIPT_LIES, LIE_FILL, 0xff, LIE_FILL, 0};

    memset(flips, 0x8b, sizeof(flips));
    honest_tokens();
    pin_refused(40, 5);
    pin_refused(42, 5);
    pin_refused(44, 6);
    token_seed("uri", 0, SCRIPT_URI, SCRIPT_USE, "token=pretend;object=k?pin-value=3141592-pretend",
               bytes_new(0));
    token_seed("uri-encoded", 0, SCRIPT_URI, SCRIPT_LIST,
               "token=pre%74end;id=%01;serial=0001;slot-id=7?module-name=x", bytes_new(0));
    token_seed("uri-wrong", 0, SCRIPT_URI, SCRIPT_LIST, "token=pretend;pin-value=1", bytes_new(0));
    token_seed("odd-label-error", 0, 0, SCRIPT_USE | SCRIPT_ODD, "",
               bytes_cat(bytes_new(40), bytes_of(memory, sizeof(memory))));
    token_seed("flipped", SCRIPT_KEEPS_DH | SCRIPT_DER_ALONE | SCRIPT_NEVER_EXPORT, 0,
               SCRIPT_LIST | SCRIPT_GENERATE | SCRIPT_USE, "",
               bytes_cat(bytes_of(flips, sizeof(flips)), bytes_hex("616100000d")));
    for (size_t place = 4; place < 70; place += 11) {
        one_call("error", place, error, sizeof(error));
        one_call("session", place + 1, session, sizeof(session));
        one_call("removed", place + 2, removed, sizeof(removed));
        one_call("number", place + 3, number, sizeof(number));
        one_call("more", place + 4, more, sizeof(more));
        one_call("filled", place + 5, filled, sizeof(filled));
    }
}
