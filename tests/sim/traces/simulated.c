/* The scenarios on the simulation's functions, in one simulated process; nothing goes wrong by itself. See scenarios.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "tests/sim/kafka.h"
#include "tests/sim/traces/stage.h"
#include "tests/sim/run_result.h"

enum { EVENTS = 100, LIMIT_US = 600 * SECOND };

struct plan plan;
bool calm = true;
struct input_event *inputs;
int64_t input_count = EVENTS;
static bool finished;

void stage_set_servers(rd_kafka_conf_t *conf)
{
    (void)conf;
}

void stage_delete_records(const char *topic, int32_t partition, int64_t before)
{
    topic_find(topic)->logs[partition].start = before;
}

void run_end(struct run_result *result)
{
    printf("%s: %s\n", result->kind, result->text);
    exit(1);
}

/* --- what world.c and audit.c would do --- */

void trouble_broker(void)
{
}

void proc_frozen(struct proc *proc, int64_t us)
{
    (void)proc, (void)us;
}

void audit_committed(struct txn *txn)
{
    (void)txn;
}

bool audit_is_control(const struct record *record)
{
    (void)record;
    return false;
}

void audit_undone(const struct record *record, bool by_itself, bool with_offsets)
{
    (void)record, (void)by_itself, (void)with_offsets;
}

void audit_visible(const struct record *record)
{
    (void)record;
}

void audit_offset(int32_t partition, int64_t before, int64_t now)
{
    (void)partition, (void)before, (void)now;
}

void audit_assigned(int32_t partition)
{
    (void)partition;
}

void audit_producer(void)
{
}

void audit_init(struct coordinator *coordinator)
{
    (void)coordinator;
}

void audit_abort(struct coordinator *coordinator)
{
    (void)coordinator;
}

static void body(struct proc *proc)
{
    (void)proc;
    scenarios_run();
    finished = true;
}

static bool is_finished(void)
{
    return finished;
}

int main(void)
{
    static struct proc proc = {.incarnation = 1};
    chance_seed(1, getenv("SIM_VERBOSE") != NULL);
    inputs = mem_zeroed(EVENTS, sizeof *inputs);
    inputs[STAGE_LARGE].large = 1;
    inputs[STAGE_OLD].old = true;
    group_find(STAGE_GROUP); /* the first: the one that transactions commit for */
    topics[INPUT] = (struct topic){.name = STAGE_INPUT, .partitions = 2};
    topics[OUTPUT] = (struct topic){.name = STAGE_OUTPUT, .partitions = 1};
    topics[DEAD] = (struct topic){.name = "trace-dead", .partitions = 1};
    topics[OUTCOME] = (struct topic){.name = STAGE_OUTCOME, .partitions = 1};
    task_start(&proc, "traces", body);
    sim_run(LIMIT_US, is_finished);
    return !finished;
}
