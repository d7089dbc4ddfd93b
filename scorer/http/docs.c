/* GET /docs: /openapi.json as a page to read: made here, with no script and nothing from elsewhere. On the server's
 * threads. */
#include <jansson.h>
#include <string.h>

#include "scorer/http/service.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>HTTP API</title>"
    "<link rel=\"icon\" href=\"/page/icon.svg\"><link rel=\"stylesheet\" href=\"/page/page.css\"></head>"
    "<body><main>\n<h1>HTTP API</h1>\n<p>Made from <a href=\"/openapi.json\">openapi.json</a>, "
    "the same for programs.</p>\n";

/* As text of the page: nothing in it is markup. */
static void add_text(struct buffer *out, const char *text)
{
    for (; text && *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
            buffer_printf(out, "&#%d;", *text);
        else
            buffer_add_u8(out, (uint8_t)*text);
    }
}

static void add_element(struct buffer *out, const char *name, const char *text)
{
    buffer_printf(out, "<%s>", name);
    add_text(out, text);
    buffer_printf(out, "</%s>", name);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* What a value has to look like, as the description writes it. */
static void add_schema(struct buffer *out, const json_t *schema)
{
    char *text = json_dumps(schema, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
    add_element(out, "code", text ? text : "");
    free(text);
}

static void add_parameters(struct buffer *out, const json_t *parameters)
{
    size_t p;
    const json_t *parameter;
    if (!json_array_size(parameters))
        return;
    buffer_add_text(out,
                    "<table><thead><tr><th>parameter</th><th>in</th><th>meaning</th><th>form</th></tr></thead><tbody>");
    json_array_foreach (parameters, p, parameter) {
        buffer_add_text(out, "<tr>");
        add_element(out, "td", text_of(parameter, "name"));
        add_element(out, "td", text_of(parameter, "in"));
        add_element(out, "td", text_of(parameter, "description"));
        buffer_add_text(out, "<td>");
        add_schema(out, json_object_get(parameter, "schema"));
        buffer_add_text(out, "</td></tr>");
    }
    buffer_add_text(out, "</tbody></table>\n");
}

/* The component that a media type refers to, as a link to it. Their names need no escaping: they are ours. */
static void add_content(struct buffer *out, const json_t *content)
{
    const char *type;
    json_t *media;
    json_object_foreach ((json_t *)content, type, media) {
        const json_t *schema = json_object_get(media, "schema");
        const char *component = strrchr(text_of(schema, "$ref"), '/');
        buffer_add_text(out, " ");
        add_element(out, "code", type);
        if (component)
            buffer_printf(out, " <a href=\"#%s\">%s</a>", component + 1, component + 1);
    }
}

static void add_responses(struct buffer *out, const json_t *responses)
{
    const char *status;
    json_t *response;
    buffer_add_text(out, "<dl>");
    json_object_foreach ((json_t *)responses, status, response) {
        add_element(out, "dt", status);
        buffer_add_text(out, "<dd>");
        add_text(out, text_of(response, "description"));
        add_content(out, json_object_get(response, "content"));
        buffer_add_text(out, "</dd>");
    }
    buffer_add_text(out, "</dl>\n");
}

static void add_operation(struct buffer *out, const char *path, const char *method, const json_t *operation)
{
    const json_t *scopes = json_object_get(json_array_get(json_object_get(operation, "security"), 0), "bearer");
    const json_t *body = json_object_get(json_object_get(operation, "requestBody"), "content");
    buffer_add_text(out, "<section><h2><code>");
    for (; *method; method++)
        buffer_add_u8(out, (uint8_t)(*method & ~0x20));
    buffer_add_u8(out, ' ');
    add_text(out, path);
    buffer_add_text(out, "</code></h2>\n<p>");
    add_text(out, text_of(operation, "summary"));
    if (scopes)
        buffer_add_text(out, ". Needs a bearer token");
    if (json_array_size(scopes))
        buffer_printf(out, " with the scope %s", json_string_value(json_array_get(scopes, 0)));
    buffer_add_text(out, ".</p>\n");
    add_parameters(out, json_object_get(operation, "parameters"));
    if (body) {
        buffer_add_text(out, "<p>Body:");
        add_content(out, body);
        buffer_add_text(out, "</p>\n");
    }
    add_responses(out, json_object_get(operation, "responses"));
    buffer_add_text(out, "</section>\n");
}

static void add_components(struct buffer *out, const json_t *schemas)
{
    const char *name;
    json_t *schema;
    buffer_add_text(out, "<h2>Forms</h2>\n");
    json_object_foreach ((json_t *)schemas, name, schema) {
        char *text = json_dumps(schema, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        buffer_printf(out, "<details id=\"%s\">", name);
        add_element(out, "summary", name);
        add_element(out, "pre", text);
        buffer_add_text(out, "</details>\n");
        free(text);
    }
}

void docs_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    const char *path, *method;
    json_t *methods, *operation;
    struct answer description = {0};
    openapi_answer(service, request, &description);
    json_t *root = json_loadb(description.body.data, description.body.bytes, 0, NULL);
    struct buffer *out = &answer->body;
    buffer_add_text(out, head);
    json_object_foreach (json_object_get(root, "paths"), path, methods) {
        json_object_foreach (methods, method, operation) {
            add_operation(out, path, method, operation);
        }
    }
    add_components(out, json_object_get(json_object_get(root, "components"), "schemas"));
    buffer_add_text(out, "</main></body></html>\n");
    answer->status = 200;
    answer->type = "text/html; charset=utf-8";
    json_decref(root);
    buffer_free(&description.body);
}
