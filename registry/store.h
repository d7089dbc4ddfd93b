/* Inside of registry/: the directory, its paths, names, locks and atomic writes.
 *
 * ROOT/EXPERIMENT/meta.yaml, ROOT/EXPERIMENT/RUN/{meta.yaml,params/,metrics/,tags/,artifacts/}
 * ROOT/models/NAME/{meta.yaml,version-N/{meta.yaml,tags/},aliases/ALIAS,tags/}
 * ROOT/.new.trash/ is where directories and files are built before they are renamed to their places: MLflow passes over
 * names that end in .trash. Every writer holds a shared lock on it; one that finds itself alone clears what killed
 * writers left there. Further locks are ROOT/models/.NAME.lock and ROOT/.experiments.lock. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <time.h>

#include "registry/backend.h"

enum { STORE_TEXT_MAX = 1 << 20 }; /* bytes of a meta.yaml, an MLmodel, a tag or an alias */

/* ROOT/…; yours to free. */
char *store_path(const struct registry *registry, const char *format, ...) PRINTF_LIKE(2, 3);

/* Before any writing: makes the root and its fixed directories, with MLflow's default experiment, makes the root's path
 * absolute, and takes the hold, which registry_close gives back. */
MUST_USE enum status store_prepare(struct registry *registry, struct error *err);

/* A path of its own below ROOT/.new.trash; nothing is there yet. Yours to free. */
char *store_new_path(const struct registry *registry);

/* Writes DIRECTORY/NAME, in a directory that is being built. */
MUST_USE enum status store_write(const char *directory, const char *name, struct span bytes, struct error *err);

/* Renames what was built to its place and makes that durable. A directory that is there already: STATUS_CONFLICT. */
MUST_USE enum status store_place(const char *from, const char *to, struct error *err);

/* A file in its place, whole, whether or not there was one. */
MUST_USE enum status store_replace(const struct registry *registry, const char *place, struct span bytes,
                                   struct error *err);

/* A new directory in its place, with meta.yaml and, where there are any, tags/. Takes the place and the text.
 * STATUS_CONFLICT: it is there already. */
MUST_USE enum status store_make(const struct registry *registry, char *place, struct buffer *meta,
                                const struct run_pair *tags, size_t tag_count, struct error *err);

/* ROOT/ID as an active experiment of that name; STATUS_CONFLICT as above. */
MUST_USE enum status store_make_experiment(const struct registry *registry, const char *id, const char *name,
                                           struct error *err);

/* Removes what was left of a failed build; silent. */
void store_discard(const char *path);

/* Holds the advisory lock PATH until store_unlock; waits for it. Dies with the process. */
MUST_USE enum status store_lock(const char *path, int *lock, struct error *err);
void store_unlock(int lock);

/* Replaces text's content by a small file's. */
MUST_USE enum status store_read(const char *path, struct buffer *text, struct error *err);

/* A name that is one path component and that MLflow takes. `what` is "model name", …: the error text starts with it. */
MUST_USE enum status store_check_name(const char *what, const char *name, struct error *err);
MUST_USE enum status store_check_alias(const char *alias, struct error *err);
/* Keys of params, metrics and tags: letters, digits and `_-. ` */
MUST_USE enum status store_check_key(const char *what, const char *key, struct error *err);
bool store_is_version(const char *text); /* decimal, from 1 */
bool store_is_directory(const char *path);
bool store_is_file(const char *path);

/* DIRECTORY/tags/KEY for each pair. */
MUST_USE enum status store_write_pairs(const char *directory, const char *folder, const struct run_pair *pairs,
                                       size_t count, struct error *err);

/* The entries of a directory that do not start with a dot, sorted; none when there is no such directory. */
MUST_USE enum status store_list(const char *path, struct text_list *out, struct error *err);
void store_entries(const char *path, struct text_list *out); /* the same; none when it cannot be read either */

/* ROOT/EXPERIMENT/REST that fits, whatever the experiment; yours to free. NULL: there is none. */
char *store_find(const struct registry *registry, const char *rest, bool (*fits)(const char *path));

/* The folder with the files of a version: from its source, wherever the store has been moved to since. Yours to free.
 */
MUST_USE enum status store_locate(const struct registry *registry, const char *source, const char *storage,
                                  char **folder, struct error *err);

/* The name of the experiment in ROOT/ID; false: there is none. */
bool store_experiment_name(const struct registry *registry, const char *id, struct buffer *name);
/* The id of the active experiment of that name; NULL if there is none. Yours to free. */
char *store_find_experiment(const struct registry *registry, const char *name);

/* The id that the key's run has or will have in ROOT/EXPERIMENT (an id): the key, or what follows from it where a
 * deleted run has that. True: the run is there. */
bool store_run_of_key(const struct registry *registry, const char *experiment, const char *key, char id[RUN_KEY_BYTES]);

/* What the directory's backend is made of; see backend.h. */
MUST_USE enum status store_begin_run(struct registry *registry, const struct run *run, char **run_id,
                                     struct error *err);
MUST_USE enum status store_log_run(struct registry *registry, const struct run *run, char **run_id, struct error *err);
MUST_USE enum status store_create_version(struct registry *registry, const char *name, const char *run_id,
                                          const struct run_pair *tags, size_t tag_count, char **version,
                                          struct error *err);
MUST_USE enum status store_models(const struct registry *registry, struct text_list *names, struct error *err);
MUST_USE enum status store_versions(const struct registry *registry, const char *name, struct text_list *versions,
                                    struct error *err);
MUST_USE enum status store_describe(struct registry *registry, const char *name, const char *version,
                                    struct version_details *out, struct error *err);
MUST_USE enum status store_alias(const struct registry *registry, const char *name, const char *alias, char **version,
                                 struct error *err);
MUST_USE enum status store_move_alias(struct registry *registry, const struct alias_move *move, char **holder,
                                      struct error *err);

/* file:// URI or path → path; yours to free. NULL: another scheme. */
char *store_path_of_uri(const char *uri);
