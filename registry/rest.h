/* Inside of registry/: an MLflow server. rest_call.c asks and reads answers; rest_runs.c and rest_models.c know the
 * requests; rest_files.c moves artifacts; rest_cache.c keeps models on this host. One thread a registry. */
#pragma once

#include <jansson.h>

#include "base/http_client.h"
#include "registry/backend.h"

struct rest {
    struct http_client *http;
    struct http_response response; /* reused */
    char *cache;                   /* the directory, not made yet */
    int64_t file_timeout_ms;
};

/* POSTs or PATCHes body (which it takes) to /api/2.0/mlflow/PATH, or gets that where body is NULL. *out (may be NULL as
 * an argument) is the answer's object, the caller's to json_decref. The server's own word for an error is in err, with
 * what to do where that is known. `repeatable` as in http_client.h. */
MUST_USE enum status rest_call(const struct registry *registry, enum http_method method, const char *path, json_t *body,
                               bool repeatable, json_t **out, struct error *err);
/* PATH?KEY=VALUE&…, values encoded; ends with NULL. Yours to free. */
char *rest_query(const char *path, ...) __attribute__((sentinel));

/* The answer's JSON; NULL: none, or more than is read (json_fits_tree). */
json_t *rest_answer_tree(const struct http_response *response);
/* The text at KEY, "" if there is none. Borrowed. */
const char *rest_text(const json_t *object, const char *key);
/* A number, also one that travels as text. */
int64_t rest_number(const json_t *object, const char *key);
/* [{"key":…,"value":…}] into two lists. */
void rest_pairs(const json_t *array, struct text_list *keys, struct text_list *values);
json_t *rest_pair_array(const struct run_pair *pairs, size_t first, size_t count);

/* rest_files.c. A run as the server has it, its id and its artifacts' URI; the answer is the caller's to json_decref,
 * and they borrow from it. */
MUST_USE enum status rest_get_run(const struct registry *registry, const char *run_id, json_t **answer,
                                  struct error *err);
MUST_USE enum status rest_run_place(const struct registry *registry, const json_t *run, const char **run_id,
                                    const char **artifacts, struct error *err);
/* Where a run's artifacts are. Yours to free. */
MUST_USE enum status rest_run_artifacts(const struct registry *registry, const char *run_id, char **uri,
                                        struct error *err);
/* An artifact URI (of a run or a version) to the path that the server passes on, without slashes at its
 * ends; yours to free. STATUS_UNSUPPORTED, with what to do: the server does not pass these on. */
MUST_USE enum status rest_artifact_path(const struct registry *registry, const char *uri, char **path,
                                        struct error *err);
MUST_USE enum status rest_upload(const struct registry *registry, const char *folder, const char *name,
                                 struct span bytes, struct error *err);
/* Replaces out's content. STATUS_NOT_FOUND: no such file. */
MUST_USE enum status rest_download(const struct registry *registry, const char *folder, const char *name,
                                   size_t max_bytes, struct buffer *out, struct error *err);
/* That FOLDER holds an MLmodel and the file it names; *file, yours to free, is that one's name. */
MUST_USE enum status rest_model_file(const struct registry *registry, const char *folder, char **file,
                                     struct error *err);

/* rest_runs.c */
MUST_USE enum status rest_begin_run(struct registry *registry, const struct run *run, char **run_id, struct error *err);
MUST_USE enum status rest_fail_run(const struct registry *registry, const char *run_id, struct error *err);
MUST_USE enum status rest_log_run(struct registry *registry, const struct run *run, char **run_id, struct error *err);
MUST_USE enum status rest_run(const struct registry *registry, const char *run_id, struct run_details *out,
                              struct error *err);
MUST_USE enum status rest_run_of_key(const struct registry *registry, const char *experiment, const char *key,
                                     struct run_details *out, struct error *err);
MUST_USE enum status rest_runs(const struct registry *registry, const char *experiment, struct run_list *out,
                               struct error *err);
MUST_USE enum status rest_metric(const struct registry *registry, const char *run_id, const char *key,
                                 struct metric_series *out, struct error *err);
/* rest_models.c. What the server says of a version, by alias or by number; the caller's to json_decref. */
MUST_USE enum status rest_version(const struct registry *registry, const char *name, const char *alias,
                                  const char *version, json_t **out, struct error *err);
/* The folder of a version's files. Yours to free. */
MUST_USE enum status rest_version_folder(const struct registry *registry, const char *name, const char *version,
                                         char **folder, struct error *err);
MUST_USE enum status rest_create_version(struct registry *registry, const char *name, const char *run_id,
                                         const struct run_pair *tags, size_t tag_count, char **version,
                                         struct error *err);
MUST_USE enum status rest_version_of_run(struct registry *registry, const char *name, const char *run_id,
                                         char **version, struct error *err);
MUST_USE enum status rest_models(const struct registry *registry, struct text_list *names, struct error *err);
MUST_USE enum status rest_versions(const struct registry *registry, const char *name, struct text_list *versions,
                                   struct error *err);
MUST_USE enum status rest_describe(struct registry *registry, const char *name, const char *version,
                                   struct version_details *out, struct error *err);
MUST_USE enum status rest_alias(const struct registry *registry, const char *name, const char *alias, char **version,
                                struct error *err);
MUST_USE enum status rest_move_alias(struct registry *registry, const struct alias_move *move, char **holder,
                                     struct error *err);
MUST_USE enum status rest_model_tag(const struct registry *registry, const char *name, const char *key, char **value,
                                    struct error *err);

/* rest_cache.c */
char *rest_cache_default(void); /* yours to free */
MUST_USE enum status rest_locate(struct registry *registry, const char *name, const char *alias, const char *version,
                                 struct model_version *out, struct error *err);
MUST_USE enum status rest_recall(struct registry *registry, const char *name, const char *alias, const char *version,
                                 struct model_version *out, struct error *err);
MUST_USE enum status rest_read(struct registry *registry, const struct model_version *version, struct buffer *out,
                               struct error *err);
