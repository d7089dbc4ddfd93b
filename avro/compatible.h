/* Whether a schema reads all that another one may have written: what a registry calls BACKWARD, decided by our own
 * resolution. For checking schemas before they ship; no program of the daemon calls it. */
#pragma once

#include "base/status.h"
#include "avro/type.h"

/* STATUS_OK: every datum of the writer's has a place in the reader. STATUS_INVALID: none has, or one that takes a
 * certain branch or symbol has not; the text names the place where resolution knows it. */
MUST_USE enum status schema_reads(const struct avro_type *reader, const struct avro_type *writer, struct error *err);
