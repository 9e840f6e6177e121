/* SPDX-License-Identifier: Apache-2.0 */
#include "seam.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "check.h"
#include "heap.h"
#include "label.h"

unsigned char seam_stack[1 << 20];
/* Of the stack, and of what the program makes of what goes over: threads cross one at a time. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static seam_word call(const char *name, const seam_word args[8])
{
    void *fn = dlsym(RTLD_NEXT, name);
    seam_word result;

    must(fn != NULL);
    if (seam_crossed()) { /* from libcrypto itself, or from a token that uses it */
        seam_word (*direct)(seam_word, seam_word, seam_word, seam_word, seam_word, seam_word,
                            seam_word, seam_word);

        *(void **)&direct = fn;
        return direct(args[0], args[1], args[2], args[3], args[4], args[5], args[6], args[7]);
    }
    must(pthread_mutex_lock(&lock) == 0);
    result = seam_elsewhere(seam_stack, sizeof(seam_stack), fn, args);
    seam_returned();
    must(pthread_mutex_unlock(&lock) == 0);
    return result;
}

#define W(x)      ((seam_word)(uintptr_t)(x))
#define CALL(...) call(__func__, (const seam_word[8]){__VA_ARGS__})
#define FORWARD(type, name, params, ...)                                                           \
    type name params                                                                               \
    {                                                                                              \
        return (type)CALL(__VA_ARGS__);                                                            \
    }
#define FORWARD_VOID(name, params, ...)                                                            \
    void name params                                                                               \
    {                                                                                              \
        (void)CALL(__VA_ARGS__);                                                                   \
    }

static void take(const char *what, const void *data, size_t len)
{
    must(pthread_mutex_lock(&lock) == 0);
    if (!seam_crossed()) {
        seam_take(what, data, len);
    }
    must(pthread_mutex_unlock(&lock) == 0);
}

static bool give(const char *what, const void *data, size_t len)
{
    bool secret;

    must(pthread_mutex_lock(&lock) == 0);
    secret = !seam_crossed() && data != NULL && len > 0 && seam_give(what, data, len);
    must(pthread_mutex_unlock(&lock) == 0);
    return secret;
}

/* --- Keys. ------------------------------------------------------------------------------- */

FORWARD(int, EVP_PKEY_derive_init, (EVP_PKEY_CTX * ctx), W(ctx))
FORWARD(int, EVP_PKEY_derive_set_peer_ex, (EVP_PKEY_CTX * ctx, EVP_PKEY *peer, int validate),
        W(ctx), W(peer), W(validate))
FORWARD(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_pkey,
        (OSSL_LIB_CTX * libctx, EVP_PKEY *pkey, const char *query), W(libctx), W(pkey), W(query))
FORWARD_VOID(EVP_PKEY_CTX_free, (EVP_PKEY_CTX * ctx), W(ctx))
FORWARD_VOID(EVP_PKEY_free, (EVP_PKEY * pkey), W(pkey))

int EVP_PKEY_get_octet_string_param(const EVP_PKEY *pkey, const char *name, unsigned char *out,
                                    size_t cap, size_t *len)
{
    int ok = (int)CALL(W(pkey), W(name), W(out), W(cap), W(len));

    if (ok == 1 && strcmp(name, OSSL_PKEY_PARAM_PRIV_KEY) == 0) {
        take("private key", out, *len);
    }
    return ok;
}

int EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *len)
{
    int ok = (int)CALL(W(ctx), W(key), W(len));

    if (ok == 1) {
        take("DH output", key, *len);
    }
    return ok;
}

EVP_PKEY *EVP_PKEY_new_raw_private_key_ex(OSSL_LIB_CTX *libctx, const char *type, const char *query,
                                          const unsigned char *key, size_t len)
{
    (void)give("private key", key, len);
    return (EVP_PKEY *)CALL(W(libctx), W(type), W(query), W(key), W(len));
}

static void give_params(const OSSL_PARAM *p)
{
    for (; p->key != NULL; p++) {
        if (p->data_type != OSSL_PARAM_UTF8_STRING) {
            (void)give("private key", p->data, p->data_size);
        }
    }
}

int EVP_PKEY_fromdata(EVP_PKEY_CTX *ctx, EVP_PKEY **pkey, int selection, OSSL_PARAM *params)
{
    give_params(params);
    return (int)CALL(W(ctx), W(pkey), W(selection), W(params));
}

/* The new key is looked at, so that it is known. */
int EVP_PKEY_generate(EVP_PKEY_CTX *ctx, EVP_PKEY **pkey)
{
    int ok = (int)CALL(W(ctx), W(pkey));
    unsigned char key[66];
    size_t len = sizeof(key);
    BIGNUM *scalar = NULL;

    heap_wipe(true); /* of this nothing is left */
    if (ok == 1 && EVP_PKEY_get_base_id(*pkey) != EVP_PKEY_EC) {
        (void)EVP_PKEY_get_octet_string_param(*pkey, OSSL_PKEY_PARAM_PRIV_KEY, key, len, &len);
    } else if (ok == 1 && EVP_PKEY_get_bn_param(*pkey, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1) {
        (void)BN_bn2binpad(scalar, key, (EVP_PKEY_get_bits(*pkey) + 7) / 8);
        BN_clear_free(scalar);
    }
    heap_wipe(false);
    OPENSSL_cleanse(key, sizeof(key));
    return ok;
}

/* --- Numbers and points. ------------------------------------------------------------------ */

FORWARD(int, EVP_PKEY_get_bn_param, (const EVP_PKEY *pkey, const char *name, BIGNUM **out), W(pkey),
        W(name), W(out))
FORWARD_VOID(BN_clear_free, (BIGNUM * n), W(n))
FORWARD_VOID(BN_CTX_free, (BN_CTX * ctx), W(ctx))
FORWARD(int, BN_is_zero, (const BIGNUM *n), W(n))
FORWARD(int, BN_cmp, (const BIGNUM *a, const BIGNUM *b), W(a), W(b))
FORWARD(int, EC_POINT_mul,
        (const EC_GROUP *group, EC_POINT *out, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m,
         BN_CTX *ctx),
        W(group), W(out), W(n), W(q), W(m), W(ctx))
FORWARD(size_t, EC_POINT_point2oct,
        (const EC_GROUP *group, const EC_POINT *p, point_conversion_form_t form, unsigned char *out,
         size_t len, BN_CTX *ctx),
        W(group), W(p), W(form), W(out), W(len), W(ctx))
FORWARD_VOID(EC_POINT_free, (EC_POINT * p), W(p))

BIGNUM *BN_bin2bn(const unsigned char *in, int len, BIGNUM *out)
{
    (void)give("private key", in, (size_t)len);
    return (BIGNUM *)CALL(W(in), W(len), W(out));
}

int BN_bn2binpad(const BIGNUM *n, unsigned char *out, int len)
{
    int written = (int)CALL(W(n), W(out), W(len));

    take("private key", out, written < 0 ? 0 : (size_t)written);
    return written;
}

int BN_bn2nativepad(const BIGNUM *n, unsigned char *out, int len)
{
    int written = (int)CALL(W(n), W(out), W(len));

    take("private key", out, written < 0 ? 0 : (size_t)written);
    return written;
}

/* --- PEM. ---------------------------------------------------------------------------------- */

FORWARD(BIO *, BIO_new_mem_buf, (const void *data, int len), W(data), W(len))
FORWARD(int, BIO_free, (BIO * bio), W(bio))

/* libcrypto's PEM code wipes nothing that it frees: a heap of its own says what that is. */
static heap *pem_heap(void)
{
    static heap *h;

    if (h == NULL) {
        h = heap_new("libcrypto's heap, of PEMs", (size_t)16 << 20);
    }
    return h;
}

EVP_PKEY *PEM_read_bio_PrivateKey_ex(BIO *bio, EVP_PKEY **pkey, pem_password_cb *cb, void *arg,
                                     OSSL_LIB_CTX *libctx, const char *query)
{
    heap *before = heap_use(pem_heap());
    EVP_PKEY *read = (EVP_PKEY *)CALL(W(bio), W(pkey), W(cb), W(arg), W(libctx), W(query));

    (void)heap_use(before);
    return read;
}

int PEM_write_bio_PKCS8PrivateKey(BIO *bio, const EVP_PKEY *pkey, const EVP_CIPHER *cipher,
                                  const char *pass, int pass_len, pem_password_cb *cb, void *arg)
{
    heap *before = heap_use(pem_heap());
    int ok = (int)CALL(W(bio), W(pkey), W(cipher), W(pass), W(pass_len), W(cb), W(arg));
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    (void)heap_use(before);
    take("PEM", text, len < 0 ? 0 : (size_t)len);
    return ok;
}

/* --- Digests, each with what it has been fed. ---------------------------------------------- */

static struct digest {
    const EVP_MD_CTX *ctx;
    const EVP_MD *md;
    bool secret, fed;
    char label[LABEL_LEN]; /* the text fed last, which says what for */
} digests[64];

static struct digest *digest_of(const EVP_MD_CTX *ctx)
{
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        if (digests[i].ctx == ctx || digests[i].ctx == NULL) {
            digests[i].ctx = ctx;
            return &digests[i];
        }
    }
    check_failed(__FILE__, __LINE__, "too many digests");
}

int EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *md, const OSSL_PARAM params[])
{
    if (!seam_crossed()) {
        digest_of(ctx)->secret = digest_of(ctx)->fed = false;
        digest_of(ctx)->md = md;
    }
    return (int)CALL(W(ctx), W(md), W(params));
}

int EVP_MD_CTX_copy_ex(EVP_MD_CTX *out, const EVP_MD_CTX *in)
{
    if (!seam_crossed()) {
        struct digest *to = digest_of(out);
        const struct digest *from = digest_of(in);

        to->md = from->md;
        to->secret = from->secret;
        to->fed = from->fed;
    }
    return (int)CALL(W(out), W(in));
}

/* An HMAC's padded key, and what may follow it in the same call. */
static void feed(struct digest *d, const unsigned char *data, size_t len)
{
    size_t block = d->fed ? 0 : (size_t)EVP_MD_get_block_size(d->md);

    if (block > 0 && len > block) {
        d->secret = give("digest", data, block) || d->secret;
        d->secret = give("digest", data + block, len - block) || d->secret;
        label_within(data + block, len - block, d->label);
    } else if (give("digest", data, len)) {
        d->secret = true;
        if (block == 0) { /* behind the padded key that was empty */
            label_within(data, len, d->label);
        }
    } else {
        label_alone(data, len, d->label);
    }
    d->fed = true;
}

int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t len)
{
    if (!seam_crossed()) {
        feed(digest_of(ctx), data, len);
    }
    return (int)CALL(W(ctx), W(data), W(len));
}

int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned *len)
{
    int ok = (int)CALL(W(ctx), W(out), W(len));

    if (!seam_crossed() && digest_of(ctx)->secret) {
        take(digest_of(ctx)->label, out, (size_t)EVP_MD_get_size(digest_of(ctx)->md));
    }
    return ok;
}

FORWARD(int, EVP_MD_CTX_reset, (EVP_MD_CTX * ctx), W(ctx))
FORWARD_VOID(EVP_MD_CTX_free, (EVP_MD_CTX * ctx), W(ctx))

int EVP_KDF_derive(EVP_KDF_CTX *ctx, unsigned char *out, size_t len, const OSSL_PARAM *params)
{
    bool secret = false;
    int ok;

    for (const OSSL_PARAM *p = params; p->key != NULL; p++) {
        secret = (p->data_type == OSSL_PARAM_OCTET_STRING && give("KDF", p->data, p->data_size)) ||
                 secret;
    }
    ok = (int)CALL(W(ctx), W(out), W(len), W(params));
    if (secret) {
        take("KDF output", out, len);
    }
    return ok;
}

FORWARD_VOID(EVP_KDF_CTX_free, (EVP_KDF_CTX * ctx), W(ctx))

/* --- Ciphers. ------------------------------------------------------------------------------ */

int EVP_CipherInit_ex2(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const unsigned char *key,
                       const unsigned char *iv, int enc, const OSSL_PARAM params[])
{
    if (key != NULL) {
        (void)give("AEAD key", key, (size_t)EVP_CIPHER_CTX_get_key_length(ctx));
    }
    if (iv != NULL) {
        (void)give("nonce", iv, 12);
    }
    return (int)CALL(W(ctx), W(cipher), W(key), W(iv), W(enc), W(params));
}

/* What mixes both, and would tell one from the other. */
static void take_keystream(const unsigned char *in, const unsigned char *out, size_t len)
{
    unsigned char piece[64];

    len = len < sizeof(piece) ? len : sizeof(piece);
    for (size_t i = 0; i < len; i++) {
        piece[i] = in[i] ^ out[i];
    }
    take("keystream", piece, len);
    OPENSSL_cleanse(piece, sizeof(piece));
}

int EVP_CipherUpdate(EVP_CIPHER_CTX *ctx, unsigned char *out, int *out_len, const unsigned char *in,
                     int len)
{
    int ok;

    (void)give("text", in, (size_t)len);
    ok = (int)CALL(W(ctx), W(out), W(out_len), W(in), W(len));
    if (ok == 1 && out != NULL && out != in && !EVP_CIPHER_CTX_is_encrypting(ctx)) {
        take("plaintext", out, (size_t)len);
    }
    if (ok == 1 && out != NULL && out != in) {
        take_keystream(in, out, (size_t)len);
    }
    return ok;
}

FORWARD(int, EVP_CipherFinal_ex, (EVP_CIPHER_CTX * ctx, unsigned char *out, int *len), W(ctx),
        W(out), W(len))
FORWARD(int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * ctx, int type, int arg, void *ptr), W(ctx),
        W(type), W(arg), W(ptr))
FORWARD(int, EVP_CIPHER_CTX_get_params, (EVP_CIPHER_CTX * ctx, OSSL_PARAM params[]), W(ctx),
        W(params))
FORWARD_VOID(EVP_CIPHER_CTX_free, (EVP_CIPHER_CTX * ctx), W(ctx))

/* --- Random bytes. ------------------------------------------------------------------------- */

int RAND_priv_bytes_ex(OSSL_LIB_CTX *libctx, unsigned char *out, size_t len, unsigned strength)
{
    int ok = (int)CALL(W(libctx), W(out), W(len), W(strength));

    take("random bytes", out, len);
    return ok;
}

FORWARD(int, RAND_bytes_ex,
        (OSSL_LIB_CTX * libctx, unsigned char *out, size_t len, unsigned strength), W(libctx),
        W(out), W(len), W(strength))
FORWARD(int, EVP_RAND_instantiate,
        (EVP_RAND_CTX * ctx, unsigned strength, int resist, const unsigned char *text, size_t len,
         const OSSL_PARAM params[]),
        W(ctx), W(strength), W(resist), W(text), W(len), W(params))
FORWARD(int, EVP_RAND_generate,
        (EVP_RAND_CTX * ctx, unsigned char *out, size_t len, unsigned strength, int resist,
         const unsigned char *more, size_t more_len),
        W(ctx), W(out), W(len), W(strength), W(resist), W(more), W(more_len))
FORWARD_VOID(EVP_RAND_CTX_free, (EVP_RAND_CTX * ctx), W(ctx))
