/* Parsing bodies: see body.h. On the server's threads; memory is bounded by the body's limit. */
#include "scorer/http/body.h"

#include "scorer/json_line.h"

enum { FLAGS = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY };

static const char *what(enum json_error_code code)
{
    switch (code) {
    case json_error_duplicate_key:
        return "duplicate key";
    case json_error_stack_overflow:
        return "nested too deeply";
    case json_error_invalid_utf8:
        return "not UTF-8";
    default:
        return "not JSON";
    }
}

bool body_read(const struct request *request, struct body *out, struct answer *answer)
{
    json_error_t where;
    struct span id;
    *out = (struct body){
        .root = json_loadb(request->body.data ? request->body.data : "", request->body.bytes, FLAGS, &where)};
    if (out->root)
        return true;
    enum json_error_code code = json_error_code(&where);
    if (code == json_error_numeric_overflow || code == json_error_invalid_syntax) {
        json_line_prepare(request->body, &out->rewritten, &id);
        struct span text = buffer_span(&out->rewritten);
        out->has_stand_ins = true;
        out->root = json_loadb(text.data, text.bytes, FLAGS, code == json_error_numeric_overflow ? &where : NULL);
    }
    if (out->root)
        return true;
    answer_detail(answer, 400, "the body is %s (line %d, column %d)", what(json_error_code(&where)), where.line,
                  where.column);
    body_free(out);
    return false;
}

void body_free(struct body *body)
{
    json_decref(body->root);
    buffer_free(&body->rewritten);
    *body = (struct body){0};
}

bool body_is_list(struct span text)
{
    json_t *root = json_loadb(text.data, text.bytes, JSON_REJECT_DUPLICATES, NULL);
    bool is_list = json_is_array(root);
    json_decref(root);
    return is_list;
}
