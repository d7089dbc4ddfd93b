/* CSV → description: see describe.h. Called once by `trainer describe`, on its only thread. One pass, row by row: what
 * is kept grows with the distinct values, not with the rows. It must never stop at a bad cell or line. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/null_values.h"
#include "base/sha256.h"
#include "base/text_file.h"
#include "events/validate.h"
#include "trainer/report/describe_facts.h"

enum { ROW_FAULTS = 64, HEADER_MOST = 4096 };

struct reading {
    struct description *out;
    size_t *places; /* per field of the file: index of its facts */
    size_t field_count;
    struct cell *cells; /* the row at hand, in schema order */
    uint32_t *codes;    /* likewise: places of its values; then its class */
    uint8_t *missing;   /* likewise: a bit each, whether it has none */
    struct sha256 *sha256;
    struct buffer row;                  /* what it is compared with others by */
    struct value_counts different_rows; /* digests */
    struct null_values null_values;
};

static void offend(struct offence *offence, size_t line)
{
    if (offence->count < LINES_SHOWN)
        offence->lines[offence->count] = line;
    offence->count++;
}

static enum column_role role_of(const struct schema *schema, struct span name)
{
    if (schema_column(schema, name) >= 0)
        return ROLE_FEATURE;
    if (schema->target_name && span_equal(name, span_of(schema->target_name)))
        return ROLE_TARGET;
    if (schema->id_name && span_equal(name, span_of(schema->id_name)))
        return ROLE_ID;
    return schema_ignores(schema, name) ? ROLE_IGNORED : ROLE_UNKNOWN;
}

static char *flat_name(struct span name)
{
    char *text = mem_text_n(name.data ? name.data : "", name.bytes < 200 ? name.bytes : 200);
    text_flatten(text);
    return text;
}

static void begin_columns(struct reading *reading, size_t field_count)
{
    struct description *out = reading->out;
    const struct schema *schema = out->schema;
    out->columns = mem_zeroed(schema->column_count + field_count, sizeof *out->columns);
    out->column_count = schema->column_count;
    out->rules = mem_zeroed(schema->rule_count + 1, sizeof *out->rules);
    for (size_t c = 0; c < schema->column_count; c++)
        out->columns[c] = (struct column_facts){
            .name = mem_text(schema->columns[c].name), .column = &schema->columns[c], .index = (uint32_t)c};
    reading->places = mem_zeroed(field_count + 1, sizeof *reading->places);
    reading->field_count = field_count;
    reading->cells = mem_zeroed(schema->column_count + 1, sizeof *reading->cells);
    reading->codes = mem_zeroed(schema->column_count + 1, sizeof *reading->codes);
    reading->missing = mem_zeroed(schema->column_count / 8 + 1, 1);
    reading->sha256 = sha256_new();
    row_sample_init(&out->sample, schema->column_count + 1);
}

static enum status place_field(struct reading *reading, size_t field, struct span name, struct error *err)
{
    struct description *out = reading->out;
    enum column_role role = role_of(out->schema, name);
    size_t place = role == ROLE_FEATURE ? (size_t)schema_column(out->schema, name) : out->column_count++;
    struct column_facts *facts = &out->columns[place];
    if (facts->present || (role == ROLE_TARGET && out->labelled))
        return error_set(err, STATUS_INVALID, "%s:1: duplicate column \"%.100s\": keep one", out->path,
                         facts->name ? facts->name : out->schema->target_name);
    if (!facts->name)
        facts->name = flat_name(name);
    facts->role = role;
    facts->present = true;
    out->labelled |= role == ROLE_TARGET;
    reading->places[field] = place;
    return STATUS_OK;
}

static enum status describe_read_header(struct reading *reading, struct csv *csv, struct error *err)
{
    struct csv_record record;
    bool more;
    struct description *out = reading->out;
    enum status status = csv_next(csv, &record, &more, err);
    if (status != STATUS_OK)
        return error_prefix(err, "the header cannot be read, so this is no CSV table");
    if (!more)
        return error_set(err, STATUS_INVALID, "%s: the file is empty: give a CSV file with a header", out->path);
    if (record.field_count > HEADER_MOST)
        return error_set(err, STATUS_LIMIT, "%s:1: %zu columns: at most %d can be described", out->path,
                         record.field_count, HEADER_MOST);
    size_t known = 0;
    begin_columns(reading, record.field_count);
    for (size_t f = 0; f < record.field_count && status == STATUS_OK; f++) {
        known += role_of(out->schema, record.fields[f]) == ROLE_FEATURE;
        status = place_field(reading, f, record.fields[f], err);
    }
    if (status == STATUS_OK && known == 0)
        return error_set(err, STATUS_INVALID,
                         "%s:1: none of the schema's %zu features stands in the header: is this the table's header "
                         "line? (read with the delimiter \"%c\")",
                         out->path, out->schema->column_count, csv_delimiter(csv));
    return status;
}

/* Index of the label among the target's two values, or VALUE_UNLABELLED. */
static int read_label(struct reading *reading, const struct csv_record *record)
{
    struct description *out = reading->out;
    const struct schema *schema = out->schema;
    for (size_t f = 0; f < reading->field_count; f++) {
        if (out->columns[reading->places[f]].role != ROLE_TARGET)
            continue;
        for (size_t v = 0; v < schema->target_count && schema->target_count == 2; v++)
            if (span_equal(record->fields[f], schema->target_values[v]))
                return (int)v;
        if (record->fields[f].bytes)
            offend(&out->columns[reading->places[f]].offences[EVENT_UNKNOWN_CATEGORY], record->line);
    }
    return VALUE_UNLABELLED;
}

static void describe_read_missing(struct reading *reading, struct column_facts *facts)
{
    facts->missing++;
    reading->missing[facts->index / 8] |= (uint8_t)(1 << facts->index % 8);
}

static bool describe_read_feature(struct reading *reading, struct column_facts *facts, struct span text, size_t line,
                                  int class)
{
    struct cell *cell = &reading->cells[facts->index];
    uint32_t *code = &reading->codes[facts->index];
    struct fault fault;
    enum event_code wrong = validate_text_cell(facts->column, text, true, cell, &fault, (int32_t)facts->index);
    if (wrong != EVENT_OK) {
        *cell = cell_missing(facts->column);
        offend(&facts->offences[wrong], line);
        return false;
    }
    if (cell->code == CELL_MISSING)
        describe_read_missing(reading, facts);
    else if (facts->column->kind == COLUMN_NOMINAL)
        *code = value_counts_add_text(&facts->values, (struct span){cell->text, cell->text_bytes}, class);
    else
        *code = value_counts_add_number(&facts->values, cell->number, class);
    return true;
}

static void describe_read_other(struct column_facts *facts, struct span text, int class)
{
    if (text.bytes)
        value_counts_add_text(&facts->values, text, class);
    else
        facts->missing++;
}

static bool describe_read_cells(struct reading *reading, const struct csv_record *record, int class)
{
    struct description *out = reading->out;
    for (size_t c = 0; c < out->schema->column_count; c++) {
        reading->cells[c] = cell_missing(&out->schema->columns[c]);
        reading->codes[c] = PAIR_MISSING;
    }
    memset(reading->missing, 0, out->schema->column_count / 8 + 1);
    bool sound = true;
    for (size_t f = 0; f < reading->field_count; f++) {
        struct column_facts *facts = &out->columns[reading->places[f]];
        struct span text = record->fields[f];
        if (null_values_have(&reading->null_values, text))
            text.bytes = 0;
        if (facts->role != ROLE_FEATURE) {
            describe_read_other(facts, text, class);
            continue;
        }
        sound &= describe_read_feature(reading, facts, text, record->line, class);
    }
    return sound;
}

static void check_row(struct reading *reading, size_t line, bool *sound)
{
    struct description *out = reading->out;
    const struct schema *schema = out->schema;
    struct fault faults[ROW_FAULTS];
    size_t count = validate_row_all(schema, reading->cells, faults, ROW_FAULTS);
    for (size_t i = 0; i < count; i++) {
        *sound = false;
        if (faults[i].code != EVENT_RULE && faults[i].column >= 0)
            offend(&out->columns[faults[i].column].offences[faults[i].code], line);
    }
    for (size_t r = 0; r < schema->rule_count; r++) /* a missing operand is NaN, which is not greater */
        if (reading->cells[schema->rules[r].left].number > reading->cells[schema->rules[r].right].number)
            offend(&out->rules[r], line);
}

/* What holds the row as a whole: its set of missing values, its place in the sample, whether it was there before. */
static void describe_read_whole(struct reading *reading, const struct csv_record *record)
{
    struct description *out = reading->out;
    uint8_t digest[SHA256_BYTES];
    value_counts_add_text(&out->missing,
                          (struct span){(const char *)reading->missing, out->schema->column_count / 8 + 1}, 0);
    row_sample_add(&out->sample, reading->codes);
    reading->row.bytes = 0;
    for (size_t f = 0; f < reading->field_count; f++)
        if (out->columns[reading->places[f]].role != ROLE_ID) {
            buffer_add(&reading->row, &record->fields[f].bytes, sizeof record->fields[f].bytes);
            buffer_add(&reading->row, record->fields[f].data, record->fields[f].bytes);
        }
    sha256_digest(reading->sha256, buffer_span(&reading->row), digest);
    value_counts_add_text(&reading->different_rows, (struct span){(const char *)digest, sizeof digest}, 0);
}

static void describe_read_row(struct reading *reading, const struct csv_record *record)
{
    struct description *out = reading->out;
    if (record->field_count != reading->field_count) {
        offend(&out->ragged, record->line);
        out->faulty_rows++;
        return;
    }
    int class = read_label(reading, record);
    reading->codes[out->schema->column_count] = (uint32_t) class;
    bool sound = describe_read_cells(reading, record, class);
    describe_read_whole(reading, record);
    check_row(reading, record->line, &sound);
    if (out->labelled && class == VALUE_UNLABELLED)
        sound = false;
    out->faulty_rows += !sound;
    out->labels[class]++;
    out->rows++;
}

static enum status describe_read_rows(struct reading *reading, struct csv *csv, struct error *err)
{
    struct description *out = reading->out;
    struct csv_record record;
    for (bool more = true; more;) {
        enum status status = csv_next(csv, &record, &more, err);
        if (status == STATUS_INVALID || status == STATUS_LIMIT) {
            offend(&out->broken, record.line);
            out->faulty_rows++;
            more = true;
        } else if (status != STATUS_OK) {
            return status;
        } else if (more) {
            describe_read_row(reading, &record);
        }
    }
    if (out->rows == 0 && out->faulty_rows)
        return error_set(err, STATUS_INVALID,
                         "%s: none of %zu lines below the header can be read as a row of %zu fields", out->path,
                         out->faulty_rows, reading->field_count);
    if (out->rows == 0)
        return error_set(err, STATUS_INVALID, "%s: there are no rows below the header: nothing to describe", out->path);
    for (size_t c = 0; c < out->column_count; c++)
        describe_finish(&out->columns[c], out->rows);
    out->duplicates = out->rows - reading->different_rows.count - reading->different_rows.beyond;
    value_counts_sort_by_count(&out->missing);
    describe_measure_pairs(out);
    return STATUS_OK;
}

/* Streams: pipes and files of any size. */
static enum status read_file(const char *path, struct reading *reading, struct error *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return file_error(err, errno, "read", path);
    struct byte_reader *text = byte_reader_of_descriptor(file, path);
    struct csv *csv = NULL;
    enum status status = text_file_open(&text, "trainer", path, NULL, err);
    if (status == STATUS_OK) {
        csv = csv_new(text, path, 0);
        status = describe_read_header(reading, csv, err);
    }
    if (status == STATUS_OK)
        status = describe_read_rows(reading, csv, err);
    csv_free(csv);
    byte_reader_free(text);
    close(file);
    return status;
}

static void reading_clear(struct reading *reading)
{
    free(reading->places);
    free(reading->cells);
    free(reading->codes);
    free(reading->missing);
    sha256_free(reading->sha256);
    buffer_free(&reading->row);
    value_counts_free(&reading->different_rows);
}

enum status describe_read(const char *path, const struct schema *schema, const char *null_values,
                          struct description *out, struct error *err)
{
    struct description made = {.schema = schema, .path = mem_text(path)};
    struct reading reading = {.out = &made};
    if (!null_values_parse(null_values, &reading.null_values))
        return error_set(err, STATUS_INVALID, "--null-values has more than %d texts", NULL_VALUES_MAX);
    enum status status = read_file(path, &reading, err);
    reading_clear(&reading);
    if (status == STATUS_OK)
        *out = made;
    else
        describe_free(&made);
    return status;
}

void describe_free(struct description *description)
{
    for (size_t c = 0; description->columns && c < description->column_count; c++) {
        free(description->columns[c].name);
        value_counts_free(&description->columns[c].values);
        histogram_clear(&description->columns[c].histogram);
    }
    value_counts_free(&description->missing);
    row_sample_free(&description->sample);
    free(description->pairs);
    free(description->columns);
    free(description->rules);
    free(description->path);
    *description = (struct description){0};
}
