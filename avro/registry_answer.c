/* Reads a registry's answers: see registry_answer.h. Called by registry_client.c on its thread, and for what its disk
 * cache holds. Must never take for knowledge what a proxy may have said. */
#include "avro/registry_answer.h"

#include <jansson.h>

#include "base/http_client.h"
#include "base/json.h"
#include "avro/type.h"

/* Confluent's error codes: no such subject, version, schema. */
enum { NO_SUBJECT = 40401, NO_VERSION = 40402, NO_SCHEMA = 40403 };

static json_t *answer_parse(struct span text, size_t flags)
{
    return json_fits_tree(text) ? json_loadb(text.data ? text.data : "", text.bytes, flags, NULL) : NULL;
}

static bool says_unknown(const json_t *body)
{
    json_int_t code = json_integer_value(json_object_get(body, "error_code"));
    return code == NO_SUBJECT || code == NO_VERSION || code == NO_SCHEMA;
}

/* "answered 503: message": the message is the registry's own, where it has one. */
static enum status answer_set_error(const struct registry_answer *answer, const json_t *body, enum status status,
                                    struct error *err)
{
    const char *message = json_string_value(json_object_get(body, "message"));
    if (answer->status == 401)
        return error_set(err, status, "it answered 401: check SCHEMA_REGISTRY_USERNAME and _PASSWORD, or _TOKEN");
    return error_set(err, status, "it answered %ld%s%.200s", answer->status, message ? ": " : "",
                     message ? message
                     : body  ? ""
                             : " with something that is not its API's JSON");
}

static enum registry_result unusable(struct error *err, const char *why, const char *name)
{
    error_set(err, STATUS_UNSUPPORTED, why, name);
    return REGISTRY_UNUSABLE;
}

/* The schema's own text: not JSON is nonsense; JSON that is not Avro is a schema of no use. */
static enum registry_result check_text(struct span schema, struct buffer *text, struct error *err)
{
    struct avro_schema *parsed;
    json_t *json = answer_parse(schema, JSON_DECODE_ANY);
    if (!json) {
        error_set(err, STATUS_UNAVAILABLE, "the schema in its answer is not JSON");
        return REGISTRY_NO_ANSWER;
    }
    json_decref(json);
    if (avro_schema_parse(schema, &parsed, err) != STATUS_OK)
        return REGISTRY_UNUSABLE;
    avro_schema_free(parsed);
    buffer_clear(text);
    buffer_add(text, schema.data, schema.bytes);
    return REGISTRY_SCHEMA;
}

static enum registry_result answer_read_body(const json_t *body, struct buffer *text, uint32_t *id, struct error *err)
{
    const json_t *schema = json_object_get(body, "schema"), *type = json_object_get(body, "schemaType");
    const json_t *references = json_object_get(body, "references");
    json_int_t number = json_integer_value(json_object_get(body, "id"));
    if (!json_is_string(schema)) {
        error_set(err, STATUS_UNAVAILABLE, "its answer has no text \"schema\"");
        return REGISTRY_NO_ANSWER;
    }
    *id = number > 0 && number <= REGISTRY_ID_MAX ? (uint32_t)number : 0;
    if (json_is_string(type) && strcmp(json_string_value(type), "JSON") == 0) {
        buffer_clear(text);
        buffer_add_text(text, REGISTRY_JSON);
        return REGISTRY_SCHEMA;
    }
    if (type && !json_is_null(type) && (!json_is_string(type) || strcmp(json_string_value(type), "AVRO") != 0))
        return unusable(err, "it is not Avro but %.40s", json_is_string(type) ? json_string_value(type) : "unnamed");
    if (json_array_size(references)) {
        const char *name = json_string_value(json_object_get(json_array_get(references, 0), "name"));
        return unusable(err, "it refers to another subject's schema (%.100s): register it whole", name ? name : "?");
    }
    return check_text((struct span){json_string_value(schema), json_string_length(schema)}, text, err);
}

enum registry_result registry_answer_schema(const struct registry_answer *answer, struct buffer *text, uint32_t *id,
                                            struct error *err)
{
    json_t *body = answer_parse(answer->body, 0);
    enum registry_result result = REGISTRY_NO_ANSWER;
    if (answer->status == 200 && json_is_object(body)) {
        result = answer_read_body(body, text, id, err);
    } else {
        enum status status = http_status_of(answer->status);
        answer_set_error(answer, body, status == STATUS_DENIED ? STATUS_DENIED : STATUS_UNAVAILABLE, err);
        if (answer->status == 404 && says_unknown(body))
            result = REGISTRY_UNKNOWN;
    }
    json_decref(body);
    return result;
}

enum status registry_answer_id(const struct registry_answer *answer, uint32_t *id, struct error *err)
{
    json_t *body = answer_parse(answer->body, 0);
    json_int_t number = json_integer_value(json_object_get(body, "id"));
    enum status status = STATUS_UNAVAILABLE;
    if (answer->status == 200 && number > 0 && number <= REGISTRY_ID_MAX) {
        *id = (uint32_t)number;
        status = STATUS_OK;
    } else if (answer->status == 200) {
        error_set(err, status, "it answered 200 without an id");
    } else {
        bool refused = json_is_object(body) && json_object_get(body, "error_code");
        if (answer->status == 404 && says_unknown(body))
            status = STATUS_NOT_FOUND;
        else if (answer->status == 409 && refused)
            status = STATUS_CONFLICT;
        else if (answer->status == 422 && refused)
            status = STATUS_INVALID;
        else if (answer->status == 401 || answer->status == 403)
            status = STATUS_DENIED;
        answer_set_error(answer, body, status, err);
    }
    json_decref(body);
    return status;
}
