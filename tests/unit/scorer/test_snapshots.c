/* scorer/state/snapshot_file.c, snapshots.c: what is written is read back and nothing else is; a copy that is made
 * while works go on, with what the topic has after it, is what is committed. */
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "events/schema.h"
#include "scorer/state/snapshots.h"
#include "scorer/state/state_row.h"
#include "tests/support/wait.h"

enum { COLUMNS_MAX = 64, ROW_BYTES = 2048, PARTITION = 2, TOMBSTONES_MS = 86400000 };

static uint64_t seed = 1;

static uint64_t random_below(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static struct schema *schema;

static int load(void **unused)
{
    struct error err;
    (void)unused;
    return schema_load("schemas", &schema, &err) != STATUS_OK;
}

static int unload(void **unused)
{
    (void)unused;
    schema_free(schema);
    return 0;
}

static struct snapshot_about about(void)
{
    return (struct snapshot_about){"cluster", "state", "group", "in", PARTITION, 4, schema};
}

/* --- records --- */

static struct span id_of(size_t who, char text[static 32])
{
    return (struct span){text, (size_t)snprintf(text, 32, "employee-%zu", who)};
}

/* Rows are of different sizes, so that records move; the margin shows which one it is. */
static void put(struct state *state, size_t who, int64_t source_offset, double margin)
{
    char text[32], row[ROW_BYTES];
    struct cell cells[COLUMNS_MAX];
    const struct state_model model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), 0.25};
    size_t values = random_below(schema->column_count);
    for (size_t c = 0; c < schema->column_count; c++)
        cells[c] = c < values ? schema->columns[c].kind == COLUMN_NOMINAL
                                    ? (struct cell){.text = "no category", .text_bytes = 11, .code = CELL_OTHER}
                                    : cell_number((double)random_below(100000))
                              : cell_missing(&schema->columns[c]);
    const struct state_record record = {.employee_id = id_of(who, text),
                                        .source_offset = source_offset,
                                        .occurred_at_ms = 1700000000000 + source_offset,
                                        .scored = true,
                                        .alerted = who % 2,
                                        .label = 1,
                                        .model = state_model_number(state, &model),
                                        .probability = 0.5,
                                        .margin = margin,
                                        .row = {row, state_row_pack(schema, cells, row)}};
    state_put(state, PARTITION, &record);
}

static void put_marker(struct state *state, size_t who, int64_t source_offset)
{
    char text[32];
    const struct state_record record = {
        .employee_id = id_of(who, text), .source_offset = source_offset, .left = true, .row = SPAN_LITERAL("")};
    state_put(state, PARTITION, &record);
}

static void commit(struct state *state, int64_t position, int64_t origin)
{
    state_mark(state);
    state_committed(state);
    state_set_position(state, PARTITION, position);
    state_set_origin(state, PARTITION, (struct state_origin){origin, 77});
}

static struct state *state_of(size_t people)
{
    const struct state_model first = {SPAN_LITERAL("another"), SPAN_LITERAL("1"), 0.5};
    struct state *state = state_new();
    (void)state_open(state, PARTITION);
    (void)state_model_number(state, &first);
    for (size_t who = 0; who < people; who++)
        if (who % 5)
            put(state, who, (int64_t)who, (double)who);
        else
            put_marker(state, who, (int64_t)who);
    commit(state, (int64_t)people, 1000);
    return state;
}

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

/* Into a process that knows other models. */
static enum status read_file(struct span bytes, const struct snapshot_about *whose, struct state **out,
                             struct snapshot_point *point, struct error *err)
{
    const struct state_model own = {SPAN_LITERAL("its own"), SPAN_LITERAL("9"), 0.1};
    struct state *state = state_new();
    (void)state_model_number(state, &own);
    enum status status = snapshot_file_read(bytes, whose, state, state_open(state, PARTITION), point, err);
    if (status == STATUS_OK && out)
        *out = state;
    else
        state_free(state);
    return status;
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

/* --- copies while works go on --- */

enum { PEOPLE = 300, ROUNDS = 400, CHANGES = 60 };

/* What lies in the state topic: what each commit has left of an employee, and where its position lies. */
struct topic {
    struct entry {
        size_t who; /* PEOPLE: a position */
        bool removed;
        int64_t source_offset;
        double margin;
    } entries[ROUNDS * (CHANGES + 2)];
    size_t count, staged, staged_before; /* staged: of works that are not committed, the earlier one first */
};

static void change(struct state *state, struct topic *topic, int64_t *next)
{
    char text[32];
    size_t who = random_below(PEOPLE);
    bool removes = random_below(6) == 0;
    double margin = (double)random_below(1u << 30);
    if (removes && !state_remove(state, PARTITION, id_of(who, text)))
        return;
    if (!removes)
        put(state, who, *next, margin);
    topic->entries[topic->count + topic->staged++] = (struct entry){who, removes, (*next)++, margin};
}

/* Applies the topic from `origin` on, as restoring does; a row is not compared then. */
static void replay(struct state *state, const struct topic *topic, size_t origin)
{
    char text[32];
    for (size_t at = origin; at < topic->count; at++) {
        const struct entry *entry = &topic->entries[at];
        if (entry->who == PEOPLE)
            continue;
        if (entry->removed)
            (void)state_remove(state, PARTITION, id_of(entry->who, text));
        else
            put(state, entry->who, entry->source_offset, entry->margin);
    }
}

static void assert_same_margins(const struct state *found, const struct state *wanted)
{
    struct state_record a, b;
    assert_int_equal(state_count(found), state_count(wanted));
    for (size_t at = 0; state_next(wanted, PARTITION, &at, &b);)
        assert_true(state_find(found, PARTITION, b.employee_id, &a) && a.margin == b.margin &&
                    a.source_offset == b.source_offset);
}

struct making {
    bool runs;
    size_t at;
    uint64_t generation;
    struct buffer bytes;
};

static void begin_making(struct making *making, const struct state *state)
{
    const struct snapshot_about whose = about();
    const struct snapshot_point point = {123, state_origin(state, PARTITION)};
    *making = (struct making){.runs = true, .generation = state_generation(state, PARTITION), .bytes = making->bytes};
    buffer_clear(&making->bytes);
    snapshot_file_begin(&whose, &point, &making->bytes);
}

/* The file, and the topic after it: what is committed, as the topic read from its beginning has it. */
static void check_made(struct making *making, const struct state *state, const struct topic *topic)
{
    const struct snapshot_about whose = about();
    struct snapshot_point point;
    struct state_record record;
    struct state *found, *whole = state_new();
    struct error err;
    state_copy_replaced(state, PARTITION, &making->bytes);
    snapshot_file_end(state, &making->bytes);
    snapshot_file_seal(&making->bytes);
    making->runs = false;
    assert_int_equal(read_file(buffer_span(&making->bytes), &whose, &found, &point, &err), STATUS_OK);
    for (size_t at = 0; state_next(found, PARTITION, &at, &record);)
        assert_true(record.source_offset < state_position(state, PARTITION)); /* nothing of the open work */
    (void)state_open(whole, PARTITION);
    replay(whole, topic, 0);
    replay(found, topic, (size_t)point.origin.offset);
    assert_same_margins(found, whole);
    state_free(found);
    state_free(whole);
}

/* One turn of a score loop: some changes, perhaps a commit that begins, is done, or fails. */
static bool work(struct state *state, struct topic *topic, int64_t *next, int64_t *marked, int64_t *committed)
{
    for (uint64_t n = random_below(CHANGES); n; n--)
        change(state, topic, next);
    if (*marked >= 0 && random_below(20) == 0) {
        state_roll_back(state);
        *next = *committed;
        *marked = -1;
        topic->staged = topic->staged_before = 0;
        return false;
    }
    if (*marked >= 0 && random_below(3)) {
        struct entry *entries = &topic->entries[topic->count];
        size_t before = topic->staged_before, rest = topic->staged - before;
        state_committed(state);
        memmove(&entries[before + 1], &entries[before], rest * sizeof *entries);
        entries[before] = (struct entry){.who = PEOPLE};
        topic->count += before + 1;
        topic->staged = rest;
        *committed = *marked;
        *marked = -1;
        state_set_position(state, PARTITION, *committed);
        state_set_origin(state, PARTITION, (struct state_origin){(int64_t)topic->count - 1, 77});
    }
    if (*marked < 0) {
        state_mark(state);
        *marked = *next;
        topic->staged_before = topic->staged;
    }
    return true;
}

static void a_copy_and_what_follows_in_the_topic_are_what_is_committed(void **unused)
{
    struct topic *topic = mem_zeroed(1, sizeof *topic);
    struct state *state = state_new();
    struct making making = {0};
    int64_t next = 0, marked = -1, committed = 0;
    size_t made = 0, dropped = 0;
    (void)unused;
    (void)state_open(state, PARTITION);
    state_set_position(state, PARTITION, 0);
    state_set_origin(state, PARTITION, (struct state_origin){0, 77});
    for (size_t round = 0; round < ROUNDS; round++) {
        (void)work(state, topic, &next, &marked, &committed);
        if (!making.runs)
            begin_making(&making, state);
        else if (making.generation != state_generation(state, PARTITION))
            making.runs = (dropped++, false);
        else if (!state_copy(state, PARTITION, &making.at, 10000, &making.bytes))
            check_made(&making, state, topic), made++;
    }
    assert_true(made > 20 && dropped > 5);
    buffer_free(&making.bytes);
    state_free(state);
    free(topic);
}

/* --- the directory --- */

static int64_t later_us; /* added to what the clocks show */

static int64_t real_us(void *context)
{
    (void)context;
    return clock_real_us(&clock_system) + later_us;
}

static int64_t steady_us(void *context)
{
    (void)context;
    return clock_steady_us(&clock_system) + later_us;
}

static const struct clock_source shifted = {real_us, steady_us, NULL};

struct fixture {
    char directory[64], file[128];
    struct settings settings;
    struct counters counters;
    struct state *state;
    struct snapshots *snapshots;
};

static void renew(struct fixture *f, struct state *state)
{
    struct error err;
    snapshots_free(f->snapshots);
    state_free(f->state);
    f->state = state;
    assert_int_equal(snapshots_new(&f->settings, f->state, &f->counters, &shifted, &f->snapshots, &err), STATUS_OK);
    snapshots_set_topic(f->snapshots, "cluster", 4, TOMBSTONES_MS);
}

static void set_up(struct fixture *f)
{
    struct error err;
    later_us = 0;
    *f = (struct fixture){.directory = "/tmp/test_snapshots.XXXXXX"};
    assert_non_null(mkdtemp(f->directory));
    f->settings = (struct settings){.schema = schema,
                                    .group_id = "group",
                                    .input_topic = "in",
                                    .state_topic = "state",
                                    .snapshot_dir = f->directory};
    assert_int_equal(file_make_private(f->directory, &err), STATUS_OK);
    renew(f, state_of(100));
}

static void tear_down(struct fixture *f)
{
    snapshots_free(f->snapshots);
    state_free(f->state);
    (void)unlink(f->file);
    assert_int_equal(rmdir(f->directory), 0); /* nothing else was left in it */
}

static uint64_t count(const struct fixture *f, enum counter_id id)
{
    return counter_get(&f->counters, id);
}

/* The one file that is there. */
static void find_file(struct fixture *f)
{
    char command[128];
    snprintf(command, sizeof command, "ls -d %s/*", f->directory);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    assert_non_null(fgets(f->file, sizeof f->file, list));
    assert_null(fgets(command, sizeof command, list));
    assert_int_equal(pclose(list), 0);
    f->file[strcspn(f->file, "\n")] = '\0';
}

static bool load_again(struct fixture *f, struct snapshot_point *point)
{
    struct state *state = state_new();
    renew(f, state);
    return snapshots_load(f->snapshots, PARTITION, state_open(state, PARTITION), point);
}

static void a_file_is_written_for_its_owner_and_read_again(void **unused)
{
    struct fixture f;
    struct snapshot_point point;
    struct stat found;
    (void)unused;
    set_up(&f);
    int64_t before_us = clock_real_us(&clock_system);
    snapshots_write_all(f.snapshots);
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 1);
    snapshots_write_all(f.snapshots); /* nothing has changed */
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 1);
    find_file(&f);
    assert_int_equal(stat(f.file, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    assert_true(load_again(&f, &point));
    assert_int_equal(state_count(f.state), 100);
    assert_true(point.origin.offset == 1000 && point.written_us >= before_us);
    tear_down(&f);
}

static void turns_write_it_too(void **unused)
{
    struct fixture f;
    (void)unused;
    set_up(&f);
    assert_false(snapshots_turn(f.snapshots)); /* the partitions are not ours yet */
    snapshots_start(f.snapshots);
    WAIT_UNTIL(!snapshots_turn(f.snapshots), "it is never done");
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 1);
    snapshots_stop(f.snapshots);
    find_file(&f);
    tear_down(&f);
}

/* Whatever is due after so many seconds more. */
static void pass(struct fixture *f, int seconds)
{
    later_us += seconds * INT64_C(1000000);
    snapshots_turn(f->snapshots);
    WAIT_UNTIL(!snapshots_turn(f->snapshots), "it is never done");
}

static bool file_has(const struct fixture *f, const char *text)
{
    struct buffer bytes = {0};
    struct error err;
    assert_int_equal(file_read(f->file, 1 << 20, &bytes, &err), STATUS_OK);
    bool has = memmem(bytes.data, bytes.bytes, text, strlen(text)) != NULL;
    buffer_free(&bytes);
    return has;
}

static void begin_turns(struct fixture *f)
{
    snapshots_start(f->snapshots);
    pass(f, 0);
    find_file(f);
}

static void changes_are_written_in_time_and_erasures_at_once(void **unused)
{
    struct fixture f;
    (void)unused;
    set_up(&f);
    begin_turns(&f);
    put(f.state, 500, 100, 1);
    commit(f.state, 101, 1001);
    pass(&f, SNAPSHOTS_INTERVAL_S - SNAPSHOTS_LOOK_S);
    assert_false(file_has(&f, "employee-500"));
    pass(&f, SNAPSHOTS_LOOK_S + 1);
    assert_true(file_has(&f, "employee-500"));
    assert_true(state_remove(f.state, PARTITION, SPAN_LITERAL("employee-500")));
    pass(&f, SNAPSHOTS_LOOK_S);
    assert_true(file_has(&f, "employee-500")); /* that is not committed */
    commit(f.state, 102, 1004);
    pass(&f, SNAPSHOTS_LOOK_S);
    assert_false(file_has(&f, "employee-500"));
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 3);
    tear_down(&f);
}

/* Nobody is left in a file that cannot be written again. */
static void an_erased_employee_s_file_goes_where_none_can_be_written(void **unused)
{
    struct fixture f;
    (void)unused;
    set_up(&f);
    begin_turns(&f);
    assert_true(state_remove(f.state, PARTITION, SPAN_LITERAL("employee-50")));
    state_mark(f.state);
    state_committed(f.state);
    state_set_origin(f.state, PARTITION, (struct state_origin){-1, 77}); /* no place to go on from is known */
    pass(&f, SNAPSHOTS_LOOK_S);
    assert_true(file_has(&f, "employee-50"));
    pass(&f, SNAPSHOTS_LEASE_S - SNAPSHOTS_LOOK_S);
    assert_int_not_equal(access(f.file, F_OK), 0);
    tear_down(&f);
}

/* Of partitions that have gone to another host, and of killed scorers; the own one is said to be right. */
static void files_that_nobody_answers_for_are_removed(void **unused)
{
    struct fixture f;
    char gone[160], half[160], foreign[160];
    struct error err;
    (void)unused;
    set_up(&f);
    begin_turns(&f);
    char *number = strrchr(f.file, '-');
    snprintf(gone, sizeof gone, "%.*s-3.snapshot", (int)(number - f.file), f.file);
    snprintf(half, sizeof half, "%s.1.1.tmp", f.file);
    snprintf(foreign, sizeof foreign, "%s/something else", f.directory);
    assert_int_equal(file_write_private(gone, SPAN_LITERAL("x"), &err), STATUS_OK);
    assert_int_equal(file_write_private(half, SPAN_LITERAL("x"), &err), STATUS_OK);
    assert_int_equal(file_write_private(foreign, SPAN_LITERAL("x"), &err), STATUS_OK);
    const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    pass(&f, SNAPSHOTS_LOOK_S);
    assert_int_equal(access(gone, F_OK), 0); /* others may be reading it yet */
    pass(&f, SNAPSHOTS_LEASE_S);
    assert_int_not_equal(access(gone, F_OK), 0);
    assert_int_not_equal(access(half, F_OK), 0);
    assert_int_equal(access(f.file, F_OK) + access(foreign, F_OK) + unlink(foreign), 0);
    assert_int_equal(utimensat(AT_FDCWD, f.file, old, 0), 0);
    pass(&f, SNAPSHOTS_LOOK_S);
    assert_int_equal(access(f.file, F_OK), 0);
    tear_down(&f);
}

/* A scorer that had the partition before and has not noticed yet. */
static void another_s_file_in_its_place_is_replaced(void **unused)
{
    struct fixture f;
    struct error err;
    (void)unused;
    set_up(&f);
    begin_turns(&f);
    assert_int_equal(file_write_private(f.file, SPAN_LITERAL("theirs"), &err), STATUS_OK);
    pass(&f, SNAPSHOTS_LOOK_S);
    assert_false(file_has(&f, "theirs"));
    tear_down(&f);
}

static void assert_discarded(struct fixture *f)
{
    struct snapshot_point point;
    uint64_t before = count(f, COUNTER_SNAPSHOTS_DISCARDED);
    assert_false(load_again(f, &point));
    assert_int_equal(count(f, COUNTER_SNAPSHOTS_DISCARDED), before + 1);
    assert_int_not_equal(access(f->file, F_OK), 0);
}

static void write_again(struct fixture *f)
{
    renew(f, state_of(100));
    snapshots_write_all(f->snapshots);
    find_file(f);
}

static void what_is_doubtful_is_gone(void **unused)
{
    struct fixture f;
    struct snapshot_point point;
    struct error err;
    char elsewhere[128];
    (void)unused;
    set_up(&f);
    assert_false(load_again(&f, &point)); /* none: that is not worth a word */
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_DISCARDED), 0);
    write_again(&f);
    assert_int_equal(truncate(f.file, 100), 0);
    assert_discarded(&f);
    write_again(&f);
    assert_int_equal(chmod(f.file, 0666), 0);
    assert_discarded(&f);
    write_again(&f);
    snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", f.directory);
    assert_int_equal(rename(f.file, elsewhere) + symlink(elsewhere, f.file), 0);
    assert_discarded(&f);
    assert_int_equal(access(elsewhere, F_OK) + unlink(elsewhere), 0);
    assert_int_equal(file_write_private(f.file, SPAN_LITERAL(""), &err), STATUS_OK);
    assert_discarded(&f);
    tear_down(&f);
}

/* Null values may be gone from the topic by then, or nobody knows. */
static void an_old_one_is_not_used(void **unused)
{
    struct fixture f;
    struct snapshot_point point;
    (void)unused;
    set_up(&f);
    write_again(&f);
    struct state *state = state_new();
    renew(&f, state);
    snapshots_set_topic(f.snapshots, "cluster", 4, 1); /* kept for a millisecond */
    WAIT_UNTIL(!snapshots_load(f.snapshots, PARTITION, state_open(state, PARTITION), &point), "it is used");
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_DISCARDED), 1);
    write_again(&f);
    renew(&f, state_of(100));
    snapshots_set_topic(f.snapshots, "cluster", 4, -1);
    snapshots_write_all(f.snapshots);
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 2); /* not now */
    tear_down(&f);
}

static void a_directory_is_for_its_owner_alone(void **unused)
{
    char directory[] = "/tmp/test_snapshots.XXXXXX", inner[64], link[64], text[80];
    struct error err;
    (void)unused;
    assert_non_null(mkdtemp(directory));
    snprintf(inner, sizeof inner, "%s/inner", directory);
    snprintf(link, sizeof link, "%s/link", directory);
    assert_int_equal(file_make_private(inner, &err), STATUS_OK);
    assert_int_equal(file_make_private(inner, &err), STATUS_OK);
    assert_int_equal(symlink(inner, link), 0);
    snprintf(text, sizeof text, "%s/", link);
    assert_int_equal(file_make_private(text, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "symbolic link"));
    assert_int_equal(chmod(inner, 0750), 0);
    assert_int_equal(file_make_private(inner, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "chmod 700"));
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(file_make_private("/nowhere/at/all", &err), STATUS_NOT_FOUND);
    assert_int_equal(unlink(link) + rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_flipped_bit_or_a_missing_byte_is_found),
        cmocka_unit_test(what_is_of_others_is_refused),
        cmocka_unit_test(a_sealed_file_is_not_trusted_either),
        cmocka_unit_test(a_copy_and_what_follows_in_the_topic_are_what_is_committed),
        cmocka_unit_test(a_file_is_written_for_its_owner_and_read_again),
        cmocka_unit_test(turns_write_it_too),
        cmocka_unit_test(changes_are_written_in_time_and_erasures_at_once),
        cmocka_unit_test(an_erased_employee_s_file_goes_where_none_can_be_written),
        cmocka_unit_test(files_that_nobody_answers_for_are_removed),
        cmocka_unit_test(another_s_file_in_its_place_is_replaced),
        cmocka_unit_test(what_is_doubtful_is_gone),
        cmocka_unit_test(an_old_one_is_not_used),
        cmocka_unit_test(a_directory_is_for_its_owner_alone),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
