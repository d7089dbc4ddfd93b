/* fuzz: any bytes as an event or a prediction. What decodes must encode to the same datum again. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/prediction.h"
#include "events/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { COLUMNS_MAX = 256 };

static struct schema *schema;
static struct decoder *decoder;

static void load(void)
{
    struct error err;
    const char *directory = getenv("SCHEMAS_DIR");
    if (schema_load(directory ? directory : "schemas", &schema, &err) != STATUS_OK ||
        decoder_new(schema, &decoder, &err) != STATUS_OK || schema->column_count > COLUMNS_MAX) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static void try_event(struct span datum, struct buffer *framed)
{
    static struct buffer again;
    struct cell cells[COLUMNS_MAX];
    struct event event = {.cells = cells};
    struct fault fault;
    buffer_clear(framed);
    buffer_add_u8(framed, 0);
    uint32_t id = __builtin_bswap32(schema->event_schema_id);
    buffer_add(framed, &id, sizeof id);
    buffer_add(framed, datum.data, datum.bytes);
    if (decoder_decode(decoder, buffer_span(framed), &event, &fault) != EVENT_OK)
        return;
    (void)validate_row(schema, cells, &fault);
    struct span attributes = event.attributes;
    buffer_clear(&again);
    attributes_encode(schema, cells, &again);
    assert(!attributes.data || span_equal(attributes, buffer_span(&again)));
    event.attributes = SPAN_NULL;
    buffer_clear(&again);
    event_encode(schema, &event, &again);
    assert(again.bytes <= framed->bytes);
    assert(again.bytes < framed->bytes || span_equal(buffer_span(&again), buffer_span(framed)));
}

static void try_prediction(struct span datum, struct buffer *framed)
{
    static struct arena arena;
    static struct buffer again;
    struct prediction prediction;
    struct fault fault;
    buffer_clear(framed);
    buffer_add_u8(framed, 0);
    uint32_t id = __builtin_bswap32(schema->prediction_schema_id);
    buffer_add(framed, &id, sizeof id);
    buffer_add(framed, datum.data, datum.bytes);
    arena_reset(&arena);
    if (prediction_decode(schema, buffer_span(framed), &arena, &prediction, &fault) != EVENT_OK)
        return;
    buffer_clear(&again);
    prediction_encode(schema, &prediction, &again);
    assert(prediction_decode(schema, buffer_span(&again), &arena, &prediction, &fault) == EVENT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct buffer framed;
    if (!schema)
        load();
    struct span input = {(const char *)data, bytes};
    struct cell cells[COLUMNS_MAX];
    struct event event = {.cells = cells};
    struct fault fault;
    (void)decoder_decode(decoder, input, &event, &fault); /* from memory that ends where the input does */
    try_event(input, &framed);
    try_prediction(input, &framed);
    return 0;
}
