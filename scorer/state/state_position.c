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
    json_write_int(&json, "partitions", position->partitions);
    json_write_int(&json, "offset", position->offset);
    json_write_int(&json, "records", position->records);
    json_write_int(&json, "begun_us", position->begun_us);
    json_end_object(&json);
}

static bool is_text(const json_t *json, const char *name, const char *text)
{
    const char *found = json_string_value(json_object_get(json, name));
    return found && !strcmp(found, text);
}

static bool take_number(const json_t *json, const char *name, int64_t *out)
{
    const json_t *found = json_object_get(json, name);
    *out = json_integer_value(found);
    return json_is_integer(found) && *out >= 0;
}

enum status state_position_read(struct span value, struct state_position *position, struct error *err)
{
    json_t *json = json_loadb(value.data ? value.data : "", value.bytes, JSON_REJECT_DUPLICATES, NULL);
    struct state_position found = *position;
    enum status status = STATUS_OK;
    if (!take_number(json, "offset", &found.offset) || !take_number(json, "records", &found.records))
        status = error_set(err, STATUS_INVALID, "its position record is none that a scorer writes");
    else if (!is_text(json, "group", position->group))
        status = error_set(err, STATUS_CONFLICT, "it is the state of group %.100s, not of %s",
                           json_string_value(json_object_get(json, "group")) ?: "?", position->group);
    else if (!is_text(json, "topic", position->topic) ||
             json_integer_value(json_object_get(json, "partition")) != position->partition)
        status = error_set(err, STATUS_CONFLICT, "it is the state of another input than %s [%" PRId32 "]",
                           position->topic, position->partition);
    else
        *position = found;
    if (status == STATUS_OK) {
        position->partitions = (int32_t)json_integer_value(json_object_get(json, "partitions"));
        position->begun_us = json_integer_value(json_object_get(json, "begun_us"));
    }
    json_decref(json);
    return status;
}
