/* Moving records: see state_repartition.h. Main thread. Where an employee's events come is what the usual partitioner
 * (murmur2 of the key) says of the id; before anything is changed, every record must lie where it said so of the
 * partitions that there were, or keys are not ids, and nobody can know. */
#include "scorer/state_admin/state_repartition.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "scorer/state_admin/state_group.h"

struct moving {
    struct state_group *group;
    struct state *state;
    int32_t before, after; /* partitions */
    int64_t *counts;       /* records by partition, afterwards */
    uint64_t moved, newer;
};

static int32_t partition_of(struct span employee_id, int32_t partitions)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, employee_id.data, employee_id.bytes, partitions, NULL, NULL);
}

static enum status check_places(const struct moving *moving, const struct settings *settings, struct error *err)
{
    struct state_record record;
    uint64_t records = 0, strange = 0;
    for (int32_t p = 0; p < moving->before; p++)
        for (size_t at = 0; state_next(moving->state, p, &at, &record); records++) {
            int32_t now = partition_of(record.employee_id, moving->after);
            strange += partition_of(record.employee_id, moving->before) != p && now != p;
        }
    if (!strange)
        return STATUS_OK;
    return error_set(
        err, STATUS_UNSUPPORTED,
        "%" PRIu64 " of %" PRIu64 " records of %s are not in the partition that murmur2 of the employee id "
        "names, so the events' keys are no plain ids, or their producer has another partitioner, and where "
        "they come now is not known. Delete the topic, have it made again (scorer check --create-topics), "
        "scorer state seed --empty, and send every employee's whole record",
        strange, records, settings->state_topic);
}

/* Events may have made a record there since; then the newer one stays. */
static enum status move_record(struct moving *moving, int32_t from, int32_t to, const struct state_record *record,
                               struct error *err)
{
    struct state_record known, moved = *record;
    bool has = to < moving->before && state_has(moving->state, to) &&
               state_find(moving->state, to, record->employee_id, &known);
    moved.source_offset = -1; /* of no event of that partition */
    moving->counts[from]--;
    moving->counts[to] += !has;
    moving->moved++;
    if (has && known.occurred_at_ms >= record->occurred_at_ms)
        moving->newer++;
    else if (state_group_write_record(moving->group, to, &moved, err) != STATUS_OK)
        return err->status;
    return state_group_write(moving->group, from, record->employee_id, SPAN_NULL, err);
}

static enum status move_all(struct moving *moving, struct error *err)
{
    struct state_record record;
    for (int32_t p = 0; p < moving->before; p++)
        for (size_t at = 0; state_next(moving->state, p, &at, &record);) {
            int32_t to = partition_of(record.employee_id, moving->after);
            if (to != p && move_record(moving, p, to, &record, err) != STATUS_OK)
                return err->status;
        }
    return STATUS_OK;
}

static enum status move(struct moving *moving, const struct settings *settings, struct error *err)
{
    int64_t lag = 0;
    enum status status = check_places(moving, settings, err);
    if (status == STATUS_OK)
        status = state_group_lag(moving->group, &lag, err);
    if (status == STATUS_OK && lag)
        log_warn("state",
                 "%" PRId64
                 " events of the partitions that there were are not handled yet: one from before %s has grown "
                 "whose employee moves will not find the record",
                 lag, settings->input_topic);
    if (status == STATUS_OK && state_group_parts(moving->group) < moving->after)
        status = state_group_widen(moving->group, err);
    if (status != STATUS_OK)
        return status;
    moving->counts = mem_zeroed((size_t)moving->after, sizeof *moving->counts);
    for (int32_t p = 0; p < moving->before; p++)
        moving->counts[p] = (int64_t)state_count_of(moving->state, p);
    status = move_all(moving, err);
    return status == STATUS_OK ? state_group_commit(moving->group, moving->counts, err) : status;
}

enum status state_repartition(const struct settings *settings, struct error *err)
{
    struct moving moving = {0};
    enum status status = state_group_new(settings, &moving.group, err);
    if (status == STATUS_OK)
        status = state_group_read(moving.group, err);
    if (status == STATUS_OK) {
        moving.state = state_group_records(moving.group);
        moving.before = state_group_spread(moving.group);
        moving.after = state_group_inputs(moving.group);
    }
    if (status == STATUS_OK && moving.before >= moving.after)
        log_info("state", "%s: its records are spread over %" PRId32 " partitions, as the input is: nothing to move",
                 settings->state_topic, moving.before);
    else if (status == STATUS_OK && (status = move(&moving, settings, err)) == STATUS_OK)
        log_info("state",
                 "%s: %" PRIu64 " records were moved, from %" PRId32 " partitions to %" PRId32 "; %" PRIu64
                 " gave way to newer ones",
                 settings->state_topic, moving.moved, moving.before, moving.after, moving.newer);
    state_group_free(moving.group);
    free(moving.counts);
    return status;
}
