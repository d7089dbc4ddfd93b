/* See text_print.h. Any thread. */
#include "base/text_print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

char *text_print(const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}
