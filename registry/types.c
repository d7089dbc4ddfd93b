/* The plain structs of registry.h: filling lists, looking things up, and freeing. Any thread; no input or output but
 * the random bytes of a key. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/random_hex.h"
#include "registry/types.h"

void text_list_add(struct text_list *list, const char *text)
{
    list->items = mem_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = mem_text(text);
}

void text_list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

static int order_versions(const void *a, const void *b)
{
    long left = atol(*(char *const *)a), right = atol(*(char *const *)b);
    return (left > right) - (left < right);
}

void text_list_sort(struct text_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, order_texts);
}

void text_list_sort_versions(struct text_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, order_versions);
}

void model_version_clear(struct model_version *version)
{
    free(version->name);
    free(version->version);
    free(version->alias);
    free(version->run_id);
    free(version->path);
    free(version->sha256);
    *version = (struct model_version){0};
}

void version_details_clear(struct version_details *details)
{
    model_version_clear(&details->version);
    free(details->source);
    text_list_clear(&details->aliases);
    text_list_clear(&details->tag_keys);
    text_list_clear(&details->tag_values);
    *details = (struct version_details){0};
}

static void alias_event_clear(struct alias_event *event)
{
    free(event->version);
    free(event->from);
    free(event->by);
}

void alias_history_clear(struct alias_history *history)
{
    for (size_t e = 0; e < history->count; e++)
        alias_event_clear(&history->items[e]);
    free(history->items);
    *history = (struct alias_history){0};
}

void run_details_clear(struct run_details *details)
{
    free(details->run_id);
    free(details->name);
    free(details->status);
    text_list_clear(&details->param_keys);
    text_list_clear(&details->param_values);
    text_list_clear(&details->tag_keys);
    text_list_clear(&details->tag_values);
    text_list_clear(&details->metric_keys);
    free(details->metric_values);
    *details = (struct run_details){0};
}

static long find_text(const struct text_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return (long)i;
    return -1;
}

const char *run_details_tag(const struct run_details *details, const char *key)
{
    long place = find_text(&details->tag_keys, key);
    return place < 0 ? NULL : details->tag_values.items[place];
}

long run_details_metric(const struct run_details *details, const char *key)
{
    return find_text(&details->metric_keys, key);
}

void run_list_clear(struct run_list *list)
{
    for (size_t r = 0; r < list->count; r++)
        run_details_clear(&list->items[r]);
    free(list->items);
    *list = (struct run_list){0};
}

void metric_series_clear(struct metric_series *series)
{
    free(series->steps);
    free(series->values);
    *series = (struct metric_series){0};
}

void run_draw_key(char out[RUN_KEY_BYTES])
{
    random_hex(out, RUN_KEY_BYTES - 1);
}

bool run_metric_repeated(const struct run *run, size_t metric)
{
    const struct run_metric *metrics = run->metrics;
    for (size_t before = 0; before < metric; before++)
        if (metrics[before].step == metrics[metric].step && strcmp(metrics[before].key, metrics[metric].key) == 0)
            return true;
    return false;
}
