/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs a target without libFuzzer: over every seed of a directory, over the seed
 * cut at each byte, with each byte altered, and with one byte more.
 *
 *   replay-TARGET DIRECTORY [STEP]    where that is slow, only at each STEP-th byte
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "support/check.h"

#define MAX_SEED 65536

static bytes read_file(const char *directory, const char *name)
{
    bytes content = bytes_new(MAX_SEED);
    char path[4096];
    FILE *file;

    must(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    file = fopen(path, "rb");
    must(file != NULL);
    content = bytes_of(content.data, fread(content.data, 1, content.len, file));
    must(ferror(file) == 0 && content.len < MAX_SEED);
    (void)fclose(file);
    return content;
}

static void run(bytes input)
{
    (void)LLVMFuzzerTestOneInput(input.data, input.len);
}

static size_t replay(const char *directory, const char *name, size_t step)
{
    bytes seed = read_file(directory, name);
    size_t runs = 2;

    check_note("in seed %s", name);
    run(seed);
    for (size_t i = 0; i < seed.len; i += step, runs += 2) {
        check_note("in seed %s cut to %zu bytes", name, i);
        run(bytes_of(seed.data, i));
        check_note("in seed %s with byte %zu altered", name, i);
        seed.data[i] ^= 0x41;
        run(seed);
        seed.data[i] ^= 0x41;
    }
    check_note("in seed %s with a byte more", name);
    run(bytes_cat(seed, bytes_of("", 1)));
    return runs;
}

int main(int argc, char *argv[])
{
    DIR *directory = argc >= 2 ? opendir(argv[1]) : NULL;
    size_t step = argc >= 3 ? strtoul(argv[2], NULL, 10) : 1;
    const struct dirent *entry;
    size_t seeds = 0;
    size_t runs = 0;

    if (directory == NULL || step == 0) {
        (void)fprintf(stderr, "usage: %s DIRECTORY [STEP]\n", argv[0]);
        return 64;
    }
    while ((entry = readdir(directory)) != NULL) {
        size_t mark = bytes_mark();

        if (entry->d_name[0] != '.') {
            runs += replay(argv[1], entry->d_name, step);
            seeds++;
        }
        bytes_release(mark);
    }
    (void)closedir(directory);
    (void)printf("%zu seeds, %zu inputs\n", seeds, runs);
    return seeds > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
