/* Random ids in lower-case hexadecimal. Any thread. */
#pragma once

#include <stddef.h>

void random_hex(char *out, size_t digits); /* and a NUL */
