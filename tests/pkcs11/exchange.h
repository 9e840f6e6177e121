/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EXCHANGE_H
#define TESTS_EXCHANGE_H

#include <twoway/kem.h>

/* exchange_all sends requests, responses and one-to-many messages to `key`, whole and
 * chunked, of 0 to `largest` bytes; exchange_suites some with every KDF and AEAD. */
void exchange_all(const tw_key *key, uint16_t kem_id, size_t largest);
void exchange_suites(const tw_key *key, uint16_t kem_id);

#endif
