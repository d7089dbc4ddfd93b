/* Records into transactions: see sink_batch.h. Called by sink.c on the sink's thread; calls sink_rows and sink_store.
 *
 * How nothing is lost or stored twice: a transaction moves next_offset from what was read to one past its last record,
 * and fails if it is not there any more. There is one next_offset per partition, whatever the group, so no other sink
 * can store the same record. Where the log was read to its end, next_offset is moved there, past commit markers: what
 * is deleted before it has been stored or was never a record. When a connection dies during COMMIT, the offsets read on
 * the next connection show whether it happened; when another sink was faster, they show what it stored. A row that
 * PostgreSQL refuses is found by halving, and goes to dead_letters; so does, after a while, one that fails for a reason
 * that nobody has foreseen while others land. Must never count a record before its transaction has committed. */
#include "scorer/sink/sink_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "scorer/sink/sink_headers.h"
#include "scorer/sink/sink_sqlstate.h"

enum {
    PIECE_BYTES = 64 * 1024,
    CONFLICT_TRIES = 5,
    LOG_EVERY_US = 10 * 1000 * 1000,
    SAME_FAILURES = 5, /* before a row is suspected */
    TRIALS = 3,        /* other rows tried, to see whether they land */
};

struct item {
    struct sink_record record;
    uint32_t partition; /* index: the array may move */
    void *origin;
    size_t bytes; /* key, value and headers */
};

/* A failure that comes again and again under an SQLSTATE of no known class: a row may be the cause, and one row must
 * not stop the sink for ever. */
struct suspicion {
    char sqlstate[6];
    enum sink_topic topic;
    int32_t partition;
    int64_t offset; /* of the first item when it failed */
    unsigned failures;
    bool searching;      /* this write halves such failures too */
    bool landed, parked; /* … and has stored a row, has set one aside */
};

struct sink_batch {
    struct sink_store *store;
    struct sink_rows *rows;
    struct counters *counters;
    void (*release)(void *origin);
    const char *erasure;
    struct sink_partition *partitions;
    size_t partition_count;
    struct sink_offset *offsets; /* as many */
    struct item *items;          /* first … count are not stored yet */
    size_t first, count, capacity, bytes;
    struct arena headers;              /* of the items */
    uint64_t tally[SINK_RESULT_COUNT]; /* of the transaction under way */
    bool in_doubt;                     /* the last COMMIT had no answer; tally, target and doubt_end are its */
    size_t doubt_end;
    bool stale;       /* `stored` must be read again */
    uint64_t session; /* of the store: the one it was read in */
    bool rewound;
    int64_t logged_us; /* when a refused row was last logged */
    struct suspicion suspicion;
};

struct sink_batch *sink_batch_new(struct sink_store *store, struct sink_rows *rows, struct counters *counters,
                                  void (*release)(void *origin))
{
    struct sink_batch *batch = mem_zeroed(1, sizeof *batch);
    batch->store = store;
    batch->rows = rows;
    batch->counters = counters;
    batch->release = release;
    batch->erasure = "delete";
    return batch;
}

void sink_batch_erase_by(struct sink_batch *batch, const char *method)
{
    batch->erasure = method;
}

size_t sink_batch_count(const struct sink_batch *batch)
{
    return batch->count - batch->first;
}

size_t sink_batch_bytes(const struct sink_batch *batch)
{
    return batch->bytes;
}

static void show_in_flight(struct sink_batch *batch)
{
    counter_set(batch->counters, COUNTER_SINK_IN_FLIGHT, sink_batch_count(batch));
}

/* --- records --- */

static void item_release(struct sink_batch *batch, struct item *item)
{
    batch->bytes -= item->bytes;
    batch->release(item->origin);
    item->origin = NULL;
}

/* Items before `end` are done with. */
static void finish_items(struct sink_batch *batch, size_t end)
{
    for (; batch->first < end; batch->first++)
        item_release(batch, &batch->items[batch->first]);
    if (batch->first == batch->count) {
        batch->first = batch->count = 0;
        arena_reset(&batch->headers);
    }
    show_in_flight(batch);
}

static void skip_all(struct sink_batch *batch)
{
    counter_add(batch->counters, COUNTER_SINK_SKIPPED, sink_batch_count(batch));
    finish_items(batch, batch->count);
    batch->in_doubt = false;
}

/* Drops what the database has already, as `stored` now says. */
static void skip_stored(struct sink_batch *batch)
{
    size_t kept = batch->first;
    for (size_t i = batch->first; i < batch->count; i++) {
        struct item *item = &batch->items[i];
        if (item->record.offset < batch->partitions[item->partition].stored)
            item_release(batch, item);
        else
            batch->items[kept++] = *item;
    }
    counter_add(batch->counters, COUNTER_SINK_SKIPPED, batch->count - kept);
    batch->count = kept;
    finish_items(batch, batch->first);
}

void sink_batch_add(struct sink_batch *batch, struct sink_partition *partition, const struct sink_record *record,
                    void *origin)
{
    counter_add(batch->counters, COUNTER_SINK_RECORDS, 1);
    if (record->offset < partition->next) {
        counter_add(batch->counters, COUNTER_SINK_SKIPPED, 1);
        batch->release(origin);
        return;
    }
    batch->items = mem_grow(batch->items, &batch->capacity, batch->count + 1, sizeof *batch->items);
    struct item *item = &batch->items[batch->count++];
    *item = (struct item){
        .record = *record,
        .partition = (uint32_t)(partition - batch->partitions),
        .origin = origin,
        .bytes = record->key.bytes + record->value.bytes + sink_headers_bytes(record->headers, record->header_count),
    };
    if (record->header_count) {
        size_t bytes = record->header_count * sizeof *record->headers;
        item->record.headers = memcpy(arena_take(&batch->headers, bytes), record->headers, bytes);
    }
    batch->bytes += item->bytes;
    partition->next = record->offset + 1;
    show_in_flight(batch);
}

/* --- partitions --- */

void sink_batch_clear(struct sink_batch *batch)
{
    skip_all(batch);
    batch->partition_count = 0;
    batch->rewound = false;
}

void sink_batch_assign(struct sink_batch *batch, enum sink_topic topic, const char *topic_name, int32_t id)
{
    size_t count = batch->partition_count + 1;
    batch->partitions = mem_resize(batch->partitions, count, sizeof *batch->partitions);
    batch->offsets = mem_resize(batch->offsets, count, sizeof *batch->offsets);
    batch->partitions[batch->partition_count++] = (struct sink_partition){
        .topic = topic,
        .topic_name = topic_name,
        .id = id,
        .stored = SINK_NO_OFFSET,
        .next = SINK_NO_OFFSET,
        .target = SINK_NO_OFFSET,
        .last_offset = SINK_NO_OFFSET,
        .verify = SINK_NO_OFFSET,
        .end = SINK_NO_OFFSET,
    };
    batch->stale = true;
}

size_t sink_batch_partitions(const struct sink_batch *batch, struct sink_partition **out)
{
    *out = batch->partitions;
    return batch->partition_count;
}

struct sink_partition *sink_batch_partition(struct sink_batch *batch, enum sink_topic topic, int32_t id)
{
    for (size_t p = 0; p < batch->partition_count; p++)
        if (batch->partitions[p].id == id && batch->partitions[p].topic == topic)
            return &batch->partitions[p];
    return NULL;
}

/* --- what the database says --- */

static void count_committed(struct sink_batch *batch)
{
    static const enum counter_id counters[SINK_RESULT_COUNT] = {
        [SINK_RESULT_PREDICTION] = COUNTER_SINK_PREDICTIONS, [SINK_RESULT_DEAD_LETTER] = COUNTER_SINK_DEAD_LETTERS,
        [SINK_RESULT_ERASURE] = COUNTER_SINK_ERASURES,       [SINK_RESULT_OUTCOME] = COUNTER_SINK_OUTCOMES,
        [SINK_RESULT_ALERT] = COUNTER_SINK_ALERTS,           [SINK_RESULT_REFUSED] = COUNTER_SINK_REFUSED,
    };
    for (size_t e = 0; e < SINK_RESULT_COUNT; e++)
        counter_add(batch->counters, counters[e], batch->tally[e]);
    counter_add(batch->counters, COUNTER_SINK_TRANSACTIONS, 1);
}

/* The transaction under way has committed. */
static void committed(struct sink_batch *batch, size_t end)
{
    for (size_t p = 0; p < batch->partition_count; p++) {
        struct sink_partition *partition = &batch->partitions[p];
        if (partition->target == SINK_NO_OFFSET)
            continue;
        partition->stored = partition->target;
        if (partition->target_offset == SINK_NO_OFFSET)
            continue;
        partition->last_offset = partition->target_offset;
        partition->last_digest = partition->target_digest;
    }
    count_committed(batch);
    finish_items(batch, end);
}

/* A COMMIT without an answer happened if every offset stands where it was to put it. */
static void resolve_doubt(struct sink_batch *batch)
{
    bool happened = batch->in_doubt;
    for (size_t p = 0; p < batch->partition_count && happened; p++)
        happened =
            batch->partitions[p].target == SINK_NO_OFFSET || batch->offsets[p].stored == batch->partitions[p].target;
    if (happened)
        committed(batch, batch->doubt_end);
    batch->in_doubt = false;
}

static void log_rewound(const struct sink_partition *partition, int64_t now)
{
    log_warn("sink",
             "the stored offset of %s [%" PRId32 "] went back from %" PRId64 " to %" PRId64
             " (was the database restored?); reading again from there",
             partition->topic_name, partition->id, partition->stored, now);
}

static void adopt_offsets(struct sink_batch *batch)
{
    for (size_t p = 0; p < batch->partition_count; p++) {
        struct sink_partition *partition = &batch->partitions[p];
        int64_t now = batch->offsets[p].stored;
        if (partition->known && now < partition->stored) {
            log_rewound(partition, now);
            batch->rewound = true;
        }
        partition->known = true;
        if (partition->stored != now) { /* where reading starts and what is verified there hung on it */
            partition->checked = false;
            partition->verify = SINK_NO_OFFSET;
        }
        partition->stored = now;
        partition->last_offset = batch->offsets[p].last_offset;
        partition->last_digest = batch->offsets[p].last_digest;
        if (partition->next < now)
            partition->next = now;
    }
    if (!batch->rewound) {
        skip_stored(batch);
        return;
    }
    skip_all(batch);
    for (size_t p = 0; p < batch->partition_count; p++)
        batch->partitions[p].next = batch->partitions[p].stored;
}

bool sink_batch_take_rewound(struct sink_batch *batch)
{
    bool rewound = batch->rewound;
    batch->rewound = false;
    return rewound;
}

enum status sink_batch_sync(struct sink_batch *batch, struct error *err)
{
    if (sink_store_open(batch->store, err) != STATUS_OK)
        return err->status;
    batch->stale |= batch->session != sink_store_sessions(batch->store);
    batch->session = sink_store_sessions(batch->store);
    if (!batch->stale)
        return STATUS_OK;
    FAILPOINT("sink.sync");
    for (size_t p = 0; p < batch->partition_count; p++)
        batch->offsets[p] =
            (struct sink_offset){.topic = batch->partitions[p].topic_name, .partition = batch->partitions[p].id};
    if (batch->partition_count &&
        sink_store_read(batch->store, batch->offsets, batch->partition_count, err) != STATUS_OK)
        return err->status;
    resolve_doubt(batch);
    adopt_offsets(batch);
    batch->stale = false;
    return STATUS_OK;
}

/* --- writing --- */

int64_t sink_batch_digest(const struct sink_record *record)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)record->timestamp_ms; /* FNV-1a */
    const struct span parts[] = {record->key, record->value};
    for (size_t p = 0; p < 2; p++) {
        value = (value ^ (parts[p].data ? parts[p].bytes : UINT64_MAX)) * UINT64_C(0x100000001b3);
        for (size_t i = 0; i < parts[p].bytes; i++)
            value = (value ^ (unsigned char)parts[p].data[i]) * UINT64_C(0x100000001b3);
    }
    return (int64_t)value;
}

static bool is_ahead(const struct sink_partition *partition)
{
    return partition->known && partition->next > partition->stored;
}

bool sink_batch_is_ahead(const struct sink_batch *batch)
{
    for (size_t p = 0; p < batch->partition_count; p++)
        if (is_ahead(&batch->partitions[p]))
            return true;
    return false;
}

bool sink_batch_is_unstored(const struct sink_batch *batch)
{
    return sink_batch_count(batch) || sink_batch_is_ahead(batch);
}

/* Sets every partition's target to where it was read or, if items at or after `end` remain of it, to one past its last
 * item before. */
static void aim_partitions(struct sink_batch *batch, size_t end)
{
    for (size_t p = 0; p < batch->partition_count; p++) {
        struct sink_partition *partition = &batch->partitions[p];
        partition->target = is_ahead(partition) ? partition->next : SINK_NO_OFFSET;
        partition->target_offset = SINK_NO_OFFSET;
    }
    for (size_t i = end; i < batch->count; i++)
        batch->partitions[batch->items[i].partition].target = SINK_NO_OFFSET;
    for (size_t i = end; i-- > batch->first;) {
        struct sink_partition *partition = &batch->partitions[batch->items[i].partition];
        if (partition->target_offset != SINK_NO_OFFSET)
            continue;
        partition->target_offset = batch->items[i].record.offset;
        partition->target_digest = sink_batch_digest(&batch->items[i].record);
        if (partition->target == SINK_NO_OFFSET)
            partition->target = partition->target_offset + 1;
    }
}

/* Returns how many partitions move, listed in batch->offsets. */
static size_t aim(struct sink_batch *batch, size_t end)
{
    aim_partitions(batch, end);
    size_t count = 0;
    for (size_t p = 0; p < batch->partition_count; p++) {
        const struct sink_partition *partition = &batch->partitions[p];
        if (partition->target != SINK_NO_OFFSET)
            batch->offsets[count++] = (struct sink_offset){
                .topic = partition->topic_name,
                .partition = partition->id,
                .stored = partition->stored,
                .next = partition->target,
                .last_offset = partition->target_offset,
                .last_digest = partition->target_digest,
            };
    }
    return count;
}

/* Sends what the predictions' buffer holds beyond *sent, in pieces while more rows are being made: PostgreSQL works on
 * them meanwhile. Starts the COPY with the first. */
static enum status stream(struct sink_batch *batch, size_t *sent, bool *started, bool last, struct error *err)
{
    struct span rows = sink_rows_table(batch->rows, SINK_TABLE_PREDICTIONS);
    size_t ready = rows.bytes - *sent;
    if (!ready || (!last && ready < PIECE_BYTES))
        return STATUS_OK;
    const char *target = sink_rows_target(batch->rows, SINK_TABLE_PREDICTIONS);
    if (!*started && sink_store_copy_start(batch->store, target, err) != STATUS_OK)
        return err->status;
    *started = true;
    *sent = rows.bytes;
    FAILPOINT("sink.copy");
    return sink_store_copy_rows(batch->store, (struct span){rows.data + rows.bytes - ready, ready}, err);
}

static enum status report_waiting(const struct sink_record *record, struct error *err)
{
    return error_set(err, STATUS_UNAVAILABLE,
                     "%s [%" PRId32 "] offset %" PRId64 " needs a schema that the schema registry has not returned yet",
                     record->topic_name, record->partition, record->offset);
}

/* Makes the rows of items first … end and sends those of predictions on the way. */
static enum status copy_records(struct sink_batch *batch, size_t end, const struct sink_refusal *refusal,
                                struct error *err)
{
    size_t sent = 0;
    bool started = false;
    for (size_t i = batch->first; i < end; i++) {
        if (refusal) {
            sink_rows_refuse(batch->rows, &batch->items[i].record, refusal);
            batch->tally[SINK_RESULT_REFUSED]++;
        } else {
            enum sink_result how = sink_rows_add(batch->rows, &batch->items[i].record);
            if (how == SINK_RESULT_WAIT)
                return report_waiting(&batch->items[i].record, err);
            batch->tally[how]++;
        }
        if (stream(batch, &sent, &started, i + 1 == end, err) != STATUS_OK)
            return err->status;
    }
    FAILPOINT("sink.copied");
    return started ? sink_store_copy_end(batch->store, err) : STATUS_OK;
}

static enum status copy_table(struct sink_batch *batch, enum sink_table table, struct error *err)
{
    struct span rows = sink_rows_table(batch->rows, table);
    if (!rows.bytes)
        return STATUS_OK;
    if (sink_store_copy_start(batch->store, sink_rows_target(batch->rows, table), err) != STATUS_OK ||
        sink_store_copy_rows(batch->store, rows, err) != STATUS_OK ||
        sink_store_copy_end(batch->store, err) != STATUS_OK)
        return err->status;
    return STATUS_OK;
}

static enum status copy_all(struct sink_batch *batch, size_t end, const struct sink_refusal *refusal, struct error *err)
{
    sink_rows_clear(batch->rows);
    if (copy_records(batch, end, refusal, err) != STATUS_OK)
        return err->status;
    sink_rows_end(batch->rows);
    /* Erasures first: their lock is taken before the shared one of what they may reach. */
    static const enum sink_table others[] = {SINK_TABLE_ERASURES, SINK_TABLE_DEAD_LETTERS, SINK_TABLE_OUTCOMES,
                                             SINK_TABLE_ALERTS, SINK_TABLE_EVIDENCE};
    for (size_t t = 0; t < sizeof others / sizeof *others; t++)
        if (copy_table(batch, others[t], err) != STATUS_OK)
            return err->status;
    if (sink_rows_table(batch->rows, SINK_TABLE_ERASURES).bytes)
        return sink_store_erase(batch->store, batch->erasure, err);
    return STATUS_OK;
}

/* One transaction of items first … end; with a refusal, they become dead letters. */
static enum status write_once(struct sink_batch *batch, size_t end, const struct sink_refusal *refusal,
                              struct error *err)
{
    size_t moves = aim(batch, end);
    memset(batch->tally, 0, sizeof batch->tally);
    if (sink_store_begin(batch->store, batch->offsets, moves, err) != STATUS_OK)
        return err->status;
    FAILPOINT("sink.begun");
    if (copy_all(batch, end, refusal, err) != STATUS_OK) {
        sink_store_rollback(batch->store);
        return err->status;
    }
    FAILPOINT("sink.commit");
    struct span latest = sink_rows_latest(batch->rows, sink_store_row_type(batch->store));
    if (sink_store_commit(batch->store, sink_rows_upsert(batch->rows), latest, &batch->in_doubt, err) != STATUS_OK) {
        batch->doubt_end = end;
        return err->status;
    }
    FAILPOINT("sink.committed");
    committed(batch, end);
    return STATUS_OK;
}

static void log_refused(struct sink_batch *batch, const struct sink_record *record, const char *message)
{
    int64_t now_us = clock_steady_us(&clock_system);
    if (batch->logged_us && now_us - batch->logged_us < LOG_EVERY_US)
        return;
    batch->logged_us = now_us;
    log_warn("sink", "%s [%" PRId32 "] offset %" PRId64 " is kept in dead_letters, stage sink: %s", record->topic_name,
             record->partition, record->offset, message);
}

/* PostgreSQL refused the first item alone; err says why. */
static enum status write_refused(struct sink_batch *batch, const char *sqlstate, struct error *err)
{
    const struct sink_record record = batch->items[batch->first].record;
    char code[16], message[sizeof err->text];
    snprintf(code, sizeof code, "sql_%s", sqlstate);
    snprintf(message, sizeof message, "%s", err->text);
    log_refused(batch, &record, message);
    struct sink_refusal refusal = {.code = code, .message = message};
    enum status status = write_once(batch, batch->first + 1, &refusal, err);
    if (status == STATUS_INVALID) {
        refusal.bare = true;
        status = write_once(batch, batch->first + 1, &refusal, err);
    }
    if (status == STATUS_INVALID)
        status = error_set(err, STATUS_NOT_FOUND,
                           "PostgreSQL refuses even the dead letter of %s [%" PRId32 "] offset %" PRId64
                           " (SQLSTATE %s); was attrition.dead_letters altered?",
                           record.topic_name, record.partition, record.offset, sink_store_sqlstate(batch->store));
    return status;
}

/* --- failures that come again --- */

/* Counts failures of the same kind; true from the SAME_FAILURES-th on. */
static bool suspect(struct sink_batch *batch)
{
    struct suspicion *suspicion = &batch->suspicion;
    const char *sqlstate = sink_store_sqlstate(batch->store);
    if (batch->first == batch->count || sink_sqlstate_suspicion(sqlstate) == SINK_SUSPECT_NOTHING)
        return false;
    if (suspicion->searching)
        return true;
    const struct sink_record *record = &batch->items[batch->first].record;
    if (strcmp(suspicion->sqlstate, sqlstate) || suspicion->topic != record->topic ||
        suspicion->partition != record->partition || suspicion->offset != record->offset)
        *suspicion =
            (struct suspicion){.topic = record->topic, .partition = record->partition, .offset = record->offset};
    snprintf(suspicion->sqlstate, sizeof suspicion->sqlstate, "%s", sqlstate);
    suspicion->searching = ++suspicion->failures >= SAME_FAILURES;
    return suspicion->searching;
}

/* Whether item i alone could be stored: everything but the COMMIT. */
static bool would_land(struct sink_batch *batch, size_t i)
{
    if (sink_store_begin(batch->store, NULL, 0, ERROR_IGNORED) != STATUS_OK)
        return false;
    sink_rows_clear(batch->rows);
    bool lands = sink_rows_add(batch->rows, &batch->items[i].record) < SINK_RESULT_REFUSED;
    for (enum sink_table table = 0; table < SINK_TABLE_COUNT && lands; table++)
        lands = copy_table(batch, table, ERROR_IGNORED) == STATUS_OK;
    struct span latest = sink_rows_latest(batch->rows, sink_store_row_type(batch->store));
    if (lands && latest.data)
        lands = sink_store_upsert(batch->store, sink_rows_upsert(batch->rows), latest, ERROR_IGNORED) == STATUS_OK;
    sink_store_rollback(batch->store);
    return lands;
}

/* The first item fails alone. It is the row if others of its topic land; where there is no other to compare, one row a
 * search may go, if nobody has foreseen the failure: were the server the cause, it would cost one row every few tries.
 */
static bool is_the_row(struct sink_batch *batch, enum sink_suspicion suspicion)
{
    if (batch->suspicion.landed)
        return true;
    enum sink_topic topic = batch->items[batch->first].record.topic;
    int trials = 0;
    for (size_t i = batch->first + 1; i < batch->count && trials < TRIALS; i++)
        if (batch->items[i].record.topic == topic) {
            if (would_land(batch, i))
                return true;
            trials++;
        }
    return suspicion == SINK_SUSPECT_ROW && !batch->suspicion.parked;
}

/* Sets the first item aside if it is the cause; else returns `status`, with err as it was. */
static enum status write_suspected(struct sink_batch *batch, enum status status, struct error *err)
{
    char sqlstate[sizeof batch->suspicion.sqlstate];
    snprintf(sqlstate, sizeof sqlstate, "%s", sink_store_sqlstate(batch->store));
    if (!is_the_row(batch, sink_sqlstate_suspicion(sqlstate)))
        return status;
    batch->suspicion.parked = true;
    batch->suspicion.landed = false; /* each needs a witness of its own */
    return write_refused(batch, sqlstate, err);
}

/* Items first … end, halving what PostgreSQL refuses. Depth: the logarithm of the batch. */
static enum status write_range(struct sink_batch *batch, size_t end, struct error *err)
{
    size_t left = end - batch->first;
    enum status status = write_once(batch, end, NULL, err);
    if (status == STATUS_OK)
        batch->suspicion.landed |= left > 0;
    if (!left || (status != STATUS_INVALID && (status == STATUS_OK || status == STATUS_CONFLICT || !suspect(batch))))
        return status;
    if (left == 1)
        return status == STATUS_INVALID ? write_refused(batch, sink_store_sqlstate(batch->store), err)
                                        : write_suspected(batch, status, err);
    status = write_range(batch, batch->first + left / 2, err);
    return status != STATUS_OK ? status : write_range(batch, end, err);
}

static void search_end(struct sink_batch *batch, enum status status)
{
    if (status == STATUS_OK || batch->suspicion.searching)
        batch->suspicion = (struct suspicion){0};
}

enum status sink_batch_write(struct sink_batch *batch, struct error *err)
{
    for (int tries = 0; tries < CONFLICT_TRIES; tries++) {
        if (sink_batch_sync(batch, err) != STATUS_OK)
            return err->status;
        if (!sink_batch_is_unstored(batch))
            return STATUS_OK;
        enum status status = write_range(batch, batch->count, err);
        search_end(batch, status);
        if (status != STATUS_CONFLICT)
            return status;
        batch->stale = true;
        log_info("sink", "%s; reading them again", err->text);
    }
    return error_set(
        err, STATUS_UNAVAILABLE,
        "%s again and again: several sinks store the same partitions; give them one GROUP_ID to share them", err->text);
}

void sink_batch_free(struct sink_batch *batch)
{
    if (!batch)
        return;
    sink_batch_clear(batch);
    arena_free(&batch->headers);
    free(batch->partitions);
    free(batch->offsets);
    free(batch->items);
    free(batch);
}
