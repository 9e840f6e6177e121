/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of several processes, which share nothing but the socket that they listen on.
 * Each opens the token for itself, after the fork: a session that the parent opened would be
 * worth nothing in its children. They do so one after the other, for a token may look absent
 * to one process while another logs in; SoftHSM does. A child that is killed is replaced. One
 * that ends by itself could not use the token, and is not: every try may cost one of the PIN's.
 *
 *   prefork SOCKET KEY-URI
 */
#include <stdio.h>
#include <unistd.h>

#include "common.h"

#define CHILDREN 4

static tw_err use_token(tw_pending *pending, void *arg)
{
    (void)arg;
    return tw_pending_perform(pending);
}

static void child(int listener, const char *uri, int ready)
{
    gateway g;
    char name[32];

    gateway_open(&g, uri);
    say_ready(ready);
    (void)snprintf(name, sizeof(name), "process %d", (int)getpid());
    serve_whole(listener, g.receiver, name, use_token, NULL);
}

int serve(const char *path, const char *uri)
{
    return keep_children(CHILDREN, child, listen_at(path), uri);
}
