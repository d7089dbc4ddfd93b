/* scorer/state/snapshots.c: a copy that is made while works go on, with what the topic has after it, is what is
 * committed; and what becomes of files. */
#include "tests/unit/scorer/snapshot_lab.h"

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
    struct state *found = NULL, *whole = state_new();
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
    assert_int_equal(file_make_private(f->directory, true, &err), STATUS_OK);
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
    snapshots_stop(f.snapshots, false);
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
    snapshots_set_topic(f.snapshots, "cluster", 4, 20 * 60 * 1000); /* kept for 20 minutes */
    later_us += 10 * 60 * INT64_C(1000000);
    assert_false(snapshots_load(f.snapshots, PARTITION, state_open(state, PARTITION), &point));
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_DISCARDED), 1);
    write_again(&f);
    renew(&f, state_of(100));
    for (int64_t kept_ms = -1; kept_ms < 2000; kept_ms += 1001) { /* not known, or for less than writing takes */
        snapshots_set_topic(f.snapshots, "cluster", 4, kept_ms);
        snapshots_write_all(f.snapshots);
        assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 2); /* not now */
    }
    tear_down(&f);
}

static void leave(struct fixture *f, bool lost, int seconds)
{
    snapshots_start(f->snapshots);
    snapshots_stop(f->snapshots, lost);
    later_us += seconds * INT64_C(1000000);
    snapshots_write_all(f->snapshots);
}

/* Its null values would be missing from a file that looks new. */
static void what_another_may_have_changed_is_not_written(void **unused)
{
    struct fixture f;
    (void)unused;
    set_up(&f);
    renew(&f, state_of(100));
    leave(&f, true, 0);
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 0);
    leave(&f, false, SNAPSHOTS_LEASE_S);
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 0);
    leave(&f, false, 1);
    assert_int_equal(count(&f, COUNTER_SNAPSHOTS_WRITTEN), 1);
    find_file(&f);
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
    assert_int_equal(file_make_private(inner, true, &err), STATUS_OK);
    assert_int_equal(file_make_private(inner, true, &err), STATUS_OK);
    assert_int_equal(symlink(inner, link), 0);
    snprintf(text, sizeof text, "%s/", link);
    assert_int_equal(file_make_private(text, true, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "symbolic link"));
    assert_int_equal(chmod(inner, 0750), 0);
    assert_int_equal(file_make_private(inner, true, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "chmod 700"));
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(file_make_private("/nowhere/at/all", true, &err), STATUS_NOT_FOUND);
    assert_int_equal(unlink(link) + rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_and_what_follows_in_the_topic_are_what_is_committed),
        cmocka_unit_test(a_file_is_written_for_its_owner_and_read_again),
        cmocka_unit_test(turns_write_it_too),
        cmocka_unit_test(changes_are_written_in_time_and_erasures_at_once),
        cmocka_unit_test(an_erased_employee_s_file_goes_where_none_can_be_written),
        cmocka_unit_test(files_that_nobody_answers_for_are_removed),
        cmocka_unit_test(another_s_file_in_its_place_is_replaced),
        cmocka_unit_test(what_is_doubtful_is_gone),
        cmocka_unit_test(an_old_one_is_not_used),
        cmocka_unit_test(what_another_may_have_changed_is_not_written),
        cmocka_unit_test(a_directory_is_for_its_owner_alone),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
