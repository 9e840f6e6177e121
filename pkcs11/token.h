/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKEN_H
#define TOKEN_H

/*
 * The inside of libtwoway-pkcs11, lowest part first. Two rules hold everywhere:
 *
 *  - a CK_RV is judged in one place (rv.c), which says what the caller sees, what
 *    may bring the token back, and what the operator should do;
 *  - a failure is noted in a `failure` where it happens and told to the caller's
 *    `event` once, at the edge of the library (report).
 */

#include <twoway/pkcs11.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- rv.c: what a CK_RV means. ------------------------------------------------ */

/* What was lost, and with it the rung of the ladder that may bring it back. */
typedef enum loss {
    LOSS_NONE,    /* nothing: the token said no */
    LOSS_SESSION, /* a session, the login or a handle: open, log in and find again */
    LOSS_SLOT,    /* the device: look through the slots for it */
    LOSS_MODULE,  /* perhaps the module itself: a new session, then initialise it anew */
} loss;

typedef struct verdict {
    const char *name; /* "CKR_PIN_LOCKED", or NULL for a value outside the standard */
    tw_err err;
    loss loss;
    const char *advice; /* what to do, or NULL */
} verdict;

verdict rv_judge(CK_RV rv);

/* --- report.c: what went wrong, kept until someone is told. --------------------- */

typedef struct failure {
    tw_err err;           /* TW_OK: nothing noted */
    const char *function; /* static; NULL when no call failed */
    CK_RV rv;
    loss loss;
    char text[320]; /* what it means and what to do */
} failure;

/* Each notes a failure and gives its code back, so that a call reads
 * `return fail_rv(why, "C_Login", rv)`. fail_rv takes the text from rv_judge. */
tw_err fail_rv(failure *why, const char *function, CK_RV rv);
tw_err fail_text(failure *why, tw_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* fail_add puts more advice behind what is noted. */
void fail_add(failure *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- options.c: the caller's options, copied. ----------------------------------- */

typedef struct settings {
    char *module, *init_args; /* owned; NULL for none */
    size_t max_sessions;
    unsigned deadline_ms;
    bool never_export_dh, pin_first;
    tw_provider provider;
    tw_err (*pin)(void *arg, const char *token_label, char *buf, size_t cap, size_t *len);
    void (*event)(void *arg, const tw_token_event *event);
    void *arg;
} settings;

tw_err settings_copy(settings *out, const tw_token_options *options);
void settings_clear(settings *s);

/* report tells the caller's `event`, if there is one, what `why` holds. `what` says
 * what was being done: "open token", "use key 'a'". */
void report(const settings *s, CK_SLOT_ID slot, const char *what, const failure *why);

/* --- uri.c ---------------------------------------------------------------------- */

/* A parsed URI, its PIN value moved out of p11-kit's hands, which does not wipe. */
typedef struct token_uri {
    P11KitUri *uri;
    char *pin_value; /* zero-terminated, wiped when freed; NULL for none */
} token_uri;

tw_err uri_parse(token_uri *out, const char *text, failure *why);
void uri_clear(token_uri *u);

/* The label and id that a URI names a key by, those that it has. */
CK_ULONG uri_names(const token_uri *u, CK_ATTRIBUTE out[2]);

/* uri_format makes the URI of a token, or with `label` or `id` of a private key in
 * it. NULL when memory ends; free() it. */
char *uri_format(const CK_TOKEN_INFO *info, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id);

/* --- pin.c ---------------------------------------------------------------------- */

/* pin_get asks the sources in their order. `attended` says that the PIN came from
 * the callback, where a person may be. The caller wipes `buf`. */
tw_err pin_get(const settings *s, const token_uri *u, const char *label,
               char buf[TW_TOKEN_MAX_PIN], size_t *len, bool *attended, failure *why);
bool pin_given(const settings *s, const token_uri *u);

/* --- module.c: the process-wide list of loaded modules. --------------------------- */

/* A module is one per process, however many tokens of ours it serves. `generation`
 * counts its initialisations: what belongs to an older one is gone. */
typedef struct module {
    struct module *next;
    CK_FUNCTION_LIST *fn;
    char *path;      /* NULL if p11-kit does not know it */
    char *init_args; /* NULL for none */
    bool owner;      /* we initialised it, so we finalise it */
    bool serial;     /* it cannot lock: one call at a time, under serial_lock */
    unsigned users;
    pthread_mutex_t serial_lock;
    _Atomic(pid_t) pid; /* whose initialisation it is */
    atomic_ulong generation;
    atomic_uint in_flight;  /* threads between enter and leave */
    atomic_bool restarting; /* new ones are turned away */
} module;

/* module_get loads and initialises the module at `path`; each get or hold has its put. */
tw_err module_get(const char *path, const char *init_args, module **out, failure *why);
void module_hold(module *m);
void module_put(module *m);

/* module_get_all takes the modules that p11-kit has configured, or only the one called
 * `name`. One that fails is told to `skipped` and left out. Put each, then free(). */
tw_err module_get_all(const char *name, const char *init_args, module ***out, size_t *count,
                      const settings *skipped, failure *why);

/* Every call of a module's functions lies between enter and leave. enter brings the
 * module up again in a forked child, and fails while it is being restarted. */
tw_err module_enter(module *m, failure *why);
void module_leave(module *m);

/* Held over fork, so that a child never finds it taken. */
void process_lock(void);
void process_unlock(void);

/* module_restart initialises the module anew once no call is in flight, unless it has
 * left that generation. One that is not ours is never finalised. */
tw_err module_restart(module *m, unsigned long generation, const struct timespec *deadline,
                      failure *why);
bool module_shared(module *m); /* by several tokens or lists of ours */

/* --- attr.c: reading attributes. -------------------------------------------------- */

#define MAX_ATTR 16384 /* bytes; the largest that is read, a certificate */

/* A session to speak on, and where to note what fails. */
typedef struct line {
    CK_FUNCTION_LIST *fn;
    CK_SESSION_HANDLE session;
    failure *why;
} line;

/* attr_get reads one attribute of any length, asking for the length first: NSS 3.110
 * refuses large buffers for short values. free() *value. An attribute that the object
 * has not, or will not tell, is TW_OK with *value NULL. */
tw_err attr_get(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t **value,
                size_t *len);
/* attr_bool gives `otherwise` for an attribute that the object has not. */
tw_err attr_bool(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool otherwise,
                 bool *out);

/* object_find gives the handles of all objects that match; free() them. */
tw_err object_find(const line *l, CK_ATTRIBUTE *match, CK_ULONG match_count,
                   CK_OBJECT_HANDLE **out, size_t *count);

/* --- token.c, pool.c, recover.c --------------------------------------------------- */

/* A slot that holds a token. */
typedef struct place {
    module *module;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
} place;

/* slot_find passes every token of the module that `u` names, or with NULL every token,
 * to `found`, whose answer other than TW_OK ends the search and is returned. */
tw_err slot_find(module *m, const token_uri *u,
                 tw_err (*found)(void *arg, const place *p, failure *why), void *arg,
                 failure *why);

/* Every token that options and URI leave in question, and the modules they are in. */
typedef struct places {
    module **modules;
    size_t module_count;
    place *list;
    size_t count;
} places;

/* places_find looks where `s` and `u` say: options.module, the URI's module-path, or what
 * p11-kit has configured; there, a module that fails is told to `s` and left out. */
tw_err places_find(places *out, const settings *s, const token_uri *u, failure *why);
void places_clear(places *p);

/* slot_same says whether both are one token, in whichever slot. */
bool slot_same(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b);

/* slot_text copies a field without its padding; `out` has room for len + 1. */
void slot_text(const unsigned char *field, size_t len, char *out);

/* A place in the pool. What is stale (of an older epoch or generation) is closed and
 * opened anew before its next use. */
typedef struct session {
    CK_SESSION_HANDLE handle; /* CK_INVALID_HANDLE: not open */
    unsigned long epoch, generation;
    struct session *next; /* in the idle list */
} session;

typedef struct waiter {
    pthread_cond_t wake;
    session *given;
    struct waiter *next;
} waiter;

struct tw_token {
    settings opt;
    token_uri uri;
    module *module;
    bool anonymous; /* never log in */
    _Atomic(pid_t) pid;
    atomic_ulong epoch; /* rises when sessions, the login or handles were lost */

    pthread_mutex_t lock; /* of what follows; never held while the module is called */
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    session *idle;      /* most recently used first */
    size_t size, limit; /* places in existence; how many there may be */
    struct timespec shrunk; /* when the token had no more sessions than `limit` */
    waiter *first, **last;
    unsigned patience_ms;         /* before the module may be restarted again: */
    struct timespec next_restart; /* not before then, and */
    struct timespec calm;         /* from then on as if it had never been */

    pthread_mutex_t mend_lock;  /* one recovery at a time; held outside of the module */
    pthread_mutex_t login_lock; /* one login at a time; held inside; guards: */
    char refused[TW_TOKEN_MAX_PIN]; /* the PIN that the token refused */
    size_t refused_len;
    CK_RV refused_rv; /* CKR_OK: none */
};

/* What an operation works with. */
typedef struct op {
    line line;
    tw_token *token;
    session *session;
    bool broken; /* the session must not be used again */
} op;

typedef enum persistence {
    RUN_ONCE,   /* whatever comes */
    RUN_GENTLY, /* again after a loss, but never restart the module */
    RUN_RETRY,  /* again after what was lost could be brought back */
} persistence;

/* token_run runs `fn` on a session of the pool: the one place that retries. Of several
 * attempts the last one's failure is noted. */
tw_err token_run(tw_token *t, persistence how, tw_err (*fn)(op *o, void *arg), void *arg,
                 failure *why);

/* token_new makes one that is nowhere yet; token_settle puts it in its place. */
tw_err token_new(const char *uri, const tw_token_options *options, tw_token **out, failure *why);
void token_settle(tw_token *t, const place *p);
void token_report(tw_token *t, const char *what, const failure *why);

/* The pool. pool_take waits until the deadline for one of at most `limit` places, first
 * come first served; pool_give hands it to the next. Neither calls the module. pool_lost
 * is for a place that the token had no session for: true, it is gone and another will
 * come back; false, it is the only one and still the caller's. */
void pool_init(tw_token *t);
void pool_clear(tw_token *t); /* closes what is open */
void pool_forget(tw_token *t); /* in a forked child */
tw_err pool_take(tw_token *t, const struct timespec *deadline, session **out, failure *why);
void pool_give(tw_token *t, session *s);
bool pool_lost(tw_token *t, session *s);

/* session.c: session_ready makes of a place a session of a logged-in user. */
tw_err session_ready(tw_token *t, session *s, failure *why);
void session_close(tw_token *t, session *s);
tw_err session_login(tw_token *t, session *s, failure *why); /* login.c */

/* What an attempt began with: a change since then is another thread's recovery. */
typedef struct seen {
    unsigned long epoch, generation;
} seen;

/* recover climbs the ladder by what `why` lost in the attempt-th attempt, and says
 * whether another one makes sense. */
bool recover(tw_token *t, persistence how, unsigned attempt, const seen *before, failure *why);

struct timespec time_in(unsigned ms);
bool time_passed(const struct timespec *t);

#endif
