/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TWOWAY_CLI_H
#define TWOWAY_CLI_H

/*
 * The command's one internal header. A verb is a function from options to an exit
 * status of sysexits.h. Where something fails, the message is printed there, once,
 * and its status is returned all the way up; main() then removes every output that
 * was not finished. So no verb cleans up files, and none can forget to.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sysexits.h>

#include <twoway/ohttp.h>
#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

enum {
    MAX_KEY_FILE = 64 * 1024,      /* a PEM key or certificate */
    MAX_CONFIG_FILE = 1024 * 1024, /* a list of configurations */
    MAX_TOKEN_ID = 64,             /* CKA_ID given with --id */
};

/* --- table.c, options.c, help.c: what was asked for. --------------------------------- */

enum {
    VERB_KEYGEN = 1 << 0,
    VERB_CONFIG = 1 << 1,
    VERB_TOKENS = 1 << 2,
    VERB_INSPECT = 1 << 3,
    VERB_REQUEST = 1 << 4,
    VERB_ACCEPT = 1 << 5,
    VERB_RESPOND = 1 << 6,
    VERB_RECEIVE = 1 << 7,
    VERB_MESSAGES = VERB_REQUEST | VERB_ACCEPT | VERB_RESPOND | VERB_RECEIVE,
    VERB_TOKEN = VERB_KEYGEN | VERB_CONFIG | VERB_TOKENS | VERB_ACCEPT,
    VERB_ALL = 0xff,
};

typedef struct verb verb;

typedef struct options {
    const verb *verb;
    uint16_t kem_id; /* 0 when not given */
    const char *token, *object, *module, *pin_source;
    uint8_t id[MAX_TOKEN_ID];
    size_t id_len;
    const char *key, *public_file, *certificate, *config, *show;
    unsigned long key_id; /* 0 to 255; NO_KEY_ID when not given */
    tw_symmetric suites[TW_MAX_SYMMETRIC];
    size_t suite_count;
    bool bare;
    const char **to; /* one for each --to, in order */
    size_t to_count;
    const char *encap, *exchange;
    bool chunked;
    unsigned long max_chunk, max_size, jobs; /* 0 when not given */
    const char *label;
    const char *output, *input; /* NULL: standard output, standard input */
    const char *check;          /* of tokens */
    bool no_scratch, never_export_dh;
    bool quiet, force, help;
} options;

#define NO_KEY_ID 256UL
#define MAX_CHUNK (1UL << 24) /* of --max-chunk */
#define MAX_JOBS  256UL       /* of --jobs */

struct verb {
    const char *name;
    unsigned bit;
    int (*run)(const options *o);
    const char *usage;   /* what may follow the name, a line for each form */
    const char *summary; /* one line */
    bool takes_input;    /* the one operand is IN */
};

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_KEM,
    OPTION_ID,
    OPTION_SUITE,
    OPTION_TO,
} option_kind;

typedef struct option_row {
    const char *name;
    const char *arg; /* NULL for a flag */
    const char *help;
    size_t offset; /* of the member in options */
    unsigned long min, max;
    unsigned verbs;
    option_kind kind;
    char letter; /* 0: none */
} option_row;

extern const verb cli_verbs[];         /* ends with a NULL name */
extern const option_row cli_options[]; /* ends with a NULL name */

const verb *verb_named(const char *name);
int options_parse(const verb *v, int argc, char **argv, options *o);
void options_free(options *o);
int paths_apart(const options *o); /* paths.c: EX_USAGE when one file would be two */
void help_command(void);
void help_verb(const verb *v);

int run_keygen(const options *o);
int run_config(const options *o);
int run_tokens(const options *o);
int check_token(const options *o); /* check.c: tokens with --check */
int run_inspect(const options *o);
int run_request(const options *o);
int request_many(const options *o);           /* multi.c: request with --encap */
char *state_path(const options *o, size_t i); /* its files for receiver i, counted from 0; */
char *encap_path(const options *o, size_t i); /* NULL without memory; the caller frees */
int run_accept(const options *o);
int run_respond(const options *o);
int run_receive(const options *o);

/* --- fail.c: messages and exit statuses. ------------------------------------ */

/* What a library call was working on decides whose fault an error is. */
typedef enum subject {
    ABOUT_MESSAGE, /* what a peer sent */
    ABOUT_ANSWER,  /* the same to a request of the user's, whose exchange opens it */
    ABOUT_KEY,     /* the user's own key */
    ABOUT_PUBLIC,  /* a public key file */
    ABOUT_CERTIFICATE,
    ABOUT_CONFIG,     /* a configuration */
    ABOUT_CONFIG_KEY, /* the public key in it */
    ABOUT_STATE,      /* a stored exchange */
    ABOUT_URI,        /* a PKCS#11 URI, as written */
    ABOUT_WORK,       /* nothing from outside */
} subject;

/* exit_status is the one place where a library error becomes an exit status. */
int exit_status(tw_err err, subject about);

/* fail prints "twoway: <what>: <sentence>" and returns `status`. The sentence says
 * what was expected, what came and what to do; never a PIN, a key or a message. */
int fail(int status, const char *what, const char *sentence, ...)
    __attribute__((format(printf, 3, 4)));
int fail_errno(int status, const char *what, const char *expected, int errnum, const char *act);
int fail_tw(tw_err err, subject about, const char *what);
int usage_error(const char *sentence, ...) __attribute__((format(printf, 1, 2)));

/* note prints what else there is to say, with --quiet only before an error, as its cause;
 * warn prints "twoway: warning: <what>: ...", with --quiet nothing. */
void warn(const char *what, const char *sentence, ...) __attribute__((format(printf, 2, 3)));
void note(const char *what, const char *sentence, ...) __attribute__((format(printf, 2, 3)));
void set_quiet(bool quiet);
bool is_quiet(void);
void set_verb(const char *name); /* for usage_error */

/* --- input.c ------------------------------------------------------------------ */

typedef struct input {
    int fd;
    const char *name; /* for messages */
    uint64_t size;    /* 0: unknown */
    uint64_t done;    /* bytes read so far */
    mode_t mode;
    dev_t device;
    ino_t inode;
    bool regular;
} input;

int input_open(const char *path, input *in);
void input_close(input *in);
ssize_t input_read(input *in, void *buf, size_t cap); /* as read(2), through signals */
bool input_is_ready(const input *in);   /* whether more of a pipe or socket is there already */
bool input_would_wait(const input *in); /* whether a read has to wait */

/* input_head fills `len` bytes; fewer when the input ends, with *got less. */
int input_head(input *in, void *buf, size_t len, size_t *got);

/* A small file, whole. */
typedef struct blob {
    uint8_t *data; /* one zero byte follows the last */
    size_t len;
    mode_t mode; /* 0: no regular file */
} blob;

/* blob_read refuses more than `max` bytes. blob_warn is for what has proved to be a secret, and
 * says when others may read it. blob_free wipes. */
int blob_read(const char *path, size_t max, blob *out);
void blob_warn(const char *path, const blob *b);
void blob_free(blob *b);

/* --- output.c, appear.c, interrupt.c -------------------------------------------- */

enum {
    OUTPUT_PRIVATE = 1 << 0, /* mode 0600, on disk before it appears */
    OUTPUT_NEW = 1 << 1,     /* never over what is there */
    OUTPUT_BINARY = 1 << 2,  /* not for a terminal */
};

typedef struct output output;

void standard_fill(void);                  /* 0, 1 and 2 with stand-ins where closed */
int standard_descriptor(const char *path); /* what /dev/stdout and the like name, else -1 */

/*
 * output_open prepares a file beside its final place; output_commit moves it there.
 * Anything but a regular file is written directly. Outputs belong to this module:
 * outputs_finish(true) leaves the committed ones in place; outputs_finish(false), and
 * an interrupt, remove all. `in` may be NULL; reading and writing one file directly
 * is refused.
 */
int output_open(const char *path, unsigned flags, const input *in, output **out);
int output_write(output *out, const void *buf, size_t len); /* 0, or errno */
int output_failed(const output *out, int errnum);           /* the message for it */
int output_put(output *out, const void *buf, size_t len);   /* writes and reports */
int output_commit(output *out);
const char *output_name(const output *out);
int output_directory(const char *path); /* made if missing, and then removed on failure */
int output_absent(const char *path);    /* EX_CANTCREAT when something is there */
void outputs_finish(bool keep);
void outputs_unlink(void); /* async-signal-safe */
int text_flush(void);      /* what was printed to stdout has arrived */

/* appear.c: 0, or errno. What appear_over replaces then waits at *aside, one of the other two
 * names; nothing was there: *aside stays NULL. tell_ is of what is left at the end. */
int appear_new(const char *temporary, const char *path); /* EEXIST: over nothing */
int appear_over(const char *temporary, const char *path, const char *spare,
                const char *volatile *aside);
bool appears_another(const char *path, const struct stat *placed); /* than what was put there */
void tell_left(const char *path, int errnum);                      /* 0 and ENOENT: nothing is */
void tell_aside(const char *path, const char *aside, int errnum);

void memory_guard(void); /* memory.c: keeps it out of core files and swap, before all else */

void interrupts_install(void);
void interrupts_block(bool block); /* not within another */

/* While deferred, the first interrupt is only noted, and the second acts; so does a noted one
 * when that ends. */
void interrupts_defer(bool defer);
bool interrupts_noted(void);

/* --- progress.c ---------------------------------------------------------------- */

void progress_start(const char *what, const input *in);
void progress_update(void);
void progress_clear(void); /* before anything else is printed; waiting_clear too */
void progress_end(void);

/* --- waiting.c ----------------------------------------------------------------- */

/* Around a call that a token answers: after a second without an answer, a line on the terminal
 * says that a person may have to do something. Begin shows nothing with --quiet or without a
 * terminal; end takes the line back, and says whether there was a beginning. */
void waiting_begin(void);
bool waiting_end(void);
void waiting_clear(void); /* takes it back for now */

/* --- pin.c ---------------------------------------------------------------------- */

/* pin_supply answers tw_token_options.pin; arg is the options. */
tw_err pin_supply(void *arg, const char *token_label, char *buf, size_t cap, size_t *len);
void pin_forget(void);       /* what was typed */
void terminal_restore(void); /* async-signal-safe */

/* --- key.c ------------------------------------------------------------------------ */

typedef struct keyring {
    tw_token *token; /* NULL for a software key */
    tw_key *key;
} keyring;

bool is_uri(const char *text);
char *uri_for_message(const char *uri); /* without a PIN; the caller frees */

tw_token_options token_options(const options *o);
int fail_uri(tw_err err, subject about, const char *uri);
int token_open(const options *o, const char *uri, tw_token **out);
int keyring_open(const options *o, keyring *out); /* --key */
void keyring_free(keyring *k);

/* --- names.c ----------------------------------------------------------------------- */

bool kem_named(const char *name, uint16_t *id);
bool symmetric_named(const char *pair, tw_symmetric *out); /* "hkdf-sha256,aes-128-gcm" */

typedef struct id_text {
    char s[24]; /* a name, or "0x1234" */
} id_text;

id_text kem_text(uint16_t id);
id_text kdf_text(uint16_t id);
id_text aead_text(uint16_t id);

/* What a token or a file is called may be anything, but no control characters reach the
 * terminal, nor what turns the direction of others: the length of the first character, and
 * whether it may be shown; name_clean puts question marks over those that may not. */
size_t name_step(const char *name, bool *shown);
void name_clean(char *name);
void print_hex(const uint8_t *data, size_t len);

/* --- configuration.c ----------------------------------------------------------------- */

typedef struct config_list {
    tw_config *items;
    size_t count;
    bool bare; /* without the length prefix of a list */
} config_list;

int config_list_read(const char *path, config_list *out);
int receiver_read(const char *path, config_list *out); /* --to: or a certificate */
void config_list_free(config_list *l);

/* --- public.c --------------------------------------------------------------------------- */

/* The file of --public or --certificate; NULL for neither. public_read sets the KEM and the
 * public key of *c. Beside --key or --check it is the user's own, whatever its certificate says
 * of use and time. */
const char *public_path(const options *o);
int public_read(const options *o, tw_config *c);

/* The same of a certificate's bytes; *found is false, and nothing said, when it is none. With
 * `sealing` its use and time count. */
int certificate_read(const char *path, const blob *file, bool sealing, tw_config *c, bool *found);

/* --- stream.c, state.c ------------------------------------------------------------------ */

tw_format format_of(const options *o);
int stream_seal(tw_sealer *sealer, const options *o, input *in, output *out);
int stream_open(tw_opener *opener, const options *o, input *in, output *out);

int state_save(const options *o, const char *path, const tw_exchange *exchange);
int state_absent(const options *o, const char *path);

typedef struct state {
    tw_suite *suite;
    tw_exchange *exchange;
} state;

int state_load(const char *path, state *out);
void state_free(state *s);

#endif
