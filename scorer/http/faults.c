/* Faults of a request as JSON: see faults.h. On the server's threads. Texts never repeat a value of the request, only
 * names. */
#include "scorer/http/faults.h"

#include <assert.h>
#include <stdarg.h>

enum { LOC_PARTS = sizeof((struct loc *)0)->parts / sizeof *((struct loc *)0)->parts };

struct loc loc_name(struct loc loc, const char *name)
{
    assert(loc.count < LOC_PARTS);
    loc.parts[loc.count++].name = span_of(name);
    return loc;
}

struct loc loc_index(struct loc loc, size_t index)
{
    assert(loc.count < LOC_PARTS);
    loc.parts[loc.count].name = SPAN_NULL;
    loc.parts[loc.count++].index = index;
    return loc;
}

void faults_add(struct faults *faults, struct loc loc, enum event_code code, const char *text)
{
    struct json_writer *json = &faults->json;
    if (faults->count++ >= FAULTS_REPORTED)
        return;
    if (faults->count == 1) {
        *json = json_writer_of(&faults->list);
        json_begin_array(json, NULL);
    }
    json_begin_object(json, NULL);
    json_begin_array(json, "loc");
    for (size_t i = 0; i < loc.count; i++)
        if (loc.parts[i].name.data)
            json_write_text(json, NULL, loc.parts[i].name);
        else
            json_write_uint(json, NULL, loc.parts[i].index);
    json_end_array(json);
    json_write_string(json, "msg", text);
    json_write_string(json, "type", event_code_name(code));
    json_end_object(json);
}

bool faults_answer(struct faults *faults, struct answer *answer)
{
    if (!faults->count)
        return false;
    answer->status = 422;
    buffer_clear(&answer->body);
    json_end_array(&faults->json);
    struct json_writer json = json_begin_document(&answer->body);
    if (faults->error)
        json_write_string(&json, "error", faults->error);
    buffer_add(json_write_raw(&json, "detail"), faults->list.data, faults->list.bytes);
    json_end_document(&json);
    faults_clear(faults);
    return true;
}

void faults_clear(struct faults *faults)
{
    buffer_free(&faults->list);
    *faults = (struct faults){0};
}

void answer_unavailable(struct answer *answer, const char *text)
{
    answer_detail(answer, 503, "%s", text);
    answer->retry_after_s = 5;
}

void answer_detail(struct answer *answer, unsigned status, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    text_vprint(text, sizeof text, format, args);
    va_end(args);
    answer->status = status;
    buffer_clear(&answer->body);
    struct json_writer json = json_begin_document(&answer->body);
    json_write_string(&json, "detail", text);
    json_end_document(&json);
}
