/* When snapshots are written, used and removed: see snapshots.h. Must never block the loop: records are copied a slice
 * at a time, while events go on changing them.
 *
 * A copy need not be of one moment. Whoever reads it begins in the state topic where the last committed position lay
 * when the copy was begun, and so reads every later change too; what must not be in it is a change that is not
 * committed, and what must not be missing is a record that nothing has changed (state.h). */
#include "scorer/state/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/background_call.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sha256.h"

#define SECOND_US INT64_C(1000000)
#define FUTURE_US (60 * SECOND_US)
#define BYTES_MOST ((size_t)1 << 40)

enum { SLICE_BYTES = 1 << 20, PREFIX_DIGITS = 16, NOBODY = -1, WRITE_ALL_S = 10 };

/* What is known of a partition's file. Plain data; zeroed: nothing, as of one that was never written. */
struct snapshot {
    bool written;
    ino_t inode;
    struct snapshot_point point;
    uint64_t removals;  /* what it has of them */
    int64_t overdue_us; /* steady clock: when it has to be without those who were removed since; 0: nobody was */
};

struct snapshots {
    const struct settings *settings;
    struct state *state;
    struct counters *counters;
    const struct clock_source *clock;
    struct background_call *background;
    char prefix[PREFIX_DIGITS + 1]; /* of the names of this group's files */
    char *cluster;                  /* NULL: there are no snapshots */
    int32_t partitions;             /* of the state topic */
    int64_t age_us;                 /* how old a snapshot may be */
    struct snapshot *files;         /* by partition */
    int32_t file_count;
    int32_t next;      /* the partition that is looked at first: each has its turn */
    int64_t left_us;   /* steady clock: when the partitions left; 0: they have not */
    bool lost;         /* they were another's already */
    bool active;       /* the partitions are ours, and complete */
    int64_t active_us; /* steady clock: since then */
    int64_t look_us;   /* steady clock: the next look */
    bool failing;      /* the last one could not be written, and it was logged */
    /* the one that is being made */
    int32_t partition; /* NOBODY: none is */
    bool writing;      /* it is copied */
    size_t at;
    uint64_t generation;
    struct snapshot made;
    struct buffer bytes, path;
    enum status result;
    struct error failure;
};

enum status snapshots_new(const struct settings *settings, struct state *state, struct counters *counters,
                          const struct clock_source *clock, struct snapshots **out, struct error *err)
{
    struct snapshots *snapshots = mem_zeroed(1, sizeof *snapshots);
    struct buffer name = {0};
    char digest[SHA256_HEX_BYTES];
    buffer_printf(&name, "%s\n%s\n%s", settings->group_id, settings->state_topic, settings->input_topic);
    sha256_hex(buffer_span(&name), digest);
    buffer_free(&name);
    snprintf(snapshots->prefix, sizeof snapshots->prefix, "%.*s", PREFIX_DIGITS, digest);
    snapshots->settings = settings;
    snapshots->state = state;
    snapshots->counters = counters;
    snapshots->clock = clock;
    snapshots->partition = NOBODY;
    if (file_make_private(settings->snapshot_dir, true, err) != STATUS_OK) {
        snapshots_free(snapshots);
        return error_prefix(err, "--state-snapshot-dir");
    }
    if (background_call_new(&snapshots->background, err) != STATUS_OK) {
        snapshots_free(snapshots);
        return err->status;
    }
    *out = snapshots;
    return STATUS_OK;
}

void snapshots_free(struct snapshots *snapshots)
{
    if (!snapshots)
        return;
    background_call_free(snapshots->background);
    buffer_free(&snapshots->bytes);
    buffer_free(&snapshots->path);
    free(snapshots->cluster);
    free(snapshots->files);
    free(snapshots);
}

static const char *path_of(struct snapshots *snapshots, int32_t partition)
{
    buffer_clear(&snapshots->path);
    buffer_printf(&snapshots->path, "%s/%s-%" PRId32 ".snapshot", snapshots->settings->snapshot_dir, snapshots->prefix,
                  partition);
    return snapshots->path.data;
}

static struct snapshot *file_of(struct snapshots *snapshots, int32_t partition)
{
    if (partition >= snapshots->file_count) {
        snapshots->files = mem_resize(snapshots->files, (size_t)partition + 1, sizeof *snapshots->files);
        for (; snapshots->file_count <= partition; snapshots->file_count++)
            snapshots->files[snapshots->file_count] = (struct snapshot){0};
    }
    return &snapshots->files[partition];
}

static struct snapshot_about about_of(const struct snapshots *snapshots, int32_t partition)
{
    const struct settings *settings = snapshots->settings;
    return (struct snapshot_about){
        .cluster = snapshots->cluster,
        .state_topic = settings->state_topic,
        .group = settings->group_id,
        .input_topic = settings->input_topic,
        .partition = partition,
        .partitions = snapshots->partitions,
        .schema = settings->schema,
    };
}

/* A person may be in it, so one that cannot be removed is said again and again. */
static void remove_file(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        log_error("score",
                  "cannot remove %s: %s; remove it by hand: it holds current records of employees, some of whom "
                  "may have been erased",
                  path, strerror(errno));
}

/* --- using them --- */

void snapshots_set_topic(struct snapshots *snapshots, const char *cluster, int32_t partitions, int64_t tombstones_ms)
{
    free(snapshots->cluster);
    snapshots->partitions = partitions;
    snapshots->age_us = tombstones_ms > INT64_MAX / 1000 ? INT64_MAX : tombstones_ms * 1000 / 2;
    bool lasts = snapshots->age_us >= 2 * SNAPSHOTS_INTERVAL_S * SECOND_US;
    if (tombstones_ms > 0 && !lasts)
        log_warn("score",
                 "snapshots of current records are neither used nor written: %s keeps null values for %" PRId64
                 " ms only; set its delete.retention.ms to a day",
                 snapshots->settings->state_topic, tombstones_ms);
    snapshots->cluster = lasts ? mem_text(cluster) : NULL;
}

void snapshots_discard(struct snapshots *snapshots, int32_t partition, const char *why)
{
    const char *path = path_of(snapshots, partition);
    log_warn("score", "snapshot %s of %s [%" PRId32 "] is discarded, and its records are read from the topic: %s", path,
             snapshots->settings->state_topic, partition, why);
    counter_add(snapshots->counters, COUNTER_SNAPSHOTS_DISCARDED, 1);
    *file_of(snapshots, partition) = (struct snapshot){0};
    remove_file(path);
}

/* Null values of who was erased since may be gone from the topic after delete.retention.ms. */
static enum status check_age(const struct snapshots *snapshots, const struct snapshot_point *point, struct error *err)
{
    int64_t age_us = clock_real_us(snapshots->clock) - point->written_us;
    if (age_us < -FUTURE_US)
        return error_set(err, STATUS_INVALID, "it is of the future: the clock was set back by %" PRId64 " s",
                         -age_us / SECOND_US);
    if (age_us >= snapshots->age_us)
        return error_set(err, STATUS_INVALID,
                         "it is %" PRId64 " s old, which is not less than half of the topic's delete.retention.ms",
                         age_us / SECOND_US);
    return STATUS_OK;
}

bool snapshots_load(struct snapshots *snapshots, int32_t partition, struct state_table *table,
                    struct snapshot_point *point)
{
    struct buffer bytes = {0};
    struct snapshot_point found;
    struct error err;
    const struct snapshot_about about = about_of(snapshots, partition);
    *file_of(snapshots, partition) = (struct snapshot){0};
    if (!snapshots->cluster)
        return false;
    const char *path = path_of(snapshots, partition);
    enum status status = file_read_private(snapshots->settings->snapshot_dir, path, BYTES_MOST, &bytes, &err);
    bool missing = status == STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = snapshot_file_read(buffer_span(&bytes), &about, snapshots->state, table, &found, &err);
    if (status == STATUS_OK)
        status = check_age(snapshots, &found, &err);
    buffer_free(&bytes);
    if (status == STATUS_OK)
        *point = found;
    else if (!missing)
        snapshots_discard(snapshots, partition, err.text);
    return status == STATUS_OK;
}

/* --- making one --- */

static void drop_copy(struct snapshots *snapshots)
{
    buffer_free(&snapshots->bytes);
    snapshots->partition = NOBODY;
}

static void begin_copy(struct snapshots *snapshots, int32_t partition)
{
    const struct snapshot_about about = about_of(snapshots, partition);
    snapshots->partition = partition;
    snapshots->at = 0;
    snapshots->generation = state_generation(snapshots->state, partition);
    snapshots->made = (struct snapshot){
        .point = {clock_real_us(snapshots->clock), state_origin(snapshots->state, partition)},
        .removals = state_removals(snapshots->state, partition),
    };
    snapshot_file_begin(&about, &snapshots->made.point, &snapshots->bytes);
}

/* False: there is more. */
static bool copy_some(struct snapshots *snapshots)
{
    if (state_copy(snapshots->state, snapshots->partition, &snapshots->at, SLICE_BYTES, &snapshots->bytes))
        return false;
    state_copy_replaced(snapshots->state, snapshots->partition, &snapshots->bytes);
    snapshot_file_end(snapshots->state, &snapshots->bytes);
    return true;
}

static void look_later(struct snapshots *snapshots)
{
    snapshots->look_us = clock_steady_us(snapshots->clock) + SNAPSHOTS_LOOK_S * SECOND_US;
}

static bool set_time(const struct snapshots *snapshots, const char *path)
{
    int64_t now_us = clock_real_us(snapshots->clock);
    const struct timespec now = {.tv_sec = now_us / SECOND_US, .tv_nsec = now_us % SECOND_US * 1000};
    return utimensat(AT_FDCWD, path, (const struct timespec[2]){now, now}, AT_SYMLINK_NOFOLLOW) == 0;
}

/* In the background. */
static void write_file(void *context)
{
    struct snapshots *snapshots = context;
    struct stat found;
    const char *path = path_of(snapshots, snapshots->partition);
    snapshot_file_seal(&snapshots->bytes);
    snapshots->result = file_write_private(path, buffer_span(&snapshots->bytes), &snapshots->failure);
    buffer_free(&snapshots->bytes); /* here, since it takes the loop's time too */
    if (snapshots->result != STATUS_OK)
        return;
    if (set_time(snapshots, path) && lstat(path, &found) == 0)
        snapshots->made.inode = found.st_ino;
    else
        snapshots->result = file_error(&snapshots->failure, errno, "set the time of", path);
}

static void finish_write(struct snapshots *snapshots)
{
    background_call_wait(snapshots->background);
    snapshots->writing = false;
    bool failed = snapshots->result != STATUS_OK;
    if (failed && !snapshots->failing)
        log_warn("score", "snapshots are not written, restarts read the state topic instead: %s",
                 snapshots->failure.text);
    counter_add(snapshots->counters, failed ? COUNTER_SNAPSHOTS_FAILED : COUNTER_SNAPSHOTS_WRITTEN, 1);
    snapshots->failing = failed;
    snapshots->made.written = !failed;
    if (!failed)
        *file_of(snapshots, snapshots->partition) = snapshots->made;
    else
        look_later(snapshots);
    drop_copy(snapshots);
}

/* What has come between its parts would leave records out. */
static void go_on(struct snapshots *snapshots)
{
    if (state_generation(snapshots->state, snapshots->partition) != snapshots->generation) {
        look_later(snapshots);
        drop_copy(snapshots);
        return;
    }
    if (!copy_some(snapshots))
        return;
    snapshots->writing = true;
    background_call_start(snapshots->background, write_file, snapshots);
}

/* --- which are due --- */

static bool can_be_written(const struct snapshots *snapshots, int32_t partition)
{
    if (!snapshots->cluster || !state_has(snapshots->state, partition))
        return false;
    struct state_origin origin = state_origin(snapshots->state, partition);
    return origin.offset >= 0 && origin.begun_us > 0;
}

static bool has_changed(const struct snapshots *snapshots, const struct snapshot *file, int32_t partition)
{
    return !file->written || state_origin(snapshots->state, partition).offset != file->point.origin.offset;
}

/* Says that ours is still right. Another's in its place may be older: a scorer wrote it that had the partition before.
 */
static bool keep_file(struct snapshots *snapshots, const struct snapshot *file, int32_t partition)
{
    struct stat found;
    const char *path = path_of(snapshots, partition);
    return lstat(path, &found) == 0 && S_ISREG(found.st_mode) && found.st_ino == file->inode &&
           set_time(snapshots, path);
}

/* Where it cannot be written in time, an erased employee's is better gone. */
static void check_erasures(struct snapshots *snapshots, struct snapshot *file, int32_t partition, int64_t now_us)
{
    if (!file->written || state_removals(snapshots->state, partition) == file->removals) {
        file->overdue_us = 0;
    } else if (!file->overdue_us) {
        file->overdue_us = now_us + (SNAPSHOTS_LEASE_S - SNAPSHOTS_LOOK_S) * SECOND_US;
    } else if (now_us >= file->overdue_us) {
        remove_file(path_of(snapshots, partition));
        *file = (struct snapshot){0};
    }
}

static bool is_due(struct snapshots *snapshots, int32_t partition, int64_t now_us)
{
    struct snapshot *file = file_of(snapshots, partition);
    check_erasures(snapshots, file, partition, now_us);
    if (!can_be_written(snapshots, partition))
        return false;
    int64_t age_us = clock_real_us(snapshots->clock) - file->point.written_us;
    return !file->written || !keep_file(snapshots, file, partition) ||
           (file->overdue_us && age_us >= SNAPSHOTS_LOOK_S * SECOND_US) || age_us >= snapshots->age_us / 2 ||
           age_us < 0 || (age_us >= SNAPSHOTS_INTERVAL_S * SECOND_US && has_changed(snapshots, file, partition));
}

static bool is_of_group(const struct snapshots *snapshots, const char *name)
{
    return !strncmp(name, snapshots->prefix, PREFIX_DIGITS) && name[PREFIX_DIGITS] == '-';
}

/* Files of partitions that have gone, and what killed scorers have left half written. */
static void sweep(struct snapshots *snapshots)
{
    int64_t now_s = clock_real_us(snapshots->clock) / SECOND_US;
    struct stat found;
    DIR *directory = opendir(snapshots->settings->snapshot_dir);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        if (!is_of_group(snapshots, entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0 ||
            now_s - found.st_mtim.tv_sec < SNAPSHOTS_LEASE_S)
            continue;
        buffer_clear(&snapshots->path);
        buffer_printf(&snapshots->path, "%s/%s", snapshots->settings->snapshot_dir, entry->d_name);
        remove_file(snapshots->path.data);
    }
    if (directory)
        closedir(directory);
}

/* The first that is due is begun; the next look, at the others, follows when it is done. */
static void look(struct snapshots *snapshots, int64_t now_us)
{
    int32_t due = NOBODY;
    bool all_written = true;
    int32_t count = state_last(snapshots->state) + 1;
    for (int32_t i = 0; i < count; i++) {
        int32_t p = (snapshots->next + i) % count;
        if (is_due(snapshots, p, now_us) && due == NOBODY)
            due = p;
        all_written &= file_of(snapshots, p)->written || !can_be_written(snapshots, p);
    }
    if (due != NOBODY) {
        snapshots->next = due + 1;
        begin_copy(snapshots, due);
    } else
        snapshots->look_us = now_us + (all_written ? SNAPSHOTS_LOOK_S : 1) * SECOND_US;
    if (now_us - snapshots->active_us >= SNAPSHOTS_LEASE_S * SECOND_US)
        sweep(snapshots);
}

/* --- the whole --- */

void snapshots_start(struct snapshots *snapshots)
{
    if (!snapshots->active)
        snapshots->active_us = snapshots->look_us = clock_steady_us(snapshots->clock);
    snapshots->active = true;
    snapshots->left_us = 0;
    snapshots->lost = false;
}

void snapshots_stop(struct snapshots *snapshots, bool lost)
{
    if (snapshots->active)
        snapshots->left_us = clock_steady_us(snapshots->clock);
    snapshots->lost |= lost;
    snapshots->active = false;
    if (snapshots->writing)
        finish_write(snapshots);
    drop_copy(snapshots);
}

bool snapshots_turn(struct snapshots *snapshots)
{
    if (!snapshots->active)
        return false;
    int64_t now_us = clock_steady_us(snapshots->clock);
    if (snapshots->writing && !background_call_runs(snapshots->background))
        finish_write(snapshots);
    else if (snapshots->partition != NOBODY && !snapshots->writing)
        go_on(snapshots);
    else if (snapshots->partition == NOBODY && now_us >= snapshots->look_us)
        look(snapshots, now_us);
    return snapshots->partition != NOBODY;
}

void snapshots_write_all(struct snapshots *snapshots)
{
    snapshots_stop(snapshots, false);
    int64_t now_us = clock_steady_us(snapshots->clock), end_us = now_us + WRITE_ALL_S * SECOND_US;
    if (snapshots->lost || (snapshots->left_us && now_us - snapshots->left_us >= SNAPSHOTS_LEASE_S * SECOND_US))
        return; /* others have changed them since */
    for (int32_t p = 0; p <= state_last(snapshots->state) && clock_steady_us(snapshots->clock) < end_us; p++) {
        if (!can_be_written(snapshots, p) || !has_changed(snapshots, file_of(snapshots, p), p))
            continue;
        begin_copy(snapshots, p);
        while (!copy_some(snapshots))
            ;
        write_file(snapshots);
        finish_write(snapshots);
    }
}
