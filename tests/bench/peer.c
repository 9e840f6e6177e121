/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* --- The asking end. ------------------------------------------------------------------ */

void peer_start(peer *self, const char *name, const char *command)
{
    int down[2], up[2];

    must(pipe(down) == 0 && pipe(up) == 0);
    *self = (peer){.name = name, .to = down[1], .from = up[0]};
    self->pid = fork();
    must(self->pid >= 0);
    if (self->pid == 0) {
        if (dup2(down[0], STDIN_FILENO) >= 0 && dup2(up[1], STDOUT_FILENO) >= 0) {
            (void)close(down[1]);
            (void)close(up[0]);
            (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        }
        _exit(127);
    }
    (void)close(down[0]);
    (void)close(up[1]);
    (void)signal(SIGPIPE, SIG_IGN);
}

void peer_stop(peer *self)
{
    (void)close(self->to);
    (void)close(self->from);
    (void)waitpid(self->pid, NULL, 0);
}

bool peer_run(peer *self, const char *name, size_t count, uint64_t *ns)
{
    char line[ROW_NAME + 32];
    size_t len = (size_t)snprintf(line, sizeof(line), "%s %zu\n", name, count);

    check_note("(the peer %s, asked for %s)", self->name, name);
    must(write(self->to, line, len) == (ssize_t)len);
    for (len = 0; len == 0 || line[len - 1] != '\n'; len++) {
        must(len < sizeof(line) - 1);
        must(read(self->from, line + len, 1) == 1);
    }
    line[len] = '\0';
    *ns = strtoull(line, NULL, 10);
    return line[0] != '-';
}

/* --- The answering end. ---------------------------------------------------------------- */

static const char bare_prefix[] = "bare:";

void serve_next(served *s)
{
    char line[ROW_NAME + 32];
    const char *name = line;
    char *space;

    s->open = fgets(line, sizeof(line), stdin) != NULL && (space = strrchr(line, ' ')) != NULL;
    if (!s->open) {
        s->name[0] = '\0';
        return;
    }
    *space = '\0';
    s->bare = strncmp(name, bare_prefix, sizeof(bare_prefix) - 1) == 0;
    name += s->bare ? sizeof(bare_prefix) - 1 : 0;
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
    s->count = (size_t)strtoull(space + 1, NULL, 10);
    s->lines++;
}

void serve_none(served *s)
{
    (void)printf("-\n");
    (void)fflush(stdout);
    serve_next(s);
}

void serve_row(served *s, const row *r)
{
    while (s->open && strcmp(s->name, r->name) == 0) {
        const side *asked = s->bare ? &r->bare : &r->ours;

        if (asked->run == NULL) {
            serve_none(s);
            continue;
        }
        (void)printf("%" PRIu64 "\n", s->count == 0 ? 0 : asked->run(asked->state, s->count));
        (void)fflush(stdout);
        serve_next(s);
    }
}
