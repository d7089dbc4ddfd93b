/* An evaluation on the terminal. */
#ifndef TRAINER_PRINT_H
#define TRAINER_PRINT_H

#include "trainer/register.h"

/* What was trained, and all its figures. */
void print_training(const struct training *training);
/* The figures alone. */
void print_evaluation(const struct evaluation *evaluation);

#endif
