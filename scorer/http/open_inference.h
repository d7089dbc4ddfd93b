/* What the routes of Open Inference Protocol V2 share. */
#pragma once

#include "scorer/http/rows.h"

enum inference_output { INFERENCE_PROBABILITY, INFERENCE_PREDICTION, INFERENCE_REASONS, INFERENCE_OUTPUTS };
extern const struct inference_output_form {
    const char *name, *datatype;
} inference_outputs[INFERENCE_OUTPUTS];

/* The protocol's {"error": "…"}, with ours beside it. */
void inference_refuse(struct answer *answer, unsigned status, const char *text);

/* Under /v2 every answer that is an error has "error", whoever has refused the request; others stay as they are. */
void inference_complete_error(const char *path, struct answer *answer);

/* Whether the path's name and version are the model's. */
bool inference_is_model(const struct model *model, const struct request *request);
/* The model in use if the path means it, with a reference; else NULL and a refusal. */
const struct model *inference_model(const struct service *service, const struct request *request,
                                    struct answer *answer);

const char *inference_datatype(const struct column *column); /* as the metadata names it */
