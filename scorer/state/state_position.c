/* The position record: see state_position.h. On a score loop's thread, and in its commits. */
#include "scorer/state/state_position.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/json_writer.h"

void state_position_write(const struct state_position *position, struct buffer *out)
{
    struct json_writer json = json_writer_of(out);
    json_begin_object(&json, NULL);
    json_write_string(&json, "group", position->group);
    json_write_string(&json, "topic", position->topic);
    json_write_int(&json, "partition", position->partition);
    json_write_int(&json, "offset", position->offset);
    json_end_object(&json);
}

static bool is_text(const json_t *json, const char *name, const char *text)
{
    const char *found = json_string_value(json_object_get(json, name));
    return found && !strcmp(found, text);
}

enum status state_position_read(struct span value, const struct state_position *due, int64_t *offset, struct error *err)
{
    json_t *json = json_loadb(value.data ? value.data : "", value.bytes, JSON_REJECT_DUPLICATES, NULL);
    const json_t *found = json_object_get(json, "offset");
    enum status status = STATUS_OK;
    if (!json_is_integer(found) || json_integer_value(found) < 0)
        status = error_set(err, STATUS_INVALID, "its position record is none that a scorer writes");
    else if (!is_text(json, "group", due->group))
        status = error_set(err, STATUS_CONFLICT, "it is the state of group %.100s, not of %s",
                           json_string_value(json_object_get(json, "group")) ?: "?", due->group);
    else if (!is_text(json, "topic", due->topic) ||
             json_integer_value(json_object_get(json, "partition")) != due->partition)
        status = error_set(err, STATUS_CONFLICT, "it is the state of another input than %s [%" PRId32 "]", due->topic,
                           due->partition);
    else
        *offset = json_integer_value(found);
    json_decref(json);
    return status;
}
