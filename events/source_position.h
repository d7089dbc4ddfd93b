/* The headers by which a null value on the output topic and an outcome say which record of the input topic they are
 * from: the scorer writes them, the sink orders erasures by them. All values are text. */
#pragma once

#define SOURCE_TOPIC_HEADER "attrition.source.topic"
#define SOURCE_PARTITION_HEADER "attrition.source.partition"
#define SOURCE_OFFSET_HEADER "attrition.source.offset"
