/* scorer/state: packed rows, the table and the undo log against a model that is written plainly. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/schema.h"
#include "scorer/state/state.h"
#include "scorer/state/state_row.h"

enum { COLUMNS_MAX = 64, PEOPLE = 400, PARTITIONS = 3, STEPS = 60000, LONGEST_ROW = 90 };

static uint64_t seed = 1;

static uint64_t random_below(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

/* --- rows --- */

static struct cell random_cell(const struct column *column)
{
    if (random_below(4) == 0)
        return cell_missing(column);
    if (column->kind != COLUMN_NOMINAL)
        return cell_number((double)random_below(4) < 1 ? -2147483648.0 : (double)random_below(2147483648u));
    if (random_below(8) == 0)
        return (struct cell){.text = "no category", .text_bytes = 11, .code = CELL_OTHER};
    size_t v = random_below(column->value_count);
    return (struct cell){
        .text = column->values[v].data, .text_bytes = (uint32_t)column->values[v].bytes, .code = (int32_t)v};
}

static void assert_same_cell(const struct column *column, const struct cell *a, const struct cell *b)
{
    assert_int_equal(a->code, b->code);
    if (a->code == CELL_MISSING)
        return;
    if (column->kind == COLUMN_NOMINAL)
        assert_true(span_equal((struct span){a->text, a->text_bytes}, (struct span){b->text, b->text_bytes}));
    else
        assert_true(a->number == b->number);
}

static void rows_come_back_as_they_were(void **state)
{
    struct schema *schema;
    struct error err;
    struct cell cells[COLUMNS_MAX], back[COLUMNS_MAX];
    char packed[2048];
    (void)state;
    assert_int_equal(schema_load("schemas", &schema, &err), STATUS_OK);
    for (size_t n = 0; n < 2000; n++) {
        for (size_t c = 0; c < schema->column_count; c++)
            cells[c] = random_cell(&schema->columns[c]);
        assert_true(state_row_bound(schema, cells) <= sizeof packed);
        size_t bytes = state_row_pack(schema, cells, packed);
        assert_true(bytes <= state_row_bound(schema, cells));
        state_row_unpack(schema, packed, back);
        for (size_t c = 0; c < schema->column_count; c++)
            assert_same_cell(&schema->columns[c], &cells[c], &back[c]);
    }
    schema_free(schema);
}

/* --- the state against a model of it --- */

/* What is known of one employee of one partition. Plain. */
struct known {
    bool there;
    int64_t occurred_at_ms;
    size_t row_bytes;
    char row_byte;
    bool scored;
    double margin;
};
struct model {
    struct known people[PARTITIONS][PEOPLE];
};

static struct span id_of(size_t who, char text[static 64])
{
    int bytes = snprintf(text, 64, who % 7 ? "%zu" : "employee-with-a-longer-name-%zu", who);
    return (struct span){text, (size_t)bytes};
}

static void put_random(struct state *state, struct model *model, int32_t partition, size_t who)
{
    char text[64], row[LONGEST_ROW];
    struct known known = {.there = true,
                          .occurred_at_ms = (int64_t)random_below(1u << 30),
                          .row_bytes = random_below(LONGEST_ROW),
                          .row_byte = (char)random_below(256),
                          .scored = random_below(2),
                          .margin = (double)random_below(1000)};
    memset(row, known.row_byte, sizeof row);
    const struct state_record record = {.employee_id = id_of(who, text),
                                        .occurred_at_ms = known.occurred_at_ms,
                                        .scored = known.scored,
                                        .margin = known.margin,
                                        .row = {row, known.row_bytes}};
    state_put(state, partition, &record);
    model->people[partition][who] = known;
}

static void remove_random(struct state *state, struct model *model, int32_t partition, size_t who)
{
    char text[64];
    assert_int_equal(state_remove(state, partition, id_of(who, text)), model->people[partition][who].there);
    model->people[partition][who].there = false;
}

static void assert_known(const struct state *state, const struct known *known, int32_t partition, size_t who)
{
    char text[64], row[LONGEST_ROW];
    struct state_record record;
    assert_int_equal(state_find(state, partition, id_of(who, text), &record), known->there);
    if (!known->there)
        return;
    memset(row, known->row_byte, sizeof row);
    assert_true(span_equal(record.employee_id, id_of(who, text)));
    assert_int_equal(record.occurred_at_ms, known->occurred_at_ms);
    assert_true(span_equal(record.row, (struct span){row, known->row_bytes}));
    assert_int_equal(record.scored, known->scored);
    assert_true(record.margin == known->margin);
    assert_false(record.left || record.alerted);
}

static void assert_model(const struct state *state, const struct model *model)
{
    size_t count = 0;
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (size_t who = 0; who < PEOPLE; who++) {
            assert_known(state, &model->people[p][who], p, who);
            count += model->people[p][who].there;
        }
    assert_int_equal(state_count(state), count);
}

/* Works begin, are committed or rolled back, with the next one open meanwhile, as in a score loop. */
static void works_are_committed_or_never_were(void **unused)
{
    struct state *state = state_new();
    struct model *now = mem_zeroed(1, sizeof *now), *marked = mem_zeroed(1, sizeof *marked),
                 *committed = mem_zeroed(1, sizeof *committed);
    bool commits = false;
    (void)unused;
    for (int32_t p = 0; p < PARTITIONS; p++)
        (void)state_open(state, p);
    for (size_t step = 0; step < STEPS; step++) {
        int32_t partition = (int32_t)random_below(PARTITIONS);
        uint64_t what = random_below(1000);
        if (what < 2) {
            state_roll_back(state);
            *now = *committed;
            commits = false;
            assert_model(state, now);
        } else if (what < 12 && commits) {
            state_committed(state);
            *committed = *marked;
            commits = false;
        } else if (what < 12) {
            state_mark(state);
            *marked = *now;
            commits = true;
        } else if (what < 300) {
            remove_random(state, now, partition, random_below(PEOPLE));
        } else {
            put_random(state, now, partition, random_below(PEOPLE));
        }
        if (step % 1000 == 0)
            assert_model(state, now);
    }
    assert_model(state, now);
    state_free(state);
    free(now);
    free(marked);
    free(committed);
}

static size_t put_at(struct state *state, int64_t offset)
{
    const struct state_record record = {
        .employee_id = SPAN_LITERAL("a longer id: 7"), .source_offset = offset, .row = SPAN_LITERAL("row")};
    state_put(state, 1, &record);
    return state_last_change(state);
}

static void set_score_at(struct state *state, size_t change, int64_t offset, double margin)
{
    const struct state_record scored = {.employee_id = SPAN_LITERAL("a longer id: 7"),
                                        .source_offset = offset,
                                        .scored = true,
                                        .alerted = true,
                                        .alerted_label = 1,
                                        .margin = margin};
    state_set_score(state, 1, change, &scored);
}

/* Events of one employee in one batch: all are merged before the first one is scored. */
static void a_score_belongs_to_its_own_record(void **unused)
{
    struct state *state = state_new();
    struct state_record record;
    size_t changes[3];
    (void)unused;
    (void)state_open(state, 1);
    for (int64_t n = 0; n < 3; n++)
        changes[n] = put_at(state, n);
    assert_false(state_replaced(state, changes[0], &record));
    assert_true(state_replaced(state, changes[1], &record) && !record.scored && record.source_offset == 0);
    for (int64_t n = 0; n < 2; n++)
        set_score_at(state, changes[n], n, 10 + (double)n);
    for (int64_t n = 1; n < 3; n++) {
        assert_true(state_replaced(state, changes[n], &record) && record.scored && record.alerted);
        assert_true(record.margin == 10 + (double)(n - 1) && record.alerted_label == 1);
        assert_true(span_equal(record.row, SPAN_LITERAL("row")));
    }
    assert_true(state_find(state, 1, SPAN_LITERAL("a longer id: 7"), &record) && !record.scored);
    set_score_at(state, changes[2], 2, 12);
    assert_true(state_find(state, 1, SPAN_LITERAL("a longer id: 7"), &record) && record.margin == 12);
    assert_true(state_remove(state, 1, SPAN_LITERAL("a longer id: 7")));
    set_score_at(state, changes[2], 2, 13);
    assert_true(state_replaced(state, state_last_change(state), &record) && record.margin == 13);
    state_roll_back(state);
    assert_int_equal(state_count(state), 0);
    state_free(state);
}

/* Each the beginning of the next, or alike but for one byte. */
static void ids_differ_by_any_byte(void **state)
{
    enum { LONGEST = 20 };
    struct state_table *table = state_table_new();
    struct state_record found;
    char id[LONGEST];
    (void)state;
    memset(id, 'a', sizeof id);
    for (size_t bytes = 1; bytes <= LONGEST; bytes++)
        for (size_t place = 0; place <= bytes; place++) { /* the last round changes nothing */
            if (place < bytes)
                id[place] = 'b';
            const struct state_record record = {
                .employee_id = {id, bytes}, .source_offset = (int64_t)(100 * bytes + place), .row = SPAN_LITERAL("r")};
            state_table_put(table, &record);
            assert_true(state_table_find(table, record.employee_id, &found));
            assert_int_equal(found.source_offset, record.source_offset);
            memset(id, 'a', sizeof id);
        }
    assert_int_equal(state_table_count(table), LONGEST * (LONGEST + 3) / 2);
    for (size_t bytes = 1; bytes <= LONGEST; bytes++) {
        assert_true(state_table_find(table, (struct span){id, bytes}, &found));
        assert_int_equal(found.source_offset, (int64_t)(101 * bytes));
        assert_true(state_table_remove(table, (struct span){id, bytes}));
        assert_false(state_table_find(table, (struct span){id, bytes}, &found));
    }
    state_table_free(table);
}

/* --- memory --- */

static size_t fill(struct state_table *table, size_t count, size_t row_bytes)
{
    char text[64], row[256] = {0};
    for (size_t who = 0; who < count; who++) {
        const struct state_record record = {
            .employee_id = {text, (size_t)snprintf(text, sizeof text, "%zu", 100000 + who)}, .row = {row, row_bytes}};
        state_table_put(table, &record);
    }
    return state_table_bytes(table);
}

/* 60 bytes: a row of the shipped schema with every value. Whatever the number, where arena and slots have just grown.
 */
static void an_employee_takes_at_most_250_bytes(void **state)
{
    (void)state;
    for (size_t count = 10000; count < 200000; count += count / 7) {
        struct state_table *table = state_table_new();
        size_t bytes = fill(table, count, 60);
        assert_int_equal(state_table_count(table), count);
        assert_true(bytes / count <= 250);
        state_table_free(table);
    }
}

/* Records that grow leave dead blocks, which are used again. */
static void growing_records_do_not_fill_the_memory(void **state)
{
    struct state_table *table = state_table_new();
    size_t bytes = 0;
    (void)state;
    for (size_t round = 0; round < 40; round++) {
        bytes = fill(table, 5000, round % 2 ? 100 : 40);
        for (size_t who = 0; who < 5000; who += 2) {
            char text[64];
            const struct span id = {text, (size_t)snprintf(text, sizeof text, "%zu", 100000 + who)};
            assert_true(state_table_remove(table, id));
        }
        assert_int_equal(state_table_count(table), 2500);
    }
    assert_true(bytes < (size_t)5000 * 300);
    state_table_free(table);
}

static void put_new(struct state *state, size_t who)
{
    char id[16];
    state_put(state, 0,
              &(const struct state_record){.employee_id = {id, (size_t)snprintf(id, sizeof id, "%zu", 100000 + who)},
                                           .row = {id, 6}});
}

/* What has been said to fit keeps the limit; what has gone makes room. */
static void records_stay_under_the_limit(void **unused)
{
    struct state *state = state_new();
    size_t most = 500000, count = 0;
    (void)unused;
    state_open(state, 0);
    state_limit_bytes(state, most);
    for (; state_fits(state, 0, 6, 6); count++) {
        put_new(state, count);
        state_mark(state);
        state_committed(state);
        assert_true(state_bytes(state) <= most);
        assert_false(state_is_full(state));
    }
    assert_true(count > most / 250 && state_count(state) == count);
    assert_true(state_is_full(state));
    assert_true(state_remove(state, 0, SPAN_LITERAL("100000")));
    assert_false(state_is_full(state));
    state_limit_bytes(state, 0);
    assert_true(state_fits(state, 0, 6, 6));
    state_free(state);
}

static void models_have_numbers(void **unused)
{
    struct state *state = state_new();
    const struct state_model a = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), 0.5},
                             b = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), 0.4};
    (void)unused;
    uint16_t first = state_model_number(state, &a), second = state_model_number(state, &b);
    assert_int_not_equal(first, second);
    assert_int_equal(state_model_number(state, &a), first);
    assert_true(state_model_at(state, second)->threshold == 0.4);
    state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_were),         cmocka_unit_test(works_are_committed_or_never_were),
        cmocka_unit_test(a_score_belongs_to_its_own_record),   cmocka_unit_test(ids_differ_by_any_byte),
        cmocka_unit_test(an_employee_takes_at_most_250_bytes), cmocka_unit_test(growing_records_do_not_fill_the_memory),
        cmocka_unit_test(records_stay_under_the_limit),        cmocka_unit_test(models_have_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
