/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * A handle of ours is a serial number, never given twice, and the place in a table: what is
 * used after its end is recognised. Renumbered ones are the place alone, as short-sighted
 * tokens give them: the next object has the number of the last.
 */

enum {
    MOST_SESSIONS = 4096,
    MOST_OBJECTS = 16384,
    PLACE_BITS = 16,
};

static open_session sessions[MOST_SESSIONS];
static known_object objects[MOST_OBJECTS];
static size_t session_end, object_end; /* beyond the last place in use */
static unsigned long next_serial = 1, first_serial = 1;
static bool renumber;

static unsigned long make_handle(size_t place)
{
    return (renumber ? 0 : next_serial++ << PLACE_BITS) | (unsigned long)(place + 1);
}

static size_t place_of(unsigned long ours)
{
    return (size_t)(ours & ((1ul << PLACE_BITS) - 1)) - 1;
}

static lookup classify(unsigned long ours)
{
    unsigned long serial = ours >> PLACE_BITS;

    if (serial == 0) {
        return renumber ? LOOKUP_NOBODY_KNOWS : LOOKUP_NEVER;
    }
    return serial >= next_serial   ? LOOKUP_NEVER
           : serial < first_serial ? LOOKUP_OLDER
                                   : LOOKUP_CLOSED;
}

static _Noreturn void full(const char *what)
{
    (void)fprintf(stderr, "fault: too many %s\n", what);
    abort();
}

void handles_reset(bool renumbered)
{
    renumber = renumbered;
    session_end = object_end = 0;
    first_serial = next_serial;
}

void handles_logout(void)
{
    for (size_t i = 0; renumber && i < object_end; i++) {
        objects[i].ours = CK_INVALID_HANDLE;
    }
    for (size_t i = 0; i < object_end; i++) {
        objects[i].asked = true; /* private ones are gone, and which were is not known */
    }
}

/* --- Sessions. ----------------------------------------------------------------------- */

open_session *session_add(CK_SESSION_HANDLE handle, CK_SLOT_ID slot, CK_FLAGS flags)
{
    size_t i = 0;

    while (i < session_end && sessions[i].ours != CK_INVALID_HANDLE) {
        i++;
    }
    if (i == MOST_SESSIONS) {
        full("sessions");
    }
    session_end = i < session_end ? session_end : i + 1;
    sessions[i] =
        (open_session){.ours = make_handle(i), .inner = handle, .slot = slot, .flags = flags};
    return &sessions[i];
}

open_session *session_get(CK_SESSION_HANDLE ours, lookup *how)
{
    size_t i = place_of(ours);

    if (i < session_end && ours != CK_INVALID_HANDLE && sessions[i].ours == ours) {
        *how = LOOKUP_OK;
        return &sessions[i];
    }
    *how = classify(ours);
    return NULL;
}

void session_remove(open_session *s)
{
    s->ours = CK_INVALID_HANDLE;
}

open_session *session_next(open_session *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - sessions) + 1; i < session_end; i++) {
        if (sessions[i].ours != CK_INVALID_HANDLE) {
            return &sessions[i];
        }
    }
    return NULL;
}

size_t sessions_open(void)
{
    size_t count = 0;

    for (open_session *s = session_next(NULL); s != NULL; s = session_next(s)) {
        count += !s->killed;
    }
    return count;
}

/* --- Objects. -------------------------------------------------------------------------- */

known_object *object_add(CK_OBJECT_HANDLE handle, CK_SESSION_HANDLE maker)
{
    size_t i = 0;

    while (i < object_end && objects[i].ours != CK_INVALID_HANDLE) {
        i++;
    }
    if (i == MOST_OBJECTS) {
        full("objects");
    }
    object_end = i < object_end ? object_end : i + 1;
    objects[i] = (known_object){.ours = make_handle(i), .inner = handle, .session = maker};
    return &objects[i];
}

known_object *object_get(CK_OBJECT_HANDLE ours, lookup *how)
{
    size_t i = place_of(ours);

    if (i < object_end && ours != CK_INVALID_HANDLE && objects[i].ours == ours) {
        *how = LOOKUP_OK;
        return &objects[i];
    }
    *how = classify(ours);
    return NULL;
}

void object_remove(known_object *o)
{
    o->ours = CK_INVALID_HANDLE;
}

CK_OBJECT_HANDLE object_seen(CK_OBJECT_HANDLE handle)
{
    for (size_t i = 0; i < object_end; i++) {
        if (objects[i].ours != CK_INVALID_HANDLE && objects[i].inner == handle) {
            return objects[i].ours;
        }
    }
    return object_add(handle, CK_INVALID_HANDLE)->ours;
}

size_t objects_made(void)
{
    size_t count = 0;

    for (size_t i = 0; i < object_end; i++) {
        count += objects[i].ours != CK_INVALID_HANDLE && objects[i].session != CK_INVALID_HANDLE;
    }
    return count;
}

size_t objects_end(CK_SESSION_HANDLE maker, bool excused)
{
    size_t left = 0;

    for (size_t i = 0; i < object_end; i++) {
        if (objects[i].ours != CK_INVALID_HANDLE && objects[i].session == maker) {
            left += !objects[i].asked && !excused;
            object_remove(&objects[i]);
        }
    }
    return left;
}
