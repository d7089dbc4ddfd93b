/* GET /model/quality: how well the model does, from the database's figures of the day (sql/, daily_figures). See
 * docs/HTTP.md. On the readers' threads; through DATABASE_URL, since a question may have cheap figures computed. Under
 * the scope operate, not groups: figures that follow each change within a day give single people away by difference. */
#include <string.h>

#include "scorer/http/database.h"
#include "scorer/http/parameters.h"
#include "scorer/http/service.h"

static const char *const parts[] = {"performance", "calibration", "drift", "fairness"};
enum { PARTS = sizeof parts / sizeof *parts };

/* NULL: answered. */
static const char *read_part(const struct request *request, struct answer *answer)
{
    static const char *const names[] = {"part", NULL};
    if (!parameters_sound(request, names, NULL, answer))
        return NULL;
    const char *given = request->parameter_count ? request->parameters[0].value : NULL;
    for (size_t p = 0; given && p < PARTS; p++)
        if (!strcmp(given, parts[p]))
            return parts[p];
    answer_detail(answer, 400, "part: one of performance, calibration, drift and fairness");
    return NULL;
}

void quality_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct database_rows *rows = NULL;
    const char *part = read_part(request, answer);
    const char *const values[] = {part};
    if (!part || !database_query(service->writes, request, "reading the model's quality",
                                 "SELECT attrition.figures_json($1)", 1, values, &rows, answer))
        return;
    database_answer_json(rows, "these figures are not computed yet: attrition.maintain() does it, once a day", answer);
    database_rows_free(rows);
}
