/* SPDX-License-Identifier: Apache-2.0 */
/* The command, run in this process: what is left in it of keys, PINs, states and messages
 * when a verb has ended. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <twoway/twoway.h>

#include "check.h"
#include "search.h"
#include "token_side.h"

/* src/cli/main.c's: in this program "main" is another word for it, but in this file. */
#undef main
int twoway_main(int argc, char **argv);

enum { MOST_ARGS = 24 };

typedef struct verb {
    int status;
    int argc;
    char *argv[MOST_ARGS];
} verb;

static char dir[64];

static void run_verb(void *arg)
{
    verb *v = arg;

    optind = 0; /* getopt begins anew */
    v->status = twoway_main(v->argc, v->argv);
}

/* Blanks part the words of `line`. What is behind a question mark may be a PIN. */
static void must_run(int status, const char *line)
{
    verb v = {.argc = 0};
    bytes held_words = held(512);
    char *words = (char *)held_words.data, *rest = NULL;

    (void)snprintf(words, held_words.len, "twoway %s", line);
    for (char *w = strtok_r(words, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        must(v.argc < MOST_ARGS - 1);
        v.argv[v.argc++] = w;
    }
    deep(run_verb, &v);
    check_note("in: twoway %.*s", (int)strcspn(line, "?"), line);
    must_size((size_t)status, (size_t)v.status);
    must(prctl(PR_GET_DUMPABLE) == 0); /* who pipes cores asks for no limit */
    must_hold(line, "");
}

static void begin(void)
{
    must(mkdtemp(strcpy(dir, "/tmp/twoway-secrets-XXXXXX")) != NULL);
    must(chdir(dir) == 0);
}

static void end(void)
{
    char line[80];

    (void)snprintf(line, sizeof(line), "rm -rf %s", dir);
    must(chdir("/") == 0);
    must(system(line) == 0);
}

static void write_file(const char *name, bytes b)
{
    FILE *f = fopen(name, "w");

    must(f != NULL && setvbuf(f, NULL, _IONBF, 0) == 0);
    must(fchmod(fileno(f), 0600) == 0);
    must(fwrite(b.data, 1, b.len, f) == b.len && fclose(f) == 0);
}

/* What a state ends in: the exporter secret. */
static void learn(const char *state)
{
    bytes b = held(TW_MAX_SAVE);
    FILE *f = fopen(state, "r");

    must(f != NULL && setvbuf(f, NULL, _IONBF, 0) == 0);
    b.len = fread(b.data, 1, b.len, f);
    must(b.len > 32 && fclose(f) == 0);
    secret_add("exporter secret", b.data + b.len - 32, 32);
}

static void software(const void *arg)
{
    const char *layout = arg;
    char line[200];

    begin();
    write_file("plain", held_secret("plaintext", 100000));
    write_file("answer", held_secret("answer", 30000));
    must_run(0, "keygen --kem x25519 -o other");
    must_run(0, "keygen -o key");
    must_run(0, "config --key key -o config");
    (void)snprintf(line, sizeof(line), "request %s --to config --exchange ours -o req plain",
                   layout);
    must_run(0, line);
    (void)snprintf(line, sizeof(line), "accept %s --key key --exchange theirs -o out req", layout);
    must_run(0, line);
    (void)snprintf(line, sizeof(line), "respond %s --exchange theirs -o res answer", layout);
    must_run(0, line);
    must_run(0, "inspect req");
    (void)snprintf(line, sizeof(line), "receive %s --exchange ours -o back res --force", layout);
    learn("ours");
    learn("theirs");
    must_run(0, line);
    (void)snprintf(line, sizeof(line), "accept %s --key other req", layout);
    must_run(65, line); /* not for that key */
    must_run(66, "accept --key plain req");
    must_run(66, "respond --exchange plain answer");
    end();
}

static void many(const void *arg)
{
    (void)arg;
    begin();
    write_file("plain", held_secret("plaintext", 100000));
    must_run(0, "keygen -o key");
    must_run(0, "config --key key -o config");
    must_run(0,
             "request --to config --to config --encap many --exchange st --chunked -o req plain");
    must_run(0, "accept --key key --encap many/1.encap --chunked -o out req");
    end();
}

#define PIN_LEN 24

/* The command looks into the URI itself for a file that -o must not be. */
static void pin_value(const char *pin)
{
    bytes held_line = held(200);

    (void)snprintf((char *)held_line.data, held_line.len,
                   "config --key pkcs11:object=k?pin-value=%s&pin-source=pin -o pin", pin);
    must_run(64, (char *)held_line.data);
}

static void token(const void *arg)
{
    static const char *const sources[] = {"env:TWOWAY_PIN", "pin"};
    bytes noise = held_secret("noise", PIN_LEN), variable = held(16 + PIN_LEN);
    char *pin = strcpy((char *)variable.data, "TWOWAY_PIN=") + strlen("TWOWAY_PIN=");
    char line[300];

    (void)arg;
    begin();
    for (size_t i = 0; i < PIN_LEN; i++) {
        pin[i] = "abcdefghijkmnpqrstuvwxyz23456789"[noise.data[i] % 32];
    }
    secret_add("PIN", pin, PIN_LEN);
    write_file("pin", (bytes){(uint8_t *)pin, PIN_LEN});
    write_file("conf", (bytes){(uint8_t *)"directories.tokendir = .\nlog.level = ERROR\n", 43});
    must(setenv("SOFTHSM2_CONF", "conf", 1) == 0);
    must(putenv((char *)variable.data) == 0); /* as it is: the vault's */
    must(system("softhsm2-util --init-token --free --label hpke --so-pin 12345678 "
                "--pin \"$TWOWAY_PIN\" >/dev/null") == 0);
    write_file("plain", held_secret("plaintext", 10000));
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(line, sizeof(line),
                       "keygen --module " TESTS_MODULE " --token pkcs11:token=hpke --object k%zu "
                       "--pin-source %s -o key.uri --force",
                       i, sources[i]);
        must_run(0, line);
        (void)snprintf(line, sizeof(line),
                       "config --module " TESTS_MODULE " --key pkcs11:object=k%zu --pin-source %s "
                       "-o config --force",
                       i, sources[i]);
        must_run(0, line);
        must_run(0, "request --to config -o req plain --force");
        (void)snprintf(line, sizeof(line),
                       "accept --module " TESTS_MODULE " --key pkcs11:object=k%zu --pin-source %s "
                       "-o out req --force",
                       i, sources[i]);
        must_run(0, line);
        (void)snprintf(line, sizeof(line), "tokens --module " TESTS_MODULE " --pin-source %s",
                       sources[i]);
        must_run(0, line);
    }
    pin_value(pin);
    end();
}

int main(void)
{
    token_apart();
    scene("whole", software, "");
    scene("chunked", software, "--chunked");
    scene("one to many", many, NULL);
    scene("token", token, NULL);
    return scenes_end();
}
