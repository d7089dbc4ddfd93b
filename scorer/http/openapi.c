/* GET /openapi.json: the service described for programs, made from the routes and the schema. See docs/HTTP.md. On the
 * server's threads. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "scorer/http/embed.h"
#include "scorer/http/rows.h"
#include "scorer/http/media_type.h"
#include "scorer/http/route.h"

/* What the description says of a route beyond its row in the table. `request` and `answer` are names of components. */
static const struct operation {
    const char *path, *id, *summary, *request, *answer;
    bool has_parameters;
    const char *failures; /* statuses besides those that every route may give */
} operations[] = {
    {"/health", "health", "State of service, model, Kafka and PostgreSQL", NULL, "Health", false, "503h"},
    {"/health/live", "live", "Liveness: needs no server", NULL, "Status", false, ""},
    {"/health/ready", "ready", "Readiness", NULL, "Status", false, "503h"},
    {"/predict", "predict", "Scores one record or a list", "PredictRequest", "PredictAnswer", true,
     "400 413 415 422 503"},
    {"/events", "events", "Writes one event, a list or lines to the input topic", "PostedEvents", "EventsAccepted",
     false, "400 413 415 422 503"},
    {"/employees", "employees", "Who is at risk, and why; a page at a time", NULL, "EmployeePage", true, "400 503"},
    {"/employees/{id}", "employee", "One of them: record, history, what changed, alerts", NULL, "EmployeeHistory",
     false, "400 404 503"},
    {"/alerts", "alerts", "Whose risk has changed, newest first", NULL, "AlertPage", true, "400 503"},
    {"/groups", "groups", "Expected and realised events by one or two attributes", NULL, "Groups", true, "400 503"},
    {"/dead-letters", "dead_letters", "What could not be handled, newest first", NULL, "DeadLetterPage", true,
     "400 503"},
    {"/model/quality", "quality", "How well the model does: figures of the day", NULL, "Quality", true, "400 503"},
    {"/model", "model", "The versions of the model that is followed, and where its alias pointed", NULL,
     "ModelVersions", false, "404 409 503"},
    {"/model/promote", "promote", "Moves the alias to a version that can serve", "Promotion", "AliasMoved", false,
     "400 404 409 413 415 422 503"},
    {"/model/rollback", "rollback", "Moves the alias back to where it pointed before", "Rollback", "AliasMoved", false,
     "400 404 409 413 415 422 503"},
    {"/schema", "schema", "The fields of a record, for forms", NULL, "FormSchema", false, ""},
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

/* Components that do not depend on the schema: one JSON object. */
EMBED(openapi_components, "scorer/http/openapi_components.json");

#define STRING "{\"type\":\"string\"}"
#define NUMBER "{\"type\":\"number\"}"
#define SHARE "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define LIMIT "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":50}"
#define FLAG(value) "{\"type\":\"boolean\",\"default\":" value "}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"

static void add_enum(struct json_writer *json, const struct span *values, size_t count, bool with_null)
{
    json_begin_array(json, "enum");
    for (size_t v = 0; v < count; v++)
        json_write_text(json, NULL, values[v]);
    if (with_null)
        json_write_null(json, NULL);
    json_end_array(json);
}

static void add_strings(struct json_writer *json, const char *name, const char *const *strings, size_t count)
{
    json_begin_array(json, name);
    for (size_t s = 0; s < count; s++)
        json_write_string(json, NULL, strings[s]);
    json_end_array(json);
}

/* A schema that is written out above. */
static void add_schema(struct json_writer *json, const char *name, const char *schema)
{
    buffer_add_text(json_write_raw(json, name), schema);
}

static void add_type(struct json_writer *json, const struct column *column)
{
    const char *type = column->kind == COLUMN_NOMINAL ? "string" : column_is_whole(column) ? "integer" : "number";
    if (column->required)
        json_write_string(json, "type", type);
    else
        add_strings(json, "type", (const char *const[]){type, "null"}, 2);
}

static void add_attribute(struct json_writer *json, const struct column *column)
{
    double low = fmax(column->low, -column_most(column)), high = fmin(column->high, column_most(column));
    json_begin_object(json, column->name);
    json_write_string(json, "description", column->doc ? column->doc : column->name);
    add_type(json, column);
    if (column->kind == COLUMN_NOMINAL) {
        add_enum(json, column->values, column->value_count, !column->required);
    } else if (isfinite(low) || isfinite(high)) {
        json_write_double(json, "minimum", isfinite(low) ? low : -DBL_MAX);
        json_write_double(json, "maximum", isfinite(high) ? high : DBL_MAX);
    }
    json_end_object(json);
}

static void add_attributes(struct json_writer *json, const struct schema *schema)
{
    json_break(json);
    json_begin_object(json, "Attributes");
    json_write_string(json, "type", "object");
    json_write_bool(json, "additionalProperties", false);
    json_write_string(json, "description",
                      "Absent or null: missing, and imputed. Rules between columns are in /schema.");
    json_begin_array(json, "required");
    for (size_t c = 0; c < schema->column_count; c++)
        if (schema->columns[c].required)
            json_write_string(json, NULL, schema->columns[c].name);
    json_end_array(json);
    json_begin_object(json, "properties");
    for (size_t c = 0; c < schema->column_count; c++) {
        json_break(json);
        add_attribute(json, &schema->columns[c]);
    }
    json_end_object(json);
    json_end_object(json);
}

static void add_prediction(struct json_writer *json, const struct schema *schema)
{
    static const char *const required[] = {"event_id", "prediction", "probability", "threshold", "margin",
                                           "base",     "reasons",    "model",       "latency_us"};
    json_break(json);
    json_begin_object(json, "Prediction");
    json_write_string(json, "type", "object");
    add_strings(json, "required", required, sizeof required / sizeof *required);
    json_begin_object(json, "properties");
    add_schema(json, "event_id", STRING);
    json_begin_object(json, "prediction");
    add_enum(json, schema->target_values, schema->target_count, false);
    json_end_object(json);
    add_schema(json, "probability", SHARE);
    add_schema(json, "threshold", SHARE);
    add_schema(json, "margin", NUMBER);
    add_schema(json, "base", NUMBER);
    add_schema(json, "reasons", LIST(REF("Reason")));
    add_schema(json, "model", REF("Stamp"));
    add_schema(json, "latency_us", COUNT);
    json_begin_object(json, "counterfactual");
    add_strings(json, "type", (const char *const[]){"object", "null"}, 2);
    json_write_string(json, "description", "With the parameter alone");
    json_end_object(json);
    json_end_object(json);
    json_end_object(json);
}

/* types: with ", " between them. Lines are no one JSON document, and so a text. */
static void add_content(struct json_writer *json, const char *types, const char *component)
{
    size_t bytes;
    json_begin_object(json, "content");
    for (; *types; types += bytes + strspn(types + bytes, ", ")) {
        bytes = strcspn(types, ",");
        const struct span type = {types, bytes};
        json_key_span(json, type);
        json_begin_object(json, NULL);
        json_begin_object(json, "schema");
        if (span_equal(type, SPAN_LITERAL("application/x-ndjson")) || span_equal(type, SPAN_LITERAL("text/csv")))
            json_write_string(json, "type", "string");
        else
            buffer_printf(json_write_raw(json, "$ref"), "\"#/components/schemas/%s\"", component);
        json_end_object(json);
        json_end_object(json);
    }
    json_end_object(json);
}

static void add_response(struct json_writer *json, const char *status, const char *meaning, const char *component)
{
    bool is_page = !strcmp(component, "EmployeePage") || !strcmp(component, "AlertPage");
    bool has_csv = is_page || !strcmp(component, "Groups");
    json_begin_object(json, status);
    json_write_string(json, "description", meaning);
    if (is_page)
        add_schema(json, "headers", "{\"X-Next-Cursor\":{\"description\":\"of CSV: next\",\"schema\":" STRING "}}");
    add_content(json, has_csv ? "application/json, text/csv" : "application/json", component);
    json_end_object(json);
}

static void add_failures(struct json_writer *json, const struct route *route, const struct operation *operation)
{
    static const struct {
        const char *status, *meaning;
    } meanings[] = {{"400", "Not JSON, or not what this path takes"},
                    {"401", "A bearer token is needed"},
                    {"403", "The token lacks the scope"},
                    {"404", "No such model, version or id"},
                    {"409", "Not in this state: somebody else moved the alias, or the version cannot serve"},
                    {"413", "A body of more than 1 MiB"},
                    {"415", "The body is of another type"},
                    {"422", "Every fault of the values"},
                    {"429", "Too many requests from this address"},
                    {"503", "No model, or Kafka, PostgreSQL or the registry is unavailable"}};
    bool v2 = !strncmp(operation->path, "/v2", 3);
    for (size_t m = 0; m < sizeof meanings / sizeof *meanings; m++) {
        const char *status = meanings[m].status, *at = strstr(operation->failures, status);
        bool always = (!strcmp(status, "401") && route->scope >= SCOPE_ANY) ||
                      (!strcmp(status, "403") && route->scope > SCOPE_ANY) ||
                      (!strcmp(status, "429") && (!route->quiet || route->scope >= SCOPE_ANY));
        if (at && at[3] == 'h') /* a state of health, in the form of the answer */
            add_response(json, status, meanings[m].meaning, operation->answer);
        else if (at || always)
            add_response(json, status, meanings[m].meaning,
                         v2                       ? "V2Error"
                         : !strcmp(status, "422") ? "Faults"
                                                  : "Error");
    }
}

static void begin_parameter(struct json_writer *json, struct span name, const char *in)
{
    json_begin_object(json, NULL);
    json_write_text(json, "name", name);
    json_write_string(json, "in", in);
}

static void add_parameters(struct json_writer *json, const struct route *route, const struct operation *operation)
{
    static const struct {
        const char *path;
        struct span name;
        const char *description, *schema;
    } query[] = {
        {"/predict", SPAN_LITERAL("log"), "false: what-if, not written to the output topic", FLAG("true")},
        {"/predict", SPAN_LITERAL("reasons"), "how many reasons",
         "{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000}"},
        {"/predict", SPAN_LITERAL("counterfactual"), "whether to look for one change that turns the answer",
         FLAG("false")},
        {"/employees", SPAN_LITERAL("q"), "part of the id", "{\"type\":\"string\",\"maxLength\":256}"},
        {"/employees", SPAN_LITERAL("where"), "Field=Value; of a number also Field=LOW..HIGH",
         "{\"type\":\"array\",\"maxItems\":8,\"items\":{\"type\":\"string\",\"pattern\":\"^[^=]+=\"}}"},
        {"/employees", SPAN_LITERAL("sort"),
         "risk, employee_id, scored_at, occurred_at or an attribute; - turns the order", STRING},
        {"/employees", SPAN_LITERAL("limit"), "how many", LIMIT},
        {"/employees", SPAN_LITERAL("cursor"), "next of the page before", STRING},
        {"/employees", SPAN_LITERAL("trend"), "true: with the last scores of each, up to 200 rows", FLAG("false")},
        {"/alerts", SPAN_LITERAL("since"), "only what was stored since this date or time", STRING},
        {"/alerts", SPAN_LITERAL("limit"), "how many", LIMIT},
        {"/alerts", SPAN_LITERAL("cursor"), "next of the page before", STRING},
        {"/dead-letters", SPAN_LITERAL("code"), "only those of this code",
         "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_]{1,64}$\"}"},
        {"/dead-letters", SPAN_LITERAL("limit"), "how many", LIMIT},
        {"/dead-letters", SPAN_LITERAL("cursor"), "next of the page before", STRING},
        {"/model/quality", SPAN_LITERAL("part"), "which figures",
         "{\"enum\":[\"performance\",\"calibration\",\"drift\",\"fairness\"]}"},
        {"/groups", SPAN_LITERAL("by"), "one or two group or unit attributes, with a comma between",
         "{\"type\":\"string\",\"minLength\":1}"},
    };
    json_begin_array(json, "parameters");
    for (const char *at = operation->path; (at = strchr(at, '{')); at++) {
        begin_parameter(json, (struct span){at + 1, strcspn(at + 1, "}")}, "path");
        json_write_bool(json, "required", true);
        add_schema(json, "schema", "{\"type\":\"string\",\"minLength\":1}");
        json_end_object(json);
    }
    for (size_t q = 0; operation->has_parameters && q < sizeof query / sizeof *query; q++) {
        if (strcmp(query[q].path, operation->path))
            continue;
        begin_parameter(json, query[q].name, "query");
        json_write_string(json, "description", query[q].description);
        if (span_equal(query[q].name, SPAN_LITERAL("by")) || span_equal(query[q].name, SPAN_LITERAL("part")))
            json_write_bool(json, "required", true);
        add_schema(json, "schema", query[q].schema);
        json_end_object(json);
    }
    if (route->scope == SCOPE_PEOPLE) {
        begin_parameter(json, SPAN_LITERAL("X-Purpose"), "header");
        json_write_string(json, "description", "what the names are needed for: logged; up to 200 characters");
        add_schema(json, "schema", STRING);
        json_end_object(json);
    }
    json_end_array(json);
}

static void begin_operation(struct json_writer *json, const char *path, const char *method, const char *id,
                            const char *summary)
{
    json_break(json);
    json_begin_object(json, path);
    json_begin_object(json, method);
    json_write_string(json, "operationId", id);
    json_write_string(json, "summary", summary);
}

static void end_operation(struct json_writer *json)
{
    json_end_object(json);
    json_end_object(json);
}

/* A bearer's scopes are named as roles, as OpenAPI 3.1 has it. Without tokens all is open. */
static void add_security(struct json_writer *json, const struct settings *settings, enum token_scope scope)
{
    if (!secret_text(settings->http_token) && !settings->http_tokens_file)
        scope = SCOPE_OPEN;
    json_begin_array(json, "security");
    if (scope != SCOPE_OPEN) {
        json_begin_object(json, NULL);
        json_begin_array(json, "bearer");
        if (scope != SCOPE_ANY)
            json_write_string(json, NULL, token_scope_name(scope));
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_operation(struct json_writer *json, const struct settings *settings, const struct route *route,
                          const struct operation *operation)
{
    begin_operation(json, operation->path, strcmp(route->method, "GET") ? "post" : "get", operation->id,
                    operation->summary);
    add_parameters(json, route, operation);
    add_security(json, settings, route->scope);
    if (operation->request) {
        json_begin_object(json, "requestBody");
        json_write_bool(json, "required", true);
        add_content(json, media_types_of(operation->path), operation->request);
        json_end_object(json);
    }
    json_begin_object(json, "responses");
    bool accepts = !strcmp(operation->answer, "EventsAccepted");
    add_response(json, accepts ? "202" : "200", accepts ? "Written, in one transaction" : "OK", operation->answer);
    add_failures(json, route, operation);
    json_end_object(json);
    end_operation(json);
}

static void add_docs(struct json_writer *json, const struct settings *settings)
{
    begin_operation(json, "/docs", "get", "docs", "This description, to read");
    add_security(json, settings, SCOPE_ANY);
    add_schema(json, "responses",
               "{\"200\":{\"description\":\"OK\",\"content\":{\"text/html\":{\"schema\":" STRING "}}},"
               "\"401\":{\"description\":\"A bearer token is needed\"},"
               "\"429\":{\"description\":\"Too many requests from this address\"}}");
    end_operation(json);
}

static void add_paths(const struct service *service, struct json_writer *json)
{
    const struct settings *settings = service->view.settings;
    json_begin_object(json, "paths");
    for (size_t o = 0; o < sizeof operations / sizeof *operations; o++)
        for (size_t r = 0; r < service->route_count; r++)
            if (!strcmp(service->routes[r].path, operations[o].path))
                add_operation(json, settings, &service->routes[r], &operations[o]);
    begin_operation(json, "/metrics", "get", "metrics", "Counters for Prometheus");
    add_security(json, settings, settings->metrics_token ? SCOPE_OPERATE : SCOPE_OPEN);
    add_schema(json, "responses",
               "{\"200\":{\"description\":\"OK\",\"content\":{\"text/plain\":{\"schema\":" STRING "}}}}");
    end_operation(json);
    add_docs(json, settings);
    json_end_object(json);
}

static void add_info(struct json_writer *json)
{
    json_write_string(json, "openapi", "3.1.0");
    json_begin_object(json, "info");
    json_write_string(json, "title", "attrition-scorer");
    json_write_string(json, "version", VERSION);
    json_end_object(json);
}

/* The members of the embedded object, without its blanks. */
static void add_fixed_components(struct json_writer *json)
{
    bool in_string = false, escaped = false;
    const char *at = openapi_components;
    const char *end = at + strlen(at); /* what is embedded ends with a NUL */
    at = memchr(at, '{', (size_t)(end - at));
    end = memrchr(at, '}', (size_t)(end - at));
    buffer_add_text(json->out, ",\n");
    while (++at < end) {
        in_string ^= *at == '"' && !escaped;
        escaped = *at == '\\' && !escaped;
        if (in_string || (*at != ' ' && *at != '\n'))
            buffer_add_u8(json->out, (uint8_t)*at);
    }
}

static void add_components(struct json_writer *json, const struct schema *schema)
{
    json_begin_object(json, "components");
    add_schema(json, "securitySchemes", "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
    json_begin_object(json, "schemas");
    add_attributes(json, schema);
    add_prediction(json, schema);
    add_fixed_components(json);
    json_end_object(json);
    json_end_object(json);
}

void openapi_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    const struct settings *settings = service->view.settings;
    struct json_writer json = json_begin_document(&answer->body);
    add_info(&json);
    json_break(&json);
    add_paths(service, &json);
    json_break(&json);
    add_components(&json, settings->schema);
    json_end_document(&json);
    answer->status = 200;
}
