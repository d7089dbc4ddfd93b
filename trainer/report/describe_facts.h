/* Inside of the description: from a column's counts to its facts. */
#ifndef TRAINER_REPORT_DESCRIBE_FACTS_H
#define TRAINER_REPORT_DESCRIBE_FACTS_H

#include "trainer/report/describe.h"

/* Sorts the values and fills what follows from it, once all rows were read. */
void describe_finish(struct column_facts *facts, size_t rows);

#endif
