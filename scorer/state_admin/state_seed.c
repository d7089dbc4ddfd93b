/* Seeding: see state_seed.h. Main thread; reads the database in one snapshot. Must never raise an alert, nor write over
 * a record that is there: events are newer than what the sink has stored of them. */
#include "scorer/state_admin/state_seed.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/decoder.h"
#include "events/identity.h"
#include "scorer/audit/audit_database.h"
#include "scorer/audit/audit_rows.h"
#include "scorer/state/state_row.h"
#include "scorer/state_admin/state_group.h"

/* Microseconds from 1970 to PostgreSQL's 2000. */
#define POSTGRES_EPOCH_US INT64_C(946684800000000)

struct seed {
    const struct settings *settings;
    struct state_group *group;
    struct state *state;
    struct decoder *decoder;
    struct cell *cells;
    struct buffer json, row;
    uint64_t records, markers, known, elsewhere, unreadable;
};

/* One row's place and what both tables have. */
struct place {
    int32_t partition;
    int64_t offset; /* of the event */
    struct span employee_id;
    int64_t occurred_at_ms;
};

/* --- fields --- */

static double as_double(struct span field)
{
    uint64_t bits = 0;
    double value;
    for (size_t i = 0; i < field.bytes && i < sizeof bits; i++)
        bits = bits << 8 | (unsigned char)field.data[i];
    memcpy(&value, &bits, sizeof value);
    return value;
}

static enum status no_row(struct error *err)
{
    return error_set(err, STATUS_INVALID, "PostgreSQL: a row has other fields than were asked for");
}

/* False: the row is none of this group's partitions, or the employee has a record already. */
static bool take_place(struct seed *seed, struct cursor *fields, struct place *place, bool *whole)
{
    int64_t skipped, partition, occurred_us;
    *whole = audit_field_integer(fields, &skipped) && audit_field_integer(fields, &skipped) &&
             audit_field_integer(fields, &partition) && audit_field_integer(fields, &place->offset) &&
             audit_field(fields, &place->employee_id) && audit_field_integer(fields, &occurred_us);
    if (!*whole)
        return false;
    place->partition = (int32_t)partition;
    place->occurred_at_ms = (occurred_us + POSTGRES_EPOCH_US) / 1000;
    if (partition < 0 || partition > INT32_MAX || !state_has(seed->state, place->partition) ||
        id_flaw(place->employee_id)) {
        seed->elsewhere++;
        return false;
    }
    struct state_record record;
    bool known = state_find(seed->state, place->partition, place->employee_id, &record);
    seed->known += known;
    return !known;
}

/* What the group has not handled yet it will, and then it must be no repetition of the record. */
static int64_t source_offset(const struct seed *seed, const struct place *place)
{
    int64_t handled = state_position(seed->state, place->partition) - 1;
    return place->offset < handled ? place->offset : handled;
}

static enum status put(struct seed *seed, const struct place *place, const struct state_record *record,
                       struct error *err)
{
    state_put(seed->state, place->partition, record);
    state_mark(seed->state);
    state_committed(seed->state);
    return state_group_write_record(seed->group, place->partition, record, err);
}

/* --- rows of latest_predictions --- */

/* The attributes as an event of their own, so that the one decoder of JSON reads them. */
static bool read_attributes(struct seed *seed, const struct place *place, struct span input)
{
    struct event event = {.cells = seed->cells};
    struct fault fault;
    buffer_clear(&seed->json);
    struct json_writer json = json_begin_document(&seed->json);
    json_write_string(&json, "event_id", "seed");
    json_write_string(&json, "event_type", "SNAPSHOT");
    json_write_string(&json, "employee_id", "seed");
    json_write_int(&json, "occurred_at", place->occurred_at_ms);
    buffer_add(json_write_raw(&json, "attributes"), input.data + 1, input.bytes - 1); /* after jsonb's version */
    json_end_document(&json);
    decoder_reset(seed->decoder);
    if (decoder_decode(seed->decoder, buffer_span(&seed->json), &event, &fault) == EVENT_OK)
        return true;
    if (!seed->unreadable++)
        log_warn("state", "the stored attributes of an employee cannot be read with these schemas: %s", fault.text);
    return false;
}

static bool find_label(const struct schema *schema, struct span text, uint8_t *out)
{
    for (size_t l = 0; l < schema->target_count; l++)
        if (span_equal(schema->target_values[l], text)) {
            *out = (uint8_t)l;
            return true;
        }
    return false;
}

static bool take_prediction(struct seed *seed, struct cursor *fields, struct state_record *record, struct span *input)
{
    struct span label, probability, margin, threshold, name, version;
    if (!audit_field(fields, &label) || !audit_field(fields, &probability) || !audit_field(fields, &margin) ||
        !audit_field(fields, &threshold) || !audit_field(fields, &name) || !audit_field(fields, &version) ||
        !audit_field(fields, input) || input->bytes < 2)
        return false;
    const struct state_model model = {name, version, as_double(threshold)};
    record->scored = find_label(seed->settings->schema, label, &record->label);
    record->probability = as_double(probability);
    record->margin = as_double(margin);
    record->model = state_model_number(seed->state, &model);
    return true;
}

static enum status take_latest(void *context, struct cursor fields, struct error *err)
{
    struct seed *seed = context;
    struct place place;
    struct state_record record = {0};
    struct span input;
    bool whole;
    if (!take_place(seed, &fields, &place, &whole))
        return whole ? STATUS_OK : no_row(err);
    if (!take_prediction(seed, &fields, &record, &input))
        return no_row(err);
    if (!read_attributes(seed, &place, input))
        return STATUS_OK;
    buffer_clear(&seed->row);
    char *row = buffer_reserve(&seed->row, state_row_bound(seed->settings->schema, seed->cells));
    record.employee_id = place.employee_id;
    record.occurred_at_ms = place.occurred_at_ms;
    record.source_offset = source_offset(seed, &place);
    record.row = (struct span){row, state_row_pack(seed->settings->schema, seed->cells, row)};
    seed->records++;
    return put(seed, &place, &record, err);
}

/* --- rows of outcomes --- */

static enum status take_outcome(void *context, struct cursor fields, struct error *err)
{
    struct seed *seed = context;
    struct place place;
    bool whole;
    if (!take_place(seed, &fields, &place, &whole))
        return whole ? STATUS_OK : no_row(err);
    const struct state_record marker = {
        .employee_id = place.employee_id,
        .occurred_at_ms = place.occurred_at_ms,
        .source_offset = source_offset(seed, &place),
        .left = true,
        .row = SPAN_LITERAL(""),
    };
    seed->markers++;
    return put(seed, &place, &marker, err);
}

/* --- the whole --- */

static enum status read_database(struct seed *seed, struct error *err)
{
    const struct audit_table latest = {
        .target = "latest_predictions (employee_id, occurred_at, prediction, probability, margin, threshold, "
                  "model_name, model_version, input)",
        .partition = "output_partition",
        .offset = "output_offset",
        .source = "source_partition, source_offset",
        .topic_column = "source_topic",
        .topic = seed->settings->input_topic,
    };
    const struct audit_table outcomes = {
        .target = "outcomes (employee_id, occurred_at)",
        .partition = "partition",
        .offset = "\"offset\"",
        .source = "source_partition, source_offset",
        .topic_column = "source_topic",
        .topic = seed->settings->input_topic,
        .where = "occurred_at = (SELECT max(o.occurred_at) FROM attrition.outcomes AS o WHERE o.employee_id = "
                 "outcomes.employee_id)",
    };
    struct audit_database *database;
    enum status status =
        audit_database_new(secret_text(seed->settings->database_url), state_group_cluster(seed->group), &database, err);
    if (status != STATUS_OK)
        return status;
    status = audit_database_rows(database, &latest, take_latest, seed, err);
    if (status == STATUS_OK)
        status = audit_database_rows(database, &outcomes, take_outcome, seed, err);
    audit_database_free(database);
    return status;
}

static enum status commit(struct seed *seed, struct error *err)
{
    int32_t parts = state_group_parts(seed->group);
    int64_t *counts = mem_zeroed((size_t)parts + 1, sizeof *counts);
    for (int32_t p = 0; p < parts; p++)
        counts[p] = (int64_t)state_count_of(seed->state, p);
    enum status status = state_group_commit(seed->group, counts, err);
    free(counts);
    return status;
}

static void log_done(const struct seed *seed)
{
    log_info("state",
             "%s: %" PRIu64 " records and %" PRIu64 " markers of who has left were written; %" PRIu64
             " employees had theirs already",
             seed->settings->state_topic, seed->records, seed->markers, seed->known);
    if (seed->elsewhere)
        log_warn("state",
                 "%" PRIu64
                 " rows were left out: they are of partitions that group %s has no offsets of, or do not say "
                 "of which",
                 seed->elsewhere, seed->settings->group_id);
    if (seed->unreadable)
        log_warn("state", "%" PRIu64 " employees got no record: their attributes cannot be read with these schemas",
                 seed->unreadable);
}

static enum status run(struct seed *seed, bool empty, struct error *err)
{
    static const struct json_settings plain = {.time_unit = TIME_UNIT_EXACT_MS};
    enum status status = state_group_new(seed->settings, &seed->group, err);
    if (status == STATUS_OK && state_group_parts(seed->group) != state_group_inputs(seed->group))
        status = error_set(err, STATUS_CONFLICT, "%s has %d partitions and %s has %d: scorer state repartition first",
                           seed->settings->state_topic, (int)state_group_parts(seed->group),
                           seed->settings->input_topic, (int)state_group_inputs(seed->group));
    if (status == STATUS_OK)
        status = state_group_read(seed->group, err);
    if (status == STATUS_OK)
        status = decoder_new(seed->settings->schema, &seed->decoder, err);
    if (status != STATUS_OK)
        return status;
    decoder_take_json(seed->decoder, INPUT_FORMAT_JSON, &plain);
    seed->state = state_group_records(seed->group);
    seed->cells = mem_zeroed(seed->settings->schema->column_count, sizeof *seed->cells);
    if (!empty)
        status = read_database(seed, err);
    return status == STATUS_OK ? commit(seed, err) : status;
}

enum status state_seed(const struct settings *settings, bool empty, struct error *err)
{
    struct seed seed = {.settings = settings};
    enum status status = run(&seed, empty, err);
    if (status == STATUS_OK)
        log_done(&seed);
    decoder_free(seed.decoder);
    state_group_free(seed.group);
    free(seed.cells);
    buffer_free(&seed.json);
    buffer_free(&seed.row);
    return status;
}
