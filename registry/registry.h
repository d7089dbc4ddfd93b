/* Models and runs behind MLflow's names: a directory in MLflow's file-store layout (readable by `mlflow` with
 * MLFLOW_ALLOW_FILE_STORE=true). An http(s) server is another backend behind the same calls.
 *
 * Writers are atomic per file (temporary name, fsync, rename) and take an advisory lock per registered model, so that a
 * reader never sees a half-written version and an alias never points at one. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/bytes.h"
#include "base/status.h"

struct registry;

/* tracking_uri: a path, file:// URI, or http(s) URL (STATUS_UNSUPPORTED with what to do, until that backend exists). */
MUST_USE enum status registry_open(const char *tracking_uri, struct registry **out, struct error *err);
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

/* Appends the model file's bytes to out. STATUS_LIMIT above 1 GiB. */
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
struct run {
    const char *experiment, *run_name;
    int64_t started_ms, ended_ms;
    const struct run_pair *params, *tags;
    size_t param_count, tag_count;
    const struct run_metric *metrics;
    size_t metric_count;
    const struct run_artifact *artifacts; /* model/MLmodel is written by registry_log_run from the rest */
    size_t artifact_count;
};

/* Logs a finished run; run_id (32 hex digits) is the caller's to free. */
MUST_USE enum status registry_log_run(struct registry *registry, const struct run *run, char **run_id,
                                      struct error *err);

/* Registers the run's artifacts/model as the next version of name. version_tags as MLflow's. *version is the caller's
 * to free. */
MUST_USE enum status registry_create_version(struct registry *registry, const char *name, const char *run_id,
                                             const struct run_pair *tags, size_t tag_count, char **version,
                                             struct error *err);
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
    struct model_version version; /* path: a regular file, NULL when it is gone; alias: NULL */
    char *source;
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
/* The store's directory, for people. */
const char *registry_root(const struct registry *registry);

#endif
