/* See estimators.h. Called by compile.c where it refuses a graph, at load only. */
#include "pipeline/estimators.h"

#include <string.h>

#include "pipeline/operators.h"

static const struct estimator_row ESTIMATORS[] = {
#define ESTIMATOR_ROW(...) {__VA_ARGS__},
    ESTIMATOR_TABLE(ESTIMATOR_ROW)
#undef ESTIMATOR_ROW
};

const struct estimator_row *estimator_of(const struct onnx_node *node)
{
    for (size_t e = 0; e < sizeof ESTIMATORS / sizeof *ESTIMATORS; e++)
        if (operator_list_has(ESTIMATORS[e].ops, node->op))
            return &ESTIMATORS[e];
    return NULL;
}

const char *estimator_around(const struct onnx_graph *graph)
{
    static const struct {
        struct span begins;
        const char *name;
    } NAMES[] = {{SPAN_LITERAL("uncal_prob"), "CalibratedClassifierCV"},
                 {SPAN_LITERAL("voting"), "VotingClassifier"},
                 {SPAN_LITERAL("stack"), "StackingClassifier"}};
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t k = 0; k < sizeof NAMES / sizeof *NAMES && graph->nodes[n].output_count; k++) {
            struct span output = graph->nodes[n].outputs[0];
            if (output.bytes >= NAMES[k].begins.bytes &&
                !memcmp(output.data, NAMES[k].begins.data, NAMES[k].begins.bytes))
                return NAMES[k].name;
        }
    return NULL;
}
