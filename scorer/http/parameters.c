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

static bool is_named(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name))
        names++;
    return *names != NULL;
}

static bool refuse_parameter(const char *name, const char *const *known, struct answer *answer)
{
    struct buffer list = {0};
    for (size_t k = 0; known[k]; k++)
        buffer_printf(&list, "%s%s", k ? ", " : "", known[k]);
    answer_detail(answer, 400, "%.64s: no such parameter; there are: %.*s", name, list.data ? (int)list.bytes : 4,
                  list.data ? list.data : "none");
    buffer_free(&list);
    return false;
}

bool parameters_sound(const struct request *request, const char *const *known, const char *repeated,
                      struct answer *answer)
{
    if (request->parameter_count > PARAMETERS_MAX) {
        answer_detail(answer, 400, "more than %d parameters", PARAMETERS_MAX);
        return false;
    }
    for (size_t i = 0; i < request->parameter_count; i++) {
        const char *name = request->parameters[i].name;
        size_t before = 0;
        if (!is_named(name, known))
            return refuse_parameter(name, known, answer);
        while (before < i && strcmp(request->parameters[before].name, name))
            before++;
        if (before < i && (!repeated || strcmp(name, repeated))) {
            answer_detail(answer, 400, "%s: given twice", name);
            return false;
        }
    }
    return true;
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
