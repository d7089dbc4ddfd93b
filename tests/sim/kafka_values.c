/* The fake client library's plain data: lists, headers, messages, errors. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/sim/kafka.h"

/* --- lists --- */

rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_new(int size)
{
    rd_kafka_topic_partition_list_t *list = mem_zeroed(1, sizeof *list);
    (void)size;
    return list;
}

rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_add(rd_kafka_topic_partition_list_t *list, const char *topic,
                                                              int32_t partition)
{
    if (list->cnt == list->size) {
        list->size = list->size * 2 + 8;
        list->elems = mem_resize(list->elems, (size_t)list->size, sizeof *list->elems);
    }
    rd_kafka_topic_partition_t *element = &list->elems[list->cnt++];
    *element = (rd_kafka_topic_partition_t){
        .topic = mem_text(topic), .partition = partition, .offset = RD_KAFKA_OFFSET_INVALID};
    return element;
}

rd_kafka_resp_err_t rd_kafka_topic_partition_list_set_offset(rd_kafka_topic_partition_list_t *list, const char *topic,
                                                             int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_find(list, topic, partition);
    if (!element)
        return RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    element->offset = offset;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void note_set(rd_kafka_topic_partition_t *element, char *note)
{
    free(element->metadata);
    element->metadata = note;
    element->metadata_size = note ? strlen(note) : 0;
}

rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_copy(const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *copy = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &list->elems[i];
        rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(copy, from->topic, from->partition);
        to->offset = from->offset;
        if (from->metadata)
            note_set(to, mem_text_n(from->metadata, from->metadata_size));
    }
    return copy;
}

rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_find(const rd_kafka_topic_partition_list_t *list,
                                                               const char *topic, int32_t partition)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].partition == partition && !strcmp(list->elems[i].topic, topic))
            return &list->elems[i];
    return NULL;
}

int rd_kafka_topic_partition_list_del_by_idx(rd_kafka_topic_partition_list_t *list, int index)
{
    free(list->elems[index].topic);
    free(list->elems[index].metadata);
    list->cnt--;
    memmove(&list->elems[index], &list->elems[index + 1], (size_t)(list->cnt - index) * sizeof *list->elems);
    return 1;
}

void rd_kafka_topic_partition_list_destroy(rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        free(list->elems[i].topic);
        free(list->elems[i].metadata);
    }
    free(list->elems);
    free(list);
}

/* --- headers --- */

rd_kafka_headers_t *rd_kafka_headers_new(size_t capacity)
{
    (void)capacity;
    return mem_zeroed(1, sizeof(rd_kafka_headers_t));
}

static void header_free(struct header *header)
{
    free(header->name);
    free(header->value);
}

void rd_kafka_headers_destroy(rd_kafka_headers_t *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        header_free(&headers->items[i]);
    free(headers->items);
    free(headers);
}

rd_kafka_resp_err_t rd_kafka_header_add(rd_kafka_headers_t *headers, const char *name, ssize_t name_bytes,
                                        const void *value, ssize_t bytes)
{
    if (headers->count == headers->capacity) {
        headers->capacity = headers->capacity * 2 + 8;
        headers->items = mem_resize(headers->items, headers->capacity, sizeof *headers->items);
    }
    size_t size = bytes < 0 ? strlen(value) : (size_t)bytes;
    headers->items[headers->count++] =
        (struct header){name_bytes < 0 ? mem_text(name) : mem_text_n(name, (size_t)name_bytes),
                        value ? mem_text_n(value, size) : NULL, size};
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_headers_t *rd_kafka_headers_copy(const rd_kafka_headers_t *headers)
{
    rd_kafka_headers_t *copy = rd_kafka_headers_new(headers->count);
    for (size_t i = 0; i < headers->count; i++)
        rd_kafka_header_add(copy, headers->items[i].name, -1, headers->items[i].value,
                            (ssize_t)headers->items[i].bytes);
    return copy;
}

rd_kafka_resp_err_t rd_kafka_header_remove(rd_kafka_headers_t *headers, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < headers->count; i++) {
        if (strcmp(headers->items[i].name, name))
            headers->items[kept++] = headers->items[i];
        else
            header_free(&headers->items[i]);
    }
    rd_kafka_resp_err_t code = kept == headers->count ? RD_KAFKA_RESP_ERR__NOENT : RD_KAFKA_RESP_ERR_NO_ERROR;
    headers->count = kept;
    return code;
}

rd_kafka_resp_err_t rd_kafka_header_get_last(const rd_kafka_headers_t *headers, const char *name, const void **value,
                                             size_t *bytes)
{
    for (size_t i = headers->count; i-- > 0;)
        if (!strcmp(headers->items[i].name, name)) {
            *value = headers->items[i].value;
            *bytes = headers->items[i].bytes;
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        }
    return RD_KAFKA_RESP_ERR__NOENT;
}

size_t rd_kafka_header_cnt(const rd_kafka_headers_t *headers)
{
    return headers->count;
}

rd_kafka_resp_err_t rd_kafka_header_get_all(const rd_kafka_headers_t *headers, size_t at, const char **name,
                                            const void **value, size_t *bytes)
{
    if (at >= headers->count)
        return RD_KAFKA_RESP_ERR__NOENT;
    *name = headers->items[at].name;
    *value = headers->items[at].value;
    *bytes = headers->items[at].bytes;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* --- messages --- */

struct message *message_make(rd_kafka_t *client, const struct record *record)
{
    struct message *message = mem_zeroed(1, sizeof *message);
    message->record = record;
    message->shown.rkt = handle_of(client, record->topic);
    message->shown.partition = record->partition;
    message->shown.offset = record->offset;
    message->shown.key = record->key;
    message->shown.key_len = record->key_bytes;
    message->shown.payload = record->value;
    message->shown.len = record->value_bytes;
    return message;
}

void rd_kafka_message_destroy(rd_kafka_message_t *message)
{
    free(message);
}

const char *rd_kafka_message_errstr(const rd_kafka_message_t *message)
{
    return ((const struct message *)message)->text;
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message, rd_kafka_headers_t **out)
{
    const struct record *record = ((const struct message *)message)->record;
    if (!record || !record->headers)
        return RD_KAFKA_RESP_ERR__NOENT;
    *out = record->headers;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type)
{
    const struct record *record = ((const struct message *)message)->record;
    if (type)
        *type = RD_KAFKA_TIMESTAMP_CREATE_TIME;
    return record ? record->timestamp_ms : -1;
}

/* --- errors --- */

static const struct {
    rd_kafka_resp_err_t code;
    const char *name;
} code_names[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, "NO_ERROR"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, "_TIMED_OUT"},
    {RD_KAFKA_RESP_ERR__STATE, "_STATE"},
    {RD_KAFKA_RESP_ERR__FENCED, "_FENCED"},
    {RD_KAFKA_RESP_ERR__FATAL, "_FATAL"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "_UNKNOWN_PARTITION"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "MSG_SIZE_TOO_LARGE"},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, "INVALID_TXN_STATE"},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, "INVALID_PRODUCER_EPOCH"},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, "ILLEGAL_GENERATION"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, "UNKNOWN_MEMBER_ID"},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "FENCED_INSTANCE_ID"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "NOT_ENOUGH_REPLICAS"},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "_MSG_TIMED_OUT"},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, "_PURGE_QUEUE"},
    {RD_KAFKA_RESP_ERR__PARTITION_EOF, "_PARTITION_EOF"},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, "_AUTO_OFFSET_RESET"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, "INVALID_TIMESTAMP"},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "OUT_OF_ORDER_SEQUENCE_NUMBER"},
};

const char *rd_kafka_err2name(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < sizeof code_names / sizeof *code_names; i++)
        if (code_names[i].code == code)
            return code_names[i].name;
    return "OTHER";
}

const char *rd_kafka_err2str(rd_kafka_resp_err_t code)
{
    return rd_kafka_err2name(code);
}

static rd_kafka_resp_err_t errors_last;

rd_kafka_resp_err_t rd_kafka_last_error(void)
{
    return errors_last;
}

void error_last_set(rd_kafka_resp_err_t code)
{
    errors_last = code;
}

rd_kafka_error_t *error_make(rd_kafka_resp_err_t code, const char *text, bool fatal, bool retriable, bool abort)
{
    rd_kafka_error_t *error = mem_zeroed(1, sizeof *error);
    error->code = code;
    error->fatal = fatal;
    error->retriable = retriable;
    error->abort = abort;
    snprintf(error->text, sizeof error->text, "%s", text);
    return error;
}

rd_kafka_resp_err_t rd_kafka_error_code(const rd_kafka_error_t *error)
{
    return error ? error->code : RD_KAFKA_RESP_ERR_NO_ERROR;
}

const char *rd_kafka_error_string(const rd_kafka_error_t *error)
{
    return error ? error->text : "";
}

const char *rd_kafka_error_name(const rd_kafka_error_t *error)
{
    return rd_kafka_err2name(rd_kafka_error_code(error));
}

int rd_kafka_error_is_fatal(const rd_kafka_error_t *error)
{
    return error->fatal;
}

int rd_kafka_error_is_retriable(const rd_kafka_error_t *error)
{
    return error->retriable;
}

int rd_kafka_error_txn_requires_abort(const rd_kafka_error_t *error)
{
    return error->abort;
}

void rd_kafka_error_destroy(rd_kafka_error_t *error)
{
    free(error);
}
