/* Texts of their own, printed: paths, names, messages. */
#pragma once

#include "base/status.h"

/* As long as it needs to be; free with free(). Aborts where there is no memory. */
char *text_print(const char *format, ...) PRINTF_LIKE(1, 2);
