/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench: see bench.h and scripts/bench.
 *
 *   bench [--quick | --smoke] [--row NAME] [--peer NAME COMMAND]
 *   bench --list     the groups of rows
 *   bench --serve    be a peer
 *   bench --about    the libcrypto that is measured
 */

#include "bench.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

static const group groups[] = {
    {"stream", "chunks sealed and opened, beside EVP with new IV only", measure_stream},
    {"whole", "whole responses sealed and opened, beside EVP", measure_whole},
    {"receive", "a request received and answered, beside its derive", measure_receive},
    {"send", "a request sent and its answer received, beside generate and derive", measure_send},
    {"refuse", "a request refused, beside one accepted", measure_refuse},
    {"multi", "one message to many, beside a generate and derive for each", measure_multi},
    {"latency", "how long a receive takes; first-byte: until plaintext is there", measure_latency},
    {"threads", "two threads beside one", measure_threads},
    {"token", "received through SoftHSM, beside derive, read, destroy", measure_token},
    {"slow", "received through a slow token, beside sessions / latency", measure_slow},
    {"length", "a message of so many bytes sent, beside bare work", measure_length},
    {"streams", "chunks of so many streams in turn, beside EVP contexts", measure_streams},
    {"idle", "bytes of the process for each of 10,000 streams that wait", measure_idle},
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

enum {
    MS = 1000000,
};

static void measure_all(const plan *p)
{
    for (size_t i = 0; i < GROUPS; i++) {
        groups[i].measure(p);
    }
}

/* Answers line by line; a pass without an answer shows that nothing has that name. */
static void serve(plan *p)
{
    served s = {0};

    p->served = &s;
    serve_next(&s);
    while (s.open) {
        unsigned long line = s.lines;

        measure_all(p);
        if (s.open && s.lines == line) {
            serve_none(&s);
        }
    }
}

static int usage(void)
{
    (void)fprintf(stderr, "bench [--quick | --smoke] [--row NAME] [--peer NAME COMMAND] | --list |"
                          " --serve | --about\n");
    return 64;
}

static int list(void)
{
    for (size_t i = 0; i < GROUPS; i++) {
        (void)printf("%-8s %s\n", groups[i].name, groups[i].about);
    }
    return 0;
}

int main(int argc, char **argv)
{
    plan p = {.rounds = 400, .slice_ns = 1 * MS, .budget_ns = 1000ull * MS, .samples = 20000};
    peer other;
    bool serving = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            p.rounds = 80;
            p.budget_ns = 200ull * MS;
            p.samples = 4000;
        } else if (strcmp(argv[i], "--smoke") == 0) {
            p = (plan){.only = p.only, .rounds = 1, .slice_ns = 1, .samples = 8, .smoke = true};
        } else if (strcmp(argv[i], "--row") == 0 && i + 1 < argc) {
            p.only = argv[++i];
        } else if (strcmp(argv[i], "--peer") == 0 && i + 2 < argc) {
            pin(core_count() - 1);
            peer_start(&other, argv[i + 1], argv[i + 2]);
            p.peer = &other;
            i += 2;
        } else if (strcmp(argv[i], "--list") == 0) {
            return list();
        } else if (strcmp(argv[i], "--about") == 0) {
            (void)printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
            return 0;
        } else if (strcmp(argv[i], "--serve") == 0) {
            serving = true;
        } else {
            return usage();
        }
    }
    pin(core_count() - 1); /* the first core has most of the interrupts */
    if (serving) {
        serve(&p);
    } else {
        measure_all(&p);
    }
    if (p.peer != NULL) {
        peer_stop(p.peer);
    }
    return 0;
}
