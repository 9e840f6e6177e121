/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKEN_H
#define TOKEN_H

/*
 * The inside of libtwoway-pkcs11, lowest part first. A CK_RV is judged in one place, rv.c.
 * A failure is noted in a `failure` where it happens, and told to the caller's `event`
 * once, at the edge of the library.
 */

#include <twoway/pkcs11.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- rv.c, report.c ------------------------------------------------------------- */

/* What was lost, and with it the rung of the ladder that may bring it back. */
typedef enum loss {
    LOSS_NONE,    /* nothing: the token said no */
    LOSS_HANDLE,  /* a login came in between: the same again, with the handle found anew */
    LOSS_SESSION, /* a session, the login or a handle: open, log in and find again */
    LOSS_SLOT,    /* the device: look through the slots for it */
    LOSS_MODULE,  /* perhaps the module itself: a new session, then initialise it anew */
    LOSS_KEYS,    /* the same, and the token has no private key for anyone */
} loss;

typedef struct verdict {
    const char *name; /* "CKR_PIN_LOCKED", or NULL for a value outside the standard */
    tw_err err;
    loss loss;
    const char *advice; /* what to do, or NULL */
} verdict;
verdict twp_rv_judge(CK_RV rv);

/* What went wrong, kept until someone is told. */
typedef struct failure {
    tw_err err;           /* TW_OK: nothing noted */
    const char *function; /* static; NULL when no call failed */
    CK_RV rv;
    loss loss;
    char text[320]; /* what it means and what to do */
} failure;

/* These note a failure and give its code back; twp_fail_add puts more behind what is noted. */
tw_err twp_fail_rv(failure *why, const char *function, CK_RV rv);
__attribute__((format(printf, 3, 4))) tw_err twp_fail_text(failure *why, tw_err err,
                                                           const char *format, ...);
__attribute__((format(printf, 2, 3))) void twp_fail_add(failure *why, const char *format, ...);

/* What is noted, in one line; twp_text_clean makes of any text one line of UTF-8, twp_text_utf8
 * only UTF-8. */
void twp_fail_tell(const failure *why, char *out, size_t cap);
void twp_text_clean(char *text);
void twp_text_utf8(char *text);

/* The caller's options, copied: the strings and *provider are owned; options.c. */
typedef tw_token_options settings;
tw_err twp_settings_copy(settings *out, const tw_token_options *options);
void twp_settings_clear(settings *s);

/* report tells the caller's `event` what `why` holds; `what` was being done. */
void twp_report(const settings *s, CK_SLOT_ID slot, const char *what, const failure *why);
/* ... that of several modules or slots one is left out; `path` may be NULL. */
void twp_report_left_out(const settings *s, const char *path, CK_SLOT_ID slot, const failure *why);

/* --- uri.c, pin.c ----------------------------------------------------------------- */

/* A parsed URI, its PIN value moved out of p11-kit's hands, which does not wipe. */
typedef struct token_uri {
    P11KitUri *uri;
    char *pin_value; /* zero-terminated, wiped when freed; NULL for none */
} token_uri;
tw_err twp_uri_parse(token_uri *out, const char *text, failure *why);
void twp_uri_clear(token_uri *u);

/* The label and id that a URI names a key by, those that it has. twp_uri_format makes the URI
 * of a token, or with names of a key in it; free() it. */
CK_ULONG twp_uri_names(const token_uri *u, CK_ATTRIBUTE out[2]);
char *twp_uri_format(const CK_TOKEN_INFO *info, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id);

/* twp_pin_get asks the sources in their order. The caller wipes `buf`. */
typedef struct pin_facts {
    bool attended;    /* it came from the callback, where a person is */
    bool open_to_all; /* it is in a file that everybody may read or change */
} pin_facts;
tw_err twp_pin_get(const settings *s, const token_uri *u, const char *label,
                   char buf[TW_TOKEN_MAX_PIN], size_t *len, pin_facts *facts, failure *why);
bool twp_pin_given(const settings *s, const token_uri *u);
bool twp_pin_asked(const settings *s, const token_uri *u); /* of the callback */

/* --- turn.c ------------------------------------------------------------------------ */

struct timespec twp_time_in(unsigned ms);
bool twp_time_passed(const struct timespec *t);
bool twp_mutex_take(pthread_mutex_t *mutex, const struct timespec *deadline); /* NULL: none */
void twp_cond_init(pthread_cond_t *cond); /* by the clock of twp_time_in */

/* A line, first come first served; under a lock of its owner's. twp_queue_wait joins it until
 * something is handed over, or gives NULL at the deadline (NULL: there is none);
 * twp_queue_hand gives the head of it something: false, there is no one. */
typedef struct queue {
    struct waiter *first, **last;
    size_t length;
} queue;
void twp_queue_init(queue *q);
void *twp_queue_wait(queue *q, pthread_mutex_t *lock, const struct timespec *deadline);
bool twp_queue_hand(queue *q, void *thing);

/* A lock whose waiters stand in such a line. */
typedef struct turn {
    pthread_mutex_t lock;
    queue line;
    bool taken;
} turn;
void twp_turn_init(turn *u);
void twp_turn_clear(turn *u);
bool twp_turn_take(turn *u, const struct timespec *deadline);
void twp_turn_give(turn *u);

/* --- module.c, load.c --------------------------------------------------------------- */

/* How far a restart is: the calls in flight may hang, and then it comes to nothing. */
enum { NOT_RESTARTING, BEFORE_RESTART, IN_RESTART };

/* A module is one per process, however many tokens of ours it serves. `generation`
 * counts its initialisations: what belongs to an older one is gone. */
typedef struct module {
    struct module *next; /* under twp_process_lock; the path and init_args do not change */
    CK_FUNCTION_LIST *fn;
    char *path;              /* NULL if p11-kit does not know it */
    char *init_args;         /* NULL for none */
    atomic_uint users, gone; /* tokens and lists of ours; how many of those tokens are gone */

    pthread_mutex_t life; /* held for C_Initialize and C_Finalize, which may hang; guards: */
    bool started;         /* it was initialised, by us or by others, and not yet left */
    bool owner;           /* we initialised it, so we finalise it */
    bool held;            /* over a fork, under twp_process_lock */

    atomic_bool serial; /* it cannot lock: one call at a time, by turns */
    turn calls;
    atomic_ullong process;           /* whose initialisation it is */
    atomic_ulong generation, logins; /* so far; a login before it is tried */
    atomic_ulong down;               /* CKR_OK, or why C_Initialize failed: it is not called */
    atomic_uint in_flight;           /* threads between enter and leave */
    atomic_uint restarting;          /* one of these: new ones have to wait */
} module;

/* twp_module_get loads and initialises the module at `path`; each get or hold has its put. */
tw_err twp_module_get(const char *path, const char *init_args, module **out, failure *why);
void twp_module_hold(module *m);
void twp_module_put(module *m);

/* The modules that p11-kit has configured, or the one called `name`. One that fails is told
 * to `skipped` and left out, or TW_ERR_TOKEN_ABSENT if that leaves none. Put each, then free(). */
tw_err twp_module_get_all(const char *name, const char *init_args, module ***out, size_t *count,
                          const settings *skipped, failure *why);

/* twp_module_start initialises it unless it is up; twp_module_stop finalises it if it is ours, and
 * has no user but who calls. */
tw_err twp_module_start(module *m, failure *why);
void twp_module_stop(module *m);

/* Every call of a module's functions lies between enter and leave. enter brings the
 * module up again in a forked child. While it is being restarted enter waits, but no longer than
 * until the deadline (NULL: there is none), and half a second for calls that keep the restart. */
tw_err twp_module_enter(module *m, const struct timespec *deadline, failure *why);
void twp_module_leave(module *m);

/* twp_module_restart initialises the module anew once no call is in flight, unless it has
 * left that generation, or does while another is at it. One that is not ours is never finalised. */
tw_err twp_module_restart(module *m, unsigned long generation, const struct timespec *deadline,
                          failure *why);

/* For what is short, if a module that is loaded does not hang. Held over fork, as is the life of
 * every module that does not hang just then, so that a child finds what they guard in order. */
void twp_process_lock(void);
bool twp_process_take(const struct timespec *deadline);
void twp_process_unlock(void);
void twp_process_anew(void); /* in a child, when its parent had it not over the fork */

/* Another in each child: its process ID, and how often it is a child, for in a PID namespace of its
 * own one may have the number of its parent. */
unsigned long long twp_process(void);

/* --- attr.c: reading attributes. -------------------------------------------------- */

#define MAX_ATTR 16384 /* bytes; the largest that is read, a certificate */

/* A session to speak on, and where to note what fails. */
typedef struct line {
    CK_FUNCTION_LIST *fn;
    CK_SESSION_HANDLE session;
    failure *why;
} line;

/* twp_attr_get reads one attribute of any length; free() *value. One that the object has not, or
 * will not tell, is TW_OK with *value NULL; twp_attr_bool gives `otherwise`. */
tw_err twp_attr_get(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t **value,
                    size_t *len);
tw_err twp_attr_bool(const line *l, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool otherwise,
                     bool *out);

/* twp_object_find gives the handles of all objects that match; free() them. twp_object_any tells
 * whether there is one, without going through all. */
tw_err twp_object_find(const line *l, CK_ATTRIBUTE *match, CK_ULONG match_count,
                       CK_OBJECT_HANDLE **out, size_t *count);
tw_err twp_object_any(const line *l, CK_ATTRIBUTE *match, CK_ULONG match_count, bool *any);

/* --- token.c, pool.c, recover.c --------------------------------------------------- */

typedef struct place {
    module *module;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
} place;

/* twp_slot_find passes every token that `u` names (NULL: every one) to `found`, until that answers
 * other than TW_OK, which is returned. The deadline is that of twp_module_enter. A slot that fails
 * is told to `skipped` (NULL: to nobody) and left out. */
tw_err twp_slot_find(module *m, const token_uri *u, const struct timespec *deadline,
                     const settings *skipped,
                     tw_err (*found)(void *arg, const place *p, failure *why), void *arg,
                     failure *why);

/* Every token that options and URI leave in question, and the modules they are in. */
typedef struct places {
    module **modules;
    size_t module_count;
    place *list;
    size_t count;
} places;

/* twp_places_find looks where `s` and `u` say: options.module, the URI's module-path, or what
 * p11-kit has configured; there, a module that fails is told to `s` and left out, and so is any
 * slot that does. */
tw_err twp_places_find(places *out, const settings *s, const token_uri *u, failure *why);
tw_err twp_places_only(const places *p, place *out, failure *why); /* the one there must be */
void twp_places_clear(places *p);

/* Whether both are one token; a field without its padding, `out` with room for len + 1. */
bool twp_slot_same(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b);
void twp_slot_text(const unsigned char *field, size_t len, char *out);

/* When a handle was given. A session's ends with its epoch or generation, a private object's
 * with its login too: after that it may name something else. */
typedef struct era {
    unsigned long epoch, generation, logins;
} era;
era twp_era_now(tw_token *t);
bool twp_era_passed(tw_token *t, const era *e); /* but for its logins */

/* A place in the pool; what is of an older era is opened anew before its next use. */
typedef struct session {
    CK_SESSION_HANDLE handle; /* CK_INVALID_HANDLE: not open */
    bool narrow; /* it only reads, though the token is not said to be write-protected */
    era era;
    struct session *next; /* in the idle list */
} session;

/* A PIN that C_Login failed with. */
enum { KEPT_REFUSALS = 4, MOST_SENT = 2 };
typedef struct refusal {
    char pin[TW_TOKEN_MAX_PIN];
    size_t len;
    CK_RV rv; /* CKR_OK: none */
    unsigned sent;
    CK_FLAGS tries;           /* of the token's flags, what it said of them as it was sent */
    unsigned long generation; /* of the module then */
    struct timespec again;    /* when a failed device is given another chance */
} refusal;

/* What tw_token_stats tells, counted where it happens; stats.c. */
typedef struct counters {
    atomic_ullong operations, absent, pin, busy, policy, failed, other;
    atomic_ullong retries, recoveries, logins, latency[TW_TOKEN_BUCKETS];
    atomic_uint in_flight;
} counters;
void twp_count_begin(tw_token *t, struct timespec *begun);
void twp_count_end(tw_token *t, tw_err err, const struct timespec *begun);

struct tw_token {
    settings opt;
    token_uri uri;
    module *module;
    bool anonymous; /* never log in */
    counters counters;
    atomic_ullong process;
    atomic_ulong epoch;    /* rises when sessions or handles were lost */
    atomic_ulong served;   /* the generation that an operation succeeded in */
    atomic_bool unbounded; /* it was seen not to take CKA_DERIVE_TEMPLATE, */
    atomic_bool decrypts;  /* and that its keys derive only where they may decrypt */

    pthread_mutex_t lock; /* of what follows; never held while the module is called */
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    session *idle;          /* most recently used first */
    size_t size, limit;     /* places in existence; how many there may be */
    struct timespec shrunk; /* when the token had no more sessions than `limit` */
    queue line;             /* for a place */
    unsigned long tried;    /* the generation that was last to be ended by a restart */
    unsigned patience_ms;   /* the module is restarted not before next_restart, and from calm on */
    struct timespec next_try, next_restart, calm; /* as if it had never been */
    struct timespec gone_since, next_probe;       /* while it is: one call at a time looks, */
    unsigned long probe;                          /* this one */
    atomic_bool gone;

    turn mend;                      /* one recovery at a time; held outside of the module */
    turn login;                     /* one login at a time; held inside; guards: */
    refusal refused[KEPT_REFUSALS]; /* the PINs not to be sent again, a ring */
    unsigned refused_next;
    bool seen_locked, accepted; /* the token, by its flags; some PIN */
    bool told_open;             /* of its file */
};

/* What an operation works with. */
typedef struct op {
    line line;
    tw_token *token;
    session *session;
    const struct timespec *deadline; /* for all waiting, of all attempts */
    bool broken;                     /* the session must not be used again */
} op;

typedef enum persistence {
    RUN_ONCE,   /* whatever comes */
    RUN_GENTLY, /* again after a loss, but never restart the module */
    RUN_RETRY,  /* again after what was lost could be brought back */
} persistence;

/* twp_token_run runs `fn` on a session of the pool: the one place that retries. */
tw_err twp_token_run(tw_token *t, persistence how, tw_err (*fn)(op *o, void *arg), void *arg,
                     failure *why);

/* twp_token_new makes one that is nowhere yet; twp_token_settle puts it in its place;
 * twp_token_arrive finds that and logs in, or leaves it nowhere as before. twp_token_leave takes it
 * out again. What is known of its PINs stays known. */
tw_err twp_token_new(const char *uri, const tw_token_options *options, tw_token **out,
                     failure *why);
void twp_token_settle(tw_token *t, const place *p);
tw_err twp_token_arrive(tw_token *t);
void twp_token_leave(tw_token *t);

/* In a child of fork nothing of the parent's is used: not its sessions, not its locks. Whatever
 * takes a lock of the token's calls this first. */
void twp_token_adopt(tw_token *t);
void twp_token_report(tw_token *t, const char *what, const failure *why);

/* The pool: at most `limit` places, first come first served. twp_pool_lost is for a place that the
 * token had no session for: false, it is the only one and still the caller's. */
void twp_pool_init(tw_token *t);
void twp_pool_clear(tw_token *t);
void twp_pool_forget(tw_token *t); /* without closing: in a forked child */
tw_err twp_pool_take(tw_token *t, const struct timespec *deadline, session **out, failure *why);
void twp_pool_give(tw_token *t, session *s);
bool twp_pool_lost(tw_token *t, session *s);

/* twp_session_ready makes of a place a session of a logged-in user. */
tw_err twp_session_ready(tw_token *t, op *o);
void twp_session_close(tw_token *t, session *s);
tw_err twp_session_login(tw_token *t, op *o);
tw_err twp_key_login(op *o); /* for the one use that follows; with the turn for logins */
bool twp_session_is_user(tw_token *t, const session *s);
bool twp_session_is_public(tw_token *t, const session *s);

void twp_token_is_gone(tw_token *t, bool gone);

/* One attempt at an operation. */
typedef struct attempt {
    persistence how;
    bool probes;             /* it looks for a token that was gone */
    bool restarted;          /* the module, on the way to it */
    unsigned number, logins; /* attempts; and repetitions, as a login came in between */
    era before;              /* when it began; of the session that served, if one did */
    const struct timespec *deadline;
} attempt;
/* twp_recover climbs the ladder by what the attempt lost, unless another thread has since it
 * began. True: try again. */
bool twp_recover(tw_token *t, attempt *a, failure *why);
void twp_recover_helped(tw_token *t, const attempt *a); /* it succeeded */

#endif
