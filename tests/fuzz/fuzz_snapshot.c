/* fuzz: any bytes as a snapshot of current records: as they are, and as the point, records and models of a file whose
 * head, owner and checksum are right. What is read must be written and read once more alike, and its rows unpacked. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "scorer/state/snapshot_file.h"
#include "scorer/state/state_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { COLUMNS_MAX = 256, POINT_BYTES = 32 };

static struct schema *schema;

static void load(void)
{
    struct error err;
    const char *directory = getenv("SCHEMAS_DIR");
    if (schema_load(directory ? directory : "schemas", &schema, &err) != STATUS_OK ||
        schema->column_count > COLUMNS_MAX) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static struct state *read_file(struct span bytes, struct snapshot_point *point)
{
    const struct snapshot_about about = {"cluster", "state", "group", "in", 0, 1, schema};
    struct state *state = state_new();
    struct error err;
    if (snapshot_file_read(bytes, &about, state, state_open(state, 0), point, &err) == STATUS_OK)
        return state;
    state_free(state);
    return NULL;
}

static void unpack_rows(const struct state *state)
{
    struct cell cells[COLUMNS_MAX];
    struct state_record record;
    for (size_t at = 0; state_next(state, 0, &at, &record);)
        if (!record.left)
            state_row_unpack(schema, record.row.data, cells);
}

static void try_file(struct span bytes)
{
    const struct snapshot_about about = {"cluster", "state", "group", "in", 0, 1, schema};
    struct snapshot_point point, again;
    struct buffer written = {0};
    struct state *state = read_file(bytes, &point);
    if (!state)
        return;
    unpack_rows(state);
    state_set_position(state, 0, INT64_MAX);
    snapshot_file_begin(&about, &point, &written);
    for (size_t at = 0; state_copy(state, 0, &at, 100, &written);)
        ;
    snapshot_file_end(state, &written);
    snapshot_file_seal(&written);
    struct state *copy = read_file(buffer_span(&written), &again);
    /* a source offset that is the largest there is counts as not committed */
    assert(copy && again.origin.offset == point.origin.offset && state_count(copy) <= state_count(state));
    state_free(copy);
    state_free(state);
    buffer_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct snapshot_point none = {0};
    struct buffer file = {0};
    if (!schema)
        load();
    try_file((struct span){(const char *)data, bytes});
    const struct snapshot_about about = {"cluster", "state", "group", "in", 0, 1, schema};
    snapshot_file_begin(&about, &none, &file);
    file.bytes -= POINT_BYTES;
    buffer_add(&file, data, bytes);
    snapshot_file_seal(&file);
    try_file(buffer_span(&file));
    buffer_free(&file);
    return 0;
}
