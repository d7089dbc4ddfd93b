/* The name of the topic of current records: see state_topic.h. Must say what the scorer makes of the same options. */
#include "producer/state_topic.h"

bool state_topic_find(const struct options *options, const struct schema *schema, struct buffer *name)
{
    const char *given = options_text(options, OPTION_STATE_TOPIC);
    buffer_clear(name);
    if (given && *given ? strcmp(given, "none") == 0 : !schema->state)
        return false;
    if (given && *given)
        buffer_printf(name, "%s", given);
    else
        buffer_printf(name, "%s-state", options_text(options, OPTION_GROUP_ID));
    return true;
}
