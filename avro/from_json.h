/* Avro's JSON encoding → Avro binary. */
#pragma once

#include "base/bytes.h"
#include "avro/type.h"

/* Appends a value of the type, with minimal varints. `json` is what plan_run_json writes for that type, parsed; asserts
 * on anything else. Bytes, fixed and maps, which none of our records have, are not written. */
void avro_from_json(const struct avro_type *type, const json_t *json, struct buffer *out);
