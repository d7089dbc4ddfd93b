/* Random ids in lower-case hexadecimal. Any thread. */
#ifndef BASE_RANDOM_HEX_H
#define BASE_RANDOM_HEX_H

#include <stddef.h>

void random_hex(char *out, size_t digits); /* and a NUL */

#endif
