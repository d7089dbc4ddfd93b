/* See onnx_metadata.h. Called by the registry tool's import, on one thread. A protobuf message is its fields one after
 * the other in any order, so entries are left out where they stand and new ones are written at the end. The file has
 * passed the guard before its fields are walked. */
#include "pipeline/onnx/onnx_metadata.h"

#include "pipeline/onnx/onnx_limits.h"

#include "onnx/onnx.pb-c.h"
#include "pipeline/onnx/varint.h"

enum { METADATA_TAG = 14 << 3 | 2, WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2 };

static bool replaced(struct span entry, const struct model_property *properties, size_t count)
{
    Onnx__StringStringEntryProto *read =
        onnx__string_string_entry_proto__unpack(NULL, entry.bytes, (const uint8_t *)entry.data);
    bool found = false;
    for (size_t p = 0; read && p < count && !found; p++)
        found = !strcmp(read->key, properties[p].key);
    if (read)
        onnx__string_string_entry_proto__free_unpacked(read, NULL);
    return found;
}

/* Steps over one field; *entry is its bytes if it is a metadata entry. */
static bool take_field(struct cursor *cursor, struct span *entry)
{
    uint64_t tag = 0, number = 0;
    struct span bytes;
    *entry = SPAN_NULL;
    if (!varint_read(cursor, &tag))
        return false;
    switch (tag & 7) {
    case WIRE_VARINT:
        return varint_read(cursor, &number);
    case WIRE_64BIT:
        return cursor_span(cursor, 8, &bytes);
    case WIRE_BYTES:
        if (!varint_read(cursor, &number) || !cursor_span(cursor, number, &bytes))
            return false;
        if (tag == METADATA_TAG)
            *entry = bytes;
        return true;
    default:
        return cursor_span(cursor, 4, &bytes);
    }
}

static size_t varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    while (value >>= 7)
        bytes++;
    return bytes;
}

/* {1: key, 2: value} */
static void add_entry(struct buffer *out, const struct model_property *property)
{
    size_t key = strlen(property->key), value = property->value.bytes;
    varint_add(out, METADATA_TAG);
    varint_add(out, 1 + varint_bytes(key) + key + 1 + varint_bytes(value) + value);
    varint_add(out, 1 << 3 | WIRE_BYTES);
    varint_add(out, key);
    buffer_add(out, property->key, key);
    varint_add(out, 2 << 3 | WIRE_BYTES);
    varint_add(out, value);
    buffer_add(out, property->value.data, value);
}

enum status onnx_set_metadata(struct span file, const struct model_property *properties, size_t count,
                              struct buffer *out, struct error *err)
{
    if (onnx_limits_check(file, err) != STATUS_OK)
        return err->status;
    struct cursor cursor = cursor_of(file);
    while (cursor_left(&cursor)) {
        struct span entry;
        const uint8_t *start = cursor.at;
        if (!take_field(&cursor, &entry))
            return error_set(err, STATUS_INVALID, "not a sound ONNX file: a field is cut: export or copy it again");
        if (!entry.data || !replaced(entry, properties, count))
            buffer_add(out, start, (size_t)(cursor.at - start));
    }
    for (size_t p = 0; p < count; p++)
        add_entry(out, &properties[p]);
    return STATUS_OK;
}
