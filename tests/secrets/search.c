/* SPDX-License-Identifier: Apache-2.0 */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "check.h"
#include "seam.h"

#define FAR 65536

enum { LISTED = 64 };

/* Shared with the scenes' processes: what was found where it may be. */
static struct list {
    char lines[LISTED][120];
    size_t count, failed, searches;
} * list;

static const char *scene_name;

__attribute__((constructor)) static void start(void)
{
    list = mmap(NULL, sizeof(*list), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(list != MAP_FAILED);
    vault_aside("libcrypto's stack", seam_stack, sizeof(seam_stack), NULL);
}

/* --- What the seam says. ------------------------------------------------------------------ */

bool seam_give(const char *what, const void *data, size_t len)
{
    if (strcmp(what, "AEAD key") == 0) {
        secret_add(what, data, len);
    }
    return secret_in(data, len);
}

void seam_returned(void)
{
}

void seam_take(const char *what, const void *data, size_t len)
{
    secret_add(what, data, len);
}

/* --- Looking. ------------------------------------------------------------------------------ */

static bool is_listed(const finding *f)
{
    return strncmp(f->place, "libcrypto's ", 12) == 0 || strncmp(f->place, "the token's ", 12) == 0;
}

/* Whether a name is one of those in a list apart by blanks, '_' in the place of its own. */
static bool is_allowed(const finding *f, const char *allowed)
{
    char name[42];

    (void)snprintf(name, sizeof(name), "%s", f->secret);
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == ' ' ? '_' : *c;
    }
    for (const char *at = strstr(allowed, name); at != NULL; at = strstr(at + 1, name)) {
        char after = at[strlen(name)];

        if ((at == allowed || at[-1] == ' ') && (after == ' ' || after == '\0')) {
            return strcmp(f->place, "heap") == 0;
        }
    }
    return false;
}

static void list_finding(const finding *f)
{
    char line[sizeof(list->lines[0])];

    (void)snprintf(line, sizeof(line), "%s: %s", f->place, f->secret);
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->lines[i], line) == 0) {
            return;
        }
    }
    if (list->count < LISTED) {
        memcpy(list->lines[list->count++], line, sizeof(line));
    }
}

/* libcrypto's generators keep what they drew last of a block until they draw again. */
static void draw_again(void)
{
    unsigned char drawn[71];
    const seam_word args[8] = {(seam_word)(uintptr_t)drawn, sizeof(drawn)};

    must(seam_elsewhere(seam_stack, sizeof(seam_stack), (void *)RAND_priv_bytes, args) == 1);
    must(seam_elsewhere(seam_stack, sizeof(seam_stack), (void *)RAND_bytes, args) == 1);
}

void check_held(const char *file, int line, const char *step, const char *allowed)
{
    const finding *found = NULL;
    size_t count, wrong = 0;

    draw_again();
    count = secrets_search(&found);

    list->searches++;
    for (size_t i = 0; i < count && i < FINDINGS; i++) {
        if (is_listed(&found[i])) {
            list_finding(&found[i]);
        } else if (!is_allowed(&found[i], allowed)) {
            (void)fprintf(stderr, "%s:%d: %s: after %s: %s is in the %s, %zu blocks from %p\n",
                          file, line, scene_name, step, found[i].secret, found[i].place,
                          found[i].blocks, (void *)found[i].first);
            wrong++;
        }
    }
    if (wrong > 0) {
        list->failed++;
    }
}

__attribute__((noinline)) void deep(void (*fn)(void *arg), void *arg)
{
    volatile char between[FAR];

    between[0] = 0;
    fn(arg);
    between[1] = between[0]; /* no tail call */
}

bytes held(size_t len)
{
    return (bytes){vault_new(len), len};
}

bytes held_secret(const char *name, size_t len)
{
    return (bytes){vault_random(name, len), len};
}

/* --- Scenes. ------------------------------------------------------------------------------- */

static size_t scenes, scenes_failed;

void scene(const char *name, void (*fn)(const void *arg), const void *arg)
{
    size_t failed = list->failed;
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        scene_name = name;
        must(freopen("/dev/null", "w", stdout) != NULL);
        fn(arg);
        (void)fflush(NULL);
        _exit(EXIT_SUCCESS);
    }
    must(waitpid(child, &status, 0) == child);
    scenes++;
    if (status != 0 || list->failed != failed) {
        (void)fprintf(stderr, "FAILED: %s (status 0x%x)\n", name, (unsigned)status);
        scenes_failed++;
    }
}

int scenes_end(void)
{
    printf("%zu searches\n", list->searches);
    for (size_t i = 0; i < list->count; i++) {
        printf("left in %s\n", list->lines[i]);
    }
    printf("%zu passed, %zu failed\n", scenes - scenes_failed, scenes_failed);
    return scenes_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
