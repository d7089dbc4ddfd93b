/* `scorer score`: JSON Lines in, one JSON line out for each, in order. Needs no server; one thread.
 *
 * Each input line is answered: with a score, or with the code of what is wrong with it. Only a model that cannot be
 * used, or an input or output that fails, ends the run with status 1. Answers are written whenever the input has no
 * more complete lines to give, so a program at the other end of a pipe never waits for a full buffer. Must never drop
 * or reorder a line. */
#include "scorer/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/json_row.h"
#include "events/validate.h"
#include "pipeline/pipeline.h"
#include "pipeline/onnx/onnx_limits.h"
#include "registry/model_file.h"
#include "scorer/counterfactual_json.h"
#include "scorer/model/labels.h"

enum { READ_BYTES = 64 * 1024, LINE_MAX_BYTES = 16 << 20 };

struct session {
    struct schema *schema;
    struct pipeline *pipeline;
    bool checked, counterfactual;
    uint32_t top_reasons;
    struct labels labels;
    struct cell *cells;
    struct reason *reasons;
    struct json_reader reader; /* of the line at work */
    bool too_long;             /* the line at work has lost its start */
    struct buffer out;
};

/* {"id":… , which the caller goes on with. */
static struct json_writer answer_begin(struct session *session, struct span id)
{
    struct json_writer json = json_begin_document(&session->out);
    buffer_add(json_write_raw(&json, "id"), id.data, id.bytes);
    return json;
}

static void answer_fault(struct session *session, struct span id, const struct fault *fault)
{
    struct json_writer json = answer_begin(session, id);
    const struct span unknown = {fault->text, fault->named ? fault->named - FAULT_NAME_END : 0};
    json_begin_object(&json, "error");
    json_write_string(&json, "code", event_code_name(fault->code));
    json_write_text(&json, "field",
                    fault->column != FAULT_NO_COLUMN ? span_of(session->schema->columns[fault->column].name)
                    : fault->named                   ? unknown
                                                     : SPAN_NULL);
    json_write_string(&json, "message", fault->text);
    json_end_object(&json);
    json_end_document(&json);
}

static void answer_malformed(struct session *session, struct span id, enum event_code code, const char *text)
{
    struct fault fault = {.code = code, .column = FAULT_NO_COLUMN};
    snprintf(fault.text, sizeof fault.text, "%s", text);
    answer_fault(session, id, &fault);
}

static void add_reasons(struct json_writer *json, const struct session *session, uint32_t count)
{
    json_begin_array(json, "reasons");
    for (uint32_t r = 0; r < count; r++) {
        json_begin_object(json, NULL);
        json_write_string(json, "feature", session->schema->columns[session->reasons[r].column].name);
        json_write_double(json, "contribution", session->reasons[r].contribution);
        json_end_object(json);
    }
    json_end_array(json);
}

static void answer_score(struct session *session, struct span id, const struct score *score)
{
    struct json_writer json = answer_begin(session, id);
    bool positive = score->probability >= pipeline_threshold(session->pipeline);
    size_t label = positive ? session->labels.positive : session->labels.negative;
    json_write_text(&json, "prediction", session->schema->target_values[label]);
    json_write_double(&json, "probability", score->probability);
    json_write_double(&json, "margin", score->margin);
    json_write_double(&json, "base", score->base);
    add_reasons(&json, session, score->reason_count);
    if (session->counterfactual)
        counterfactual_json(session->schema, session->pipeline, session->cells, session->checked, &json);
    json_end_document(&json);
}

/* The answer to a row without faults in its JSON. */
static void score_row(struct session *session, struct span id)
{
    struct fault fault;
    struct score score;
    char why[PIPELINE_WHY_BYTES];
    if (session->checked) {
        validate_impute(session->schema, session->cells);
        if (validate_row(session->schema, session->cells, &fault) != EVENT_OK) {
            answer_fault(session, id, &fault);
            return;
        }
    }
    pipeline_score(session->pipeline, session->cells, 1, session->top_reasons, &score, session->reasons);
    if (!isfinite(score.probability) || !isfinite(score.margin))
        answer_malformed(session, id, EVENT_NOT_FINITE, pipeline_why_no_score(session->pipeline, session->cells, why));
    else
        answer_score(session, id, &score);
}

static void score_attributes(struct session *session, struct span id, struct span attributes)
{
    struct fault fault;
    struct json_faults faults = {.list = &fault, .capacity = 1};
    session->reader.at = (const uint8_t *)attributes.data;
    json_row_read(&session->reader, session->schema, session->checked, session->cells, &faults);
    if (faults.count)
        answer_fault(session, id, &fault);
    else
        score_row(session, id);
}

/* The members that count, as their bytes: {"id": …, "attributes": {…}}, or the attributes themselves. False: no JSON
 * object, which is answered. */
static bool find_members(struct session *session, struct span line, struct span *id, struct span *attributes)
{
    struct json_reader *reader = &session->reader;
    struct json_value root;
    struct span name, part;
    struct fault fault;
    struct json_faults faults = {.list = &fault, .capacity = 1};
    json_reader_start(reader, line);
    if (json_read_value(reader, &root) && root.kind != JSON_KIND_OBJECT)
        json_refuse(reader, JSON_FLAW_NO_OBJECT);
    uint64_t object = json_object_begin(reader);
    for (bool first = true; json_next_name(reader, &first, &name);) {
        if (!json_name_is_new(reader, object, name))
            json_refuse(reader, JSON_FLAW_DUPLICATE);
        json_skip_value(reader, &part);
        if (span_equal(name, SPAN_LITERAL("id")))
            *id = part;
        else if (span_equal(name, SPAN_LITERAL("attributes")))
            *attributes = part;
    }
    if (json_reader_end(reader) == JSON_FLAW_NONE)
        return true;
    (void)json_refuse_flaw(reader, &faults);
    answer_fault(session, SPAN_LITERAL("null"), &fault);
    return false;
}

/* An id is answered as it stands, or, where that is no JSON (NaN, 1e999), as a text. */
static struct span id_answered(struct session *session, struct span id)
{
    struct json_value value = json_read_part(&session->reader, id);
    if (value.kind == JSON_KIND_NONE)
        return SPAN_LITERAL("null");
    if (value.kind != JSON_KIND_NOT_FINITE)
        return id;
    char *quoted = arena_take(&session->reader.texts, id.bytes + 2);
    quoted[0] = quoted[id.bytes + 1] = '"';
    memcpy(quoted + 1, id.data, id.bytes);
    return (struct span){quoted, id.bytes + 2};
}

static void score_line(struct session *session, struct span line)
{
    const struct span none = SPAN_LITERAL("null");
    struct span id = SPAN_NULL, attributes = SPAN_NULL;
    if (session->too_long || line.bytes > LINE_MAX_BYTES) {
        session->too_long = false;
        answer_malformed(session, none, EVENT_LIMIT, "a line of more than 16 MiB");
        return;
    }
    json_reader_reset(&session->reader);
    if (!find_members(session, line, &id, &attributes))
        return;
    if (!attributes.data)
        score_attributes(session, none, line);
    else if (id.data && (*id.data == '{' || *id.data == '['))
        answer_malformed(session, none, EVENT_WRONG_TYPE, "id: neither a text, a number, a boolean nor null");
    else
        score_attributes(session, id_answered(session, id), attributes);
}

/* Scores the complete lines of `in` and keeps the rest. `final`: the rest is a line too. */
static void score_lines(struct session *session, struct buffer *in, size_t *searched, bool final)
{
    size_t start = 0;
    for (;;) {
        const char *end = *searched < in->bytes ? memchr(in->data + *searched, '\n', in->bytes - *searched) : NULL;
        if (!end)
            break;
        score_line(session, (struct span){in->data + start, (size_t)(end - in->data) - start});
        *searched = start = (size_t)(end - in->data) + 1;
    }
    if (final && (start < in->bytes || session->too_long)) {
        score_line(session, (struct span){in->data + start, in->bytes - start});
        start = in->bytes;
    }
    if (start) {
        memmove(in->data, in->data + start, in->bytes - start);
        in->bytes -= start;
    }
    if (in->bytes > LINE_MAX_BYTES) {
        session->too_long = true;
        in->bytes = 0;
    }
    *searched = in->bytes;
}

static enum status write_out(struct buffer *out, struct error *err)
{
    size_t done = 0;
    while (done < out->bytes) {
        ssize_t wrote = write(STDOUT_FILENO, out->data + done, out->bytes - done);
        if (wrote < 0 && errno != EINTR)
            return file_error(err, errno, "write", "standard output");
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    buffer_clear(out);
    return STATUS_OK;
}

/* A byte-order mark is no part of the first line. */
static void drop_mark(struct buffer *in)
{
    if (in->bytes >= 3 && !memcmp(in->data, "\xef\xbb\xbf", 3)) {
        in->bytes -= 3;
        memmove(in->data, in->data + 3, in->bytes);
    }
}

static enum status score_stream(struct session *session, int input, const char *name, struct error *err)
{
    struct buffer in = {0};
    size_t searched = 0;
    bool first = true;
    enum status status = STATUS_OK;
    for (ssize_t got = 1; got != 0 && status == STATUS_OK;) {
        got = read(input, buffer_reserve(&in, READ_BYTES), READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = file_error(err, errno, "read", name);
            break;
        }
        in.bytes += (size_t)got;
        if (first && got > 0 && in.bytes < 3 && (unsigned char)in.data[0] == 0xef)
            continue; /* half a byte-order mark */
        if (first)
            drop_mark(&in);
        first = false;
        score_lines(session, &in, &searched, got == 0);
        status = write_out(&session->out, err);
    }
    buffer_free(&in);
    return status;
}

/* A registered version's file, or one on disk. */
static enum status model_read(struct registry *registry, const char *uri, struct model_version *version,
                              struct buffer *file, struct error *err)
{
    if (!registry)
        return file_read(uri, ONNX_MAX_BYTES, file, err);
    if (registry_resolve(registry, uri, version, err) != STATUS_OK)
        return err->status;
    return registry_read(registry, version, file, err);
}

/* A registered version must still be the contract it was registered with. */
static enum status model_open(struct session *session, const struct options *options, struct error *err)
{
    const char *uri = options_text(options, OPTION_MODEL_URI);
    struct registry *registry = NULL;
    struct model_version version = {0};
    struct buffer file = {0};
    enum status status = registry_is_address(uri) ? registry_open_options(options, &registry, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = model_read(registry, uri, &version, &file, err);
    if (status == STATUS_OK) {
        status = model_file_load(session->schema, buffer_span(&file), options_text(options, OPTION_POSITIVE_LABEL),
                                 options_text(options, OPTION_COLUMNS), &session->pipeline, err);
        if (status == STATUS_OK && registry)
            status = model_file_check_contract(registry, &version, session->pipeline, NULL, err);
        if (status != STATUS_OK)
            error_prefix(err, "model %.200s", uri);
    }
    buffer_free(&file);
    model_version_clear(&version);
    registry_close(registry);
    return status;
}

static enum status session_open(struct session *session, const struct options *options, struct error *err)
{
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &session->schema, err) != STATUS_OK ||
        model_open(session, options, err) != STATUS_OK)
        return err->status;
    const struct schema *schema = session->schema;
    int64_t reasons = options_integer(options, OPTION_REASONS);
    session->top_reasons =
        (uint32_t)(reasons < (int64_t)schema->column_count ? reasons : (int64_t)schema->column_count);
    session->checked = !options_flag(options, OPTION_UNCHECKED);
    session->counterfactual = options_flag(options, OPTION_COUNTERFACTUAL);
    session->cells = mem_zeroed(schema->column_count, sizeof *session->cells);
    session->reasons = mem_zeroed(schema->column_count, sizeof *session->reasons);
    session->labels = labels_of(session->schema, session->pipeline);
    return STATUS_OK;
}

static void session_close(struct session *session)
{
    json_reader_free(&session->reader);
    buffer_free(&session->out);
    free(session->cells);
    free(session->reasons);
    pipeline_free(session->pipeline);
    schema_free(session->schema);
}

static enum status score_argument(struct session *session, const struct options *options, struct error *err)
{
    const char *path = options_argument_count(options) ? options_argument(options, 0) : "-";
    if (!strcmp(path, "-"))
        return score_stream(session, STDIN_FILENO, "standard input", err);
    int input = open(path, O_RDONLY | O_CLOEXEC);
    if (input < 0)
        return file_error(err, errno, "open", path);
    enum status status = score_stream(session, input, path, err);
    close(input);
    return status;
}

int cmd_score(const struct options *options)
{
    struct session session = {0};
    struct error err = {0};
    if (options_argument_count(options) > 1) {
        log_error("score", "one FILE at most: give the lines of several on standard input");
        return 2;
    }
    enum status status = session_open(&session, options, &err);
    if (status == STATUS_OK)
        status = score_argument(&session, options, &err);
    if (status != STATUS_OK)
        log_error("score", "%s", err.text);
    session_close(&session);
    return status != STATUS_OK ? 1 : 0;
}
