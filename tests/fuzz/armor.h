/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_ARMOR_H
#define TESTS_FUZZ_ARMOR_H

/* The input of `pem`: a byte for the label, modulo ARMORS; then DER that is put under that
 * label, or with ARMOR_NONE the text itself. It is read as a private key, or from ARMOR_AS_PUBLIC
 * on as a public one. */

#include "support/bytes.h"

typedef enum armor {
    ARMOR_NONE,
    ARMOR_PRIVATE,
    ARMOR_EC_PRIVATE,
    ARMOR_PUBLIC,
    ARMOR_ENCRYPTED,
    ARMOR_EC_PARAMETERS,
    ARMOR_CERTIFICATE,
    ARMORS,
} armor;

#define ARMOR_AS_PUBLIC (128 / ARMORS * ARMORS)

#endif
