/* SPDX-License-Identifier: Apache-2.0 */
#include "interop.h"
void oddities_all(run *r)
{
    (void)r;
}
