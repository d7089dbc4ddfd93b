/* The values that Avro's JSON encoding writes in its own way. */
#pragma once

#include "base/bytes.h"

/* As json_add_double, but always recognisable as a floating-point number: 1.0. */
void avro_json_double(struct buffer *out, double number);

/* Bytes or fixed: a string of the code points 0 to 255. */
void avro_json_raw(struct buffer *out, struct span raw);
