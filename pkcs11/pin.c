/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* secure_getenv */

#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool twp_pin_given(const settings *s, const token_uri *u)
{
    return s->pin != NULL || u->pin_value != NULL ||
           (u->uri != NULL && p11_kit_uri_get_pin_source(u->uri) != NULL);
}

bool twp_pin_asked(const settings *s, const token_uri *u)
{
    return s->pin != NULL &&
           (s->pin_first || (p11_kit_uri_get_pin_source(u->uri) == NULL && u->pin_value == NULL));
}

/* What systemd puts there for a service (systemd.exec(5), LoadCredential=) is named alone. */
static tw_err credential_path(const char *name, char path[PATH_MAX], failure *why)
{
    const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
        return twp_fail_text(why, TW_ERR_INVALID,
                             "pin-source=credential: must go on with a credential's name");
    }
    if (folder == NULL) {
        return twp_fail_text(why, TW_ERR_TOKEN_PIN,
                             "there is no credential %s, for CREDENTIALS_DIRECTORY is not set: add "
                             "LoadCredential= to the unit",
                             name);
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) {
        return twp_fail_text(why, TW_ERR_TOKEN_PIN, "CREDENTIALS_DIRECTORY is too long");
    }
    return TW_OK;
}

/* RFC 7512 section 2.4: a file URI or, as everyone writes it, a path. A leading '|'
 * names a command, which a name of a key has no business to run. */
static const char *source_path(const char *source)
{
    if (source[0] == '|') {
        return NULL;
    }
    if (strncmp(source, "file://localhost/", 17) == 0) {
        return source + 16;
    }
    if (strncmp(source, "file://", 7) == 0) {
        return source[7] == '/' ? source + 7 : NULL; /* another host's */
    }
    if (strncmp(source, "file:", 5) == 0) {
        return source + 5;
    }
    return source;
}

/* Reads the whole file, or says why not. One byte more than fits tells a PIN that is
 * too long from one that just fits with its line ending. */
static tw_err read_file(int fd, char *buf, size_t cap, size_t *len)
{
    *len = 0;
    while (*len < cap) {
        ssize_t got = read(fd, buf + *len, cap - *len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return TW_ERR_IO;
        }
        if (got == 0) {
            break;
        }
        *len += (size_t)got;
    }
    return TW_OK;
}

static void cut_line_ending(const char *buf, size_t *len)
{
    if (*len > 0 && buf[*len - 1] == '\n') {
        (*len)--;
        if (*len > 0 && buf[*len - 1] == '\r') {
            (*len)--;
        }
    }
}

/* The group may be the one that a service runs in, or stand for an access list. */
static tw_err open_file(const char *path, int *fd, pin_facts *facts, failure *why)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (*fd < 0) {
        /* Someone may have taken it for the PIN's own place. */
        return twp_fail_text(why, TW_ERR_TOKEN_PIN, "cannot open the PIN file %s: %s",
                             strchr(path, '/') != NULL ? path : "that pin-source= names",
                             strerror(errno)); /* NOLINT(*-mt-unsafe): glibc's and musl's is safe */
    }
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
        facts->open_to_all = (st.st_mode & S_IRWXO) != 0;
        return TW_OK;
    }
    close(*fd);
    /* It is read again at every login, which nothing but a file serves. */
    return twp_fail_text(why, TW_ERR_TOKEN_PIN, "the PIN file %s is not a regular file", path);
}

/* What is more than a line is another file, and would cost one of the PIN's tries. */
static bool is_line(const char *text, size_t len)
{
    return memchr(text, '\n', len) == NULL && memchr(text, '\r', len) == NULL &&
           memchr(text, '\0', len) == NULL;
}

static tw_err from_file(const char *path, char buf[TW_TOKEN_MAX_PIN], size_t *len, pin_facts *facts,
                        failure *why)
{
    char raw[TW_TOKEN_MAX_PIN + 3]; /* "\r\n" and one too many */
    size_t raw_len = 0;
    tw_err err;
    int fd;

    err = open_file(path, &fd, facts, why);
    if (err != TW_OK) {
        return err;
    }
    if (read_file(fd, raw, sizeof(raw), &raw_len) != TW_OK) {
        err = twp_fail_text(why, TW_ERR_TOKEN_PIN, "cannot read the PIN file %s: %s", path,
                            strerror(errno)); /* NOLINT(*-mt-unsafe): glibc's and musl's is safe */
    }
    close(fd);
    cut_line_ending(raw, &raw_len);
    if (err == TW_OK && raw_len > TW_TOKEN_MAX_PIN) {
        err = twp_fail_text(why, TW_ERR_TOKEN_PIN, "the PIN in %s is over %d bytes long", path,
                            TW_TOKEN_MAX_PIN);
    }
    if (err == TW_OK && !is_line(raw, raw_len)) {
        err =
            twp_fail_text(why, TW_ERR_TOKEN_PIN, "%s is more than one line: no PIN is sent", path);
    }
    if (err == TW_OK) {
        memcpy(buf, raw, raw_len);
        *len = raw_len;
    }
    tw_wipe(raw, sizeof(raw));
    return err;
}

static tw_err from_source(const char *source, char buf[TW_TOKEN_MAX_PIN], size_t *len,
                          pin_facts *facts, failure *why)
{
    char credential[PATH_MAX];
    const char *path = source_path(source);
    tw_err err;

    if (path == NULL) {
        return twp_fail_text(why, TW_ERR_INVALID, "pin-source must be a path or a file: URI");
    }
    if (strncmp(source, "credential:", 11) == 0) {
        err = credential_path(source + 11, credential, why);
        if (err != TW_OK) {
            return err;
        }
        path = credential;
    }
    return from_file(path, buf, len, facts, why);
}

static tw_err from_value(const char *value, char buf[TW_TOKEN_MAX_PIN], size_t *len, failure *why)
{
    *len = strlen(value);
    if (*len > TW_TOKEN_MAX_PIN) {
        *len = 0;
        return twp_fail_text(why, TW_ERR_TOKEN_PIN, "pin-value is over %d bytes long",
                             TW_TOKEN_MAX_PIN);
    }
    memcpy(buf, value, *len);
    return TW_OK;
}

/* The application's answer, whatever its code, is that there is no PIN. */
static tw_err from_callback(const settings *s, const char *label, char buf[TW_TOKEN_MAX_PIN],
                            size_t *len, failure *why)
{
    tw_err err = s->pin(s->arg, label, buf, TW_TOKEN_MAX_PIN, len);

    if (err == TW_OK && *len <= TW_TOKEN_MAX_PIN) {
        return TW_OK;
    }
    *len = 0;
    return twp_fail_text(why, err == TW_ERR_MEMORY ? err : TW_ERR_TOKEN_PIN,
                         "no PIN was given for token '%s'", label);
}

tw_err twp_pin_get(const settings *s, const token_uri *u, const char *label,
                   char buf[TW_TOKEN_MAX_PIN], size_t *len, pin_facts *facts, failure *why)
{
    const char *source = p11_kit_uri_get_pin_source(u->uri);
    tw_err err;

    *len = 0;
    *facts = (pin_facts){0};
    if (twp_pin_asked(s, u)) {
        facts->attended = !s->pin_unattended;
        err = from_callback(s, label, buf, len, why);
    } else if (source != NULL) {
        err = from_source(source, buf, len, facts, why);
    } else if (u->pin_value != NULL) {
        err = from_value(u->pin_value, buf, len, why);
    } else {
        return twp_fail_text(why, TW_ERR_TOKEN_PIN,
                             "token '%s' wants a PIN and none is given: add ?pin-source=FILE",
                             label);
    }
    if (err == TW_OK && *len == 0) {
        err = twp_fail_text(why, TW_ERR_TOKEN_PIN, "the PIN given for token '%s' is empty", label);
    }
    return err;
}
