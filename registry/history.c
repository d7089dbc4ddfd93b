/* Who moved an alias when: a JSON array in a tag of the registered model, so that it is where the model is, in a
 * directory as on a server, and MLflow shows it. Called by the backends when an alias moves. It keeps the last moves
 * only: a tag has a limit. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text_print.h"
#include "registry/registry.h"
#include "registry/store.h"

enum { HISTORY_MOST = 50, HISTORY_BYTES = 4800 }; /* MLflow's databases of older versions take 5,000 characters */

char *history_key(const char *alias)
{
    return text_print("attrition.history.%s", alias);
}

/* "ann@host"; what is not UTF-8 or too long is made so. */
static void mover(const char *given, char out[96])
{
    char host[40] = "";
    const char *user = getenv("USER");
    (void)!gethostname(host, sizeof host - 1);
    if (given)
        snprintf(out, 96, "%.90s", given);
    else if (user && *user)
        snprintf(out, 96, "%.40s@%s", user, host);
    else
        snprintf(out, 96, "uid %u@%s", (unsigned)geteuid(), host);
    text_flatten(out);
}

/* The newest of them alone: a server may have put in any number. */
static json_t *history_parse(struct span text)
{
    json_t *all = text.bytes ? json_loadb(text.data, text.bytes, 0, NULL) : NULL, *events = json_array();
    size_t count = json_is_array(all) ? json_array_size(all) : 0;
    for (size_t e = count > HISTORY_MOST ? count - HISTORY_MOST : 0; e < count; e++)
        json_array_append(events, json_array_get(all, e));
    json_decref(all);
    return events;
}

static void dump(json_t *events, struct buffer *out)
{
    for (;;) {
        char *text = json_dumps(events, JSON_COMPACT);
        if (!text)
            abort(); /* only when there is no memory: all texts in it are UTF-8 */
        size_t bytes = strlen(text), count = json_array_size(events);
        if (count <= 1 || (count <= HISTORY_MOST && bytes <= HISTORY_BYTES)) {
            buffer_clear(out);
            buffer_add(out, text, bytes);
            buffer_add_u8(out, '\0');
            out->bytes--;
            free(text);
            return;
        }
        free(text);
        json_array_remove(events, 0);
    }
}

void history_add(struct buffer *text, const struct alias_move *move, const char *from)
{
    char by[96];
    json_t *events = history_parse(buffer_span(text)), *event = json_object();
    mover(move->by, by);
    json_object_set_new(event, "version", json_string(move->version));
    if (from)
        json_object_set_new(event, "from", json_string(from));
    json_object_set_new(event, "at", json_integer(clock_real_ms(&clock_system)));
    json_object_set_new(event, "by", json_string(by));
    if (move->rollback)
        json_object_set_new(event, "rollback", json_true());
    json_array_append_new(events, event);
    dump(events, text);
    json_decref(events);
}

enum status history_failed(const struct alias_move *move, struct error *err)
{
    return error_prefix(err, "alias %.100s is at version %s now, but its history could not be written", move->alias,
                        move->version);
}

static char *history_text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));
    return text ? mem_text(text) : NULL;
}

static void read_events(const char *text, struct alias_history *out)
{
    json_t *events = history_parse(span_of(text));
    size_t count = json_array_size(events);
    *out = (struct alias_history){.items = mem_zeroed(count + 1, sizeof *out->items)};
    for (size_t e = 0; e < count; e++) {
        const json_t *event = json_array_get(events, e);
        if (!json_string_value(json_object_get(event, "version")))
            continue;
        out->items[out->count++] = (struct alias_event){
            .version = history_text_of(event, "version"),
            .from = history_text_of(event, "from"),
            .by = history_text_of(event, "by"),
            .at_ms = json_integer_value(json_object_get(event, "at")),
            .rollback = json_is_true(json_object_get(event, "rollback")),
        };
    }
    json_decref(events);
}

enum status registry_history(const struct registry *registry, const char *name, const char *alias,
                             struct alias_history *out, struct error *err)
{
    char *text = NULL;
    if (store_check_name("model name", name, err) != STATUS_OK || store_check_alias(alias, err) != STATUS_OK)
        return err->status;
    char *key = history_key(alias);
    enum status status = registry->backend->model_tag(registry, name, key, &text, err);
    free(key);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        read_events(text ? text : "", out);
        status = STATUS_OK;
    }
    free(text);
    return status;
}

/* The versions that the alias went through, as a stack: a move puts one on top, a rollback takes the top away. */
const char *alias_history_before(const struct alias_history *history, const char *current)
{
    const char **stack = mem_zeroed(2 * history->count + 1, sizeof *stack);
    size_t depth = 0;
    for (size_t e = 0; e < history->count; e++) {
        const struct alias_event *event = &history->items[e];
        if (event->from && (depth == 0 || strcmp(stack[depth - 1], event->from) != 0))
            stack[depth++] = event->from;
        if (event->rollback && depth > 1 && strcmp(stack[depth - 2], event->version) == 0)
            depth--;
        else
            stack[depth++] = event->version;
    }
    while (depth > 0 && strcmp(stack[depth - 1], current) == 0)
        depth--;
    const char *before = depth > 0 ? stack[depth - 1] : NULL;
    free(stack);
    return before;
}
