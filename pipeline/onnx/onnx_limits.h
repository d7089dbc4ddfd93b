/* A model file is walked as protobuf wire format before anything unpacks it, within bounds on depth, counts and
 * lengths. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

enum {
    ONNX_MAX_BYTES = 256 << 20,
    ONNX_MAX_DEPTH = 24,         /* messages within messages; what exporters write needs 10 */
    ONNX_MAX_MESSAGES = 1 << 20, /* each costs the unpacker an allocation of about 100 bytes */
    ONNX_MAX_TEXTS = 1 << 23,    /* texts, messages and unknown fields: an allocation each */
    ONNX_MAX_FIELDS = 1 << 25,   /* the unpacker takes about 32 bytes for each while it works */
};

/* STATUS_INVALID: not wire format of a ModelProto (the text gives the byte); STATUS_LIMIT: beyond a bound above. */
MUST_USE enum status onnx_limits_check(struct span file, struct error *err);
