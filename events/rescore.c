/* Events of `producer rescore`: see rescore.h. A score loop asks of each partial event. */
#include "events/rescore.h"

#include "avro/read.h"
#include "events/frame.h"

static bool has_prefix(struct span id)
{
    const struct span prefix = SPAN_LITERAL(RESCORE_PREFIX);
    return id.bytes > prefix.bytes && memcmp(id.data, prefix.data, prefix.bytes) == 0;
}

bool rescore_is_event(const struct schema *schema, const struct event *event)
{
    if (!event->partial || !has_prefix(event->event_id))
        return false;
    for (size_t c = 0; c < schema->column_count; c++)
        if (event->cells[c].code != CELL_UNLISTED)
            return false;
    return true;
}

bool rescore_is_value(struct span value)
{
    struct frame frame;
    struct fault fault;
    struct span id;
    bool padded = false;
    if (frame_read(value, SPAN_NULL, &frame, &fault) != EVENT_OK)
        return false;
    struct cursor in = cursor_of(frame.datum);
    return avro_read_bytes(&in, &id, &padded) && has_prefix(id);
}
