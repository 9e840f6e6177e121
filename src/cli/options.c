/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
    FIRST_LONG = 256, /* values of long options, above any letter */
    MAX_ROWS = 40,
};

static void *member(options *o, const option_row *row)
{
    return (char *)o + row->offset;
}

static int set_number(options *o, const option_row *row, const char *value)
{
    unsigned long number;
    char *end = NULL;

    errno = 0;
    number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number < row->min ||
        number > row->max) {
        return usage_error("expected a number from %lu to %lu after --%s, came '%s'", row->min,
                           row->max, row->name, value);
    }
    memcpy(member(o, row), &number, sizeof(number));
    return EX_OK;
}

static int nibble(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);

    return at != NULL ? (int)(at - digits) : -1;
}

static int set_id(options *o, const char *value)
{
    const size_t len = strlen(value);

    if (len == 0 || len % 2 != 0 || len / 2 > MAX_TOKEN_ID) {
        return usage_error("expected 2 to %d hexadecimal digits, an even number, after --id, "
                           "came '%s'",
                           2 * MAX_TOKEN_ID, value);
    }
    for (size_t i = 0; i < len / 2; i++) {
        const int high = nibble(value[2 * i]), low = nibble(value[2 * i + 1]);

        if (high < 0 || low < 0) {
            return usage_error("expected hexadecimal digits after --id, came '%s'", value);
        }
        o->id[i] = (uint8_t)(high << 4 | low);
    }
    o->id_len = len / 2;
    return EX_OK;
}

static int set_suite(options *o, const char *value)
{
    if (o->suite_count == TW_MAX_SYMMETRIC) {
        return usage_error("expected at most %d times --suite, came more", TW_MAX_SYMMETRIC);
    }
    if (!symmetric_named(value, &o->suites[o->suite_count])) {
        return usage_error("expected a pair such as hkdf-sha256,aes-128-gcm after --suite, "
                           "came '%s'",
                           value);
    }
    o->suite_count++;
    return EX_OK;
}

static int set_option(options *o, const option_row *row, const char *value)
{
    static const bool yes = true;

    if (row->arg != NULL && *value == '\0') {
        return usage_error("expected %s after --%s, came nothing", row->arg, row->name);
    }
    switch (row->kind) {
    case OPTION_FLAG:
        memcpy(member(o, row), &yes, sizeof(yes));
        return EX_OK;
    case OPTION_TEXT:
        memcpy(member(o, row), &value, sizeof(value));
        return EX_OK;
    case OPTION_NUMBER:
        return set_number(o, row, value);
    case OPTION_KEM:
        if (!kem_named(value, &o->kem_id)) {
            return usage_error("expected p256, p384, p521, x25519 or x448 after --kem, came '%s'",
                               value);
        }
        return EX_OK;
    case OPTION_ID:
        return set_id(o, value);
    case OPTION_SUITE:
        return set_suite(o, value);
    case OPTION_TO:
        o->to[o->to_count++] = value;
        return EX_OK;
    }
    return EX_SOFTWARE;
}

/* What getopt_long is told for one verb: an option that the verb does not take is as
 * unknown as one that does not exist. */
typedef struct accepted {
    struct option longs[MAX_ROWS + 1];
    char letters[2 + 2 * MAX_ROWS];
    const option_row *by_letter[FIRST_LONG];
} accepted;

static void accept_options(const verb *v, accepted *a)
{
    size_t n = 0, l = 0;

    memset(a, 0, sizeof(*a));
    a->letters[l++] = ':'; /* tell a missing argument from an unknown option */
    for (size_t i = 0; i < MAX_ROWS && cli_options[i].name != NULL; i++) {
        const option_row *row = &cli_options[i];

        if ((row->verbs & v->bit) == 0) {
            continue;
        }
        a->longs[n++] = (struct option){row->name, row->arg != NULL, NULL, FIRST_LONG + (int)i};
        if (row->letter != 0) {
            a->by_letter[(unsigned char)row->letter] = row;
            a->letters[l++] = row->letter;
            if (row->arg != NULL) {
                a->letters[l++] = ':';
            }
        }
    }
}

/* An option that getopt did not take, without its value, which may be a PIN. Of a letter that is
 * not ASCII it tells one byte, and not which argument that stood in. */
static int unknown_option(char *const argv[])
{
    if (optopt >= FIRST_LONG) {
        return usage_error("expected --%s alone, as it takes no value, came one with it",
                           cli_options[optopt - FIRST_LONG].name);
    }
    if (optopt < 0 || optopt > 127) {
        return usage_error("expected an option of this verb, came a letter that is not ASCII");
    }
    if (optopt != 0) {
        return usage_error("expected an option of this verb, came '-%c'", optopt);
    }
    return usage_error("expected an option of this verb, came '%.*s'",
                       (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
}

/* A value that was forgotten: getopt takes the next option for it, which would then name a
 * file, or be shown with the PIN in it. */
static bool is_forgotten(char *const argv[])
{
    return optarg != NULL && optarg == argv[optind - 1] && strncmp(optarg, "--", 2) == 0;
}

static int parse_options(const verb *v, int argc, char **argv, options *o)
{
    const option_row *row;
    accepted a;
    int found, status;

    accept_options(v, &a);
    opterr = 0;
    while ((found = getopt_long(argc, argv, a.letters, a.longs, NULL)) != -1) {
        if (found == ':') {
            return usage_error("expected a value after '%s', came none", argv[optind - 1]);
        }
        if (found == '?') {
            return unknown_option(argv);
        }
        row = found >= FIRST_LONG ? &cli_options[found - FIRST_LONG] : a.by_letter[found];
        if (is_forgotten(argv)) {
            return usage_error("expected %s after --%s, came the option '%.*s'", row->arg,
                               row->name, (int)strcspn(optarg, "="), optarg);
        }
        status = set_option(o, row, optarg);
        if (status != EX_OK) {
            return status;
        }
    }
    return EX_OK;
}

/* --max-chunk is a bound for a receiver and a size for a sender (draft-ietf-ohai-
 * chunked-ohttp, section 3: every receiver takes 16384). */
static int check_format(const options *o)
{
    const bool opens = (o->verb->bit & (VERB_ACCEPT | VERB_RECEIVE)) != 0;

    if (o->max_chunk != 0 && !o->chunked) {
        return usage_error("expected --chunked with --max-chunk, came none");
    }
    if (o->jobs > 1 && !o->chunked) {
        return usage_error("expected --chunked with --jobs, as one thread works on a whole "
                           "message, came none");
    }
    if (o->max_chunk != 0 && opens && o->max_chunk < TW_CHUNK_LEN) {
        return usage_error("expected --max-chunk of %d or more when opening, as every receiver "
                           "takes that much, came %lu",
                           TW_CHUNK_LEN, o->max_chunk);
    }
    return EX_OK;
}

static const char *or_stream(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0 ? NULL : path;
}

int options_parse(const verb *v, int argc, char **argv, options *o)
{
    const int operands = v->takes_input ? 1 : 0;
    int status;

    memset(o, 0, sizeof(*o));
    o->verb = v;
    o->key_id = NO_KEY_ID;
    o->to = calloc((size_t)argc + 1, sizeof(*o->to));
    if (o->to == NULL) {
        return fail_tw(TW_ERR_MEMORY, ABOUT_WORK, v->name);
    }
    status = parse_options(v, argc, argv, o);
    if (status != EX_OK || o->help) {
        return status;
    }
    if (argc - optind > operands) {
        return usage_error("expected %s, came %d operand%s",
                           operands == 0 ? "no operand" : "one input at most", argc - optind,
                           argc - optind == 1 ? "" : "s");
    }
    o->input = or_stream(argc > optind ? argv[optind] : NULL);
    if (o->token != NULL && o->output != NULL && or_stream(o->output) == NULL) {
        return usage_error("expected a file for the public key after -o, came standard output, "
                           "where the new key's URI goes");
    }
    o->output = or_stream(o->output);
    return check_format(o);
}

void options_free(options *o)
{
    free(o->to);
    o->to = NULL;
}
