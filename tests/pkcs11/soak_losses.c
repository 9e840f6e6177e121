/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that go away and come back while threads work: a directory, a server, one of two. */
#include "soak.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "join_stand.h"

enum {
    THREADS = 4,
    AWAY_MS = 2000,
    BACK_WITHIN_S = 9, /* a module is restarted every 8 s at last */
};

/* --- Until it is back. --------------------------------------------------------------------- */

/* Work for a second, without the token for two, and again with it: how long that takes. */
static void lose(load *l, void (*take)(void *arg), void (*give)(void *arg), void *arg)
{
    unsigned long before, away;
    long long back;

    load_start(l, THREADS);
    soak_sleep(1000);
    before = load_total(l, tried);
    take(arg);
    soak_sleep(AWAY_MS);
    away = load_total(l, tried);
    atomic_store(&l->first_success_us, 0);
    back = soak_now();
    give(arg);
    for (int i = 0; atomic_load(&l->first_success_us) == 0 && i < 3000; i++) {
        soak_sleep(10);
    }
    soak_sleep(500);
    load_stop(l);
    print_row("exchanges in the second before", before);
    print_row("exchanges tried while it was away", away - before);
    printf("  %-52s %10.3f s\n", "the longest failure",
           (double)load_most(l, offsetof(worker, longest_failure_us)) / 1e6);
    print_bound("seconds until the first success after its return",
                atomic_load(&l->first_success_us) == 0
                    ? 999
                    : (double)(atomic_load(&l->first_success_us) - back) / 1e6,
                BACK_WITHIN_S);
    print_load(l);
}

/* --- A directory. -------------------------------------------------------------------------- */

static void move_tokens(const stand *s, const char *from, const char *to)
{
    char old[128], new[128];

    (void)snprintf(old, sizeof(old), "%s/%s", s->dir, from);
    (void)snprintf(new, sizeof(new), "%s/%s", s->dir, to);
    must(rename(old, new) == 0);
}

static void take_directory(void *arg)
{
    move_tokens(arg, "tokens", "away");
}

static void give_directory(void *arg)
{
    move_tokens(arg, "away", "tokens");
}

void soak_away(void)
{
    static stand s;
    bench b;
    load *l;

    printf("\n%d threads, the token's directory away for %d ms\n", THREADS, AWAY_MS);
    fault_softhsm(&s);
    fault_script(&s, "%s", "");
    bench_open(&b, &s, THREADS);
    l = bench_load(&b);
    lose(l, take_directory, give_directory, &s);
    bench_end(&b);
    stand_end(&s);
    print_checks();
    print_events();
    free(l);
}

/* --- A server: SoftHSM in a process of its own. --------------------------------------------- */

static stand served;
static pid_t server;

/* It says where it is before it listens, and a client that comes too early finds no token. */
static bool listens(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    bool heard = false;

    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s/socket", served.dir);
    for (int i = 0; !heard && i < 500; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        must(fd >= 0);
        heard = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
        (void)close(fd);
        soak_sleep(heard ? 0 : 5);
    }
    return heard;
}

static bool start_server(void)
{
    char command[512], line[512];
    FILE *f;

    (void)snprintf(command, sizeof(command),
                   "exec 2>/dev/null; rm -f '%s/socket'; p11-kit server --sh --name '%s/socket' "
                   "--provider '%s' 'pkcs11:token=hpke'",
                   served.dir, served.dir, TESTS_SOFTHSM);
    f = popen(command, "r");
    must(f != NULL);
    server = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        const char *pid = strstr(line, "P11_KIT_SERVER_PID=");
        char *address = strstr(line, "P11_KIT_SERVER_ADDRESS=");

        if (pid != NULL) {
            server = (pid_t)atol(strchr(pid, '=') + 1);
        }
        if (address != NULL) {
            address = strchr(address, '=') + 1;
            address[strcspn(address, ";\n")] = '\0';
            must(setenv("P11_KIT_SERVER_ADDRESS", address, 1) == 0);
        }
    }
    (void)pclose(f);
    return server > 0 && listens();
}

/* It has a child for each connection, which it outlives; how many there were. */
static size_t kill_server(void)
{
    pid_t children[16];
    size_t count = 0;
    char path[64];
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server, (int)server);
    f = fopen(path, "re");
    must(f != NULL);
    while (count < 16 && fscanf(f, "%d", &children[count]) == 1) {
        count++;
    }
    (void)fclose(f);
    must(kill(server, SIGKILL) == 0);
    for (size_t i = 0; i < count; i++) {
        (void)kill(children[i], SIGKILL);
    }
    return count;
}

static void take_server(void *arg)
{
    (void)arg;
    must(kill_server() > 0);
}

static void restart_server(void *arg)
{
    (void)arg;
    must(start_server());
}

/* False: there is none here, which is said. */
static bool serve(void)
{
    stand_softhsm(&served);
    if (access(TESTS_CLIENT, R_OK) == 0 && start_server()) {
        (void)snprintf(served.module, sizeof(served.module), "%s", TESTS_CLIENT);
        return true;
    }
    printf("\nskipped: p11-kit's server killed and restarted: it is not installed\n");
    stand_end(&served);
    return false;
}

void soak_remote(void)
{
    bench b;
    load *l;

    if (!serve()) {
        return;
    }
    printf("\n%d threads, p11-kit's server killed and started again after %d ms\n", THREADS,
           AWAY_MS);
    /* One session: of several threads in p11-kit's client it leaves all but one waiting for good
     * when the server dies amid an answer, as 0.26.4 does still. */
    bench_open(&b, &served, 1);
    l = bench_load(&b);
    (void)signal(SIGPIPE, SIG_IGN); /* as twoway/pkcs11.h says of p11-kit's client */
    lose(l, take_server, restart_server, NULL);
    bench_end(&b);
    (void)kill_server(); /* its children may have ended with their connections */
    stand_end(&served);
    print_events();
    free(l);
}

/* --- One of two. ------------------------------------------------------------------------------ */

/* In turn: gone, nothing of it working, the device failing, sessions dying, none left, and logins
 * failing. */
static const char *const ends[] = {
    JOIN_GONE,
    "C_Initialize * fail CKR_GENERAL_ERROR\nC_Finalize * fail CKR_GENERAL_ERROR\n"
    "C_GetSlotList * fail CKR_GENERAL_ERROR\nC_OpenSession * fail CKR_GENERAL_ERROR\n"
    "C_DeriveKey * fail CKR_GENERAL_ERROR",
    "C_DeriveKey * fail CKR_DEVICE_ERROR",
    "C_DeriveKey * kill CKR_SESSION_HANDLE_INVALID",
    "C_OpenSession * fail CKR_SESSION_COUNT\nC_DeriveKey * kill CKR_SESSION_CLOSED",
    "C_Login * fail CKR_DEVICE_ERROR\nC_DeriveKey * kill CKR_SESSION_HANDLE_INVALID",
};

static void lose_one_of_two(join_stand *j, load *l)
{
    double longest = 0;

    load_start(l, SOAK_THREADS);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        long long back;

        soak_sleep(300);
        fault_script(&j->s, "%s", ends[i]);
        soak_sleep(700);
        fault_script(&j->s, "%s", "# back");
        back = soak_now();
        while (join_state(j, 0) != TW_OK && soak_now() - back < 20000000) {
            soak_sleep(5);
        }
        longest = (double)(soak_now() - back) > longest ? (double)(soak_now() - back) : longest;
    }
    soak_sleep(300);
    load_stop(l);
    print_bound("seconds until it was added back, at most", longest / 1e6, BACK_WITHIN_S);
    print_row("operations of the one", join_operations(j, 0));
    print_row("operations of the other", join_operations(j, 1));
}

void soak_joined(void)
{
    static join_stand j;
    bench b;
    load *l;

    printf("\n%d threads, one of two tokens lost %zu times, each time otherwise\n", SOAK_THREADS,
           sizeof(ends) / sizeof(ends[0]));
    join_begin(&j, true);
    j.s.options.event = j.second.event = soak_event;
    must_ok(tw_token_join(j.members, 2, &j.key));
    bench_take(&b, j.key);
    l = bench_load(&b);
    l->late_after_ms *= 2; /* one deadline for each */
    lose_one_of_two(&j, l);
    print_zero("requests lost", load_all_failed(l));
    print_load(l);
    bench_end(&b);
    j.key = NULL;
    join_end(&j);
    print_checks();
    print_events();
    free(l);
}
