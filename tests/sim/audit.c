/* What must hold. At every commit: no event has two ends, no group offset goes back or past an event without its end,
 * no process is thrown out by its own past, no loop aborts for ever. After the run: every event has its one end, each
 * employee's are in order, and the database holds each committed record once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kafka/message.h"
#include "tests/sim/changes.h"
#include "tests/sim/kafka.h"

enum { ABORTS_MOST = 40 };

struct input_event *inputs;
int64_t input_count;
static bool seen[PARTITIONS_MOST];
static bool group_began;

static struct group *score_group(void)
{
    return group_find("attrition-scorer");
}

bool audit_counts(const struct record *record)
{
    return record->input >= 0 && !record->control && !(record->txn && record->txn->state == TXN_ABORTED);
}

/* A group that starts at the end owes nothing from before; what comes after does not depend on who reads it when. Its
 * start is what it commits before it reads, or else where it begins to read. */
static void begin_partition(int32_t partition, int64_t at_offset)
{
    const struct log *log = &topics[INPUT].logs[partition];
    if (seen[partition])
        return;
    seen[partition] = true;
    for (int64_t at = 0; plan.latest && !topics[INPUT].added[partition] && at < at_offset; at++)
        if (log->records[at]->input >= 0)
            inputs[log->records[at]->input].optional = true;
    group_began = true;
}

void audit_assigned(int32_t partition)
{
    begin_partition(partition, topics[INPUT].logs[partition].end);
}

void audit_offset(int32_t partition, int64_t before, int64_t now)
{
    const struct log *log = &topics[INPUT].logs[partition];
    if (now < before)
        violation("offset went back", "the group's offset of partition %d goes from %lld to %lld", partition,
                  (long long)before, (long long)now);
    if (now > log->end)
        violation("offset beyond the end", "partition %d: %lld, the log ends at %lld", partition, (long long)now,
                  (long long)log->end);
    begin_partition(partition, now);
    for (int64_t at = before < 0 ? 0 : before; at < now; at++) {
        const struct record *record = log->records[at];
        if (audit_counts(record) && !inputs[record->input].ends && !inputs[record->input].optional)
            violation(plan.latest ? "lost, group from the end" : "lost",
                      "event %lld (partition %d, offset %lld) has no end, and the group's offset is %lld",
                      (long long)record->input, partition, (long long)at, (long long)now);
    }
}

/* Sent by a scorer that commits an earlier transaction's partition once more. */
bool audit_is_control(const struct record *record)
{
    const void *value;
    size_t bytes;
    return record->headers && !rd_kafka_header_get_last(record->headers, KAFKA_CONTROL_HEADER, &value, &bytes);
}

void audit_visible(const struct record *record)
{
    int64_t input = record->input;
    if (input == OF_STATE || audit_is_control(record))
        return;
    if (input < 0)
        violation("committed filler", "%s [%d] offset %lld is a record of no event", topics[record->topic].name,
                  record->partition, (long long)record->offset);
    if (record->topic == ALERT && ++inputs[input].alerts > 1)
        violation("doubled", "event %lld has a second alert", (long long)input);
    else if (record->topic != ALERT && ++inputs[input].ends > 1)
        violation("doubled", "event %lld (partition %d, offset %lld) has a second end, in %s", (long long)input,
                  inputs[input].partition, (long long)inputs[input].offset, topics[record->topic].name);
}

/* Acknowledged as committed, its marker skipped, and now aborted by the next one of the same identity. A process that
 * is killed before it has seen the marker leaves that to its successor, who does not know. */
void audit_undone(const struct record *record, bool by_itself, bool with_offsets)
{
    if (record->input < 0 || audit_is_control(record))
        return;
    if (by_itself)
        violation("lost", "event %lld (partition %d, offset %lld): its acknowledged end in %s is aborted",
                  (long long)record->input, inputs[record->input].partition, (long long)inputs[record->input].offset,
                  topics[record->topic].name);
    if (record->topic == ALERT) {
        inputs[record->input].alerts--;
        return;
    }
    inputs[record->input].ends--;
    inputs[record->input].optional |= !with_offsets;
}

void audit_committed(struct txn *txn)
{
    for (int64_t i = 0; i < txn->record_count; i++)
        audit_visible(txn->records[i]);
    for (int i = 0; i < txn->offset_count; i++)
        audit_offset(txn->offsets[i].partition, score_group()->committed[INPUT][txn->offsets[i].partition],
                     txn->offsets[i].offset);
}

/* The first does not have to look who is there. */
void audit_producer(void)
{
    struct proc *proc = proc_current();
    proc->knew_us = !proc->producers++ ? 0 : proc->looked_us ? proc->looked_us : INT64_MAX;
    proc->looked_us = 0;
}

/* Since when; INT64_MAX: it is none. */
static int64_t member_since(const struct proc *proc)
{
    for (const rd_kafka_t *client = clients; client; client = client->next)
        if (client->proc == proc && client->member && !client->member->fenced && !client->member->kicked)
            return proc->dead || proc->ended ? INT64_MAX : client->member->joined_us;
    return INT64_MAX;
}

/* Whoever has initialised an identity once and does it again must not do so over a newer process that had it when the
 * group was asked. Nothing is atomic here: one that stands still between its question and its request throws out who
 * came meanwhile. That costs a transaction that is done again, by whoever is the group's member. */
void audit_init(struct coordinator *coordinator)
{
    struct proc *proc = proc_current();
    bool newer = coordinator->newest && coordinator->newest->incarnation > proc->incarnation;
    int64_t since_us = newer ? member_since(coordinator->newest) : INT64_MAX;
    if (since_us < INT64_MAX && (coordinator->newest_us > proc->knew_us || since_us > proc->knew_us))
        trace("takes the identity from incarnation %d, which came after it had looked",
              coordinator->newest->incarnation);
    else if (since_us < INT64_MAX)
        violation("fenced its successor", "incarnation %d of %s throws out incarnation %d", proc->incarnation,
                  coordinator->id, coordinator->newest->incarnation);
    if (coordinator->newest != proc)
        coordinator->newest_us = sim_now();
    coordinator->newest = proc;
    coordinator->aborts = 0;
}

void audit_abort(struct coordinator *coordinator)
{
    if (!coordinator->aborts++)
        coordinator->aborts_since_us = sim_now();
    if (coordinator->aborts >= ABORTS_MOST && sim_now() - coordinator->aborts_since_us < 20 * SECOND)
        violation("spins", "%s has aborted %d times in %.1f s and committed nothing", coordinator->id,
                  coordinator->aborts, (double)(sim_now() - coordinator->aborts_since_us) / 1e6);
}

/* --- after the run --- */

static int64_t behind_last(const struct log *log)
{
    int64_t end = log->end;
    while (end > 0 && !audit_counts(log->records[end - 1]))
        end--;
    return end;
}

int64_t audit_waits_at(int32_t partition)
{
    const struct log *log = &topics[INPUT].logs[partition];
    int64_t at = score_group()->committed[INPUT][partition];
    for (at = at < 0 ? 0 : at; at < log->end; at++) {
        int64_t input = log->records[at]->input;
        if (audit_counts(log->records[at]) && !inputs[input].ends && !inputs[input].optional)
            return at;
    }
    return -1;
}

const char *audit_missing(void)
{
    static char text[200];
    for (int64_t i = 0; i < input_count; i++)
        if (!inputs[i].ends && !inputs[i].optional) {
            snprintf(text, sizeof text, "event %lld (partition %d, offset %lld) has no end", (long long)i,
                     inputs[i].partition, (long long)inputs[i].offset);
            return text;
        }
    for (int p = 0; p < topics[INPUT].partitions; p++)
        if (behind_last(&topics[INPUT].logs[p]) > 0 && !plan.latest &&
            score_group()->committed[INPUT][p] < behind_last(&topics[INPUT].logs[p])) {
            snprintf(text, sizeof text, "the group's offset of partition %d is %lld, its last event at %lld", p,
                     (long long)score_group()->committed[INPUT][p], (long long)behind_last(&topics[INPUT].logs[p]) - 1);
            return text;
        }
    for (int t = OUTPUT; t < SUNK; t++)
        for (int p = 0; p < topics[t].partitions; p++) {
            int64_t stored = database_offset((enum topic_id)t, p), end = behind_last(&topics[t].logs[p]);
            if (stored < end && end) {
                snprintf(text, sizeof text, "%s [%d] is stored up to %lld, its last record is at %lld", topics[t].name,
                         p, (long long)stored, (long long)end - 1);
                return text;
            }
        }
    return NULL;
}

static void check_order(void)
{
    int64_t employees = (int64_t)plan.employees * PARTITIONS_MOST;
    int64_t *last = mem_zeroed((size_t)employees * TOPICS, sizeof *last);
    for (int t = OUTPUT; t < SUNK; t++)
        for (int p = 0; p < topics[t].partitions; p++)
            for (int64_t at = 0; at < topics[t].logs[p].end; at++) {
                const struct record *record = topics[t].logs[p].records[at];
                if (!audit_counts(record) || t == DEAD || inputs[record->input].employee < 0)
                    continue;
                int64_t *before = &last[(int64_t)t * employees + inputs[record->input].employee];
                if (*before > record->input + 1)
                    violation("out of order", "employee %d: event %lld after %lld in %s",
                              inputs[record->input].employee, (long long)record->input, (long long)*before - 1,
                              topics[t].name);
                *before = record->input + 1;
            }
    free(last);
}

static void check_database(void)
{
    const struct row *rows;
    int64_t count = database_rows(&rows);
    for (int64_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        struct log *log = &topics[row->topic].logs[row->partition];
        if (row->partition < 0 || row->partition >= topics[row->topic].partitions || row->offset < 0 ||
            row->offset >= log->end || !audit_counts(log->records[row->offset]))
            violation("stored from nowhere", "%s has a row of %s [%d] offset %lld, where no committed record is",
                      row->table, topics[row->topic].name, row->partition, (long long)row->offset);
        if (++log->records[row->offset]->stored > 1)
            violation("stored twice", "%s: %s [%d] offset %lld", row->table, topics[row->topic].name, row->partition,
                      (long long)row->offset);
    }
    for (int t = OUTPUT; t < SUNK; t++)
        for (int p = 0; p < topics[t].partitions; p++)
            for (int64_t at = 0; at < topics[t].logs[p].end; at++)
                if (audit_counts(topics[t].logs[p].records[at]) && !topics[t].logs[p].records[at]->stored)
                    violation("not stored", "%s [%d] offset %lld", topics[t].name, p, (long long)at);
}

void audit_end(void)
{
    const char *missing = audit_missing();
    if (missing)
        violation(plan.latest ? "stuck, group from the end" : "stuck", "%s, long after all trouble is over", missing);
    check_order();
    check_database();
    if (plan.state && !plan.latest)
        changes_check();
}

bool audit_group_began(void)
{
    return group_began;
}
