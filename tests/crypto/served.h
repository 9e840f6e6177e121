/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVED_H
#define TESTS_SERVED_H

#include <twoway/kem.h>

#include "peers.h"

/*
 * All that the library does, by one provider's services: keys made, read and written,
 * messages of each kind, whole and chunked, every mode of HPKE.
 */
void must_be_served(const tw_provider *provider, triple t);

/* must_not_be_served says that the provider has no such suite, and that libcrypto's error
 * queue says which algorithm it was that nobody offered under the query. */
void must_not_be_served(const tw_provider *provider, triple t, const char *algorithm);

#endif
