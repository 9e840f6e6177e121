/* SPDX-License-Identifier: Apache-2.0 */

/* A file that is written must be no other file of the same command: renaming over a
 * key, or storing an exchange where the message then goes, would lose what nothing can
 * make again. Only IN may be named by -o, as it has been read when that is replaced.
 * Two files that are read may be one, unless that can be read only once. */

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <p11-kit/uri.h>

#include "cli.h"

enum { FIXED_PLACES = 15 }; /* those that are not counted by --to */

typedef struct place {
    const char *option;
    char *path;
    const char *name; /* "" for a file that is there, else its name in the folder below */
    dev_t device;
    ino_t inode;
    int descriptor; /* that was open before, else -1 */
    bool writes;
    bool comparable; /* a regular file, or none yet in a folder that is there */
} place;

typedef struct places {
    place *items;
    size_t count;
    bool failed; /* no memory */
} places;

/* False for want of memory. */
static bool stat_folder(place *p, struct stat *st)
{
    char *copy = strdup(p->path);

    p->comparable = copy != NULL && stat(dirname(copy), st) == 0;
    free(copy);
    return copy != NULL;
}

/* A file is known by its inode, one that is yet to be made by its folder's and its name. */
static bool identify(place *p)
{
    const char *slash = strrchr(p->path, '/');
    struct stat st;

    p->name = "";
    p->descriptor = standard_descriptor(p->path);
    if (stat(p->path, &st) == 0) {
        p->comparable = S_ISREG(st.st_mode);
    } else if (errno == ENOENT) {
        p->name = slash != NULL ? slash + 1 : p->path;
        if (!stat_folder(p, &st)) {
            return false;
        }
    }
    if (p->comparable) {
        p->device = st.st_dev;
        p->inode = st.st_ino;
    }
    return true;
}

/* Takes `path`, which is NULL when there was no memory for it. */
static void add_owned(places *all, const char *option, char *path, bool writes)
{
    place p = {.option = option, .path = path, .writes = writes};

    if (path == NULL) {
        all->failed = true;
        return;
    }
    if (!identify(&p)) {
        all->failed = true;
    }
    all->items[all->count++] = p;
}

static void add(places *all, const char *option, const char *path, bool writes)
{
    if (path != NULL) {
        add_owned(all, option, strdup(path), writes);
    }
}

static bool is_pin_file(const char *source)
{
    return source != NULL && strcmp(source, "ask") != 0 && strncmp(source, "env:", 4) != 0;
}

/* What is read for a URI's pin-source (RFC 7512 section 2.4); some other path for one that will be
 * refused. */
static char *source_path(const char *source)
{
    const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
    char *path = NULL;

    if (folder != NULL && strncmp(source, "credential:", 11) == 0) {
        return asprintf(&path, "%s/%s", folder, source + 11) < 0 ? NULL : path;
    }
    if (strncmp(source, "file://localhost/", 17) == 0) {
        return strdup(source + 16);
    }
    return strdup(strncmp(source, "file:", 5) == 0 ? source + 5 : source);
}

/* Another name than a whole path is looked up in p11-kit's own folder. */
static void add_module(places *all, const char *option, const char *path)
{
    add(all, option, path != NULL && path[0] == '/' ? path : NULL, false);
}

/* What does not parse is told of by what opens it; p11-kit has one code for a name in capitals and
 * for no memory, so neither is decided here. */
static void add_uri(places *all, const char *text)
{
    P11KitUri *uri;
    const char *source = NULL, *value;

    if (text == NULL || !is_uri(text)) {
        return;
    }
    uri = p11_kit_uri_new();
    if (uri == NULL) {
        all->failed = true;
        return;
    }
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK) {
        source = p11_kit_uri_get_pin_source(uri);
        add_module(all, "module-path", p11_kit_uri_get_module_path(uri));
    }
    if (source != NULL) {
        add_owned(all, "pin-source", source_path(source), false);
    }
    value = p11_kit_uri_get_pin_value(uri);
    if (value != NULL) {
        tw_wipe((char *)(uintptr_t)value, strlen(value)); /* p11-kit does not */
    }
    p11_kit_uri_free(uri);
}

static void add_many(places *all, const options *o)
{
    for (size_t i = 0; i < o->to_count; i++) {
        add_owned(all, "--encap", encap_path(o, i), true);
        if (o->exchange != NULL) {
            add_owned(all, "--exchange", state_path(o, i), true);
        }
    }
}

static const char standard_output[] = "standard output";

static void collect(places *all, const options *o)
{
    const bool many = o->verb->bit == VERB_REQUEST && o->encap != NULL;
    const bool prints =
        o->output == NULL || (o->token != NULL && standard_descriptor(o->output) < 0);

    add(all, "-o", o->output, true);
    add(all, standard_output, prints ? "/dev/stdout" : NULL, true);
    add(all, "IN", o->input == NULL && o->verb->takes_input ? "/dev/stdin" : o->input, false);
    add(all, "--key", o->key != NULL && !is_uri(o->key) ? o->key : NULL, false);
    add(all, "--public", o->public_file, false);
    add(all, "--certificate", o->certificate, false);
    add(all, "--config", o->config, false);
    add(all, "--pin-source", is_pin_file(o->pin_source) ? o->pin_source : NULL, false);
    add_module(all, "--module", o->module);
    add_uri(all, o->key);
    add_uri(all, o->token);
    for (size_t i = 0; i < o->to_count; i++) {
        add(all, "--to", o->to[i], false);
    }
    if (many) {
        add_many(all, o);
        return;
    }
    add(all, "--encap", o->encap, false);
    add(all, "--exchange", o->exchange, (o->verb->bit & (VERB_REQUEST | VERB_ACCEPT)) != 0);
}

/* On one descriptor that was open before two outputs would mix, whatever is behind it, and of two
 * inputs the second would get what the first left: nothing, mostly. */
static bool share_descriptor(const place *a, const place *b)
{
    return a->writes == b->writes && a->descriptor >= 0 && a->descriptor == b->descriptor;
}

static bool clash(const place *a, const place *b)
{
    const bool is_output = strcmp(a->option, "-o") == 0 || a->option == standard_output;

    if (share_descriptor(a, b)) {
        return true;
    }
    return (a->writes || b->writes) && !(is_output && strcmp(b->option, "IN") == 0) &&
           a->comparable && b->comparable && a->device == b->device && a->inode == b->inode &&
           strcmp(a->name, b->name) == 0;
}

static int compare(const places *all)
{
    for (size_t i = 0; i < all->count; i++) {
        for (size_t j = i + 1; j < all->count; j++) {
            const place *a = &all->items[i], *b = &all->items[j];

            /* The path of --pin-source may be a PIN that someone typed there. */
            if (clash(a, b) && !a->writes && !b->writes) {
                return usage_error("expected different inputs for %s and %s, came one for both, "
                                   "where IN absent is standard input",
                                   a->option, b->option);
            }
            if (clash(a, b)) {
                return usage_error("expected different files for %s and %s, came one for both",
                                   a->writes ? a->option : b->option,
                                   a->writes ? b->option : a->option);
            }
        }
    }
    return EX_OK;
}

int paths_apart(const options *o)
{
    places all = {.items = calloc(FIXED_PLACES + 3 * o->to_count, sizeof(*all.items))};
    int status;

    if (all.items == NULL) {
        return fail_tw(TW_ERR_MEMORY, ABOUT_WORK, o->verb->name);
    }
    collect(&all, o);
    status = all.failed ? fail_tw(TW_ERR_MEMORY, ABOUT_WORK, o->verb->name) : compare(&all);
    for (size_t i = 0; i < all.count; i++) {
        free(all.items[i].path);
    }
    free(all.items);
    return status;
}
