/* SPDX-License-Identifier: Apache-2.0 */
/* What the core calls and can fail: libcrypto's functions, and three of the system's. */

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/mman.h>

#include "calls.h"

/* Ciphers, digests, key derivation, random bytes. */
NEW(EVP_CIPHER *, EVP_CIPHER_fetch, (OSSL_LIB_CTX * c, const char *a, const char *p), (c, a, p),
    EVP_CIPHER_free)
NEW(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), EVP_CIPHER_CTX_free)
CALL(int, EVP_CipherInit_ex2,
     (EVP_CIPHER_CTX * c, const EVP_CIPHER *a, const unsigned char *k, const unsigned char *i,
      int e, const OSSL_PARAM p[]),
     (c, a, k, i, e, p), 0)
CALL(int, EVP_CipherUpdate,
     (EVP_CIPHER_CTX * c, unsigned char *o, int *ol, const unsigned char *i, int il),
     (c, o, ol, i, il), 0)
CALL(int, EVP_CipherFinal_ex, (EVP_CIPHER_CTX * c, unsigned char *o, int *ol), (c, o, ol), 0)
CALL(int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * c, int t, int a, void *p), (c, t, a, p), 0)
CALL(int, EVP_CIPHER_CTX_get_params, (EVP_CIPHER_CTX * c, OSSL_PARAM p[]), (c, p), 0)
NEW(EVP_MD *, EVP_MD_fetch, (OSSL_LIB_CTX * c, const char *a, const char *p), (c, a, p),
    EVP_MD_free)
NEW(EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), EVP_MD_CTX_free)
CALL(int, EVP_MD_CTX_copy_ex, (EVP_MD_CTX * o, const EVP_MD_CTX *i), (o, i), 0)
CALL(int, EVP_DigestInit_ex2, (EVP_MD_CTX * c, const EVP_MD *m, const OSSL_PARAM p[]), (c, m, p), 0)
CALL(int, EVP_DigestUpdate, (EVP_MD_CTX * c, const void *d, size_t n), (c, d, n), 0)
CALL(int, EVP_DigestFinal_ex, (EVP_MD_CTX * c, unsigned char *o, unsigned int *n), (c, o, n), 0)
NEW(EVP_KDF *, EVP_KDF_fetch, (OSSL_LIB_CTX * c, const char *a, const char *p), (c, a, p),
    EVP_KDF_free)
NEW(EVP_KDF_CTX *, EVP_KDF_CTX_new, (EVP_KDF * k), (k), EVP_KDF_CTX_free)
CALL(int, EVP_KDF_derive, (EVP_KDF_CTX * c, unsigned char *o, size_t n, const OSSL_PARAM p[]),
     (c, o, n, p), 0)
NEW(EVP_RAND *, EVP_RAND_fetch, (OSSL_LIB_CTX * c, const char *a, const char *p), (c, a, p),
    EVP_RAND_free)
NEW(EVP_RAND_CTX *, EVP_RAND_CTX_new, (EVP_RAND * r, EVP_RAND_CTX *p), (r, p), EVP_RAND_CTX_free)
CALL(int, EVP_RAND_instantiate,
     (EVP_RAND_CTX * c, unsigned int s, int r, const unsigned char *p, size_t n,
      const OSSL_PARAM a[]),
     (c, s, r, p, n, a), 0)
CALL(int, EVP_RAND_generate,
     (EVP_RAND_CTX * c, unsigned char *o, size_t n, unsigned int s, int r, const unsigned char *a,
      size_t m),
     (c, o, n, s, r, a, m), 0)
CALL(int, RAND_bytes_ex, (OSSL_LIB_CTX * c, unsigned char *o, size_t n, unsigned int s),
     (c, o, n, s), 0)
CALL(int, RAND_priv_bytes_ex, (OSSL_LIB_CTX * c, unsigned char *o, size_t n, unsigned int s),
     (c, o, n, s), 0)

/* Keys and points. */
NEW(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name, (OSSL_LIB_CTX * c, const char *n, const char *p),
    (c, n, p), EVP_PKEY_CTX_free)
NEW(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey, (OSSL_LIB_CTX * c, EVP_PKEY *k, const char *p),
    (c, k, p), EVP_PKEY_CTX_free)
CALL(int, EVP_PKEY_keygen_init, (EVP_PKEY_CTX * c), (c), 0)
CALL(int, EVP_PKEY_CTX_set_group_name, (EVP_PKEY_CTX * c, const char *n), (c, n), 0)
MAKE(int, EVP_PKEY_generate, (EVP_PKEY_CTX * c, EVP_PKEY **k), (c, k), 0)
CALL(int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * c), (c), 0)
MAKE(int, EVP_PKEY_fromdata, (EVP_PKEY_CTX * c, EVP_PKEY **k, int s, OSSL_PARAM p[]), (c, k, s, p),
     0)
CALL(int, EVP_PKEY_derive_init, (EVP_PKEY_CTX * c), (c), 0)
CALL(int, EVP_PKEY_derive_set_peer_ex, (EVP_PKEY_CTX * c, EVP_PKEY *k, int v), (c, k, v), 0)
CALL(int, EVP_PKEY_derive, (EVP_PKEY_CTX * c, unsigned char *o, size_t *n), (c, o, n), 0)
NEW(EVP_PKEY *, EVP_PKEY_dup, (EVP_PKEY * k), (k), EVP_PKEY_free)
NEW(EVP_PKEY *, EVP_PKEY_new_raw_private_key_ex,
    (OSSL_LIB_CTX * c, const char *t, const char *p, const unsigned char *k, size_t n),
    (c, t, p, k, n), EVP_PKEY_free)
NEW(EVP_PKEY *, EVP_PKEY_new_raw_public_key_ex,
    (OSSL_LIB_CTX * c, const char *t, const char *p, const unsigned char *k, size_t n),
    (c, t, p, k, n), EVP_PKEY_free)
CALL(int, EVP_PKEY_set1_encoded_public_key, (EVP_PKEY * k, const unsigned char *p, size_t n),
     (k, p, n), 0)
CALL(int, EVP_PKEY_get_octet_string_param,
     (const EVP_PKEY *k, const char *n, unsigned char *o, size_t m, size_t *l), (k, n, o, m, l), 0)
MAKE(int, EVP_PKEY_get_bn_param, (const EVP_PKEY *k, const char *n, BIGNUM **b), (k, n, b), 0)
CALL(int, EVP_PKEY_get_group_name, (const EVP_PKEY *k, char *o, size_t m, size_t *l), (k, o, m, l),
     0)
NEW(EVP_KEYEXCH *, EVP_KEYEXCH_fetch, (OSSL_LIB_CTX * c, const char *a, const char *p), (c, a, p),
    EVP_KEYEXCH_free)
NEW(EVP_KEYMGMT *, EVP_KEYMGMT_fetch, (OSSL_LIB_CTX * c, const char *a, const char *p), (c, a, p),
    EVP_KEYMGMT_free)
NEW(EC_GROUP *, EC_GROUP_new_by_curve_name_ex, (OSSL_LIB_CTX * c, const char *p, int n), (c, p, n),
    EC_GROUP_free)
NEW(EC_POINT *, EC_POINT_new, (const EC_GROUP *g), (g), EC_POINT_free)
CALL(int, EC_POINT_mul,
     (const EC_GROUP *g, EC_POINT *r, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m,
      BN_CTX *c),
     (g, r, n, q, m, c), 0)
CALL(size_t, EC_POINT_point2oct,
     (const EC_GROUP *g, const EC_POINT *p, point_conversion_form_t f, unsigned char *o, size_t n,
      BN_CTX *c),
     (g, p, f, o, n, c), 0)
CALL(int, EC_POINT_oct2point,
     (const EC_GROUP *g, EC_POINT *p, const unsigned char *i, size_t n, BN_CTX *c), (g, p, i, n, c),
     0)
CALL(int, EC_GROUP_get_curve, (const EC_GROUP *g, BIGNUM *p, BIGNUM *a, BIGNUM *b, BN_CTX *c),
     (g, p, a, b, c), 0)
NEW(BIGNUM *, BN_new, (void), (), BN_free)
NEW(BN_CTX *, BN_CTX_new_ex, (OSSL_LIB_CTX * c), (c), BN_CTX_free)
NEW(BN_MONT_CTX *, BN_MONT_CTX_new, (void), (), BN_MONT_CTX_free)
CALL(int, BN_MONT_CTX_set, (BN_MONT_CTX * m, const BIGNUM *n, BN_CTX *c), (m, n, c), 0)
CALL(int, BN_to_montgomery, (BIGNUM * r, const BIGNUM *a, BN_MONT_CTX *m, BN_CTX *c), (r, a, m, c),
     0)
CALL(int, BN_mod_mul_montgomery,
     (BIGNUM * r, const BIGNUM *a, const BIGNUM *b, BN_MONT_CTX *m, BN_CTX *c), (r, a, b, m, c), 0)
CALL(int, BN_mod_add_quick, (BIGNUM * r, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m),
     (r, a, b, m), 0)
NEW(BIGNUM *, BN_secure_new, (void), (), BN_free)
NEW(BN_CTX *, BN_CTX_secure_new_ex, (OSSL_LIB_CTX * c), (c), BN_CTX_free)
CALL(BIGNUM *, BN_bin2bn, (const unsigned char *s, int n, BIGNUM *b), (s, n, b), NULL)
CALL(int, BN_bn2binpad, (const BIGNUM *b, unsigned char *o, int n), (b, o, n), -1)
CALL(int, BN_bn2nativepad, (const BIGNUM *b, unsigned char *o, int n), (b, o, n), -1)

/* PEM and certificates. */
NEW(BIO *, BIO_new, (const BIO_METHOD *m), (m), BIO_free)
NEW(BIO *, BIO_new_mem_buf, (const void *d, int n), (d, n), BIO_free)
CALL(long, BIO_ctrl, (BIO * b, int c, long l, void *p), (b, c, l, p), 0)
NEW(OSSL_DECODER *, OSSL_DECODER_fetch, (OSSL_LIB_CTX * c, const char *n, const char *p), (c, n, p),
    OSSL_DECODER_free)
NEW(EVP_PKEY *, PEM_read_bio_PrivateKey_ex,
    (BIO * b, EVP_PKEY **x, pem_password_cb *cb, void *u, OSSL_LIB_CTX *c, const char *p),
    (b, x, cb, u, c, p), EVP_PKEY_free)
NEW(EVP_PKEY *, PEM_read_bio_PUBKEY_ex,
    (BIO * b, EVP_PKEY **x, pem_password_cb *cb, void *u, OSSL_LIB_CTX *c, const char *p),
    (b, x, cb, u, c, p), EVP_PKEY_free)
CALL(int, PEM_write_bio_PKCS8PrivateKey,
     (BIO * b, const EVP_PKEY *k, const EVP_CIPHER *e, const char *p, int n, pem_password_cb *cb,
      void *u),
     (b, k, e, p, n, cb, u), 0)
CALL(int, PEM_write_bio_PUBKEY, (BIO * b, const EVP_PKEY *k), (b, k), 0)
NEW(X509_PUBKEY *, X509_PUBKEY_new_ex, (OSSL_LIB_CTX * c, const char *p), (c, p), X509_PUBKEY_free)
MAKE(X509_PUBKEY *, PEM_read_bio_X509_PUBKEY,
     (BIO * b, X509_PUBKEY **x, pem_password_cb *cb, void *u), (b, x, cb, u), NULL)
CALL(int, X509_PUBKEY_get0_param,
     (ASN1_OBJECT * *o, const unsigned char **k, int *n, X509_ALGOR **a, const X509_PUBKEY *p),
     (o, k, n, a, p), 0)
NEW(X509 *, X509_new_ex, (OSSL_LIB_CTX * c, const char *p), (c, p), X509_free)
MAKE(X509 *, d2i_X509, (X509 * *x, const unsigned char **in, long n), (x, in, n),
     (X509_free(*x), *x = NULL))
MAKE(X509 *, PEM_read_bio_X509, (BIO * b, X509 **x, pem_password_cb *cb, void *u), (b, x, cb, u),
     NULL)
CALL(EVP_PKEY *, X509_get0_pubkey, (const X509 *x), (x), NULL)
MAKE(void *, X509_get_ext_d2i, (const X509 *x, int n, int *c, int *i), (x, n, c, i), (*c = 0, NULL))
NEW(ASN1_TIME *, ASN1_TIME_set, (ASN1_TIME * s, time_t t), (s, t), ASN1_TIME_free)
CALL(int, ASN1_TIME_diff, (int *d, int *s, const ASN1_TIME *a, const ASN1_TIME *b), (d, s, a, b), 0)

/* The system's. */
CALL(int, pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a), 12)
MAKE(void *, mmap64, (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o),
     MAP_FAILED)
CALL(int, madvise, (void *a, size_t n, int w), (a, n, w), -1)
