/* Every walk for one instruction set: TARGET, WIDTH and NAME are given, and undefined again. No guard: it is included
 * once for each. */
#include "pipeline/treeshap_vector.h"

#include "pipeline/treeshap_single_row.h"

#define POINTS 2
#include "pipeline/treeshap_lanes.h"
#define POINTS 3
#include "pipeline/treeshap_lanes.h"
#define POINTS 4
#include "pipeline/treeshap_lanes.h"
#define POINTS 5
#include "pipeline/treeshap_lanes.h"
#define POINTS 6
#include "pipeline/treeshap_lanes.h"
#define POINTS 7
#include "pipeline/treeshap_lanes.h"
#define POINTS 8
#include "pipeline/treeshap_lanes.h"

static const struct treeshap_walk NAME(walk) = {
    2 * WIDTH,
    NAME(single),
    {NAME(tree_2), NAME(tree_3), NAME(tree_4), NAME(tree_5), NAME(tree_6), NAME(tree_7), NAME(tree_8)}};

#undef TARGET
#undef WIDTH
#undef NAME
