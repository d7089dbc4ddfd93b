/* Open Inference Protocol V2, all but infer: server, health, and the model in use as KServe's and Triton's clients see
 * it. See docs/HTTP.md. On the server's threads; waits for nothing. */
#include "scorer/http/open_inference.h"

#include <jansson.h>
#include <string.h>

const struct inference_output_form inference_outputs[INFERENCE_OUTPUTS] = {
    [INFERENCE_PROBABILITY] = {"probability", "FP64"},
    [INFERENCE_PREDICTION] = {"prediction", "BYTES"},
    [INFERENCE_REASONS] = {"reasons", "BYTES"},
};

void inference_refuse(struct answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    buffer_clear(&answer->body);
    struct json_writer json = json_begin_document(&answer->body);
    json_write_string(&json, "error", text);
    json_write_string(&json, "detail", text);
    json_end_document(&json);
}

/* What refuses a request before or beside these routes writes "detail" alone. */
void inference_complete_error(const char *path, struct answer *answer)
{
    if (answer->status < 400 || strncmp(path, "/v2", 3) != 0 || (path[3] && path[3] != '/'))
        return;
    json_t *body = json_loadb(answer->body.data, answer->body.bytes, 0, NULL);
    const char *detail = json_string_value(json_object_get(body, "detail"));
    if (detail && !json_object_get(body, "error"))
        inference_refuse(answer, answer->status, detail);
    json_decref(body);
}

bool inference_is_model(const struct model *model, const struct request *request)
{
    return model && span_equal(request->name, model->stamp.name) &&
           (!request->version.data || span_equal(request->version, model->stamp.version));
}

const struct model *inference_model(const struct service *service, const struct request *request, struct answer *answer)
{
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    if (!model) {
        inference_refuse(answer, 503, "there is no model yet: see /health");
        answer->retry_after_s = 5;
    } else if (!inference_is_model(model, request)) {
        inference_refuse(answer, 404, "no such model or version is in use: see /health");
        model_release(model);
        model = NULL;
    }
    return model;
}

void inference_server_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)service, (void)request;
    answer->status = 200;
    struct json_writer json = json_begin_document(&answer->body);
    json_write_string(&json, "name", "attrition-scorer");
    json_write_string(&json, "version", VERSION);
    json_begin_array(&json, "extensions");
    json_end_array(&json);
    json_end_document(&json);
}

/* {"live":true}, or after the model's name {"name":…,"ready":true}. */
static void add_state(struct buffer *out, struct span model, const char *state, bool value)
{
    struct json_writer json = json_begin_document(out);
    if (model.data)
        json_write_text(&json, "name", model);
    json_write_bool(&json, state, value);
    json_end_document(&json);
}

void inference_live_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)service, (void)request;
    answer->status = 200;
    add_state(&answer->body, SPAN_NULL, "live", true);
}

/* Ready to infer: needs a model, and nothing else, since only what is logged needs Kafka. */
void inference_ready_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    answer->status = model && !*service->view.draining ? 200 : 503;
    struct json_writer json = json_begin_document(&answer->body);
    json_write_bool(&json, "ready", answer->status == 200);
    if (answer->status == 503) {
        json_write_string(&json, "error",
                          model ? "the service is shutting down" : "there is no model yet: see /health");
        answer->retry_after_s = 5;
    }
    json_end_document(&json);
    if (model)
        model_release(model);
}

const char *inference_datatype(const struct column *column)
{
    switch (column->type) {
    case COLUMN_INT:
    case COLUMN_LONG:
        return "INT64";
    case COLUMN_FLOAT:
        return "FP32";
    case COLUMN_DOUBLE:
        return "FP64";
    case COLUMN_TEXT:
        break;
    }
    return "BYTES";
}

static void add_tensor(struct json_writer *json, const char *name, const char *datatype)
{
    json_begin_object(json, NULL);
    json_write_string(json, "name", name);
    json_write_string(json, "datatype", datatype);
    json_begin_array(json, "shape");
    json_write_int(json, NULL, -1);
    json_end_array(json);
    json_end_object(json);
}

void inference_model_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    const struct schema *schema = service->view.settings->schema;
    const struct model *model = inference_model(service, request, answer);
    if (!model)
        return;
    struct json_writer json = json_begin_document(&answer->body);
    json_write_text(&json, "name", model->stamp.name);
    json_begin_array(&json, "versions");
    json_write_text(&json, NULL, model->stamp.version);
    json_end_array(&json);
    json_write_string(&json, "platform", "onnx");
    json_begin_array(&json, "inputs");
    for (size_t c = 0; c < schema->column_count; c++)
        add_tensor(&json, schema->columns[c].name, inference_datatype(&schema->columns[c]));
    json_end_array(&json);
    json_begin_array(&json, "outputs");
    for (size_t o = 0; o < INFERENCE_OUTPUTS; o++)
        add_tensor(&json, inference_outputs[o].name, inference_outputs[o].datatype);
    json_end_array(&json);
    json_end_document(&json);
    answer->status = 200;
    model_release(model);
}

void inference_model_ready_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    const struct model *model = inference_model(service, request, answer);
    if (!model)
        return;
    add_state(&answer->body, model->stamp.name, "ready", true);
    answer->status = 200;
    model_release(model);
}
