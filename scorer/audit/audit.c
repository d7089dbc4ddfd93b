/* `scorer audit`: proves that every input offset up to the group's committed ones has exactly one end, in order, and
 * that PostgreSQL holds every output record once and unaltered. Main thread; changes nothing, joins no group; waits for
 * brokers and for open transactions, and beside a running scorer it is as good as beside a stopped one.
 *
 * What makes it so is the order of looking: first the database's snapshot with its stored offsets, then the group's
 * committed offsets, then the ends of the topics. Whatever lies below the earlier ones lies below the later.
 * Parts: audit_kafka.c and audit_database.c read, audit_rows.c says what a record is, audit_ledger.c decides,
 * audit_state.c compares the current records, audit_print.c answers. */
#include "scorer/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "avro/registry_client.h"
#include "events/rescore.h"
#include "events/schema.h"
#include "scorer/audit/audit_database.h"
#include "scorer/audit/audit_hash_chain.h"
#include "scorer/audit/audit_kafka.h"
#include "scorer/audit/audit_print.h"
#include "scorer/audit/audit_rows.h"
#include "scorer/audit/audit_state.h"
#include "scorer/settings.h"
#include "scorer/time_option.h"

enum { AUDIT_TARGET_MAX = 512 };

struct audit {
    const struct options *options;
    struct settings settings;
    struct schema *schema;
    struct registry_client *registry;
    int64_t from_ms, to_ms; /* -1: no limit */
    struct audit_names names;
    struct audit_rules rules;
    char *cluster;
    struct audit_kafka *kafka;
    struct audit_database *database; /* NULL: left out */
    struct audit_receipts *receipts; /* NULL: no database */
    struct audit_hash_chain *chain;  /* likewise */
    struct audit_hash_chain_report proof;
    struct audit_rows *rows;
    struct json_events *json;
    struct cell *cells; /* for one event */
    struct audit_ledger *ledger;
    struct audit_state *state; /* NULL: no current records are kept */
    struct audit_part *state_parts;
    size_t state_part_count;
    int64_t *committed; /* of the group, by input partition */
    struct audit_part *input, *outputs[SINK_TOPIC_COUNT];
    size_t input_count, output_counts[SINK_TOPIC_COUNT];
    int64_t *stored[SINK_TOPIC_COUNT];
    enum sink_topic reading;
    size_t topic_count; /* without that of alerts where there are none */
};

/* What of a table is reported, by the end that its records are. */
static const struct {
    enum sink_topic topic;
    enum sink_table table;
    const char *partition, *offset, *source, *topic_column, *where;
} tables[AUDIT_END_COUNT] = {
    [AUDIT_PREDICTION] = {SINK_TOPIC_OUTPUT, SINK_TABLE_PREDICTIONS, "output_partition", "output_offset",
                          "source_partition, source_offset", "output_topic", "output_offset IS NOT NULL"},
    [AUDIT_DEAD_LETTER] = {SINK_TOPIC_DLQ, SINK_TABLE_DEAD_LETTERS, "dlq_partition", "dlq_offset",
                           "partition, \"offset\"", "dlq_topic", "stage = 'score'"},
    [AUDIT_ERASURE] = {SINK_TOPIC_OUTPUT, SINK_TABLE_ERASURES, "output_partition", "output_offset",
                       "NULL::integer, NULL::bigint", "output_topic", NULL},
    [AUDIT_OUTCOME] = {SINK_TOPIC_OUTCOME, SINK_TABLE_OUTCOMES, "partition", "\"offset\"",
                       "NULL::integer, NULL::bigint", "topic", NULL},
    [AUDIT_ALERT] = {SINK_TOPIC_ALERT, SINK_TABLE_ALERTS, "partition", "\"offset\"", "source_partition, source_offset",
                     "topic", NULL},
};

/* --- opening --- */

static enum status open_registry(struct audit *audit, struct error *err)
{
    const struct registry_settings wanted = registry_settings_read(audit->options);
    /* No duties: it registers nothing. */
    return wanted.urls ? registry_client_new(&wanted, NULL, &audit->registry, err) : STATUS_OK;
}

static enum status open_database(struct audit *audit, struct error *err)
{
    if (!audit->settings.role_sink)
        return STATUS_OK;
    if (audit_database_new(secret_text(audit->settings.database_url), audit->cluster, &audit->database, err) !=
        STATUS_OK)
        return err->status;
    return audit_database_receipts(audit->database, &audit->receipts, err);
}

static enum status open_all(struct audit *audit, struct error *err)
{
    const struct settings *settings = &audit->settings;
    audit->names = (struct audit_names){settings->input_topic,
                                        {[SINK_TOPIC_OUTPUT] = settings->output_topic,
                                         [SINK_TOPIC_DLQ] = settings->dlq_topic,
                                         [SINK_TOPIC_OUTCOME] = settings->outcome_topic,
                                         [SINK_TOPIC_ALERT] = settings->alert_topic}};
    audit->topic_count = settings->alert_topic ? SINK_TOPIC_COUNT : SINK_TOPIC_ALERT;
    audit->rules = (struct audit_rules){.exactly_once = settings->exactly_once,
                                        .database = settings->role_sink,
                                        .null_value_ignored = settings->null_ignored};
    audit->json = json_events_new(audit->schema, &settings->json);
    audit->cells = mem_zeroed(audit->schema->column_count, sizeof *audit->cells);
    enum status status = open_registry(audit, err);
    if (status == STATUS_OK)
        status = audit_kafka_new(audit->options, settings->group_id, &audit->kafka, err);
    if (status == STATUS_OK)
        status = audit_kafka_cluster(audit->kafka, &audit->cluster, err);
    if (status == STATUS_OK)
        status = open_database(audit, err);
    if (status == STATUS_OK)
        status =
            audit_rows_new(audit->schema, audit->cluster, settings->input_topic, audit->registry, &audit->rows, err);
    if (status == STATUS_OK)
        audit_rows_use_receipts(audit->rows, audit->receipts);
    audit->ledger = audit_ledger_new(&audit->rules, &audit->names);
    audit_ledger_use_receipts(audit->ledger, audit->receipts);
    if (settings->state_topic)
        audit->state = audit_state_new(audit->schema,
                                       &(const struct audit_state_of){settings->group_id, settings->input_topic,
                                                                      settings->state_topic, settings->exactly_once,
                                                                      audit->receipts},
                                       audit->ledger);
    return status;
}

/* --- positions --- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum status limit_by_time(struct audit *audit, int64_t time_ms, bool is_end, struct error *err)
{
    if (time_ms < 0)
        return STATUS_OK;
    int64_t *offsets = mem_zeroed(audit->input_count + 1, sizeof *offsets);
    enum status status =
        audit_kafka_at_time(audit->kafka, audit->names.input, time_ms, audit->input, offsets, audit->input_count, err);
    for (size_t p = 0; p < audit->input_count && status == STATUS_OK; p++) {
        struct audit_part *part = &audit->input[p];
        if (is_end)
            part->end = least(part->end, offsets[p]);
        else if (offsets[p] > part->start)
            part->start = offsets[p];
    }
    free(offsets);
    return status;
}

static enum status add_input(struct audit *audit, size_t p, int64_t committed, bool compacted, struct error *err)
{
    struct audit_part *part = &audit->input[p];
    if (committed > part->high)
        return error_set(err, STATUS_CONFLICT,
                         "%s [%zu] ends at %" PRId64 ", but group %s has committed %" PRId64
                         ": the topic was recreated, there is nothing to prove",
                         audit->names.input, p, part->high, audit->settings.group_id, committed);
    part->end = least(part->end, committed);
    if (part->end < part->start)
        part->end = part->start;
    const struct audit_input report = {
        .low = part->low, .high = part->high, .committed = committed, .start = part->start, .end = part->end};
    audit_ledger_add_input(audit->ledger, &report, compacted);
    return STATUS_OK;
}

static enum status find_input(struct audit *audit, struct error *err)
{
    if (audit_kafka_parts(audit->kafka, audit->names.input, &audit->input, &audit->input_count, err) != STATUS_OK)
        return err->status;
    int64_t *committed = audit->committed = mem_zeroed(audit->input_count + 1, sizeof *committed);
    bool compacted = audit_kafka_is_compacted(audit->kafka, audit->names.input);
    enum status status = audit_kafka_committed(audit->kafka, audit->names.input, committed, audit->input_count, err);
    if (status == STATUS_OK) /* the ends of before may lie below what was committed meanwhile */
        status = audit_kafka_ends(audit->kafka, audit->names.input, audit->input, audit->input_count, err);
    if (status == STATUS_OK)
        status = limit_by_time(audit, audit->from_ms, false, err);
    if (status == STATUS_OK)
        status = limit_by_time(audit, audit->to_ms, true, err);
    for (size_t p = 0; p < audit->input_count && status == STATUS_OK; p++)
        status = add_input(audit, p, committed[p], compacted, err);
    return status;
}

/* Before the topics' partitions are known: asked for by number, up to a bound that no topic here reaches. */
enum { STORED_MOST = 4096 };

static enum status find_stored(struct audit *audit, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t t = 0; t < audit->topic_count && status == STATUS_OK; t++) {
        audit->stored[t] = mem_zeroed(STORED_MOST, sizeof *audit->stored[t]);
        for (size_t p = 0; p < STORED_MOST; p++)
            audit->stored[t][p] = -1;
        if (audit->database)
            status = audit_database_stored(audit->database, audit->names.topics[t], audit->stored[t], STORED_MOST, err);
    }
    return status;
}

static enum status find_outputs(struct audit *audit, struct error *err)
{
    for (size_t t = 0; t < audit->topic_count; t++) {
        const char *name = audit->names.topics[t];
        if (audit_kafka_parts(audit->kafka, name, &audit->outputs[t], &audit->output_counts[t], err) != STATUS_OK)
            return err->status;
        if (audit->output_counts[t] > STORED_MOST)
            return error_set(err, STATUS_LIMIT, "%s has more than %d partitions", name, STORED_MOST);
        bool compacted = audit_kafka_is_compacted(audit->kafka, name);
        for (size_t p = 0; p < audit->output_counts[t]; p++) {
            const struct audit_log log = {
                .low = audit->outputs[t][p].low, .end = audit->outputs[t][p].high, .stored = audit->stored[t][p]};
            audit_ledger_add_log(audit->ledger, (enum sink_topic)t, &log, compacted);
        }
    }
    return STATUS_OK;
}

/* After the group's committed offsets: what these cover is there. */
static enum status find_state(struct audit *audit, struct error *err)
{
    const char *topic = audit->settings.state_topic;
    if (!audit->state)
        return STATUS_OK;
    if (audit_kafka_parts(audit->kafka, topic, &audit->state_parts, &audit->state_part_count, err) != STATUS_OK)
        return err->status;
    for (size_t p = 0; p < audit->state_part_count; p++)
        audit_state_add_part(audit->state, audit->state_parts[p].low, audit->state_parts[p].high,
                             p < audit->input_count ? audit->committed[p] : -1);
    return STATUS_OK;
}

/* --- reading --- */

static enum status take_state(void *context, struct sink_record *record, struct error *err)
{
    (void)err;
    struct audit *audit = context;
    audit_state_record(audit->state, record->partition, record->offset, record->key, record->value);
    return STATUS_OK;
}

/* Up to the ends, and then what completes a transaction that these have cut. */
static enum status read_state(struct audit *audit, struct error *err)
{
    const char *topic = audit->settings.state_topic;
    struct audit_part *parts;
    size_t count;
    enum status status =
        audit_kafka_read(audit->kafka, topic, audit->state_parts, audit->state_part_count, take_state, audit, err);
    if (status == STATUS_OK)
        status = audit_kafka_parts(audit->kafka, topic, &parts, &count, err);
    if (status != STATUS_OK)
        return status;
    audit_state_extend(audit->state);
    for (size_t p = 0; p < count && p < audit->state_part_count; p++)
        parts[p].start = audit->state_parts[p].high;
    if (count == audit->state_part_count)
        status = audit_kafka_read(audit->kafka, topic, parts, count, take_state, audit, err);
    free(parts);
    audit_state_read(audit->state);
    return status;
}

static enum status take_erasure(void *context, struct cursor fields, struct error *err)
{
    struct audit *audit = context;
    struct span employee;
    int64_t partition, offset;
    if (!audit_field(&fields, &employee) || !audit_field_integer(&fields, &partition) ||
        !audit_field_integer(&fields, &offset))
        return error_set(err, STATUS_INVALID, "PostgreSQL: a row of erasures is malformed");
    audit_ledger_erased(audit->ledger, audit_hash(0, employee), (int32_t)partition, offset); /* by its receipt */
    return STATUS_OK;
}

static enum status take_record(void *context, struct sink_record *record, struct error *err)
{
    struct audit *audit = context;
    struct audit_record found;
    record->topic = audit->reading;
    if (audit_rows_read(audit->rows, record, &found, err) != STATUS_OK)
        return err->status;
    audit_ledger_record(audit->ledger, &found);
    if (audit->state)
        audit_state_output(audit->state, &found);
    return STATUS_OK;
}

static enum status take_source(void *context, struct sink_record *record, struct error *err)
{
    (void)err;
    struct audit *audit = context;
    if (record->value.data &&
        (json_events_ignores(audit->json, record->value, audit->cells) || rescore_is_value(record->value)))
        audit_ledger_ignored(audit->ledger, record->partition, record->offset);
    audit_ledger_source(audit->ledger, record->partition, record->offset, record->key, record->value);
    if (audit->state)
        audit_state_source(audit->state, record->partition, record->offset, record->key);
    return STATUS_OK;
}

static enum status read_topics(struct audit *audit, struct error *err)
{
    enum status status = audit->state ? read_state(audit, err) : STATUS_OK;
    for (size_t t = 0; t < audit->topic_count && status == STATUS_OK; t++) {
        audit->reading = (enum sink_topic)t;
        status = audit_kafka_read(audit->kafka, audit->names.topics[t], audit->outputs[t], audit->output_counts[t],
                                  take_record, audit, err);
    }
    if (status == STATUS_OK)
        status = audit_kafka_read(audit->kafka, audit->names.input, audit->input, audit->input_count, take_source,
                                  audit, err);
    return status;
}

/* --- rows --- */

struct row_reading {
    struct audit *audit;
    enum audit_end end;
    size_t columns;
};

static size_t columns_of(const char *target)
{
    size_t count = 1;
    for (const char *at = target; *at; at++)
        count += *at == ',';
    return count;
}

/* The employee is the second column of predictions. */
static bool is_anonymous(struct cursor fields)
{
    struct span field;
    return audit_field(&fields, &field) && audit_field(&fields, &field) && !field.data;
}

static enum status take_row(void *context, struct cursor fields, struct error *err)
{
    const struct row_reading *reading = context;
    struct audit_row row = {.topic = tables[reading->end].topic, .end = reading->end};
    int64_t partition;
    bool whole = audit_field_integer(&fields, &partition) && audit_field_integer(&fields, &row.offset) &&
                 audit_field_integer(&fields, &row.source_partition) &&
                 audit_field_integer(&fields, &row.source_offset);
    row.partition = (int32_t)partition;
    row.anonymous = whole && reading->end == AUDIT_PREDICTION && is_anonymous(fields);
    if (!whole || !audit_digest(&fields, reading->columns, &row.digest))
        return error_set(err, STATUS_INVALID, "PostgreSQL: a row of a %s is malformed", audit_end_names[reading->end]);
    audit_ledger_row(reading->audit->ledger, &row);
    return STATUS_OK;
}

static enum status take_refused(void *context, struct cursor fields, struct error *err)
{
    struct audit *audit = context;
    struct audit_row row = {.refused = true, .end = AUDIT_DEAD_LETTER, .source_partition = -1};
    struct span topic;
    int64_t partition;
    if (!audit_field(&fields, &topic) || !audit_field_integer(&fields, &partition) ||
        !audit_field_integer(&fields, &row.offset))
        return error_set(err, STATUS_INVALID, "PostgreSQL: a row of dead_letters is malformed");
    row.partition = (int32_t)partition;
    for (size_t t = 0; t < audit->topic_count; t++) {
        row.topic = (enum sink_topic)t;
        if (span_equal(topic, span_of(audit->names.topics[t])))
            audit_ledger_row(audit->ledger, &row);
    }
    return STATUS_OK;
}

/* Requests to erase name their employee by the receipt: another column in the first one's place. */
static const char *target_of(const struct audit *audit, enum audit_end end, char out[AUDIT_TARGET_MAX])
{
    static const char evidence[] = ", evidence_salt, evidence_digest";
    const char *target = audit_rows_target(audit->rows, tables[end].table), *cut = strstr(target, evidence);
    if (cut) /* compared with the chain instead */
        snprintf(out, AUDIT_TARGET_MAX, "%.*s%s", (int)(cut - target), target, cut + strlen(evidence));
    if (end != AUDIT_ERASURE)
        return cut ? out : target;
    snprintf(out, AUDIT_TARGET_MAX, "erasures (receipt%s", strchr(target, ','));
    return out;
}

static enum status read_rows(struct audit *audit, struct error *err)
{
    char text[AUDIT_TARGET_MAX];
    enum status status = STATUS_OK;
    for (enum audit_end end = 0; end < AUDIT_END_COUNT && status == STATUS_OK; end++) {
        if (!audit->names.topics[tables[end].topic])
            continue;
        const struct audit_table table = {
            .target = target_of(audit, end, text),
            .partition = tables[end].partition,
            .offset = tables[end].offset,
            .source = tables[end].source,
            .topic_column = tables[end].topic_column,
            .topic = audit->names.topics[tables[end].topic],
            .where = tables[end].where,
        };
        struct row_reading reading = {.audit = audit, .end = end, .columns = columns_of(table.target)};
        status = audit_database_rows(audit->database, &table, take_row, &reading, err);
    }
    if (status == STATUS_OK)
        status = audit_database_refused(audit->database, take_refused, audit, err);
    return status;
}

/* --- evidence --- */

static enum status take_block(void *context, struct cursor fields, struct error *err)
{
    return audit_hash_chain_block(context, fields, err);
}

static enum status take_removed(void *context, struct cursor fields, struct error *err)
{
    return audit_hash_chain_removed(context, fields, err);
}

static enum status take_evidence(void *context, struct cursor fields, struct error *err)
{
    return audit_hash_chain_row(context, fields, err);
}

/* What the chain is read with. Topics are letters, digits, '.', '_' and '-' (Kafka's rule), so quotes suffice. */
static void evidence_selects(const struct audit *audit, struct buffer *blocks, struct buffer *removed,
                             struct buffer *rows)
{
    const char *topic = audit->names.topics[SINK_TOPIC_OUTPUT];
    buffer_printf(blocks, "SELECT %s FROM attrition.evidence", audit_hash_chain_block_columns);
    audit_database_add_cluster(audit->database, blocks);
    buffer_printf(blocks, " AND topic = '%s' ORDER BY partition, first_number", topic);
    buffer_printf(removed, "SELECT %s FROM attrition.evidence_removed ORDER BY removed_at",
                  audit_hash_chain_removed_columns);
    buffer_add_text(rows, "SELECT ");
    audit_hash_chain_row_columns(audit->chain, rows);
    buffer_add_text(rows, " FROM attrition.predictions");
    audit_database_add_cluster(audit->database, rows);
    buffer_printf(rows, " AND coalesce(output_topic, '%s') = '%s'", topic, topic);
}

static enum status read_evidence(struct audit *audit, struct error *err)
{
    struct buffer blocks = {0}, removed = {0}, rows = {0};
    audit->chain = audit_hash_chain_new(audit->ledger, audit->cluster, audit->names.topics[SINK_TOPIC_OUTPUT],
                                        audit_rows_target(audit->rows, SINK_TABLE_PREDICTIONS));
    evidence_selects(audit, &blocks, &removed, &rows);
    if (audit_database_select(audit->database, "reading evidence", &blocks, take_block, audit->chain, err) !=
            STATUS_OK ||
        audit_database_select(audit->database, "reading evidence_removed", &removed, take_removed, audit->chain, err) !=
            STATUS_OK ||
        audit_database_select(audit->database, "reading predictions", &rows, take_evidence, audit->chain, err) !=
            STATUS_OK) {
        buffer_free(&removed);
        buffer_free(&rows);
        return err->status;
    }
    audit_hash_chain_close(audit->chain, &audit->proof);
    return STATUS_OK;
}

/* --- the whole --- */

static enum status audit_run(struct audit *audit, struct error *err)
{
    enum status status = open_all(audit, err);
    if (status == STATUS_OK)
        status = find_stored(audit, err);
    if (status == STATUS_OK)
        status = find_input(audit, err);
    if (status == STATUS_OK)
        status = find_state(audit, err);
    if (status == STATUS_OK)
        status = find_outputs(audit, err);
    if (status == STATUS_OK && audit->database)
        status = audit_database_erasures(audit->database, take_erasure, audit, err);
    if (status == STATUS_OK)
        status = read_topics(audit, err);
    if (status == STATUS_OK)
        audit_ledger_match(audit->ledger);
    if (status == STATUS_OK && audit->database)
        status = read_rows(audit, err);
    if (status == STATUS_OK && audit->database)
        status = read_evidence(audit, err);
    if (status == STATUS_OK)
        audit_ledger_close(audit->ledger);
    if (status == STATUS_OK && audit->state)
        audit_state_close(audit->state, !audit_ledger_lacks_outputs(audit->ledger));
    return status;
}

static void audit_release(struct audit *audit)
{
    for (size_t t = 0; t < SINK_TOPIC_COUNT; t++) {
        free(audit->outputs[t]);
        free(audit->stored[t]);
    }
    free(audit->input);
    free(audit->committed);
    free(audit->state_parts);
    audit_state_free(audit->state);
    audit_ledger_free(audit->ledger);
    audit_rows_free(audit->rows);
    json_events_free(audit->json);
    free(audit->cells);
    audit_receipts_free(audit->receipts);
    audit_hash_chain_free(audit->chain);
    audit_database_free(audit->database);
    audit_kafka_free(audit->kafka);
    registry_client_free(audit->registry);
    free(audit->cluster);
}

static int audit_answer(struct audit *audit)
{
    struct error err;
    int exit_status = 1;
    if (audit_run(audit, &err) != STATUS_OK) {
        log_error("audit", "%s", err.text);
    } else {
        if (options_flag(audit->options, OPTION_AUDIT_JSON))
            audit_print_json(audit->ledger, audit->state, &audit->names, &audit->rules, &audit->proof);
        else
            audit_print_table(audit->ledger, audit->state, &audit->names, &audit->rules, &audit->proof);
        exit_status = audit_ledger_is_clean(audit->ledger) ? 0 : 1;
    }
    audit_release(audit);
    return exit_status;
}

int cmd_audit(const struct options *options)
{
    struct audit audit = {.options = options};
    struct error err;
    int exit_status = 2;
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &audit.schema, &err) != STATUS_OK) {
        log_error("audit", "%s", err.text);
        return 1;
    }
    if (time_option(options, OPTION_AUDIT_FROM, "--from", &audit.from_ms, &err) != STATUS_OK ||
        time_option(options, OPTION_AUDIT_TO, "--to", &audit.to_ms, &err) != STATUS_OK ||
        settings_resolve(options, audit.schema, &audit.settings, &err) != STATUS_OK) {
        log_error("audit", "%s", err.text);
    } else {
        exit_status = audit_answer(&audit);
        settings_release(&audit.settings);
    }
    schema_free(audit.schema);
    return exit_status;
}
