/* fuzz: any bytes as a message's value and header. The first byte says how long the header is (0: none); what follows
 * it is the value. A frame that is read must be the one that was written, and the three forms of a message (frame,
 * header, bare) must read alike. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "events/decoder.h"
#include "events/writer_schemas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { COLUMNS_MAX = 256, WRITERS = 40 };

static struct schema *schema;
static struct decoder *framed, *bare;
static struct writer_schemas *writers;

/* Half of the keys are ids, half GUIDs; every fourth schema cannot be read as our event. */
static void add_writers(const struct schema_parts *parts)
{
    for (uint32_t w = 0; w < WRITERS; w++) {
        struct schema_key key = schema_key_of_id(w / 2);
        if (w % 2)
            key = (struct schema_key){.is_guid = true, .guid = {(uint8_t)w}};
        writer_schemas_add(writers, &key, w % 8 < 2 ? avro_schema_type(parts->prediction) : schema->event, NULL);
    }
}

static void load(void)
{
    struct error err;
    const char *directory = getenv("SCHEMAS_DIR");
    char id[16];
    if (schema_load(directory ? directory : "schemas", &schema, &err) != STATUS_OK ||
        schema->column_count > COLUMNS_MAX || decoder_new(schema, &framed, &err) != STATUS_OK ||
        decoder_new(schema, &bare, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    snprintf(id, sizeof id, "%u", schema->event_schema_id);
    if (decoder_take_unframed(bare, id, &err) != STATUS_OK)
        exit(1);
    writers = writer_schemas_new(schema->event, schema_parts(schema));
    add_writers(schema_parts(schema));
}

static void write_key(const struct schema_key *key, struct buffer *out)
{
    uint32_t id = htobe32(key->id);
    buffer_clear(out);
    buffer_add_u8(out, key->is_guid ? 1 : 0);
    buffer_add(out, key->is_guid ? (const void *)key->guid : &id, key->is_guid ? sizeof key->guid : sizeof id);
}

static void try_frame(struct span value, struct span header, struct buffer *again)
{
    struct frame frame;
    struct fault fault;
    const struct writer_schema *writer;
    char text[SCHEMA_KEY_TEXT_BYTES];
    bool waits = true;
    if (frame_read(value, header, &frame, &fault) != EVENT_OK)
        return;
    schema_key_text(&frame.key, text);
    assert(strlen(text) == (frame.key.is_guid ? 36 : strlen(text)) && strlen(text) < sizeof text);
    write_key(&frame.key, again);
    if (!header.data)
        buffer_add(again, frame.datum.data, frame.datum.bytes);
    assert(span_equal(buffer_span(again), header.data ? header : value));
    if (writer_schemas_find(writers, &frame.key, &writer, &fault, &waits) == EVENT_OK)
        assert(schema_key_equal(&writer->key, &frame.key) && writer->plan);
    assert(!waits);
}

static enum event_code read_as(struct decoder *decoder, struct span value, struct span header)
{
    struct cell cells[COLUMNS_MAX];
    struct event event = {.cells = cells};
    struct fault fault;
    bool waits = true;
    enum event_code code = decoder_read(decoder, value, header, &event, &fault, &waits);
    assert(!waits); /* there is no registry to wait for */
    return code;
}

static void try_forms(struct span datum, struct buffer *value)
{
    const struct schema_key key = schema_key_of_id(schema->event_schema_id);
    struct buffer header = {0};
    if (datum.bytes == 0)
        return;
    write_key(&key, value);
    buffer_add(&header, value->data, value->bytes);
    buffer_add(value, datum.data, datum.bytes);
    enum event_code code = read_as(framed, buffer_span(value), SPAN_NULL);
    assert(read_as(framed, datum, buffer_span(&header)) == code);
    assert(read_as(bare, datum, buffer_span(&header)) == code);
    assert(read_as(bare, datum, SPAN_NULL) == code);
    buffer_free(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct buffer again;
    if (!schema)
        load();
    if (bytes == 0)
        return 0;
    size_t most = bytes - 1, length = data[0] < most ? data[0] : most;
    struct span header = {length ? (const char *)data + 1 : NULL, length};
    struct span value = {(const char *)data + 1 + length, most - length};
    (void)read_as(framed, value, header);
    (void)read_as(bare, value, header);
    try_frame(value, header, &again);
    try_forms(value, &again);
    return 0;
}
