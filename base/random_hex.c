/* See random_hex.h. From the kernel. */
#include "base/random_hex.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

void random_hex(char *out, size_t digits)
{
    for (size_t d = 0; d < digits; d++) {
        uint8_t byte = 0;
        if (getrandom(&byte, 1, 0) != 1)
            abort(); /* cannot fail for one byte once the system is up */
        out[d] = "0123456789abcdef"[byte & 15];
    }
    out[digits] = '\0';
}
