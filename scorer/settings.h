/* The daemon's settings, resolved from the options once at start; read-only afterwards and shared by all threads. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "events/json_event.h"
#include "scorer/memory_limit.h"

struct registry_client;
struct challengers;

/* When an alert is due (scorer/stream/alerts.h). */
struct alert_rules {
    double hysteresis, delta;
};

struct settings {
    const struct options *options;
    const struct schema *schema;
    struct registry_client *registry; /* the schema registry; NULL: none */
    struct challengers *challengers;  /* NULL: none */
    const char *input_topic, *output_topic, *dlq_topic, *outcome_topic;
    const char *state_topic; /* NULL: no current records are kept */
    char *state_topic_name;  /* owned: the default, of the group; NULL: it is given, or none */
    bool state_given;
    const char *snapshot_dir; /* of local snapshots of current records; NULL: there are none */
    const char *alert_topic;  /* NULL: there are no alerts */
    bool alert_given;         /* somebody has named it, rather than the default */
    struct alert_rules alert_rules;
    const char *group_id;
    char instance_id[256]; /* given, or host name + slot */
    bool role_score, role_sink, role_http;
    bool probes_only; /* no role http, but an address is given: health and metrics are served there */
    bool exactly_once;
    bool exit_at_end;
    unsigned workers;
    uint32_t reasons;
    double reasons_near; /* how far below the threshold a probability is still explained; infinite: all are */
    int64_t commit_interval_us;
    int64_t commit_events;
    int64_t drain_deadline_us;
    int64_t ready_timeout_us;
    int64_t watchdog_us;      /* 0: none */
    int64_t memory_limit;     /* bytes; 0: none */
    int64_t staged_bytes;     /* results of the next transaction that a score loop keeps while a commit is under way */
    int64_t state_bytes;      /* current records that a score loop keeps in memory; 0: any number */
    int64_t sink_batch_bytes; /* flush when a batch's keys and values are so large */
    int64_t model_poll_us;
    int64_t max_future_us;    /* how far after now an event may have occurred */
    enum time_unit time_unit; /* of numbers whose writer names none; TIME_UNIT_NONE: not given */
    enum input_format input_format;
    struct json_settings json;
    struct input_map *input_map; /* owned; NULL: none */
    bool null_ignored;           /* null values are no erasures … */
    bool null_given;             /* … which somebody decided, rather than the default */
    const char *model_uri, *tracking_uri;
    struct secret database_url;      /* "" : libpq's own PG* variables */
    struct secret database_read_url; /* what the HTTP service reads; where none is given: the same */
    int64_t sink_rows;
    int64_t sink_interval_us;
    const char *http_listen;
    struct secret http_token;       /* one a line; NULL where none is set */
    const char *http_tokens_file;   /* NULL: none */
    const char *http_hosts;         /* NULL: none */
    const char *http_probes_listen; /* NULL: no port of their own */
    bool metrics_token;
    int64_t http_rate;             /* requests a second of one address; 0: any number */
    const char *stream_url;        /* NULL or empty: this process's own stream */
    const char *http_cors_origins; /* NULL: none */
    int64_t http_log_timeout_us;
    unsigned http_threads;
    bool http_access_log;
    int slot_lock; /* open lock file that keeps the slot ours, or -1 */
};

/* Checks combinations and names (ranges and words are those of the options' rows): STATUS_INVALID is a usage error.
 * Borrows options and schema. */
MUST_USE enum status settings_resolve(const struct options *options, const struct schema *schema, struct settings *out,
                                      struct error *err);
/* What --memory-limit is split among. */
struct memory_needs settings_memory_needs(const struct settings *settings);
/* Releases the slot lock that settings_resolve may hold. */
void settings_release(struct settings *settings);
