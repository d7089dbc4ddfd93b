/* Registered models, versions, aliases and tags on an MLflow server: see rest.h. The server has no "move if it still
 * points there": the alias is looked at before and after, and whoever was overtaken gets an error. */
#include "registry/rest.h"

#include <stdlib.h>

#include "base/text_print.h"
#include "base/memory.h"
#include "registry/digest.h"
#include "registry/store.h"

enum { PAGES_MOST = 50 };

/* {"name":'…'} for MLflow's filter; a name with both quotes cannot be asked for. NULL then; else yours to free. */
static char *name_filter(const char *key, const char *value)
{
    char quote = strchr(value, '\'') ? '"' : '\'';
    if (quote == '"' && strchr(value, '"'))
        return NULL;
    return text_print("%s = %c%s%c", key, quote, value, quote);
}

/* Every page of a search, its items handed to `take`. */
static enum status search(const struct registry *registry, const char *path, const char *filter, const char *items,
                          void (*take)(const json_t *item, void *context), void *context, struct error *err)
{
    char *token = mem_text("");
    enum status status = STATUS_OK;
    for (int page = 0; page < PAGES_MOST && status == STATUS_OK && (page == 0 || *token); page++) {
        json_t *answer;
        char *query =
            rest_query(path, "max_results", "200", "page_token", token, filter ? "filter" : NULL, filter, (char *)NULL);
        status = rest_call(registry, HTTP_GET, query, NULL, true, &answer, err);
        free(query);
        if (status != STATUS_OK)
            break;
        const json_t *array = json_object_get(answer, items);
        for (size_t i = 0; i < json_array_size(array); i++)
            take(json_array_get(array, i), context);
        free(token);
        token = mem_text(rest_text(answer, "next_page_token"));
        json_decref(answer);
    }
    if (status == STATUS_OK && *token) /* what is left out would look as if it were not there */
        status = error_set(err, STATUS_LIMIT,
                           "%.200s lists more than %d pages of %s, which are not all read: name one of them instead",
                           registry->root, PAGES_MOST, items);
    free(token);
    return status;
}

static void take_name(const json_t *item, void *context)
{
    text_list_add(context, rest_text(item, "name"));
}

enum status rest_models(const struct registry *registry, struct text_list *names, struct error *err)
{
    struct text_list list = {0};
    enum status status = search(registry, "registered-models/search", NULL, "registered_models", take_name, &list, err);
    if (status == STATUS_OK) {
        text_list_sort(&list);
        *names = list;
    } else {
        text_list_clear(&list);
    }
    return status;
}

/* What the server says of the model; its absence in our words. */
static enum status get_model(const struct registry *registry, const char *name, json_t **out, struct error *err)
{
    char *path = rest_query("registered-models/get", "name", name, (char *)NULL);
    enum status status = rest_call(registry, HTTP_GET, path, NULL, true, out, err);
    free(path);
    if (status == STATUS_NOT_FOUND)
        return error_set(
            err, status,
            "no registered model \"%s\" in %.200s: make it with `trainer train DATA --model logistic-regression-l2`",
            name, registry->root);
    return status;
}

static void take_version(const json_t *item, void *context)
{
    if (store_is_version(rest_text(item, "version")))
        text_list_add(context, rest_text(item, "version"));
}

static enum status search_versions(const struct registry *registry, const char *name,
                                   void (*take)(const json_t *item, void *context), void *context, struct error *err)
{
    char *filter = name_filter("name", name);
    if (!filter)
        return error_set(err, STATUS_UNSUPPORTED, "a model's name with both kinds of quotes cannot be looked for");
    enum status status = search(registry, "model-versions/search", filter, "model_versions", take, context, err);
    free(filter);
    return status;
}

enum status rest_versions(const struct registry *registry, const char *name, struct text_list *versions,
                          struct error *err)
{
    json_t *model;
    struct text_list list = {0};
    if (get_model(registry, name, &model, err) != STATUS_OK)
        return err->status;
    json_decref(model);
    enum status status = search_versions(registry, name, take_version, &list, err);
    if (status == STATUS_OK) {
        text_list_sort_versions(&list);
        *versions = list;
    } else {
        text_list_clear(&list);
    }
    return status;
}

enum status rest_version(const struct registry *registry, const char *name, const char *alias, const char *version,
                         json_t **out, struct error *err)
{
    json_t *answer;
    char *path = alias ? rest_query("registered-models/alias", "name", name, "alias", alias, (char *)NULL)
                       : rest_query("model-versions/get", "name", name, "version", version, (char *)NULL);
    enum status status = rest_call(registry, HTTP_GET, path, NULL, true, &answer, err);
    free(path);
    if (status == STATUS_NOT_FOUND) {
        enum status model = get_model(registry, name, &answer, err);
        if (model != STATUS_OK)
            return model;
        json_decref(answer);
        return alias ? error_set(err, STATUS_NOT_FOUND,
                                 "model \"%s\" has no alias \"%s\" in %.150s: set it with `registry promote %s VERSION "
                                 "--alias %s`",
                                 name, alias, registry->root, name, alias)
                     : error_set(err, STATUS_NOT_FOUND, "model \"%s\" has no version %s in %.200s: see `registry list`",
                                 name, version, registry->root);
    }
    if (status != STATUS_OK)
        return status;
    json_t *found = json_object_get(answer, "model_version");
    if (!store_is_version(rest_text(found, "version")))
        status = error_set(err, STATUS_INVALID, "%.200s answered without a model's version", registry->root);
    else
        *out = json_incref(found);
    json_decref(answer);
    return status;
}

static char *rest_text_or_null(const json_t *object, const char *key)
{
    const char *text = rest_text(object, key);
    return *text ? mem_text(text) : NULL;
}

enum status rest_describe(struct registry *registry, const char *name, const char *version, struct version_details *out,
                          struct error *err)
{
    json_t *found;
    if (rest_version(registry, name, NULL, version, &found, err) != STATUS_OK)
        return err->status;
    const json_t *aliases = json_object_get(found, "aliases");
    *out = (struct version_details){.version = {.name = mem_text(name),
                                                .version = mem_text(rest_text(found, "version")),
                                                .run_id = rest_text_or_null(found, "run_id")},
                                    .source = rest_text_or_null(found, "source"),
                                    .created_ms = rest_number(found, "creation_timestamp")};
    for (size_t a = 0; a < json_array_size(aliases); a++)
        text_list_add(&out->aliases, json_string_value(json_array_get(aliases, a)) ?: "");
    text_list_sort(&out->aliases);
    rest_pairs(json_object_get(found, "tags"), &out->tag_keys, &out->tag_values);
    out->version.sha256 = digest_of_tags(&out->tag_keys, &out->tag_values);
    json_decref(found);
    return STATUS_OK;
}

enum status rest_alias(const struct registry *registry, const char *name, const char *alias, char **version,
                       struct error *err)
{
    json_t *found;
    if (rest_version(registry, name, alias, NULL, &found, err) != STATUS_OK)
        return err->status;
    *version = mem_text(rest_text(found, "version"));
    json_decref(found);
    return STATUS_OK;
}

enum status rest_version_folder(const struct registry *registry, const char *name, const char *version, char **folder,
                                struct error *err)
{
    json_t *answer;
    char *path = rest_query("model-versions/get-download-uri", "name", name, "version", version, (char *)NULL);
    enum status status = rest_call(registry, HTTP_GET, path, NULL, true, &answer, err);
    free(path);
    if (status != STATUS_OK)
        return status;
    status = rest_artifact_path(registry, rest_text(answer, "artifact_uri"), folder, err);
    json_decref(answer);
    return status;
}

static enum status version_post(const struct registry *registry, const char *name, const char *run_id, const char *uri,
                                const struct run_pair *tags, size_t tag_count, char **version, struct error *err)
{
    json_t *answer, *body = json_pack("{s:s, s:s, s:s, s:o}", "name", name, "source", uri, "run_id", run_id, "tags",
                                      rest_pair_array(tags, 0, tag_count));
    enum status status = rest_call(registry, HTTP_POST, "model-versions/create", body, false, &answer, err);
    if (status != STATUS_OK)
        return status;
    const json_t *made = json_object_get(answer, "model_version");
    const char *number = rest_text(made, "version"), *state = rest_text(made, "status");
    if (!store_is_version(number) || strcmp(state, "FAILED_REGISTRATION") == 0)
        status = error_set(err, STATUS_INVALID, "%.200s made no version: %.60s", registry->root, *state ? state : "?");
    else
        *version = mem_text(number);
    json_decref(answer);
    return status;
}

/* The files are looked at first: a version is never without them. */
enum status rest_create_version(struct registry *registry, const char *name, const char *run_id,
                                const struct run_pair *tags, size_t tag_count, char **version, struct error *err)
{
    char *artifacts, *uri = NULL, *folder = NULL, *file = NULL;
    if (rest_run_artifacts(registry, run_id, &artifacts, err) != STATUS_OK)
        return err->status;
    uri = text_print("%s/model", artifacts);
    enum status status = rest_artifact_path(registry, uri, &folder, err);
    if (status == STATUS_OK)
        status = rest_model_file(registry, folder, &file, err);
    if (status == STATUS_OK)
        status = rest_call(registry, HTTP_POST, "registered-models/create", json_pack("{s:s}", "name", name), true,
                           NULL, err);
    if (status == STATUS_OK || status == STATUS_CONFLICT)
        status = version_post(registry, name, run_id, uri, tags, tag_count, version, err);
    free(artifacts);
    free(uri);
    free(folder);
    free(file);
    return status;
}

struct of_run {
    const char *run_id;
    char *version;
};

static void take_of_run(const json_t *item, void *context)
{
    struct of_run *wanted = context;
    if (!wanted->version && strcmp(rest_text(item, "run_id"), wanted->run_id) == 0)
        wanted->version = mem_text(rest_text(item, "version"));
}

enum status rest_version_of_run(struct registry *registry, const char *name, const char *run_id, char **version,
                                struct error *err)
{
    struct of_run wanted = {.run_id = run_id};
    enum status status = search_versions(registry, name, take_of_run, &wanted, err);
    if (status == STATUS_OK && !wanted.version)
        status = error_set(err, STATUS_NOT_FOUND, "model \"%s\" has no version of run %.64s", name, run_id);
    if (status == STATUS_OK)
        *version = wanted.version;
    else
        free(wanted.version);
    return status;
}

/* What an alias may point at: a version that is ready, with its file. */
static enum status rest_check_target(const struct registry *registry, const char *name, const char *version,
                                     struct error *err)
{
    json_t *found;
    char *folder = NULL, *file = NULL;
    enum status status = rest_version(registry, name, NULL, version, &found, err);
    if (status != STATUS_OK)
        return status;
    const char *state = rest_text(found, "status");
    if (*state && strcmp(state, "READY") != 0)
        status = error_set(err, STATUS_NOT_FOUND, "model \"%s\" version %s is not ready: %.60s", name, version, state);
    json_decref(found);
    if (status == STATUS_OK)
        status = rest_version_folder(registry, name, version, &folder, err);
    if (status == STATUS_OK)
        status = rest_model_file(registry, folder, &file, err);
    if (status == STATUS_NOT_FOUND)
        status = error_prefix(err, "an alias must not point at model \"%s\" version %s", name, version);
    free(folder);
    free(file);
    return status;
}

enum status rest_model_tag(const struct registry *registry, const char *name, const char *key, char **value,
                           struct error *err)
{
    json_t *answer;
    if (get_model(registry, name, &answer, err) != STATUS_OK)
        return err->status;
    const json_t *tags = json_object_get(json_object_get(answer, "registered_model"), "tags");
    const char *found = NULL;
    for (size_t t = 0; t < json_array_size(tags) && !found; t++)
        if (strcmp(rest_text(json_array_get(tags, t), "key"), key) == 0)
            found = rest_text(json_array_get(tags, t), "value");
    enum status status = found ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "model \"%s\" has no tag %s", name, key);
    if (found)
        *value = mem_text(found);
    json_decref(answer);
    return status;
}

static enum status rest_write_history(const struct registry *registry, const struct alias_move *move, const char *from,
                                      struct error *err)
{
    struct buffer text = {0};
    char *value = NULL, *key = history_key(move->alias);
    enum status status = rest_model_tag(registry, move->name, key, &value, err);
    if (status == STATUS_OK)
        buffer_add_text(&text, value);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        history_add(&text, move, from);
        status =
            rest_call(registry, HTTP_POST, "registered-models/set-tag",
                      json_pack("{s:s, s:s, s:s%}", "name", move->name, "key", key, "value", text.data, text.bytes),
                      true, NULL, err);
    }
    buffer_free(&text);
    free(value);
    free(key);
    return status == STATUS_OK ? STATUS_OK : history_failed(move, err);
}

static enum status conflict(const struct alias_move *move, const char *now, struct error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "alias \"%s\" of model \"%s\" points at %s%s: somebody else moved it; look again", move->alias,
                     move->name, now ? "version " : "nothing", now ? now : "");
}

static enum status post_alias(const struct registry *registry, const struct alias_move *move, char **holder,
                              struct error *err)
{
    json_t *body = json_pack("{s:s, s:s, s:s}", "name", move->name, "alias", move->alias, "version", move->version);
    if (rest_call(registry, HTTP_POST, "registered-models/alias", body, true, NULL, err) != STATUS_OK)
        return err->status;
    free(*holder);
    *holder = NULL;
    enum status status = rest_alias(registry, move->name, move->alias, holder, err);
    if (status == STATUS_OK && strcmp(*holder, move->version) != 0)
        status = conflict(move, *holder, err);
    return status;
}

enum status rest_move_alias(struct registry *registry, const struct alias_move *move, char **holder, struct error *err)
{
    char *from = NULL;
    if (rest_check_target(registry, move->name, move->version, err) != STATUS_OK)
        return err->status;
    enum status status = rest_alias(registry, move->name, move->alias, &from, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *holder = from;
    if (move->expected && strcmp(move->expected, from ? from : "") != 0)
        return conflict(move, from, err);
    *holder = NULL;
    status = post_alias(registry, move, holder, err);
    if (status == STATUS_OK && (!from || strcmp(from, move->version) != 0))
        status = rest_write_history(registry, move, from, err);
    free(from);
    return status;
}
