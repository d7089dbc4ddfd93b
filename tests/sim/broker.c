/* The simulated broker: logs, transactions, consumer groups. Requests arrive here when the fake client library says so;
 * nothing here waits. What is modelled and what is not: README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/sim/sim.h"

struct topic topics[TOPICS];

static struct coordinator *coordinators[64];
static int coordinator_count;
static struct group groups[4];
static int group_count;
static int64_t down_until_us, txn_numbers;

bool broker_up(void)
{
    return sim_now() >= down_until_us;
}

static void back(void *context, int64_t number)
{
    (void)context, (void)number;
    sim_news();
}

void broker_down_until(int64_t us)
{
    down_until_us = us;
    sim_at(us, back, NULL, 0);
}

struct topic *topic_find(const char *name)
{
    for (int t = 0; t < TOPICS; t++)
        if (topics[t].name && !strcmp(topics[t].name, name))
            return &topics[t];
    return NULL;
}

/* --- logs --- */

int64_t log_stable_end(const struct log *log)
{
    struct log *cached = (struct log *)log;
    while (cached->stable < log->end) {
        const struct txn *txn = log->records[cached->stable]->txn;
        if (txn && (txn->state == TXN_OPEN || txn->state == TXN_PREPARED || txn->state == TXN_SKIPPED))
            break;
        cached->stable++;
    }
    return cached->stable;
}

struct record *broker_append(struct txn *txn, enum topic_id topic, int32_t partition, struct record *record)
{
    struct log *log = &topics[topic].logs[partition];
    if (log->end == log->capacity) {
        log->capacity = log->capacity * 2 + 64;
        log->records = mem_resize(log->records, (size_t)log->capacity, sizeof(struct record *));
    }
    record->offset = log->end;
    log->appended_us = sim_now();
    record->txn = txn;
    record->topic = topic;
    record->partition = partition;
    log->records[log->end++] = record;
    if (txn && !record->control) {
        if (txn->record_count == txn->record_capacity) {
            txn->record_capacity = txn->record_capacity * 2 + 16;
            txn->records = mem_resize(txn->records, (size_t)txn->record_capacity, sizeof(struct record *));
        }
        txn->records[txn->record_count++] = record;
    }
    return record;
}

static void set_committed(struct group *group, enum topic_id topic, int32_t partition, int64_t offset, const char *note)
{
    group->committed[topic][partition] = offset;
    snprintf(group->notes[topic][partition], NOTE_BYTES, "%s", note ? note : "");
}

/* --- transactions --- */

struct coordinator *coordinator_find(const char *transactional_id)
{
    for (int i = 0; i < coordinator_count; i++)
        if (!strcmp(coordinators[i]->id, transactional_id))
            return coordinators[i];
    struct coordinator *coordinator = mem_zeroed(1, sizeof *coordinator);
    snprintf(coordinator->id, sizeof coordinator->id, "%s", transactional_id);
    coordinators[coordinator_count++] = coordinator;
    return coordinator;
}

static bool has_part(const struct txn *txn, enum topic_id topic, int32_t partition)
{
    for (int i = 0; i < txn->part_count; i++)
        if (txn->parts[i].topic == topic && txn->parts[i].partition == partition)
            return true;
    return false;
}

/* A marker decides whatever the producer has open in the partition, and in the group. */
static void decide_left(const struct coordinator *coordinator, struct txn *txn)
{
    for (int l = 0; l < coordinator->left_count; l++) {
        struct txn *left = coordinator->left[l];
        for (int64_t i = 0; i < left->record_count; i++) {
            struct record *record = left->records[i];
            if (record->txn != left || !has_part(txn, record->topic, record->partition))
                continue;
            record->txn = txn;
            if (txn->commit && !left->commit)
                audit_visible(record);
            if (!txn->commit && left->commit)
                audit_undone(record, left->incarnation == txn->incarnation && !txn->by_others && !left->hidden,
                             left->offset_count > 0);
        }
        for (int i = 0; txn->offset_count && txn->commit && left->commit && i < left->offset_count; i++)
            set_committed(&groups[0], INPUT, left->offsets[i].partition, left->offsets[i].offset,
                          left->offsets[i].note);
        if (txn->offset_count)
            left->offset_count = 0;
    }
}

/* Whether another's transaction is open before the first record of one of its partitions. */
static bool is_hidden(const struct txn *txn)
{
    for (int i = 0; i < txn->part_count; i++)
        for (int64_t r = 0; r < txn->record_count; r++) {
            const struct record *record = txn->records[r];
            if (record->topic != txn->parts[i].topic || record->partition != txn->parts[i].partition)
                continue;
            if (log_stable_end(&topics[record->topic].logs[record->partition]) < record->offset)
                return true;
            break;
        }
    return false;
}

/* As brokers do (KAFKA-20734): partitions without a leader are taken for deleted ones. */
static void skip_markers(struct coordinator *coordinator)
{
    struct txn *txn = coordinator->current;
    if (coordinator->left_count == (int)(sizeof coordinator->left / sizeof *coordinator->left))
        unmodelled("so many skipped transactions");
    txn->state = TXN_SKIPPED;
    txn->hidden = is_hidden(txn);
    coordinator->left[coordinator->left_count++] = txn;
    trace("broker: the markers of transaction %lld of %s are skipped", (long long)txn->number, coordinator->id);
}

/* Some of them, where brokers are several and some unavailable. */
static void skip_some(struct coordinator *coordinator)
{
    struct txn *txn = coordinator->current, *rest = mem_zeroed(1, sizeof *rest);
    int kept = 0;
    *rest = (struct txn){.state = TXN_SKIPPED,
                         .commit = txn->commit,
                         .incarnation = txn->incarnation,
                         .started_us = txn->started_us,
                         .number = txn->number};
    for (int i = 0; i < txn->part_count; i++) {
        if (chance_one_in(2))
            rest->parts[rest->part_count++] = txn->parts[i];
        else
            txn->parts[kept++] = txn->parts[i];
    }
    txn->part_count = kept;
    rest->records = mem_zeroed((size_t)txn->record_count + 1, sizeof *rest->records);
    for (int64_t i = 0; i < txn->record_count; i++)
        if (has_part(rest, txn->records[i]->topic, txn->records[i]->partition)) {
            txn->records[i]->txn = rest;
            rest->records[rest->record_count++] = txn->records[i];
        }
    rest->hidden = is_hidden(rest);
    trace("broker: of transaction %lld of %s, the markers of %d partitions are skipped", (long long)txn->number,
          coordinator->id, rest->part_count);
    if (coordinator->left_count == (int)(sizeof coordinator->left / sizeof *coordinator->left))
        unmodelled("so many skipped transactions");
    coordinator->left[coordinator->left_count++] = rest;
}

static void write_markers(struct coordinator *coordinator)
{
    struct txn *txn = coordinator->current;
    txn->state = txn->commit ? TXN_COMMITTED : TXN_ABORTED;
    decide_left(coordinator, txn);
    for (int i = 0; i < txn->part_count; i++) {
        struct record *marker = mem_zeroed(1, sizeof *marker);
        marker->control = true;
        marker->input = -1;
        broker_append(txn, txn->parts[i].topic, txn->parts[i].partition, marker);
    }
    for (int i = 0; txn->commit && i < txn->offset_count; i++)
        set_committed(&groups[0], INPUT, txn->offsets[i].partition, txn->offsets[i].offset, txn->offsets[i].note);
}

/* Markers are written, offsets stand, readers see it. */
static void complete(void *context, int64_t number)
{
    struct coordinator *coordinator = context;
    struct txn *txn = coordinator->current;
    (void)number;
    bool skips = !txn->commit || plan.skip_commits;
    if (skips && !broker_up() && chance_one_in(plan.skip_one_in)) {
        skip_markers(coordinator);
    } else {
        if (skips && !calm && chance_one_in(plan.skip_some_one_in))
            skip_some(coordinator);
        write_markers(coordinator);
    }
    coordinator->current = NULL;
    coordinator->any_ended = true;
    coordinator->last_commit = txn->commit;
    trace("broker: transaction %lld of %s is %s", (long long)txn->number, coordinator->id,
          txn->commit ? "committed" : "aborted");
    sim_news();
}

static void prepare(struct coordinator *coordinator, bool commit)
{
    struct txn *txn = coordinator->current;
    txn->state = TXN_PREPARED;
    txn->commit = commit;
    if (commit) {
        coordinator->aborts = 0;
        audit_committed(txn);
    }
    sim_at(sim_now() + (chance_one_in(20) ? chance_between(1, 300 * MS) : chance_between(100, 5 * MS)), complete,
           coordinator, 0);
}

static void time_out(void *context, int64_t number)
{
    struct coordinator *coordinator = context;
    if (!coordinator->current || coordinator->current->number != number || coordinator->current->state != TXN_OPEN)
        return;
    trace("broker: transaction %lld of %s is too old", (long long)number, coordinator->id);
    coordinator->epoch++;
    coordinator->current->by_others = true;
    prepare(coordinator, false);
}

static rd_kafka_resp_err_t open_transaction(struct coordinator *coordinator, int epoch)
{
    if (epoch != coordinator->epoch)
        return RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
    if (coordinator->current)
        return coordinator->current->state == TXN_OPEN ? RD_KAFKA_RESP_ERR_NO_ERROR
                                                       : RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS;
    struct txn *txn = mem_zeroed(1, sizeof *txn);
    txn->started_us = sim_now();
    txn->incarnation = coordinator->newest ? coordinator->newest->incarnation : 0; /* none in traces */
    txn->number = ++txn_numbers;
    coordinator->current = txn;
    sim_at(sim_now() + coordinator->timeout_us, time_out, coordinator, txn->number);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t broker_init(struct coordinator *coordinator, int *epoch, int64_t timeout_us)
{
    if (coordinator->current) {
        if (coordinator->current->state == TXN_OPEN) {
            coordinator->epoch++;
            coordinator->current->by_others = proc_current() != coordinator->newest;
            prepare(coordinator, false);
        }
        return RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS;
    }
    audit_init(coordinator);
    coordinator->timeout_us = timeout_us;
    coordinator->any_ended = false;
    *epoch = ++coordinator->epoch;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t broker_add_partition(struct coordinator *coordinator, int epoch, enum topic_id topic,
                                         int32_t partition)
{
    rd_kafka_resp_err_t code = open_transaction(coordinator, epoch);
    if (code)
        return code;
    struct txn *txn = coordinator->current;
    if (!has_part(txn, topic, partition))
        txn->parts[txn->part_count++] = (struct txn_part){topic, partition};
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t broker_refuses(enum topic_id topic, const struct record *record)
{
    const struct input_event *event = record->input < 0 ? NULL : &inputs[record->input]; /* NULL: no event's */
    if (!event)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    int large = event->large;
    if ((topic == OUTPUT && large) || (topic == DEAD && large == 2 && record->value))
        return RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    if (event->old && (topic == DEAD || topic == OUTCOME) && record->timestamp_ms < OLDEST_MS)
        return RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool is_left(const struct coordinator *coordinator, enum topic_id topic, int32_t partition)
{
    for (int l = 0; l < coordinator->left_count; l++)
        for (int64_t i = 0; i < coordinator->left[l]->record_count; i++) {
            const struct record *record = coordinator->left[l]->records[i];
            if (record->txn == coordinator->left[l] && record->topic == topic && record->partition == partition)
                return true;
        }
    return false;
}

rd_kafka_resp_err_t broker_produce(struct coordinator *coordinator, int epoch, enum topic_id topic, int32_t partition,
                                   struct record *record)
{
    if (coordinator) {
        if (epoch != coordinator->epoch)
            return RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
        const struct txn *txn = coordinator->current;
        if (!txn || txn->state != TXN_OPEN || !has_part(txn, topic, partition))
            return RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
    }
    if (coordinator && audit_is_control(record) && !is_left(coordinator, topic, partition))
        violation("control for nothing", "%s: no marker of it was skipped in %s [%d]", coordinator->id,
                  topics[topic].name, partition);
    broker_append(coordinator ? coordinator->current : NULL, topic, partition, record);
    if (!coordinator) {
        struct txn alone = {.records = &record, .record_count = 1};
        audit_committed(&alone);
    }
    sim_news();
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t broker_end(struct coordinator *coordinator, int epoch, bool commit)
{
    if (epoch != coordinator->epoch)
        return RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
    struct txn *txn = coordinator->current;
    if (!txn)
        return coordinator->any_ended && coordinator->last_commit == commit ? RD_KAFKA_RESP_ERR_NO_ERROR
                                                                            : RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
    if (txn->state == TXN_PREPARED)
        return txn->commit == commit ? RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS : RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
    prepare(coordinator, commit);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t broker_send_offsets(struct coordinator *coordinator, int epoch, struct member *member,
                                        int generation, const struct txn_offset *offsets, int count)
{
    rd_kafka_resp_err_t code = open_transaction(coordinator, epoch);
    if (!code && (member || generation >= 0)) /* of no member: not checked, as brokers do */
        code = group_check(member, generation);
    if (code)
        return code;
    struct txn *txn = coordinator->current;
    for (int i = 0; i < count; i++) {
        int at = 0;
        while (at < txn->offset_count && txn->offsets[at].partition != offsets[i].partition)
            at++;
        txn->offsets[at] = offsets[i];
        if (at == txn->offset_count)
            txn->offset_count++;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- groups --- */

struct group *group_find(const char *name)
{
    for (int i = 0; i < group_count; i++)
        if (!strcmp(groups[i].name, name))
            return &groups[i];
    struct group *group = &groups[group_count++];
    snprintf(group->name, sizeof group->name, "%s", name);
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < PARTITIONS_MOST; p++)
            group->committed[t][p] = -1;
    return group;
}

static bool has_offset(const struct txn *txn, int32_t partition)
{
    for (int o = 0; o < txn->offset_count; o++)
        if (txn->offsets[o].partition == partition)
            return true;
    return false;
}

bool group_unstable(const struct group *group, enum topic_id topic, int32_t partition)
{
    for (int i = 0; i < coordinator_count && group == &groups[0] && topic == INPUT; i++) {
        const struct txn *txn = coordinators[i]->current;
        if (txn && has_offset(txn, partition))
            return true;
        for (int l = 0; l < coordinators[i]->left_count; l++)
            if (has_offset(coordinators[i]->left[l], partition))
                return true;
    }
    return false;
}

void group_commit(struct group *group, enum topic_id topic, int32_t partition, int64_t offset, const char *note)
{
    if (topic == INPUT)
        audit_offset(partition, group->committed[topic][partition], offset);
    set_committed(group, topic, partition, offset, note);
}

rd_kafka_resp_err_t group_check(const struct member *member, int generation)
{
    if (!member)
        return RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
    if (member->fenced)
        return RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    if (member->kicked)
        return RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
    return generation == member->group->generation ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
}

int groups_coordinator_term = 1;

static void assign_all(struct group *group)
{
    group->generation++;
    group->rebalancing = false;
    for (int m = 0; m < group->member_count; m++) {
        memset(group->members[m]->owns, 0, sizeof group->members[m]->owns);
        group->members[m]->must_assign = true;
        group->members[m]->must_revoke = false;
        group->members[m]->generation = group->generation;
    }
    for (int t = 0; t < TOPICS && group->member_count; t++)
        for (int p = 0; p < topics[t].partitions; p++) {
            struct member *owner = group->members[(p * group->member_count) / topics[t].partitions];
            owner->owns[t][p] = owner->subscribed[t];
        }
    trace("broker: group %s, generation %d, %d members", group->name, group->generation, group->member_count);
    sim_news();
}

static void remove_member(struct group *group, struct member *member)
{
    for (int m = 0; m < group->member_count; m++)
        if (group->members[m] == member) {
            group->members[m] = group->members[--group->member_count];
            m--;
        }
}

static void join_ends(void *context, int64_t round)
{
    struct group *group = context;
    bool all = true;
    if (!group->rebalancing || group->round != round)
        return;
    for (int m = 0; m < group->member_count; m++)
        all &= group->members[m]->joined;
    if (!all && sim_now() < group->join_deadline_us) {
        sim_at(sim_now() + 20 * MS, join_ends, group, round);
        return;
    }
    for (int m = group->member_count; m-- > 0;) {
        struct member *member = group->members[m];
        if (member->joined)
            continue;
        trace("broker: %s of group %s did not come back", member->instance, group->name);
        member->kicked = true;
        remove_member(group, member);
    }
    assign_all(group);
}

static void rebalance(struct group *group)
{
    for (int m = 0; m < group->member_count; m++) {
        struct member *member = group->members[m];
        if (!group->rebalancing)
            member->joined = false;
        member->must_assign = false;
        if (member->has && !member->joined)
            member->must_revoke = true;
        else
            member->joined = true;
    }
    if (group->rebalancing)
        return;
    group->rebalancing = true;
    group->join_deadline_us = sim_now() + 12 * SECOND;
    sim_at(sim_now() + chance_between(1 * MS, 200 * MS), join_ends, group, ++group->round);
    sim_news();
}

struct member *group_join(struct group *group, rd_kafka_t *client, const char *instance, const bool *subscribed)
{
    static int numbers;
    struct member *member = mem_zeroed(1, sizeof *member);
    *member = (struct member){.group = group, .client = client, .proc = proc_current(), .joined_us = sim_now()};
    snprintf(member->id, sizeof member->id, "member-%d", ++numbers);
    snprintf(member->instance, sizeof member->instance, "%s", instance);
    memcpy(member->subscribed, subscribed, sizeof member->subscribed);
    for (int m = 0; m < group->member_count; m++) {
        struct member *old = group->members[m];
        if (!instance[0] || strcmp(old->instance, instance))
            continue;
        trace("broker: %s takes the place of its past in %s", instance, group->name);
        old->fenced = true;
        group->members[m] = member;
        if (group->rebalancing) {
            member->joined = true;
            return member;
        }
        memcpy(member->owns, old->owns, sizeof member->owns);
        member->generation = group->generation;
        member->must_assign = true;
        sim_news();
        return member;
    }
    if (group->member_count == 16)
        unmodelled("so many members");
    member->joined = true;
    group->members[group->member_count++] = member;
    rebalance(group);
    return member;
}

void group_revoked(struct member *member)
{
    member->must_revoke = false;
    member->has = false;
    member->joined = true;
    if (member->again && !member->group->rebalancing)
        member->must_assign = true;
    member->again = false;
}

/* A broker assigns again for the group's leader alone; others get what they had. */
void group_rejoin(struct member *member)
{
    struct group *group = member->group;
    trace("broker: %s joins %s once more", member->instance, group->name);
    if (group->rebalancing)
        return;
    if (group->members[0] == member) {
        rebalance(group);
        return;
    }
    member->must_revoke = member->has;
    member->again = true;
}

static void expire(void *context, int64_t number)
{
    struct member *member = context;
    (void)number;
    if (member->fenced || member->kicked)
        return;
    if (!member->left && !member->proc->dead && !member->proc->ended && member->proc->frozen_until_us <= sim_now())
        return; /* it has come back in time */
    trace("broker: the session of %s in %s has run out", member->instance, member->group->name);
    member->kicked = true;
    remove_member(member->group, member);
    rebalance(member->group);
}

void group_leave(struct member *member, bool for_good)
{
    if (!member || member->kicked || member->fenced)
        return;
    if (member->instance[0] && !for_good) {
        member->left = true;
        sim_at(sim_now() + 10 * SECOND, expire, member, 0);
        return;
    }
    member->kicked = true;
    remove_member(member->group, member);
    rebalance(member->group);
}

void group_lose(struct member *member)
{
    sim_at(sim_now() + 10 * SECOND, expire, member, 0);
}

/* A group's leader sees it, unless its process is gone: a successor's client has never seen anything else. */
static void leader_sees(void *context, int64_t number)
{
    struct member *leader = context;
    (void)number;
    if (leader->proc->dead || leader->proc->ended || leader->fenced || leader->kicked)
        return;
    else if (leader->proc->frozen_until_us > sim_now())
        sim_at(leader->proc->frozen_until_us, leader_sees, leader, 0);
    else
        rebalance(leader->group);
}

void groups_partition_added(void)
{
    for (int g = 0; g < group_count; g++)
        if (groups[g].member_count)
            leader_sees(groups[g].members[0], 0);
}
