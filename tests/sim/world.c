/* One run: draws its plan from the seed, feeds the input, starts, kills, freezes and replaces processes, troubles
 * broker and database, then lets all be calm and waits until everything has come to its end. */
#include "tests/support/records.h" /* first: it has a parameter named plan */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scorer/stream/score_loop.h"
#include "scorer/sink/sink.h"
#include "tests/sim/changes.h"
#include "tests/sim/kafka.h"
#include "tests/sim/run_result.h"
#include "tests/sim/world.h"

enum {
    SLOTS_MOST = 8,
    FAILURES_MOST = 12,
    PATIENCE_US = 200 * SECOND,
    LOOK_US = 50 * MS,
    REST_US = 4 * SECOND,
    RETRIED_US = 15 * SECOND, /* the sink's longest pause between two tries, and what it then has to do */
    STALL_US = 60 * SECOND
};

struct plan plan;
bool calm;

/* What stands behind a simulated process. */
struct instance {
    struct settings settings;
    struct counters counters;
    struct score_loop *loop;
    struct sink *sink;
    enum status status;
    struct error err;
    int64_t started_us;
    struct instance *next;
    struct proc proc;
};

struct slot {
    bool sink;
    struct instance *current;
    int incarnations, failures;
    int64_t start_us; /* when the next one starts; 0: not */
};

static struct slot slots[SLOTS_MOST];
static int slot_count;
static struct instance *instances;
static const struct world *world;
static int64_t kills, sent;
static bool finished;
static int64_t troubled_until_us;
static int *homes;    /* partition by employee; -1: none yet */
static int newcomers; /* nobody moves to a partition that is added: later events are other employees' */

/* --- the plan --- */

static int64_t perhaps(int in, int64_t low, int64_t high)
{
    return chance_one_in(in) ? chance_between(low, high) : 0;
}

static void draw_faults(void)
{
    plan.kill_every_us = perhaps(2, 500 * MS, 6 * SECOND);
    plan.freeze_every_us = perhaps(3, 3 * SECOND, 15 * SECOND);
    plan.replace = chance_one_in(2);
    plan.broker_every_us = perhaps(4, 3 * SECOND, 10 * SECOND);
    plan.database_every_us = perhaps(4, 2 * SECOND, 10 * SECOND);
    plan.grow_every_us = perhaps(5, 2 * SECOND, 10 * SECOND);
    plan.rollback_every_us = perhaps(6, 3 * SECOND, 8 * SECOND);
    plan.trim_every_us = plan.rollback_every_us ? 0 : perhaps(3, 500 * MS, 4 * SECOND);
    plan.cut_one_in = (int)perhaps(3, 5, 60);
    plan.skip_one_in = (int)perhaps(2, 1, 2);
    plan.skip_some_one_in = (int)perhaps(3, 4, 20);
    plan.skip_commits = chance_one_in(2);
    plan.says_unstable = chance_one_in(2);
    plan.late_one_in = (int)perhaps(2, 1, 3);
    plan.refuse_one_in = (int)perhaps(3, 50, 800);
    plan.database_cut_one_in = (int)perhaps(3, 10, 200);
    plan.database_fault_one_in = (int)perhaps(3, 20, 300);
    if (plan.trim_every_us) /* what is stored must not hang on a wait of unknown length */
        plan.database_cut_one_in = plan.database_fault_one_in = 0;
    plan.slow_one_in = (int)perhaps(2, 20, 300);
}

static void draw_plan(uint64_t seed)
{
    plan.partitions = (int)chance_between(1, 4);
    plan.output_partitions = (int)chance_between(1, 3);
    plan.scorers = (int)chance_between(1, chance_one_in(2) ? 1 : 3);
    plan.sinks = (int)chance_between(1, chance_one_in(3) ? 2 : 1);
    plan.events = (int)chance_between(10, chance_one_in(3) ? 400 : 120);
    plan.employees = (int)chance_between(1, 12);
    plan.length_us = chance_between(3 * SECOND, chance_one_in(3) ? 60 * SECOND : 20 * SECOND);
    plan.latest = chance_one_in(6);
    draw_faults();
    plan.state = seed % 2; /* not drawn, so that the other seeds stay as they were */
    if (plan.state) { /* the one needs another state topic; the other leaves the position behind, and a person decides
                       */
        plan.grow_every_us = 0;
        plan.skip_commits = false;
    }
    plan.snapshots = seed % 4 == 3;
    plan.bad_one_in = (int)perhaps(2, 3, 30);
    plan.erase_one_in = (int)perhaps(3, 5, 50);
    plan.outcome_one_in = (int)perhaps(3, 3, 30);
    plan.large_one_in = (int)perhaps(4, 15, 100);
    plan.old_one_in = (int)perhaps(4, 10, 60);
    plan.poison_one_in = (int)perhaps(4, 10, 60);
    plan.poison_code = chance_one_in(8) ? "XX000" : "22021";
    plan.marker_one_in = (int)perhaps(3, 2, 20);
    plan.stall_one_in = (int)perhaps(4, 10, 100);
    plan.answer_us = chance_one_in(2) ? 1 * MS : chance_between(5 * MS, 400 * MS);
    plan.transaction_us = perhaps(5, 1 * SECOND, 8 * SECOND);
    trace("plan: %d partitions, %d scorers, %d sinks, %d events in %.1f s%s%s", plan.partitions, plan.scorers,
          plan.sinks, plan.events, (double)plan.length_us / 1e6, plan.latest ? ", from the end" : "",
          !plan.state      ? ""
          : plan.snapshots ? ", current records with snapshots"
                           : ", current records");
}

/* --- the input --- */

static void append(int32_t partition, struct txn *txn, const char *key, const struct buffer *value, int64_t input)
{
    struct record *record = mem_zeroed(1, sizeof *record);
    record->input = input;
    record->key = key ? mem_text(key) : NULL;
    record->key_bytes = key ? strlen(key) : 0;
    record->value = value ? mem_text_n(value->data, value->bytes) : NULL;
    record->value_bytes = value ? value->bytes : 0;
    record->control = !key;
    record->timestamp_ms = input >= 0 && inputs[input].old ? OLDEST_MS - 1 : INT64_C(1795737600000) + sim_now() / 1000;
    broker_append(txn, INPUT, partition, record);
    if (input >= 0)
        inputs[input].offset = record->offset;
}

static void encode(int64_t number, const char *employee, bool outcome, bool poison, struct buffer *out)
{
    char id[40];
    struct cell *cells = mem_zeroed(world->schema->column_count, sizeof *cells);
    snprintf(id, sizeof id, "sim-%06lld%s", (long long)number, poison ? "-poison" : "");
    record_cells(world->schema, number, cells);
    for (size_t c = 0; c < world->schema->column_count; c++)
        if (world->schema->columns[c].kind != COLUMN_NOMINAL)
            cells[c] = cell_number(world->schema->columns[c].low); /* breaks no rule between columns */
    struct event event = {
        .event_id = span_of(id),
        .employee_id = span_of(employee),
        .occurred_at_ms = INT64_C(1790000000000) + number,
        .type = outcome ? EVENT_TYPE_TERMINATED : EVENT_TYPE_CHANGED,
        .cells = cells,
        .attributes = SPAN_NULL,
    };
    if (plan.state)
        changes_draw(number, &event, cells);
    event_encode(world->schema, &event, out);
    free(cells);
}

/* Aborted records and markers, as transactional producers leave them. */
static void add_gap(int32_t partition)
{
    struct txn *txn = mem_zeroed(1, sizeof *txn);
    struct buffer value = {0};
    txn->state = chance_one_in(2) ? TXN_ABORTED : TXN_COMMITTED;
    buffer_add_text(&value, "aborted");
    for (int64_t n = txn->state == TXN_ABORTED ? chance_between(0, 3) : 0; n-- > 0;)
        append(partition, txn, "E0", &value, -1);
    append(partition, txn, NULL, NULL, -1);
    buffer_free(&value);
}

static void send_event(void)
{
    char employee[24];
    struct buffer value = {0};
    int who = newcomers * plan.employees + (int)chance_between(0, plan.employees - 1);
    int64_t number = input_count;
    if (homes[who] < 0)
        homes[who] = (int)chance_between(0, topics[INPUT].partitions - 1);
    int32_t partition = homes[who];
    struct input_event *event = &inputs[input_count++];
    *event = (struct input_event){.partition = partition, .employee = who};
    event->old = chance_one_in(plan.old_one_in);
    snprintf(employee, sizeof employee, "E%d", who);
    if (chance_one_in(plan.erase_one_in)) {
        event->employee = -1;
        snprintf(employee, sizeof employee, "sim-%06lld", (long long)number);
        append(partition, NULL, employee, NULL, number);
    } else if (chance_one_in(plan.bad_one_in)) {
        buffer_printf(&value, "sim-%06lld is no event", (long long)number);
        event->large = chance_one_in(plan.large_one_in) ? 2 : 0;
        append(partition, NULL, employee, &value, number);
    } else {
        event->large = chance_one_in(plan.large_one_in) ? (int)chance_between(1, 2) : 0;
        encode(number, employee, chance_one_in(plan.outcome_one_in), chance_one_in(plan.poison_one_in), &value);
        append(partition, NULL, employee, &value, number);
    }
    buffer_free(&value);
    if (chance_one_in(plan.marker_one_in))
        add_gap(partition);
}

static void feed(void *context, int64_t number)
{
    (void)context, (void)number;
    if (sent >= plan.events)
        return;
    for (int64_t n = chance_one_in(4) ? chance_between(1, 60) : 1; n-- > 0 && sent < plan.events; sent++)
        send_event();
    sim_news();
    sim_at(sim_now() + chance_between(1, plan.length_us * 4 / plan.events), feed, NULL, 0);
}

/* --- processes --- */

static struct instance *instance_of(struct proc *proc)
{
    return (struct instance *)((char *)proc - offsetof(struct instance, proc));
}

static void body(struct proc *proc)
{
    struct instance *instance = instance_of(proc);
    if (proc->sink)
        instance->status = sink_new(&instance->settings, &instance->counters, &instance->sink, &instance->err);
    else
        instance->status =
            score_loop_new(&instance->settings, NULL, &instance->counters, 0, &instance->loop, &instance->err);
    if (instance->status == STATUS_OK)
        instance->status =
            proc->sink ? sink_run(instance->sink, &instance->err) : score_loop_run(instance->loop, &instance->err);
    trace("ends with status %d: %s", instance->status, instance->status ? instance->err.text : "");
}

static void start(struct slot *slot)
{
    struct instance *instance = mem_zeroed(1, sizeof *instance);
    instance->settings = *(plan.latest && !slot->sink ? &world->latest : &world->earliest);
    instance->settings.state_topic = plan.state ? topics[STATE].name : NULL;
    instance->settings.snapshot_dir = plan.snapshots ? "." : NULL; /* the run's own: see sim.c */
    instance->settings.alert_topic = plan.state ? topics[ALERT].name : NULL;
    snprintf(instance->settings.instance_id, sizeof instance->settings.instance_id, "i%d", (int)(slot - slots));
    instance->proc =
        (struct proc){.slot = (int)(slot - slots), .incarnation = ++slot->incarnations, .sink = slot->sink};
    instance->started_us = sim_now();
    instance->next = instances;
    instances = instance;
    slot->current = instance;
    slot->start_us = 0;
    trace("slot %d: incarnation %d starts", (int)(slot - slots), slot->incarnations);
    task_start(&instance->proc, slot->sink ? "sink" : "score", body);
}

/* What its connections' end means to the servers. */
static void lay_out(struct instance *instance)
{
    instance->proc.gone = true;
    database_cut(&instance->proc);
    for (rd_kafka_t *client = clients; client; client = client->next)
        if (client->proc == &instance->proc && client->member)
            group_lose(client->member);
}

/* When a process of this slot joined the score loops' group last, other than the given one, or only it; -1: never. */
static int64_t joined_us(int slot, const struct proc *proc, bool only)
{
    int64_t last = -1;
    for (rd_kafka_t *client = clients; client; client = client->next)
        if (client->proc && client->proc->slot == slot && (client->proc == proc) == only && client->member &&
            client->member->joined_us > last)
            last = client->member->joined_us;
    return last;
}

/* The newest process of its slot may only end as fenced where an older one, that was frozen, has joined after it. */
static bool is_replaced(int slot, const struct proc *proc)
{
    int64_t joined = joined_us(slot, proc, true);
    return joined >= 0 && joined_us(slot, proc, false) > joined;
}

static void note_failure(struct slot *slot)
{
    struct instance *instance = slot->current;
    if (strstr(instance->err.text, "fenced") && instance->proc.incarnation == slot->incarnations &&
        !is_replaced((int)(slot - slots), &instance->proc))
        violation("gave up its place to nobody", "slot %d: %s", (int)(slot - slots), instance->err.text);
    if (sim_now() - instance->started_us > 10 * SECOND || !instance->status ||
        topics[DEAD].partitions < topics[INPUT].partitions) /* which is refused, until somebody fixes it */
        slot->failures = 0;
    if (++slot->failures > FAILURES_MOST)
        violation("cannot go on", "slot %d ends again and again: %s", (int)(slot - slots), instance->err.text);
}

static void supervise_slot(struct slot *slot)
{
    struct instance *instance = slot->current;
    if (slot->start_us && sim_now() >= slot->start_us) {
        start(slot);
        return;
    }
    if (!instance || slot->start_us || !(instance->proc.dead || instance->proc.ended))
        return;
    if (instance->proc.dead)
        kills++;
    else
        note_failure(slot);
    slot->start_us = sim_now() + (calm || instance->proc.ended ? SECOND : chance_between(20 * MS, 4 * SECOND));
}

/* Nothing is broken, no scorer has ended, and still nothing of a partition is committed. */
static void look_for_stalls(void)
{
    static struct {
        int64_t offset, since_us;
    } seen[PARTITIONS_MOST];
    int64_t quiet_us = troubled_until_us;
    for (int s = 0; s < slot_count; s++)
        if (!slots[s].sink && slots[s].current && slots[s].current->started_us > quiet_us)
            quiet_us = slots[s].current->started_us;
    for (int p = 0; p < topics[INPUT].partitions; p++) {
        int64_t offset = audit_waits_at(p);
        if (offset < 0 || offset != seen[p].offset || seen[p].since_us < quiet_us) {
            seen[p].offset = offset;
            seen[p].since_us = sim_now() > quiet_us ? sim_now() : quiet_us;
        } else if (sim_now() - seen[p].since_us > STALL_US) {
            violation("stalls", "the event at offset %lld of partition %d has waited for %.0f s, and nothing is broken",
                      (long long)offset, p, (double)(sim_now() - seen[p].since_us) / 1e6);
        }
    }
}

static void supervise(void *context, int64_t number)
{
    (void)context, (void)number;
    for (struct instance *instance = instances; instance; instance = instance->next)
        if (!instance->proc.gone && (instance->proc.dead || instance->proc.ended))
            lay_out(instance);
    for (int s = 0; s < slot_count; s++)
        supervise_slot(&slots[s]);
    look_for_stalls();
    if (calm && sent >= plan.events && !audit_missing())
        finished = true;
    sim_at(sim_now() + LOOK_US, supervise, NULL, 0);
}

static void add_slot(bool sink, int64_t start_us)
{
    slots[slot_count++] = (struct slot){.sink = sink, .start_us = start_us};
}

/* --- trouble --- */

static void note_trouble(int64_t until_us)
{
    if (until_us > troubled_until_us)
        troubled_until_us = until_us;
}

static struct instance *any_running(void)
{
    struct instance *instance = slots[chance_between(0, slot_count - 1)].current;
    return instance && !instance->proc.dead && !instance->proc.ended ? instance : NULL;
}

static void kill_one(void)
{
    struct instance *instance = any_running();
    if (instance)
        instance->proc.kill_after = chance_between(1, chance_one_in(2) ? 60 : 800);
}

static void replace(void *context, int64_t number)
{
    struct slot *slot = context;
    if (!calm && slot->current->proc.incarnation == number && slot->current->proc.frozen_until_us > sim_now())
        start(slot);
}

static void note_frozen(void *context, int64_t us)
{
    struct instance *instance = context;
    for (rd_kafka_t *client = clients; client; client = client->next)
        if (client->proc == &instance->proc && client->member)
            group_lose(client->member);
    if (plan.replace && us > 4 * SECOND)
        sim_at(sim_now() + chance_between(SECOND, us), replace, &slots[instance->proc.slot],
               instance->proc.incarnation);
}

/* Called by the scheduler when the process reaches the place where it stops. */
void proc_frozen(struct proc *proc, int64_t us)
{
    proc->frozen_until_us = sim_now() + us;
    note_trouble(proc->frozen_until_us);
    trace("frozen for %.1f s", (double)us / 1e6);
    sim_at(sim_now(), note_frozen, instance_of(proc), us);
}

static void freeze_one(void)
{
    struct instance *instance = any_running();
    if (instance)
        instance->proc.freeze_us =
            chance_one_in(3) ? chance_between(100 * MS, 3 * SECOND) : chance_between(9 * SECOND, 25 * SECOND);
}

void trouble_broker(void)
{
    int64_t us = chance_one_in(4) ? chance_between(3 * SECOND, 15 * SECOND) : chance_between(10 * MS, SECOND);
    trace("broker: unavailable for %.1f s", (double)us / 1e6);
    broker_down_until(sim_now() + us);
    note_trouble(sim_now() + us);
    groups_coordinator_term += chance_one_in(2); /* and another broker coordinates the groups from then on */
}

static void trouble_database(void)
{
    int64_t us = chance_between(1 * MS, chance_one_in(4) ? 12 * SECOND : SECOND);
    trace("database: unavailable for %.1f s", (double)us / 1e6);
    database_down_until(sim_now() + us);
    note_trouble(sim_now() + us);
}

static void fix_dead_letters(void *context, int64_t number)
{
    (void)context, (void)number;
    topics[DEAD].partitions = topics[INPUT].partitions;
    groups_partition_added();
    trace("broker: %s has %d partitions", topics[DEAD].name, topics[DEAD].partitions);
}

static void grow(void)
{
    if (topics[INPUT].partitions >= PARTITIONS_MOST)
        return;
    topics[INPUT].added[topics[INPUT].partitions] = audit_group_began();
    topics[INPUT].partitions++;
    groups_partition_added();
    newcomers++;
    trace("broker: %s has %d partitions", topics[INPUT].name, topics[INPUT].partitions);
    sim_at(sim_now() + (chance_one_in(3) ? chance_between(STALL_US, 90 * SECOND) : chance_between(1 * MS, 8 * SECOND)),
           fix_dead_letters, NULL, 0);
}

/* The sinks had time to store where the logs end. */
static bool sinks_at_rest(void)
{
    for (int s = 0; s < slot_count; s++) {
        const struct instance *instance = slots[s].current;
        if (slots[s].sink &&
            (!instance || instance->proc.dead || instance->proc.ended || sim_now() - instance->started_us < REST_US))
            return false;
    }
    return sim_now() - troubled_until_us > RETRIED_US;
}

/* Retention empties what is stored, markers and all. */
static void trim(void)
{
    if (!sinks_at_rest())
        return;
    for (int t = OUTPUT; t < SUNK; t++)
        for (int p = 0; p < topics[t].partitions; p++) {
            struct log *log = &topics[t].logs[p];
            int64_t last = log->end;
            while (last > 0 && !audit_counts(log->records[last - 1]))
                last--;
            if (log_stable_end(log) == log->end && sim_now() - log->appended_us > REST_US && last &&
                database_offset((enum topic_id)t, p) >= last && log->start < log->end) {
                log->start = log->end;
                trace("broker: retention empties %s [%d] up to %lld", topics[t].name, p, (long long)log->end);
            }
        }
}

static void fail_over(void)
{
    if (chance_one_in(2))
        database_fail_over();
    database_remember();
}

static const struct trouble {
    size_t every; /* in struct plan */
    void (*happen)(void);
} troubles[] = {
    {offsetof(struct plan, kill_every_us), kill_one},
    {offsetof(struct plan, freeze_every_us), freeze_one},
    {offsetof(struct plan, broker_every_us), trouble_broker},
    {offsetof(struct plan, database_every_us), trouble_database},
    {offsetof(struct plan, grow_every_us), grow},
    {offsetof(struct plan, trim_every_us), trim},
    {offsetof(struct plan, rollback_every_us), fail_over},
};

static int64_t every(const struct trouble *trouble)
{
    return *(const int64_t *)((const char *)&plan + trouble->every);
}

static void happen(void *context, int64_t number)
{
    const struct trouble *trouble = context;
    (void)number;
    if (sim_now() >= plan.length_us)
        return;
    trouble->happen();
    sim_at(sim_now() + chance_between(1, 2 * every(trouble)), happen, context, 0);
}

static void become_calm(void *context, int64_t number)
{
    (void)context, (void)number;
    calm = true;
    trace("calm from here on");
}

/* --- a run --- */

static void make_topics(void)
{
    const struct settings *settings = &world->earliest;
    topics[INPUT] = (struct topic){.name = settings->input_topic, .partitions = plan.partitions};
    topics[OUTPUT] = (struct topic){.name = settings->output_topic, .partitions = plan.output_partitions};
    topics[DEAD] = (struct topic){.name = settings->dlq_topic, .partitions = plan.partitions};
    topics[OUTCOME] = (struct topic){.name = settings->outcome_topic, .partitions = (int)chance_between(1, 2)};
}

static bool never(void)
{
    return false;
}

static bool is_finished(void)
{
    return finished;
}

static void prepare(void)
{
    group_find("attrition-scorer"); /* the first: the one that transactions commit for */
    make_topics();
    topics[ALERT] = (struct topic){.name = "attrition-alerts", .partitions = plan.state ? plan.output_partitions : 0};
    topics[STATE] = (struct topic){.name = "attrition-state", .partitions = plan.state ? plan.partitions : 0};
    changes_begin(world->schema, plan.events);
    inputs = mem_zeroed((size_t)plan.events, sizeof *inputs);
    homes = mem_zeroed((size_t)plan.employees * PARTITIONS_MOST, sizeof *homes);
    for (int i = 0; i < plan.employees * PARTITIONS_MOST; i++)
        homes[i] = -1;
    for (int i = 0; i < plan.scorers; i++)
        add_slot(false, chance_between(1, chance_one_in(2) ? 2 * SECOND : 1));
    for (int i = 0; i < plan.sinks; i++)
        add_slot(true, chance_between(1, chance_one_in(2) ? 2 * SECOND : 1));
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
        if (every(&troubles[i]))
            sim_at(chance_between(1, 2 * every(&troubles[i])), happen, (void *)&troubles[i], 0);
    sim_at(chance_between(1, chance_one_in(2) ? 3 * SECOND : 1), feed, NULL, 0);
    sim_at(plan.length_us, become_calm, NULL, 0);
    sim_at(1, supervise, NULL, 0);
}

void world_run(const struct world *given, uint64_t seed, bool verbose)
{
    world = given;
    chance_seed(seed, verbose);
    draw_plan(seed);
    prepare();
    sim_run(plan.length_us + PATIENCE_US, is_finished);
    if (finished)
        sim_run(sim_now() + 3 * SECOND, never);
    audit_end();
    struct run_result result = {.hash = trace_hash(), .virtual_us = sim_now(), .events = input_count, .kills = kills};
    run_end(&result);
}
