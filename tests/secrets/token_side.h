/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOKEN_SIDE_H
#define TESTS_TOKEN_SIDE_H

/* token_apart gives the token behind module.c a stack and a heap of its own, which are set
 * aside (vault.h), and learns what it hands out of secrets. Before the first scene. */
void token_apart(void);

#endif
