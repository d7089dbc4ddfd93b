/* Groups of people: the columns that the schema marks, value by value or band by band. Inside of judge.c. */
#ifndef TRAINER_GROUPS_H
#define TRAINER_GROUPS_H

#include "trainer/judgement.h"

/* Fills out->groups: the groups that have rows. */
void groups_judge(const struct predictions *predictions, struct judgement *out);

#endif
