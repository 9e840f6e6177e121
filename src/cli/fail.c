/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <string.h>

#include "cli.h"

static bool quiet;
static const char *verb_name;

void set_quiet(bool q)
{
    quiet = q;
}

bool is_quiet(void)
{
    return quiet;
}

void set_verb(const char *name)
{
    verb_name = name;
}

/* The peer's codes blame a peer only where a message came from one: the same codes
 * from the user's own files mean that the file is damaged. */
static int status_of_refusal(subject about)
{
    return about == ABOUT_MESSAGE || about == ABOUT_ANSWER || about == ABOUT_WORK ? EX_DATAERR
                                                                                  : EX_NOINPUT;
}

static int status_of_misuse(subject about)
{
    switch (about) {
    case ABOUT_URI:
        return EX_USAGE;
    case ABOUT_KEY:
    case ABOUT_PUBLIC:
    case ABOUT_CERTIFICATE:
    case ABOUT_CONFIG:
    case ABOUT_STATE:
        return EX_NOINPUT;
    default:
        return EX_SOFTWARE;
    }
}

int exit_status(tw_err err, subject about)
{
    switch (err) {
    case TW_OK:
        return EX_OK;
    case TW_ERR_FORMAT:
    case TW_ERR_KEY:
    case TW_ERR_AUTH:
    case TW_ERR_TRUNCATED:
    case TW_ERR_LIMIT:
        return status_of_refusal(about);
    case TW_ERR_TOKEN_ABSENT:
    case TW_ERR_TOKEN_BUSY:
    case TW_ERR_TOKEN_FAILED:
        return EX_UNAVAILABLE;
    case TW_ERR_TOKEN_PIN:
    case TW_ERR_TOKEN_POLICY:
        return EX_NOPERM;
    case TW_ERR_IO:
        return EX_IOERR;
    case TW_ERR_INVALID:
    case TW_ERR_STATE:
        return status_of_misuse(about);
    default:
        return EX_SOFTWARE;
    }
}

static const struct {
    subject about;
    tw_err err;
    const char *sentence;
} sentences[] = {
    {ABOUT_MESSAGE, TW_ERR_FORMAT,
     "expected a message in this layout, came bytes that do not form one; say --chunked on both "
     "ends or on neither, or have it sent again"},
    {ABOUT_MESSAGE, TW_ERR_KEY,
     "expected a message for this key id, KEM and suite, came one for others; see what it names "
     "with twoway inspect, and give its sender the current configuration"},
    {ABOUT_MESSAGE, TW_ERR_AUTH,
     "expected a message sealed for this key with this label and layout, came one that does not "
     "verify; check the key, --label and --chunked, or have it sent again"},
    {ABOUT_MESSAGE, TW_ERR_TRUNCATED,
     "expected a complete message, came one that ends early; have it sent again"},
    {ABOUT_ANSWER, TW_ERR_AUTH,
     "expected an answer to this exchange with this label and layout, came one that does not "
     "verify; check --exchange, --label and --chunked, or have it sent again"},
    {ABOUT_KEY, TW_ERR_FORMAT,
     "expected an unencrypted private key in PEM, came something else; decrypt or convert it, or "
     "make one with twoway keygen"},
    {ABOUT_KEY, TW_ERR_INVALID,
     "expected one key of P-256, P-384, P-521, X25519 or X448, came another or several; name one "
     "of these kinds"},
    {ABOUT_KEY, TW_ERR_TOKEN_ABSENT,
     "expected the key that the URI names and its public half, came not both; list what is there "
     "with twoway tokens, or give that half by --public or --certificate"},
    {ABOUT_KEY, TW_ERR_KEY,
     "expected a usable key pair, came one whose halves do not match; make another"},
    {ABOUT_PUBLIC, TW_ERR_FORMAT,
     "expected a public key in PEM (SubjectPublicKeyInfo), came something else; convert it, or "
     "give a certificate by --certificate"},
    {ABOUT_PUBLIC, TW_ERR_INVALID,
     "expected a key of P-256, P-384, P-521, X25519 or X448, came another kind; use one of these"},
    {ABOUT_PUBLIC, TW_ERR_KEY,
     "expected a point of its curve, came one that no private key should meet; ask its owner for "
     "another"},
    {ABOUT_CERTIFICATE, TW_ERR_FORMAT,
     "expected a certificate (X.509, PEM or DER), came something else; check the path, convert "
     "it, or give a public key by --public"},
    {ABOUT_CERTIFICATE, TW_ERR_INVALID,
     "expected a certificate of a key of P-256, P-384, P-521, X25519 or X448, came one of another "
     "kind; ask its owner for one of these"},
    {ABOUT_CERTIFICATE, TW_ERR_KEY,
     "expected a certificate of a point of its curve, came one that no private key should meet; "
     "ask its owner for another"},
    {ABOUT_CONFIG, TW_ERR_FORMAT,
     "expected a key configuration or a list of them, came bytes that are neither; fetch it again "
     "or make it with twoway config"},
    {ABOUT_CONFIG, TW_ERR_KEY,
     "expected a configuration with a KEM and a suite that this command has, came none; check that "
     "the file is one, or ask its owner for another suite"},
    {ABOUT_CONFIG_KEY, TW_ERR_KEY,
     "expected a configuration whose public key is a point of its curve, came one whose key is "
     "not, or that no private key should meet; fetch it again, or ask its owner for another"},
    {ABOUT_STATE, TW_ERR_FORMAT,
     "expected an exchange stored by request or accept, came a damaged or different file; use the "
     "file that --exchange named then"},
    {ABOUT_STATE, TW_ERR_STATE,
     "expected the other side's exchange, came this one; respond takes what accept stored, "
     "receive what request stored"},
    {ABOUT_URI, TW_ERR_INVALID,
     "expected the PKCS#11 URI of one token, such as 'pkcs11:token=hpke;object=twoway', came one "
     "that several match or that does not parse; add token= or serial=, or see RFC 7512"},
};

/* For what does not depend on the subject. */
static const struct {
    tw_err err;
    const char *sentence;
} common[] = {
    {TW_ERR_TOKEN_ABSENT,
     "expected the token and key that the URI names, came none such; list what is there with "
     "twoway tokens and check --module"},
    {TW_ERR_TOKEN_PIN,
     "expected the token's PIN, came none or one that the token refuses; check --pin-source, and "
     "how many tries the token has left, before trying again"},
    {TW_ERR_TOKEN_BUSY,
     "expected a free session of the token in time, came none; try again when its other users are "
     "done"},
    {TW_ERR_TOKEN_POLICY,
     "expected a key that the token lets derive, and keep what is derived if --never-export-dh "
     "says "
     "so, came one that it does not; allow CKA_DERIVE, or make a key with twoway keygen --token"},
    {TW_ERR_TOKEN_FAILED,
     "expected an answer from the token, came a failure of the device; look after it, then try "
     "again"},
    {TW_ERR_LIMIT, "expected no more than one whole message can carry, came more; use --chunked"},
    {TW_ERR_MEMORY,
     "expected enough memory, came too little; free some, or have what is long sealed in chunks"},
};

static const char *sentence_for(tw_err err, subject about)
{
    for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
        if (sentences[i].err == err && sentences[i].about == about) {
            return sentences[i].sentence;
        }
    }
    for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++) {
        if (common[i].err == err) {
            return common[i].sentence;
        }
    }
    if (about == ABOUT_ANSWER) {
        return sentence_for(err, ABOUT_MESSAGE);
    }
    /* A state or configuration is read by several calls; whatever they object to,
     * the file is what the user can act on. */
    return about == ABOUT_STATE || about == ABOUT_CONFIG || about == ABOUT_KEY
               ? sentence_for(TW_ERR_FORMAT, about)
               : NULL;
}

/* --- A line. --------------------------------------------------------------------------------- */

enum {
    LINE_MOST = 16384,
    WHAT_MOST = 4096, /* the longest name of a file there can be */
    LINE_END = 64,    /* is kept for what comes last */
};

/* It is written at once, so that two commands' lines do not mix. No name in it, which may be
 * anything, ends it early or controls the terminal. Want of memory is one of the things to tell, so
 * that it needs none. */
typedef struct line {
    char text[LINE_MOST];
    size_t len;
} line;

__attribute__((format(printf, 3, 0))) static void line_vadd(line *l, size_t room,
                                                            const char *format, va_list args)
{
    const int len = vsnprintf(l->text + l->len, room - l->len, format, args);

    if (len > 0) {
        l->len += (size_t)len < room - l->len ? (size_t)len : room - l->len - 1;
    }
}

__attribute__((format(printf, 2, 3))) static void line_add(line *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line_vadd(l, LINE_MOST, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 0))) static void line_sentence(line *l, const char *sentence,
                                                                va_list args)
{
    line_vadd(l, LINE_MOST - LINE_END, sentence, args);
}

/* Someone gives a key's URI where a file or a number was expected, with the PIN in it. It ends at
 * one of `ends`; what the sentence ends it with stays. */
static void line_hide_pins(line *l, const char *ends)
{
    static const char name[] = "pin-value=";

    for (char *at = strcasestr(l->text, name); at != NULL; at = strcasestr(at, name)) {
        size_t len;

        at += sizeof(name) - 1;
        len = strcspn(at, ends);
        while (len > 0 && at[len] != '\0' && strchr(":;'", at[len - 1]) != NULL) {
            len--;
        }
        memmove(at, at + len, strlen(at + len) + 1);
        l->len -= len;
    }
}

__attribute__((format(printf, 4, 0))) static void
line_say(line *l, const char *kind, const char *what, const char *sentence, va_list args)
{
    line_add(l, "twoway: %s%.*s", kind, WHAT_MOST, what);
    line_hide_pins(l, "&");
    line_add(l, ": ");
    line_sentence(l, sentence, args);
}

static void line_end(line *l)
{
    line_hide_pins(l, "& ");
    name_clean(l->text);
    l->text[l->len++] = '\n';
}

static void line_print(line *l)
{
    line_end(l);
    (void)fwrite(l->text, 1, l->len, stderr);
}

/* --- With --quiet, what there was to note, until an error shows that it is its cause. -------- */

static line kept;

static void keep(line *l)
{
    line_end(l);
    if (l->len > sizeof(kept.text) - kept.len) {
        kept.len = 0; /* the last ones tell most */
    }
    memcpy(kept.text + kept.len, l->text, l->len);
    kept.len += l->len;
}

static void print_kept(void)
{
    (void)fwrite(kept.text, 1, kept.len, stderr);
    kept.len = 0;
}

int fail(int status, const char *what, const char *sentence, ...)
{
    line l = {.len = 0};
    va_list args;

    progress_clear();
    print_kept();
    va_start(args, sentence);
    line_say(&l, "", what, sentence, args);
    va_end(args);
    line_print(&l);
    return status;
}

int fail_errno(int status, const char *what, const char *expected, int errnum, const char *act)
{
    return fail(status, what, "expected %s, came '%s'; %s", expected, strerror(errnum), act);
}

int fail_tw(tw_err err, subject about, const char *what)
{
    const int status = exit_status(err, about);
    const bool ours = status == EX_SOFTWARE && err != TW_ERR_MEMORY; /* to be mended here */
    const char *sentence = ours ? NULL : sentence_for(err, about);

    if (sentence == NULL) {
        return fail(status, what, "expected this to work, came '%s'; please report it",
                    tw_strerror(err));
    }
    return fail(status, what, "%s", sentence);
}

int usage_error(const char *sentence, ...)
{
    line l = {.len = 0};
    va_list args;

    line_add(&l, "twoway: ");
    if (verb_name != NULL) {
        line_add(&l, "%s: ", verb_name);
    }
    va_start(args, sentence);
    line_sentence(&l, sentence, args);
    va_end(args);
    line_add(&l, "; see twoway%s%s --help", verb_name ? " " : "", verb_name ? verb_name : "");
    line_print(&l);
    return EX_USAGE;
}

void note(const char *what, const char *sentence, ...)
{
    line l = {.len = 0};
    va_list args;

    va_start(args, sentence);
    line_say(&l, "", what, sentence, args);
    va_end(args);
    if (quiet) {
        keep(&l);
        return;
    }
    progress_clear();
    line_print(&l);
}

void warn(const char *what, const char *sentence, ...)
{
    line l = {.len = 0};
    va_list args;

    if (quiet) {
        return;
    }
    progress_clear();
    va_start(args, sentence);
    line_say(&l, "warning: ", what, sentence, args);
    va_end(args);
    line_print(&l);
}
