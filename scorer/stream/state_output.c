/* The state topic's part of a commit: see state_output.h. May block where kafka/transaction.h says. */
#include "scorer/stream/state_output.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "scorer/state/state_position.h"

enum { FLUSH_MS = 1000 };

void state_output_free(struct state_output *output)
{
    staged_records_free(&output->late);
    buffer_free(&output->position);
    free(output->parts);
    last_offsets_free(output->last);
}

void state_output_add_late(struct state_output *output, const struct transaction_record *record)
{
    bool added = staged_records_add(&output->late, record, SIZE_MAX);
    assert(added);
}

void state_output_drop_late(struct state_output *output)
{
    staged_records_clear(&output->late);
}

static void send_record(struct state_output *output, struct transaction *transaction,
                        const struct transaction_record *record)
{
    rd_kafka_resp_err_t code = transaction_send(transaction, record);
    if (code)
        transaction_break(transaction, code, output->settings->state_topic);
}

/* Until all is acknowledged, or something was not. */
static void wait_for_acknowledgements(struct transaction *transaction)
{
    while (!transaction_broken(transaction) &&
           rd_kafka_flush(transaction_client(transaction), FLUSH_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        ;
}

static void send_late(struct state_output *output, struct transaction *transaction)
{
    struct transaction_record record;
    wait_for_acknowledgements(transaction);
    while (!transaction_broken(transaction) && staged_records_next(&output->late, &record))
        send_record(output, transaction, &record);
    staged_records_clear(&output->late);
}

/* Named by the offset that comes next, of which there is no other record yet. */
static void send_position(struct state_output *output, struct transaction *transaction,
                          const rd_kafka_topic_partition_t *next, const struct state_output_part *part)
{
    const struct state_position position = {.group = output->settings->group_id,
                                            .topic = output->settings->input_topic,
                                            .partition = next->partition,
                                            .partitions = output->partitions,
                                            .offset = next->offset,
                                            .records = part->records,
                                            .begun_us = part->origin.begun_us};
    buffer_clear(&output->position);
    state_position_write(&position, &output->position);
    const struct transaction_record record = {.topic = output->topic,
                                              .partition = next->partition,
                                              .key = STATE_POSITION_KEY,
                                              .value = buffer_span(&output->position)};
    send_record(output, transaction, &record);
}

void state_output_begin(struct state_output *output, const rd_kafka_topic_partition_list_t *offsets)
{
    size_t count = offsets ? (size_t)offsets->cnt : 0;
    output->parts = mem_grow(output->parts, &output->part_capacity, count, sizeof *output->parts);
    for (size_t i = 0; i < count; i++) {
        int32_t partition = offsets->elems[i].partition;
        bool kept = state_has(output->state, partition);
        output->parts[i].records = kept ? (int64_t)state_count_of(output->state, partition) : -1;
        output->parts[i].origin = kept ? state_origin(output->state, partition) : (struct state_origin){.offset = -1};
    }
}

void state_output_write(struct state_output *output, struct transaction *transaction,
                        const rd_kafka_topic_partition_list_t *offsets, bool alone)
{
    struct error err;
    if (!offsets || transaction_begin(transaction, &err) != STATUS_OK)
        return; /* the commit returns it */
    if (!output->settings->exactly_once)
        send_late(output, transaction);
    if (alone)
        transaction_flush(transaction);
    for (int i = 0; i < offsets->cnt && !transaction_broken(transaction); i++)
        if (output->parts[i].records >= 0)
            send_position(output, transaction, &offsets->elems[i], &output->parts[i]);
}

/* Positions are the last records of their transaction. */
void state_output_wrote(struct state_output *output, const rd_kafka_topic_partition_list_t *offsets)
{
    for (int i = 0; offsets && i < offsets->cnt; i++)
        output->parts[i].origin.offset = output->last ? last_offsets_of(output->last, offsets->elems[i].partition) : -1;
}

void state_output_committed(struct state_output *output, const rd_kafka_topic_partition_list_t *offsets)
{
    for (int i = 0; offsets && i < offsets->cnt; i++) {
        int32_t partition = offsets->elems[i].partition;
        if (!state_has(output->state, partition))
            continue;
        state_set_position(output->state, partition, offsets->elems[i].offset);
        state_set_origin(output->state, partition, output->parts[i].origin);
    }
}
