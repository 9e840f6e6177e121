/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"

#define MOST_FILES 32
#define MOST_BYTES 65536

/* What is known. Who looks into a file looks at its times first. */
typedef struct known {
    char name[32];
    struct stat seen;
    uint8_t *data;
    size_t len;
} known;

static char place[128];
static known files[MOST_FILES];
static size_t count;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void leave(void)
{
    for (size_t i = 0; i < count; i++) {
        free(files[i].data);
    }
    (void)nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void folder_enter(void)
{
    const char *base = getenv("TMPDIR");

    must(snprintf(place, sizeof(place), "%s/twoway-fuzz-XXXXXX", base == NULL ? "/tmp" : base) <
         (int)sizeof(place));
    must(mkdtemp(place) != NULL);
    must(atexit(leave) == 0);
    must(chdir(place) == 0);
}

void folder_write(const char *name, bytes content)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0);
    must(write(fd, content.data, content.len) == (ssize_t)content.len);
    must(close(fd) == 0);
}

bytes folder_read(const char *name)
{
    bytes room = bytes_new(MOST_BYTES);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t len;

    must(fd >= 0);
    len = read(fd, room.data, room.len);
    must(len >= 0 && (size_t)len < room.len);
    must(close(fd) == 0);
    return bytes_part(room, 0, (size_t)len);
}

static known *find(const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

static const char *next_name(DIR *folder)
{
    const struct dirent *entry;

    do {
        entry = readdir(folder);
    } while (entry != NULL &&
             (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry == NULL ? NULL : entry->d_name;
}

void folder_keep(void)
{
    DIR *folder = opendir(".");
    const char *name;

    must(folder != NULL);
    while ((name = next_name(folder)) != NULL) {
        known *k = &files[count++];
        bytes content = folder_read(name);

        must(count < MOST_FILES && strlen(name) < sizeof(k->name));
        (void)snprintf(k->name, sizeof(k->name), "%s", name);
        k->data = malloc(content.len + 1);
        must(k->data != NULL);
        memcpy(k->data, content.data, content.len);
        k->len = content.len;
        must(stat(name, &k->seen) == 0);
    }
    must(closedir(folder) == 0);
}

/* Whether the file is the one that is known, or has at least its mode and content. */
static bool is_same(const known *k)
{
    struct stat now;

    if (lstat(k->name, &now) != 0 || !S_ISREG(now.st_mode)) {
        return false;
    }
    if (now.st_ino == k->seen.st_ino && now.st_mtim.tv_sec == k->seen.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == k->seen.st_mtim.tv_nsec) {
        return true;
    }
    return now.st_mode == k->seen.st_mode &&
           bytes_equal((bytes){k->data, k->len}, folder_read(k->name));
}

void folder_same(void)
{
    DIR *folder = opendir(".");
    const char *name;
    size_t seen = 0;

    must(folder != NULL);
    while ((name = next_name(folder)) != NULL) {
        const known *k = find(name);

        check_note("(the file %s)", name);
        must(k != NULL && is_same(k));
        seen++;
    }
    must(closedir(folder) == 0);
    must_size(count, seen);
    check_note("%s", "");
}

void folder_restore(void)
{
    DIR *folder = opendir(".");
    const char *name;

    must(folder != NULL);
    while ((name = next_name(folder)) != NULL) {
        if (find(name) == NULL) {
            must(nftw(name, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
        }
    }
    must(closedir(folder) == 0);
    for (size_t i = 0; i < count; i++) {
        if (!is_same(&files[i])) {
            (void)unlink(files[i].name);
            folder_write(files[i].name, (bytes){files[i].data, files[i].len});
            must(chmod(files[i].name, files[i].seen.st_mode & 0777) == 0);
            must(stat(files[i].name, &files[i].seen) == 0);
        }
    }
}
