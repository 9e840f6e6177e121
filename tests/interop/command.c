/* SPDX-License-Identifier: Apache-2.0 */
/* The command's part of an exchange, through files in the current directory. */
#include "interop.h"
#include "check.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <twoway/ohttp.h>

extern char **environ;

/* --- Files. ------------------------------------------------------------------------------- */

static void write_file(const char *name, bytes content)
{
    FILE *file = fopen(name, "wb");

    must(file != NULL);
    must_size(content.len, fwrite(content.data, 1, content.len, file));
    must(fclose(file) == 0);
}

static bytes read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    bytes content;
    long len;

    must(file != NULL);
    must(fseek(file, 0, SEEK_END) == 0);
    len = ftell(file);
    must(len >= 0 && fseek(file, 0, SEEK_SET) == 0);
    content = bytes_new((size_t)len);
    must_size(content.len, fread(content.data, 1, content.len, file));
    (void)fclose(file);
    return content;
}

static const char *numbered(const char *start, size_t number, const char *end)
{
    bytes name = bytes_new(64);

    (void)snprintf((char *)name.data, name.len, "%s%zu%s", start, number, end);
    return (const char *)name.data;
}

/* --- One run. ------------------------------------------------------------------------------- */

#define MAX_ARGUMENTS 40

typedef struct line {
    const char *words[MAX_ARGUMENTS + 1];
    size_t count;
} line;

static void word(line *l, const char *text)
{
    must(l->count < MAX_ARGUMENTS);
    l->words[l->count++] = text;
}

static void option(line *l, const char *name, const char *value)
{
    word(l, name);
    word(l, value);
}

static line line_of(run *r, const char *verb)
{
    line l = {.count = 0};

    word(&l, r->twoway);
    word(&l, verb);
    return l;
}

static void layout(line *l, const plan *p, bool response, bool opening)
{
    if (p->chunked) {
        word(l, "--chunked");
        option(
            l, "--max-chunk",
            numbered("", opening && p->max_chunk < TW_CHUNK_LEN ? TW_CHUNK_LEN : p->max_chunk, ""));
    }
    if (p->other_labels) {
        option(l, "--label", plan_label(p, response));
    }
}

/* must_run gives the file that the command wrote. */
static bytes must_run(run *r, line *l, const char *in)
{
    pid_t pid;
    int status = -1;

    option(l, "-o", "out");
    word(l, "--force");
    if (in != NULL) {
        word(l, in);
    }
    r->commands++;
    must(posix_spawn(&pid, r->twoway, NULL, NULL, (char *const *)l->words, environ) == 0);
    must(waitpid(pid, &status, 0) == pid);
    must_size(0, (size_t)status);
    return read_file("out");
}

/* --- Keys and configurations. ------------------------------------------------------------------
 */

static const char *key_file(uint16_t kem_id)
{
    return numbered("key-", kem_id, "");
}

void command_keygen(run *r, uint16_t kem_id, tw_key **out)
{
    line l = line_of(r, "keygen");
    bytes pem;

    option(&l, "--kem", tw_kem_name(kem_id));
    pem = must_run(r, &l, NULL);
    write_file(key_file(kem_id), pem);
    must(chmod(key_file(kem_id), 0600) == 0);
    must_ok(tw_key_from_pem((const char *)pem.data, pem.len, NULL, out));
}

static const char *config_of(const plan *p, const sent *s, size_t receiver)
{
    const char *name = numbered("config-", receiver, "");
    bytes pk = receiver_public(p, s, receiver), encoded;
    tw_config config = {
        .key_id = (uint8_t)(p->key_id + receiver),
        .kem_id = p->suite.kem_id,
        .public_len = pk.len,
        .symmetric = {{p->suite.kdf_id, p->suite.aead_id}},
        .symmetric_count = 1,
    };
    size_t len = 0;

    memcpy(config.public_key, pk.data, pk.len);
    must_err(TW_ERR_SPACE, tw_config_encode(&config, 1, false, NULL, 0, &len));
    encoded = bytes_new(len);
    must_ok(tw_config_encode(&config, 1, false, encoded.data, encoded.len, &len));
    write_file(name, encoded);
    return name;
}

/* --- The four verbs. -----------------------------------------------------------------------------
 */

void command_sends(run *r, const plan *p, sent *s)
{
    size_t number = r->commands; /* a folder of its own for each run */
    line l = line_of(r, "request");

    for (size_t i = 0; i < s->count; i++) {
        option(&l, "--to", config_of(p, s, i));
    }
    if (p->many) {
        option(&l, "--encap", numbered("encaps-", number, ""));
    }
    option(&l, "--exchange", p->many ? "asked" : "asked.1");
    layout(&l, p, false, false);
    write_file("question", plan_question(p));
    s->message = must_run(r, &l, "question");
    for (size_t i = 0; p->many && i < s->count; i++) {
        s->encaps[i] = read_file(numbered(numbered("encaps-", number, "/"), i + 1, ".encap"));
    }
}

static bytes command_accepts(run *r, const plan *p, const sent *s, size_t receiver)
{
    line l = line_of(r, "accept");

    option(&l, "--key", p->by_token ? p->keys->token_uri : key_file(p->suite.kem_id));
    if (p->by_token) {
        option(&l, "--module", r->module);
        option(&l, "--pin-source", "pin");
    }
    option(&l, "--key-id", numbered("", (uint8_t)(p->key_id + receiver), ""));
    if (p->many) {
        option(&l, "--encap", "encap");
        write_file("encap", s->encaps[receiver]);
    }
    option(&l, "--exchange", "accepted");
    layout(&l, p, false, true);
    write_file("request", s->message);
    return must_run(r, &l, "request");
}

bytes command_answers(run *r, const plan *p, const sent *s, size_t receiver)
{
    line l = line_of(r, "respond");

    must_bytes(plan_question(p), command_accepts(r, p, s, receiver));
    option(&l, "--exchange", "accepted");
    layout(&l, p, true, false);
    write_file("answer", plan_answer(p, receiver));
    return must_run(r, &l, "answer");
}

bytes command_receives(run *r, const plan *p, size_t receiver, bytes sealed)
{
    line l = line_of(r, "receive");

    option(&l, "--exchange", numbered("asked.", receiver + 1, ""));
    layout(&l, p, true, true);
    write_file("response", sealed);
    return must_run(r, &l, "response");
}
