/* Files made on the spot, and copies of bytes that end where malloc ends. */
#pragma once

#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static inline void unit_write(const char *directory, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A copy on the heap of just that size, so that a sanitizer sees every read beyond it. */
static inline struct span unit_copy(struct span bytes)
{
    char *copy = malloc(bytes.bytes ? bytes.bytes : 1);
    assert_non_null(copy);
    if (bytes.bytes)
        memcpy(copy, bytes.data, bytes.bytes);
    return (struct span){copy, bytes.bytes};
}
