/* Models and runs behind MLflow's names: a directory in MLflow's file-store layout (readable by `mlflow` with
 * MLFLOW_ALLOW_FILE_STORE=true), or an MLflow server over http(s), behind the same calls.
 *
 * In a directory, writers are atomic per file (temporary name, fsync, rename) and take an advisory lock per registered
 * model. On a server, a version is made when its files are there. So a reader never sees a half-written version and an
 * alias never points at one. A registry is used by one thread at a time. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/bytes.h"
#include "base/status.h"

struct registry;

/* Texts are borrowed for the call; NULL or 0: none, or the default. */
struct registry_settings {
    const char *tracking_uri;         /* a path, file:// URI, or http(s) URL */
    const char *username, *password;  /* server: Basic */
    const char *token;                /* server: Bearer */
    const char *ca_file;              /* server: a PEM file or a directory of certificates */
    bool insecure_tls;                /* server: any certificate will do */
    int64_t timeout_ms;               /* server: of one request; files get twenty times as long */
    const char *cache_dir;            /* server: where models are kept; default: below the user's cache directory */
    bool (*cancelled)(void *context); /* server: see http_client.h */
    void *context;
};

/* Opens; no server is asked yet. STATUS_UNSUPPORTED: another scheme. STATUS_INVALID: no address, no path. */
MUST_USE enum status registry_open_with(const struct registry_settings *settings, struct registry **out,
                                        struct error *err);
MUST_USE enum status registry_open(const char *tracking_uri, struct registry **out, struct error *err);
/* As the program's options say (--tracking-uri and its kin). */
struct options;
struct registry_settings registry_settings_of(const struct options *options); /* texts as long as the options */
MUST_USE enum status registry_open_options(const struct options *options, struct registry **out, struct error *err);
void registry_close(struct registry *registry);

/* A version, resolved. All texts are the struct's own; free with model_version_clear. */
struct model_version {
    char *name;
    char *version; /* decimal text, as MLflow has it */
    char *alias;   /* NULL for a pinned version or a bare file */
    char *run_id;  /* NULL if none */
    char *path;    /* the model file */
};
void model_version_clear(struct model_version *version);

/* "models:/NAME@ALIAS", "models:/NAME/VERSION", or a path to an .onnx file (name = the file's base name, version "0").
 * STATUS_NOT_FOUND: no such model, version or alias (the text names which and how to make it). Cheap: polled. */
MUST_USE enum status registry_resolve(struct registry *registry, const char *model_uri, struct model_version *out,
                                      struct error *err);
/* The same when the server is away (STATUS_UNAVAILABLE): the version that this host resolved last under that URI, if
 * its file is still whole in the cache. STATUS_NOT_FOUND: nothing is remembered. */
MUST_USE enum status registry_recall(struct registry *registry, const char *model_uri, struct model_version *out,
                                     struct error *err);

/* Appends the model file's bytes to out. STATUS_LIMIT above 1 GiB. A cached file that was damaged: STATUS_NOT_FOUND,
 * and the next registry_resolve gets it anew. */
MUST_USE enum status registry_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                                   struct error *err);

/* A run to log. Pairs are borrowed. */
struct run_pair {
    const char *key, *value;
};
struct run_metric {
    const char *key;
    double value;
    int64_t step;
};
struct run_artifact {
    const char *path; /* below artifacts/, such as "model/model.onnx" */
    struct span bytes;
};
/* Where a run shall go that is kept in a directory because its server is away. Borrowed. */
struct run_kept {
    const char *to; /* the server's URL */
    const char *name, *alias;
    bool promote;
};
struct run {
    const char *experiment, *run_name;
    const struct run_kept *kept; /* NULL, or a note for registry_sync; for a directory */
    const char
        *key; /* NULL, or what tells this run from all others: on a server a run that was begun with it goes on */
    int64_t started_ms, ended_ms;
    const struct run_pair *params, *tags;
    size_t param_count, tag_count;
    const struct run_metric *metrics;
    size_t metric_count;
    const struct run_artifact *artifacts; /* model/MLmodel and its kin are written by registry_log_run */
    size_t artifact_count;
};

/* Logs a finished run; run_id (32 hex digits) is the caller's to free. */
MUST_USE enum status registry_log_run(struct registry *registry, const struct run *run, char **run_id,
                                      struct error *err);
enum { RUN_KEY_BYTES = 33 };
void run_draw_key(char out[RUN_KEY_BYTES]); /* a new key: 32 hexadecimal digits and a NUL */

/* Registers the run's artifacts/model as the next version of name. version_tags as MLflow's. *version is the caller's
 * to free. */
MUST_USE enum status registry_create_version(struct registry *registry, const char *name, const char *run_id,
                                             const struct run_pair *tags, size_t tag_count, char **version,
                                             struct error *err);
/* registry_create_version, or the version that was made of that run before. */
MUST_USE enum status registry_ensure_version(struct registry *registry, const char *name, const char *run_id,
                                             const struct run_pair *tags, size_t tag_count, char **version,
                                             struct error *err);

/* A move of an alias. Borrowed. */
struct alias_move {
    const char *name, *alias, *version;
    const char *expected; /* NULL: wherever it points; "": nowhere yet; else the version it points at */
    bool rollback;        /* back to an earlier version: the next rollback goes further back */
};
/* STATUS_CONFLICT: the alias points at another version than expected; *holder (may be NULL as an argument) is that one.
 * STATUS_NOT_FOUND: no such version, or it has no model file. */
MUST_USE enum status registry_move_alias(struct registry *registry, const struct alias_move *move, char **holder,
                                         struct error *err);

/* Who moved an alias when, oldest first; at most the last 50 moves are kept, in a tag of the registered model. */
struct alias_event {
    char *version, *from, *by; /* from: NULL if it pointed nowhere */
    int64_t at_ms;
    bool rollback;
};
struct alias_history {
    struct alias_event *items;
    size_t count;
};
void alias_history_clear(struct alias_history *history);
/* No history: STATUS_OK and none. */
MUST_USE enum status registry_history(const struct registry *registry, const char *name, const char *alias,
                                      struct alias_history *out, struct error *err);
/* Where a rollback leads from `current`; the history's own text, NULL if nowhere. */
const char *alias_history_before(const struct alias_history *history, const char *current);

/* Points the alias at that version, wherever it pointed before. STATUS_NOT_FOUND also: the version has no model file.
 */
MUST_USE enum status registry_set_alias(struct registry *registry, const char *name, const char *alias,
                                        const char *version, struct error *err);
/* The same only if the alias points at no version yet. *holder, the caller's to free, is the one it points at now. */
MUST_USE enum status registry_offer_alias(struct registry *registry, const char *name, const char *alias,
                                          const char *version, char **holder, struct error *err);
/* STATUS_INVALID if one of the names is none: what would be refused at the end can be refused at the start. */
MUST_USE enum status registry_check_names(const char *experiment, const char *name, const char *alias,
                                          struct error *err);

/* What else is known of a version, for people. All texts are the struct's own; free with version_details_clear. */
struct text_list {
    char **items;
    size_t count;
};
void text_list_add(struct text_list *list, const char *text); /* a copy */
void text_list_clear(struct text_list *list);

struct version_details {
    struct model_version version; /* path: a regular file, NULL when it is gone, or on a server; alias: NULL */
    char *source;
    bool gone; /* its model file is known to be missing */
    int64_t created_ms;
    struct text_list aliases; /* that point at this version, sorted */
    struct text_list tag_keys, tag_values;
};
void version_details_clear(struct version_details *details);

/* Names of the registered models, sorted; none when there is no store yet. STATUS_DENIED, STATUS_IO: it is unreadable.
 */
MUST_USE enum status registry_models(const struct registry *registry, struct text_list *names, struct error *err);
/* A model's versions that are not deleted, oldest first. STATUS_NOT_FOUND: no such model. */
MUST_USE enum status registry_versions(const struct registry *registry, const char *name, struct text_list *versions,
                                       struct error *err);
MUST_USE enum status registry_describe(struct registry *registry, const char *name, const char *version,
                                       struct version_details *out, struct error *err);
/* The version an alias points at; yours to free. STATUS_NOT_FOUND: no such model or alias. STATUS_UNAVAILABLE: the
 * alias is being written by somebody who does not do it atomically. */
MUST_USE enum status registry_alias(const struct registry *registry, const char *name, const char *alias,
                                    char **version, struct error *err);
/* The store's directory or the server's URL, for people. */
const char *registry_root(const struct registry *registry);
bool registry_is_server(const struct registry *registry);

/* A run as it was logged. All texts are the struct's own; free with run_details_clear. */
struct run_details {
    char *run_id, *name, *status; /* status: FINISHED, RUNNING, FAILED, … */
    int64_t started_ms, ended_ms;
    struct text_list param_keys, param_values, tag_keys, tag_values;
    struct text_list metric_keys;
    double *metric_values; /* the last step's, beside metric_keys */
};
void run_details_clear(struct run_details *details);
const char *run_details_tag(const struct run_details *details, const char *key); /* NULL: none */
/* The metric's place in metric_values, or -1. */
long run_details_metric(const struct run_details *details, const char *key);
/* STATUS_NOT_FOUND: no such run. */
MUST_USE enum status registry_run(const struct registry *registry, const char *run_id, struct run_details *out,
                                  struct error *err);

struct run_list {
    struct run_details *items;
    size_t count;
};
void run_list_clear(struct run_list *list);
/* An experiment's runs that are not deleted, newest first, at most 10,000. STATUS_NOT_FOUND: no such experiment. */
MUST_USE enum status registry_runs(const struct registry *registry, const char *experiment, struct run_list *out,
                                   struct error *err);

/* One metric's values by step, in the order of the steps. */
struct metric_series {
    int64_t *steps;
    double *values;
    size_t count;
};
void metric_series_clear(struct metric_series *series);
/* None logged: STATUS_OK and none. */
MUST_USE enum status registry_metric(const struct registry *registry, const char *run_id, const char *key,
                                     struct metric_series *out, struct error *err);

/* Sends one after the other, oldest first, what was kept in the directory and was not sent yet: run, version, alias.
 * Each once: what a broken-off attempt left is gone on with. told is called for each that arrived. Stops at the first
 * that fails. STATUS_UNSUPPORTED: the registry is no server. */
struct run_sent {
    const char *kept_run_id, *run_id, *name, *version, *alias, *alias_holder;
};
MUST_USE enum status registry_sync(struct registry *registry, const char *directory,
                                   void (*told)(const struct run_sent *sent, void *context), void *context,
                                   struct error *err);

#endif
