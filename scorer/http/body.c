/* Keeping and reading bodies: see body.h. On the server's threads. */
#include "scorer/http/body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scorer/http/media_type.h"

static void refuse_large(struct answer *answer)
{
    answer_detail(answer, 413, "the body is larger than 1 MiB");
}

void body_check(const struct request *request, const struct body_headers *headers, struct answer *answer)
{
    if (headers->length && strtoull(headers->length, NULL, 10) > BODY_MAX)
        refuse_large(answer);
    else if (strcmp(request->method, "POST"))
        return;
    else if (headers->tensors)
        answer_detail(answer, 415, "the binary tensor extension is not supported: send tensors as JSON");
    else if (!media_type_fits(headers->type, headers->origin, request->path))
        answer_detail(answer, 415, "the body must be %s in UTF-8 (Content-Type)", media_types_of(request->path));
    else if (headers->coding && strcasecmp(headers->coding, "identity"))
        answer_detail(answer, 415, "compressed bodies are not supported");
}

void body_keep(atomic_size_t *held, struct buffer *body, struct span piece, struct answer *answer)
{
    size_t bytes = body->bytes + piece.bytes, all = atomic_fetch_add(held, piece.bytes) + piece.bytes;
    if (bytes > BODY_MAX)
        refuse_large(answer);
    else if (bytes > BODY_SMALL && all > BODIES_MOST)
        answer_unavailable(answer, "too many large requests are under way: send it again later");
    else
        buffer_add(body, piece.data, piece.bytes);
    if (answer->status)
        atomic_fetch_sub(held, piece.bytes);
}

bool body_read(const struct request *request, struct body *out, struct answer *answer)
{
    size_t line, column;
    struct span all;
    *out = (struct body){.text = {request->body.data ? request->body.data : "", request->body.bytes}};
    json_reader_start(&out->reader, out->text);
    json_skip_value(&out->reader, &all);
    if (json_reader_end(&out->reader) == JSON_FLAW_NONE)
        return true;
    json_reader_place(&out->reader, &line, &column);
    answer_detail(answer, 400, "the body is %s (line %zu, column %zu)", json_flaw_text(out->reader.flaw), line, column);
    return false;
}

static json_t *tree_of(struct json_reader *reader, const struct json_value *value);

static json_t *list_of(struct json_reader *reader)
{
    json_t *list = json_array();
    struct json_value value;
    for (bool first = true; json_next_item(reader, &first);)
        if (json_read_value(reader, &value))
            json_array_append_new(list, tree_of(reader, &value));
    return list;
}

static json_t *object_of(struct json_reader *reader)
{
    json_t *object = json_object();
    struct json_value value;
    struct span name;
    for (bool first = true; json_next_name(reader, &first, &name);) {
        const char *key = arena_text(&reader->texts, name.data, name.bytes);
        if (json_read_value(reader, &value))
            json_object_set_new(object, key, tree_of(reader, &value));
    }
    return object;
}

static json_t *number_of(const struct json_value *value)
{
    bool exact = value->whole && value->number >= -0x1p53 && value->number <= 0x1p53;
    return exact ? json_integer((json_int_t)value->number) : json_real(value->number);
}

static json_t *tree_of(struct json_reader *reader, const struct json_value *value)
{
    switch (value->kind) {
    case JSON_KIND_OBJECT:
        return object_of(reader);
    case JSON_KIND_ARRAY:
        return list_of(reader);
    case JSON_KIND_NUMBER:
        return number_of(value);
    case JSON_KIND_TEXT:
        return json_stringn(value->text.data, value->text.bytes);
    case JSON_KIND_NOT_FINITE:
        return json_string("NaN");
    case JSON_KIND_FALSE:
        return json_false();
    case JSON_KIND_TRUE:
        return json_true();
    default:
        return json_null();
    }
}

const json_t *body_tree(struct body *body)
{
    const struct json_value root = json_read_part(&body->reader, body->text);
    if (!body->tree)
        body->tree = tree_of(&body->reader, &root);
    return body->tree;
}

void body_free(struct body *body)
{
    json_decref(body->tree);
    json_reader_free(&body->reader);
    *body = (struct body){0};
}

bool body_is_list(struct span text)
{
    struct json_reader reader = {0};
    struct json_value value;
    json_reader_start(&reader, text);
    bool list = json_read_value(&reader, &value) && value.kind == JSON_KIND_ARRAY;
    json_skip_rest(&reader, &value);
    list &= json_reader_end(&reader) == JSON_FLAW_NONE;
    json_reader_free(&reader);
    return list;
}
