/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes the seeds that are kept beside this file, always the same ones:
 *
 *   fuzz-seeds DIRECTORY    writes DIRECTORY/opener, /config, /exchange and /certificate
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include <twoway/ohttp.h>

#include "fuzz.h"
#include "mutate.h"
#include "opener.h"
#include "support/certificates.h"
#include "support/check.h"

static const char *root;

static void write_seed(const char *target, const char *name, bytes content)
{
    char path[4096];
    FILE *file;

    must(snprintf(path, sizeof(path), "%s/%s", root, target) < (int)sizeof(path));
    (void)mkdir(path, 0777);
    must(snprintf(path, sizeof(path), "%s/%s/%s", root, target, name) < (int)sizeof(path));
    file = fopen(path, "wb");
    must(file != NULL);
    must(fwrite(content.data, 1, content.len, file) == content.len);
    must(fclose(file) == 0);
}

/* --- opener --------------------------------------------------------------- */

/* A message of 30 bytes in chunks of 7, which come in updates of 10 and 3. */
static bytes opening(unsigned what, size_t aead)
{
    uint8_t start[] = {(uint8_t)(what | aead << OPENER_AEAD_SHIFT), 1, 0, 30, 2, 10, 3};

    return bytes_of(start, sizeof(start));
}

/* The same message as it travels, made by reading the plan that asks for it. */
static bytes given(unsigned what, size_t aead)
{
    bytes in = opening(what, aead);
    plan p = plan_read(&in);
    size_t head_len;
    bytes sealed = plan_seal(&p, &head_len);

    return bytes_cat(opening(what | OPENER_GIVEN, aead), sealed);
}

static void opener_kinds(void)
{
    static const char *const names[] = {"request-whole", "request-chunked", "response-whole",
                                        "response-chunked"};
    char name[64];

    for (unsigned what = 0; what < 4; what++) {
        write_seed("opener", names[what], opening(what, what % 3));
        (void)snprintf(name, sizeof(name), "%s-given", names[what]);
        write_seed("opener", name, given(what, what % 3));
    }
    write_seed("opener", "final-empty", opening(OPENER_CHUNKED | OPENER_FINAL_EMPTY, 0));
}

static void opener_alterations(void)
{
    static const struct {
        const char *name;
        uint8_t how[8];
        size_t len;
    } altered[] = {
        {"flip", {ALTER_FLIP, 0, 60, 3}, 4},
        {"replace", {ALTER_REPLACE, 0, 50, 4, 2, 0x40, 0x11}, 7},
        {"copy", {ALTER_COPY, 0, 40, 0, 30, 0, 70}, 7},
        {"cut", {ALTER_CUT, 0, 65}, 3},
        {"drop", {ALTER_DROP, 1}, 2},
        {"double", {ALTER_DOUBLE, 1}, 2},
        {"swap", {ALTER_SWAP, 0, 2}, 3},
        {"continue", {ALTER_CONTINUE, 0}, 2},
        {"finish", {ALTER_FINISH, 1}, 2},
        {"widen", {ALTER_WIDEN, 0, 3, ALTER_WIDEN, 2, 1}, 6},
    };

    for (size_t i = 0; i < sizeof(altered) / sizeof(altered[0]); i++) {
        bytes start = opening(OPENER_CHUNKED | (i % 2 == 0 ? OPENER_RESPONSE : 0), i % 3);

        write_seed("opener", altered[i].name,
                   bytes_cat(start, bytes_of(altered[i].how, altered[i].len)));
    }
}

/* --- config --------------------------------------------------------------- */

static tw_config config_of(uint16_t kem_id, uint8_t key_id, size_t pairs)
{
    const tw_key *key = fuzz_key(kem_id);
    tw_config c = {.key_id = key_id, .kem_id = kem_id, .public_len = key->kem->public_len};

    memcpy(c.public_key, key->public_key, c.public_len);
    for (size_t i = 0; i < pairs; i++) {
        c.symmetric[i] = (tw_symmetric){all_kdfs[i / 3 % 3], all_aeads[i % 3]};
    }
    c.symmetric_count = pairs;
    return c;
}

static void config_seed(const char *name, const tw_config *configs, size_t count, bool bare)
{
    bytes made = bytes_new(4096);
    size_t len = 0;

    must_ok(tw_config_encode(configs, count, bare, made.data, made.len, &len));
    write_seed("config", name, bytes_part(made, 0, len));
}

static void config_seeds(void)
{
    const tw_config two[] = {config_of(TW_KEM_X25519_HKDF_SHA256, 1, 3),
                             config_of(TW_KEM_P256_HKDF_SHA256, 2, 9)};
    const tw_config large = config_of(TW_KEM_P521_HKDF_SHA512, 255, TW_MAX_SYMMETRIC);
    /* A KEM that nobody knows, then one that everybody does. */
    static const uint8_t unknown[] = {0, 12, 9, 0x7f, 0x01, 1, 2, 3, 0, 4, 0, 1, 0, 1};
    bytes known = bytes_new(256);
    size_t len = 0;

    config_seed("list", two, 2, false);
    config_seed("bare", two, 1, true);
    config_seed("large", &large, 1, false);
    must_ok(tw_config_encode(two, 1, false, known.data, known.len, &len));
    write_seed("config", "unknown-kem",
               bytes_cat(bytes_of(unknown, sizeof(unknown)), bytes_part(known, 0, len)));
    write_seed("config", "header", bytes_hex("01002000010001"));
}

/* --- exchange ------------------------------------------------------------- */

static bytes saved(const tw_exchange *exchange)
{
    bytes made = bytes_new(tw_exchange_save_len(exchange));
    size_t len = 0;

    must_ok(tw_exchange_save(exchange, made.data, made.len, &len));
    return made;
}

static void exchange_seeds(void)
{
    tw_rng rng = fuzz_rng();
    char name[64];

    for (size_t i = 0; i < sizeof(all_kems) / sizeof(all_kems[0]); i++) {
        uint16_t kem_id = all_kems[i];
        peers p;

        const tw_key *key = fuzz_key(kem_id);

        fuzz_rng_reset();
        peers_start_with(&p, fuzz_suite(kem_id, all_kdfs[i % 3], all_aeads[i % 3]), key, &rng);
        (void)snprintf(name, sizeof(name), "%s-sender", tw_kem_name(kem_id));
        write_seed("exchange", name, saved(p.asked));
        (void)snprintf(name, sizeof(name), "%s-receiver", tw_kem_name(kem_id));
        write_seed("exchange", name, saved(p.answered));
        peers_end(&p);
    }
}

/* --- certificate ---------------------------------------------------------- */

static void certificate_seeds(void)
{
    static const certificate_wish plain = {0},
                                  full = {.extensions = {{"keyUsage", "critical,keyAgreement"},
                                                         {"basicConstraints", "critical,CA:FALSE"},
                                                         {"1.2.3.4", "critical,DER:0500"}}};
    bytes der = bytes_none;

    for (size_t i = 0; i < sizeof(all_kems) / sizeof(all_kems[0]); i++) {
        const tw_key *key = fuzz_key(all_kems[i]);
        EVP_PKEY *pkey = public_pkey(all_kems[i], key->public_key, key->kem->public_len);

        der = certificate_of(pkey, i % 2 == 0 ? &plain : &full);
        write_seed("certificate", tw_kem_name(all_kems[i]), der);
        EVP_PKEY_free(pkey);
    }
    write_seed("certificate", "pem", certificate_pem(der));
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 64;
    }
    root = argv[1];
    opener_kinds();
    opener_alterations();
    config_seeds();
    exchange_seeds();
    certificate_seeds();
    bytes_release(0);
    return EXIT_SUCCESS;
}
