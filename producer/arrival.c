/* Shapes of a load: see arrival.h. Used by delivery.c for when events are sent, and by life.c for when they occur. */
#include "producer/arrival.h"

#include <math.h>

double arrival_at(enum arrival arrival, double moment, double period, double day)
{
    double length = arrival == ARRIVAL_BURSTS ? period : day;
    double begin = floor(moment / length) * length, within = moment - begin;
    if (arrival == ARRIVAL_BURSTS)
        return begin + within / 10;
    if (arrival == ARRIVAL_DAILY)
        return begin + length / 24 * 8 + within / 24 * 10;
    return moment;
}
