/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAULT_H
#define FAULT_H

/*
 * A PKCS #11 module that stands before another, makes faults where a script says so, and
 * watches how it is used.
 *
 *   FAULT_MODULE   the module that is wrapped
 *   FAULT_SCRIPT   the script's file; read again whenever it was replaced
 *   FAULT_REPORT   where to write what was seen, at each C_Finalize, when a call begins to
 *                  wait, and at the end; in a child of fork ".PID" is added
 *   FAULT_TELL     set: say on standard error which call had a bad handle
 *
 * A line of the script is a rule, FUNCTION WHEN ACTION [WORD...]:
 *
 *   FUNCTION  a name of the standard's, or its beginning and a star. The star alone
 *             is all but C_GetFunctionList.
 *   WHEN      *    each call            3    the third since the rule was read
 *             3-   from the third on    3-5  these three
 *             /50  every fiftieth       ~50  one in fifty, by chance
 *             !    each until the next C_Finalize
 *
 * "seed N" makes chance repeat itself; '#' begins a comment. CODE is a name or number,
 * or several with '|' between, of which chance takes one; ATTRIBUTE a name or number,
 * with "=HEX" only where it has that value; AT counts bytes or is "end". The actions:
 *
 *   before the call, which may then not reach the wrapped module:
 *   fail CODE            answer that
 *   wait MS              later, or when the rule has left the script
 *   kill CODE            end the session without the caller's knowing; answer that
 *   logout               as another application would
 *   fork                 as modules do that start what they speak to
 *   none                 an empty list
 *   limit N              CKR_SESSION_COUNT from N open sessions on
 *   flag BITS CODE       fail where C_Initialize, C_OpenSession, or the session's own
 *   noflag BITS CODE     opening had these flags; or had not
 *   refuse ATTRIBUTE CODE, demand ATTRIBUTE CODE    by the call's templates
 *   strip ATTRIBUTE      the template goes on without it; the private key's, of two
 *   key ATTRIBUTE=HEX CODE                          by the key object's attribute
 *   hide CLASS           the search finds nothing of that class
 *   raw CODE, der CODE   fail for a peer's point in that form
 *   pinpad PIN           what the person types when the PIN is NULL
 *   context PIN          takes logins for one operation (CKU_CONTEXT_SPECIFIC)
 *   fresh CODE           fail unless such a login came just before
 *   slots N              slot numbers are greater by N
 *   renumber             handles begin at 1 with each C_Initialize and each C_Logout,
 *                        and go to the next who asks: an old one names something else
 *   version N            C_GetFunctionList says 302 for 3.2, and has NULL for what
 *                        version 2.40 does not know
 *
 *   after it, when it went well:
 *   late CODE                            it was done, and that is answered
 *   set BITS, clear BITS                 flags of the token
 *   serial TEXT                          its serial number: it is another token
 *   length ATTRIBUTE N                   said to have N bytes
 *   drop ATTRIBUTE AT N                  N bytes less
 *   insert ATTRIBUTE AT HEX              bytes more
 *   answer ATTRIBUTE HEX                 these, whatever came
 *   absent ATTRIBUTE, keep ATTRIBUTE     CKR_ATTRIBUTE_TYPE_INVALID, _SENSITIVE
 *   tight ATTRIBUTE CODE                 fail unless the buffer just holds it
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <p11-kit/pkcs11.h>

#include "functions.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

typedef enum function {
#define ROW(name, signature) F_##name,
    FUNCTIONS(ROW)
#undef ROW
        F_C_GetFunctionList,
    FUNCTION_COUNT
} function;

/* --- script.c: rules. -------------------------------------------------------------- */

enum {
    MOST_RULES = 64,
    MOST_CODES = 16,
    MOST_BYTES = 256,
    MOST_VALUE = 1024, /* of an attribute that is edited */
    MOST_HITS = 8,     /* rules that act on one call */
};

typedef struct call call;
typedef struct rule rule;

typedef struct action {
    const char *name;
    const char *words; /* n: number, c: codes, a: attribute, h: bytes in hex, t: text */
    void (*before)(call *c, const rule *r);
    void (*after)(call *c, const rule *r);
} action;

extern const action actions[];
extern const size_t action_count;

typedef enum when {
    WHEN_RANGE,
    WHEN_EVERY,
    WHEN_CHANCE,
    WHEN_UNTIL_FINALIZE,
} when;

struct rule {
    unsigned long version; /* of the script that it was matched in */
    char function[40]; /* a star ends a beginning */
    when when;
    unsigned long from, to; /* a range; or `from` is the period or the odds */
    const action *act;
    unsigned long number[2];
    CK_ATTRIBUTE_TYPE attribute;
    bool valued;               /* the attribute is named with the value in bytes */
    uint8_t bytes[MOST_BYTES]; /* of valued, of 'h', or a text with its zero */
    size_t len;
    CK_RV codes[MOST_CODES];
    size_t code_count;
    CK_RV code; /* the one that chance took, when it acts */

    unsigned long seen; /* calls of the function since it was read */
    bool over;          /* WHEN_UNTIL_FINALIZE, and that came */
};

/* script_match copies the rules that act on this call; under the lock. */
size_t script_match(function f, rule *out, size_t most);
void script_finalized(void);        /* under the lock */
unsigned long script_version(void); /* one more for each reading; takes the lock */

/* names.c: numbers by the standard's names, true if `word` is one or a number. */
bool number_of(const char *word, unsigned long *out);
const char *function_name(function f);

/* --- handles.c: the caller's handles and the wrapped module's. All under the lock. ---- */

typedef struct open_session {
    CK_SESSION_HANDLE ours, inner; /* ours 0: this place is free */
    CK_SLOT_ID slot;               /* the wrapped module's */
    CK_FLAGS flags;
    unsigned users; /* calls in flight on it */
    bool killed;    /* the caller does not know */
    bool fresh;     /* a login for one operation came last */
} open_session;

typedef struct known_object {
    CK_OBJECT_HANDLE ours, inner;
    CK_SESSION_HANDLE session; /* ours, of who made it; 0: it was found */
    bool asked;                /* its end was asked for, or came with a kill or logout */
} known_object;

typedef enum lookup {
    LOOKUP_OK,
    LOOKUP_NEVER,        /* was never given */
    LOOKUP_CLOSED,       /* was given, and is gone */
    LOOKUP_OLDER,        /* was given in an older initialisation */
    LOOKUP_NOBODY_KNOWS, /* as they are renumbered */
} lookup;

void handles_reset(bool renumbered); /* a new initialisation: none is valid */
void handles_logout(void);
open_session *session_add(CK_SESSION_HANDLE inner, CK_SLOT_ID slot, CK_FLAGS flags);
open_session *session_get(CK_SESSION_HANDLE ours, lookup *how);
void session_remove(open_session *s);
size_t sessions_open(void);                      /* as far as the caller knows */
open_session *session_next(open_session *after); /* NULL begins and ends */
known_object *object_add(CK_OBJECT_HANDLE inner, CK_SESSION_HANDLE session);
known_object *object_get(CK_OBJECT_HANDLE ours, lookup *how);
void object_remove(known_object *o);
CK_OBJECT_HANDLE object_seen(CK_OBJECT_HANDLE inner); /* ours for it, a new one if need be */
size_t objects_made(void);                            /* and not destroyed */
/* objects_end forgets what a session made, and tells how much of it the caller had left. */
size_t objects_end(CK_SESSION_HANDLE session, bool excused);

/* --- watch.c: what is counted and checked. All but watch_lock under the lock. --------- */

/* clang-format off */
#define CHECKS(X)                                                                                  \
    X(EARLY,    "calls without an initialisation")                                                 \
    X(OLDER,    "calls on a handle of an older initialisation")                                    \
    X(CLOSED,   "calls on a handle that was closed")                                               \
    X(FOREIGN,  "calls on a handle that was never given")                                          \
    X(SHARED,   "calls on a session that another call was using")                                  \
    X(FORKED,   "calls in a child on what its parent initialised")                                 \
    X(PIN,      "refused PINs sent again")                                                         \
    X(BUSY,     "finalisations with a call in flight")                                             \
    X(SESSIONS, "sessions left open")                                                              \
    X(OBJECTS,  "objects left behind")
/* clang-format on */

typedef enum check {
#define X(name, text) CHECK_##name,
    CHECKS(X)
#undef X
        CHECK_COUNT
} check;

typedef struct watch {
    bool initialised;
    pid_t pid;                 /* whose initialisation */
    pid_t first_pid, last_pid; /* who loaded it; who called last */
    unsigned long calls[FUNCTION_COUNT], acted[FUNCTION_COUNT];
    unsigned long checks[CHECK_COUNT];
    unsigned long in_flight, most_in_flight, most_sessions, most_objects, interfaces;
} watch;

extern watch seen;

void watch_lock(void);
void watch_unlock(void);
void watch_begin(void); /* once, when loaded */
void watch_enter(call *c);
void watch_leave(call *c);
void watch_missing(const call *c, const char *what, lookup how); /* a handle not found */
void pin_refused(CK_SLOT_ID slot, const CK_BYTE *pin, CK_ULONG len);
bool pin_was_refused(CK_SLOT_ID slot, const CK_BYTE *pin, CK_ULONG len);
void watch_report(void);

/* fault_tally answers a function's number of calls, a check's text, "faults", "most calls
 * in flight", "most sessions", "most objects", "interface lists", which are those of version 3.0:
 * for tests in the same process. */
unsigned long fault_tally(const char *what);

/* --- module.c: one call. -------------------------------------------------------------- */

typedef struct attributes {
    CK_ATTRIBUTE **list;
    CK_ULONG count;
} attributes;

struct call {
    function id;

    /* What the caller passed, where it can be changed before it goes on. */
    const void *init_args;
    CK_SLOT_ID *slot, *slots;
    CK_FLAGS flags; /* of C_Initialize, C_OpenSession, or with which the session was opened */
    CK_SESSION_HANDLE *session, *opened;
    CK_SESSION_INFO *session_info;
    CK_TOKEN_INFO *token_info;
    CK_USER_TYPE user;
    CK_BYTE **pin;
    CK_ULONG *pin_len;
    CK_MECHANISM *mechanism;
    attributes templates[2];
    CK_OBJECT_HANDLE *objects[2], *made[2], *found;
    CK_ULONG *out_count;

    /* What became of it. */
    bool forward;
    CK_RV rv;
    rule hits[MOST_HITS];
    size_t hit_count;
    bool entered;           /* counted among the session's users */
    CK_SESSION_HANDLE ours; /* the session as the caller knows it */
    CK_OBJECT_HANDLE our_objects[2];
    bool fresh;                      /* as in struct open_session */
    CK_SLOT_ID on;                   /* the session's slot */
    CK_ATTRIBUTE changed[MOST_HITS]; /* in place of the caller's template */
    CK_ATTRIBUTE stripped[24];
    CK_ATTRIBUTE *theirs; /* that one, while its values are edited */
    uint8_t room[MOST_HITS][MOST_VALUE];
    CK_OBJECT_CLASS changed_class;
    CK_VERSION version; /* of the table */
    bool renumber;      /* handles of the initialisation that this begins */
};

extern CK_FUNCTION_LIST *inner;

/* call_fail keeps a call from the wrapped module; the first reason stays. */
void call_fail(call *c, CK_RV rv);

/* --- edit.c -------------------------------------------------------------------------- */

void edit_borrow(call *c, const rule *r); /* before any of the others */
void edit_return(call *c);                /* after all of them */
void edit_length(call *c, const rule *r);
void edit_drop(call *c, const rule *r);
void edit_insert(call *c, const rule *r);
void edit_answer(call *c, const rule *r);
void edit_absent(call *c, const rule *r);
void edit_keep(call *c, const rule *r);
void edit_tight(call *c, const rule *r);

#endif
