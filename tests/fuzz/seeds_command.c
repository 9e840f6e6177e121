/* SPDX-License-Identifier: Apache-2.0 */
#include "seeds.h"

#include <stdio.h>
#include <string.h>

#include "support/check.h"
#include "words.h"

/* A line's words are the table's, apart by a blank; a pair of them has a colon in between. */
static bytes line_of(const char *line)
{
    uint8_t made[1 + WORDS_MOST] = {0};
    char text[512], *rest = NULL;
    size_t len = 1;

    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *colon = strstr(word, "::");

        if (colon != NULL) {
            *colon = '\n';
            memmove(colon + 1, colon + 2, strlen(colon + 1));
        }
        must(len < sizeof(made));
        made[len++] = (uint8_t)words_place(word);
        made[0]++;
    }
    return bytes_of(made, len);
}

static void command_seed(const char *name, const char *line, bytes content)
{
    write_seed("command", name, bytes_cat(line_of(line), content));
}

/* The last word is the input's own. */
static void own_seed(const char *name, const char *line, const char *word)
{
    bytes made = line_of(line), text = bytes_text(word);
    uint8_t len = (uint8_t)(WORDS_OWN + text.len);

    made.data[0]++;
    write_seed("command", name, bytes_cat(bytes_cat(made, bytes_of(&len, 1)), text));
}

void command_seeds(void)
{
    static const struct {
        const char *name, *line;
    } lines[] = {
        {"keygen", "keygen --kem x25519 -o::out"},
        {"keygen-there", "keygen -o::key"},
        {"config", "config --key::key --key-id 7 --suite hkdf-sha256,aes-128-gcm --bare"},
        {"config-public", "config --public::public -o::out"},
        {"config-show", "config --show in"},
        {"inspect", "inspect chunks"},
        {"inspect-in", "inspect in"},
        {"request", "request --to::config --exchange::new -o::out in"},
        {"request-chunked", "request --to in --chunked --max-chunk 7 --label p256 public"},
        {"request-many", "request --to::config --to bare --encap=new --exchange::new in"},
        {"accept", "accept --key::key --exchange::new -o::out whole"},
        {"accept-chunked", "accept --key::key --chunked --config config -o::out chunks"},
        {"accept-many", "accept --key::key --encap::encap -o::out many"},
        {"accept-in", "accept --key::key -o::out in"},
        {"accept-encap", "accept --key::key --encap in many"},
        {"accept-key", "accept --key in whole"},
        {"respond", "respond --exchange::got -o::out in"},
        {"receive", "receive --exchange::asked -o::out answer"},
        {"receive-in", "receive --exchange in -o::out answer"},
        {"receive-role", "receive --exchange::got answer"},
        {"same-file", "accept --key::key -o::key whole"},
        {"over-itself", "request --to::config -o::in --force in"},
        {"pin-attached", "accept --pin-source="
                         "Tiger-7391-pin"
                         " --key"},
        {"pin-apart", "request --pin-source::"
                      "Tiger-7391-pin"},
        {"help", "accept --help"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        command_seed(lines[i].name, lines[i].line, bytes_noise(20, (uint32_t)i));
    }
    own_seed("own-pin", "keygen --kem", WORDS_PIN);
    own_seed("own-pin-in-hex", "keygen --id", "\xff" WORDS_PIN "\xff");
    command_seed("inspect-chunks", "inspect in",
                 bytes_cat(bytes_hex("01002000010001"), bytes_noise(32, 1)));
}
