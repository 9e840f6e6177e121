/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static rule rules[MOST_RULES];
static size_t rule_count;
static unsigned long version;
static uint64_t chance = 1;

/* A script that is not understood would make a test pass for nothing. */
static _Noreturn void refuse(const char *line, const char *what)
{
    (void)fprintf(stderr, "fault script: %s in: %s\n", what, line);
    abort();
}

static unsigned long draw(unsigned long below)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned long)(chance >> 33) % below;
}

/* --- Reading. ----------------------------------------------------------------------- */

static void read_when(rule *r, const char *word, const char *line)
{
    char *end = NULL;

    *r = (rule){.when = WHEN_RANGE, .from = 1, .to = ~0ul};
    if (strcmp(word, "*") == 0) {
        return;
    }
    if (strcmp(word, "!") == 0) {
        r->when = WHEN_UNTIL_FINALIZE;
        return;
    }
    if (word[0] == '/' || word[0] == '~') {
        r->when = word[0] == '/' ? WHEN_EVERY : WHEN_CHANCE;
        word++;
    }
    r->from = strtoul(word, &end, 10);
    if (r->when == WHEN_RANGE && *end == '-') {
        r->to = end[1] == '\0' ? ~0ul : strtoul(end + 1, &end, 10);
    } else {
        r->to = r->from;
    }
    if (r->from == 0 || (*end != '\0' && end[1] != '\0')) {
        refuse(line, "no such WHEN");
    }
}

static void read_hex(rule *r, const char *word, const char *line)
{
    size_t len = strlen(word);

    if (len % 2 != 0 || len / 2 > MOST_BYTES) {
        refuse(line, "no such HEX");
    }
    for (r->len = 0; r->len < len / 2; r->len++) {
        unsigned value;

        if (sscanf(word + 2 * r->len, "%2x", &value) != 1) {
            refuse(line, "no such HEX");
        }
        r->bytes[r->len] = (uint8_t)value;
    }
}

static void read_codes(rule *r, char *word, const char *line)
{
    char *rest = NULL;

    for (char *one = strtok_r(word, "|", &rest); one != NULL; one = strtok_r(NULL, "|", &rest)) {
        if (r->code_count == MOST_CODES || !number_of(one, &r->codes[r->code_count++])) {
            refuse(line, "no such CODE");
        }
    }
}

static void read_attribute(rule *r, char *word, const char *line)
{
    char *equals = strchr(word, '=');

    if (equals != NULL) {
        *equals = '\0';
        r->valued = true;
        read_hex(r, equals + 1, line);
    }
    if (!number_of(word, &r->attribute)) {
        refuse(line, "no such ATTRIBUTE");
    }
}

static void read_word(rule *r, char kind, char *word, size_t *numbers, const char *line)
{
    if (word == NULL) {
        refuse(line, "too few words");
    }
    switch (kind) {
    case 'n':
        if (!number_of(word, &r->number[(*numbers)++])) {
            refuse(line, "no such number");
        }
        break;
    case 'c':
        read_codes(r, word, line);
        break;
    case 'a':
        read_attribute(r, word, line);
        break;
    case 'h':
        read_hex(r, word, line);
        break;
    default:
        r->len = strlen(word);
        (void)snprintf((char *)r->bytes, MOST_BYTES, "%s", word);
    }
}

static const action *action_called(const char *word, const char *line)
{
    for (size_t i = 0; word != NULL && i < action_count; i++) {
        if (strcmp(actions[i].name, word) == 0) {
            return &actions[i];
        }
    }
    refuse(line, "no such action");
}

static void check_function(const char *word, const char *line)
{
    if (strchr(word, '*') != NULL) {
        return;
    }
    for (function f = 0; f < FUNCTION_COUNT; f++) {
        if (strcmp(function_name(f), word) == 0) {
            return;
        }
    }
    refuse(line, "no such function");
}

static void read_line(char *text)
{
    char line[512], *rest = NULL, *word, *calls;
    size_t numbers = 0;
    rule r;

    (void)snprintf(line, sizeof(line), "%s", text);
    text[strcspn(text, "#")] = '\0';
    word = strtok_r(text, " \t", &rest);
    if (word == NULL) {
        return;
    }
    calls = strtok_r(NULL, " \t", &rest);
    if (calls == NULL || rule_count == MOST_RULES) {
        refuse(line, "a rule too short, or too many");
    }
    if (strcmp(word, "seed") == 0) {
        chance = strtoul(calls, NULL, 0);
        return;
    }
    check_function(word, line);
    read_when(&r, calls, line);
    (void)snprintf(r.function, sizeof(r.function), "%s", word);
    r.act = action_called(strtok_r(NULL, " \t", &rest), line);
    for (const char *kind = r.act->words; *kind != '\0'; kind++) {
        read_word(&r, *kind, strtok_r(NULL, " \t", &rest), &numbers, line);
    }
    if (strtok_r(NULL, " \t", &rest) != NULL) {
        refuse(line, "too many words");
    }
    rules[rule_count++] = r;
}

static void read_script(const char *path)
{
    char line[512];
    FILE *f = fopen(path, "re");

    rule_count = 0;
    version++;
    if (f == NULL) { /* no file, no rules */
        return;
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_line(line);
    }
    (void)fclose(f);
}

/* A new script is another file under the same name: one that is being written would be
 * seen half done. */
static void refresh(void)
{
    static struct stat known;
    const char *path = getenv("FAULT_SCRIPT");
    struct stat now;

    if (path == NULL) {
        return;
    }
    if (stat(path, &now) != 0) {
        memset(&now, 0, sizeof(now));
    }
    if (now.st_ino != known.st_ino || now.st_mtim.tv_nsec != known.st_mtim.tv_nsec ||
        now.st_mtim.tv_sec != known.st_mtim.tv_sec) {
        known = now;
        read_script(path);
    }
}

unsigned long script_version(void)
{
    unsigned long out;

    watch_lock();
    refresh();
    out = version;
    watch_unlock();
    return out;
}

/* --- Matching. ------------------------------------------------------------------------ */

static bool names_function(const rule *r, function f)
{
    const char *name = function_name(f);
    size_t len = strcspn(r->function, "*");

    if (r->function[len] == '\0') {
        return strcmp(r->function, name) == 0;
    }
    return strncmp(r->function, name, len) == 0 && (len > 0 || f != F_C_GetFunctionList);
}

static bool acts(rule *r)
{
    r->seen++;
    switch (r->when) {
    case WHEN_EVERY:
        return r->seen % r->from == 0;
    case WHEN_CHANCE:
        return draw(r->from) == 0;
    case WHEN_UNTIL_FINALIZE:
        return !r->over;
    case WHEN_RANGE:
        break;
    }
    return r->seen >= r->from && r->seen <= r->to;
}

size_t script_match(function f, rule *out, size_t most)
{
    size_t count = 0;

    refresh();
    for (size_t i = 0; i < rule_count && count < most; i++) {
        if (names_function(&rules[i], f) && acts(&rules[i])) {
            out[count] = rules[i];
            out[count].version = version;
            if (rules[i].code_count > 0) {
                out[count].code = rules[i].codes[draw(rules[i].code_count)];
            }
            count++;
        }
    }
    return count;
}

void script_finalized(void)
{
    for (size_t i = 0; i < rule_count; i++) {
        rules[i].over = true;
    }
}
