/* Reading the schema's name from a message: see frame.h. On the hot path of every loop that decodes; takes no memory
 * and never looks into the datum. */
#include "events/frame.h"

#include "events/fault.h"

enum { MAGIC_ID = 0, MAGIC_GUID = 1 };

/* Byte 0 and an id, or byte 1 and a GUID. */
static bool frame_read_key(struct cursor *in, struct schema_key *out)
{
    uint8_t magic;
    struct span guid;
    *out = (struct schema_key){0};
    if (!cursor_u8(in, &magic))
        return false;
    if (magic == MAGIC_ID)
        return cursor_u32_be(in, &out->id);
    if (magic != MAGIC_GUID || !cursor_span(in, FRAME_GUID_BYTES, &guid))
        return false;
    out->is_guid = true;
    memcpy(out->guid, guid.data, FRAME_GUID_BYTES);
    return true;
}

static enum event_code frame_refuse(struct span value, struct fault *fault)
{
    uint8_t magic = value.bytes ? (uint8_t)value.data[0] : 0;
    if (value.bytes == 0)
        return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN, "the value is empty");
    if (magic > MAGIC_GUID)
        return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN,
                         "the value starts with byte %u, not with a schema frame", magic);
    return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN, "%zu bytes are too short for a schema frame",
                     value.bytes);
}

static enum event_code frame_read_header(struct span value, struct span header, struct frame *out, struct fault *fault)
{
    struct cursor in = cursor_of(header);
    if (!frame_read_key(&in, &out->key) || cursor_left(&in))
        return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN,
                         "the header " FRAME_HEADER " holds %zu bytes that are no schema id", header.bytes);
    out->datum = value;
    return EVENT_OK;
}

enum event_code frame_read(struct span value, struct span header, struct frame *out, struct fault *fault)
{
    struct cursor in = cursor_of(value);
    if (value.bytes == 0)
        return frame_refuse(value, fault);
    if (header.data)
        return frame_read_header(value, header, out, fault);
    if (!frame_read_key(&in, &out->key))
        return frame_refuse(value, fault);
    out->datum = (struct span){(const char *)in.at, cursor_left(&in)};
    return EVENT_OK;
}
