/* An output record as the audit sees it, and the hash by which it is compared. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scorer/sink/sink_record.h"

enum audit_end {
    AUDIT_PREDICTION,
    AUDIT_DEAD_LETTER,
    AUDIT_ERASURE,
    AUDIT_OUTCOME,
    AUDIT_ALERT, /* no end of its event, but beside that event's prediction */
    AUDIT_END_COUNT
};

enum audit_source {
    AUDIT_SOURCE_KNOWN,
    AUDIT_SOURCE_UNKNOWN, /* looked for by `match` */
    AUDIT_SOURCE_HTTP,
    AUDIT_SOURCE_OTHER, /* another input topic's */
    AUDIT_SOURCE_NONE,  /* none, and it should have one: a fault */
};

/* An output record. Plain data. */
struct audit_record {
    enum sink_topic topic;
    int32_t partition;
    int64_t offset;
    enum audit_end end;
    enum audit_source source;
    int32_t source_partition; /* where it is known */
    int64_t source_offset;
    uint64_t match;         /* hash of the key (erasure) or value (outcome), where the source is unknown */
    uint64_t employee;      /* hash; 0: nobody */
    uint64_t digest;        /* of the row it should have; unused where refused */
    bool refused;           /* it becomes no row, but a dead letter of stage sink */
    int64_t occurred_at_ms; /* of predictions and outcomes */
    uint64_t said;          /* of predictions: audit_said */
};

/* FNV-1a with its high bits mixed; never 0. Goes on from `seed` (0: a new one). */
uint64_t audit_hash(uint64_t seed, struct span bytes);
/* What a prediction says. */
uint64_t audit_said(double probability, double margin, double threshold, struct span model_version);
