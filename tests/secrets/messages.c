/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation with software keys: what is left of their secrets, after each and after
 * every free. */
#include <stdio.h>

#include "stage.h"

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(const void *arg);
    } scenes[] = {{"keys", keys},
                  {"whole", whole},
                  {"chunked", chunked},
                  {"given up", given_up},
                  {"one to many", one_to_many},
                  {"hpke", hpke},
                  {"pump", pump},
                  {"threads", threads}};

    for (size_t i = 0; settings[i].name != NULL; i++) {
        for (size_t j = 0; j < sizeof(scenes) / sizeof(scenes[0]); j++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "%s, %s", scenes[j].name, settings[i].name);
            scene(name, scenes[j].run, &settings[i]);
        }
    }
    return scenes_end();
}
