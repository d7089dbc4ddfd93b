/* The ledger of `scorer audit`: what became of every input offset, and whether the database holds every output record.
 * It knows no server: positions, kinds and digests come in, counts and faults come out.
 *
 * One byte an input offset, eight bytes an output offset, and a few words for what cannot be decided at once (records
 * without a source, records of erased employees). Calls come in this order: input and log of each partition; erased;
 * record (a topic's records in the order of their offsets within a partition); source; match; row; close. Not
 * thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scorer/audit/audit_receipts.h"
#include "scorer/audit/audit_record.h"

/* AUDIT_FAULT(id, "name", "what it means") */
/* clang-format off */
#define AUDIT_FAULT_TABLE(AUDIT_FAULT) \
    AUDIT_FAULT(MISSING, "missing", "an input offset without an end") \
    AUDIT_FAULT(DUPLICATE, "duplicate", "an input offset with a second end or alert") \
    AUDIT_FAULT(DISORDER, "out_of_order", "a record after a later one of the same input partition") \
    AUDIT_FAULT(UNEXPLAINED, "unexplained", "a record that stands for no input record") \
    AUDIT_FAULT(ROW_MISSING, "row_missing", "an output record without its row") \
    AUDIT_FAULT(ROW_DUPLICATE, "row_duplicate", "an output record with a second row") \
    AUDIT_FAULT(ROW_ALTERED, "row_altered", "a row that differs from its record") \
    AUDIT_FAULT(ROW_UNEXPLAINED, "row_unexplained", "a row without a record") \
    AUDIT_FAULT(EVIDENCE_CHAIN, "evidence_chain", "links of evidence that do not follow each other") \
    AUDIT_FAULT(EVIDENCE_MISSING, "evidence_missing", "a link of evidence without its row") \
    AUDIT_FAULT(EVIDENCE_ALTERED, "evidence_altered", "a row that is not what its link was made of") \
    AUDIT_FAULT(EVIDENCE_DUPLICATE, "evidence_duplicate", "a second row of a link, or a row of one that was removed") \
    AUDIT_FAULT(EVIDENCE_UNKNOWN, "evidence_unknown", "a row that is no link of the chain") \
    AUDIT_FAULT(STATE_POSITION, "state_position", "a current record that is none, or not of its position") \
    AUDIT_FAULT(STATE_PREDICTION, "state_prediction", "a current record whose last prediction is not the output's") \
    AUDIT_FAULT(STATE_STALE, "state_stale", "a current record of who was erased or has left, or older than an output")
/* clang-format on */

enum audit_fault_kind {
#define AUDIT_FAULT_ID(id, ...) AUDIT_FAULT_##id,
    AUDIT_FAULT_TABLE(AUDIT_FAULT_ID)
#undef AUDIT_FAULT_ID
        AUDIT_FAULT_COUNT
};

extern const char *const audit_fault_names[AUDIT_FAULT_COUNT];
extern const char *const audit_end_names[AUDIT_END_COUNT];

/* Where a fault is. Plain data. `detail` says more, for people. */
struct audit_fault {
    enum audit_fault_kind kind;
    const char *topic; /* borrowed from the names given to audit_ledger_new */
    int32_t partition;
    int64_t offset;
    char detail[160];
};

enum { AUDIT_FAULTS_KEPT = 50 }; /* of each kind; all are counted */

/* What is no fault of the scorer. Plain data. */
struct audit_rules {
    bool exactly_once;       /* else a second end is a repeat, not a fault */
    bool null_value_ignored; /* NULL_VALUE=ignore: a null value needs no end */
    bool database;           /* rows will be added */
};

/* Names of the topics, for places; borrowed. */
struct audit_names {
    const char *input, *topics[SINK_TOPIC_COUNT]; /* that of alerts: NULL: there are none */
};

/* One input partition: what is asked and what was found. Plain data. */
struct audit_input {
    int64_t low, high;  /* of the log */
    int64_t committed;  /* of the group; -1: none */
    int64_t start, end; /* what is audited: [start, end) */
    uint64_t records, nulls;
    uint64_t ends[AUDIT_END_COUNT]; /* offsets by their first end; those of rows alone too; those with an alert */
    uint64_t by_key;                /* of these: matched by key or value, for want of a source position */
    uint64_t by_row;                /* of these: only the database holds it, the record was deleted */
    uint64_t repeats;               /* second ends under at-least-once */
    uint64_t ignored;               /* null values by the rules, and what reports no change: without an end */
    uint64_t deleted;               /* without an end that is left: retention or compaction took it */
    uint64_t compacted;             /* ends of input records that compaction removed */
    uint64_t faults[AUDIT_FAULT_COUNT];
};

/* One partition of an output topic. Plain data. */
struct audit_log {
    int64_t low, end; /* records of [low, end) are added */
    int64_t stored;   /* rows up to here are expected; -1: none are */
    uint64_t records;
    uint64_t http;        /* no stream end */
    uint64_t other_input; /* of another input topic */
    uint64_t rows;        /* rows of records */
    uint64_t refused;     /* records kept in dead_letters, stage sink */
    uint64_t erased;      /* records whose row an erasure removed or made anonymous */
    uint64_t rows_older;  /* rows whose record was deleted by retention or compaction */
    uint64_t waiting;     /* records not stored yet */
    uint64_t faults[AUDIT_FAULT_COUNT];
};

struct audit_ledger;

struct audit_ledger *audit_ledger_new(const struct audit_rules *rules, const struct audit_names *names);
/* Borrowed, and before anything is added. */
void audit_ledger_use_receipts(struct audit_ledger *ledger, struct audit_receipts *receipts);
void audit_ledger_free(struct audit_ledger *ledger);

/* Partitions are added in the order of their numbers, from 0. `compacted`: the topic's cleanup.policy has compact. */
void audit_ledger_add_input(struct audit_ledger *ledger, const struct audit_input *input, bool compacted);
void audit_ledger_add_log(struct audit_ledger *ledger, enum sink_topic topic, const struct audit_log *log,
                          bool compacted);

/* An erasure that the database has done: rows of this employee (a hash) from before it may be gone. */
void audit_ledger_erased(struct audit_ledger *ledger, uint64_t employee, int32_t partition, int64_t offset);

void audit_ledger_record(struct audit_ledger *ledger, const struct audit_record *record);

/* An input record, maybe reported before or after this, that reports no change of an employee: it needs no end. */
void audit_ledger_ignored(struct audit_ledger *ledger, int32_t partition, int64_t offset);

/* An input record within its partition's window. */
void audit_ledger_source(struct audit_ledger *ledger, int32_t partition, int64_t offset, struct span key,
                         struct span value);

/* Pairs records without a source with input offsets without an end, in order. */
void audit_ledger_match(struct audit_ledger *ledger);

/* A row. Plain data. */
struct audit_row {
    enum sink_topic topic; /* whose record it stands for */
    int32_t partition;
    int64_t offset;
    enum audit_end end;
    int64_t source_partition, source_offset; /* -1: it has none */
    uint64_t digest;
    bool refused;   /* of dead_letters, stage sink */
    bool anonymous; /* without an employee */
};
void audit_ledger_row(struct audit_ledger *ledger, const struct audit_row *row);

/* A fault that audit_state.h or audit_hash_chain.h has found; `topic` is borrowed. */
void audit_ledger_state_fault(struct audit_ledger *ledger, enum audit_fault_kind kind, const char *topic,
                              int32_t partition, int64_t offset, const char *detail);

/* Some output may have been deleted by Kafka. */
bool audit_ledger_lacks_outputs(const struct audit_ledger *ledger);

/* Finds what is missing. Afterwards the results below stand. */
void audit_ledger_close(struct audit_ledger *ledger);

size_t audit_ledger_inputs(const struct audit_ledger *ledger, const struct audit_input **out);
size_t audit_ledger_logs(const struct audit_ledger *ledger, enum sink_topic topic, const struct audit_log **out);
uint64_t audit_ledger_faults(const struct audit_ledger *ledger, enum audit_fault_kind kind); /* all of them */
size_t audit_ledger_places(const struct audit_ledger *ledger, const struct audit_fault **out);
bool audit_ledger_is_clean(const struct audit_ledger *ledger);
