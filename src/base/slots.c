/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

/* Threads are numbered as they come, so that the first TW_SLOTS have each a slot of their own. */
static size_t home_slot(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned number; /* 0 is none yet */

    if (number == 0) {
        number = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
    }
    return number % TW_SLOTS;
}

void *tw_slots_take(const tw_slots *slots)
{
    tw_slots *self = (tw_slots *)slots;
    size_t home = home_slot();
    void *object = NULL;

    for (size_t i = 0; i < TW_SLOTS && object == NULL; i++) {
        _Atomic(void *) *slot = &self->slot[(home + i) % TW_SLOTS].object;

        if (atomic_load_explicit(slot, memory_order_relaxed) != NULL) {
            object = atomic_exchange_explicit(slot, NULL, memory_order_acquire);
        }
    }
    return object;
}

bool tw_slots_give(const tw_slots *slots, void *object)
{
    tw_slots *self = (tw_slots *)slots;
    size_t home = home_slot();

    for (size_t i = 0; i < TW_SLOTS; i++) {
        void *empty = NULL;

        if (atomic_compare_exchange_strong_explicit(&self->slot[(home + i) % TW_SLOTS].object,
                                                    &empty, object, memory_order_release,
                                                    memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}
