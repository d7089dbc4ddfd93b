/* `producer dlq list`: dead letters by code, field and stage, with counts and the first places of each. Reads the topic
 * once, keeps a handful of groups, changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "producer/dlq.h"
#include "producer/stop.h"

enum { EXAMPLES = 3, NAME_MAX_BYTES = 96, GROUPS_MAX = 10000 };

struct group {
    char code[NAME_MAX_BYTES], field[NAME_MAX_BYTES], stage[NAME_MAX_BYTES];
    uint64_t count, replayed; /* replayed: came back after a replay */
    struct {
        int32_t partition;
        int64_t offset;
    } examples[EXAMPLES];
};

struct list {
    struct group *groups;
    size_t count, capacity;
    uint64_t letters, read;
};

/* Headers are anybody's: what is no plain text is made so. */
static void header_copy(const struct dlq_letter *letter, enum dead_letter_header header, char out[NAME_MAX_BYTES])
{
    struct span text = dlq_letter_header(letter, header);
    snprintf(out, NAME_MAX_BYTES, "%.*s", (int)(text.bytes < NAME_MAX_BYTES ? text.bytes : NAME_MAX_BYTES - 1),
             text.data ? text.data : "");
    text_flatten(out);
}

static struct group *list_group_of(struct list *list, const struct group *wanted)
{
    static const struct group others = {.code = "(others)"}; /* the last there is room for */
    for (size_t g = 0; g < list->count; g++) {
        struct group *group = &list->groups[g];
        if (!strcmp(group->code, wanted->code) && !strcmp(group->field, wanted->field) &&
            !strcmp(group->stage, wanted->stage))
            return group;
    }
    if (list->count == GROUPS_MAX)
        return &list->groups[GROUPS_MAX - 1];
    if (list->count == GROUPS_MAX - 1)
        wanted = &others;
    list->groups = mem_grow(list->groups, &list->capacity, list->count + 1, sizeof *list->groups);
    list->groups[list->count] = *wanted;
    return &list->groups[list->count++];
}

static void list_add_letter(struct list *list, const struct dlq_letter *letter)
{
    struct group wanted = {0};
    header_copy(letter, DEAD_LETTER_CODE, wanted.code);
    header_copy(letter, DEAD_LETTER_FIELD, wanted.field);
    header_copy(letter, DEAD_LETTER_STAGE, wanted.stage);
    struct group *group = list_group_of(list, &wanted);
    if (group->count < EXAMPLES) {
        group->examples[group->count].partition = letter->partition;
        group->examples[group->count].offset = letter->offset;
    }
    group->count++;
    group->replayed += dead_letter_number(dlq_letter_header(letter, DEAD_LETTER_REPLAY_COUNT), 0) > 0;
    list->letters++;
}

static int by_count(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    int order = strcmp(left->code, right->code);
    return order ? order : strcmp(left->field, right->field);
}

static size_t example_count(const struct group *group)
{
    return group->count < EXAMPLES ? (size_t)group->count : EXAMPLES;
}

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

static void print_table(const struct list *list, FILE *out)
{
    if (list->count)
        fprintf(out, "%-20s %-28s %-6s %10s %10s  %s\n", "code", "field", "stage", "letters", "replayed",
                "first at partition:offset");
    for (size_t g = 0; g < list->count; g++) {
        const struct group *group = &list->groups[g];
        fprintf(out, "%-20s %-28s %-6s %10" PRIu64 " %10" PRIu64 " ", or_dash(group->code), or_dash(group->field),
                or_dash(group->stage), group->count, group->replayed);
        for (size_t e = 0; e < example_count(group); e++)
            fprintf(out, " %" PRId32 ":%" PRId64, group->examples[e].partition, group->examples[e].offset);
        putc('\n', out);
    }
    fprintf(out, "%" PRIu64 " dead letters of %" PRIu64 " read\n", list->letters, list->read);
}

static void list_write_name(struct json_writer *json, const char *name, const char *text)
{
    json_write_string(json, name, *text ? text : NULL);
}

static void list_write_group(struct buffer *out, const struct group *group)
{
    struct json_writer json = json_begin_document(out);
    list_write_name(&json, "code", group->code);
    list_write_name(&json, "field", group->field);
    list_write_name(&json, "stage", group->stage);
    json_write_uint(&json, "count", group->count);
    json_write_uint(&json, "replayed", group->replayed);
    json_begin_array(&json, "examples");
    for (size_t e = 0; e < example_count(group); e++) {
        json_begin_object(&json, NULL);
        json_write_int(&json, "partition", group->examples[e].partition);
        json_write_int(&json, "offset", group->examples[e].offset);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_document(&json);
}

/* One line a group. */
static void list_print_json(const struct list *list, FILE *out)
{
    struct buffer lines = {0};
    for (size_t g = 0; g < list->count; g++)
        list_write_group(&lines, &list->groups[g]);
    fprintf(out, "%.*s", (int)lines.bytes, buffer_span(&lines).data);
    buffer_free(&lines);
}

static enum status list_read_all(struct dlq_reader *reader, const struct dlq_filter *filter, struct list *list,
                                 struct error *err)
{
    struct dlq_letter letter;
    bool more;
    for (;;) {
        enum status status = dlq_reader_next(reader, &letter, &more, err);
        if (status != STATUS_OK || !more)
            return status;
        list->read++;
        if (dlq_filter_passes(filter, &letter))
            list_add_letter(list, &letter);
    }
}

int dlq_list(const struct options *options, const struct dlq_filter *filter)
{
    struct list list = {0};
    struct dlq_reader *reader = NULL;
    struct error err;
    enum status status = dlq_reader_new(options, filter->partition, DLQ_UNMARKED, &stop_requested, &reader, &err);
    if (status == STATUS_OK)
        status = list_read_all(reader, filter, &list, &err);
    if (status == STATUS_OK && stop_requested)
        status = error_set(&err, STATUS_UNAVAILABLE, "stopped before the end");
    if (list.count)
        qsort(list.groups, list.count, sizeof *list.groups, by_count);
    if (status == STATUS_OK)
        (options_flag(options, OPTION_JSON) ? list_print_json : print_table)(&list, stdout);
    else
        log_error("dlq", "%s", err.text);
    dlq_reader_free(reader);
    free(list.groups);
    return status == STATUS_OK ? 0 : 1;
}
