/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

/* The address of a thread's own byte tells threads apart and owns nothing. */
static size_t home_slot(void)
{
    static _Thread_local char here;
    uint64_t mixed = (uint64_t)(uintptr_t)&here * 0x9e3779b97f4a7c15u;

    return (size_t)(mixed >> 32) % TW_SLOTS;
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
