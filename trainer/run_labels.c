/* Options → tags: see run_labels.h. Called once, before anything is read. A key is a file's name in a directory of
 * runs: it must never lead out of it, nor overwrite what the trainer says of a run itself. */
#include "trainer/run_labels.h"

#include <string.h>

#include "base/memory.h"

enum { KEY_MOST = 250, NAME_MOST = 250 };

/* mlflow.runName and the trainer's own: data.sha256, model.kind, … */
static bool is_reserved(const char *key)
{
    static const char *const beginnings[] = {"mlflow.", "data.",    "model.",     "schema.",
                                             "folds.",  "trainer.", "attrition.", "search."};
    for (size_t b = 0; b < sizeof beginnings / sizeof *beginnings; b++)
        if (strncmp(key, beginnings[b], strlen(beginnings[b])) == 0)
            return true;
    return strcmp(key, "threshold") == 0;
}

static bool is_key(const char *key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- .";
    size_t bytes = strlen(key);
    return bytes > 0 && bytes <= KEY_MOST && *key != '.' && strspn(key, letters) == bytes;
}

static enum status tag_add(struct run_labels *labels, struct span text, struct error *err)
{
    char *key = arena_text(&labels->texts, text.data, text.bytes), *equals = strchr(key, '=');
    if (equals)
        *equals = '\0';
    if (!equals || !is_key(key))
        return error_set(err, STATUS_INVALID,
                         "--tag %.60s: give KEY=VALUE, the key of letters, digits, spaces and _ - . (not first)", key);
    if (is_reserved(key))
        return error_set(err, STATUS_INVALID, "--tag %.60s: the trainer or MLflow sets that one: choose another key",
                         key);
    if (strlen(equals + 1) > RUN_LABELS_TEXT_MOST)
        return error_set(err, STATUS_INVALID, "--tag %.60s: the value has more than %d bytes: shorten it", key,
                         RUN_LABELS_TEXT_MOST);
    for (size_t t = 0; t < labels->tag_count; t++)
        if (strcmp(labels->tags[t].key, key) == 0)
            return error_set(err, STATUS_INVALID, "--tag %.60s is given twice: keep one", key);
    if (labels->tag_count == RUN_LABELS_TAGS_MOST)
        return error_set(err, STATUS_INVALID, "--tag: more than %d tags: leave some out", RUN_LABELS_TAGS_MOST);
    labels->tags[labels->tag_count++] = (struct run_pair){key, equals + 1};
    return STATUS_OK;
}

static enum status check_texts(const struct run_labels *labels, struct error *err)
{
    if (labels->name && (!*labels->name || strlen(labels->name) > NAME_MOST))
        return error_set(err, STATUS_INVALID, "--run-name: give 1 to %d bytes", NAME_MOST);
    if (labels->description && strlen(labels->description) > RUN_LABELS_TEXT_MOST)
        return error_set(err, STATUS_INVALID, "--description has more than %d bytes: shorten it", RUN_LABELS_TEXT_MOST);
    return STATUS_OK;
}

enum status run_labels_read(const struct options *options, struct run_labels *out, struct error *err)
{
    struct run_labels labels = {.name = options_text(options, OPTION_RUN_NAME),
                                .description = options_text(options, OPTION_DESCRIPTION)};
    enum status status = check_texts(&labels, err);
    for (const char *tag = options_text(options, OPTION_TAG), *end; tag && status == STATUS_OK; tag = end) {
        size_t bytes = strcspn(tag, (const char[]){OPTION_SEPARATOR, '\0'});
        status = tag_add(&labels, (struct span){tag, bytes}, err);
        end = tag[bytes] ? tag + bytes + 1 : NULL;
    }
    if (status == STATUS_OK)
        *out = labels;
    else
        run_labels_clear(&labels);
    return status;
}

void run_labels_clear(struct run_labels *labels)
{
    arena_free(&labels->texts);
    *labels = (struct run_labels){0};
}
