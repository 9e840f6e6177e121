/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include <twoway/kem.h>

#include "base/base.h"
#include "bytes.h"
#include "check.h"

Test(base, varints_are_those_of_rfc_9000_appendix_a)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } examples[] = {
        {151288809941952652, "c2197c5eff14e88c"},
        {494878333, "9d7f3e7d"},
        {15293, "7bbd"},
        {37, "25"},
        {0, "00"},
        {63, "3f"},
        {64, "4040"},
        {16383, "7fff"},
        {16384, "80004000"},
        {1073741823, "bfffffff"},
        {1073741824, "c000000040000000"},
        {4611686018427387903, "ffffffffffffffff"},
    };

    for (size_t i = 0; i < TW_COUNT(examples); i++) {
        bytes want = bytes_hex(examples[i].hex);
        uint8_t out[TW_VARINT_MAX_LEN];
        size_t len = tw_varint_write(out, examples[i].value);

        must_bytes(want, ((bytes){out, len}));
        must_size(want.len, tw_varint_len(examples[i].value));
        must_size(want.len, tw_varint_size(want.data[0]));
        must(tw_varint_read(want.data) == examples[i].value);
    }
}

Test(base, a_varint_that_is_not_minimal_reads_the_same)
{
    must(tw_varint_read(bytes_hex("4025").data) == 37);
    must(tw_varint_read(bytes_hex("80000025").data) == 37);
    must(tw_varint_read(bytes_hex("c000000000000025").data) == 37);
}

Test(base, sums_and_products_stop_at_the_largest_size)
{
    must_size(5, tw_add(2, 3));
    must_size(SIZE_MAX, tw_add(SIZE_MAX, 0));
    must_size(SIZE_MAX, tw_add(SIZE_MAX - 1, 2));
    must_size(6, tw_mul(2, 3));
    must_size(0, tw_mul(0, SIZE_MAX));
    must_size(0, tw_mul(SIZE_MAX, 0));
    must_size(SIZE_MAX, tw_mul(SIZE_MAX / 2, 3));
}

Test(base, ranges_overlap_when_they_share_a_byte)
{
    char a[8] = {0};

    must(tw_overlap(a, 8, a, 8));
    must(tw_overlap(a, 5, a + 4, 4));
    must(tw_overlap(a + 4, 4, a, 5));
    must(tw_overlap(a, 8, a + 3, 1));
    must(!tw_overlap(a, 4, a + 4, 4));
    must(!tw_overlap(a + 4, 4, a, 4));
    must(!tw_overlap(a, 0, a, 8));
    must(!tw_overlap(a, 8, a + 3, 0));
    must(!tw_overlap(NULL, 0, a, 8));
}

Test(base, big_endian_pairs_go_there_and_back)
{
    uint8_t out[2];

    tw_store16(out, 0xfe01);
    must_bytes(bytes_hex("fe01"), ((bytes){out, 2}));
    must(tw_load16(out) == 0xfe01);
}

Test(base, copying_nothing_takes_null)
{
    char a = 1;

    tw_copy(NULL, NULL, 0);
    tw_copy(&a, NULL, 0);
    must(a == 1);
}

Test(base, a_buffer_keeps_what_is_appended)
{
    tw_buf buf = {0};
    bytes data = bytes_noise(1000, 1);

    for (size_t i = 0; i < data.len; i++) {
        must_ok(tw_buf_append(&buf, data.data + i, 1, data.len));
    }
    must_ok(tw_buf_append(&buf, NULL, 0, data.len));
    must_bytes(data, ((bytes){buf.data, buf.len}));
    must(buf.cap <= data.len);
    tw_buf_free(&buf);
    must(buf.data == NULL && buf.len == 0);
}

Test(base, a_buffer_refuses_more_than_its_most)
{
    tw_buf buf = {0};
    bytes data = bytes_noise(9, 1);

    must_ok(tw_buf_append(&buf, data.data, 5, 8));
    must_err(TW_ERR_LIMIT, tw_buf_append(&buf, data.data, 4, 8));
    must_err(TW_ERR_LIMIT, tw_buf_append(&buf, data.data, SIZE_MAX, 8));
    must_size(5, buf.len);
    tw_buf_free(&buf);
}

Test(base, a_slot_gives_back_what_was_put_in_once)
{
    static tw_slots slots;
    int objects[TW_SLOTS + 1];
    bool seen[TW_SLOTS] = {false};

    must(tw_slots_take(&slots) == NULL);
    for (size_t i = 0; i < TW_SLOTS; i++) {
        must(tw_slots_give(&slots, &objects[i]));
    }
    must(!tw_slots_give(&slots, &objects[TW_SLOTS]));
    for (size_t i = 0; i < TW_SLOTS; i++) {
        int *object = tw_slots_take(&slots);

        must(object >= objects && object < objects + TW_SLOTS && !seen[object - objects]);
        seen[object - objects] = true;
    }
    must(tw_slots_take(&slots) == NULL);
}

static void *take_in_thread(void *slots)
{
    return tw_slots_take(slots);
}

Test(base, a_slot_filled_by_one_thread_serves_another)
{
    static tw_slots slots;
    int object;
    void *taken = NULL;
    pthread_t thread;

    must(tw_slots_give(&slots, &object));
    must(pthread_create(&thread, NULL, take_in_thread, &slots) == 0);
    must(pthread_join(thread, &taken) == 0);
    must(taken == &object);
}

Test(base, wiping_clears_and_takes_null)
{
    uint8_t secret[16];

    memset(secret, 0xff, sizeof(secret));
    tw_wipe(secret, 15);
    must_bytes(bytes_new(15), ((bytes){secret, 15}));
    must(secret[15] == 0xff);
    tw_wipe(NULL, 0);
}

Test(base, an_idle_buffer_is_taken_by_the_next)
{
    static tw_slots idle;
    tw_buf buf = {0}, other, many[TW_SLOTS + 1] = {0};
    uint8_t *data;

    tw_buf_give(&buf, &idle); /* there is none */
    tw_buf_take(&other, &idle);
    must(other.data == NULL && other.cap == 0);
    must_ok(tw_buf_append(&buf, (const uint8_t *)"ciphertext", 10, 100));
    data = buf.data;
    tw_buf_give(&buf, &idle);
    must(buf.data == NULL && buf.len == 0 && buf.cap == 0);
    tw_buf_take(&other, &idle);
    must(other.data == data && other.len == 0);
    must_size(10, other.cap);
    tw_buf_free(&other);
    must_ok(tw_buf_append(&buf, (const uint8_t *)"short", 5, 100)); /* for its own length */
    tw_buf_give(&buf, &idle);
    tw_buf_take(&other, &idle);
    must(other.data == NULL);
    for (size_t i = 0; i < TW_COUNT(many); i++) { /* one more than there is room for */
        must_ok(tw_buf_append(&many[i], (const uint8_t *)"ciphertext", 10, 100));
        tw_buf_give(&many[i], &idle);
        must(many[i].data == NULL);
    }
    for (size_t i = 0; i < TW_COUNT(many); i++) {
        tw_buf_take(&buf, &idle);
        must((buf.data != NULL) == (i < TW_SLOTS));
        tw_buf_free(&buf);
    }
}
