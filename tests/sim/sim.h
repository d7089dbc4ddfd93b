/* The simulation's own parts: virtual time with coroutines, one random source, a trace, a broker and a database.
 *
 * One run is one seed in one forked process, on one thread. Simulated processes are coroutines that run the real
 * score_loop_run and sink_run; wherever these would wait, the fake library functions go back to the scheduler. Every
 * choice is drawn from the seed, so the same seed gives the same trace. See README.md. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { US = 1, MS = 1000, SECOND = 1000000 };
#define OLDEST_MS INT64_C(1790000000000) /* before it, records are too old for the topics that keep their time */

/* --- chance --- */

uint64_t chance_next(void);
int64_t chance_between(int64_t low, int64_t high); /* both included */
bool chance_one_in(int64_t n);                     /* 0: never */

/* --- trace and result --- */

void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t trace_hash(void);
/* The run has broken an invariant: says so and ends it. */
void violation(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* The simulation itself was asked for what it does not model. */
void unmodelled(const char *what) __attribute__((noreturn));

/* --- scheduler --- */

struct proc;
struct task;

int64_t sim_now(void); /* virtual microseconds since the run's start */
void sim_at(int64_t at_us, void (*run)(void *context, int64_t number), void *context, int64_t number);
struct task *task_start(struct proc *proc, const char *name, void (*body)(struct proc *proc));
/* A second coroutine of the current process. */
struct task *task_start_side(const char *name, void (*side)(void *context), void *context);
struct task *task_current(void);
void task_park(void); /* until task_wake */
void task_wake(struct task *task);
struct proc *proc_current(void); /* whose coroutine runs; NULL: an event */
void sim_sleep(int64_t us);
/* Sleeps until deadline_us or until something has happened (sim_news). */
void sim_wait(int64_t deadline_us);
void sim_news(void);
/* A place where a process may be killed, frozen or overtaken by others. */
void sim_point(const char *name);
void sim_run(int64_t until_us, bool (*done)(void));

/* A simulated process: scorer or sink, of one incarnation. */
struct proc {
    int slot, incarnation;
    bool sink;
    bool dead;    /* killed: never runs again */
    bool ended;   /* its run function has returned */
    bool gone;    /* the kill's or the end's consequences are done */
    bool vouched; /* its group has called it a member since it last initialised a producer */
    int64_t frozen_until_us;
    int64_t kill_after; /* so many points from now; 0: not */
    int64_t freeze_us;  /* for so long, in the middle of the next work; 0: not */
    int producers;      /* with an identity, opened so far */
    int64_t looked_us;  /* when the group last listed its members, since a producer was opened; 0: not */
    int64_t knew_us;    /* … before the present one was */
    int64_t asked_us;   /* … ever */
    void *run;          /* of world.c */
};
void proc_kill(struct proc *proc);
void proc_frozen(struct proc *proc, int64_t us); /* of world.c */

/* --- broker --- */

enum { PARTITIONS_MOST = 8, TOPICS = 6, NOTE_BYTES = 100 };
enum topic_id { INPUT, OUTPUT, DEAD, OUTCOME, ALERT, STATE };
enum { SUNK = STATE };                 /* the sink reads from OUTPUT on, up to here */
enum { NO_EVENT = -1, OF_STATE = -2 }; /* a record's `input`: of no event; a current record or a position */

enum txn_state { TXN_OPEN, TXN_PREPARED, TXN_SKIPPED, TXN_COMMITTED, TXN_ABORTED };
struct txn;

struct record {
    int64_t offset;
    bool control;
    struct txn *txn;   /* NULL: none */
    void *key, *value; /* NULL: null */
    size_t key_bytes, value_bytes;
    rd_kafka_headers_t *headers; /* NULL: none */
    int64_t timestamp_ms;
    enum topic_id topic;
    int32_t partition;
    int64_t input; /* the event: its number; of an end: the event's that it is the end of; else NO_EVENT, OF_STATE */
    int stored;    /* rows in the database */
};

struct log {
    struct record **records; /* by offset */
    int64_t start, end, capacity;
    int64_t appended_us;
    int64_t stable; /* everything before it is committed or aborted */
};

struct topic {
    const char *name;
    int partitions;
    bool added[PARTITIONS_MOST]; /* after the group began */
    struct log logs[PARTITIONS_MOST];
};
extern struct topic topics[TOPICS];

/* One event of the input. */
struct input_event {
    int32_t partition;
    int64_t offset;
    int employee;  /* -1: none */
    int ends;      /* committed ends */
    int alerts;    /* committed alerts: beside its end */
    int large;     /* too large for the output topic (1), for the dead letters' too with its value (2) */
    bool old;      /* its time is too long ago for the topics that keep it */
    bool optional; /* from before a group that starts at the end began: may have no end */
};
extern struct input_event *inputs;
extern int64_t input_count;

struct txn_part {
    enum topic_id topic;
    int32_t partition;
};
struct txn_offset {
    int32_t partition;
    int64_t offset;
    char note[NOTE_BYTES];
};
struct txn {
    enum txn_state state;
    bool commit;
    bool by_others;  /* its end was not asked for by its own process */
    bool hidden;     /* its markers are skipped, and another's transaction is open before its records */
    int incarnation; /* of its process */
    int64_t started_us, number;
    struct txn_part parts[TOPICS * PARTITIONS_MOST];
    int part_count;
    struct txn_offset offsets[PARTITIONS_MOST];
    int offset_count;
    struct record **records;
    int64_t record_count, record_capacity;
};

/* A transactional id. */
struct coordinator {
    char id[200];
    int epoch;
    struct txn *current;   /* open or prepared */
    struct txn *left[256]; /* called ended, their markers skipped */
    int left_count;
    bool any_ended, last_commit;
    int64_t timeout_us;
    struct proc *newest; /* that initialised it last */
    int64_t newest_us;
    int aborts; /* in a row */
    int64_t aborts_since_us;
};

bool broker_up(void);
void broker_down_until(int64_t us);
void trouble_broker(void);                  /* of world.c: it is unavailable from now on, for a while */
struct topic *topic_find(const char *name); /* NULL: none */
/* The last stable offset. */
int64_t log_stable_end(const struct log *log);
struct record *broker_append(struct txn *txn, enum topic_id topic, int32_t partition, struct record *record);
struct coordinator *coordinator_find(const char *transactional_id);
rd_kafka_resp_err_t broker_init(struct coordinator *coordinator, int *epoch, int64_t timeout_us);
rd_kafka_resp_err_t broker_add_partition(struct coordinator *coordinator, int epoch, enum topic_id topic,
                                         int32_t partition);
/* For what is in the record itself; its whole batch is refused with it. */
rd_kafka_resp_err_t broker_refuses(enum topic_id topic, const struct record *record);
rd_kafka_resp_err_t broker_produce(struct coordinator *coordinator, int epoch, enum topic_id topic, int32_t partition,
                                   struct record *record);
rd_kafka_resp_err_t broker_end(struct coordinator *coordinator, int epoch, bool commit);

/* The consumer groups: 0 score, 1 sink. */
struct member;
struct group {
    char name[100];
    int generation;
    bool rebalancing, started;
    int64_t join_deadline_us;
    struct member *members[16];
    int member_count;
    int64_t committed[TOPICS][PARTITIONS_MOST];      /* -1: none */
    char notes[TOPICS][PARTITIONS_MOST][NOTE_BYTES]; /* the offsets' metadata */
    int round;
};
struct member {
    struct group *group;
    char id[24], instance[200];
    rd_kafka_t *client;
    struct proc *proc;
    bool subscribed[TOPICS];
    bool owns[TOPICS][PARTITIONS_MOST];         /* by the group's last assignment */
    bool must_revoke, must_assign, has, joined; /* has: the client was given its share */
    bool kicked, fenced;
    bool left;  /* its client is closed; a static member keeps its place until its session runs out */
    bool again; /* has asked to join once more, and gets what it had */
    int generation;
    int64_t rejoin_at_us, joined_us;
};
struct group *group_find(const char *name);
struct member *group_join(struct group *group, rd_kafka_t *client, const char *instance, const bool *subscribed);
void group_rejoin(struct member *member);  /* it has subscribed again */
void group_revoked(struct member *member); /* it has given its partitions back */
void group_leave(struct member *member, bool for_good);
void group_lose(struct member *member); /* its process is gone or frozen: the session runs out */
rd_kafka_resp_err_t group_check(const struct member *member, int generation);
rd_kafka_resp_err_t broker_send_offsets(struct coordinator *coordinator, int epoch, struct member *member,
                                        int generation, const struct txn_offset *offsets, int count);
void group_commit(struct group *group, enum topic_id topic, int32_t partition, int64_t offset, const char *note);
bool group_unstable(const struct group *group, enum topic_id topic, int32_t partition); /* a commit is pending */
void groups_partition_added(void);
extern int groups_coordinator_term; /* from 1; more: it has moved */

/* --- plan: what a seed has in store; 0: never --- */

struct plan {
    int partitions, output_partitions, scorers, sinks, events, employees;
    bool latest, registry;
    bool state;        /* current records are kept */
    bool snapshots;    /* … and local snapshots of them */
    int64_t length_us; /* of the troubled part */
    int64_t kill_every_us, freeze_every_us, broker_every_us, database_every_us, grow_every_us, trim_every_us,
        rollback_every_us;
    int cut_one_in;            /* a transactional request's connection is lost */
    int skip_one_in;           /* an abort's markers are skipped where the broker is unavailable */
    int skip_some_one_in;      /* … or of some partitions, whose leaders are */
    bool skip_commits;         /* those of commits as well */
    bool says_unstable;        /* look-ups of offsets that wait for a marker end with that, not with a time-out */
    int late_one_in;           /* … and the lost request arrives later, once more */
    int refuse_one_in;         /* a produced record is refused for a passing reason */
    int database_cut_one_in;   /* a statement's connection is lost */
    int database_fault_one_in; /* a statement fails with a code of the server's */
    int bad_one_in, erase_one_in, outcome_one_in, large_one_in, old_one_in, poison_one_in, marker_one_in;
    int slow_one_in;
    int stall_one_in;        /* the broker becomes unavailable just before a transactional request */
    int64_t answer_us;       /* an answer to a transactional request comes at the latest after it */
    int64_t transaction_us;  /* how long a transaction may be open; 0: as the client asks */
    const char *poison_code; /* SQLSTATE of a row that cannot be stored */
    bool replace;            /* a frozen process is replaced while it is frozen */
};
extern struct plan plan;
extern bool calm; /* no more trouble: only waiting for the end */

/* --- audit --- */

void audit_committed(struct txn *txn); /* its outputs are visible from now on */
void audit_visible(const struct record *record);
bool audit_is_control(const struct record *record); /* of no event, and right so */
void audit_undone(const struct record *record, bool by_itself, bool with_offsets);
void audit_offset(int32_t partition, int64_t before, int64_t now);
void audit_assigned(int32_t partition); /* a member reads this input partition */
void audit_producer(void);              /* a process opens a producer with an identity */
void audit_init(struct coordinator *coordinator);
void audit_abort(struct coordinator *coordinator);
bool audit_counts(const struct record *record); /* it is committed data, not a marker or of aborted work */
void audit_end(void);
bool audit_group_began(void);
int64_t audit_waits_at(int32_t partition); /* the first event that has no end yet; -1: none */
const char *audit_missing(void);           /* NULL: everything has come to its end */

/* --- database --- */

void database_cut(struct proc *proc); /* its connections are gone */
void database_down_until(int64_t us);
/* sink_offsets */
struct offset_row {
    int64_t next, last, digest; /* next -1: there is none */
};
int64_t database_offset(enum topic_id topic, int32_t partition); /* -1: none */
void database_remember(void);
void database_fail_over(void); /* back to what was remembered, all connections lost */
struct row {
    char table[24];
    enum topic_id topic;
    int32_t partition;
    int64_t offset;
};
int64_t database_rows(const struct row **out);
