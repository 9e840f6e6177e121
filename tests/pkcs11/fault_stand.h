/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FAULT_STAND_H
#define TESTS_FAULT_STAND_H

/* SoftHSM behind the fault module, whose scripts fault/fault.h explains. */

#include "stand.h"

void fault_softhsm(stand *s);

/* fault_script replaces the script; it holds from the module's next call on. */
__attribute__((format(printf, 2, 3))) void fault_script(const stand *s, const char *format, ...);

/* fault_count is the module's fault_tally: since the process began. */
size_t fault_count(const char *what);

/* fault_clean fails the test if the module saw it used as it must not be, or a session or
 * an object left. Whatever a test does on purpose is named in `but`, NULL for nothing. */
void fault_clean(const char *but);

#endif
