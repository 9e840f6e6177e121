/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a token and logging in: URIs, modules, PINs. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "stand.h"

static stand s;

static void start(void)
{
    stand_softhsm(&s);
}

static void end(void)
{
    stand_end(&s);
}

TestSuite(open, .init = start, .fini = end);

static void must_open(tw_err want, const char *uri)
{
    tw_token *token = (tw_token *)&s;

    check_note("(%s) %s", uri, s.event_message);
    must_err(want, tw_token_open(uri, &s.options, &token));
    check_note("%s", "");
    must((want == TW_OK) == (token != NULL));
    tw_token_free(token);
}

Test(open, takes_a_token_by_any_of_its_names)
{
    tw_token *token = stand_open(&s);
    tw_key *key = stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, "a");
    char uri[512], part[600];
    size_t len;

    must_ok(tw_token_key_uri(key, uri, sizeof(uri), &len));
    tw_key_free(key);
    tw_token_free(token);
    must_size(strlen(uri), len);
    (void)snprintf(part, sizeof(part), "%s?pin-value=" STAND_PIN, uri);
    must_open(TW_OK, part);
    (void)snprintf(part, sizeof(part), "pkcs11:%s?pin-value=" STAND_PIN, strstr(uri, "serial="));
    *strchr(part, ';') = '\0';
    strcat(part, "?pin-value=" STAND_PIN);
    must_open(TW_OK, part);
    must_open(TW_OK, "pkcs11:manufacturer=SoftHSM%20project?pin-value=" STAND_PIN);
    must_open(TW_OK, "pkcs11:model=SoftHSM%20v2?pin-value=" STAND_PIN);
    must_open(TW_OK, "pkcs11:?pin-value=" STAND_PIN);
    must_no_event(&s);
}

Test(open, refuses_what_is_no_uri)
{
    static const char *const bad[] = {
        "",
        "hpke",
        "pkcs12:token=hpke",
        "pkcs11:token",
        "pkcs11:token=%4",
        "pkcs11:token=%zz",
        "pkcs11:token=hp ke",
        "pkcs11:token=hpke\n",
        "pkcs11:token=hpke?pin-value=" STAND_PIN "%00",
        "pkcs11:token=hpke?pin-source=/etc/pin%00more",
        "pkcs11:token=hpke?module-path=/lib/module.so%00",
        "pkcs11:no-such-attribute=1",
        "pkcs11:token=hpke;type=nothing",
        "pkcs11:token=a-name-that-is-longer-than-any-token-has-room-for",
        ("pkcs11:token=hpke;pin-value=" STAND_PIN),
        "pkcs11:pin-source=/etc/pin;token=hpke",
        "pkcs11:token=hpke?pinfile=/etc/pin",
        "pkcs11:token=hpke?Pin-Value=" STAND_PIN,
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        must_open(TW_ERR_INVALID, bad[i]);
        must_event(&s, TW_ERR_INVALID, NULL, 0, "");
    }
}

Test(open, refuses_bad_arguments_without_an_event)
{
    tw_token_options options = s.options;
    tw_token *token = (tw_token *)&s;

    must_err(TW_ERR_INVALID, tw_token_open(NULL, &options, &token));
    must(token == NULL);
    must_err(TW_ERR_INVALID, tw_token_open(stand_uri(&s, ""), &options, NULL));
    options.size = 0;
    must_err(TW_ERR_INVALID, tw_token_open(stand_uri(&s, ""), &options, &token));
    options.size = sizeof(options);
    options.max_sessions = 1000000;
    must_err(TW_ERR_INVALID, tw_token_open(stand_uri(&s, ""), &options, &token));
    tw_token_free(NULL);
    must_no_event(&s);
}

Test(open, does_not_read_options_beyond_their_size)
{
    tw_token_options options = s.options;
    tw_token *token;

    memset(&options.max_sessions, 0xff, sizeof(options) - offsetof(tw_token_options, max_sessions));
    options.size = offsetof(tw_token_options, max_sessions);
    must_ok(tw_token_open(stand_uri(&s, ""), &options, &token));
    tw_token_free(token);
}

/* --- Modules. ------------------------------------------------------------------------ */

Test(open, takes_the_module_from_the_uri_when_the_options_name_none)
{
    char uri[700];

    s.options.module = NULL;
    (void)snprintf(uri, sizeof(uri), "%s&module-path=%s", stand_uri(&s, ""), TESTS_SOFTHSM);
    must_open(TW_OK, uri);
    (void)snprintf(uri, sizeof(uri), "%s&module-path=/nowhere/module.so", stand_uri(&s, ""));
    must_open(TW_ERR_TOKEN_ABSENT, uri);
    s.options.module = TESTS_SOFTHSM; /* goes first */
    must_open(TW_OK, uri);
}

#ifdef TESTS_CONFIGURED
/* Among all of them, or under its name. */
Test(open, takes_the_modules_that_p11_kit_has_configured)
{
    s.options.module = NULL;
    must_open(TW_OK, stand_uri(&s, ""));
    must_open(TW_OK, "pkcs11:token=hpke?module-name=softhsm2&pin-value=" STAND_PIN);
    stand_forget(&s); /* of what else is configured on this machine */
    must_open(TW_ERR_TOKEN_ABSENT, "pkcs11:token=hpke?module-name=other&pin-value=" STAND_PIN);
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no module called other");
    must_open(TW_ERR_TOKEN_ABSENT, "pkcs11:token=other");
    must(s.events > 0);
}
#endif

Test(open, says_which_module_is_absent)
{
    s.options.module = "/nowhere/module.so";
    must_open(TW_ERR_TOKEN_ABSENT, stand_uri(&s, ""));
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "/nowhere/module.so");
}

Test(open, refuses_a_file_that_is_no_module)
{
    s.options.module = "/etc/passwd";
    must_open(TW_ERR_TOKEN_ABSENT, stand_uri(&s, ""));
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "/etc/passwd");
}

Test(open, says_when_a_module_takes_no_parameter_string)
{
    s.options.init_args = "configdir=/tmp";
    must_open(TW_ERR_TOKEN_FAILED, stand_uri(&s, ""));
    must_event(&s, TW_ERR_TOKEN_FAILED, "C_Initialize", CKR_ARGUMENTS_BAD, "parameter string");
}

Test(open, leaves_a_module_alone_that_someone_else_initialised)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    must(fn->C_Initialize(&args) == CKR_OK);
    tw_token_free(stand_open(&s));
    must(fn->C_Initialize(&args) == CKR_CRYPTOKI_ALREADY_INITIALIZED);
    must(fn->C_Finalize(NULL) == CKR_OK);
}

Test(open, finalises_a_module_with_its_last_token_alone)
{
    CK_FUNCTION_LIST *fn = stand_raw(&s);
    tw_token *first = stand_open(&s), *second = stand_open(&s);
    tw_key *key = stand_key(&s, second, TW_KEM_P256_HKDF_SHA256, "a");

    tw_token_free(first);
    must_ok(tw_key_check(key));
    tw_key_free(key);
    tw_token_free(second);
    must(fn->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED);
    must_no_event(&s);
}

/* --- Tokens. --------------------------------------------------------------------------- */

Test(open, says_that_a_token_is_absent)
{
    must_open(TW_ERR_TOKEN_ABSENT, "pkcs11:token=other?pin-value=" STAND_PIN);
    must_event(&s, TW_ERR_TOKEN_ABSENT, NULL, 0, "no initialised token matches");
}

Test(open, refuses_to_choose_between_tokens)
{
    stand_add(&s, "second");
    must_open(TW_ERR_INVALID, "pkcs11:model=SoftHSM%20v2?pin-value=" STAND_PIN);
    must_event(&s, TW_ERR_INVALID, NULL, 0, "2 tokens match");
    must_open(TW_OK, stand_uri(&s, ""));
}

/* --- PINs. ------------------------------------------------------------------------------ */

typedef struct asked {
    const char *pin;
    size_t times;
    tw_err answer;
    stand *stand;
} asked;

static tw_err give_pin(void *arg, const char *label, char *buf, size_t cap, size_t *len)
{
    asked *a = (asked *)(void *)((char *)arg + sizeof(stand));

    a->times++;
    must(strcmp(label, "hpke") == 0);
    must_size(TW_TOKEN_MAX_PIN, cap);
    *len = strlen(a->pin);
    memcpy(buf, a->pin, *len);
    return a->answer;
}

/* The one arg serves both callbacks: the stand, and behind it what is asked. */
static struct {
    stand stand;
    asked asked;
} both;

static void ask(const char *pin, tw_err answer)
{
    both.stand = s;
    both.asked = (asked){.pin = pin, .answer = answer};
    s.options.pin = give_pin;
    s.options.arg = &both;
}

static void must_ask(tw_err want, const char *uri, size_t times)
{
    tw_token *token;

    both.asked.times = 0;
    must_err(want, tw_token_open(uri, &s.options, &token));
    must_size(times, both.asked.times);
    tw_token_free(token);
}

Test(open, asks_for_a_pin_only_when_the_uri_gives_none)
{
    ask(STAND_PIN, TW_OK);
    must_ask(TW_OK, stand_uri_without_pin(&s, ""), 1);
    must_ask(TW_OK, stand_uri(&s, ""), 0);
    must_no_event(&both.stand);
    must_ask(TW_ERR_TOKEN_PIN, "pkcs11:token=hpke?pin-source=/nowhere/pin", 0);
}

Test(open, asks_first_when_told_so)
{
    ask(STAND_PIN, TW_OK);
    s.options.pin_first = true;
    must_ask(TW_OK, stand_uri(&s, ""), 1);
    must_ask(TW_OK, "pkcs11:token=hpke?pin-source=/nowhere/pin", 1);
    ask("wrong pin", TW_OK);
    must_ask(TW_ERR_TOKEN_PIN, stand_uri(&s, ""), 1);
    must_event(&both.stand, TW_ERR_TOKEN_PIN, "C_Login", CKR_PIN_INCORRECT, "wrong");
}

Test(open, gives_up_when_the_callback_does)
{
    ask(STAND_PIN, TW_ERR_TOKEN_PIN);
    must_ask(TW_ERR_TOKEN_PIN, stand_uri_without_pin(&s, ""), 1);
    must_event(&both.stand, TW_ERR_TOKEN_PIN, NULL, 0, "no PIN was given");
    ask("", TW_OK);
    must_ask(TW_ERR_TOKEN_PIN, stand_uri_without_pin(&s, ""), 1);
    must_event(&both.stand, TW_ERR_TOKEN_PIN, NULL, 0, "empty");
}

Test(open, needs_a_pin)
{
    must_open(TW_ERR_TOKEN_PIN, stand_uri_without_pin(&s, ""));
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "none is given");
}

Test(open, refuses_a_wrong_pin)
{
    must_open(TW_ERR_TOKEN_PIN, "pkcs11:token=hpke?pin-value=3141593");
    must_event(&s, TW_ERR_TOKEN_PIN, "C_Login", CKR_PIN_INCORRECT, "the PIN is wrong");
}

/* The PIN file's path stands between `before` and `after` in the query. */
static void must_open_with_file(tw_err want, const char *before, const char *after,
                                const char *content)
{
    char path[128], uri[256];

    (void)snprintf(path, sizeof(path), "%s/pin", s.dir);
    write_file(path, content);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke?%s%s%s", before, path, after);
    must_open(want, uri);
}

Test(open, reads_a_pin_from_a_file)
{
    must_open_with_file(TW_OK, "pin-source=", "", STAND_PIN);
    must_open_with_file(TW_OK, "pin-source=file:", "", STAND_PIN "\n");
    must_open_with_file(TW_OK, "pin-source=file://", "", STAND_PIN "\r\n");
    must_open_with_file(TW_OK, "pin-source=file://localhost", "", STAND_PIN "\n");
    must_open_with_file(TW_OK, "pin-source=", "&pin-value=unused", STAND_PIN);
    must_open_with_file(TW_OK, "pin-value=unused&pin-source=", "", STAND_PIN);
    must_no_event(&s);
    must_open_with_file(TW_ERR_TOKEN_PIN, "pin-source=", "", STAND_PIN "\n\n");
    must_open_with_file(TW_ERR_TOKEN_PIN, "pin-source=", "", STAND_PIN " \n");
}

Test(open, takes_no_pin_from_what_is_not_a_file)
{
    char longest[TW_TOKEN_MAX_PIN + 3];

    must_open(TW_ERR_TOKEN_PIN, "pkcs11:token=hpke?pin-source=/nowhere/pin");
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "/nowhere/pin");
    must_open_with_file(TW_ERR_TOKEN_PIN, "pin-source=", "", "");
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "empty");
    must_open_with_file(TW_ERR_TOKEN_PIN, "pin-source=", "/", STAND_PIN);
    stand_forget(&s);
    must_open(TW_ERR_TOKEN_PIN, "pkcs11:token=hpke?pin-source=/tmp");
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "not a regular file");
    must_open_with_file(TW_ERR_INVALID, "pin-source=%7Ccat%20", "", STAND_PIN);
    must_event(&s, TW_ERR_INVALID, NULL, 0, "path or a file: URI");
    must_open_with_file(TW_ERR_INVALID, "pin-source=file://host", "", STAND_PIN);
    stand_forget(&s);
    memset(longest, '7', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    longest[sizeof(longest) - 2] = '\n';
    must_open_with_file(TW_ERR_TOKEN_PIN, "pin-source=", "", longest);
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "over 256 bytes");
}

/* It is read again at each login, and what was in a pipe is gone by then. */
Test(open, takes_no_pin_from_a_pipe_though_one_is_in_it)
{
    static const char line[] = STAND_PIN "\n";
    char path[128], uri[192];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/pipe", s.dir);
    (void)snprintf(uri, sizeof(uri), "pkcs11:token=hpke?pin-source=%s", path);
    must(mkfifo(path, 0600) == 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0 && write(fd, line, sizeof(line) - 1) == (ssize_t)sizeof(line) - 1);
    must_open(TW_ERR_TOKEN_PIN, uri);
    must_event(&s, TW_ERR_TOKEN_PIN, NULL, 0, "not a regular file");
    must(close(fd) == 0);
}
