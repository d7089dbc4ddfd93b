/* Inside of registry/: what a place for runs and models can do. registry.c turns the calls of registry.h into these;
 * a backend need not check names that registry.c has checked, and never prints. */
#pragma once

#include "base/status.h"
#include "registry/types.h"

struct registry;

struct rest;

/* Tags of runs: what identifies a run, and the notes on one that is kept in a directory. */
#define RUN_KEY_TAG "attrition.run.key"
#define KEPT_TO_TAG "attrition.kept.to"
#define KEPT_NAME_TAG "attrition.kept.name"
#define KEPT_ALIAS_TAG "attrition.kept.alias"
#define KEPT_PROMOTE_TAG "attrition.kept.promote"
#define KEPT_SENT_TAG "attrition.kept.sent" /* where it arrived */

/* The calls are those of registry.h with the same names, and mean the same. */
struct backend {
    void (*close)(struct registry *registry);
    enum status (*log_run)(struct registry *registry, const struct run *run, char **run_id, struct error *err);
    enum status (*begin_run)(struct registry *registry, const struct run *run, char **run_id, struct error *err);
    /* NULL: a backend that does not show what has not been logged. */
    enum status (*fail_run)(const struct registry *registry, const char *run_id, struct error *err);
    enum status (*run)(const struct registry *registry, const char *run_id, struct run_details *out, struct error *err);
    enum status (*run_of_key)(const struct registry *registry, const char *experiment, const char *key,
                              struct run_details *out, struct error *err);
    enum status (*runs)(const struct registry *registry, const char *experiment, struct run_list *out,
                        struct error *err);
    enum status (*metric)(const struct registry *registry, const char *run_id, const char *key,
                          struct metric_series *out, struct error *err);
    enum status (*create_version)(struct registry *registry, const char *name, const char *run_id,
                                  const struct run_pair *tags, size_t tag_count, char **version, struct error *err);
    /* A version of name that was made of that run; STATUS_NOT_FOUND: none. */
    enum status (*version_of_run)(struct registry *registry, const char *name, const char *run_id, char **version,
                                  struct error *err);
    enum status (*models)(const struct registry *registry, struct text_list *names, struct error *err);
    enum status (*versions)(const struct registry *registry, const char *name, struct text_list *versions,
                            struct error *err);
    enum status (*describe)(struct registry *registry, const char *name, const char *version,
                            struct version_details *out, struct error *err);
    enum status (*alias)(const struct registry *registry, const char *name, const char *alias, char **version,
                         struct error *err);
    /* Checks the version and moves the alias, with its line of history. *holder, the caller's to free, is what the
     * alias points at afterwards; also on STATUS_CONFLICT, which means that it is not what was expected. */
    enum status (*move_alias)(struct registry *registry, const struct alias_move *move, char **holder,
                              struct error *err);
    /* A registered model's tag; STATUS_NOT_FOUND: it has none of that key. */
    enum status (*model_tag)(const struct registry *registry, const char *name, const char *key, char **value,
                             struct error *err);
    /* The version with its file in place: either alias or version is given. Polled. */
    enum status (*locate)(struct registry *registry, const char *name, const char *alias, const char *version,
                          struct model_version *out, struct error *err);
    /* The same from what this host remembers; NULL: a backend that cannot be unavailable. */
    enum status (*recall)(struct registry *registry, const char *name, const char *alias, const char *version,
                          struct model_version *out, struct error *err);
    enum status (*read)(struct registry *registry, const struct model_version *version, struct buffer *out,
                        struct error *err);
};

extern const struct backend store_backend; /* a directory: directory.c */
extern const struct backend rest_backend;  /* a server: rest.c */

struct registry {
    const struct backend *backend;
    char *root;        /* a path, as given, absolute once something has been written; or the server's URL */
    int hold;          /* directory that writes: a shared lock on ROOT/.new.trash, so that nobody clears it; else -1 */
    struct rest *rest; /* server */
};

/* rest.c: from settings whose tracking_uri is http(s). */
MUST_USE enum status rest_open(const struct registry_settings *settings, struct rest **out, char **url,
                               struct error *err);

/* history.c: the text of an alias's history with one line more, replacing `text`'s content (empty or damaged: begun
 * again). */
void history_add(struct buffer *text, const struct alias_move *move, const char *from);
/* The move counts, and err has why its history could not be written. */
enum status history_failed(const struct alias_move *move, struct error *err);
/* The registered model's tag that holds it. Yours to free. */
char *history_key(const char *alias);

/* The file that an MLmodel's onnx flavor names, if it stays inside the folder. */
bool mlmodel_file(struct span text, struct buffer *file);
/* What goes beside a run's model/NAME.onnx (none: nothing): packages, golden rows and, last, model/MLmodel. */
enum { MLMODEL_FILES = 5 };
struct mlmodel_files {
    const char *paths[MLMODEL_FILES];
    struct buffer texts[MLMODEL_FILES];
    size_t count;
};
void mlmodel_files_make(const struct run *run, const char *run_id, struct mlmodel_files *out);
struct run_artifact mlmodel_files_at(const struct mlmodel_files *files, size_t number); /* borrows */
void mlmodel_files_clear(struct mlmodel_files *files);
