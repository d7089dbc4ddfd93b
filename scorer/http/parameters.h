/* Parameters of a request's address (?name=value). */
#pragma once

#include "scorer/http/faults.h"

/* A fault for each parameter that is none of these (NULL-terminated), is given twice, or is beyond PARAMETERS_MAX. */
void parameters_check(const struct request *request, const char *const *known, struct faults *faults);

/* The same for routes that refuse with one sentence (400): false is answered. `repeated` may come several times; NULL:
 * none may. */
bool parameters_sound(const struct request *request, const char *const *known, const char *repeated,
                      struct answer *answer);

/* Leave *out as it is where the parameter is absent; a value of another kind is a fault. */
void parameter_flag(const struct request *request, const char *name, bool *out, struct faults *faults);
void parameter_count(const struct request *request, const char *name, uint32_t most, uint32_t *out,
                     struct faults *faults);
