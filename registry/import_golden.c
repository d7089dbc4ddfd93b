/* Golden rows of `registry import --golden`: see import.h. Called once by import.c, on the program's only thread. Must
 * never let a row in that the model does not reproduce. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/memory.h"
#include "events/json_row.h"
#include "pipeline/metadata.h"
#include "registry/import.h"

struct golden_reader {
    const char *path;
    const struct schema *schema;
    const struct pipeline *pipeline;
    struct cell *cells;
    struct import_text text;
    struct json_writer json;
    double tolerance;
    bool of_file;
    size_t line, rows;
    size_t differing,
        differing_missing; /* rows that the model does not reproduce; those of them with a value missing */
    size_t worst_line;
    double worst, worst_given, worst_model;
    struct error *err;
};

bool import_next_line(struct span *rest, struct span *line)
{
    if (rest->bytes == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->bytes);
    size_t bytes = end ? (size_t)(end - rest->data) : rest->bytes, taken = bytes + (end != NULL);
    while (bytes && (rest->data[bytes - 1] == '\r' || rest->data[bytes - 1] == ' '))
        bytes--;
    *line = (struct span){rest->data, bytes};
    *rest = (struct span){rest->data + taken, rest->bytes - taken};
    return true;
}

enum status import_line(struct span line, const char *path, size_t number, json_t **root, json_t **attributes,
                        struct error *err)
{
    json_error_t where;
    json_t *read = json_loadb(line.data, line.bytes, JSON_REJECT_DUPLICATES, &where);
    json_t *inner = json_object_get(read, "attributes");
    if (!json_is_object(read) || (inner && !json_is_object(inner))) {
        json_decref(read);
        return error_set(err, STATUS_INVALID, "%.200s line %zu: not a JSON object of attributes: give one a line", path,
                         number);
    }
    *root = read;
    *attributes = inner ? inner : read;
    return STATUS_OK;
}

void import_text_free(struct import_text *text)
{
    json_reader_free(&text->reader);
    free(text->text);
}

bool import_row_read(struct import_text *text, const struct schema *schema, const json_t *attributes, bool checked,
                     struct cell *cells, struct fault *fault)
{
    free(text->text);
    text->text = json_dumps(attributes, JSON_COMPACT);
    json_reader_reset(&text->reader);
    return json_row_read_text(&text->reader, span_of(text->text ? text->text : ""), schema, checked, cells, fault, 1) ==
           0;
}

static enum status names_check(struct golden_reader *reader, const json_t *attributes)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)attributes, key, value)
        if (schema_column(reader->schema, span_of(key)) < 0)
            return error_set(reader->err, STATUS_INVALID, "%.200s line %zu: the schema has no column '%.60s'",
                             reader->path, reader->line, key);
    return STATUS_OK;
}

static void difference_note(struct golden_reader *reader, double difference, double model, double given)
{
    const struct pipeline_input *inputs;
    size_t count = pipeline_inputs(reader->pipeline, &inputs);
    bool missing = false;
    for (size_t i = 0; i < count; i++)
        missing |= reader->cells[inputs[i].column].code == CELL_MISSING;
    reader->differing_missing += missing;
    if (reader->differing++ > 0 && !(difference > reader->worst))
        return;
    reader->worst = difference;
    reader->worst_line = reader->line;
    reader->worst_model = model;
    reader->worst_given = given;
}

/* The model's own probability where none is given. */
static enum status probability_settle(struct golden_reader *reader, const json_t *given, double *out)
{
    struct score score;
    pipeline_score(reader->pipeline, reader->cells, 1, 0, &score, NULL);
    *out = given ? json_number_value(given) : score.probability;
    if (given && (!json_is_number(given) || !(*out >= 0 && *out <= 1)))
        return error_set(reader->err, STATUS_INVALID, "%.200s line %zu: probability is not a number from 0 to 1",
                         reader->path, reader->line);
    double difference = fabs(score.probability - *out);
    if (!(difference <= reader->tolerance))
        difference_note(reader, difference, score.probability, *out);
    return STATUS_OK;
}

/* All rows that the model does not reproduce, in one message. */
static enum status differences_refuse(struct golden_reader *reader)
{
    static const char SOURCE[] =
        "the export changed the model (known of LinearDiscriminantAnalysis, of trees with missing values, HistGB's "
        "categories, LightGBM rf): export otherwise, or take the file's own by --golden-from file";
    static const char ITSELF[] = "take the rows from onnxruntime with this very file";
    char missing[64] = "";
    if (reader->differing_missing == reader->differing)
        snprintf(missing, sizeof missing, ", all of them with a value missing");
    return error_set(reader->err, STATUS_INVALID,
                     "%.200s line %zu: the model gives %.17g here, the golden row says %.17g (difference %.3g, allowed "
                     "%.3g); %zu of %zu rows differ%s; is %.60s the positive class? Else %s",
                     reader->path, reader->worst_line, reader->worst_model, reader->worst_given, reader->worst,
                     reader->tolerance, reader->differing, reader->rows, missing,
                     pipeline_positive_label(reader->pipeline), reader->of_file ? ITSELF : SOURCE);
}

static enum status golden_add_row(struct golden_reader *reader, const json_t *root, const json_t *attributes)
{
    struct fault fault;
    double probability = 0;
    enum status status = names_check(reader, attributes);
    if (status != STATUS_OK)
        return status;
    if (!import_row_read(&reader->text, reader->schema, attributes, false, reader->cells, &fault))
        return error_set(reader->err, STATUS_INVALID, "%.200s line %zu: %s", reader->path, reader->line, fault.text);
    status = probability_settle(reader, root == attributes ? NULL : json_object_get(root, "probability"), &probability);
    if (status != STATUS_OK)
        return status;
    reader->rows++;
    json_begin_object(&reader->json, NULL);
    json_add_row(json_write_raw(&reader->json, "attributes"), reader->schema->columns, reader->schema->column_count,
                 reader->cells);
    json_write_double(&reader->json, "probability", probability);
    json_end_object(&reader->json);
    return STATUS_OK;
}

static enum status golden_read_lines(struct golden_reader *reader, struct span rest)
{
    struct span line;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && import_next_line(&rest, &line)) {
        json_t *root, *attributes;
        reader->line++;
        if (line.bytes == 0)
            continue;
        if (import_line(line, reader->path, reader->line, &root, &attributes, reader->err) != STATUS_OK)
            return reader->err->status;
        status = golden_add_row(reader, root, attributes);
        json_decref(root);
    }
    if (status == STATUS_OK && (reader->rows == 0 || reader->rows > METADATA_GOLDEN_MAX_ROWS))
        status = error_set(reader->err, STATUS_INVALID, "%.200s has %zu golden rows: give 1 to %d", reader->path,
                           reader->rows, METADATA_GOLDEN_MAX_ROWS);
    return status == STATUS_OK && reader->differing ? differences_refuse(reader) : status;
}

/* Of its source, which computes in doubles, a graph of floats is a few roundings away. */
static double tolerance_of(const struct pipeline *pipeline, bool of_file)
{
    static const double EXACT = 1e-9, OF_SOURCE = 1e-5;
    double own = pipeline_tolerance(pipeline);
    return of_file || own < EXACT ? own : OF_SOURCE;
}

enum status import_golden(const char *path, bool of_file, const struct schema *schema, const struct pipeline *pipeline,
                          struct buffer *out, struct error *err)
{
    struct buffer file = {0};
    struct golden_reader reader = {.path = path,
                                   .of_file = of_file,
                                   .tolerance = tolerance_of(pipeline, of_file),
                                   .schema = schema,
                                   .pipeline = pipeline,
                                   .json = json_writer_of(out),
                                   .err = err};
    enum status status = file_read(path, IMPORT_MAX_ROWS_BYTES, &file, err);
    reader.cells = mem_zeroed(schema->column_count, sizeof *reader.cells);
    json_begin_object(&reader.json, NULL);
    buffer_printf(json_write_raw(&reader.json, "tolerance"), "%g", reader.tolerance);
    json_begin_array(&reader.json, "rows");
    if (status == STATUS_OK)
        status = golden_read_lines(&reader, buffer_span(&file));
    if (status == STATUS_OK) {
        json_end_array(&reader.json);
        json_end_object(&reader.json);
    }
    free(reader.cells);
    import_text_free(&reader.text);
    buffer_free(&file);
    return status;
}
