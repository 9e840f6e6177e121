/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CALLS_H
#define CALLS_H

/*
 * Standing in for a function that the library calls and that can fail. Copies of the libraries
 * are made whose calls go to failing_NAME (meson.build makes the list out of these rows, and
 * `complete` says when one is missing).
 *
 *   CALL     that fails or not; also afterwards, when it has done its work
 *   MAKE     whose object would be lost if it failed afterwards
 *   NEW      that gives an object, and with what that goes again
 *   STAND_IN nothing, but the name of what is written out
 */

#include "failures.h"

#define CALL(type, name, takes, gives, failed)                                                     \
    type failing_##name takes;                                                                     \
    type failing_##name takes                                                                      \
    {                                                                                              \
        type result;                                                                               \
        if (failures_now(#name, false)) {                                                          \
            return failed;                                                                         \
        }                                                                                          \
        result = name gives;                                                                       \
        return failures_now(#name, true) ? (failed) : result;                                      \
    }
#define MAKE(type, name, takes, gives, failed)                                                     \
    type failing_##name takes;                                                                     \
    type failing_##name takes                                                                      \
    {                                                                                              \
        return failures_now(#name, false) ? (failed) : name gives;                                 \
    }
#define NEW(type, name, takes, gives, release)                                                     \
    type failing_##name takes;                                                                     \
    type failing_##name takes                                                                      \
    {                                                                                              \
        type result = failures_now(#name, false) ? NULL : name gives;                              \
        if (result != NULL && failures_now(#name, true)) {                                         \
            release(result);                                                                       \
            result = NULL;                                                                         \
        }                                                                                          \
        return result;                                                                             \
    }

#define STAND_IN(name)

#endif
