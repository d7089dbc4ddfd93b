/* POST /v2/models/{name}[/versions/{v}]/infer: tensors in JSON, one per column, turned into /predict's rows. See
 * docs/HTTP.md. On the server's threads; waits for nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scorer/http/body.h"
#include "scorer/http/open_inference.h"

struct infer {
    const struct service *service;
    const struct request *request;
    struct answer *answer;
    const json_t *root, *inputs;
    struct json_reader *reader; /* of single rows */
    size_t count;               /* rows */
    enum inference_output wanted[INFERENCE_OUTPUTS];
    size_t wanted_count;
    struct rows rows;
    struct faults faults;
};

static bool __attribute__((format(printf, 2, 3))) refuse(struct infer *infer, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    text_vprint(text, sizeof text, format, args);
    va_end(args);
    inference_refuse(infer->answer, 400, text);
    return false;
}

static bool is_truthy(const json_t *parameters, const char *name)
{
    const json_t *value = json_object_get(parameters, name);
    return value && !json_is_false(value) && !json_is_null(value);
}

static bool datatype_fits(const struct column *column, const char *datatype)
{
    static const char *const numbers[] = {"INT8",   "INT16",  "INT32", "INT64", "UINT8", "UINT16",
                                          "UINT32", "UINT64", "FP16",  "FP32",  "FP64"};
    if (column->kind == COLUMN_NOMINAL)
        return !strcmp(datatype, "BYTES");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(datatype, numbers[i]))
            return true;
    return false;
}

/* [N] or [N, 1]; false: neither. */
static bool shape_rows(const json_t *shape, size_t *rows)
{
    const json_t *first = json_array_get(shape, 0), *second = json_array_get(shape, 1);
    size_t dimensions = json_array_size(shape);
    if (!json_is_integer(first) || json_integer_value(first) < 0 || dimensions > 2 ||
        (dimensions == 2 && json_integer_value(second) != 1))
        return false;
    *rows = (size_t)json_integer_value(first);
    return true;
}

/* A tensor's element: data is flat, or one list a row. */
static const json_t *element(const json_t *input, size_t row)
{
    const json_t *value = json_array_get(json_object_get(input, "data"), row);
    return json_is_array(value) ? json_array_get(value, 0) : value;
}

static bool check_nesting(struct infer *infer, const json_t *data, const char *name)
{
    size_t row;
    json_t *value;
    json_array_foreach ((json_t *)data, row, value)
        if (json_is_array(value) && json_array_size(value) != 1)
            return refuse(infer, "input %s: row %zu is a list of other than one value", name, row);
    return true;
}

static bool check_input(struct infer *infer, size_t index)
{
    const struct schema *schema = infer->service->view.settings->schema;
    const json_t *input = json_array_get(infer->inputs, index), *data = json_object_get(input, "data");
    const char *name = json_string_value(json_object_get(input, "name"));
    const char *datatype = json_string_value(json_object_get(input, "datatype"));
    size_t rows = 0;
    if (is_truthy(json_object_get(input, "parameters"), "binary_data_size"))
        return refuse(infer, "binary tensors (binary_data_size) are not read: send tensors as JSON");
    if (!name || !datatype)
        return refuse(infer, "inputs[%zu] has no name or no datatype", index);
    int32_t column = schema_column(schema, span_of(name));
    if (column < 0)
        return refuse(infer, "input %.200s is no column of the schema", name);
    for (size_t before = 0; before < index; before++)
        if (!strcmp(json_string_value(json_object_get(json_array_get(infer->inputs, before), "name")), name))
            return refuse(infer, "duplicate input %s", name);
    if (!datatype_fits(&schema->columns[column], datatype))
        return refuse(infer, "input %s: datatype %.20s does not fit; it is %s", name, datatype,
                      inference_datatype(&schema->columns[column]));
    if (!shape_rows(json_object_get(input, "shape"), &rows))
        return refuse(infer, "input %s: its shape is neither [N] nor [N,1]", name);
    if (!json_is_array(data) || json_array_size(data) != rows)
        return refuse(infer, "input %s: data has %zu values, the shape says %zu", name, json_array_size(data), rows);
    if (index && rows != infer->count)
        return refuse(infer, "input %s has %zu rows, the first input %zu", name, rows, infer->count);
    infer->count = rows;
    return check_nesting(infer, data, name);
}

static bool check_inputs(struct infer *infer)
{
    infer->inputs = json_object_get(infer->root, "inputs");
    if (!json_is_object(infer->root))
        return refuse(infer, "the body is not an object");
    if (!json_array_size(infer->inputs))
        return refuse(infer, "inputs: a list of tensors is needed, one for each column that is known");
    for (size_t i = 0; i < json_array_size(infer->inputs); i++)
        if (!check_input(infer, i))
            return false;
    if (!infer->count || infer->count > ROWS_MAX)
        return refuse(infer, "%zu rows: from 1 to %d are scored at once", infer->count, ROWS_MAX);
    return true;
}

static bool check_output(struct infer *infer, const json_t *output)
{
    const char *name = json_string_value(json_object_get(output, "name"));
    const json_t *parameters = json_object_get(output, "parameters");
    size_t o = 0;
    if (is_truthy(parameters, "classification"))
        return refuse(infer, "the classification extension is not supported");
    while (name && o < INFERENCE_OUTPUTS && strcmp(inference_outputs[o].name, name))
        o++;
    if (!name || o == INFERENCE_OUTPUTS)
        return refuse(infer, "outputs: %.200s is none of probability, prediction, reasons", name ? name : "(no name)");
    for (size_t before = 0; before < infer->wanted_count; before++)
        if (infer->wanted[before] == o)
            return refuse(infer, "output %s is asked for twice", name);
    infer->wanted[infer->wanted_count++] = (enum inference_output)o;
    return true;
}

static bool check_outputs(struct infer *infer)
{
    const json_t *outputs = json_object_get(infer->root, "outputs");
    if (outputs && !json_is_null(outputs) && !json_is_array(outputs))
        return refuse(infer, "outputs is not a list");
    for (size_t i = 0; i < json_array_size(outputs); i++)
        if (!check_output(infer, json_array_get(outputs, i)))
            return false;
    if (!infer->wanted_count)
        for (; infer->wanted_count < INFERENCE_OUTPUTS; infer->wanted_count++)
            infer->wanted[infer->wanted_count] = (enum inference_output)infer->wanted_count;
    return true;
}

static bool check_parameters(struct infer *infer)
{
    const json_t *parameters = json_object_get(infer->root, "parameters"), *id = json_object_get(infer->root, "id");
    if (parameters && !json_is_null(parameters) && !json_is_object(parameters))
        return refuse(infer, "parameters is not an object");
    if (id && !json_is_null(id) && !json_is_string(id))
        return refuse(infer, "id is not a text");
    const json_t *employees = json_object_get(parameters, "employee_id");
    bool is_list = json_is_array(employees);
    if (is_list ? json_array_size(employees) != infer->count : employees && infer->count != 1)
        return refuse(infer, "parameters.employee_id: one text for one row, or a list of as many as there are rows");
    return true;
}

static struct loc inputs_loc(void)
{
    return loc_name(loc_name((struct loc){0}, "body"), "inputs");
}

static struct loc row_loc(size_t row, const void *context)
{
    (void)context;
    return loc_index(inputs_loc(), row);
}

/* An employee id of a tree, as the rows want it. */
static struct json_value id_of(const json_t *id)
{
    if (!id || json_is_null(id))
        return (struct json_value){.kind = JSON_KIND_NULL};
    if (!json_is_string(id))
        return (struct json_value){.kind = JSON_KIND_NUMBER};
    return (struct json_value){.kind = JSON_KIND_TEXT, .text = {json_string_value(id), json_string_length(id)}};
}

/* A row's values as an object of attributes, in the reader's memory. */
static struct span attributes_of(struct infer *infer, size_t row)
{
    json_t *attributes = json_object();
    for (size_t i = 0; i < json_array_size(infer->inputs); i++) {
        const json_t *input = json_array_get(infer->inputs, i);
        json_object_set(attributes, json_string_value(json_object_get(input, "name")), (json_t *)element(input, row));
    }
    size_t bytes = json_dumpb(attributes, NULL, 0, JSON_COMPACT);
    char *text = arena_take(&infer->reader->texts, bytes + 1);
    (void)json_dumpb(attributes, text, bytes, JSON_COMPACT);
    json_decref(attributes);
    return (struct span){text, bytes};
}

static void read_row(struct infer *infer, size_t row)
{
    const json_t *employees = json_object_get(json_object_get(infer->root, "parameters"), "employee_id");
    const struct row_place place = {.before = inputs_loc(), .has_index = true, .index = row};
    struct loc loc = loc_name(loc_name(loc_name((struct loc){0}, "body"), "parameters"), "employee_id");
    const struct json_value id = id_of(json_is_array(employees) ? json_array_get(employees, row) : employees);
    json_reader_start(infer->reader, attributes_of(infer, row));
    rows_read_attributes(&infer->rows, row, infer->reader, &place, &infer->faults);
    rows_read_id(&id, json_is_array(employees) ? loc_index(loc, row) : loc, &infer->rows.ids[row].employee_id,
                 &infer->faults);
}

static void write_value(struct infer *infer, enum inference_output output, size_t row, struct buffer *scratch,
                        struct json_writer *json)
{
    struct json_writer reasons = json_writer_of(scratch);
    switch (output) {
    case INFERENCE_PROBABILITY:
        json_write_double(json, NULL, infer->rows.scores[row].probability);
        return;
    case INFERENCE_PREDICTION:
        json_write_text(json, NULL, rows_label(&infer->rows, row));
        return;
    default:
        buffer_clear(scratch);
        rows_write_reasons(&infer->rows, row, &reasons);
        json_write_text(json, NULL, buffer_span(scratch));
    }
}

static void write_outputs(struct infer *infer, struct json_writer *json)
{
    struct buffer scratch = {0};
    json_begin_array(json, "outputs");
    for (size_t o = 0; o < infer->wanted_count; o++) {
        const struct inference_output_form *form = &inference_outputs[infer->wanted[o]];
        json_begin_object(json, NULL);
        json_write_string(json, "name", form->name);
        json_write_string(json, "datatype", form->datatype);
        json_begin_array(json, "shape");
        json_write_uint(json, NULL, infer->count);
        json_end_array(json);
        json_begin_array(json, "data");
        for (size_t row = 0; row < infer->count; row++)
            write_value(infer, infer->wanted[o], row, &scratch, json);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
    buffer_free(&scratch);
}

static void write_answer(struct infer *infer)
{
    const struct model_stamp *stamp = &infer->rows.model->stamp;
    const json_t *id = json_object_get(infer->root, "id");
    struct json_writer json = json_begin_document(&infer->answer->body);
    json_write_text(&json, "model_name", stamp->name);
    json_write_text(&json, "model_version", stamp->version);
    if (json_is_string(id))
        json_write_text(&json, "id", (struct span){json_string_value(id), json_string_length(id)});
    write_outputs(infer, &json);
    json_end_document(&json);
    infer->answer->status = 200;
    for (size_t row = 0; row < infer->count; row++)
        if (infer->rows.ids[row].employee_id.data)
            rows_log(&infer->rows, row, &infer->answer->log);
}

static void score(struct infer *infer)
{
    for (size_t row = 0; row < infer->count; row++)
        read_row(infer, row);
    if (!infer->faults.count &&
        !rows_score(&infer->rows, infer->request, row_loc, infer, &infer->faults, infer->answer))
        return;
    if (!faults_answer(&infer->faults, infer->answer))
        write_answer(infer);
}

void infer_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct infer infer = {.service = service, .request = request, .answer = answer};
    infer.faults.error = "the values have faults: see detail";
    struct body body;
    const struct model *model = inference_model(service, request, answer);
    if (!model)
        return;
    model_release(model);
    if (!body_read(request, &body, answer)) {
        body_free(&body);
        return;
    }
    infer.root = body_tree(&body);
    infer.reader = &body.reader;
    if (check_inputs(&infer) && check_outputs(&infer) && check_parameters(&infer) &&
        rows_new(service, infer.count, service->view.settings->reasons, &infer.rows, answer) == STATUS_OK) {
        if (inference_is_model(infer.rows.model, request))
            score(&infer);
        else
            inference_refuse(answer, 404, "no such model or version is in use: see /health");
    }
    faults_clear(&infer.faults);
    rows_free(&infer.rows);
    body_free(&body);
}
