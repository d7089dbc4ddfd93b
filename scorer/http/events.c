/* POST /events: one event, a list, or lines, in any form the stream takes (docs/EVENTS_AS_JSON.md). See docs/HTTP.md.
 * On the server's threads; waits for nothing: the events are left in the answer as framed Avro, and the server sends it
 * once they are committed to the input topic. */
#include "scorer/http/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex_digit.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "events/event_encoder.h"
#include "scorer/http/body.h"
#include "scorer/http/event_reader.h"
#include "scorer/http/media_type.h"
#include "scorer/http/parameters.h"
#include "scorer/http/service.h"

enum { EVENTS_MAX = 1000, DIGEST_DIGITS = 32, SOURCE_BYTES = 64, CE_HEADERS = 4 };

struct posting {
    const struct settings *settings;
    const struct request *request;
    struct span parts[EVENTS_MAX]; /* the events' documents */
    size_t count;                  /* may be larger: the rest is not kept */
    bool is_list;
    struct record_context context; /* what stands where a document says nothing */
    char source[SOURCE_BYTES];     /* what event ids are made of */
    struct buffer ce[CE_HEADERS];
    struct faults faults;
};

static struct loc body_loc(void)
{
    return loc_name((struct loc){0}, "body");
}

static void keep_part(struct posting *posting, struct span part)
{
    if (posting->count < EVENTS_MAX)
        posting->parts[posting->count] = part;
    posting->count++;
}

/* --- finding the events --- */

static struct span trim(struct span line)
{
    while (line.bytes && strchr(" \t\r", line.data[line.bytes - 1]))
        line.bytes--;
    for (; line.bytes && strchr(" \t\r", *line.data); line.bytes--)
        line.data++;
    return line;
}

/* Lines without anything on them are passed over. */
static void find_lines(struct posting *posting)
{
    const char *at = posting->request->body.data, *end = at + posting->request->body.bytes;
    posting->is_list = true;
    for (const char *next; at < end; at = next + 1) {
        next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next : end;
        const struct span line = trim((struct span){at, (size_t)(next - at)});
        if (line.bytes)
            keep_part(posting, line);
    }
}

static void find_documents(struct posting *posting, struct body *body)
{
    struct json_reader *reader = &body->reader;
    const struct json_value root = json_read_part(reader, body->text);
    struct span part;
    posting->is_list = root.kind == JSON_KIND_ARRAY;
    if (!posting->is_list)
        keep_part(posting, body->text);
    for (bool first = true; posting->is_list && json_next_item(reader, &first);) {
        json_skip_value(reader, &part);
        keep_part(posting, part);
    }
}

/* False: it is no JSON, and the answer says so. */
static bool find_events(struct posting *posting, struct answer *answer)
{
    struct body body = {0};
    bool is_json = true;
    if (media_type_is(posting->request->headers.content_type, "application/x-ndjson")) {
        find_lines(posting);
    } else {
        is_json = body_read(posting->request, &body, answer);
        if (is_json)
            find_documents(posting, &body);
        body_free(&body);
    }
    return is_json;
}

static void check_count(struct posting *posting)
{
    if (!posting->count)
        faults_add(&posting->faults, body_loc(), EVENT_MISSING_REQUIRED, "no event");
    else if (posting->count > EVENTS_MAX)
        faults_add(&posting->faults, body_loc(), EVENT_LIMIT, "more than 1000 events");
    else if (posting->is_list && posting->context.ce_specversion.data)
        faults_add(&posting->faults, loc_name(loc_name((struct loc){0}, "header"), "ce-specversion"), EVENT_MALFORMED,
                   "CloudEvents in binary mode carry one event, not a list");
}

/* --- what the request says besides its body --- */

/* Percent-encoded, as CloudEvents' HTTP binding says; a % that begins nothing of the kind stays. */
static struct span decode_header(const char *header, struct buffer *out)
{
    if (!header)
        return SPAN_NULL;
    for (const char *at = header; *at; at++) {
        int high = *at == '%' ? hex_digit(at[1]) : -1, low = high >= 0 ? hex_digit(at[2]) : -1;
        buffer_add_u8(out, low >= 0 ? (uint8_t)(high << 4 | low) : (uint8_t)*at);
        at += low >= 0 ? 2 : 0;
    }
    return buffer_span(out);
}

/* The same body gives the same ids, so that a client may send it again. */
static void describe(struct posting *posting, int64_t now_us)
{
    const struct request_headers *headers = &posting->request->headers;
    char digest[SHA256_HEX_BYTES];
    sha256_hex(posting->request->body, digest);
    int bytes = snprintf(posting->source, sizeof posting->source, "http/%.*s", DIGEST_DIGITS, digest);
    posting->context = (struct record_context){
        .topic = {posting->source, (size_t)bytes},
        .partition = -1,
        .timestamp_ms = now_us / 1000,
        .ce_specversion = decode_header(headers->ce_specversion, &posting->ce[0]),
        .ce_id = decode_header(headers->ce_id, &posting->ce[1]),
        .ce_time = decode_header(headers->ce_time, &posting->ce[2]),
        .ce_subject = decode_header(headers->ce_subject, &posting->ce[3]),
    };
}

/* --- the answer --- */

static void take_event(const struct posting *posting, const struct event *event, struct json_writer *json,
                       struct prediction_log_records *records)
{
    json_write_text(json, NULL, event->event_id);
    prediction_log_begin_record(records, event->employee_id);
    event_encode(posting->settings->schema, event, &records->bytes);
    prediction_log_end_record(records);
}

/* Reads all, so that every fault is reported; what it takes counts only where there is none. */
static void take_events(struct posting *posting, int64_t now_us, struct answer *answer)
{
    struct event_reader *reader = event_reader_new(posting->settings, now_us);
    struct json_writer json = json_begin_document(&answer->body);
    struct event event;
    json_write_uint(&json, "accepted", posting->count);
    json_begin_array(&json, "event_ids");
    for (size_t i = 0; i < posting->count; i++) {
        struct loc loc = posting->is_list ? loc_index(body_loc(), i) : body_loc();
        posting->context.offset = (int64_t)i;
        if (event_reader_read(reader, posting->parts[i], &posting->context, loc, &event, &posting->faults))
            take_event(posting, &event, &json, &answer->log);
    }
    json_end_array(&json);
    json_end_document(&json);
    event_reader_free(reader);
}

static void answer_posting(struct posting *posting, struct answer *answer)
{
    static const char *const known[] = {NULL};
    int64_t now_us = clock_real_us(&clock_system);
    describe(posting, now_us);
    parameters_check(posting->request, known, &posting->faults);
    if (!find_events(posting, answer))
        return;
    check_count(posting);
    if (!posting->faults.count)
        take_events(posting, now_us, answer);
    if (faults_answer(&posting->faults, answer)) {
        prediction_log_records_clear(&answer->log);
        return;
    }
    answer->status = 202;
    answer->to_input = true;
}

void events_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct posting *posting = mem_zeroed(1, sizeof *posting);
    posting->settings = service->view.settings;
    posting->request = request;
    answer_posting(posting, answer);
    faults_clear(&posting->faults);
    for (size_t i = 0; i < CE_HEADERS; i++)
        buffer_free(&posting->ce[i]);
    free(posting);
}

void events_answer_refused(struct answer *answer, const char *reason)
{
    answer_detail(answer, 503, "%s: no event is written, send them again later", reason);
    answer->retry_after_s = 5;
}

/* The ids stay those of the 202, whose list is its body's last member. */
static void answer_unknown(struct answer *answer)
{
    static const char member[] = "\"event_ids\":";
    struct buffer before = answer->body;
    const char *list = memmem(before.data, before.bytes, member, sizeof member - 1);
    answer->body = (struct buffer){0};
    struct json_writer json = json_begin_document(&answer->body);
    json_write_string(
        &json, "detail",
        "Kafka has not acknowledged the events in time, so it is not known whether they are written: send "
        "them again with the same event_ids, and readers see which they have");
    list += sizeof member - 1;
    size_t bytes = (size_t)(before.data + before.bytes - list) - strlen("}\n");
    buffer_add(json_write_raw(&json, "event_ids"), list, bytes);
    json_end_document(&json);
    buffer_free(&before);
    answer->status = 503;
    answer->retry_after_s = 5;
}

void events_answer_unkept(struct answer *answer, enum event_sent result)
{
    if (result == EVENTS_UNKNOWN)
        answer_unknown(answer);
    else
        events_answer_refused(answer, "Kafka has not taken the events in time");
}
