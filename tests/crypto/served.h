/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include <twoway/kem.h>

#include "peers.h"

/*
 * All that the library does, by one provider's services: keys made, read and written,
 * messages of each kind, whole and chunked, a key set, every mode of HPKE.
 */
void must_be_served(const tw_provider *provider, triple t);

/* must_be_named says that libcrypto's error queue has this algorithm beside the query. */
void must_be_named(const char *algorithm, const tw_provider *provider);

/* must_not_be_served says that the provider has no such suite, and that the error
 * names the algorithm that nobody offered under the query. */
void must_not_be_served(const tw_provider *provider, triple t, const char *algorithm);

#endif
