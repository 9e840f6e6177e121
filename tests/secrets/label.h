/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LABEL_H
#define TESTS_LABEL_H

/* The name of what a hash gives, out of the text that it is fed. Without one, `label` stays. */

#include <stddef.h>

#define LABEL_LEN 40

/* Where the text is a piece of its own. */
void label_alone(const void *text, size_t len, char label[LABEL_LEN]);

/* Where an HMAC's pieces come in one: behind the suite's id, RFC 9180 section 4, or at the
 * beginning, RFC 9458 section 4.4. */
void label_within(const void *text, size_t len, char label[LABEL_LEN]);

#endif
