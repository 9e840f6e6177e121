/* SPDX-License-Identifier: Apache-2.0 */
/* What was exchanged, counted, and what failed, told as it happens. */
#include "interop.h"
#include "check.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* A table's columns stand in groups, which have a heading of their own. */
typedef struct heading {
    const char *group; /* NULL: the one before */
    const char *name;
    column column;
} heading;

static const heading messages[] = {
    {"from Go to us, answered", "whole", GO_WHOLE},
    {NULL, "chunked", GO_CHUNKED},
    {NULL, "many", GO_MANY},
    {NULL, "token", GO_TOKEN},
    {NULL, "command", GO_COMMAND},
    {NULL, "cmd+token", GO_COMMAND_TOKEN},
    {"from us to Go, answered", "whole", WE_WHOLE},
    {NULL, "chunked", WE_CHUNKED},
    {NULL, "many", WE_MANY},
    {NULL, "command", WE_COMMAND},
};

static const heading hpke[] = {
    {"HPKE, from Go to us", "base", GO_HPKE},
    {NULL, "psk", GO_HPKE + 1},
    {NULL, "auth", GO_HPKE + 2},
    {NULL, "auth-psk", GO_HPKE + 3},
    {NULL, "token", GO_HPKE_TOKEN},
    {NULL, "standard", GO_HPKE_STANDARD},
    {"HPKE, from us to Go", "base", WE_HPKE},
    {NULL, "psk", WE_HPKE + 1},
    {NULL, "auth", WE_HPKE + 2},
    {NULL, "auth-psk", WE_HPKE + 3},
    {NULL, "token", WE_HPKE_TOKEN},
    {NULL, "standard", WE_HPKE_STANDARD},
};

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The heading of a column within its table, NULL if it is in another; *group is set with it. */
static const char *name_in(const heading *h, size_t count, column c, const char **group)
{
    const char *last = "";

    for (size_t i = 0; i < count; i++) {
        last = h[i].group != NULL ? h[i].group : last;
        if (h[i].column == c) {
            *group = last;
            return h[i].name;
        }
    }
    return NULL;
}

static jmp_buf ended; /* where a failed exchange continues */
static bool attempting;

_Noreturn void check_failed(const char *file, int line, const char *text)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "FAILED %s: %s (%s:%d)\n", check_note_text(), text, file, line);
    if (!attempting) {
        exit(EXIT_FAILURE);
    }
    longjmp(ended, 1);
}

static void note_plan(column c, const plan *p)
{
    const char *aead = tw_aead_name(p->suite.aead_id), *group = "an oddity";
    const char *name = name_in(messages, LEN(messages), c, &group);
    char suite[64];

    (void)snprintf(suite, sizeof(suite), "%s %s %s", tw_kem_name(p->suite.kem_id),
                   tw_kdf_name(p->suite.kdf_id), aead != NULL ? aead : "export-only");
    if (name != NULL) {
        check_note("%s, %s: %s: %zu and %zu bytes, chunks of %zu, paces %zu and %zu", suite, group,
                   name, p->question_len, p->answer_len, p->max_chunk, p->our_pace, p->go_pace);
        return;
    }
    name = name_in(hpke, LEN(hpke), c, &group);
    check_note("%s, %s: %s: number %zu", suite, group, name != NULL ? name : "", p->number);
}

void attempt(run *r, column c, void (*exchange)(run *r, const plan *p), const plan *p, size_t worth)
{
    cell *counted = &r->matrix.cells[r->row][c];
    size_t mark = bytes_mark();

    note_plan(c, p);
    attempting = true;
    if (setjmp(ended) == 0) {
        exchange(r, p);
        counted->good += worth;
        r->matrix.good += worth;
    } else {
        counted->bad += worth;
        r->matrix.bad += worth;
    }
    attempting = false;
    bytes_release(mark);
}

triple matrix_suite(size_t row)
{
    return (triple){all_kems[row / 9], all_kdfs[row / 3 % 3], all_aeads[row % 3]};
}

/* --- Printing. ---------------------------------------------------------------------------------
 */

enum {
    NAME_WIDTH = 37,
    CELL_WIDTH = 10,
};

static void print_cell(const cell *c)
{
    char text[64];

    if (c->good + c->bad == 0) {
        (void)snprintf(text, sizeof(text), "-");
    } else if (c->bad == 0) {
        (void)snprintf(text, sizeof(text), "%zu", c->good);
    } else {
        (void)snprintf(text, sizeof(text), "%zu/%zu!", c->good, c->good + c->bad);
    }
    (void)printf("%*s", CELL_WIDTH, text);
}

static void print_headings(const heading *h, size_t count)
{
    (void)printf("%-*s", NAME_WIDTH, "");
    for (size_t i = 0; i < count; i++) {
        size_t across = 1;

        if (h[i].group == NULL) {
            continue;
        }
        while (i + across < count && h[i + across].group == NULL) {
            across++;
        }
        (void)printf("  %-*s", (int)across * CELL_WIDTH - 2, h[i].group);
    }
    (void)printf("\n%-*s", NAME_WIDTH, "suite");
    for (size_t i = 0; i < count; i++) {
        (void)printf("%*s", CELL_WIDTH, h[i].name);
    }
    (void)printf("\n");
}

static void print_table(const matrix *m, const heading *h, size_t count)
{
    print_headings(h, count);
    for (size_t row = 0; row < SUITES; row++) {
        triple suite = matrix_suite(row);
        char name[64];

        (void)snprintf(name, sizeof(name), "%s %s %s", tw_kem_name(suite.kem_id),
                       tw_kdf_name(suite.kdf_id), tw_aead_name(suite.aead_id));
        (void)printf("%-*s", NAME_WIDTH, name);
        for (size_t i = 0; i < count; i++) {
            print_cell(&m->cells[row][h[i].column]);
        }
        (void)printf("\n");
    }
    (void)printf("\n");
}

void matrix_print(const matrix *m)
{
    print_table(m, messages, LEN(messages));
    print_table(m, hpke, LEN(hpke));
}
