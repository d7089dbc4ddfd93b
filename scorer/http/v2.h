/* What the routes of Open Inference Protocol V2 share. */
#ifndef SCORER_HTTP_V2_H
#define SCORER_HTTP_V2_H

#include "scorer/http/rows.h"

enum v2_output { V2_PROBABILITY, V2_PREDICTION, V2_REASONS, V2_OUTPUTS };
extern const struct v2_output_form {
    const char *name, *datatype;
} v2_outputs[V2_OUTPUTS];

/* The protocol's {"error": "…"}, with ours beside it. */
void v2_refuse(struct answer *answer, unsigned status, const char *text);

/* Whether the path's name and version are the model's. */
bool v2_is_model(const struct model *model, const struct request *request);
/* The model in use if the path means it, with a reference; else NULL and a refusal. */
const struct model *v2_model(const struct service *service, const struct request *request, struct answer *answer);

const char *v2_datatype(const struct column *column); /* as the metadata names it */

#endif
