/* SPDX-License-Identifier: Apache-2.0 */

#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { HELP_COLUMN = 30, HELP_WIDTH = 80 };

/* The first `len` bytes of `text`, word by word, from column `indent` on; the cursor is
 * at `column`. */
static void print_wrapped(const char *text, size_t len, int column, int indent)
{
    const char *end = text + len;

    while (text < end) {
        const size_t rest = (size_t)(end - text);
        const size_t word = strcspn(text, " \n") < rest ? strcspn(text, " \n") : rest;

        if (column > indent && column + 1 + (int)word > HELP_WIDTH) {
            putchar('\n');
            column = 0;
        }
        if (column < indent) {
            printf("%*s", indent - column, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += (int)word;
        text += word;
        text += text < end ? 1 : 0;
    }
    putchar('\n');
}

static void print_usage(const verb *v)
{
    static const char format[] =
        "[--chunked] [--max-chunk BYTES] [--label TEXT] [--max-size BYTES] [--jobs N]";
    const char *lead = "usage:";

    for (const char *line = v->usage; line != NULL; lead = "      ") {
        const char *end = strchr(line, '\n');
        const size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        const int column = printf("%s twoway %s ", lead, v->name);

        print_wrapped(line, len, column, column);
        line = end != NULL ? end + 1 : NULL;
    }
    if ((v->bit & VERB_MESSAGES) != 0) {
        print_wrapped(format, sizeof(format) - 1, printf("FORMAT: "), 8);
    }
    if ((v->bit & VERB_TOKEN) != 0) {
        printf("TOKEN:  [--module PATH] [--pin-source FILE|ask|env:NAME] [--never-export-dh]\n");
    }
}

static void print_option(const option_row *row)
{
    int column = row->letter != 0 ? printf("  -%c, ", row->letter) : printf("      ");

    column += printf("--%s", row->name);
    if (row->arg != NULL) {
        column += printf(" %s", row->arg);
    }
    if (column + 1 > HELP_COLUMN) {
        putchar('\n');
        column = 0;
    }
    print_wrapped(row->help, strlen(row->help), column, HELP_COLUMN);
}

void help_verb(const verb *v)
{
    print_usage(v);
    printf("%s\n\n", v->summary);
    for (const option_row *row = cli_options; row->name != NULL; row++) {
        if ((row->verbs & v->bit) != 0) {
            print_option(row);
        }
    }
    if (v->takes_input) {
        printf("\nIN absent or '-' is standard input.\n");
    }
}

void help_command(void)
{
    printf("usage: twoway VERB [OPTION]...\n"
           "Requests and responses sealed with HPKE; the receiver's key may live in a token.\n\n");
    for (const verb *v = cli_verbs; v->name != NULL; v++) {
        printf("  %-9s %s\n", v->name, v->summary);
    }
    printf("\n"
           "A request: twoway config --key KEY -o CONFIG    (once, by the receiver)\n"
           "           twoway request --to CONFIG --exchange S -o REQ IN\n"
           "           twoway accept --key KEY --exchange R -o IN REQ\n"
           "           twoway respond --exchange R -o RES ANSWER\n"
           "           twoway receive --exchange S -o ANSWER RES\n\n"
           "twoway VERB --help shows a verb's options; --version the version.\n"
           "The manual: man twoway.\n");
}
