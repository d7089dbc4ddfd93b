/* When events arrive: the shape of a load. Pure. */
#pragma once

#include <stdint.h>

/* STEADY: as they come. BURSTS: all of a period within its first tenth. DAILY: all of a day within ten hours, from
 * eight to six. */
enum arrival { ARRIVAL_STEADY, ARRIVAL_BURSTS, ARRIVAL_DAILY };

/* Where a moment comes to lie, from the same origin; order stays, and on average the rate. period: of bursts. */
double arrival_at(enum arrival arrival, double moment, double period, double day);
