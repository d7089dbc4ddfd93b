/* fuzz: a writer's schema, a line break, a reader's schema, a line break, a datum. What decodes must be JSON. */
#include <assert.h>
#include <stdlib.h>

#include "avro/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Cuts off the input's first line. */
static struct span line_take(struct span *input)
{
    const char *end = input->bytes ? memchr(input->data, '\n', input->bytes) : NULL;
    struct span line = {input->data, end ? (size_t)(end - input->data) : input->bytes};
    size_t used = line.bytes + (end != NULL);
    *input = (struct span){input->data + used, input->bytes - used};
    return line;
}

static void run(const struct plan *plan, struct span datum)
{
    static struct machine *machine;
    static struct buffer out;
    struct datum_fault fault;
    if (!machine)
        machine = machine_new();
    buffer_clear(&out);
    if (plan_run_json(plan, machine, datum, &out, &fault) != DATUM_OK)
        return;
    json_error_t where;
    json_t *json = json_loadb(out.data, out.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    assert(json || json_error_code(&where) == json_error_stack_overflow ||
           json_error_code(&where) == json_error_null_byte_in_key);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span input = {(const char *)data, bytes}, writer_text = line_take(&input), reader_text = line_take(&input);
    struct avro_schema *writer = NULL, *reader = NULL;
    struct plan *plan = NULL;
    struct error err = {0};
    if (reader_text.bytes == 0)
        reader_text = writer_text;
    if (avro_schema_parse(writer_text, &writer, &err) == STATUS_OK &&
        avro_schema_parse(reader_text, &reader, &err) == STATUS_OK &&
        plan_compile(avro_schema_type(writer), avro_schema_type(reader), &plan, &err) == STATUS_OK)
        run(plan, input);
    plan_free(plan);
    avro_schema_free(writer);
    avro_schema_free(reader);
    return 0;
}
