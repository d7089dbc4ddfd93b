/* Reading predictions of other versions: see prediction_versions.h. On the sink's thread. Older versions take the way
 * through Avro's JSON form: slow and simple, for what lies in a topic from before an upgrade. */
#include "events/prediction_versions.h"

#include <math.h>
#include <stdlib.h>

#include "events/fault.h"
#include "events/frame.h"
#include "events/writers.h"

struct prediction_versions {
    const struct schema_parts *parts;
    struct writers *writers;
    struct machine *machine;
    struct buffer json;
};

struct prediction_versions *prediction_versions_new(const struct schema *schema)
{
    const struct schema_parts *parts = schema_parts(schema);
    struct prediction_versions *versions = mem_zeroed(1, sizeof *versions);
    versions->parts = parts;
    versions->machine = machine_new();
    versions->writers = writers_new(schema->prediction, NULL);
    for (size_t v = 0; v < parts->prediction_count; v++) {
        const struct schema_key key = schema_key_of_id(parts->predictions[v].id);
        (void)writers_add(versions->writers, &key, avro_schema_type(parts->predictions[v].schema), NULL);
    }
    return versions;
}

void prediction_versions_free(struct prediction_versions *versions)
{
    if (!versions)
        return;
    writers_free(versions->writers);
    machine_free(versions->machine);
    buffer_free(&versions->json);
    free(versions);
}

void prediction_versions_use_registry(struct prediction_versions *versions, struct registry_client *registry)
{
    writers_use_registry(versions->writers, registry);
}

/* From JSON. The plan wrote it by the reader schema, which schema_load holds against this code: every field is there.
 */

/* A field's value without the object that names its union's branch; NULL: null. */
static const json_t *branch(const json_t *record, const char *name)
{
    json_t *value = json_object_get(record, name);
    if (json_is_object(value))
        value = json_object_iter_value(json_object_iter(value));
    return json_is_null(value) ? NULL : value;
}

static struct span text_of(const json_t *value, struct arena *arena)
{
    if (!json_is_string(value))
        return SPAN_NULL;
    size_t bytes = json_string_length(value);
    return (struct span){arena_text(arena, json_string_value(value), bytes), bytes};
}

static double number_of(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text)
        return *text == 'N' ? NAN : *text == '-' ? -INFINITY : INFINITY;
    return json_number_value(value);
}

static int64_t whole_of(const json_t *record, const char *name)
{
    return json_integer_value(json_object_get(record, name));
}

static uint32_t symbol_of(const json_t *value, const char *const *symbols, size_t count)
{
    const char *text = json_string_value(value);
    for (uint32_t s = 0; text && s < count; s++)
        if (strcmp(symbols[s], text) == 0)
            return s;
    return 0;
}

static bool read_reasons(const struct schema *schema, const json_t *list, struct arena *arena, struct prediction *out)
{
    size_t count = json_array_size(list);
    bool known = true;
    struct reason *reasons = arena_take(arena, (count + 1) * sizeof *reasons);
    for (size_t r = 0; r < count; r++) {
        const json_t *item = json_array_get(list, r);
        int32_t column = schema_column(schema, text_of(json_object_get(item, "feature"), arena));
        known = known && column >= 0;
        reasons[r] =
            (struct reason){column < 0 ? 0 : (uint32_t)column, number_of(json_object_get(item, "contribution"))};
    }
    out->reasons = reasons;
    out->reason_count = count;
    return known;
}

static void read_challengers(const json_t *list, struct arena *arena, struct prediction *out)
{
    size_t count = json_array_size(list);
    struct challenger_score *scores = arena_take(arena, (count + 1) * sizeof *scores);
    for (size_t c = 0; c < count; c++) {
        const json_t *item = json_array_get(list, c);
        scores[c].model = text_of(json_object_get(item, "model"), arena);
        scores[c].probability = number_of(json_object_get(item, "probability"));
    }
    out->challengers = scores;
    out->challenger_count = count;
}

static void read_source(const json_t *source, struct arena *arena, struct prediction *out)
{
    if (!source)
        return;
    out->source_topic = text_of(json_object_get(source, "topic"), arena);
    out->source_partition = (int32_t)whole_of(source, "partition");
    out->source_offset = whole_of(source, "offset");
}

static struct cell read_cell(const struct column *column, const json_t *value, struct arena *arena)
{
    if (!value)
        return cell_missing(column);
    if (column->kind != COLUMN_NOMINAL)
        return cell_number(number_of(value));
    struct span text = text_of(value, arena);
    return (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = column_code(column, text)};
}

static bool read_all(const struct schema *schema, const json_t *json, struct arena *arena, struct prediction *out)
{
    const struct avro_type *type = schema->prediction;
    const json_t *model = json_object_get(json, "model"), *attributes = json_object_get(json, "attributes");
    struct cell *cells = arena_take(arena, (schema->column_count + 1) * sizeof *cells);
    static const char *const channels[] = {"STREAM", "HTTP"};
    out->event_id = text_of(json_object_get(json, "event_id"), arena);
    out->employee_id = text_of(branch(json, "employee_id"), arena);
    out->occurred_at_ms = whole_of(json, "occurred_at");
    for (size_t f = 0; f < type->field_count; f++)
        if (strcmp(type->fields[f].name, "prediction") == 0)
            out->label = symbol_of(json_object_get(json, "prediction"), type->fields[f].type->symbols,
                                   type->fields[f].type->symbol_count);
    out->probability = number_of(json_object_get(json, "probability"));
    out->threshold = number_of(json_object_get(json, "threshold"));
    out->margin = number_of(json_object_get(json, "margin"));
    out->base = number_of(json_object_get(json, "base"));
    out->model = (struct model_stamp){text_of(json_object_get(model, "name"), arena),
                                      text_of(json_object_get(model, "version"), arena),
                                      text_of(branch(model, "alias"), arena), text_of(branch(model, "run_id"), arena)};
    read_challengers(json_object_get(json, "challengers"), arena, out);
    out->scored_at_us = whole_of(json, "scored_at");
    out->latency_us = whole_of(json, "latency_us");
    read_source(branch(json, "source"), arena, out);
    out->channel = (enum channel)symbol_of(json_object_get(json, "channel"), channels, 2);
    for (size_t c = 0; c < schema->column_count; c++)
        cells[c] = read_cell(&schema->columns[c], branch(attributes, schema->columns[c].name), arena);
    out->cells = cells;
    return read_reasons(schema, json_object_get(json, "reasons"), arena, out);
}

static enum event_code read_other(struct prediction_versions *versions, const struct writer *writer, struct span datum,
                                  struct arena *arena, struct prediction *out, struct fault *fault)
{
    struct prediction decoded = {0};
    buffer_clear(&versions->json);
    enum event_code code = plan_run_json(writer->plan, versions->machine, datum, &versions->json, fault);
    if (code != EVENT_OK)
        return code;
    json_t *json = json_loadb(versions->json.data, versions->json.bytes, JSON_ALLOW_NUL, NULL);
    if (!json)
        return fault_set(fault, EVENT_LIMIT, FAULT_NO_COLUMN, "nested deeper than can be read");
    bool known = read_all(&versions->parts->schema, json, arena, &decoded);
    json_decref(json);
    if (!known)
        return fault_set(fault, EVENT_UNRESOLVABLE, FAULT_NO_COLUMN, "a reason names a feature that the schema lacks");
    *out = decoded;
    return EVENT_OK;
}

enum event_code prediction_versions_read(struct prediction_versions *versions, struct span value, struct span header,
                                         struct arena *arena, struct prediction *out, struct fault *fault, bool *waits)
{
    const struct schema *schema = &versions->parts->schema;
    struct frame frame;
    const struct writer *writer;
    *waits = false;
    enum event_code code = frame_read(value, header, &frame, fault);
    if (code != EVENT_OK)
        return code;
    uint32_t ours = schema->prediction_schema_id;
    if (ours && !frame.key.is_guid && frame.key.id == ours)
        return prediction_decode_datum(schema, frame.datum, arena, out, fault);
    code = writers_find(versions->writers, &frame.key, &writer, fault, waits);
    if (code != EVENT_OK)
        return code;
    if (writer->same)
        return prediction_decode_datum(schema, frame.datum, arena, out, fault);
    return read_other(versions, writer, frame.datum, arena, out, fault);
}
