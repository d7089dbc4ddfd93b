/* {"employee_id": "E1"} → E1: see key_json.h. Called for every event with such a key; allocates nothing once the reader
 * is warm. */
#include "events/key_json.h"

bool key_json_begins(struct span text)
{
    const char *at = text.data, *end = text.data + text.bytes;
    unsigned found = 0;
    for (; at < end && found < 2; at++) {
        if (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
            continue;
        if (found == 0 ? *at != '{' : *at != '"' && *at != '}')
            return false;
        found++;
    }
    return found == 2;
}

/* The members of an object that has just been opened. */
struct members {
    size_t count;
    struct span first, payload, pointed; /* values, as their bytes */
};

static void members_read(struct json_reader *reader, const struct map_node *pointer, struct members *out)
{
    uint64_t object = json_object_begin(reader);
    struct span name, part;
    *out = (struct members){0};
    for (bool first = true; json_next_name(reader, &first, &name); out->count++) {
        if (!json_name_is_new(reader, object, name))
            json_refuse(reader, JSON_FLAW_DUPLICATE);
        json_skip_value(reader, &part);
        if (out->count == 0)
            out->first = part;
        if (span_equal(name, SPAN_LITERAL("payload")))
            out->payload = part;
        if (pointer && span_equal(name, pointer->below[0].name))
            out->pointed = part;
    }
}

/* A value as an id. */
static bool take_id(struct json_reader *reader, struct span part, char storage[static ID_BYTES_MAX], struct span *out)
{
    const struct json_value value = json_read_part(reader, part);
    bool is_id = value.kind == JSON_KIND_TEXT || (value.kind == JSON_KIND_NUMBER && value.whole);
    if (!is_id || value.text.bytes > ID_BYTES_MAX)
        return false;
    *out = value.text;
    if (value.text.data < part.data || value.text.data >= part.data + part.bytes) { /* it had escapes */
        memcpy(storage, value.text.data, value.text.bytes);
        out->data = storage;
    }
    return true;
}

/* may_wrap: the id may lie within "payload"; one level, for each is read again from its start. */
static bool read_object(struct json_reader *reader, struct span part, const struct map_node *pointer, bool may_wrap,
                        char storage[static ID_BYTES_MAX], struct span *out)
{
    struct members members;
    if (json_read_part(reader, part).kind != JSON_KIND_OBJECT)
        return false;
    members_read(reader, pointer, &members);
    if (pointer && members.pointed.data) {
        const struct map_node *step = &pointer->below[0];
        return step->below_count ? read_object(reader, members.pointed, step, false, storage, out)
                                 : take_id(reader, members.pointed, storage, out);
    }
    if (members.count == 1 && take_id(reader, members.first, storage, out))
        return true;
    return may_wrap && members.payload.data && read_object(reader, members.payload, pointer, false, storage, out);
}

bool key_json_read(struct json_reader *reader, struct span text, const struct map_node *pointer,
                   char storage[static ID_BYTES_MAX], struct span *out)
{
    struct span all;
    json_reader_reset(reader);
    json_reader_start(reader, text);
    json_skip_value(reader, &all);
    if (json_reader_end(reader) != JSON_FLAW_NONE)
        return false;
    return read_object(reader, all, pointer, true, storage, out);
}
