/* CRC-32 (ISO 3309), by zlib: finds damage, not intent. */
#pragma once

#include "base/bytes.h"

uint32_t crc32_of(struct span bytes);
