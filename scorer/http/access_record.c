/* Writing who saw whom: see access_record.h. On the readers' threads, through DATABASE_URL. */
#include "scorer/http/access_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "scorer/http/database.h"
#include "scorer/http/head_check.h"

enum { PURPOSE_CHARACTERS_MOST = 200 };

static void add_text(struct buffer *out, struct span text)
{
    bool is_utf8 = utf8_is_valid(text);
    for (size_t b = 0; b < text.bytes; b++) {
        uint8_t byte = (uint8_t)text.data[b];
        if (is_utf8 || byte < 0x80) {
            buffer_add_u8(out, byte);
        } else {
            buffer_add_u8(out, (uint8_t)(0xC0 | byte >> 6));
            buffer_add_u8(out, (uint8_t)(0x80 | (byte & 0x3F)));
        }
    }
}

const char *access_purpose_text(const char *header, struct buffer *out)
{
    struct buffer copy = {0};
    if (!header)
        return NULL;
    buffer_add(&copy, header, strlen(header) + 1);
    add_text(out, (struct span){copy.data, head_check_unescape(NULL, NULL, copy.data)});
    buffer_add_u8(out, '\0');
    buffer_free(&copy);
    text_flatten(out->data);
    return *out->data ? out->data : NULL;
}

bool access_purpose_sound(const struct request *request, struct answer *answer)
{
    size_t characters = 0;
    struct buffer purpose = {0};
    for (const char *at = access_purpose_text(request->headers.purpose, &purpose); at && *at; at++)
        characters += ((uint8_t)*at & 0xC0) != 0x80;
    buffer_free(&purpose);
    if (characters <= PURPOSE_CHARACTERS_MOST)
        return true;
    answer_detail(answer, 400, "X-Purpose: more than %d characters", PURPOSE_CHARACTERS_MOST);
    return false;
}

/* An array of texts as PostgreSQL reads it. */
static void add_array(struct buffer *out, const struct span *ids, size_t count)
{
    buffer_add_u8(out, '{');
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, i ? ",\"" : "\"");
        for (size_t b = 0; b < ids[i].bytes; b++) {
            if (ids[i].data[b] == '"' || ids[i].data[b] == '\\')
                buffer_add_u8(out, '\\');
            buffer_add_u8(out, (uint8_t)ids[i].data[b]);
        }
        buffer_add_u8(out, '"');
    }
    buffer_add(out, "}", sizeof "}");
}

bool access_record(const struct service *service, const struct request *request, const char *path,
                   const struct span *ids, size_t count, struct answer *answer)
{
    static const char sql[] =
        "INSERT INTO attrition.access_log (token, address, request_id, request, employees, purpose) "
        "VALUES ($1, $2, $3, $4, $5::text[], $6)";
    struct buffer array = {0}, purpose = {0};
    struct database_rows *none = NULL;
    add_array(&array, ids, count);
    const char *const values[] = {
        *request->token_name ? request->token_name : "none",    request->address, request->request_id, path, array.data,
        access_purpose_text(request->headers.purpose, &purpose)};
    bool written = database_query(service->writes, request, "writing who saw whom", sql, 6, values, &none, answer);
    if (!written && answer->status == 503)
        answer_unavailable(answer,
                           "it cannot be written to attrition.access_log who asks, so no names are given: see the "
                           "log; ask again later");
    database_rows_free(none);
    buffer_free(&array);
    buffer_free(&purpose);
    return written;
}

bool access_record_rows(const struct service *service, const struct request *request, const char *path, const char *q,
                        const struct database_rows *rows, size_t count, size_t column, struct answer *answer)
{
    const struct span sought = span_of(q ? q : "");
    if (!count)
        return access_record(service, request, path, &sought, q != NULL, answer);
    struct span *ids = mem_zeroed(count, sizeof *ids);
    for (size_t row = 0; row < count; row++)
        ids[row] = database_rows_text(rows, row, column);
    bool written = access_record(service, request, path, ids, count, answer);
    free(ids);
    return written;
}
