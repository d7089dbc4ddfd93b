/* fuzz: any text as an Avro schema. What parses must describe itself, and resolve with itself or be refused in words.
 */
#include <assert.h>
#include <stdlib.h>

#include "avro/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct avro_schema *schema = NULL;
    struct error err = {0};
    if (avro_schema_parse((struct span){(const char *)data, bytes}, &schema, &err) != STATUS_OK) {
        assert(err.text[0] && !strchr(err.text, '\n'));
        return 0;
    }
    struct buffer text = {0};
    avro_type_describe(avro_schema_type(schema), &text);
    struct plan *plan = NULL;
    if (plan_compile(avro_schema_type(schema), avro_schema_type(schema), &plan, &err) != STATUS_OK)
        assert(err.text[0]);
    plan_free(plan);
    char *again = avro_schema_text(schema);
    free(again);
    buffer_free(&text);
    avro_schema_free(schema);
    return 0;
}
