/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *file, int line, const char *text)
{
    (void)fprintf(stderr, "%s:%d: %s %s\n", file, line, text, check_note_text());
    abort();
}
