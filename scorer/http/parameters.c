/* Reading ?name=value: see parameters.h. On the server's threads. */
#include "scorer/http/parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loc place(const char *name)
{
    return loc_name(loc_name((struct loc){0}, "query"), name);
}

static size_t kept(const struct request *request)
{
    return request->parameter_count < PARAMETERS_MAX ? request->parameter_count : PARAMETERS_MAX;
}

void parameters_check(const struct request *request, const char *const *known, struct faults *faults)
{
    for (size_t i = 0; i < kept(request); i++) {
        const char *name = request->parameters[i].name;
        char shown[128];
        size_t k = 0, before = 0;
        snprintf(shown, sizeof shown, "%s", name);
        text_flatten(shown);
        while (known[k] && strcmp(known[k], name))
            k++;
        while (before < i && strcmp(request->parameters[before].name, name))
            before++;
        if (!known[k])
            faults_add(faults, place(shown), EVENT_UNKNOWN_FIELD, "no such parameter");
        else if (before < i)
            faults_add(faults, place(shown), EVENT_MALFORMED, "given twice");
    }
    if (request->parameter_count > PARAMETERS_MAX)
        faults_add(faults, loc_name((struct loc){0}, "query"), EVENT_LIMIT, "too many parameters");
}

static const struct parameter *find(const struct request *request, const char *name)
{
    for (size_t i = 0; i < kept(request); i++)
        if (!strcmp(request->parameters[i].name, name))
            return &request->parameters[i];
    return NULL;
}

void parameter_flag(const struct request *request, const char *name, bool *out, struct faults *faults)
{
    const struct parameter *parameter = find(request, name);
    if (!parameter)
        return;
    if (parameter->value && !strcmp(parameter->value, "true"))
        *out = true;
    else if (parameter->value && !strcmp(parameter->value, "false"))
        *out = false;
    else
        faults_add(faults, place(name), EVENT_WRONG_TYPE, "neither true nor false");
}

void parameter_count(const struct request *request, const char *name, uint32_t most, uint32_t *out,
                     struct faults *faults)
{
    const struct parameter *parameter = find(request, name);
    char text[64];
    if (!parameter)
        return;
    const char *value = parameter->value ? parameter->value : "";
    size_t digits = strspn(value, "0123456789");
    if (!digits || value[digits]) {
        faults_add(faults, place(name), EVENT_WRONG_TYPE, "not an integer of 0 or more");
    } else if (digits > 9 || strtoul(value, NULL, 10) > most) {
        snprintf(text, sizeof text, "outside 0 to %u", most);
        faults_add(faults, place(name), EVENT_OUT_OF_RANGE, text);
    } else {
        *out = (uint32_t)strtoul(value, NULL, 10);
    }
}
