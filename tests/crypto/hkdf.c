/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "allocations.h"
#include "bytes.h"
#include "check.h"
#include "crypto/crypto.h"

#include <openssl/evp.h>

static const tw_provider default_provider;

/* RFC 5869 appendix A, tests 1 to 3. */
static const struct {
    const char *ikm, *salt, *info, *prk, *okm;
} rfc5869[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2"
     "e"
     "2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8"
     "e"
     "8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcddd"
     "e"
     "dfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590"
     "e"
     "09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

typedef struct fixture {
    tw_hash hash;
    tw_hmac hmac;
} fixture;

static void start(fixture *f, uint16_t kdf_id)
{
    must_ok(tw_hash_init(&f->hash, tw_kdf_alg_find(kdf_id), &default_provider));
    must_ok(tw_hmac_begin(&f->hash, &f->hmac));
}

static void end(fixture *f)
{
    tw_hmac_end(&f->hmac);
    tw_hash_clear(&f->hash);
}

/* In one piece, and in pieces of one byte up to eight of them. */
static size_t pieces_of(bytes b, bool cut, tw_piece out[8])
{
    size_t count = 0;

    if (!cut) {
        out[0] = (tw_piece){b.data, b.len};
        return 1;
    }
    for (; count < 7 && count < b.len; count++) {
        out[count] = (tw_piece){b.data + count, 1};
    }
    out[count] = (tw_piece){b.data + count, b.len - count};
    return count + 1;
}

static void must_follow_rfc5869(fixture *f, size_t i, bool cut)
{
    bytes ikm = bytes_hex(rfc5869[i].ikm), salt = bytes_hex(rfc5869[i].salt);
    bytes info = bytes_hex(rfc5869[i].info);
    bytes prk = bytes_new(f->hash.alg->hash_len);
    bytes want = bytes_hex(rfc5869[i].okm);
    bytes okm = bytes_new(want.len);
    tw_piece pieces[8];
    size_t count = pieces_of(ikm, cut, pieces);

    must_ok(tw_hkdf_extract(&f->hmac, salt.data, salt.len, pieces, count, prk.data));
    must_bytes(bytes_hex(rfc5869[i].prk), prk);
    count = pieces_of(info, cut, pieces);
    must_ok(tw_hkdf_expand(&f->hmac, prk.data, prk.len, pieces, count, okm.data, okm.len));
    must_bytes(want, okm);
}

Test(hkdf, gives_the_values_of_rfc_5869_whole_and_in_pieces)
{
    fixture f = {0};

    start(&f, TW_KDF_HKDF_SHA256);
    for (size_t i = 0; i < TW_COUNT(rfc5869); i++) {
        must_follow_rfc5869(&f, i, false);
        must_follow_rfc5869(&f, i, true);
    }
    end(&f);
}

Test(hkdf, expands_to_255_blocks_and_not_a_byte_more)
{
    for (size_t i = 0; i < 3; i++) {
        fixture f = {0};
        bytes prk, okm;

        start(&f, (uint16_t)(TW_KDF_HKDF_SHA256 + i));
        prk = bytes_noise(f.hash.alg->hash_len, 1);
        okm = bytes_new(255 * prk.len + 1);
        must_ok(tw_hkdf_expand(&f.hmac, prk.data, prk.len, NULL, 0, okm.data, okm.len - 1));
        must_err(TW_ERR_INVALID,
                 tw_hkdf_expand(&f.hmac, prk.data, prk.len, NULL, 0, okm.data, okm.len));
        end(&f);
    }
}

Test(hkdf, hashes_a_key_longer_than_a_block)
{
    fixture f = {0};
    bytes key = bytes_noise(TW_MAX_BLOCK, 3);
    bytes hashed = bytes_new(32), a = bytes_new(32), b = bytes_new(32);
    tw_piece text = {"text", 4};
    size_t len = 32;

    start(&f, TW_KDF_HKDF_SHA256);
    must(EVP_Q_digest(NULL, "SHA256", NULL, key.data, key.len, hashed.data, &len) == 1);
    must_ok(tw_hkdf_extract(&f.hmac, key.data, key.len, &text, 1, a.data));
    must_ok(tw_hkdf_extract(&f.hmac, hashed.data, hashed.len, &text, 1, b.data));
    must_bytes(b, a);
    end(&f);
}

/* Longer than what is put together before it is hashed, alone and in sum. */
Test(hkdf, gives_the_same_however_long_the_pieces_are)
{
    static const size_t cuts[][3] = {{0, 1, 2},        {64, 448, 449}, {383, 384, 385},
                                     {1, 512, 1024},   {1, 513, 514},  {511, 512, 513},
                                     {700, 1500, 2999}};
    bytes text = bytes_noise(3000, 4), key = bytes_noise(32, 5);

    for (size_t k = 0; k < 3; k++) {
        fixture f = {0};
        bytes want, got;
        tw_piece whole = {text.data, text.len};

        start(&f, (uint16_t)(TW_KDF_HKDF_SHA256 + k));
        want = bytes_new(f.hash.alg->hash_len);
        got = bytes_new(want.len);
        must_ok(tw_hkdf_extract(&f.hmac, key.data, key.len, &whole, 1, want.data));
        for (size_t i = 0; i < TW_COUNT(cuts); i++) {
            const size_t *at = cuts[i];
            tw_piece pieces[] = {{text.data, at[0]},
                                 {text.data + at[0], at[1] - at[0]},
                                 {text.data + at[1], at[2] - at[1]},
                                 {text.data + at[2], text.len - at[2]}};

            must_ok(tw_hkdf_extract(&f.hmac, key.data, key.len, pieces, 4, got.data));
            must_bytes(want, got);
        }
        end(&f);
    }
}

/* libcrypto keeps the state of a hash in the machine's words: what they print is reversed. */
static bool is_held(bytes what)
{
    uint8_t word[8];

    memcpy(word, what.data, sizeof(word));
    if (allocations_hold(word, sizeof(word))) {
        return true;
    }
    for (size_t half = 0; half < 2; half++) { /* SHA-256 has words of four bytes */
        for (size_t i = 0; i < 4; i++) {
            word[4 * half + i] = what.data[4 * half + 3 - i];
        }
    }
    if (allocations_hold(word, sizeof(word))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(word); i++) {
        word[i] = what.data[sizeof(word) - 1 - i];
    }
    return allocations_hold(word, sizeof(word));
}

Test(hkdf, an_idle_context_holds_nothing_of_what_it_hashed)
{
    for (size_t k = 0; k < 3; k++) {
        uint8_t key[TW_MAX_HASH], text[TW_MAX_HASH], prk[TW_MAX_HASH], inner[TW_MAX_HASH];
        uint8_t padded[TW_MAX_BLOCK + sizeof(text)];
        tw_piece piece = {text, sizeof(text)};
        fixture f = {0};
        size_t len = sizeof(inner);

        start(&f, (uint16_t)(TW_KDF_HKDF_SHA256 + k));
        memcpy(key, bytes_noise(sizeof(key), 6).data, sizeof(key));
        memcpy(text, bytes_noise(sizeof(text), 7).data, sizeof(text));
        must_ok(tw_hkdf_extract(&f.hmac, key, sizeof(key), &piece, 1, prk));
        memset(padded, 0x36, f.hash.alg->block_len);
        for (size_t i = 0; i < sizeof(key); i++) {
            padded[i] ^= key[i];
        }
        memcpy(padded + f.hash.alg->block_len, text, sizeof(text));
        must(EVP_Q_digest(NULL, f.hash.alg->digest, NULL, padded,
                          f.hash.alg->block_len + sizeof(text), inner, &len) == 1);
        tw_hmac_end(&f.hmac);
        must(!is_held((bytes){prk, sizeof(prk)}));
        must(!is_held((bytes){inner, sizeof(inner)}));
        must(!is_held((bytes){text, sizeof(text)}));
        must(!is_held((bytes){text + sizeof(text) - 8, 8}));
        must(!is_held((bytes){padded, sizeof(padded)}));
        must_ok(tw_hmac_begin(&f.hash, &f.hmac));
        must(f.hmac.ctx != NULL); /* the same one, which was idle */
        end(&f);
    }
}
