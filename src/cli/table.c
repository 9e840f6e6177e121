/* SPDX-License-Identifier: Apache-2.0 */

/* Every verb and every option, once: parsing and --help both read these tables. */

#include <string.h>

#include "cli.h"

const verb cli_verbs[] = {
    {"keygen", VERB_KEYGEN, run_keygen,
     "[--kem KEM] [-o KEY] [--force]\n"
     "--token URI [--kem KEM] [--object NAME] [--id HEX] [-o FILE] [TOKEN]",
     "Make a key: in a file, or inside a token.", false},
    {"config", VERB_CONFIG, run_config,
     "--key KEY|URI | --public FILE | --certificate FILE [--key-id N] [--suite KDF,AEAD]... "
     "[--bare] [-o CONFIG] [TOKEN]\n"
     "--show CONFIG",
     "Write the configuration that senders need, or show one in words.", false},
    {"tokens", VERB_TOKENS, run_tokens,
     "[--token URI] [TOKEN]\n"
     "--check URI [--public FILE | --certificate FILE] [--no-scratch] [TOKEN]",
     "List tokens, and the keys that can receive; or look at one key closely.", false},
    {"inspect", VERB_INSPECT, run_inspect, "[IN]",
     "Show key id, suite and sizes of a request, without a key.", true},
    {"request", VERB_REQUEST, run_request,
     "--to CONFIG [--to CONFIG... --encap DIR] [--exchange STATE] [FORMAT] [-o OUT] [IN]",
     "Seal a request, to one receiver or to many.", true},
    {"accept", VERB_ACCEPT, run_accept,
     "--key KEY|URI [--public FILE | --certificate FILE] [--key-id N | --config CONFIG] "
     "[--encap FILE] [--exchange STATE] [FORMAT] [-o OUT] [IN] [TOKEN]",
     "Open a request.", true},
    {"respond", VERB_RESPOND, run_respond, "--exchange STATE [FORMAT] [-o OUT] [IN]",
     "Seal a response to a request that accept opened.", true},
    {"receive", VERB_RECEIVE, run_receive, "--exchange STATE [FORMAT] [-o OUT] [IN]",
     "Open a response to a request that request sealed.", true},
    {0},
};

#define AT(member) offsetof(options, member)

const option_row cli_options[] = {
    {"to", "CONFIG",
     "seal to the owner of this configuration or certificate; with --encap, as often as needed",
     AT(to), 0, 0, VERB_REQUEST, OPTION_TO, 0},
    {"check", "URI", "look at this key step by step: what works, what guards it, what to change",
     AT(check), 0, 0, VERB_TOKENS, OPTION_TEXT, 0},
    {"no-scratch", NULL, "make no key pair in the token to try what it lets be done to one",
     AT(no_scratch), 0, 0, VERB_TOKENS, OPTION_FLAG, 0},
    {"key", "KEY|URI", "a private key in PEM, or the pkcs11: URI of one in a token", AT(key), 0, 0,
     VERB_CONFIG | VERB_ACCEPT, OPTION_TEXT, 0},
    {"public", "FILE",
     "a public key in PEM instead of --key; or beside the URI of a key whose token has only the "
     "private half",
     AT(public_file), 0, 0, VERB_CONFIG, OPTION_TEXT, 0},
    {"public", "FILE", "the public half in PEM of a key whose token has only the private one",
     AT(public_file), 0, 0, VERB_ACCEPT | VERB_TOKENS, OPTION_TEXT, 0},
    {"certificate", "FILE",
     "someone's certificate, PEM or DER, instead of --key; or as --public beside a URI",
     AT(certificate), 0, 0, VERB_CONFIG, OPTION_TEXT, 0},
    {"certificate", "FILE", "the same out of a certificate, PEM or DER", AT(certificate), 0, 0,
     VERB_ACCEPT | VERB_TOKENS, OPTION_TEXT, 0},
    {"show", "CONFIG", "print a configuration, or each of a list, in words", AT(show), 0, 0,
     VERB_CONFIG, OPTION_TEXT, 0},
    {"key-id", "N", "the key id, 0 to 255 (1)", AT(key_id), 0, 255, VERB_CONFIG | VERB_ACCEPT,
     OPTION_NUMBER, 0},
    {"config", "CONFIG", "take only the key id and suites of this configuration", AT(config), 0, 0,
     VERB_ACCEPT, OPTION_TEXT, 0},
    {"suite", "KDF,AEAD",
     "offer this pair, first the preferred (hkdf-sha256 with each AEAD); KDF is hkdf-sha256, "
     "hkdf-sha384, hkdf-sha512, AEAD is aes-128-gcm, aes-256-gcm, chacha20-poly1305",
     AT(suites), 0, 0, VERB_CONFIG, OPTION_SUITE, 0},
    {"bare", NULL, "one configuration without the length that a list has", AT(bare), 0, 0,
     VERB_CONFIG, OPTION_FLAG, 0},
    {"kem", "KEM", "p256 (the default), p384, p521, x25519 or x448", AT(kem_id), 0, 0, VERB_KEYGEN,
     OPTION_KEM, 0},
    {"token", "URI", "make the key inside the token that this pkcs11: URI names", AT(token), 0, 0,
     VERB_KEYGEN, OPTION_TEXT, 0},
    {"token", "URI", "list what this pkcs11: URI names, instead of all tokens", AT(token), 0, 0,
     VERB_TOKENS, OPTION_TEXT, 0},
    {"object", "NAME", "the new key's name in the token (twoway)", AT(object), 0, 0, VERB_KEYGEN,
     OPTION_TEXT, 0},
    {"id", "HEX", "the new key's id in the token (8 random bytes)", AT(id), 0, 0, VERB_KEYGEN,
     OPTION_ID, 0},
    {"encap", "DIR", "one to many: write DIR/1.encap and so on, one for each --to", AT(encap), 0, 0,
     VERB_REQUEST, OPTION_TEXT, 0},
    {"encap", "FILE", "one to many: this receiver's .encap file", AT(encap), 0, 0, VERB_ACCEPT,
     OPTION_TEXT, 0},
    {"exchange", "STATE",
     "store here what the answer needs, a secret; with --encap, in STATE.1 and so on", AT(exchange),
     0, 0, VERB_REQUEST, OPTION_TEXT, 0},
    {"exchange", "STATE", "store here what the answer needs, a secret", AT(exchange), 0, 0,
     VERB_ACCEPT, OPTION_TEXT, 0},
    {"exchange", "STATE", "what accept stored", AT(exchange), 0, 0, VERB_RESPOND, OPTION_TEXT, 0},
    {"exchange", "STATE", "what request stored", AT(exchange), 0, 0, VERB_RECEIVE, OPTION_TEXT, 0},
    {"chunked", NULL, "in chunks, of any length in all; both ends must say so", AT(chunked), 0, 0,
     VERB_MESSAGES, OPTION_FLAG, 0},
    {"max-chunk", "BYTES",
     "plaintext in a chunk, 1 to 16777216, when opening at least 16384 (16384)", AT(max_chunk), 1,
     MAX_CHUNK, VERB_MESSAGES, OPTION_NUMBER, 0},
    {"label", "TEXT", "bind this label instead of OHTTP's for the direction and layout", AT(label),
     0, 0, VERB_MESSAGES, OPTION_TEXT, 0},
    {"max-size", "BYTES", "longest whole message to open (67108864)", AT(max_size), 1, SIZE_MAX / 4,
     VERB_MESSAGES, OPTION_NUMBER, 0},
    {"jobs", "N", "seal or open this many chunks at once, 1 to 256 (processors, 4 at most)",
     AT(jobs), 1, MAX_JOBS, VERB_MESSAGES, OPTION_NUMBER, 0},
    {"module", "PATH", "the PKCS#11 module (p11-kit's configured ones)", AT(module), 0, 0,
     VERB_TOKEN, OPTION_TEXT, 0},
    {"pin-source", "FILE|ask|env:NAME", "where the token's PIN is", AT(pin_source), 0, 0,
     VERB_TOKEN, OPTION_TEXT, 0},
    {"never-export-dh", NULL, "use a token only if what it derives need not leave it",
     AT(never_export_dh), 0, 0, VERB_TOKEN, OPTION_FLAG, 0},
    {"output", "FILE", "write to this file, by rename; absent or '-': standard output", AT(output),
     0, 0, VERB_KEYGEN | VERB_CONFIG | VERB_MESSAGES, OPTION_TEXT, 'o'},
    {"force", NULL, "replace existing files, write binary data to a terminal", AT(force), 0, 0,
     VERB_ALL, OPTION_FLAG, 0},
    {"quiet", NULL, "no progress and no warnings; errors remain", AT(quiet), 0, 0, VERB_ALL,
     OPTION_FLAG, 0},
    {"help", NULL, "show this", AT(help), 0, 0, VERB_ALL, OPTION_FLAG, 'h'},
    {0},
};

const verb *verb_named(const char *name)
{
    for (const verb *v = cli_verbs; v->name != NULL; v++) {
        if (strcmp(v->name, name) == 0) {
            return v;
        }
    }
    return NULL;
}
