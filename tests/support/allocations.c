/* SPDX-License-Identifier: Apache-2.0 */
#include "allocations.h"
#include "check.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Precedes every block and links it with the others; as large as malloc's alignment. */
typedef union prefix {
    struct {
        union prefix *next, *before;
        size_t len;
        bool ours;
    } of;
    max_align_t aligned;
} prefix;

static prefix *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list */

typedef struct counter {
    atomic_size_t calls, asked, bytes, peak, failed;
} counter;

static counter ours, all;
static atomic_size_t fail_in;
static atomic_bool fail_ours, paused;

/* The library is compiled from src/ and pkcs11/, libcrypto from crypto/ and others. */
static bool is_ours(const char *file)
{
    return file != NULL && (strstr(file, "src/") != NULL || strstr(file, "pkcs11/") != NULL);
}

static void add(counter *c, size_t len)
{
    size_t now = atomic_fetch_add(&c->bytes, len) + len;
    size_t peak = atomic_load(&c->peak);

    atomic_fetch_add(&c->calls, 1);
    atomic_fetch_add(&c->asked, len);
    while (now > peak && !atomic_compare_exchange_weak(&c->peak, &peak, now)) {
    }
}

static bool must_fail(bool our)
{
    size_t n = atomic_load(&fail_in);

    if (n == 0 || atomic_load(&paused) || (!our && atomic_load(&fail_ours))) {
        return false;
    }
    atomic_store(&fail_in, n - 1);
    if (n > 1) {
        return false;
    }
    atomic_fetch_add(&all.failed, 1);
    atomic_fetch_add(&ours.failed, our);
    return true;
}

static void link_block(prefix *block)
{
    pthread_mutex_lock(&lock);
    block->of.before = NULL;
    block->of.next = blocks;
    if (blocks != NULL) {
        blocks->of.before = block;
    }
    blocks = block;
    pthread_mutex_unlock(&lock);
}

static void unlink_block(prefix *block)
{
    pthread_mutex_lock(&lock);
    if (block->of.before != NULL) {
        block->of.before->of.next = block->of.next;
    } else {
        blocks = block->of.next;
    }
    if (block->of.next != NULL) {
        block->of.next->of.before = block->of.before;
    }
    pthread_mutex_unlock(&lock);
}

static void *watch_malloc(size_t len, const char *file, int line)
{
    bool our = is_ours(file);
    prefix *block;

    (void)line;
    if (len == 0 || must_fail(our)) {
        return NULL;
    }
    block = malloc(sizeof(*block) + len);
    if (block == NULL) {
        return NULL;
    }
    block->of.len = len;
    block->of.ours = our;
    link_block(block);
    add(&all, len);
    if (our) {
        add(&ours, len);
    }
    return block + 1;
}

static void watch_free(void *data, const char *file, int line)
{
    prefix *block;

    (void)file;
    (void)line;
    if (data == NULL) {
        return;
    }
    block = (prefix *)data - 1;
    atomic_fetch_sub(&all.bytes, block->of.len);
    if (block->of.ours) {
        atomic_fetch_sub(&ours.bytes, block->of.len);
    }
    unlink_block(block);
    free(block);
}

static void *watch_realloc(void *data, size_t len, const char *file, int line)
{
    void *grown = watch_malloc(len, file, line);

    if (data != NULL && (grown != NULL || len == 0)) {
        prefix *block = (prefix *)data - 1;

        if (grown != NULL) {
            memcpy(grown, data, block->of.len < len ? block->of.len : len);
        }
        watch_free(data, file, line);
    }
    return grown;
}

__attribute__((constructor)) static void watch_from_the_start(void)
{
    must(CRYPTO_set_mem_functions(watch_malloc, watch_realloc, watch_free) == 1);
}

static allocations read_counter(counter *c)
{
    return (allocations){atomic_load(&c->calls), atomic_load(&c->asked), atomic_load(&c->bytes),
                         atomic_load(&c->peak), atomic_load(&c->failed)};
}

allocations allocations_ours(void)
{
    return read_counter(&ours);
}

allocations allocations_all(void)
{
    return read_counter(&all);
}

void allocations_reset(void)
{
    counter *both[] = {&ours, &all};

    for (size_t i = 0; i < 2; i++) {
        atomic_store(&both[i]->calls, 0);
        atomic_store(&both[i]->asked, 0);
        atomic_store(&both[i]->failed, 0);
        atomic_store(&both[i]->peak, atomic_load(&both[i]->bytes));
    }
}

void allocations_fail(size_t n, bool of_ours)
{
    atomic_store(&fail_ours, of_ours);
    atomic_store(&fail_in, n);
}

bool allocations_hold(const void *what, size_t len)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (const prefix *block = blocks; block != NULL && !found; block = block->of.next) {
        const uint8_t *data = (const uint8_t *)(block + 1);

        for (size_t i = 0; i + len <= block->of.len && !found; i++) {
            found = memcmp(data + i, what, len) == 0;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

bool allocations_refuse(void)
{
    return must_fail(true);
}

void allocations_pause(bool pause)
{
    atomic_store(&paused, pause);
}
