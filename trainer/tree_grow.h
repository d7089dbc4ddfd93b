/* Growing one tree of a forest: inside of forest.c. */
#pragma once

#include "trainer/forest_problem.h"

/* One thread's scratch, for any number of trees. */
struct tree_grower;

/* `tries`: features looked at for each split, 1 to as many as there are. Borrows the problem and the settings. */
struct tree_grower *tree_grower_new(const struct forest_problem *problem, const struct forest_settings *settings,
                                    size_t tries);
void tree_grower_free(struct tree_grower *grower);

/* The tree of that number; its nodes are yours to free. Stops early, as it stands, beyond FOREST_MOST_NODES. */
void tree_grow(struct tree_grower *grower, size_t number, struct forest_tree *out);
