/* SPDX-License-Identifier: Apache-2.0 */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static int run_verb(const verb *v, int argc, char **argv)
{
    options o;
    int status;

    set_verb(v->name);
    status = options_parse(v, argc, argv, &o);
    if (status == EX_OK && o.help) {
        help_verb(v);
    } else if (status == EX_OK) {
        set_quiet(o.quiet);
        status = paths_apart(&o);
        status = status == EX_OK ? v->run(&o) : status;
    }
    options_free(&o);
    return status;
}

static int run_command(int argc, char **argv)
{
    const verb *v;

    if (argc < 2) {
        return usage_error("expected a verb, came none");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_command();
        return EX_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("twoway %s\n", tw_version());
        return EX_OK;
    }
    v = verb_named(argv[1]);
    if (v == NULL) {
        return usage_error("expected a verb, came '%s'", argv[1]);
    }
    return run_verb(v, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    int status;

    standard_fill();
    memory_guard();
    (void)signal(SIGPIPE, SIG_IGN); /* a write then answers EPIPE */
    (void)signal(SIGXFSZ, SIG_IGN); /* and EFBIG */
    interrupts_install();

    status = run_command(argc, argv);
    if (status == EX_OK) {
        status = text_flush();
    }
    progress_end();
    pin_forget();
    outputs_finish(status == EX_OK);
    return status;
}
