/* The audit's ledger: see audit_ledger.h. Called by audit.c on the main thread.
 *
 * An input offset's byte says whether a reader sees a record there, whether its value is null, and its first end. An
 * output offset's eight bytes hold flags and 56 bits of its row's digest. What cannot be decided when it is met waits
 * in three lists: records without a source and input records without an end (paired by `match`), and records of
 * employees whom an erasure names (whether the erasure came later is known once its own source is). It must never
 * guess: what retention may have removed is counted as deleted only up to the number of records that were. */
#include "scorer/audit/audit_ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "scorer/audit/audit_pairs.h"

const char *const audit_fault_names[AUDIT_FAULT_COUNT] = {
#define FAULT_NAME(id, name, help) name,
    AUDIT_FAULT_TABLE(FAULT_NAME)
#undef FAULT_NAME
};
const char *const audit_end_names[AUDIT_END_COUNT] = {"prediction", "dead letter", "erasure", "outcome", "alert"};

/* Of an input offset: flags, and the first end's kind above them. */
enum {
    INPUT_SEEN = 1,
    INPUT_NULL = 2,
    INPUT_ENDED = 4,
    INPUT_ERASED = 8,
    INPUT_END_SHIFT = 4, /* two bits: alerts are no ends */
    INPUT_IGNORED = 64,
    INPUT_ALERTED = 128
};
/* Of an output offset; the digest is in the bits above. */
enum { SLOT_RECORD = 1, SLOT_ROW = 2, SLOT_REFUSED = 4, SLOT_ERASABLE = 8, SLOT_ERASED = 16, SLOT_DIGEST_SHIFT = 8 };

/* What one output partition has shown of one input partition. */
struct lane {
    int64_t first, last; /* source offsets; first is INT64_MAX and last -1 where there is none */
};

struct log {
    struct audit_log report;
    bool compacted;
    uint64_t *slots;    /* by offset - low */
    struct lane *lanes; /* by input partition */
    uint64_t unsourced; /* rows of deleted records that name neither source nor key */
};

struct input {
    struct audit_input report;
    bool compacted;
    uint8_t *bytes; /* by offset - start */
};

struct audit_ledger {
    struct audit_rules rules;
    struct audit_names names;
    struct audit_input *input_reports;
    struct input *inputs;
    size_t input_count;
    struct log *logs[SINK_TOPIC_COUNT];
    struct audit_log *log_reports[SINK_TOPIC_COUNT];
    size_t log_counts[SINK_TOPIC_COUNT];
    struct audit_pairs *pairs;
    uint64_t deleted; /* of all input partitions */
    uint64_t faults[AUDIT_FAULT_COUNT];
    struct audit_fault *places;
    size_t place_count;
};

/* --- life --- */

struct audit_ledger *audit_ledger_new(const struct audit_rules *rules, const struct audit_names *names)
{
    struct audit_ledger *ledger = mem_zeroed(1, sizeof *ledger);
    ledger->rules = *rules;
    ledger->names = *names;
    ledger->pairs = audit_pairs_new();
    ledger->places = mem_zeroed(AUDIT_FAULT_COUNT * AUDIT_FAULTS_KEPT, sizeof *ledger->places);
    return ledger;
}

void audit_ledger_use_receipts(struct audit_ledger *ledger, struct audit_receipts *receipts)
{
    audit_pairs_use_receipts(ledger->pairs, receipts);
}

void audit_ledger_free(struct audit_ledger *ledger)
{
    if (!ledger)
        return;
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++) {
        for (size_t p = 0; p < ledger->log_counts[t]; p++) {
            free(ledger->logs[t][p].slots);
            free(ledger->logs[t][p].lanes);
        }
        free(ledger->logs[t]);
        free(ledger->log_reports[t]);
    }
    for (size_t p = 0; p < ledger->input_count; p++)
        free(ledger->inputs[p].bytes);
    audit_pairs_free(ledger->pairs);
    free(ledger->inputs);
    free(ledger->input_reports);
    free(ledger->places);
    free(ledger);
}

/* calloc: pages of a large window are the kernel's until they are written. */
void audit_ledger_add_input(struct audit_ledger *ledger, const struct audit_input *input, bool compacted)
{
    size_t count = input->end > input->start ? (size_t)(input->end - input->start) : 0;
    ledger->inputs = mem_resize(ledger->inputs, ledger->input_count + 1, sizeof *ledger->inputs);
    ledger->inputs[ledger->input_count++] =
        (struct input){.report = *input, .compacted = compacted, .bytes = mem_zeroed(count + 1, 1)};
}

void audit_ledger_add_log(struct audit_ledger *ledger, enum sink_topic topic, const struct audit_log *log,
                          bool compacted)
{
    size_t *count = &ledger->log_counts[topic];
    ledger->logs[topic] = mem_resize(ledger->logs[topic], *count + 1, sizeof *ledger->logs[topic]);
    struct log *added = &ledger->logs[topic][(*count)++];
    *added = (struct log){.report = *log, .compacted = compacted};
    added->slots = mem_zeroed((size_t)(log->end > log->low ? log->end - log->low : 0) + 1, sizeof *added->slots);
    added->lanes = mem_zeroed(ledger->input_count + 1, sizeof *added->lanes);
    for (size_t p = 0; p < ledger->input_count; p++)
        added->lanes[p] = (struct lane){.first = INT64_MAX, .last = -1};
}

/* --- faults --- */

static void PRINTF_LIKE(6, 7) note_fault(struct audit_ledger *ledger, enum audit_fault_kind kind, const char *topic,
                                         int32_t partition, int64_t offset, const char *format, ...)
{
    if (ledger->faults[kind]++ >= AUDIT_FAULTS_KEPT)
        return;
    struct audit_fault *fault = &ledger->places[ledger->place_count++];
    *fault = (struct audit_fault){.kind = kind, .topic = topic, .partition = partition, .offset = offset};
    va_list args;
    va_start(args, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, args);
    va_end(args);
}

void audit_ledger_state_fault(struct audit_ledger *ledger, enum audit_fault_kind kind, const char *topic,
                              int32_t partition, int64_t offset, const char *detail)
{
    note_fault(ledger, kind, topic, partition, offset, "%s", detail);
}

/* --- finding places --- */

static uint64_t *slot_of(struct audit_ledger *ledger, enum sink_topic topic, int32_t partition, int64_t offset,
                         struct log **log)
{
    if (partition < 0 || (size_t)partition >= ledger->log_counts[topic])
        return NULL;
    *log = &ledger->logs[topic][partition];
    const struct audit_log *report = &(*log)->report;
    return offset >= report->low && offset < report->end ? &(*log)->slots[offset - report->low] : NULL;
}

static uint8_t *byte_of(struct audit_ledger *ledger, int64_t partition, int64_t offset)
{
    if (partition < 0 || (uint64_t)partition >= ledger->input_count)
        return NULL;
    struct input *input = &ledger->inputs[partition];
    return offset >= input->report.start && offset < input->report.end ? &input->bytes[offset - input->report.start]
                                                                       : NULL;
}

static void set_end(struct input *input, uint8_t *byte, enum audit_end end)
{
    *byte |= (uint8_t)(INPUT_ENDED | (unsigned)end << INPUT_END_SHIFT);
    input->report.ends[end]++;
}

/* --- records --- */

/* Dead letters of a batch may overtake each other: they say nothing of an employee's state. */
static void check_order(struct audit_ledger *ledger, struct log *log, const struct audit_record *record)
{
    struct lane *lane = &log->lanes[record->source_partition];
    if (lane->first > record->source_offset)
        lane->first = record->source_offset;
    if (record->source_offset > lane->last) {
        lane->last = record->source_offset;
    } else if (record->topic != SINK_TOPIC_DLQ) {
        log->report.faults[AUDIT_FAULT_DISORDER]++;
        note_fault(ledger, AUDIT_FAULT_DISORDER, ledger->names.topics[record->topic], record->partition, record->offset,
                   "it is of %s [%" PRId32 "] %" PRId64 ", after a record of %" PRId64, ledger->names.input,
                   record->source_partition, record->source_offset, lane->last);
    }
}

static void second_end(struct audit_ledger *ledger, struct input *input, uint8_t byte,
                       const struct audit_record *record)
{
    if (!ledger->rules.exactly_once) {
        input->report.repeats++;
        return;
    }
    input->report.faults[AUDIT_FAULT_DUPLICATE]++;
    note_fault(ledger, AUDIT_FAULT_DUPLICATE, ledger->names.input, record->source_partition, record->source_offset,
               "it has a %s, and another end, a %s, at %s [%" PRId32 "] %" PRId64,
               audit_end_names[byte >> INPUT_END_SHIFT & 3], audit_end_names[record->end],
               ledger->names.topics[record->topic], record->partition, record->offset);
}

static void count_end(struct audit_ledger *ledger, struct log *log, const struct audit_record *record)
{
    uint8_t *byte = byte_of(ledger, record->source_partition, record->source_offset);
    if (!byte)
        return; /* before or past what is audited */
    struct input *input = &ledger->inputs[record->source_partition];
    if (*byte & INPUT_ENDED) {
        second_end(ledger, input, *byte, record);
        return;
    }
    set_end(input, byte, record->end);
    check_order(ledger, log, record);
}

static void unexplained(struct audit_ledger *ledger, struct log *log, const struct audit_record *record,
                        const char *why)
{
    log->report.faults[AUDIT_FAULT_UNEXPLAINED]++;
    note_fault(ledger, AUDIT_FAULT_UNEXPLAINED, ledger->names.topics[record->topic], record->partition, record->offset,
               "a %s %s", audit_end_names[record->end], why);
}

bool audit_ledger_lacks_outputs(const struct audit_ledger *ledger)
{
    for (size_t p = 0; p < ledger->log_counts[SINK_TOPIC_OUTPUT]; p++)
        if (ledger->logs[SINK_TOPIC_OUTPUT][p].report.low > 0 || ledger->logs[SINK_TOPIC_OUTPUT][p].compacted)
            return true;
    return false;
}

/* The output topic has been read before: an alert is beside its event's prediction. */
static void count_alert(struct audit_ledger *ledger, struct log *log, const struct audit_record *record)
{
    uint8_t *byte = byte_of(ledger, record->source_partition, record->source_offset);
    if (!byte)
        return;
    struct input *input = &ledger->inputs[record->source_partition];
    bool predicted = *byte & INPUT_ENDED && (*byte >> INPUT_END_SHIFT & 3) == AUDIT_PREDICTION;
    bool deleted = !(*byte & INPUT_ENDED) && audit_ledger_lacks_outputs(ledger);
    if (*byte & INPUT_ALERTED) {
        second_end(ledger, input, *byte, record);
        return;
    }
    if (!predicted && !deleted)
        unexplained(ledger, log, record, "of an event that has no prediction");
    *byte |= INPUT_ALERTED;
    input->report.ends[AUDIT_ALERT]++;
    check_order(ledger, log, record);
}

static void take_source(struct audit_ledger *ledger, struct log *log, const struct audit_record *record)
{
    switch (record->source) {
    case AUDIT_SOURCE_KNOWN:
        if (record->source_partition < 0 || (size_t)record->source_partition >= ledger->input_count)
            unexplained(ledger, log, record, "of a partition that the input topic does not have");
        else if (record->end == AUDIT_ALERT)
            count_alert(ledger, log, record);
        else
            count_end(ledger, log, record);
        break;
    case AUDIT_SOURCE_UNKNOWN:
        audit_pairs_add_record(ledger->pairs, record);
        break;
    case AUDIT_SOURCE_HTTP:
        log->report.http++;
        break;
    case AUDIT_SOURCE_OTHER:
        log->report.other_input++;
        break;
    case AUDIT_SOURCE_NONE:
        unexplained(ledger, log, record, "that names no input record");
        break;
    }
}

void audit_ledger_record(struct audit_ledger *ledger, const struct audit_record *record)
{
    struct log *log;
    uint64_t *slot = slot_of(ledger, record->topic, record->partition, record->offset, &log);
    if (!slot)
        return;
    *slot = record->digest << SLOT_DIGEST_SHIFT | SLOT_RECORD | (record->refused ? (unsigned)SLOT_REFUSED : 0U);
    log->report.records++;
    take_source(ledger, log, record);
    audit_pairs_note_employee(ledger->pairs, record);
}

void audit_ledger_source(struct audit_ledger *ledger, int32_t partition, int64_t offset, struct span key,
                         struct span value)
{
    uint8_t *byte = byte_of(ledger, partition, offset);
    if (!byte || *byte & INPUT_SEEN)
        return;
    *byte |= (uint8_t)(INPUT_SEEN | (value.data ? 0 : INPUT_NULL));
    ledger->inputs[partition].report.records++;
    ledger->inputs[partition].report.nulls += !value.data;
    if (!(*byte & INPUT_ENDED))
        audit_pairs_add_source(ledger->pairs, partition, offset, key, value);
}

void audit_ledger_ignored(struct audit_ledger *ledger, int32_t partition, int64_t offset)
{
    uint8_t *byte = byte_of(ledger, partition, offset);
    if (byte)
        *byte |= INPUT_IGNORED;
}

/* --- what `match` finds --- */

static void on_pair(void *context, const struct audit_record *record)
{
    struct audit_ledger *ledger = context;
    struct log *log;
    uint8_t *byte = byte_of(ledger, record->source_partition, record->source_offset);
    if (!byte || *byte & INPUT_ENDED || !slot_of(ledger, record->topic, record->partition, record->offset, &log))
        return;
    set_end(&ledger->inputs[record->source_partition], byte, record->end);
    ledger->inputs[record->source_partition].report.by_key++;
}

/* Where the log's beginning is gone its source may be gone, too; so may one before the window or after it. */
static void on_single(void *context, const struct audit_record *record)
{
    struct audit_ledger *ledger = context;
    struct log *log;
    if (!slot_of(ledger, record->topic, record->partition, record->offset, &log))
        return;
    for (size_t p = 0; p < ledger->input_count; p++) {
        const struct audit_input *report = &ledger->inputs[p].report;
        if (report->start > 0 || report->end < report->high)
            return;
    }
    unexplained(ledger, log, record, "for which no input record is left");
}

/* Its end may have gone with the employee's other records and rows. */
static void on_erased_source(void *context, int32_t partition, int64_t offset)
{
    uint8_t *byte = byte_of(context, partition, offset);
    if (byte)
        *byte |= INPUT_ERASED;
}

static void on_erasable(void *context, const struct audit_record *record)
{
    struct log *log;
    uint64_t *slot = slot_of(context, record->topic, record->partition, record->offset, &log);
    if (slot)
        *slot |= SLOT_ERASABLE;
}

void audit_ledger_erased(struct audit_ledger *ledger, uint64_t employee, int32_t partition, int64_t offset)
{
    audit_pairs_add_erasure(ledger->pairs, employee, partition, offset);
}

void audit_ledger_match(struct audit_ledger *ledger)
{
    audit_pairs_match(ledger->pairs, on_pair, on_single, ledger);
    audit_pairs_erasable(ledger->pairs, on_erasable, ledger);
    audit_pairs_erased_sources(ledger->pairs, on_erased_source, ledger);
}

/* --- rows --- */

static void PRINTF_LIKE(4, 5) row_fault(struct audit_ledger *ledger, enum audit_fault_kind kind,
                                        const struct audit_row *row, const char *format, ...)
{
    char detail[160];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    if (row->partition >= 0 && (size_t)row->partition < ledger->log_counts[row->topic])
        ledger->logs[row->topic][row->partition].report.faults[kind]++;
    note_fault(ledger, kind, ledger->names.topics[row->topic], row->partition, row->offset, "%s", detail);
}

/* A row whose record is gone: it shows that its event had an end. */
static void take_older_row(struct audit_ledger *ledger, struct log *log, const struct audit_row *row)
{
    log->report.rows_older++;
    uint8_t *byte = byte_of(ledger, row->source_partition, row->source_offset);
    log->unsourced += row->source_partition < 0 && row->end == AUDIT_OUTCOME;
    if (!byte || *byte & INPUT_ENDED || row->end == AUDIT_ALERT)
        return;
    struct input *input = &ledger->inputs[row->source_partition];
    set_end(input, byte, row->end);
    input->report.by_row++;
}

static void compare_row(struct audit_ledger *ledger, struct log *log, uint64_t *slot, const struct audit_row *row)
{
    bool same = *slot >> SLOT_DIGEST_SHIFT == (row->digest & UINT64_MAX >> SLOT_DIGEST_SHIFT);
    if (*slot & SLOT_ROW) {
        row_fault(ledger, AUDIT_FAULT_ROW_DUPLICATE, row, "the database holds another row of this %s",
                  audit_end_names[row->end]);
        return;
    }
    *slot |= SLOT_ROW;
    log->report.rows++;
    if (row->refused) {
        log->report.refused++;
    } else if (*slot & SLOT_ERASABLE && row->anonymous && !same) {
        *slot |= SLOT_ERASED;
        log->report.erased++;
    } else if (!same || *slot & SLOT_REFUSED) {
        row_fault(ledger, AUDIT_FAULT_ROW_ALTERED, row, "the row of this %s is not what the record says",
                  audit_end_names[row->end]);
    }
}

void audit_ledger_row(struct audit_ledger *ledger, const struct audit_row *row)
{
    struct log *log = NULL;
    uint64_t *slot = slot_of(ledger, row->topic, row->partition, row->offset, &log);
    if (!log) {
        row_fault(ledger, AUDIT_FAULT_ROW_UNEXPLAINED, row, "the topic has no such partition");
    } else if (row->offset < log->report.low) {
        take_older_row(ledger, log, row);
    } else if (row->offset >= log->report.stored) {
        row_fault(ledger, AUDIT_FAULT_ROW_UNEXPLAINED, row, "the row lies past the stored offset, %" PRId64,
                  log->report.stored);
    } else if (!slot) {
        row_fault(ledger, AUDIT_FAULT_ROW_UNEXPLAINED, row, "the log ends at %" PRId64, log->report.end);
    } else if (*slot & SLOT_RECORD) {
        compare_row(ledger, log, slot, row);
    } else if (log->compacted) {
        take_older_row(ledger, log, row);
    } else {
        row_fault(ledger, AUDIT_FAULT_ROW_UNEXPLAINED, row, "no reader of committed records sees a record there");
    }
}

/* --- closing --- */

static void close_log(struct audit_ledger *ledger, enum sink_topic topic, int32_t partition)
{
    struct log *log = &ledger->logs[topic][partition];
    for (int64_t offset = log->report.low; offset < log->report.end; offset++) {
        uint64_t slot = log->slots[offset - log->report.low];
        if (!(slot & SLOT_RECORD) || slot & SLOT_ROW)
            continue;
        if (offset >= log->report.stored) {
            log->report.waiting++;
        } else if (slot & SLOT_ERASABLE) {
            log->report.erased++;
        } else {
            log->report.faults[AUDIT_FAULT_ROW_MISSING]++;
            note_fault(ledger, AUDIT_FAULT_ROW_MISSING, ledger->names.topics[topic], partition, offset,
                       "the database holds no row of it; stored is up to %" PRId64, log->report.stored);
        }
    }
}

/* How many ends may have been deleted with a log's beginning and be nowhere else, and up to which offset of this input
 * partition. Of what had been stored, outcomes are all whose rows name no input record. */
static int64_t horizon_of(const struct audit_ledger *ledger, size_t input, uint64_t *most)
{
    int64_t horizon = 0;
    for (size_t t = 0; t < SINK_TOPIC_ALERT; t++) {
        for (size_t p = 0; p < ledger->log_counts[t]; p++) {
            const struct log *log = &ledger->logs[t][p];
            if (log->compacted) {
                *most = UINT64_MAX;
                return INT64_MAX;
            }
            if (log->report.low <= 0 || (t == SINK_TOPIC_DLQ && p != input))
                continue;
            int64_t unstored = log->report.low - (log->report.stored > 0 ? log->report.stored : 0);
            *most += log->unsourced + (uint64_t)(unstored > 0 ? unstored : 0);
            if (log->lanes[input].first > horizon)
                horizon = log->lanes[input].first;
        }
    }
    return horizon;
}

static void close_offset(struct audit_ledger *ledger, struct input *input, int32_t partition, int64_t offset,
                         int64_t horizon, uint64_t most)
{
    uint8_t byte = input->bytes[offset - input->report.start];
    bool seen = byte & INPUT_SEEN, ended = byte & INPUT_ENDED, erased = byte & INPUT_ERASED;
    if (seen == ended)
        return;
    if (ended && input->compacted) {
        input->report.compacted++;
    } else if (ended) {
        input->report.faults[AUDIT_FAULT_UNEXPLAINED]++;
        note_fault(ledger, AUDIT_FAULT_UNEXPLAINED, ledger->names.input, partition, offset,
                   "it has a %s, but no reader of committed records sees a record there",
                   audit_end_names[byte >> INPUT_END_SHIFT & 3]);
    } else if (byte & INPUT_IGNORED || (byte & INPUT_NULL && ledger->rules.null_value_ignored)) {
        input->report.ignored++;
    } else if (offset < horizon && (erased || ledger->deleted < most)) {
        input->report.deleted++;
        ledger->deleted += !erased;
    } else {
        input->report.faults[AUDIT_FAULT_MISSING]++;
        note_fault(ledger, AUDIT_FAULT_MISSING, ledger->names.input, partition, offset,
                   "no end, and the group has committed %" PRId64, input->report.committed);
    }
}

static void close_input(struct audit_ledger *ledger, size_t p)
{
    struct input *input = &ledger->inputs[p];
    uint64_t most = 0;
    int64_t horizon = horizon_of(ledger, p, &most);
    for (int64_t offset = input->report.start; offset < input->report.end; offset++)
        close_offset(ledger, input, (int32_t)p, offset, horizon, most);
}

void audit_ledger_close(struct audit_ledger *ledger)
{
    for (size_t p = 0; p < ledger->input_count; p++)
        close_input(ledger, p);
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++)
        for (size_t p = 0; p < ledger->log_counts[t] && ledger->rules.database; p++)
            close_log(ledger, (enum sink_topic)t, (int32_t)p);
    ledger->input_reports = mem_resize(ledger->input_reports, ledger->input_count, sizeof *ledger->input_reports);
    for (size_t p = 0; p < ledger->input_count; p++)
        ledger->input_reports[p] = ledger->inputs[p].report;
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++) {
        size_t count = ledger->log_counts[t];
        ledger->log_reports[t] = mem_resize(ledger->log_reports[t], count, sizeof *ledger->log_reports[t]);
        for (size_t p = 0; p < count; p++)
            ledger->log_reports[t][p] = ledger->logs[t][p].report;
    }
}

/* --- results --- */

size_t audit_ledger_inputs(const struct audit_ledger *ledger, const struct audit_input **out)
{
    *out = ledger->input_reports;
    return ledger->input_count;
}

size_t audit_ledger_logs(const struct audit_ledger *ledger, enum sink_topic topic, const struct audit_log **out)
{
    *out = ledger->log_reports[topic];
    return ledger->log_counts[topic];
}

uint64_t audit_ledger_faults(const struct audit_ledger *ledger, enum audit_fault_kind kind)
{
    return ledger->faults[kind];
}

size_t audit_ledger_places(const struct audit_ledger *ledger, const struct audit_fault **out)
{
    *out = ledger->places;
    return ledger->place_count;
}

bool audit_ledger_is_clean(const struct audit_ledger *ledger)
{
    for (size_t k = 0; k < AUDIT_FAULT_COUNT; k++)
        if (ledger->faults[k])
            return false;
    return true;
}
