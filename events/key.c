/* Message keys: see key.h. On the score loops' threads, for each event whose key is not simply its employee id. Must
 * never wait, and allocates only for a key's schema that is new. A key whose schema is not known is no text: it names
 * nobody, so that nobody is erased by a guess. */
#include "events/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "avro/read.h"
#include "avro/type.h"
#include "events/fault.h"
#include "events/key_json.h"

enum { SCHEMAS_MAX = 16 };

struct key_schema {
    struct schema_key key;
    struct avro_schema *schema; /* NULL: it cannot be used */
};

struct key_reader {
    struct registry_client *registry;
    struct key_schema schemas[SCHEMAS_MAX];
    size_t count, next; /* next: which makes room for a new one */
    struct buffer text;
    struct json_reader json;
    const struct map_node *pointer; /* NULL: none */
};

struct key_reader *key_reader_new(struct registry_client *registry)
{
    struct key_reader *reader = mem_zeroed(1, sizeof *reader);
    reader->registry = registry;
    return reader;
}

void key_reader_free(struct key_reader *reader)
{
    if (!reader)
        return;
    for (size_t s = 0; s < reader->count; s++)
        avro_schema_free(reader->schemas[s].schema);
    buffer_free(&reader->text);
    json_reader_free(&reader->json);
    free(reader);
}

void key_reader_use_map(struct key_reader *reader, const struct map_node *pointer)
{
    reader->pointer = pointer;
}

static enum event_code key_refuse(struct fault *fault, const char *why)
{
    return fault_set(fault, EVENT_BAD_ID, FAULT_NO_COLUMN, "the message key %s", why);
}

/* --- Avro --- */

static struct key_schema *key_schema_add(struct key_reader *reader, const struct schema_key *key)
{
    struct key_schema *slot = &reader->schemas[reader->next];
    struct error err;
    reader->next = (reader->next + 1) % SCHEMAS_MAX;
    reader->count += reader->count < SCHEMAS_MAX;
    avro_schema_free(slot->schema);
    *slot = (struct key_schema){.key = *key};
    if (reader->text.bytes && avro_schema_parse(buffer_span(&reader->text), &slot->schema, &err) != STATUS_OK)
        slot->schema = NULL;
    return slot;
}

/* NULL: none that can be used, or not yet. */
static const struct avro_type *schema_find(struct key_reader *reader, const struct schema_key *key, bool *waits)
{
    struct key_schema *found = NULL;
    struct error why;
    for (size_t s = 0; s < reader->count && !found; s++)
        if (schema_key_equal(&reader->schemas[s].key, key))
            found = &reader->schemas[s];
    if (!found) {
        enum registry_find answer = registry_client_find(reader->registry, key, &reader->text, &why);
        *waits = answer == REGISTRY_FIND_WAIT;
        if (answer == REGISTRY_FIND_UNUSABLE)
            buffer_clear(&reader->text);
        if (answer == REGISTRY_FIND_SCHEMA || answer == REGISTRY_FIND_UNUSABLE)
            found = key_schema_add(reader, key);
    }
    return found && found->schema ? avro_schema_type(found->schema) : NULL;
}

static bool key_read_number(struct cursor *in, char storage[static ID_BYTES_MAX], struct span *id)
{
    int64_t number;
    bool padded;
    if (!avro_read_long(in, &number, &padded))
        return false;
    *id = (struct span){storage, (size_t)snprintf(storage, ID_BYTES_MAX, "%" PRId64, number)};
    return true;
}

/* The key as a string or integer, or as the one such field of a record, maybe within a union. */
static bool key_read_value(const struct avro_type *type, struct cursor *in, char storage[static ID_BYTES_MAX],
                           struct span *id)
{
    bool padded;
    if (type->kind == AVRO_KIND_RECORD && type->field_count == 1)
        type = type->fields[0].type;
    if (!avro_type_take_branch(in, &type))
        return false;
    if (type->kind == AVRO_KIND_STRING)
        return avro_read_bytes(in, id, &padded);
    return (type->kind == AVRO_KIND_INT || type->kind == AVRO_KIND_LONG) && key_read_number(in, storage, id);
}

/* Without a registry nothing names the type. A string that is exactly as long as it says is one, unless it is so short
 * that it might be a small number after a union's branch. */
static bool string_read(struct span datum, struct span *id)
{
    struct cursor in = cursor_of(datum);
    bool padded = false;
    return datum.bytes > 2 && avro_read_bytes(&in, id, &padded) && cursor_left(&in) == 0 && !padded;
}

static enum event_code json_key_read(struct key_reader *reader, struct span text, char storage[static ID_BYTES_MAX],
                                     struct span *id, struct fault *fault)
{
    if (key_json_read(&reader->json, text, reader->pointer, storage, id))
        return EVENT_OK;
    return key_refuse(fault, reader->pointer ? "is no JSON object with one field, and has none at the mapping's \"key\""
                                             : "is no JSON object with one field");
}

static enum event_code framed_read(struct key_reader *reader, const struct frame *frame,
                                   char storage[static ID_BYTES_MAX], struct span *id, struct fault *fault, bool *waits)
{
    struct cursor in = cursor_of(frame->datum);
    if (key_json_begins(frame->datum))
        return json_key_read(reader, frame->datum, storage, id, fault);
    if (!reader->registry)
        return string_read(frame->datum, id) ? EVENT_OK
                                             : key_refuse(fault, "is framed, and there is no schema registry");
    const struct avro_type *type = schema_find(reader, &frame->key, waits);
    if (!type)
        return key_refuse(fault, "has a schema that is not known, or is no Avro");
    if (!key_read_value(type, &in, storage, id) || cursor_left(&in))
        return key_refuse(fault, "is no string or integer, nor a record with one such field");
    return EVENT_OK;
}

/* --- any key --- */

static enum event_code extract(struct key_reader *reader, struct span key, char storage[static ID_BYTES_MAX],
                               struct span *id, struct fault *fault, bool *waits)
{
    struct frame frame;
    if (key.bytes && (uint8_t)key.data[0] <= 1) {
        if (frame_read(key, SPAN_NULL, &frame, NULL) != EVENT_OK)
            return key_refuse(fault, "has control characters");
        return framed_read(reader, &frame, storage, id, fault, waits);
    }
    if (key_json_begins(key))
        return json_key_read(reader, key, storage, id, fault);
    *id = key;
    return EVENT_OK;
}

enum event_code key_read(struct key_reader *reader, struct span key, char storage[static ID_BYTES_MAX], struct span *id,
                         struct fault *fault, bool *waits)
{
    *waits = false;
    enum event_code code = extract(reader, key, storage, id, fault, waits);
    const char *flaw = code == EVENT_OK ? id_flaw(*id) : NULL;
    return flaw ? key_refuse(fault, flaw) : code;
}
