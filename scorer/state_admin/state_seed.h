/* `scorer state seed`: a record for everyone of latest_predictions who has none, and a marker for who has left. */
#pragma once

#include "scorer/settings.h"

/* `empty`: no records, only the positions that let a group begin without. Logs what was done. */
MUST_USE enum status state_seed(const struct settings *settings, bool empty, struct error *err);
