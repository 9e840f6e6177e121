/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes the seeds that are kept beside this file, always the same ones:
 *
 *   fuzz-seeds DIRECTORY    writes DIRECTORY/TARGET/NAME
 */

#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/check.h"

static const char *root;

void write_seed(const char *target, const char *name, bytes content)
{
    char path[4096];
    FILE *file;

    must(snprintf(path, sizeof(path), "%s/%s", root, target) < (int)sizeof(path));
    (void)mkdir(path, 0777);
    must(snprintf(path, sizeof(path), "%s/%s/%s", root, target, name) < (int)sizeof(path));
    file = fopen(path, "wb");
    must(file != NULL);
    must(fwrite(content.data, 1, content.len, file) == content.len);
    must(fclose(file) == 0);
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 64;
    }
    root = argv[1];
    message_seeds();
    stored_seeds();
    key_seeds();
    command_seeds();
    token_seeds();
    bytes_release(0);
    return EXIT_SUCCESS;
}
