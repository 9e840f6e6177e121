/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <criterion/criterion.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *file, int line, const char *text)
{
    cr_assert_fail("%s:%d: %s %s", file, line, text, check_note_text());
    abort(); /* cr_assert_fail has left the test already */
}
