/* `producer rescore`: everyone with a current record is sent an event that lists nothing, so that the scorer scores the
 * record again, by the model in use. Main thread. Must never bring back who has left or been erased meanwhile: the
 * scorer ignores such events (events/rescore.h).
 *
 * Each run has a name of its own, so that event ids of two runs differ. Nothing is resumed: a run that was stopped has
 * scored some again, which --scored-before leaves out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/sha256.h"
#include "events/dead_letter.h"
#include "events/identity.h"
#include "events/rescore.h"
#include "producer/commands.h"
#include "producer/delivery.h"
#include "producer/registration.h"
#include "producer/rescore_reader.h"
#include "producer/state_topic.h"
#include "producer/stop.h"

static const char where[] = "rescore";

struct rescore {
    const struct options *options;
    struct schema *schema;
    struct rescore_filter filter;
    struct rescore_people people;
    struct buffer topic;
    struct cell *cells; /* of an event that lists nothing */
    char run[32], began[DEAD_LETTER_TIME_BYTES];
    char group[RESUME_POSITION_GROUP_BYTES];
    struct delivery delivery;
    bool over; /* nothing more can be sent */
};

static void rescore_name_tag(void *context, uintptr_t tag, char *out, size_t capacity)
{
    const struct rescore *rescore = context;
    const struct rescore_person *person = &rescore->people.items[tag];
    snprintf(out, capacity, "%s [%" PRId32 "] offset %" PRId64, rescore->topic.data, person->partition, person->offset);
}

/* One run at a time for a state topic. */
static void name_group(struct rescore *rescore)
{
    struct buffer names = {0};
    char hex[SHA256_HEX_BYTES];
    buffer_printf(&names, "%s\n%s\n", options_text(rescore->options, OPTION_INPUT_TOPIC), rescore->topic.data);
    sha256_hex(buffer_span(&names), hex);
    snprintf(rescore->group, sizeof rescore->group, "rescore-%.16s", hex);
    buffer_free(&names);
}

/* "2026-11-27T10:00:00.000Z", and the same without what stands between the digits. */
static void name_run(struct rescore *rescore)
{
    char *at = rescore->run;
    dead_letter_time(clock_real_us(&clock_system), rescore->began);
    for (const char *from = rescore->began; *from && at < rescore->run + sizeof rescore->run - 1; from++)
        if (!strchr("-:.", *from))
            *at++ = *from;
    *at = '\0';
}

static enum status check_usage(struct rescore *rescore, struct error *err)
{
    if (!state_topic_find(rescore->options, rescore->schema, &rescore->topic))
        return error_set(err, STATUS_INVALID,
                         "no current records are kept (--state-topic none), so there is nobody to score again");
    if (!schema_has_changed(rescore->schema) || !rescore->schema->state)
        return error_set(err, STATUS_INVALID,
                         "the schemas of --schemas-dir have no partial events or no current records");
    return rescore_filter_read(rescore->options, rescore->schema, &rescore->filter, err);
}

static void log_people(const struct rescore *rescore)
{
    size_t present = 0, wanted = 0;
    for (size_t i = 0; i < rescore->people.count; i++) {
        present += rescore->people.items[i].present;
        wanted += rescore->people.items[i].wanted;
    }
    log_info(where, "%s has current records of %zu employees, %zu of them are to be scored again, as run %s",
             rescore->topic.data, present, wanted, rescore->run);
}

static void log_run_before(const struct rescore *rescore)
{
    struct resume_position known = sender_position(rescore->delivery.sender);
    if (known.rows && !known.complete)
        log_warn(where,
                 "a rescore before this one was stopped after %llu events: those employees are scored again now; "
                 "--scored-before with the time at which it began leaves them out",
                 (unsigned long long)known.rows);
}

static void send_one(struct rescore *rescore, size_t i)
{
    const struct rescore_person *person = &rescore->people.items[i];
    char id[ID_BYTES_MAX];
    struct error err;
    int bytes = snprintf(id, sizeof id, RESCORE_PREFIX "%s/%" PRId32 "-%" PRId64, rescore->run, person->partition,
                         person->offset);
    struct event event = {
        .event_id = {id, (size_t)bytes},
        .employee_id = rescore_person_id(&rescore->people, person),
        .occurred_at_ms = person->occurred_at_ms,
        .type = EVENT_TYPE_CHANGED,
        .cells = rescore->cells,
        .partial = true,
    };
    if (delivery_send_to(&rescore->delivery, &event, person->partition, event.employee_id, i, &err) == STATUS_OK)
        return;
    if (!stop_requested) {
        progress_hide(&rescore->delivery.progress);
        log_error(where, "%s", err.text);
        rescore->delivery.broken = true;
    }
    rescore->over = true;
}

static uint64_t count_wanted(const struct rescore *rescore)
{
    uint64_t wanted = 0;
    for (size_t i = 0; i < rescore->people.count; i++)
        wanted += rescore->people.items[i].wanted;
    return wanted;
}

static int send_all(struct rescore *rescore)
{
    struct delivery *delivery = &rescore->delivery;
    struct error err;
    if (delivery_open(delivery, count_wanted(rescore), &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        (void)delivery_close(delivery, false, stdout);
        return 1;
    }
    if (delivery->sender)
        log_run_before(rescore);
    for (size_t i = 0; i < rescore->people.count && !rescore->over && !stop_requested; i++)
        if (rescore->people.items[i].wanted)
            send_one(rescore, i);
    bool complete = !rescore->over && !stop_requested;
    bool all_accounted = delivery_close(delivery, complete, stdout);
    complete = complete && !delivery->broken;
    if (!complete)
        log_error(
            where,
            "stopped before the end: go on with the same options and --scored-before %s, which leaves out whoever "
            "this run has scored again",
            rescore->began);
    return complete && all_accounted ? 0 : 1;
}

static int read_and_send(struct rescore *rescore)
{
    struct error err;
    size_t columns = rescore->schema->column_count;
    bool dry_run = options_flag(rescore->options, OPTION_DRY_RUN);
    name_run(rescore);
    name_group(rescore);
    if ((!dry_run && registration_do(rescore->options, rescore->schema, &err) != STATUS_OK) ||
        rescore_read_people(rescore->options, rescore->schema, rescore->topic.data, &rescore->filter, &stop_requested,
                            &rescore->people, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        return 1;
    }
    log_people(rescore);
    rescore->cells = mem_zeroed(columns, sizeof *rescore->cells);
    for (size_t c = 0; c < columns; c++)
        rescore->cells[c].code = CELL_UNLISTED;
    rescore->delivery = (struct delivery){.options = rescore->options,
                                          .schema = rescore->schema,
                                          .where = where,
                                          .group = rescore->group,
                                          .dry_run = dry_run,
                                          .may_be_ignored = true,
                                          .name_tag = rescore_name_tag,
                                          .context = rescore};
    return send_all(rescore);
}

int cmd_rescore(const struct options *options)
{
    struct rescore rescore = {.options = options, .schema = registration_schema(options, where)};
    struct error err;
    int result = 1;
    if (!rescore.schema)
        return 1;
    if (check_usage(&rescore, &err) == STATUS_OK) {
        result = read_and_send(&rescore);
    } else {
        log_error(where, "%s", err.text);
        result = 2;
    }
    rescore_filter_free(&rescore.filter);
    rescore_people_free(&rescore.people);
    buffer_free(&rescore.topic);
    free(rescore.cells);
    schema_free(rescore.schema);
    return result;
}
