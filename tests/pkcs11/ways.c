/* SPDX-License-Identifier: Apache-2.0 */
#include "ways.h"

#include "key.h"

static const strategy *const strategies[WAYS] = {&twp_strategy_value, &twp_strategy_hkdf,
                                                 &twp_strategy_digest};

const char *way_name(size_t way)
{
    return strategies[way]->name;
}

size_t way_taken(const tw_key *key)
{
    size_t way = 0;

    while (way < WAYS && strategies[way] != ((const token_key *)key)->recipe.strategy) {
        way++;
    }
    return way;
}

/* In whichever shape it is seen to work, as when a key is opened. */
bool way_take(tw_key *key, size_t way)
{
    recipe *r = &((token_key *)key)->recipe;

    for (unsigned i = 0; i <= SHAPE_COUNT; i++) {
        *r = (recipe){strategies[way], i < SHAPE_COUNT ? i : SHAPE_WHOLE, i == SHAPE_COUNT};
        if (tw_key_check(key) == TW_OK) {
            return true;
        }
    }
    return false;
}
