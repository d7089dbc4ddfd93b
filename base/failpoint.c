/* Dying on request. See failpoint.h. Called on any thread; empty but in the test build. */
#include "base/failpoint.h"

#ifdef FAILPOINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the environment asks for; read once. */
static struct {
    char name[64], action[8];
    unsigned count;
    unsigned delay_us;
    atomic_uint passed;
} wanted;
static pthread_once_t wanted_once = PTHREAD_ONCE_INIT;

static void read_wanted(void)
{
    const char *text = getenv("FAILPOINT");
    if (!text || !*text)
        return;
    int fields = sscanf(text, "%63[^:]:%u:%7[a-z]:%u", wanted.name, &wanted.count, wanted.action, &wanted.delay_us);
    if (fields == 2)
        strcpy(wanted.action, "kill");
    if (fields < 2 || !wanted.count || (strcmp(wanted.action, "kill") && strcmp(wanted.action, "stop"))) {
        fprintf(stderr, "FAILPOINT=%s: it is NAME:COUNT[:kill|stop[:MICROSECONDS]]\n", text);
        _exit(2);
    }
}

/* raise, not kill: a signal to the process may go to a thread that has to wait for a core, and this one goes on. */
static void strike(void)
{
    raise(strcmp(wanted.action, "kill") ? SIGSTOP : SIGKILL);
}

static void *strike_later(void *unused)
{
    (void)unused;
    usleep(wanted.delay_us);
    strike();
    return NULL;
}

void failpoint(const char *name)
{
    pthread_t thread;
    pthread_once(&wanted_once, read_wanted);
    if (!wanted.count || strcmp(wanted.name, name) || atomic_fetch_add(&wanted.passed, 1) + 1 != wanted.count)
        return;
    if (!wanted.delay_us || pthread_create(&thread, NULL, strike_later, NULL))
        strike();
    else
        pthread_detach(thread);
}

#endif
