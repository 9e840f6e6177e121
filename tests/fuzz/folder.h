/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

/* A folder of the process's own, which it works in: what stands there is known, and put back
 * after each run of the command. It goes when the process ends. */

#include "support/bytes.h"

/* folder_enter makes the folder and goes there; folder_keep calls all that is there now known. */
void folder_enter(void);
void folder_keep(void);

/* folder_same fails the target unless everything is as it was; folder_restore makes it so. */
void folder_same(void);
void folder_restore(void);

void folder_write(const char *name, bytes content);
bytes folder_read(const char *name);

#endif
