/* The alert topic, where nobody has named one: whoever writes or reads it first makes it, so that alerts need no step
 * of their own. A topic that was named and is missing is a mistake. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "scorer/settings.h"

/* Makes the topic where ALERT_TOPIC is not given and it is missing, with as many partitions as the output topic.
 * `client`: a consumer, whose questions never make one. Failure says what to do. */
MUST_USE enum status alert_topic_make(rd_kafka_t *client, const struct settings *settings, struct error *err);
