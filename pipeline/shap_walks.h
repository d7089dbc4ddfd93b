/* Every walk for one instruction set: TARGET, WIDTH and NAME are given, and undefined again. No guard: it is included
 * once for each. */
#include "pipeline/shap_vector.h"

#include "pipeline/shap_single.h"

#define POINTS 2
#include "pipeline/shap_lanes.h"
#define POINTS 3
#include "pipeline/shap_lanes.h"
#define POINTS 4
#include "pipeline/shap_lanes.h"
#define POINTS 5
#include "pipeline/shap_lanes.h"
#define POINTS 6
#include "pipeline/shap_lanes.h"
#define POINTS 7
#include "pipeline/shap_lanes.h"
#define POINTS 8
#include "pipeline/shap_lanes.h"

static const struct shap_walk NAME(walk) = {
    2 * WIDTH,
    NAME(single),
    {NAME(tree_2), NAME(tree_3), NAME(tree_4), NAME(tree_5), NAME(tree_6), NAME(tree_7), NAME(tree_8)}};

#undef TARGET
#undef WIDTH
#undef NAME
