/* GET /openapi.json: the service described for programs, made from the routes and the schema. See docs/HTTP.md. On the
 * server's threads. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "scorer/http/rows.h"
#include "scorer/http/routes.h"

/* What the description says of a route beyond its row in the table. `request` and `answer` are names of components. */
static const struct operation {
    const char *path, *id, *summary, *request, *answer;
    bool has_parameters;
    const char *failures; /* statuses besides those that every route may give */
} operations[] = {
    {"/health", "health", "State of service, model, Kafka and PostgreSQL", NULL, "Health", false, "503h"},
    {"/health/live", "live", "Liveness: needs no server", NULL, "Status", false, ""},
    {"/health/ready", "ready", "Readiness", NULL, "Status", false, "503h"},
    {"/predict", "predict", "Scores one employee or a list", "PredictRequest", "PredictAnswer", true,
     "400 413 415 422 503"},
    {"/schema", "schema", "The fields of an employee, for forms", NULL, "FormSchema", false, ""},
    {"/stream", "stream", "The stream at a glance", NULL, "Stream", false, ""},
    {"/openapi.json", "openapi", "This description", NULL, "Anything", false, ""},
    {"/v2", "v2_server", "Server metadata", NULL, "V2Server", false, ""},
    {"/v2/health/live", "v2_live", "Liveness", NULL, "V2Live", false, ""},
    {"/v2/health/ready", "v2_ready", "Whether there is a model", NULL, "V2Ready", false, "503h"},
    {"/v2/models/{name}", "v2_model", "Model metadata", NULL, "V2Model", false, "404 503"},
    {"/v2/models/{name}/ready", "v2_model_ready", "Whether the model is in use", NULL, "V2ModelReady", false,
     "404 503"},
    {"/v2/models/{name}/infer", "v2_infer", "Scores rows given as tensors", "V2Request", "V2Answer", false,
     "400 404 413 415 422 503"},
    {"/v2/models/{name}/versions/{version}", "v2_version", "Model metadata", NULL, "V2Model", false, "404 503"},
    {"/v2/models/{name}/versions/{version}/ready", "v2_version_ready", "Whether the version is in use", NULL,
     "V2ModelReady", false, "404 503"},
    {"/v2/models/{name}/versions/{version}/infer", "v2_version_infer", "Scores rows given as tensors", "V2Request",
     "V2Answer", false, "400 404 413 415 422 503"},
};

/* clang-format off */
/* Components that do not depend on the schema. ID is a text of 1 to 256 characters without control and bidirectional characters. */
#define ID \
    "{\"type\":[\"string\",\"null\"],\"minLength\":1,\"maxLength\":256,\"pattern\":\"^[^\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f" \
    "\\\\u061c\\\\u200e\\\\u200f\\\\u202a-\\\\u202e\\\\u2066-\\\\u2069]" \
    "+$\"}"
#define STRING "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define INTEGER "{\"type\":\"integer\"}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define OBJECT(required, properties) "{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "}}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"

static const char fixed_components[] =
    "\"Anything\":{\"type\":\"object\"},"
    "\"Error\":" OBJECT("\"detail\"", "\"detail\":" STRING) ",\"Faults\":" OBJECT("\"detail\"", "\"detail\":"
        LIST(REF("Fault"))) ",\"Fault\":" OBJECT("\"loc\",\"msg\",\"type\"", "\"loc\":" LIST(
            "{\"type\":[\"string\",\"integer\"]}") ",\"msg\":" STRING ",\"type\":" STRING) ",\"Status\":" OBJECT
    ("\"status\"", "\"status\":" STRING ",\"reason\":" STRING) ",\"Health\":" OBJECT(
        "\"status\",\"version\",\"model\",\"kafka\"",
        "\"status\":{\"enum\":[\"ok\",\"degraded\",\"unavailable\"]}," "\"version\":" STRING) ",\"Stamp\":"
    OBJECT("\"name\",\"version\",\"alias\",\"run_id\"", "\"name\":" STRING ",\"version\":" STRING
        ",\"alias\":{\"type\":[\"string\",\"null\"]}," "\"run_id\":{\"type\":[\"string\",\"null\"]}")
    ",\"Reason\":" OBJECT("\"feature\",\"contribution\"", "\"feature\":" STRING ",\"contribution\":" NUMBER)
    ",\"Instances\":{\"type\":\"object\","
    "\"required\":[\"instances\"],"
    "\"additionalProperties\":false,"
    "\"properties\":{\"instances\":" REF("InstanceList") "}},"
    "\"InstanceList\":{\"type\":\"array\","
    "\"minItems\":1,"
    "\"maxItems\":1000,"
    "\"items\":" REF("Instance") "},"
    "\"Instance\":{\"type\":\"object\","
    "\"required\":[\"attributes\"],"
    "\"additionalProperties\":false,"
    "\"properties\":{\"event_id\":" ID ",\"employee_id\":" ID ",\"attributes\":" REF("Attributes") "}},"
    "\"PredictRequest\":{\"oneOf\":[" REF("Instance") ","
    REF("Instances") ","
    REF("InstanceList") "]},"
    "\"PredictAnswer\":{\"oneOf\":[" REF("Prediction") ","
    REF("Predictions") "]},"
    "\"Predictions\":" OBJECT("\"predictions\"", "\"predictions\":" LIST(REF("Prediction"))) ",\"FormSchema\":"
    OBJECT("\"target\",\"id\",\"threshold\",\"model\",\"groups\",\"attributes\",\"rules\",\"samples\"",
        "\"attributes\":" LIST("{\"type\":\"object\"}") ",\"groups\":" LIST(STRING) ",\"samples\":" LIST(
            "{\"type\":\"object\"}")) ",\"Stream\":" OBJECT(
        "\"source\",\"time\",\"events\",\"events_per_s\",\"lag\",\"latency_us\",\"risk\","
        "\"dead_letters\",\"model\",\"models\",\"challengers\""
        , "\"source\":{\"enum\":[\"process\"]}," "\"time\":" STRING
        ",\"events\":{\"type\":\"object\"," "\"additionalProperties\":" COUNT "},"
        "\"dead_letters\":{\"type\":\"object\"," "\"additionalProperties\":" COUNT "}") ",\"V2Server\":" OBJECT(
        "\"name\",\"version\",\"extensions\"", "\"name\":" STRING ",\"version\":" STRING ",\"extensions\":" LIST
        (STRING)) ",\"V2Live\":" OBJECT("\"live\"", "\"live\":{\"type\":\"boolean\"}") ",\"V2Ready\":" OBJECT(
        "\"ready\"", "\"ready\":{\"type\":\"boolean\"}") ",\"V2ModelReady\":" OBJECT("\"name\",\"ready\"",
        "\"name\":" STRING ",\"ready\":{\"type\":\"boolean\"}") ",\"V2Model\":" OBJECT(
        "\"name\",\"versions\",\"platform\",\"inputs\",\"outputs\"", "\"name\":" STRING ",\"versions\":" LIST(
            STRING) ",\"platform\":" STRING ",\"inputs\":" LIST("{\"type\":\"object\"}") ",\"outputs\":" LIST(
            "{\"type\":\"object\"}")) ",\"V2Error\":" OBJECT("\"error\",\"detail\"", "\"error\":" STRING)
    ",\"V2Tensor\":" OBJECT("\"name\",\"shape\",\"datatype\",\"data\"", "\"name\":" STRING
        ",\"shape\":{\"type\":\"array\"," "\"minItems\":1," "\"maxItems\":2," "\"items\":" COUNT "},"
        "\"datatype\":" STRING ",\"data\":{\"type\":\"array\"}") ",\"V2Request\":" OBJECT("\"inputs\"",
        "\"id\":{\"type\":[\"string\",\"null\"]}," "\"inputs\":{\"type\":\"array\"," "\"minItems\":1,"
        "\"items\":" REF("V2Tensor") "}," "\"outputs\":{\"type\":[\"array\",\"null\"]},"
        "\"parameters\":{\"type\":[\"object\",\"null\"]}") ",\"V2Answer\":" OBJECT(
        "\"model_name\",\"model_version\",\"outputs\"", "\"id\":" STRING ",\"model_name\":" STRING
        ",\"model_version\":" STRING ",\"outputs\":" LIST(REF("V2Tensor")));
/* clang-format on */

static void add_texts(struct buffer *out, const struct span *values, size_t count, bool with_null)
{
    buffer_add_u8(out, '[');
    for (size_t v = 0; v < count; v++) {
        buffer_add_text(out, v ? "," : "");
        json_add_text(out, values[v]);
    }
    buffer_add_text(out, with_null ? ",null]" : "]");
}

static void add_attribute(struct buffer *out, const struct column *column)
{
    double most = column_most(column);
    const char *type = column->kind == COLUMN_NOMINAL ? "string" : column_is_whole(column) ? "integer" : "number";
    json_add_text(out, span_of(column->name));
    buffer_add_text(out, ":{\"description\":");
    json_add_text(out, span_of(column->doc ? column->doc : column->name));
    buffer_printf(out, column->required ? ",\"type\":\"%s\"" : ",\"type\":[\"%s\",\"null\"]", type);
    if (column->kind == COLUMN_NOMINAL) {
        buffer_add_text(out, ",\"enum\":");
        add_texts(out, column->values, column->value_count, !column->required);
    } else if (isfinite(fmax(column->low, -most)) || isfinite(fmin(column->high, most))) {
        buffer_add_text(out, ",\"minimum\":");
        json_add_double(out, isfinite(fmax(column->low, -most)) ? fmax(column->low, -most) : -1.7976931348623157e308);
        buffer_add_text(out, ",\"maximum\":");
        json_add_double(out, isfinite(fmin(column->high, most)) ? fmin(column->high, most) : 1.7976931348623157e308);
    }
    buffer_add_u8(out, '}');
}

static void add_attributes(struct buffer *out, const struct schema *schema)
{
    size_t told = 0;
    buffer_add_text(out, "\"Attributes\":{\"type\":\"object\",\"additionalProperties\":false,\"description\":");
    json_add_text(out, SPAN_LITERAL("Absent or null: missing, and imputed. Rules between columns are in /schema."));
    buffer_add_text(out, ",\"required\":[");
    for (size_t c = 0; c < schema->column_count; c++)
        if (schema->columns[c].required) {
            buffer_add_text(out, told++ ? "," : "");
            json_add_text(out, span_of(schema->columns[c].name));
        }
    buffer_add_text(out, "],\"properties\":{");
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_text(out, c ? ",\n" : "\n");
        add_attribute(out, &schema->columns[c]);
    }
    buffer_add_text(out, "}},\n");
}

static void add_prediction(struct buffer *out, const struct schema *schema)
{
    buffer_add_text(
        out,
        "\"Prediction\":{\"type\":\"object\",\"required\":[\"event_id\",\"prediction\",\"probability\",\"threshold\","
        "\"margin\",\"base\",\"reasons\",\"model\",\"latency_us\"],\"properties\":{\"event_id\":" STRING
        ",\"prediction\":{\"enum\":");
    add_texts(out, schema->target_values, schema->target_count, false);
    buffer_add_text(
        out, "},\"probability\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},\"threshold\":{\"type\":\"number\","
             "\"minimum\":0,\"maximum\":1},\"margin\":" NUMBER ",\"base\":" NUMBER ",\"reasons\":" LIST(
                 REF("Reason")) ",\"model\":" REF("Stamp") ",\"latency_us\":" COUNT
                                                           ",\"counterfactual\":{\"type\":[\"object\",\"null\"],"
                                                           "\"description\":\"With the parameter alone\"}}},\n");
}

static void add_content(struct buffer *out, const char *component)
{
    buffer_printf(out, "\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/%s\"}}}",
                  component);
}

static void add_failure(struct buffer *out, const char *status, const char *meaning, const char *component)
{
    buffer_printf(out, ",\"%.3s\":{\"description\":\"%s\",", status, meaning);
    add_content(out, component);
    buffer_add_u8(out, '}');
}

static void add_failures(struct buffer *out, const struct route *route, const struct operation *operation)
{
    static const struct {
        const char *status, *meaning;
    } meanings[] = {{"400", "Not JSON, or not what this path takes"},
                    {"401", "A bearer token is needed"},
                    {"404", "No such model or version"},
                    {"413", "A body of more than 1 MiB"},
                    {"415", "The body is not application/json"},
                    {"422", "Every fault of the values"},
                    {"429", "Too many requests from this address"},
                    {"503", "No model, or Kafka is away"}};
    bool v2 = !strncmp(operation->path, "/v2/models", 10);
    for (size_t m = 0; m < sizeof meanings / sizeof *meanings; m++) {
        const char *status = meanings[m].status, *at = strstr(operation->failures, status);
        bool always = !strcmp(status, "401") ? route->needs_token : !strcmp(status, "429") && !route->quiet;
        if (at && at[3] == 'h') /* a state of health, in the form of the answer */
            add_failure(out, status, meanings[m].meaning, operation->answer);
        else if (at || always)
            add_failure(out, status, meanings[m].meaning,
                        !strcmp(status, "422") && !v2                                                ? "Faults"
                        : v2 && (!strcmp(status, "404") || !strcmp(status, "422") || *status == '5') ? "V2Error"
                                                                                                     : "Error");
    }
}

static void add_parameters(struct buffer *out, const struct operation *operation)
{
    size_t told = 0;
    buffer_add_text(out, "\"parameters\":[");
    for (const char *at = operation->path; (at = strchr(at, '{')); at++)
        buffer_printf(
            out,
            "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\",\"minLength\":1}}",
            told++ ? "," : "", (int)strcspn(at + 1, "}"), at + 1);
    if (operation->has_parameters)
        buffer_add_text(out, "{\"name\":\"log\",\"in\":\"query\",\"description\":\"false: what-if, not written to the "
                             "output topic\",\"schema\":"
                             "{\"type\":\"boolean\",\"default\":true}},"
                             "{\"name\":\"reasons\",\"in\":\"query\",\"description\":\"how many reasons\",\"schema\":"
                             "{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000}},"
                             "{\"name\":\"counterfactual\",\"in\":\"query\",\"description\":\"whether to look for one "
                             "change that turns the answer\",\"schema\":{\"type\":\"boolean\",\"default\":false}}");
    buffer_add_text(out, "],");
}

static void add_operation(struct buffer *out, const struct route *route, const struct operation *operation)
{
    buffer_printf(out, "\"%s\":{\"%s\":{\"operationId\":\"%s\",\"summary\":\"%s\",", operation->path,
                  strcmp(route->method, "GET") ? "post" : "get", operation->id, operation->summary);
    add_parameters(out, operation);
    buffer_add_text(out, route->needs_token ? "" : "\"security\":[],");
    if (operation->request) {
        buffer_add_text(out, "\"requestBody\":{\"required\":true,");
        add_content(out, operation->request);
        buffer_add_text(out, "},");
    }
    buffer_add_text(out, "\"responses\":{\"200\":{\"description\":\"OK\",");
    add_content(out, operation->answer);
    buffer_add_u8(out, '}');
    add_failures(out, route, operation);
    buffer_add_text(out, "}}}");
}

static void add_paths(struct buffer *out)
{
    size_t told = 0;
    buffer_add_text(out, "\"paths\":{\n");
    for (size_t o = 0; o < sizeof operations / sizeof *operations; o++)
        for (size_t r = 0; r < route_count; r++) {
            if (strcmp(routes[r].path, operations[o].path))
                continue;
            buffer_add_text(out, told++ ? ",\n" : "");
            add_operation(out, &routes[r], &operations[o]);
        }
    buffer_add_text(
        out,
        ",\n\"/metrics\":{\"get\":{\"operationId\":\"metrics\",\"summary\":\"Counters for Prometheus\",\"security\":[],"
        "\"responses\":{\"200\":{\"description\":\"OK\",\"content\":{\"text/plain\":{\"schema\":" STRING "}}}}}}},\n");
}

void openapi_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    const struct schema *schema = service->view.settings->schema;
    struct buffer *out = &answer->body;
    buffer_printf(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"attrition-scorer\",\"version\":\"%s\"},\n",
                  VERSION);
    if (service->view.settings->http_token)
        buffer_add_text(out, "\"security\":[{\"bearer\":[]}],\n");
    add_paths(out);
    buffer_add_text(
        out,
        "\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}},\"schemas\":{\n");
    add_attributes(out, schema);
    add_prediction(out, schema);
    buffer_add_text(out, fixed_components);
    buffer_add_text(out, "}}}\n");
    answer->status = 200;
}
