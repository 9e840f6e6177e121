/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

/* Making the seeds: a function for each kind of input, and where they go. */

#include "support/bytes.h"

void write_seed(const char *target, const char *name, bytes content);

void message_seeds(void); /* sealed, opener, response, multi */
void stored_seeds(void);  /* config, exchange */
void key_seeds(void);     /* pem, encoding */
void command_seeds(void);
void token_seeds(void);

#endif
