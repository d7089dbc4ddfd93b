/* Limits on a file before protobuf-c sees it: its unpacker recurses as deep as the file says, so a small file
 * of nested types would run it out of stack. Called by onnx_read on the bytes as they came, on any thread; allocates
 * nothing; must never read past the file and never accept what the unpacker could trip over.
 *
 * The walk follows protobuf-c's own message descriptors, so it knows which fields are messages. It refuses groups, a
 * duplicate singular message or text (the unpacker would merge or replace them), and texts with NUL bytes. */
#include "pipeline/onnx/onnx_limits.h"

#include "onnx/onnx.pb-c.h"
#include "pipeline/onnx/varint.h"

enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_BYTES = 2, WIRE_32BIT = 5 };

struct guard {
    const char *start; /* of the file, to name positions */
    size_t messages, texts, fields;
    struct error *err;
};

static enum status guard_fault(const struct guard *guard, const struct cursor *at, const char *what)
{
    return error_set(guard->err, STATUS_INVALID, "not a sound ONNX file: %s at byte %zu: export or copy it again", what,
                     (size_t)((const char *)at->at - guard->start));
}

static enum status guard_message(struct guard *guard, const ProtobufCMessageDescriptor *type, struct span bytes,
                                 unsigned depth);

/* Packed numbers must fill their length: whole elements only. */
static bool packed_fits(const ProtobufCFieldDescriptor *field, struct span bytes)
{
    struct cursor cursor = cursor_of(bytes);
    uint64_t value = 0;
    switch (field->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return bytes.bytes % 4 == 0;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return bytes.bytes % 8 == 0;
    default:
        while (cursor_left(&cursor))
            if (!varint_read(&cursor, &value))
                return false;
        return true;
    }
}

static enum status guard_bytes(struct guard *guard, const ProtobufCFieldDescriptor *field, struct cursor *cursor,
                               unsigned depth)
{
    uint64_t length = 0;
    struct span bytes;
    if (!varint_read(cursor, &length) || length > cursor_left(cursor) || !cursor_span(cursor, (size_t)length, &bytes))
        return guard_fault(guard, cursor, "a length beyond the end");
    if (++guard->texts > ONNX_MAX_TEXTS)
        return error_set(guard->err, STATUS_LIMIT, "the ONNX file holds more than %d texts and messages",
                         ONNX_MAX_TEXTS);
    if (!field)
        return STATUS_OK;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return guard_message(guard, field->descriptor, bytes, depth + 1);
    if (field->type == PROTOBUF_C_TYPE_STRING && bytes.bytes && memchr(bytes.data, 0, bytes.bytes))
        return guard_fault(guard, cursor, "a name with a NUL byte before");
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES)
        return STATUS_OK;
    if (field->label != PROTOBUF_C_LABEL_REPEATED || !packed_fits(field, bytes))
        return guard_fault(guard, cursor, "a broken list of numbers before");
    return STATUS_OK;
}

/* A field that may stand once only: `seen` has a bit for each field of the message; members of a oneof share one. */
static bool stands_twice(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field, uint64_t *seen)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return false;
    bool one_of = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    uint64_t bit = (uint64_t)1 << (one_of ? 63 : (unsigned)(field - type->fields) % 63);
    bool before = *seen & bit;
    *seen |= bit;
    return before;
}

static enum status guard_field(struct guard *guard, const ProtobufCMessageDescriptor *type, struct cursor *cursor,
                               uint64_t *seen, unsigned depth)
{
    uint64_t tag = 0, skipped = 0;
    struct span fixed;
    if (!varint_read(cursor, &tag) || tag >> 3 == 0 || tag > UINT32_MAX)
        return guard_fault(guard, cursor, "a broken field tag");
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
    guard->texts += !field;
    if (++guard->fields > ONNX_MAX_FIELDS || guard->texts > ONNX_MAX_TEXTS)
        return error_set(guard->err, STATUS_LIMIT, "the ONNX file holds more than %d fields, or %d unknown ones",
                         ONNX_MAX_FIELDS, ONNX_MAX_TEXTS);
    if (field && stands_twice(type, field, seen))
        return guard_fault(guard, cursor, "a duplicate field");
    bool bytes_expected = field && (field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING ||
                                    field->type == PROTOBUF_C_TYPE_BYTES);
    if (bytes_expected && (tag & 7) != WIRE_BYTES)
        return guard_fault(guard, cursor, "a field of another wire type");
    switch (tag & 7) {
    case WIRE_VARINT:
        return varint_read(cursor, &skipped) ? STATUS_OK : guard_fault(guard, cursor, "a broken number");
    case WIRE_64BIT:
        return cursor_span(cursor, 8, &fixed) ? STATUS_OK : guard_fault(guard, cursor, "a cut number");
    case WIRE_32BIT:
        return cursor_span(cursor, 4, &fixed) ? STATUS_OK : guard_fault(guard, cursor, "a cut number");
    case WIRE_BYTES:
        return guard_bytes(guard, field, cursor, depth);
    default:
        return guard_fault(guard, cursor, "a wire type that ONNX does not use");
    }
}

static enum status guard_message(struct guard *guard, const ProtobufCMessageDescriptor *type, struct span bytes,
                                 unsigned depth)
{
    if (depth > ONNX_MAX_DEPTH)
        return error_set(guard->err, STATUS_LIMIT, "the ONNX file nests messages deeper than %d levels",
                         ONNX_MAX_DEPTH);
    if (++guard->messages > ONNX_MAX_MESSAGES)
        return error_set(guard->err, STATUS_LIMIT, "the ONNX file holds more than %d messages", ONNX_MAX_MESSAGES);
    struct cursor cursor = cursor_of(bytes);
    uint64_t seen = 0;
    while (cursor_left(&cursor)) {
        enum status status = guard_field(guard, type, &cursor, &seen, depth);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status onnx_limits_check(struct span file, struct error *err)
{
    if (file.bytes == 0)
        return error_set(err, STATUS_INVALID, "the model file is empty: export or copy it again");
    if (file.bytes > ONNX_MAX_BYTES)
        return error_set(err, STATUS_LIMIT, "the model file has %zu bytes, more than %d", file.bytes, ONNX_MAX_BYTES);
    struct guard guard = {.start = file.data, .err = err};
    return guard_message(&guard, &onnx__model_proto__descriptor, file, 1);
}
