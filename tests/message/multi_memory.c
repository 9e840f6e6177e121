/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One body to a hundred receivers, streamed: what it costs is its chunks' overhead, once,
 * and no memory that grows with it. A plain program, as it looks at its own size:
 *
 *   test-multi-memory [MIB [RECEIVERS]]      1024 and 100 unless given; sanitizers take 64
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <twoway/twoway.h>

#include "check.h"

#define MOST_KIB (16 << 10) /* resident, the whole process with its libraries */
#define PIECE    65536
#define OVERHEAD (4 + 16) /* a chunk's length, and its tag */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static struct {
    tw_suite *suite;
    tw_key *key; /* all receivers have it, each its own encapsulation */
    tw_receiver *receiver;
    tw_multi *multi;
    tw_sealer *sealer;
    tw_opener *opener; /* of the receiver that reads along */
    uint8_t head[TW_MAX_HEAD];
    uint8_t plain[PIECE], sealed[PIECE + 20 * (PIECE / TW_CHUNK_LEN + 1)];
    uint8_t opened[PIECE + 2 * TW_CHUNK_LEN];
    size_t encapsulated, sent, received;
} all;

static const tw_format chunked = {.size = sizeof(tw_format), .chunked = true};

static void encapsulate(uint8_t *encap)
{
    must_ok(tw_multi_encap(all.multi, 1, all.key->public_key, all.suite->public_len, encap,
                           TW_MAX_HEAD, NULL));
    all.encapsulated++;
}

static void start(void)
{
    uint8_t encap[TW_MAX_HEAD];

    must_ok(tw_suite_new(TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256, TW_AEAD_AES_128_GCM, NULL,
                         &all.suite));
    must_ok(tw_key_generate(TW_KEM_X25519_HKDF_SHA256, NULL, NULL, &all.key));
    must_ok(tw_receiver_new(all.suite, 1, all.key, NULL, &all.receiver));
    must_ok(tw_multi_new(all.suite, &chunked, NULL, all.head, sizeof(all.head), &all.sealer,
                         &all.multi));
    encapsulate(encap);
    must_ok(tw_receiver_accept_multi(all.receiver, &chunked, encap, tw_multi_encap_len(all.suite),
                                     all.head, tw_multi_head_len(all.suite), &all.opener, NULL));
}

/* What the receiver opened must be this piece and the end of the one before. */
static void read_along(size_t sealed_len, bool final)
{
    size_t len = 0;

    must(tw_opener_bound(all.opener, sealed_len) <= sizeof(all.opened));
    must_ok((final ? tw_opener_final : tw_opener_update)(all.opener, all.sealed, sealed_len,
                                                         all.opened, sizeof(all.opened), &len));
    for (size_t i = 0; i < len; i++) {
        must(all.opened[i] == (uint8_t)((all.received + i) >> 8));
    }
    all.received += len;
}

static void push(size_t at)
{
    size_t len = 0;

    for (size_t i = 0; i < PIECE; i++) {
        all.plain[i] = (uint8_t)((at + i) >> 8);
    }
    must(tw_sealer_bound(all.sealer, PIECE) <= sizeof(all.sealed));
    must_ok(tw_sealer_update(all.sealer, all.plain, PIECE, all.sealed, sizeof(all.sealed), &len));
    all.sent += len;
    read_along(len, false);
}

static void finish(void)
{
    size_t len = 0;

    must_ok(tw_sealer_final(all.sealer, NULL, 0, all.sealed, sizeof(all.sealed), &len));
    all.sent += len;
    read_along(len, true);
}

/* Receivers join evenly from before the first piece until after the end. */
static void join_until(size_t count)
{
    uint8_t encap[TW_MAX_HEAD];

    while (all.encapsulated < count) {
        encapsulate(encap);
    }
}

/* The peak of this program alone: ru_maxrss remembers who forked it, too. */
static long resident_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[128];
    long kib = 0;

    must(status != NULL);
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kib = strtol(line + 6, NULL, 10);
        }
    }
    fclose(status);
    must(kib > 0);
    return kib;
}

int main(int argc, char *argv[])
{
    size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : SANITIZED ? 64 : 1024;
    size_t receivers = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    size_t total = mib << 20;

    must(mib > 0 && receivers > 0);
    start();
    for (size_t at = 0; at < total; at += PIECE) {
        join_until((size_t)((double)receivers * (double)at / (double)total));
        push(at);
    }
    finish();
    join_until(receivers);
    must_size(receivers, all.encapsulated);
    must_size(total, all.received);
    must_size(total + total / TW_CHUNK_LEN * OVERHEAD + 1 + 16, all.sent);
    printf("%zu MiB to %zu receivers: %zu bytes sealed, once; %ld KiB resident\n", mib, receivers,
           all.sent, resident_kib());
    must(SANITIZED || resident_kib() < MOST_KIB);
    tw_opener_free(all.opener);
    tw_sealer_free(all.sealer);
    tw_multi_free(all.multi);
    tw_receiver_free(all.receiver);
    tw_key_free(all.key);
    tw_suite_free(all.suite);
    return EXIT_SUCCESS;
}
