/* Calls of librdkafka that do not return although brokers answer.
 *
 * librdkafka 2.0 forgets whom to ask: where brokers refuse three times within 300 ms to name a group's coordinator, as
 * one that has just come back does, it waits for a connection to come or go, and send_offsets_to_transaction waits with
 * it, whatever its time-out. So the sockets of a client are known here, and where a call of it has not returned after
 * CALL_WATCHDOG_US in which brokers answered, they are shut down: librdkafka connects again and looks again. What was
 * asked and not answered then counts as a lost answer (kafka/in_flight_requests.h). A call that does not return even so
 * for CALL_WATCHDOG_END_US is a reason to end the process. A commit is not looked at: it has no time-out, and may wait
 * for its coordinator while other brokers answer (kafka/transaction_setup.h).
 *
 * One list for the process; call_watchdog_check is called by kafka_look, on any thread. A lost connection is no risk to
 * a client, so none is taken by looking at other calls as well. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CALL_WATCHDOG_US = 15000000, CALL_WATCHDOG_END_US = 60000000 }; /* time-outs of calls are 10 s */

/* Plain data, embedded in the client's owner; it must outlive the client. Guarded by the list's mutex. */
struct call_watchdog {
    struct call_watchdog *next;
    const void *opaque; /* of the client's configuration */
    char name[64];      /* in messages */
    int *sockets;
    size_t count, capacity;
    const char *call;   /* the call under way; NULL: none */
    int64_t excused_us; /* steady clock: since then brokers have answered, within this call */
    int64_t shut_us;    /* … the sockets were last shut down; 0: not within this call */
};

/* For the one client that is made of this configuration, whose opaque is `opaque`. */
void call_watchdog_add(struct call_watchdog *watchdog, rd_kafka_conf_t *conf, void *opaque, const char *name);
void call_watchdog_remove(struct call_watchdog *watchdog); /* after the client is destroyed; again: nothing */

/* Around a call of the client; one at a time. */
void call_watchdog_begin(struct call_watchdog *watchdog, const char *call);
void call_watchdog_end(struct call_watchdog *watchdog);

/* up: brokers answer. */
void call_watchdog_check(bool up, int64_t now_us);

/* How long brokers have answered while the longest call under way stands. Any thread. */
int64_t call_watchdog_longest_us(int64_t now_us);
