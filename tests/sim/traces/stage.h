/* What the scenarios of traces cannot ask of librdkafka's calls that the simulation has: each side brings its own. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#define STAGE_INPUT "trace-input"     /* 2 partitions */
#define STAGE_OUTPUT "trace-output"   /* 1 partition, takes records up to 1,000 bytes */
#define STAGE_OUTCOME "trace-outcome" /* 1 partition, takes no timestamps older than a day */
#define STAGE_GROUP "attrition-scorer"

/* Of the simulation's broker: which records are too large or too old for it. */
enum { STAGE_LARGE = 90, STAGE_OLD = 91 };

void stage_set_servers(rd_kafka_conf_t *conf);
void stage_delete_records(const char *topic, int32_t partition, int64_t before);

/* All of them, one line for each call on standard output. */
void scenarios_run(void);
