/* SPDX-License-Identifier: Apache-2.0 */

/* tokens --check: a line for each thing that the library finds out about a key. The first
 * word names the step and the second is the verdict; scripts read these. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char *verdict_text(tw_token_verdict verdict)
{
    switch (verdict) {
    case TW_VERDICT_OK:
        return "ok";
    case TW_VERDICT_NO:
        return "no";
    case TW_VERDICT_WEAK:
        return "weak";
    case TW_VERDICT_FAILED:
        return "failed";
    case TW_VERDICT_UNKNOWN:
        break;
    }
    return "unknown";
}

typedef struct checking {
    bool found; /* the token, so that what fails after that is about the key */
} checking;

/* From its announcement on the key pair has to go before the process may. */
static void guard_pair(const char *step)
{
    if (strcmp(step, "scratch") == 0) {
        interrupts_defer(true);
    } else if (strcmp(step, "removed") == 0) {
        interrupts_defer(false);
    }
}

static tw_err on_finding(void *arg, const tw_token_finding *finding)
{
    checking *c = arg;

    c->found = c->found || strcmp(finding->step, "key") == 0;
    waiting_clear();
    printf("%-10s %-7s %s\n", finding->step, verdict_text(finding->verdict), finding->text);
    if (finding->advice != NULL) {
        printf("%-10s %-7s %s\n", "change", finding->step, finding->advice);
    }
    (void)fflush(stdout); /* what follows may take long, or never end */
    guard_pair(finding->step);
    if (interrupts_noted()) {
        return TW_ERR_STATE;
    }
    return ferror(stdout) != 0 ? TW_ERR_IO : TW_OK;
}

static int check_key(const options *o, const tw_config *half)
{
    const tw_token_options settings = token_options(o);
    const tw_token_check_options wish = {.size = sizeof(wish),
                                         .no_scratch = o->no_scratch,
                                         .public_key =
                                             half->public_len > 0 ? half->public_key : NULL,
                                         .public_len = half->public_len};
    checking c = {0};
    tw_err err;

    waiting_begin();
    err = tw_token_check(o->check, &settings, &wish, on_finding, &c);
    (void)waiting_end();
    interrupts_defer(false);
    if (ferror(stdout) != 0) {
        return text_flush();
    }
    return err == TW_OK ? EX_OK : fail_uri(err, c.found ? ABOUT_KEY : ABOUT_URI, o->check);
}

int check_token(const options *o)
{
    tw_config half = {0};
    int status = EX_OK;

    if (!is_uri(o->check)) {
        return usage_error(
            "expected a URI such as 'pkcs11:token=hpke;object=twoway' after --check, "
            "came another text");
    }
    if (public_path(o) != NULL) {
        status = public_read(o, &half);
    }
    return status == EX_OK ? check_key(o, &half) : status;
}
