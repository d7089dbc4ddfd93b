/* Every counter of the daemon in one table: the struct, /metrics and docs/METRICS.md come from it.
 *
 * Each loop owns one `struct counters` and alone writes it (relaxed atomics); readers add up all loops'.
 * Identities, checked by tests and shown in /health:
 *
 *   events_received = events_scored + events_dead_lettered + events_erased + events_outcome
 *                     + events_returned + in flight
 *
 *   sink_records = sink_predictions + sink_dead_letters + sink_erasures + sink_outcomes
 *                  + sink_refused + sink_skipped + in flight
 *
 * An end (scored, dead-lettered, erased, outcome) is counted when its transaction has committed; work of an aborted
 * transaction and of revoked partitions is `returned`: it will be received again.
 *
 * COUNTER(id, "prometheus name", "help") ; GAUGE the same. */
#ifndef SCORER_METRICS_H
#define SCORER_METRICS_H

/* clang-format off */
#define COUNTER_TABLE(COUNTER, GAUGE) \
    COUNTER(EVENTS_RECEIVED, "attrition_events_received_total", "Messages taken from the input topic.") \
    COUNTER(EVENTS_SCORED, "attrition_events_scored_total", "Events whose prediction is committed.") \
    COUNTER(EVENTS_DEAD_LETTERED, "attrition_events_dead_lettered_total", "Events whose dead letter is committed.") \
    COUNTER(EVENTS_ERASED, "attrition_events_erased_total", "Null values forwarded to the output topic.") \
    COUNTER(EVENTS_OUTCOME, "attrition_events_outcome_total", "Terminations forwarded to the outcome topic.") \
    COUNTER(EVENTS_RETURNED, "attrition_events_returned_total", "Messages given back by aborted transactions and revoked partitions; they are received again.") \
    COUNTER(VALUES_IMPUTED, "attrition_values_imputed_total", "Values of streamed events taken for missing by their column's policy, when judged; what is received again counts again.") \
    COUNTER(TRANSACTIONS_COMMITTED, "attrition_transactions_committed_total", "Kafka transactions (or offset commits) that succeeded.") \
    COUNTER(TRANSACTIONS_ABORTED, "attrition_transactions_aborted_total", "Kafka transactions that were aborted.") \
    COUNTER(OUTPUT_BYTES, "attrition_output_bytes_total", "Bytes of values produced.") \
    COUNTER(MODEL_LOADS, "attrition_model_loads_total", "Models loaded and put to use.") \
    COUNTER(MODEL_LOAD_FAILURES, "attrition_model_load_failures_total", "Loads that failed; the model before stayed in use.") \
    COUNTER(SINK_RECORDS, "attrition_sink_records_total", "Records read by the sink.") \
    COUNTER(SINK_PREDICTIONS, "attrition_sink_predictions_total", "Rows committed to predictions.") \
    COUNTER(SINK_DEAD_LETTERS, "attrition_sink_dead_letters_total", "Rows committed to dead_letters from the dead-letter topic.") \
    COUNTER(SINK_ERASURES, "attrition_sink_erasures_total", "Rows committed to erasures.") \
    COUNTER(SINK_OUTCOMES, "attrition_sink_outcomes_total", "Rows committed to outcomes.") \
    COUNTER(SINK_REFUSED, "attrition_sink_refused_total", "Records that could not become their row (unreadable, or refused by PostgreSQL): kept in dead_letters with stage sink.") \
    COUNTER(SINK_SKIPPED, "attrition_sink_skipped_total", "Records handled before (below the stored offset) or given back on revocation.") \
    COUNTER(SINK_TRANSACTIONS, "attrition_sink_transactions_total", "PostgreSQL transactions committed.") \
    COUNTER(SINK_RETRIES, "attrition_sink_retries_total", "Times the sink waited for PostgreSQL and tried again.") \
    GAUGE(EVENTS_IN_FLIGHT, "attrition_events_in_flight", "Messages taken and not yet at their end.") \
    GAUGE(EVENTS_LAG, "attrition_events_lag", "Messages of the assigned input partitions not yet taken, as last fetched, and of new partitions that nobody has been given yet.") \
    GAUGE(SINK_LAG, "attrition_sink_lag", "Offsets of the sink's partitions not yet stored, as last fetched (commit markers take offsets too), and of new partitions that nobody has been given yet.") \
    GAUGE(SINK_IN_FLIGHT, "attrition_sink_in_flight", "Records read and not yet committed to PostgreSQL.") \
    GAUGE(PARTITIONS_ASSIGNED, "attrition_partitions_assigned", "Input partitions assigned to this process.") \
    GAUGE(SINK_PARTITIONS_ASSIGNED, "attrition_sink_partitions_assigned", "Partitions assigned to this process's sink.") \
    GAUGE(PARTITIONS_WAITING, "attrition_partitions_waiting", "Input partitions that wait for the schema registry.") \
    GAUGE(POSTGRESQL_UP, "attrition_postgresql_up", "1 when the sink's last exchange with PostgreSQL succeeded.") \
    GAUGE(KAFKA_UP, "attrition_kafka_up", "1 when a broker answered lately.") \
    GAUGE(RESIDENT_BYTES, "attrition_resident_memory_bytes", "Memory of the process that is resident, in bytes; --memory-limit bounds it.")
/* clang-format on */

#endif
