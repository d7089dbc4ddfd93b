/* Groups of people: the columns that the schema marks, value by value or band by band. Called after assessment_measure.
 */
#pragma once

#include "trainer/assessment.h"

/* Fills out->groups: the groups that have rows. */
void groups_assess(const struct predictions *predictions, struct assessment *out);
