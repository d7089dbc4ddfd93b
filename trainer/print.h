/* An evaluation on the terminal. */
#pragma once

#include "trainer/register.h"

/* What was trained, and all its figures. */
void print_training(const struct training *training);
/* The figures alone; `rows` says what the assessed rows are: "rows of DATA". */
void print_evaluation(const struct evaluation *evaluation, const char *rows);
/* Run, version and where the alias points. */
void print_registered(const struct registry *registry, const struct destination *destination,
                      const struct registered *registered);
/* The held-out rows of a training beside the same rows under the version in use. */
void print_beside(const struct training *training);
