/* Open Inference Protocol V2, all but infer: server, health, and the model in use as KServe's and Triton's clients see
 * it. See docs/HTTP.md. On the server's threads; waits for nothing. */
#include "scorer/http/v2.h"

#include "base/json.h"
#include "kafka/client.h"
#include "scorer/health.h"

void v2_refuse(struct answer *answer, unsigned status, const char *text)
{
    answer->status = status;
    buffer_clear(&answer->body);
    buffer_add_text(&answer->body, "{\"error\":");
    json_add_text(&answer->body, span_of(text));
    buffer_add_text(&answer->body, ",\"detail\":");
    json_add_text(&answer->body, span_of(text));
    buffer_add_text(&answer->body, "}\n");
}

bool v2_is_model(const struct model *model, const struct request *request)
{
    return model && span_equal(request->name, model->stamp.name) &&
           (!request->version.data || span_equal(request->version, model->stamp.version));
}

const struct model *v2_model(const struct service *service, const struct request *request, struct answer *answer)
{
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    if (!model) {
        v2_refuse(answer, 503, "there is no model yet: see /health");
        answer->retry_after_s = 5;
    } else if (!v2_is_model(model, request)) {
        v2_refuse(answer, 404, "no such model or version is in use: see /health");
        model_release(model);
        model = NULL;
    }
    return model;
}

void v2_server_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)service, (void)request;
    answer->status = 200;
    buffer_printf(&answer->body, "{\"name\":\"attrition-scorer\",\"version\":\"%s\",\"extensions\":[]}\n", VERSION);
}

void v2_live_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)service, (void)request;
    answer->status = 200;
    buffer_add_text(&answer->body, "{\"live\":true}\n");
}

/* Ready to infer: needs a model, and nothing else, since only what is logged needs Kafka. */
void v2_ready_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    answer->status = model && !*service->view.draining ? 200 : 503;
    buffer_printf(&answer->body, "{\"ready\":%s}\n", answer->status == 200 ? "true" : "false");
    if (answer->status == 503)
        answer->retry_after_s = 5;
    if (model)
        model_release(model);
}

const char *v2_datatype(const struct column *column)
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

static void add_tensor(struct buffer *out, const char *name, const char *datatype)
{
    buffer_add_text(out, "{\"name\":");
    json_add_text(out, span_of(name));
    buffer_printf(out, ",\"datatype\":\"%s\",\"shape\":[-1]}", datatype);
}

void v2_model_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    const struct schema *schema = service->view.settings->schema;
    const struct model *model = v2_model(service, request, answer);
    struct buffer *out = &answer->body;
    if (!model)
        return;
    buffer_add_text(out, "{\"name\":");
    json_add_text(out, model->stamp.name);
    buffer_add_text(out, ",\"versions\":[");
    json_add_text(out, model->stamp.version);
    buffer_add_text(out, "],\"platform\":\"onnx\",\"inputs\":[");
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_text(out, c ? "," : "");
        add_tensor(out, schema->columns[c].name, v2_datatype(&schema->columns[c]));
    }
    buffer_add_text(out, "],\"outputs\":[");
    for (size_t o = 0; o < V2_OUTPUTS; o++) {
        buffer_add_text(out, o ? "," : "");
        add_tensor(out, v2_outputs[o].name, v2_outputs[o].datatype);
    }
    buffer_add_text(out, "]}\n");
    answer->status = 200;
    model_release(model);
}

void v2_model_ready_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    const struct model *model = v2_model(service, request, answer);
    if (!model)
        return;
    buffer_add_text(&answer->body, "{\"name\":");
    json_add_text(&answer->body, model->stamp.name);
    buffer_add_text(&answer->body, ",\"ready\":true}\n");
    answer->status = 200;
    model_release(model);
}
