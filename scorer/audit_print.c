/* Printing what the audit found: see audit_print.h. Called by audit.c on the main thread, once, at its end. */
#include "scorer/audit_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"

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
    printf("%s\n  %9s %23s %11s %11s %11s %9s %9s %9s %8s\n", names->input, "partition", "offsets", "records",
           "predictions", "dead letter", "erasures", "outcomes", "explained", "faults");
    for (size_t p = 0; p < count; p++) {
        const struct audit_input *input = &inputs[p];
        char offsets[48] = "none committed";
        if (input->committed >= 0)
            snprintf(offsets, sizeof offsets, "%" PRId64 " to %" PRId64, input->start, input->end);
        printf("  %9zu %23s %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8" PRIu64
               "\n",
               p, offsets, input->records, input->ends[AUDIT_PREDICTION], input->ends[AUDIT_DEAD_LETTER],
               input->ends[AUDIT_ERASURE], input->ends[AUDIT_OUTCOME],
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
    print_note((uint64_t)before, "input offsets were deleted by Kafka and cannot be judged");
    print_note((uint64_t)unhandled, "of them before the group had handled them: they are lost to it");
    print_note((uint64_t)ahead, "input offsets lie behind what the group has committed: not handled yet, not judged");
    print_note(all.by_key, "ends matched by key or value: their records name no source");
    print_note(all.by_row, "ends known from the database alone: their records were deleted by Kafka");
    print_note(all.deleted, "events without an end that is left: Kafka deleted records that may have been theirs");
    print_note(all.compacted, "ends of input records that compaction removed");
    print_note(all.ignored, "null values ignored (NULL_VALUE=ignore)");
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

void audit_print_table(const struct audit_ledger *ledger, const struct audit_names *names,
                       const struct audit_rules *rules)
{
    uint64_t faults = 0;
    print_inputs(ledger, names);
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++)
        print_logs(ledger, (enum sink_topic)t, names->topics[t]);
    print_notes(ledger);
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

static void add_member(struct buffer *out, const char *name)
{
    if (out->bytes && out->data[out->bytes - 1] != '{' && out->data[out->bytes - 1] != '[')
        buffer_add_u8(out, ',');
    json_add_text(out, span_of(name));
    buffer_add_u8(out, ':');
}

static void add_number(struct buffer *out, const char *name, int64_t number)
{
    add_member(out, name);
    json_add_int(out, number);
}

static void add_open(struct buffer *out, char bracket)
{
    char last = out->bytes ? out->data[out->bytes - 1] : '[';
    if (last == '}' || last == ']')
        buffer_add_u8(out, ',');
    buffer_add_u8(out, (uint8_t)bracket);
}

static void add_faults(struct buffer *out, const uint64_t *faults)
{
    add_member(out, "faults");
    buffer_add_u8(out, '{');
    for (size_t k = 0; k < AUDIT_FAULT_COUNT; k++)
        add_number(out, audit_fault_names[k], (int64_t)faults[k]);
    buffer_add_u8(out, '}');
}

static void add_input(struct buffer *out, size_t partition, const struct audit_input *input)
{
    const struct {
        const char *name;
        int64_t number;
    } members[] = {
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
        {"matched_by_key", (int64_t)input->by_key},
        {"known_by_row", (int64_t)input->by_row},
        {"repeats", (int64_t)input->repeats},
        {"ignored", (int64_t)input->ignored},
        {"deleted", (int64_t)input->deleted},
        {"compacted", (int64_t)input->compacted},
    };
    add_open(out, '{');
    for (size_t m = 0; m < sizeof members / sizeof *members; m++)
        add_number(out, members[m].name, members[m].number);
    add_faults(out, input->faults);
    buffer_add_u8(out, '}');
}

static void add_log(struct buffer *out, size_t partition, const struct audit_log *log)
{
    const struct {
        const char *name;
        int64_t number;
    } members[] = {
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
    add_open(out, '{');
    for (size_t m = 0; m < sizeof members / sizeof *members; m++)
        add_number(out, members[m].name, members[m].number);
    add_faults(out, log->faults);
    buffer_add_u8(out, '}');
}

static void add_topics(struct buffer *out, const struct audit_ledger *ledger, const struct audit_names *names)
{
    const struct audit_input *inputs;
    const struct audit_log *logs;
    size_t count = audit_ledger_inputs(ledger, &inputs);
    add_member(out, "input");
    buffer_add_text(out, "{\"topic\":");
    json_add_text(out, span_of(names->input));
    add_member(out, "partitions");
    buffer_add_u8(out, '[');
    for (size_t p = 0; p < count; p++)
        add_input(out, p, &inputs[p]);
    buffer_add_text(out, "]}");
    add_member(out, "outputs");
    buffer_add_u8(out, '[');
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++) {
        add_open(out, '{');
        add_member(out, "topic");
        json_add_text(out, span_of(names->topics[t]));
        add_member(out, "partitions");
        buffer_add_u8(out, '[');
        count = audit_ledger_logs(ledger, (enum sink_topic)t, &logs);
        for (size_t p = 0; p < count; p++)
            add_log(out, p, &logs[p]);
        buffer_add_text(out, "]}");
    }
    buffer_add_u8(out, ']');
}

static void add_places(struct buffer *out, const struct audit_ledger *ledger)
{
    const struct audit_fault *places;
    size_t count = audit_ledger_places(ledger, &places);
    add_member(out, "places");
    buffer_add_u8(out, '[');
    for (size_t f = 0; f < count; f++) {
        add_open(out, '{');
        add_member(out, "fault");
        json_add_text(out, span_of(audit_fault_names[places[f].kind]));
        add_member(out, "topic");
        json_add_text(out, span_of(places[f].topic));
        add_number(out, "partition", places[f].partition);
        add_number(out, "offset", places[f].offset);
        add_member(out, "detail");
        json_add_text(out, span_of(places[f].detail));
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
}

void audit_print_json(const struct audit_ledger *ledger, const struct audit_names *names,
                      const struct audit_rules *rules)
{
    struct buffer out = {0};
    uint64_t faults[AUDIT_FAULT_COUNT];
    for (size_t k = 0; k < AUDIT_FAULT_COUNT; k++)
        faults[k] = audit_ledger_faults(ledger, (enum audit_fault_kind)k);
    buffer_add_u8(&out, '{');
    add_member(&out, "clean");
    buffer_add_text(&out, audit_ledger_is_clean(ledger) ? "true" : "false");
    add_member(&out, "exactly_once");
    buffer_add_text(&out, rules->exactly_once ? "true" : "false");
    add_member(&out, "database");
    buffer_add_text(&out, rules->database ? "true" : "false");
    add_topics(&out, ledger, names);
    add_faults(&out, faults);
    add_places(&out, ledger);
    printf("%.*s}\n", (int)out.bytes, out.data);
    buffer_free(&out);
}
