/* An evaluation on the terminal. */
#pragma once

#include "trainer/register.h"

/* What was trained, and all its figures. */
void print_training(const struct training *training);
/* The figures alone; `rows` says what the assessed rows are: "rows of DATA". */
void print_evaluation(const struct evaluation *evaluation, const char *rows);
