/* Inside of the description: from a column's counts to its facts. */
#pragma once

#include "trainer/report/describe.h"

/* Sorts the values and fills what follows from it, once all rows were read. */
void describe_finish(struct column_facts *facts, size_t rows);
