/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The command line, in this process: any arguments are read or refused by one line that says what
 * is wrong and shows no PIN. Where no token and no path out of a folder of our own is named,
 * the verb is run too: what fails leaves every file as it was.
 */

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/cli/cli.h"
#include "folder.h"
#include "fuzz.h"
#include "support/check.h"
#include "words.h"

/* --- What it says. --------------------------------------------------------------------------- */

static char said[65536]; /* to standard error */
static FILE *real_stderr;
static int real_stdout, nowhere;

static void listen(void)
{
    memset(said, 0, sizeof(said));
    real_stderr = stderr;
    stderr = fmemopen(said, sizeof(said) - 1, "w");
    must(stderr != NULL);
    must(dup2(nowhere, STDOUT_FILENO) == STDOUT_FILENO);
}

static void listen_no_more(void)
{
    FILE *listened = stderr;

    (void)fflush(stdout);
    stderr = real_stderr;
    must(fclose(listened) == 0);
    must(dup2(real_stdout, STDOUT_FILENO) == STDOUT_FILENO);
}

/* Lines of its own, and nothing in them that moves the cursor. */
static void said_lines(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        must(at != text || strncmp(at, "twoway: ", 8) == 0);
        must(*at == '\n' || ((unsigned char)*at >= 0x20 && *at != 0x7f));
        must(*at != '\n' || at[1] == '\0' || strncmp(at + 1, "twoway: ", 8) == 0);
    }
}

/* tests/cli/support.py holds the command to the same. Behind "--" all are names of files, which
 * may be shown. */
static void said_properly(int status, bool names)
{
    static const int known[] = {EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_CANTCREAT, EX_IOERR};
    bool is_known = false;
    size_t len = strlen(said);

    check_note("(exit %d: %s)", status, said);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        is_known = is_known || status == known[i];
    }
    must(is_known);
    said_lines(said);
    must(names || strstr(said, WORDS_PIN) == NULL);
    if (status != EX_OK) {
        must(strncmp(said, "twoway: ", 8) == 0 && said[len - 1] == '\n');
        must(strstr(said, "expected ") != NULL && strstr(said, "came ") != NULL);
    }
    must(status != EX_USAGE || strstr(said, "terminal") != NULL ||
         (len > 8 && strcmp(said + len - 8, " --help\n") == 0));
    check_note("%s", "");
}

/* --- What may be run. ------------------------------------------------------------------------ */

static bool stays_here(const char *path)
{
    return path == NULL || (strlen(path) < 64 && path[0] != '.' && path[0] != '\0' &&
                            strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789._-") == strlen(path));
}

static bool may_run(const options *o)
{
    bool here = stays_here(o->key) && stays_here(o->public_file) && stays_here(o->config) &&
                stays_here(o->show) && stays_here(o->encap) && stays_here(o->exchange) &&
                stays_here(o->output) && stays_here(o->input) && stays_here(o->pin_source);

    for (size_t i = 0; i < o->to_count; i++) {
        here = here && stays_here(o->to[i]);
    }
    return here && o->verb->bit != VERB_TOKENS && o->token == NULL && o->module == NULL;
}

/* As main() does. */
static int run(int argc, char **argv)
{
    const verb *v = argc > 0 ? verb_named(argv[0]) : NULL;
    options o;
    int status;

    if (v == NULL) {
        return EX_OK;
    }
    set_verb(v->name);
    set_quiet(false);
    optind = 0; /* glibc's, for a new beginning */
    status = options_parse(v, argc, argv, &o);
    if (status == EX_OK && o.help) {
        help_verb(v);
    } else if (status == EX_OK) {
        set_quiet(o.quiet);
        status = paths_apart(&o);
        if (status == EX_OK && may_run(&o)) {
            status = v->run(&o);
        }
    }
    options_free(&o);
    if (status == EX_OK) {
        status = text_flush();
    }
    progress_end();
    outputs_finish(status == EX_OK);
    return status;
}

/* --- A folder with a message of each kind. --------------------------------------------------- */

static void make(const char *line)
{
    char text[256];
    char *argv[16], *rest = NULL;
    int argc = 0;

    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    must(run(argc, argv) == EX_OK);
}

static void make_public(void)
{
    bytes pem = folder_read("key"), text = bytes_new(4096);
    tw_key *key = NULL;
    size_t len = 0;

    must_ok(tw_key_from_pem((const char *)pem.data, pem.len, NULL, &key));
    must_ok(tw_public_to_pem(key->kem->id, key->public_key, key->kem->public_len, NULL,
                             (char *)text.data, text.len, &len));
    folder_write("public", bytes_part(text, 0, len));
    tw_key_free(key);
}

static void start(void)
{
    static const char *const lines[] = {
        "keygen --kem x25519 -o key",
        "config --key key -o config",
        "config --key key --bare -o bare",
        "request --to config --exchange asked -o whole in",
        "accept --key key --exchange got -o text whole",
        "request --to config --chunked --max-chunk 40 -o chunks in",
        "respond --exchange got -o answer in",
        "request --to config --encap folder -o many in",
    };

    nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    real_stdout = dup(STDOUT_FILENO);
    must(nowhere >= 0 && real_stdout >= 0);
    must(dup2(nowhere, STDIN_FILENO) == STDIN_FILENO);
    folder_enter();
    folder_write("in", bytes_noise(100, 1));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        make(lines[i]);
    }
    must(rename("folder/1.encap", "encap") == 0 && rmdir("folder") == 0);
    make_public();
    folder_write("in", bytes_new(0));
    folder_keep();
}

/* --- The input. ------------------------------------------------------------------------------ */

static char *text_of(bytes word)
{
    return (char *)bytes_cat(word, bytes_of("", 1)).data;
}

/* What the input spells out is no secret of anybody's: as the name of a KEM it may be shown. */
static char *own_word(bytes word)
{
    char *text = text_of(word);

    for (char *pin = text; (pin = strstr(pin, WORDS_PIN)) != NULL; pin++) {
        *pin = '-';
    }
    return text;
}

static int take_words(bytes *in, char **argv)
{
    int count = take_byte(in) % WORDS_MOST;
    int argc = 0;

    for (int i = 0; i < count; i++) {
        uint8_t which = take_byte(in);
        char *second = NULL;

        argv[argc] = which < WORDS_OWN ? text_of(bytes_text(words[which % word_count]))
                                       : own_word(take(in, which - WORDS_OWN));
        second = strchr(argv[argc++], '\n');
        if (second != NULL && which < WORDS_OWN) {
            *second = '\0';
            argv[argc++] = second + 1;
        }
    }
    argv[argc] = NULL;
    return argc;
}

static bool has_names(int argc, char **argv)
{
    bool found = false;

    for (int i = 0; i < argc; i++) {
        found = found || strcmp(argv[i], "--") == 0;
    }
    return found;
}

/* Whatever stands around it, a PIN does not get into what is shown of a URI. What stands there is
 * shown, be it the PIN's own letters, which the fuzzer knows by now. */
static void uri_without_pin(bytes in)
{
    static const char *const between[] = {"?", "&", ";"};
    char before[32] = "", after[32] = "", uri[128];
    bytes first = take(&in, in.len == 0 ? 0 : in.data[0] % 31), second = take(&in, 31);
    char *shown;

    memcpy(before, first.data, first.len);
    memcpy(after, second.data, second.len);
    if (strstr(before, WORDS_PIN) != NULL || strstr(after, WORDS_PIN) != NULL) {
        return;
    }
    (void)snprintf(uri, sizeof(uri), "pkcs11:%s%spin-value=" WORDS_PIN "%s%s", before,
                   between[first.len % 3], between[second.len % 3], after);
    shown = uri_for_message(uri);
    must(shown != NULL);
    must(strstr(shown, WORDS_PIN) == NULL);
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    size_t mark = bytes_mark();
    bytes in = bytes_of(data, size);
    char *argv[2 * WORDS_MOST + 1];
    int argc, status;

    if (!started) {
        start();
        started = true;
    }
    argc = take_words(&in, argv);
    folder_write("in", in);
    listen();
    status = run(argc, argv);
    listen_no_more();
    said_properly(status, has_names(argc, argv));
    if (status != EX_OK) {
        must_bytes(in, folder_read("in"));
        folder_write("in", bytes_none);
        folder_same();
    }
    folder_restore();
    uri_without_pin(in);
    bytes_release(mark);
    return 0;
}
