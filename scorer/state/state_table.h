/* The current records of one partition's employees, in memory: a hash table over packed rows.
 *
 * A record is one block in an arena that only grows at its end; the table holds eight bytes a slot (hash and place),
 * open addressing. A record that does not grow is written over; else the old block is dead, and where dead blocks are a
 * quarter of a full arena it is compacted instead of enlarged. Nothing is allocated per event once it has grown. One
 * thread.
 */
#pragma once

#include "base/bytes.h"

/* An employee's current record. Plain data; what state_table_find returns borrows from the table until its next change.
 */
struct state_record {
    struct span employee_id; /* 1 to 1024 bytes */
    int64_t occurred_at_ms;
    int64_t source_offset;        /* of the event that it is from, in the input partition of the table's number */
    bool left;                    /* TERMINATED: a marker without a row, so that nothing older revives the employee */
    bool scored;                  /* what follows is of the last prediction */
    bool alerted;                 /* alerted_… is of the last alert */
    uint8_t label, alerted_label; /* indexes into schema->target_values */
    uint16_t model;               /* of state_models */
    double probability, margin, alerted_probability;
    struct span row; /* state_row.h; empty where the employee has left */
};

struct state_table;

struct state_table *state_table_new(void);
void state_table_free(struct state_table *table);

/* False: there is none. */
bool state_table_find(const struct state_table *table, struct span employee_id, struct state_record *out);
/* Each record once, in no order, while nothing is changed; *at begins at 0. False: that was all. */
bool state_table_next(const struct state_table *table, size_t *at, struct state_record *out);
/* Adds it, or replaces the one of this employee. It must not borrow from the table. */
void state_table_put(struct state_table *table, const struct state_record *record);
/* The prediction and the alert of the record that `scored` names by employee and source offset; false: it is not there
 * any more. */
bool state_table_set_score(struct state_table *table, const struct state_record *scored);
/* False: there was none. */
bool state_table_remove(struct state_table *table, struct span employee_id);

/* Where an employee's record is, or would be: what is asked for once and used until the table's next change. */
struct state_place {
    size_t slot;
    uint32_t hash;
};
struct state_place state_table_seek(const struct state_table *table, struct span employee_id);
/* As state_table_put, of a record whose place is known. */
void state_table_put_at(struct state_table *table, struct state_place at, const struct state_record *record);
/* The block of a record as it lies in the table, to be kept and put back; SPAN_NULL: there is none. */
struct span state_table_block(const struct state_table *table, struct state_place at);
void state_table_put_block(struct state_table *table, struct span block);
void state_block_read(struct span block, struct state_record *out); /* borrows from it */
/* As state_table_set_score, of a block that was kept. */
bool state_block_set_score(char *block, const struct state_record *scored);

/* --- copies of many blocks, for files --- */

/* Appends the blocks of records whose source offset is below `below`, from *at on (it begins at 0), until out has
 * `most` more bytes or a little above. False: that was all. In the meantime records may be changed: each that is not is
 * copied once, as long as state_table_moves stays what it was. */
bool state_table_copy(const struct state_table *table, int64_t below, size_t *at, size_t most, struct buffer *out);
/* The same of a block that was kept. */
void state_block_copy(struct span block, struct buffer *out);
uint32_t state_table_moves(const struct state_table *table); /* how often all records have moved */
/* Takes the next block of foreign bytes, whose sizes are checked and nothing else. */
bool state_block_take(struct cursor *cursor, struct span *block);
size_t state_block_head_bytes(void);
/* Makes room for so many blocks of so many bytes in all. */
void state_table_reserve(struct state_table *table, size_t count, size_t bytes);

size_t state_table_count(const struct state_table *table); /* records, markers among them */
size_t state_table_bytes(const struct state_table *table); /* of memory */
/* The same once a new record of this id and row is put. */
size_t state_table_bytes_with(const struct state_table *table, size_t id_bytes, size_t row_bytes);
