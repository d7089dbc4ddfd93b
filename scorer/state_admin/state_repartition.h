/* `scorer state repartition`: after the input has grown, each record to where its employee's events come now. */
#pragma once

#include "scorer/settings.h"

/* Logs what was done. */
MUST_USE enum status state_repartition(const struct settings *settings, struct error *err);
