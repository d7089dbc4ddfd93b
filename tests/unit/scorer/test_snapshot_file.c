/* scorer/state/snapshot_file.c: what is written is read back, and nothing else is. */
#include "tests/unit/scorer/snapshot_lab.h"

static void assert_same(const struct state *found, const struct state *wanted)
{
    struct state_record a, b;
    assert_int_equal(state_count(found), state_count(wanted));
    for (size_t at = 0; state_next(wanted, PARTITION, &at, &b);) {
        assert_true(state_find(found, PARTITION, b.employee_id, &a));
        assert_true(span_equal(a.row, b.row) && a.source_offset == b.source_offset);
        assert_true(a.occurred_at_ms == b.occurred_at_ms && a.left == b.left && a.scored == b.scored);
        assert_true(a.label == b.label && a.alerted == b.alerted && a.margin == b.margin);
        if (b.scored) {
            const struct state_model *one = state_model_at(found, a.model), *other = state_model_at(wanted, b.model);
            assert_true(span_equal(one->name, other->name) && span_equal(one->version, other->version));
            assert_true(one->threshold == other->threshold);
        }
    }
}

/* --- the file --- */

static void write_file(const struct state *state, struct buffer *out)
{
    const struct snapshot_about whose = about();
    const struct snapshot_point point = {123, state_origin(state, PARTITION)};
    snapshot_file_begin(&whose, &point, out);
    for (size_t at = 0; state_copy(state, PARTITION, &at, 100, out);)
        ;
    state_copy_replaced(state, PARTITION, out);
    snapshot_file_end(state, out);
    snapshot_file_seal(out);
}

static void what_is_written_is_read_back(void **unused)
{
    struct state *state = state_of(500), *found;
    struct buffer bytes = {0};
    struct snapshot_point point;
    struct error err;
    const struct snapshot_about whose = about();
    (void)unused;
    write_file(state, &bytes);
    assert_int_equal(read_file(buffer_span(&bytes), &whose, &found, &point, &err), STATUS_OK);
    assert_same(found, state);
    assert_true(point.written_us == 123 && point.origin.offset == 1000 && point.origin.begun_us == 77);
    state_free(found);
    state_free(state);
    buffer_free(&bytes);
}

static void a_flipped_bit_or_a_missing_byte_is_found(void **unused)
{
    struct state *state = state_of(12);
    struct buffer bytes = {0};
    struct snapshot_point point;
    struct error err;
    const struct snapshot_about whose = about();
    (void)unused;
    write_file(state, &bytes);
    for (size_t at = 0; at < bytes.bytes; at++) {
        bytes.data[at] = (char)(bytes.data[at] ^ 1 << at % 8);
        assert_int_not_equal(read_file(buffer_span(&bytes), &whose, NULL, &point, &err), STATUS_OK);
        bytes.data[at] = (char)(bytes.data[at] ^ 1 << at % 8);
        assert_int_not_equal(read_file((struct span){bytes.data, at}, &whose, NULL, &point, &err), STATUS_OK);
    }
    buffer_add_u8(&bytes, 0);
    assert_int_not_equal(read_file(buffer_span(&bytes), &whose, NULL, &point, &err), STATUS_OK);
    assert_non_null(strstr(err.text, "cut short, or has grown"));
    bytes.bytes--;
    assert_int_equal(read_file(buffer_span(&bytes), &whose, NULL, &point, &err), STATUS_OK);
    state_free(state);
    buffer_free(&bytes);
}

static void what_is_of_others_is_refused(void **unused)
{
    struct state *state = state_of(12);
    struct buffer bytes = {0};
    struct snapshot_point point;
    struct error err;
    struct snapshot_about others[8];
    const char *const words[] = {"cluster",   "state topic",          "group",        "input topic",
                                 "partition", "number of partitions", "event schema", "prediction schema"};
    struct schema columns = {.target_values = schema->target_values, .target_count = schema->target_count};
    (void)unused;
    write_file(state, &bytes);
    for (size_t i = 0; i < 8; i++)
        others[i] = about();
    others[0].cluster = "a recreated one";
    others[1].state_topic = others[2].group = others[3].input_topic = "other";
    others[4].partition = 1;
    others[5].partitions = 8;
    others[6].schema = &columns;
    columns.digest[0] = 'x';
    struct schema labels = *schema;
    labels.target_count--;
    others[7].schema = &labels;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(read_file(buffer_span(&bytes), &others[i], NULL, &point, &err), STATUS_CONFLICT);
        assert_non_null(strstr(err.text, words[i]));
    }
    state_free(state);
    buffer_free(&bytes);
}

/* A file that is sealed and holds nonsense, as only a fault of ours or an intruder makes it. */
static void a_sealed_file_is_not_trusted_either(void **unused)
{
    struct state *state = state_of(12), *found;
    struct buffer bytes = {0};
    struct snapshot_point point;
    struct error err;
    const struct snapshot_about whose = about();
    size_t refused = 0;
    (void)unused;
    write_file(state, &bytes);
    for (size_t at = 32; at < bytes.bytes; at++) {
        char kept = bytes.data[at];
        bytes.data[at] = (char)(kept + 1 + (char)random_below(255));
        snapshot_file_seal(&bytes);
        if (read_file(buffer_span(&bytes), &whose, &found, &point, &err) == STATUS_OK)
            state_free(found);
        else
            refused++;
        bytes.data[at] = kept;
    }
    assert_true(refused > 100);
    state_free(state);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_flipped_bit_or_a_missing_byte_is_found),
        cmocka_unit_test(what_is_of_others_is_refused),
        cmocka_unit_test(a_sealed_file_is_not_trusted_either),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
