/* Every metric in one table: /metrics, the lists of /health, docs/METRICS.md and the storage in counters.h come from
 * it, in its order.
 *
 * COUNTER and GAUGE are kept by the loops, each in a `struct counters` of its own (counters.h): (id, "name", "place in
 * /health" or "", "help"). COMPUTED has its value from elsewhere, by a function of scorer/http/metrics_values.c: (id,
 * "name", "type", "labels", "help", "what docs/METRICS.md adds").
 *
 * Identities of the counters, checked by tests and shown in /health:
 *
 *   events_received = events_scored + events_dead_lettered + events_erased + events_outcome
 *                     + events_ignored + events_repeated + events_returned + in flight
 *
 *   sink_records = sink_predictions + sink_dead_letters + sink_erasures + sink_outcomes
 *                  + sink_alerts + sink_refused + sink_skipped + in flight
 *
 * An end (scored, dead-lettered, erased, outcome, ignored, repeated) is counted when its transaction has committed;
 * what an aborted transaction and revoked partitions had is `returned`: it will be received again. */
#pragma once

#include "base/bytes.h"

/* clang-format off */
#define METRIC_TABLE(COUNTER, GAUGE, COMPUTED) \
    COUNTER(EVENTS_RECEIVED, "attrition_events_received_total", "events.received", "Messages taken from the input topic.") \
    COUNTER(EVENTS_SCORED, "attrition_events_scored_total", "events.scored", "Events whose prediction is committed.") \
    COUNTER(EVENTS_DEAD_LETTERED, "attrition_events_dead_lettered_total", "events.dead_lettered", "Events whose dead letter is committed.") \
    COUNTER(EVENTS_ERASED, "attrition_events_erased_total", "events.erased", "Null values forwarded to the output topic.") \
    COUNTER(EVENTS_OUTCOME, "attrition_events_outcome_total", "events.outcome", "Terminations forwarded to the outcome topic.") \
    COUNTER(EVENTS_IGNORED, "attrition_events_ignored_total", "events.ignored", "Records that report no change of an employee: null values with NULL_VALUE=ignore, truncations and messages of Debezium, and rescores of whoever is gone.") \
    COUNTER(EVENTS_RETURNED, "attrition_events_returned_total", "events.returned", "Messages rolled back by aborted transactions and revoked partitions; they are received again.") \
    COUNTER(EVENTS_REPEATED, "attrition_events_repeated_total", "events.repeated", "Events whose result an earlier process has written already (at least once, with current records): passed over.") \
    COUNTER(VALUES_IMPUTED, "attrition_values_imputed_total", "", "Values of streamed events taken for missing by their column's policy, when validated; what is received again counts again.") \
    COUNTER(EVENTS_UNEXPLAINED, "attrition_events_unexplained_total", "", "Predictions of the stream that --reasons-for leaves without reasons, when scored; what is received again counts again.") \
    COUNTER(TRANSACTIONS_COMMITTED, "attrition_transactions_committed_total", "", "Kafka transactions (or offset commits) that succeeded.") \
    COUNTER(TRANSACTIONS_ABORTED, "attrition_transactions_aborted_total", "", "Kafka transactions that were aborted.") \
    COUNTER(OUTPUT_BYTES, "attrition_output_bytes_total", "", "Bytes of values produced.") \
    COUNTER(MODEL_LOADS, "attrition_model_loads_total", "", "Models loaded and put to use.") \
    COUNTER(MODEL_LOAD_FAILURES, "attrition_model_load_failures_total", "", "Loads that failed; the model before stayed in use.") \
    COUNTER(SINK_RECORDS, "attrition_sink_records_total", "sink.records", "Records read by the sink.") \
    COUNTER(SINK_PREDICTIONS, "attrition_sink_predictions_total", "sink.predictions", "Rows committed to predictions.") \
    COUNTER(SINK_DEAD_LETTERS, "attrition_sink_dead_letters_total", "sink.dead_letters", "Rows committed to dead_letters from the dead-letter topic.") \
    COUNTER(SINK_ERASURES, "attrition_sink_erasures_total", "sink.erasures", "Rows committed to erasures.") \
    COUNTER(SINK_OUTCOMES, "attrition_sink_outcomes_total", "sink.outcomes", "Rows committed to outcomes.") \
    COUNTER(SINK_ALERTS, "attrition_sink_alerts_total", "sink.alerts", "Rows committed to alerts.") \
    COUNTER(SINK_REFUSED, "attrition_sink_refused_total", "sink.refused", "Records that could not become their row (unreadable, or refused by PostgreSQL): kept in dead_letters with stage sink.") \
    COUNTER(SINK_SKIPPED, "attrition_sink_skipped_total", "sink.skipped", "Records handled before (below the stored offset) or rolled back on revocation.") \
    COUNTER(SINK_TRANSACTIONS, "attrition_sink_transactions_total", "", "PostgreSQL transactions committed.") \
    COUNTER(SINK_RETRIES, "attrition_sink_retries_total", "", "Times the sink waited for PostgreSQL and tried again.") \
    COUNTER(STATE_RESTORED, "attrition_state_restore_records_total", "", "Records read from the state topic when partitions were assigned.") \
    COUNTER(SNAPSHOT_RECORDS, "attrition_state_snapshot_records_total", "", "Current records taken from local snapshots when partitions were assigned.") \
    COUNTER(SNAPSHOTS_WRITTEN, "attrition_state_snapshots_written_total", "", "Local snapshots of a partition's current records that were written.") \
    COUNTER(SNAPSHOTS_FAILED, "attrition_state_snapshots_failed_total", "", "Local snapshots that could not be written; the log says why.") \
    COUNTER(SNAPSHOTS_DISCARDED, "attrition_state_snapshots_discarded_total", "", "Local snapshots that were not used; the log says why. Their partitions were read from the state topic.") \
    GAUGE(STATE_RESTORING, "attrition_state_restore_partitions", "", "Input partitions that wait until their current records are read.") \
    GAUGE(STATE_EMPLOYEES, "attrition_state_employees", "", "Current records in memory, of employees who have left too.") \
    GAUGE(STATE_BYTES, "attrition_state_memory_bytes", "", "Memory that they take.") \
    GAUGE(EVENTS_IN_FLIGHT, "attrition_events_in_flight", "events.in_flight", "Messages taken and not yet at their end.") \
    GAUGE(EVENTS_LAG, "attrition_events_lag", "events.lag", "Messages of the assigned input partitions not yet taken, as last fetched, and of new partitions that are not assigned yet.") \
    GAUGE(SINK_LAG, "attrition_sink_lag", "", "Offsets of the sink's partitions not yet stored, as last fetched (commit markers take offsets too), and of new partitions that are not assigned yet.") \
    GAUGE(SINK_IN_FLIGHT, "attrition_sink_in_flight", "sink.in_flight", "Records read and not yet committed to PostgreSQL.") \
    GAUGE(PARTITIONS_ASSIGNED, "attrition_partitions_assigned", "", "Input partitions assigned to this process.") \
    GAUGE(SINK_PARTITIONS_ASSIGNED, "attrition_sink_partitions_assigned", "", "Partitions assigned to this process's sink.") \
    GAUGE(PARTITIONS_WAITING, "attrition_partitions_waiting", "", "Input partitions that wait for the schema registry, for the end of an open transaction, or, after the input has grown, for their current records to be moved.") \
    GAUGE(POSTGRESQL_UP, "attrition_postgresql_up", "", "1 when the sink's last exchange with PostgreSQL succeeded.") \
    GAUGE(PERFORMANCE_CONTRADICTED, "attrition_performance_contradicted", "", "Model versions of which the newest month that could be checked came out otherwise than expected (view expected_against_realised); looked up by the sink once an hour, when it stores rows.") \
    GAUGE(KAFKA_UP, "attrition_kafka_up", "", "1 when a broker answered lately.") \
    GAUGE(RESIDENT_BYTES, "attrition_resident_memory_bytes", "", "Memory of the process that is resident, in bytes; --memory-limit bounds it.") \
    COMPUTED(DEAD_LETTERS, "attrition_dead_letters_total", "counter", "code", "Committed dead letters by code.", "The codes: ERRORS.md.") \
    COMPUTED(ALERTS, "attrition_alerts_total", "counter", "kind", "Committed alerts by kind.", "FIRST, CROSSED_UP, CROSSED_DOWN, MOVED: ALERTS.md.") \
    COMPUTED(LATENCY, "attrition_latency_seconds", "histogram", "", "From leaving the Kafka client's queue to being scored.", "") \
    COMPUTED(BUILD_INFO, "attrition_build_info", "gauge", "version", "This program.", "Always 1.") \
    COMPUTED(LOOP_WAITING, "attrition_loop_waiting", "gauge", "loop,for", "1 for what the loop waits for.", "Loops: score-0, …, sink. For: nothing, kafka, postgresql, schema-registry, state-repartition, memory or open-transaction.") \
    COMPUTED(LOOP_STALLED, "attrition_loop_stalled_seconds", "gauge", "loop", "How long it has had work and committed nothing.", "0 while it waits for PostgreSQL or the schema registry.") \
    COMPUTED(CERTIFICATE_EXPIRY, "attrition_certificate_expiry_seconds", "gauge", "setting", "Time until the certificate in the file that this setting names expires; negative: it has.", "Of several in a file the first that has no successor; read at start, once a day and on SIGHUP. Settings: SECURITY.md.") \
    COMPUTED(MODEL_INFO, "attrition_model_info", "gauge", "name,version,alias", "The model in use.", "Always 1.") \
    COMPUTED(MODEL_LOADED, "attrition_model_loaded_timestamp_seconds", "gauge", "", "When the model in use was loaded.", "") \
    COMPUTED(MODEL_PROBLEM, "attrition_model_problem", "gauge", "", "1 while the latest look-up or load of the model fails.", "") \
    COMPUTED(CHALLENGER_UP, "attrition_challenger_up", "gauge", "uri,model", "1 while the challenger of this URI has a model and no problem.", "") \
    COMPUTED(CHALLENGER_SCORED, "attrition_challenger_scored_total", "counter", "uri,model", "Rows scored by the challenger's version.", "") \
    COMPUTED(CHALLENGER_AGREED, "attrition_challenger_agreed_total", "counter", "uri,model", "Rows where it gives the answer of the model in use.", "") \
    COMPUTED(CHALLENGER_DIFFERENCE, "attrition_challenger_difference_sum", "gauge", "uri,model", "Sum of its probability minus that of the model in use.", "") \
    COMPUTED(CHALLENGER_MAGNITUDE, "attrition_challenger_absolute_difference_sum", "counter", "uri,model", "Sum of the differences' magnitudes.", "") \
    COMPUTED(HTTP_REQUESTS, "attrition_http_requests_total", "counter", "route,status", "Requests by route and status; status 0: the client went away.", "") \
    COMPUTED(HTTP_DURATION, "attrition_http_request_seconds", "histogram", "", "From a request's headers to its answer being sent.", "") \
    COMPUTED(HTTP_IN_FLIGHT, "attrition_http_in_flight", "gauge", "", "Requests being read, answered or waiting for Kafka.", "") \
    COMPUTED(HTTP_EVENTS, "attrition_http_events_total", "counter", "result", "Valid events of POST /events by what became of them.", "Results: committed (202), unwritten and unknown (503).")
/* clang-format on */

enum metric_id {
#define METRIC_ID(id, ...) METRIC_##id,
    METRIC_TABLE(METRIC_ID, METRIC_ID, METRIC_ID)
#undef METRIC_ID
        METRIC_COUNT
};

/* A row. health is "" where it is in none of /health's lists; labels are names with commas between them. */
struct metric {
    const char *name, *type, *labels, *health, *help;
};
extern const struct metric metrics[METRIC_COUNT];

/* Latency histogram bucket bounds in microseconds; the last bucket is +Inf. */
#define LATENCY_BOUNDS_US 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000
enum { LATENCY_BUCKETS = 15 };

/* Prometheus's text format, version 0.0.4: the head of a metric, then its samples. `labels` has a value for each label
 * of the row; NULL where the row has none. */
void metric_write_head(struct buffer *out, enum metric_id id);
void metric_write_uint(struct buffer *out, enum metric_id id, const struct span *labels, uint64_t value);
void metric_write_double(struct buffer *out, enum metric_id id, const struct span *labels, double value);
void metric_write_seconds(struct buffer *out, enum metric_id id, const struct span *labels, int64_t value_us);
/* Head and samples; LATENCY_BUCKETS counts, each of its own bucket alone. */
void metric_write_histogram(struct buffer *out, enum metric_id id, const uint64_t *buckets, uint64_t sum_us);
