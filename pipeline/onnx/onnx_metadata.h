/* Adding metadata to an ONNX file without touching anything else in it. */
#pragma once

#include "pipeline/onnx/onnx_write.h"

/* Appends the file to out, with these properties in place of entries of the same keys; every other byte stays as it is.
 * STATUS_INVALID, STATUS_LIMIT: not a sound ONNX file. */
MUST_USE enum status onnx_set_metadata(struct span file, const struct model_property *properties, size_t count,
                                       struct buffer *out, struct error *err);
