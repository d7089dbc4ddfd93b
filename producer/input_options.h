/* How rows are read, from the options of backfill. */
#pragma once

#include "base/options.h"
#include "producer/input_row.h"

/* Fills what the options say of formats, times and texts. STATUS_INVALID: a wrong value; its text is for the command
 * line. */
MUST_USE enum status input_options_read(const struct options *options, struct input_settings *settings,
                                        struct error *err);
