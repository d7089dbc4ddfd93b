/* Groups of people by one column that the schema marks: a category, a band or an ordinal value each, and last those
 * without a value. */
#pragma once

#include "base/row.h"

size_t people_group_count(const struct column *column);
/* 0 … people_group_count − 1. */
size_t people_group_of(const struct column *column, const struct cell *cell);
/* "Female", "30 to 39", "missing"; yours to free. */
char *people_group_name(const struct column *column, size_t group);
