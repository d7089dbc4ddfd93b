/* Event ids that come out the same when the same thing is sent again: UUIDs of version 8 (RFC 9562: own making). */
#pragma once

#include <stdint.h>

#include "base/sha256.h"

enum { EVENT_ID_BYTES = 37 }; /* 36 characters and a NUL */

void event_id_of_text(struct sha256 *sha256, struct span text, char out[EVENT_ID_BYTES]); /* from its SHA-256 */
void event_id_of_bits(uint64_t high, uint64_t low, char out[EVENT_ID_BYTES]);
