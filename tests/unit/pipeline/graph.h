/* The graph builder with loading, for the unit tests. */
#pragma once

#include "tests/support/graph.h"
#include "tests/unit/pipeline/fixture.h"

/* Packs and frees the builder's memory. */
static inline enum status graph_load(struct graph *g, struct pipeline **out, struct error *err)
{
    struct buffer file = {0};
    graph_pack(g, &file);
    enum status status = fixture_load(&file, out, err);
    buffer_free(&file);
    return status;
}
