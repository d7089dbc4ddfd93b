/* What registry.h's calls take and give: plain structs, their lists, and freeing them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/secret.h"

/* Texts are borrowed for the call; NULL or 0: none, or the default. */
struct registry_settings {
    const char *tracking_uri;         /* a path, file:// URI, or http(s) URL */
    struct secret username, password; /* server: Basic */
    struct secret token;              /* server: Bearer */
    const char *ca_file;              /* server: a PEM file or a directory of certificates */
    bool insecure_tls;                /* server: any certificate will do */
    int64_t timeout_ms;               /* server: of one request; files get twenty times as long */
    const char *cache_dir;            /* server: where models are kept; default: below the user's cache directory */
    bool (*cancelled)(void *context); /* server: see http_client.h */
    void *context;
};

#define MODEL_SHA256_TAG "model.sha256"

/* A version, resolved. All texts are the struct's own; free with model_version_clear. */
struct model_version {
    char *name;
    char *version; /* decimal text, as MLflow has it */
    char *alias;   /* NULL for a pinned version or a bare file */
    char *run_id;  /* NULL if none */
    char *path;    /* the model file */
    char *sha256;  /* of that file, as the version's tag MODEL_SHA256_TAG has it; NULL: it has none */
};
void model_version_clear(struct model_version *version);

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
/* Where a run shall go that is kept in a directory because its server is unavailable. Borrowed. */
struct run_kept {
    const char *to; /* the server's URL */
    const char *name, *alias;
    bool promote;
};
struct run {
    const char *experiment, *run_name;
    const struct run_kept *kept; /* NULL, or a note for `registry sync`; for a directory */
    /* NULL, or what identifies this run in its experiment, 32 hexadecimal digits: a run that was begun with it goes on,
     * but for kept ones: each is kept. */
    const char *key;
    int64_t started_ms, ended_ms;
    const struct run_pair *params, *tags;
    size_t param_count, tag_count;
    const struct run_metric *metrics;
    size_t metric_count;
    const struct run_artifact *artifacts; /* model/MLmodel and its kin are written by registry_log_run */
    size_t artifact_count;
};

enum { RUN_KEY_BYTES = 33 };
void run_draw_key(char out[RUN_KEY_BYTES]); /* a new key: 32 hexadecimal digits and a NUL */

/* A move of an alias. Borrowed. */
struct alias_move {
    const char *name, *alias, *version;
    const char *expected; /* NULL: wherever it points; "": nowhere yet; else the version it points at */
    bool rollback;        /* back to an earlier version: the next rollback goes further back */
    const char *by;       /* who moves it, for its history; NULL: the user of this process */
};

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

/* What else is known of a version, for people. All texts are the struct's own; free with version_details_clear. */
struct text_list {
    char **items;
    size_t count;
};
void text_list_add(struct text_list *list, const char *text); /* a copy */
void text_list_clear(struct text_list *list);
void text_list_sort(struct text_list *list);          /* by its bytes */
void text_list_sort_versions(struct text_list *list); /* by their numbers */

struct version_details {
    struct model_version version; /* path: a regular file, NULL when it is gone, or on a server; alias: NULL */
    char *source;
    bool gone; /* its model file is known to be missing */
    int64_t created_ms;
    struct text_list aliases; /* that point at this version, sorted */
    struct text_list tag_keys, tag_values;
};
void version_details_clear(struct version_details *details);

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

struct run_list {
    struct run_details *items;
    size_t count;
    bool cut; /* there are more, which were not read */
};
void run_list_clear(struct run_list *list);

/* One metric's values by step, in the order of the steps. */
struct metric_series {
    int64_t *steps;
    double *values;
    size_t count;
};
void metric_series_clear(struct metric_series *series);

/* That the metric stands in the run before, with the same step: it counts once. */
bool run_metric_repeated(const struct run *run, size_t metric);
