/* SPDX-License-Identifier: Apache-2.0 */
/* The Go program as a process: one frame there, one back. */
#include "interop.h"
#include "check.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

_Noreturn static void lost(const char *what)
{
    (void)fprintf(stderr, "the Go program: %s\n", what);
    exit(EXIT_FAILURE);
}

static void pipe_or_exit(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        lost("no pipe");
    }
}

void go_start(go *g, const char *program)
{
    char *argv[] = {(char *)program, NULL};
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    *g = (go){0};
    pipe_or_exit(in);
    pipe_or_exit(out);
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO) != 0 ||
        posix_spawn(&g->pid, program, &actions, NULL, argv, environ) != 0) {
        lost("cannot be started");
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    g->to = fdopen(in[1], "wb");
    g->from = fdopen(out[0], "rb");
    if (g->to == NULL || g->from == NULL) {
        lost("no stream");
    }
}

void go_end(go *g)
{
    int status = 0;

    (void)fclose(g->to);
    (void)fclose(g->from);
    free(g->question);
    if (waitpid(g->pid, &status, 0) != g->pid || status != 0) {
        lost("did not end well");
    }
}

static void put(go *g, const void *data, size_t len)
{
    if (len > g->question_cap - g->question_len) {
        g->question_cap = 2 * g->question_cap + len;
        g->question = realloc(g->question, g->question_cap);
        must(g->question != NULL);
    }
    if (len > 0) {
        memcpy(g->question + g->question_len, data, len);
        g->question_len += len;
    }
}

static void big_endian(uint8_t *out, size_t width, uint64_t n)
{
    for (size_t i = width; i > 0; i--, n >>= 8) {
        out[i - 1] = (uint8_t)n;
    }
}

static size_t from_big_endian(const uint8_t *in, size_t width)
{
    size_t n = 0;

    for (size_t i = 0; i < width; i++) {
        n = n << 8 | in[i];
    }
    return n;
}

void go_call(go *g, const char *name)
{
    g->question_len = 0;
    go_text(g, name);
}

void go_bytes(go *g, bytes b)
{
    uint8_t len[4];

    big_endian(len, sizeof(len), b.len);
    put(g, len, sizeof(len));
    put(g, b.data, b.len);
}

void go_text(go *g, const char *text)
{
    go_bytes(g, (bytes){(uint8_t *)text, strlen(text)});
}

void go_number(go *g, size_t n)
{
    uint8_t number[8];

    big_endian(number, sizeof(number), n);
    go_bytes(g, (bytes){number, sizeof(number)});
}

void go_suite(go *g, triple suite)
{
    go_number(g, suite.kem_id);
    go_number(g, suite.kdf_id);
    go_number(g, suite.aead_id);
}

bool go_asked(go *g)
{
    uint8_t len[4];
    bytes error;

    big_endian(len, sizeof(len), g->question_len);
    if (fwrite(len, sizeof(len), 1, g->to) != 1 ||
        fwrite(g->question, g->question_len, 1, g->to) != 1 || fflush(g->to) != 0 ||
        fread(len, sizeof(len), 1, g->from) != 1) {
        lost("has ended");
    }
    g->answer = bytes_new(from_big_endian(len, sizeof(len)));
    if (g->answer.len == 0 || fread(g->answer.data, g->answer.len, 1, g->from) != 1) {
        lost("has ended in the middle of an answer");
    }
    error = go_result(g);
    g->error = (const char *)bytes_cat(error, bytes_new(1)).data;
    return error.len == 0;
}

void go_ask(go *g)
{
    if (!go_asked(g)) {
        check_failed(__FILE__, __LINE__, g->error);
    }
}

bytes go_result(go *g)
{
    bytes result;

    must(g->answer.len >= 4);
    result = bytes_part(g->answer, 4, from_big_endian(g->answer.data, 4));
    g->answer = bytes_from(g->answer, 4 + result.len);
    return result;
}

size_t go_result_number(go *g)
{
    bytes number = go_result(g);

    must_size(8, number.len);
    return from_big_endian(number.data, number.len);
}
