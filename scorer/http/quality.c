/* GET /model/quality: how well the model does, from the database's figures of the day (sql/, daily_figures). See
 * docs/HTTP.md. On the readers' threads; through DATABASE_URL, since only who writes may have them computed
 * (figures.h). Under the scope operate, not groups: figures that follow each change within a day give single people
 * away by difference. */
#include <string.h>

#include "scorer/http/figures.h"
#include "scorer/http/parameters.h"
#include "scorer/http/service.h"

static const char *const parts[FIGURES_PARTS] = {
    [FIGURES_PERFORMANCE] = "performance",
    [FIGURES_CALIBRATION] = "calibration",
    [FIGURES_DRIFT] = "drift",
    [FIGURES_FAIRNESS] = "fairness",
};

/* FIGURES_PARTS: answered. */
static enum figures_part read_part(const struct request *request, struct answer *answer)
{
    static const char *const names[] = {"part", NULL};
    if (!parameters_sound(request, names, NULL, answer))
        return FIGURES_PARTS;
    const char *given = request->parameter_count ? request->parameters[0].value : NULL;
    for (enum figures_part p = FIGURES_PERFORMANCE; given && p < FIGURES_PARTS; p++)
        if (!strcmp(given, parts[p]))
            return p;
    answer_detail(answer, 400, "part: one of performance, calibration, drift and fairness");
    return FIGURES_PARTS;
}

/* No newer ones are worth waiting for: not older than five minutes, or of today where maintain() alone computes (by
 * figures_json's own limits, in a transaction that only reads). */
#define IS_CURRENT \
    "(kept.json ->> 'computed_at')::timestamptz > now() - interval '5 minutes'" \
    " OR ((kept.json ->> 'computed_at')::timestamptz >= date_trunc('day', now(), 'UTC') AND NOT " \
    "(attrition.predictions_are_few() AND attrition.employees_within_limit()))"

static const char select_part[] =
    "SELECT " FIGURES_QUALITY_IS_FRESH "::text, CASE WHEN kept.json IS NOT NULL THEN json_build_object('part', "
    "kept.json -> 'part', 'computed_at', kept.json -> 'computed_at', 'is_current', " IS_CURRENT ", 'minimum_group', "
    "kept.json -> 'minimum_group', 'horizon_days', kept.json -> 'horizon_days', 'figures', kept.json -> 'figures') END "
    "FROM kept";

void quality_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct database_rows *rows = NULL;
    struct buffer sql = {0};
    enum figures_part part = read_part(request, answer);
    if (part == FIGURES_PARTS)
        return;
    const char *const values[] = {parts[part]};
    figures_sql("attrition.figures_json($1)", select_part, &sql);
    if (figures_query(service->figures, part, service->writes, request, "reading the model's quality", sql.data, 1,
                      values, &rows, answer))
        database_answer_json(rows, 1, figures_missing(service->figures, part), answer);
    database_rows_free(rows);
    buffer_free(&sql);
}
