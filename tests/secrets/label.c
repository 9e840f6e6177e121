/* SPDX-License-Identifier: Apache-2.0 */
#include "label.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

void label_alone(const void *text, size_t len, char label[LABEL_LEN])
{
    const unsigned char *at = text;

    for (size_t i = 0; i < len; i++) {
        if (!isprint(at[i])) {
            return;
        }
    }
    if (len > 1 && len < LABEL_LEN && memcmp(text, "HPKE", 4) != 0) {
        memcpy(label, text, len);
        label[len] = '\0';
    }
}

void label_within(const void *text, size_t len, char label[LABEL_LEN])
{
    static const char *const labels[] = {
        "secret",        "sec",       "key",     "base_nonce", "nonce",       "exp",      "eae_prk",
        "shared_secret", "info_hash", "dkp_prk", "sk",         "psk_id_hash", "candidate"};
    const unsigned char *at = text, *end = at + len, *version = memmem(text, len, "HPKE-v1", 7);

    if (version != NULL) {
        at = version + 7; /* there is more: a suite's id, and a label */
        at += memcmp(at, "KEM", 3) == 0 ? 5 : 10;
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        size_t label_len = strlen(labels[i]);

        if (end - at >= (ptrdiff_t)label_len && memcmp(at, labels[i], label_len) == 0) {
            label_alone(at, label_len, label);
            return;
        }
    }
}
