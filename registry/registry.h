/* Models and runs behind MLflow's names: a directory in MLflow's file-store layout (readable by `mlflow` with
 * MLFLOW_ALLOW_FILE_STORE=true), or an MLflow server over http(s), behind the same calls.
 *
 * In a directory, writers are atomic per file (temporary name, fsync, rename) and take an advisory lock per registered
 * model. On a server, a version is made when its files are there. So a reader never sees a half-written version and an
 * alias never points at one. A registry is used by one thread at a time. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "registry/types.h"

struct registry;

/* Opens; no server is asked yet. STATUS_UNSUPPORTED: another scheme. STATUS_INVALID: no address, no path. */
MUST_USE enum status registry_open_with(const struct registry_settings *settings, struct registry **out,
                                        struct error *err);
MUST_USE enum status registry_open(const char *tracking_uri, struct registry **out, struct error *err);
/* As the program's options say (--tracking-uri and its kin). */
struct options;
struct registry_settings registry_settings_of(const struct options *options); /* texts as long as the options */
MUST_USE enum status registry_open_options(const struct options *options, struct registry **out, struct error *err);
void registry_close(struct registry *registry);

/* Whether this is meant as an address and no path: models:, runs:, or a scheme (s3://). */
bool registry_is_address(const char *model_uri);

/* "models:/NAME@ALIAS", "models:/NAME/VERSION", "models:/NAME/latest" (the newest version), or a path to an .onnx file
 * (name = the file's base name, version "0"). STATUS_INVALID: another form, which the text names.
 * STATUS_NOT_FOUND: no such model, version or alias (the text names which and how to make it). Cheap: polled. */
MUST_USE enum status registry_resolve(struct registry *registry, const char *model_uri, struct model_version *out,
                                      struct error *err);
/* The same when the server is unavailable (STATUS_UNAVAILABLE): the version that this host resolved last under that
 * URI, if its file is still whole in the cache. STATUS_NOT_FOUND: nothing is remembered. */
MUST_USE enum status registry_recall(struct registry *registry, const char *model_uri, struct model_version *out,
                                     struct error *err);

/* The model and alias that a URI follows; yours to free. STATUS_UNSUPPORTED: it names a version or a file, which no
 * alias moves. */
MUST_USE enum status registry_followed_alias(const char *model_uri, char **name, char **alias, struct error *err);

/* Replaces out's content by the model file's bytes. STATUS_LIMIT above what can be loaded (ONNX_MAX_BYTES).
 * STATUS_INVALID: not the file that was registered, by the version's tag MODEL_SHA256_TAG. A cached file that was
 * damaged: STATUS_NOT_FOUND, and the next registry_resolve gets it again; one that another user may have put there:
 * STATUS_DENIED. */
MUST_USE enum status registry_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                                   struct error *err);

/* The id that the run of run->key will have, for what is nested in it: the caller's to free. On a server the run is
 * begun; a directory shows it when it is logged. */
MUST_USE enum status registry_begin_run(struct registry *registry, const struct run *run, char **run_id,
                                        struct error *err);
/* Of a run that was begun: it has failed, and goes on when it is begun or logged again. */
MUST_USE enum status registry_fail_run(const struct registry *registry, const char *run_id, struct error *err);
/* Logs a finished run; run_id (32 hex digits) is the caller's to free. One of that key that is finished is left as it
 * is, and its id returned. */
MUST_USE enum status registry_log_run(struct registry *registry, const struct run *run, char **run_id,
                                      struct error *err);

/* Registers the run's artifacts/model as the next version of name. version_tags as MLflow's. *version is the caller's
 * to free. */
MUST_USE enum status registry_create_version(struct registry *registry, const char *name, const char *run_id,
                                             const struct run_pair *tags, size_t tag_count, char **version,
                                             struct error *err);
/* A version of name that was made of that run; yours to free. STATUS_NOT_FOUND: none. */
MUST_USE enum status registry_version_of_run(struct registry *registry, const char *name, const char *run_id,
                                             char **version, struct error *err);
/* registry_create_version, or the version that was made of that run before. */
MUST_USE enum status registry_ensure_version(struct registry *registry, const char *name, const char *run_id,
                                             const struct run_pair *tags, size_t tag_count, char **version,
                                             struct error *err);

/* STATUS_CONFLICT: the alias points at another version than expected; *holder (may be NULL as an argument) is that one.
 * STATUS_NOT_FOUND: no such version, or it has no model file. */
MUST_USE enum status registry_move_alias(struct registry *registry, const struct alias_move *move, char **holder,
                                         struct error *err);

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

/* STATUS_NOT_FOUND: no such run. */
MUST_USE enum status registry_run(const struct registry *registry, const char *run_id, struct run_details *out,
                                  struct error *err);

/* The run of that key (run->key) in an experiment. STATUS_NOT_FOUND: none, or it is deleted. */
MUST_USE enum status registry_run_of_key(const struct registry *registry, const char *experiment, const char *key,
                                         struct run_details *out, struct error *err);

/* An experiment's runs that are not deleted, newest first: of a directory up to 100,000, of a server the
 * newest 10,000; `cut` says that there are more. STATUS_NOT_FOUND: no such experiment. */
MUST_USE enum status registry_runs(const struct registry *registry, const char *experiment, struct run_list *out,
                                   struct error *err);

/* None logged: STATUS_OK and none. */
MUST_USE enum status registry_metric(const struct registry *registry, const char *run_id, const char *key,
                                     struct metric_series *out, struct error *err);
