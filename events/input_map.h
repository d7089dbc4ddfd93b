/* INPUT_MAP: where each field of an event stands in JSON of somebody else's making, compiled once at start.
 *
 * {"key": "/emp_no", "employee_id": "/emp_no", "occurred_at": {"path": "/updated", "unit": "ms"},
 *  "event_type": {"path": "/action", "values": {"HIRE": "HIRED"}}, "attributes": {"COLUMN": "/a/b", …}, "ignore":
 * ["/x"]}
 *
 * Paths are JSON pointers (RFC 6901); one without a slash before it is the name of a
 * member, or of a column of a CSV file. Read-only after input_map_load, and safe to share. */
#pragma once

#include "base/json_reader.h"
#include "base/status.h"
#include "events/schema.h"
#include "events/time_unit.h"

/* A value of theirs and what it means: a text or a number of ours. */
struct map_value {
    struct span theirs;
    struct json_value ours;
};

/* A field of an event. `column`: an index of the schema's columns, or FAULT_EMPLOYEE_ID … (error_codes.h). */
struct map_target {
    int32_t column;
    enum time_unit unit; /* of occurred_at; TIME_UNIT_NONE: the one that was set */
    const struct map_value *values;
    size_t value_count;
};

/* One step of a pointer. A node has a target, or is ignored, or has steps below it. */
struct map_node {
    struct span name;
    const struct map_target *target;
    bool ignored;
    struct map_node *below;
    size_t below_count;
};

struct input_map;

/* Reads and checks a mapping. STATUS_INVALID: the text names the file, the key and what is wrong. */
MUST_USE enum status input_map_load(const char *path, const struct schema *schema, struct input_map **out,
                                    struct error *err);
void input_map_free(struct input_map *map);

const struct map_node *input_map_root(const struct input_map *map);
/* The pointer to the employee's id within a message key that is JSON; NULL: there is none. Nodes of one branch. */
const struct map_node *input_map_key(const struct input_map *map);

/* The step of that name, or of that index within an array; NULL: none. */
const struct map_node *map_node_find(const struct map_node *node, struct span name);
/* What a value means: *value becomes ours where the target has it among its values. */
void map_target_translate(const struct map_target *target, struct json_value *value);
