/* Printing what the audit found: see audit_print.h. Called by audit.c on the main thread, once, at its end. */
#include "scorer/audit/audit_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json_writer.h"

static uint64_t sum(const uint64_t *numbers, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += numbers[i];
    return total;
}

/* --- for people --- */

static void print_inputs(const struct audit_ledger *ledger, const struct audit_names *names)
{
    const struct audit_input *inputs;
    size_t count = audit_ledger_inputs(ledger, &inputs);
    printf("%s\n  %9s %23s %11s %11s %11s %9s %9s %9s %9s %8s\n", names->input, "partition", "offsets", "records",
           "predictions", "dead letter", "erasures", "outcomes", "alerts", "explained", "faults");
    for (size_t p = 0; p < count; p++) {
        const struct audit_input *input = &inputs[p];
        char offsets[48] = "none committed";
        if (input->committed >= 0)
            snprintf(offsets, sizeof offsets, "%" PRId64 " to %" PRId64, input->start, input->end);
        printf("  %9zu %23s %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
               " %8" PRIu64 "\n",
               p, offsets, input->records, input->ends[AUDIT_PREDICTION], input->ends[AUDIT_DEAD_LETTER],
               input->ends[AUDIT_ERASURE], input->ends[AUDIT_OUTCOME], input->ends[AUDIT_ALERT],
               input->ignored + input->deleted + input->compacted + input->repeats,
               sum(input->faults, AUDIT_FAULT_COUNT));
    }
}

static void print_logs(const struct audit_ledger *ledger, enum sink_topic topic, const char *name)
{
    const struct audit_log *logs;
    size_t count = audit_ledger_logs(ledger, topic, &logs);
    printf("%s\n  %9s %23s %11s %11s %11s %9s %9s %9s %8s\n", name, "partition", "offsets", "stored up to", "records",
           "rows", "refused", "erased", "waiting", "faults");
    for (size_t p = 0; p < count; p++) {
        const struct audit_log *log = &logs[p];
        char offsets[48], stored[24] = "-";
        snprintf(offsets, sizeof offsets, "%" PRId64 " to %" PRId64, log->low, log->end);
        if (log->stored >= 0)
            snprintf(stored, sizeof stored, "%" PRId64, log->stored);
        printf("  %9zu %23s %12s %11" PRIu64 " %11" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8" PRIu64 "\n", p,
               offsets, stored, log->records, log->rows, log->refused, log->erased, log->waiting,
               sum(log->faults, AUDIT_FAULT_COUNT));
    }
}

static void print_state(const struct audit_state *state, const char *name)
{
    const struct audit_state_part *parts;
    size_t count = audit_state_parts(state, &parts);
    printf("%s\n  %9s %23s %11s %11s %9s %9s %9s %9s %8s\n", name, "partition", "offsets", "good for", "records",
           "left", "proven", "unproven", "ahead", "faults");
    for (size_t p = 0; p < count; p++) {
        const struct audit_state_part *part = &parts[p];
        char offsets[48];
        snprintf(offsets, sizeof offsets, "%" PRId64 " to %" PRId64, part->low, part->end);
        printf("  %9zu %23s %11" PRId64 " %11" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8" PRIu64
               "\n",
               p, offsets, part->position, part->records, part->left, part->proven, part->unproven, part->ahead,
               part->faults);
    }
}

static void print_note(uint64_t count, const char *what)
{
    if (count)
        printf("%" PRIu64 " %s\n", count, what);
}

/* What is no fault, by its reason. */
static void print_notes(const struct audit_ledger *ledger)
{
    const struct audit_input *inputs;
    const struct audit_log *logs;
    struct audit_input all = {0};
    struct audit_log other = {0};
    int64_t unhandled = 0, before = 0, ahead = 0;
    size_t count = audit_ledger_inputs(ledger, &inputs);
    for (size_t p = 0; p < count; p++) {
        all.by_key += inputs[p].by_key, all.by_row += inputs[p].by_row, all.repeats += inputs[p].repeats;
        all.ignored += inputs[p].ignored, all.deleted += inputs[p].deleted, all.compacted += inputs[p].compacted;
        before += inputs[p].low;
        if (inputs[p].high > inputs[p].committed)
            ahead += inputs[p].high - (inputs[p].committed > inputs[p].low ? inputs[p].committed : inputs[p].low);
        if (inputs[p].committed >= 0 && inputs[p].committed < inputs[p].low)
            unhandled += inputs[p].low - inputs[p].committed;
    }
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++) {
        count = audit_ledger_logs(ledger, (enum sink_topic)t, &logs);
        for (size_t p = 0; p < count; p++)
            other.http += logs[p].http, other.other_input += logs[p].other_input,
                other.rows_older += logs[p].rows_older;
    }
    print_note((uint64_t)before, "input offsets were deleted by Kafka and cannot be audited");
    print_note((uint64_t)unhandled, "of them before the group had handled them: they are lost to it");
    print_note((uint64_t)ahead, "input offsets lie past what the group has committed: not handled yet, not audited");
    print_note(all.by_key, "ends matched by key or value: their records name no source");
    print_note(all.by_row, "ends known from the database alone: their records were deleted by Kafka");
    print_note(all.deleted, "events without an end that is left: Kafka deleted records that may have been theirs");
    print_note(all.compacted, "ends of input records that compaction removed");
    print_note(
        all.ignored,
        "records ignored (null values with NULL_VALUE=ignore, and what Debezium reports beside changes of rows)");
    print_note(all.repeats, "repeats (DELIVERY=at-least-once)");
    print_note(other.http, "predictions made over HTTP");
    print_note(other.other_input, "records of other input topics");
    print_note(other.rows_older, "rows whose record was deleted by Kafka");
}

static void print_faults(const struct audit_ledger *ledger)
{
    const struct audit_fault *places;
    size_t count = audit_ledger_places(ledger, &places);
    for (enum audit_fault_kind kind = 0; kind < AUDIT_FAULT_COUNT; kind++) {
        uint64_t all = audit_ledger_faults(ledger, kind), shown = 0;
        for (size_t f = 0; f < count; f++) {
            if (places[f].kind != kind)
                continue;
            shown++;
            printf("%s: %s [%" PRId32 "] %" PRId64 ": %s\n", audit_fault_names[kind], places[f].topic,
                   places[f].partition, places[f].offset, places[f].detail);
        }
        if (all > shown)
            printf("%s: and %" PRIu64 " more\n", audit_fault_names[kind], all - shown);
    }
}

void audit_print_table(const struct audit_ledger *ledger, const struct audit_state *state,
                       const struct audit_names *names, const struct audit_rules *rules,
                       const struct audit_hash_chain_report *proof)
{
    uint64_t faults = 0;
    print_inputs(ledger, names);
    for (size_t t = 0; t < SINK_TOPIC_COUNT && names->topics[t]; t++)
        print_logs(ledger, (enum sink_topic)t, names->topics[t]);
    if (state)
        print_state(state, audit_state_topic(state));
    if (rules->database)
        printf("evidence: %" PRIu64 " links, %" PRIu64 " with their rows, %" PRIu64 " erased, %" PRIu64
               " removed by retention\n",
               proof->links, proof->rows, proof->erased, proof->retained);
    print_notes(ledger);
    print_note(proof->older, "rows without evidence: stored before migration 16, or pseudonymised");
    print_faults(ledger);
    for (size_t k = 0; k < AUDIT_FAULT_COUNT; k++)
        faults += audit_ledger_faults(ledger, (enum audit_fault_kind)k);
    if (faults)
        printf("not clean: %" PRIu64 " faults\n", faults);
    else
        printf("clean: every offset has %s end, in order%s\n", rules->exactly_once ? "one" : "at least one",
               rules->database ? "; PostgreSQL holds every stored record once, unaltered"
                               : "; the database was left out");
}

/* --- for programs --- */

static void add_faults(struct json_writer *json, const uint64_t *faults)
{
    json_begin_object(json, "faults");
    for (size_t k = 0; k < AUDIT_FAULT_COUNT; k++)
        json_write_uint(json, audit_fault_names[k], faults[k]);
    json_end_object(json);
}

struct member {
    const char *name;
    int64_t number;
};

static void add_partition(struct json_writer *json, const struct member *members, size_t count, const uint64_t *faults)
{
    json_begin_object(json, NULL);
    for (size_t m = 0; m < count; m++)
        json_write_int(json, members[m].name, members[m].number);
    add_faults(json, faults);
    json_end_object(json);
}

static void add_input(struct json_writer *json, size_t partition, const struct audit_input *input)
{
    const struct member members[] = {
        {"partition", (int64_t)partition},
        {"log_start", input->low},
        {"log_end", input->high},
        {"committed", input->committed},
        {"start", input->start},
        {"end", input->end},
        {"records", (int64_t)input->records},
        {"null_values", (int64_t)input->nulls},
        {"predictions", (int64_t)input->ends[AUDIT_PREDICTION]},
        {"dead_letters", (int64_t)input->ends[AUDIT_DEAD_LETTER]},
        {"erasures", (int64_t)input->ends[AUDIT_ERASURE]},
        {"outcomes", (int64_t)input->ends[AUDIT_OUTCOME]},
        {"alerts", (int64_t)input->ends[AUDIT_ALERT]},
        {"matched_by_key", (int64_t)input->by_key},
        {"known_by_row", (int64_t)input->by_row},
        {"repeats", (int64_t)input->repeats},
        {"ignored", (int64_t)input->ignored},
        {"deleted", (int64_t)input->deleted},
        {"compacted", (int64_t)input->compacted},
    };
    add_partition(json, members, sizeof members / sizeof *members, input->faults);
}

static void add_log(struct json_writer *json, size_t partition, const struct audit_log *log)
{
    const struct member members[] = {
        {"partition", (int64_t)partition},
        {"log_start", log->low},
        {"log_end", log->end},
        {"stored", log->stored},
        {"records", (int64_t)log->records},
        {"http", (int64_t)log->http},
        {"other_input", (int64_t)log->other_input},
        {"rows", (int64_t)log->rows},
        {"refused", (int64_t)log->refused},
        {"erased", (int64_t)log->erased},
        {"rows_older", (int64_t)log->rows_older},
        {"waiting", (int64_t)log->waiting},
    };
    add_partition(json, members, sizeof members / sizeof *members, log->faults);
}

static void add_topics(struct json_writer *json, const struct audit_ledger *ledger, const struct audit_names *names)
{
    const struct audit_input *inputs;
    const struct audit_log *logs;
    size_t count = audit_ledger_inputs(ledger, &inputs);
    json_begin_object(json, "input");
    json_write_string(json, "topic", names->input);
    json_begin_array(json, "partitions");
    for (size_t p = 0; p < count; p++)
        add_input(json, p, &inputs[p]);
    json_end_array(json);
    json_end_object(json);
    json_begin_array(json, "outputs");
    for (size_t t = 0; t < SINK_TOPIC_COUNT && names->topics[t]; t++) {
        json_begin_object(json, NULL);
        json_write_string(json, "topic", names->topics[t]);
        json_begin_array(json, "partitions");
        count = audit_ledger_logs(ledger, (enum sink_topic)t, &logs);
        for (size_t p = 0; p < count; p++)
            add_log(json, p, &logs[p]);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_state(struct json_writer *json, const struct audit_state *state)
{
    const struct audit_state_part *parts;
    size_t count = audit_state_parts(state, &parts);
    json_begin_object(json, "state");
    json_write_string(json, "topic", audit_state_topic(state));
    json_begin_array(json, "partitions");
    for (size_t p = 0; p < count; p++) {
        json_begin_object(json, NULL);
        json_write_int(json, "partition", (int64_t)p);
        json_write_int(json, "log_start", parts[p].low);
        json_write_int(json, "log_end", parts[p].end);
        json_write_int(json, "position", parts[p].position);
        json_write_uint(json, "records", parts[p].records);
        json_write_uint(json, "left", parts[p].left);
        json_write_uint(json, "proven", parts[p].proven);
        json_write_uint(json, "unproven", parts[p].unproven);
        json_write_uint(json, "ahead", parts[p].ahead);
        json_write_uint(json, "faults", parts[p].faults);
        json_end_object(json);
    }
    json_end_array(json);
    json_end_object(json);
}

static void add_evidence(struct json_writer *json, const struct audit_hash_chain_report *proof)
{
    json_begin_object(json, "evidence");
    json_write_uint(json, "links", proof->links);
    json_write_uint(json, "rows", proof->rows);
    json_write_uint(json, "erased", proof->erased);
    json_write_uint(json, "retained", proof->retained);
    json_write_uint(json, "without", proof->older);
    json_end_object(json);
}

static void add_places(struct json_writer *json, const struct audit_ledger *ledger)
{
    const struct audit_fault *places;
    size_t count = audit_ledger_places(ledger, &places);
    json_begin_array(json, "places");
    for (size_t f = 0; f < count; f++) {
        json_begin_object(json, NULL);
        json_write_string(json, "fault", audit_fault_names[places[f].kind]);
        json_write_string(json, "topic", places[f].topic);
        json_write_int(json, "partition", places[f].partition);
        json_write_int(json, "offset", places[f].offset);
        json_write_string(json, "detail", places[f].detail);
        json_end_object(json);
    }
    json_end_array(json);
}

void audit_print_json(const struct audit_ledger *ledger, const struct audit_state *state,
                      const struct audit_names *names, const struct audit_rules *rules,
                      const struct audit_hash_chain_report *proof)
{
    struct buffer out = {0};
    uint64_t faults[AUDIT_FAULT_COUNT];
    for (size_t k = 0; k < AUDIT_FAULT_COUNT; k++)
        faults[k] = audit_ledger_faults(ledger, (enum audit_fault_kind)k);
    struct json_writer json = json_begin_document(&out);
    json_write_bool(&json, "clean", audit_ledger_is_clean(ledger));
    json_write_bool(&json, "exactly_once", rules->exactly_once);
    json_write_bool(&json, "database", rules->database);
    add_topics(&json, ledger, names);
    if (state)
        add_state(&json, state);
    if (rules->database)
        add_evidence(&json, proof);
    add_faults(&json, faults);
    add_places(&json, ledger);
    json_end_document(&json);
    printf("%.*s", (int)out.bytes, out.data);
    buffer_free(&out);
}
