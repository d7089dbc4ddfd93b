/* Faults of a request as JSON: see faults.h. On the server's threads. Texts never repeat a value of the request, only
 * names. */
#include "scorer/http/faults.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"

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
    struct buffer *out = &faults->list;
    if (faults->count++ >= FAULTS_TOLD)
        return;
    buffer_add_text(out, faults->count > 1 ? ",{\"loc\":[" : "{\"loc\":[");
    for (size_t i = 0; i < loc.count; i++) {
        if (i)
            buffer_add_u8(out, ',');
        if (loc.parts[i].name.data)
            json_add_text(out, loc.parts[i].name);
        else
            json_add_int(out, (int64_t)loc.parts[i].index);
    }
    buffer_add_text(out, "],\"msg\":");
    json_add_text(out, span_of(text));
    buffer_add_text(out, ",\"type\":");
    json_add_text(out, span_of(event_code_name(code)));
    buffer_add_text(out, "}");
}

bool faults_answer(struct faults *faults, struct answer *answer)
{
    if (!faults->count)
        return false;
    answer->status = 422;
    buffer_clear(&answer->body);
    buffer_add_text(&answer->body, "{\"detail\":[");
    buffer_add(&answer->body, faults->list.data, faults->list.bytes);
    buffer_add_text(&answer->body, "]}\n");
    faults_clear(faults);
    return true;
}

void faults_clear(struct faults *faults)
{
    buffer_free(&faults->list);
    *faults = (struct faults){0};
}

void answer_detail(struct answer *answer, unsigned status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_flatten(text);
    answer->status = status;
    buffer_clear(&answer->body);
    buffer_add_text(&answer->body, "{\"detail\":");
    json_add_text(&answer->body, span_of(text));
    buffer_add_text(&answer->body, "}\n");
}
