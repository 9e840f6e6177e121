/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library over a FIPS provider, where one is installed (Debian 13 and later:
 * openssl-provider-fips). Its configuration, with the checksum that its self-test needs,
 * is made here for the test alone.
 */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <twoway/twoway.h>

#include "check.h"
#include "decoy.h"
#include "served.h"

#define FIPS    "fips=yes"
#define SKIPPED 77 /* what meson counts as skipped */

static char module_path[512];
static char dir[] = "/tmp/twoway-fips-XXXXXX";

static OSSL_LIB_CTX *libctx;
static tw_provider fips;

/* --- The provider. ------------------------------------------------------------------ */

/* Where libcrypto looks for providers: OPENSSL_MODULES, or what it was built with. */
static bool find_module(void)
{
    const char *chosen = getenv("OPENSSL_MODULES");
    char built[512] = "";
    int len;

    if (chosen == NULL &&
        sscanf(OpenSSL_version(OPENSSL_MODULES_DIR), "MODULESDIR: \"%500[^\"]", built) == 1) {
        chosen = built;
    }
    len = snprintf(module_path, sizeof(module_path), "%s/fips.so", chosen == NULL ? "" : chosen);
    return len < (int)sizeof(module_path) && access(module_path, R_OK) == 0;
}

/* base has the encoders and decoders, which every PEM needs. */
static void write_configuration(void)
{
    char path[600], command[2048];
    FILE *f;

    (void)snprintf(command, sizeof(command),
                   "openssl fipsinstall -quiet -module '%s' -out '%s/module.cnf'", module_path,
                   dir);
    must(system(command) == 0);
    (void)snprintf(path, sizeof(path), "%s/openssl.cnf", dir);
    f = fopen(path, "w");
    must(f != NULL);
    must(fprintf(f,
                 "openssl_conf = init\nconfig_diagnostics = 1\n.include %s/module.cnf\n"
                 "[init]\nproviders = list\n[list]\nfips = fips_sect\nbase = base_sect\n"
                 "[base_sect]\nactivate = 1\n",
                 dir) > 0);
    must(fclose(f) == 0);
}

static void load(void)
{
    char path[600];

    must(find_module()); /* in this process, which is the test's own */
    must(mkdtemp(dir) != NULL);
    write_configuration();
    (void)snprintf(path, sizeof(path), "%s/openssl.cnf", dir);
    must(OSSL_LIB_CTX_load_config(libctx, path) == 1);
    must(OSSL_PROVIDER_available(libctx, "fips") == 1);
    fips = (tw_provider){.libctx = libctx, .properties = FIPS};
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void start(void)
{
    libctx = OSSL_LIB_CTX_new();
    must(libctx != NULL);
}

static void end(void)
{
    OSSL_LIB_CTX_free(libctx);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(fips, .init = start, .fini = end, .timeout = 120);

static const uint16_t nist_kems[] = {TW_KEM_P256_HKDF_SHA256, TW_KEM_P384_HKDF_SHA384,
                                     TW_KEM_P521_HKDF_SHA512};
static const uint16_t gcms[] = {TW_AEAD_AES_128_GCM, TW_AEAD_AES_256_GCM};

static void must_serve_all_that_it_has(void)
{
    for (size_t n = 0; n < 18; n++) {
        must_be_served(&fips, (triple){nist_kems[n / 6], all_kdfs[n / 2 % 3], gcms[n % 2]});
    }
    puts("P-256, P-384, P-521, three KDFs, both AES: 18 suites served by " FIPS);
}

/* --- Tests. ------------------------------------------------------------------------- */

Test(fips, alone_it_serves_the_nist_curves_and_aes)
{
    load();
    must(OSSL_PROVIDER_available(libctx, "default") == 0);
    must_serve_all_that_it_has();
}

Test(fips, beside_others_the_query_keeps_to_it)
{
    OSSL_PROVIDER *decoy = decoy_load(libctx, DECOY_HASHES); /* first come, first asked */
    OSSL_PROVIDER *other = OSSL_PROVIDER_load(libctx, "default");

    must(decoy != NULL && other != NULL);
    load();
    must_serve_all_that_it_has();
    must_size(0, decoy_visits());
    must(OSSL_PROVIDER_unload(decoy) == 1 && OSSL_PROVIDER_unload(other) == 1);
}

Test(fips, what_it_does_not_have_is_invalid_and_named)
{
    OSSL_PROVIDER *other = OSSL_PROVIDER_load(libctx, "default");

    must(other != NULL);
    load();
    must_not_be_served(&fips, (triple){TW_KEM_X25519_HKDF_SHA256, 1, 1}, "X25519");
    must_not_be_served(&fips, (triple){TW_KEM_X448_HKDF_SHA512, 1, 1}, "X448");
    must_not_be_served(&fips, (triple){TW_KEM_P256_HKDF_SHA256, 1, TW_AEAD_CHACHA20_POLY1305},
                       "ChaCha20-Poly1305");
    must(OSSL_PROVIDER_unload(other) == 1);
}

/* The query may name the provider instead. Then nothing reads PEMs, which is base's. */
Test(fips, under_its_name_alone_it_reads_no_pem)
{
    tw_provider named;
    tw_key *key = NULL, *none = (tw_key *)&none;
    tw_suite *suite = NULL;
    char pem[1024];
    size_t len = 0;

    load();
    named = (tw_provider){.libctx = libctx, .properties = "provider=fips"};
    must_ok(tw_suite_new(TW_KEM_P256_HKDF_SHA256, 1, 1, &named, &suite));
    must_ok(tw_key_generate(TW_KEM_P256_HKDF_SHA256, NULL, &named, &key));
    must_ok(tw_key_check(key));
    must_ok(tw_key_to_pem(key, pem, sizeof(pem), &len));
    must_err(TW_ERR_INVALID, tw_key_from_pem(pem, len, &named, &none));
    must(none == NULL);
    tw_key_free(key);
    tw_suite_free(suite);
}

/* --- Or a skip that can be seen. -------------------------------------------------------- */

int main(int argc, char *argv[])
{
    struct criterion_test_set *set = criterion_initialize();
    int status = EXIT_SUCCESS;

    if (!find_module()) {
        (void)fprintf(stderr, "SKIPPED: no FIPS provider: %s is not there\n", module_path);
        status = SKIPPED;
    } else if (criterion_handle_args(argc, argv, true)) {
        status = criterion_run_all_tests(set) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    criterion_finalize(set);
    return status;
}
