/* The page of a month, part by part: what is asked and how it is shown. See report_parts.h. Pure data.
 *
 * Statements ask views of docs/DATABASE.md where there is one, always restricted to the month by the column that prunes
 * partitions. What a picture and its table share is read once, by a source of JSON that both take apart ($3). No column
 * of the data is named: attributes come as rows. */
#include "scorer/report/report_parts.h"

/* clang-format off */
const char report_counts_sql[] =
    "SELECT (SELECT count(*) FROM attrition.predictions WHERE scored_at >= $1 AND scored_at < $2), (SELECT "
    "count(stage) FROM attrition.dead_letters WHERE received_at >= $1 AND received_at < $2), (SELECT count(*) "
    "FROM attrition.outcomes_once WHERE exited_at >= $1 AND exited_at < $2), (SELECT count(*) "
    "FROM attrition.erasures WHERE received_at >= $1 AND received_at < $2)";

#define NUMBER(expression) "to_char(" expression ", 'FM999,999,999,990')"
#define SHARE(expression) "to_char(100 * (" expression "), 'FM990.0') || ' %'"
#define DECIMALS(expression, digits) "round((" expression ")::numeric, " digits ")"
#define TIME(expression) "to_char(" expression ", 'YYYY-MM-DD HH24:MI')"
#define RANGE(value, low, high) \
    DECIMALS(value, "2") " || coalesce(' (' || " DECIMALS(low, "2") " || ' to ' || " DECIMALS(high, "2") " || ')', '')"

static const char cards_sql[] =
    "WITH p AS (SELECT count(*) AS n, count(DISTINCT employee_id) AS people, count(*) FILTER (WHERE probability "
    ">= threshold) AS flagged, avg(probability) AS risk, count(DISTINCT (model_name, model_version)) AS versions, "
    "percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_us) FILTER (WHERE channel = 'STREAM') AS latency "
    "FROM attrition.predictions WHERE scored_at >= $1 AND scored_at < $2), e AS (SELECT count(*) AS n, count(*) "
    "FILTER (WHERE erased_at IS NULL) AS waiting FROM attrition.erasures "
    "WHERE received_at >= $1 AND received_at < $2), d AS (SELECT count(stage) AS n "
    "FROM attrition.dead_letters WHERE received_at >= $1 AND received_at < $2) SELECT 'Predictions', " NUMBER("p.n")
    ", 'of ' || " NUMBER("p.people") " || ' people' FROM p UNION ALL SELECT 'Flagged', coalesce("
    SHARE("p.flagged / nullif(p.n, 0)::double precision") ", '–'), " NUMBER("p.flagged") " || ' predictions; mean "
    "risk ' || coalesce(" DECIMALS("p.risk", "3") "::text, '–') FROM p UNION ALL SELECT 'Exits', "
    NUMBER("count(*)") ", 'recorded for this month' FROM attrition.outcomes_once "
    "WHERE exited_at >= $1 AND exited_at < $2 UNION ALL SELECT 'Model versions', p.versions::text, 'in use this "
    "month' FROM p UNION ALL SELECT 'Dead letters', " NUMBER("d.n") ", coalesce("
    SHARE("d.n / nullif(d.n + p.n, 0)::double precision") ", '–') || ' of what came' "
    "FROM p, d UNION ALL SELECT 'Requests to erase', " NUMBER("e.n") ", " NUMBER("e.waiting") " || ' of them not "
    "done' FROM e UNION ALL SELECT 'Latency', coalesce(to_char(p.latency / 1000.0, 'FM999,999,999,990.0') || ' ms', '–'), "
    "'99 of 100 events of the stream were scored within it' FROM p";

static const char days_source[] =
    "SELECT coalesce(json_agg(d), '[]') FROM (SELECT extract(day FROM s.day)::integer AS day, coalesce(v.n, 0) AS n, coalesce(v.flagged, 0) "
    "AS flagged, v.risk, v.share FROM attrition.scored_days AS s LEFT JOIN (SELECT date_trunc('day', scored_at, 'UTC') AS day, "
    "count(*) AS n, count(*) FILTER (WHERE probability >= threshold) AS flagged, avg(probability) AS risk, "
    "avg((probability >= threshold)::integer) AS share FROM attrition.predictions "
    "WHERE scored_at >= $1 AND scored_at < $2 GROUP BY 1) AS v ON v.day = s.day WHERE s.day >= $1 AND s.day < $2) AS d";

#define DAYS \
    "FROM json_to_recordset($3) AS d (day integer, n bigint, flagged bigint, risk double precision, share numeric) ORDER BY 1"

static const char volume_sql[] = "SELECT day, n, flagged " DAYS;

static const char risk_sql[] = "SELECT day, risk, share " DAYS;

static const char channels_sql[] =
    "SELECT channel AS \"channel\", " NUMBER("count(*)") " AS \"predictions\", "
    NUMBER("count(DISTINCT employee_id)") " AS \"people\", " SHARE("avg((probability >= threshold)::integer)") " "
    "AS \"flagged\", count(DISTINCT date_trunc('day', scored_at)) AS \"days with predictions\", "
    TIME("min(scored_at)") " AS \"first\", " TIME("max(scored_at)") " AS \"last\" "
    "FROM attrition.predictions WHERE scored_at >= $1 AND scored_at < $2 "
    "GROUP BY channel ORDER BY count(*) DESC";

static const char quality_sql[] =
    "SELECT sum(missing + refused) > 0.05 * sum(events) AS flag, attribute AS \"attribute\", " NUMBER("sum(events)")
    " AS \"events\", " SHARE("sum(missing) / sum(events)") " AS \"without a value\", " SHARE("sum(imputed) / sum(events)")
    " AS \"scored without it\", " SHARE("sum(refused) / sum(events)") " AS \"refused\" FROM attrition.data_quality "
    "WHERE day >= $1 AND day < $2 GROUP BY attribute HAVING sum(missing) + sum(refused) > 0 "
    "ORDER BY sum(missing + refused) / sum(events) DESC, attribute";

static const char drift_source[] =
    "SELECT coalesce(json_agg(d), '[]') FROM attrition.drift_against_training AS d WHERE day >= $1 AND day < $2";

#define DRIFT "FROM json_populate_recordset(NULL::attrition.drift_against_training, $3) "

static const char drift_sql[] =
    "SELECT bool_or(has_drifted) AS flag, CASE WHEN is_score THEN 'the risk itself' ELSE attribute END AS "
    "\"attribute\", " NUMBER("sum(events)") " AS \"events\", " DECIMALS("max(psi)", "2") " AS \"highest index\", "
    DECIMALS("max(psi_by_chance)", "2") " AS \"by chance up to\", " DECIMALS("max(distance)", "2") " AS \"greatest "
    "distance\", count(*) FILTER (WHERE has_drifted) AS \"days that drifted\", coalesce(to_char(min(day) FILTER "
    "(WHERE has_drifted), 'YYYY-MM-DD'), '') AS \"since\" " DRIFT "GROUP BY attribute, is_score ORDER BY count(*) FILTER (WHERE has_drifted) DESC, "
    "max(psi) DESC";

static const char drift_days_sql[] =
    "SELECT extract(day FROM day)::integer, max(psi) FILTER (WHERE NOT is_score), max(psi) FILTER (WHERE "
    "is_score) " DRIFT "GROUP BY day ORDER BY day";

/* Cohorts of the last twelve months, from before the month's end. */
#define COHORTS "cohort >= $1 - interval '11 months' AND cohort < $2 AND attribute = 'all'"

static const char performance_source[] =
    "SELECT json_build_object('expected', (SELECT json_agg(e) FROM attrition.expected_performance AS e WHERE " COHORTS
    "), 'realised', (SELECT json_agg(r) FROM attrition.realised_performance AS r WHERE " COHORTS "))";

#define PERFORMANCE \
    "FROM json_populate_recordset(NULL::attrition.expected_performance, ($3 ->> 'expected')::json) AS e " \
    "LEFT JOIN json_populate_recordset(NULL::attrition.realised_performance, ($3 ->> 'realised')::json) AS r " \
    "USING (cohort, model_name, model_version) "

static const char performance_sql[] =
    "SELECT to_char(e.cohort, 'YYYY-MM') AS \"scored in\", e.model_version AS \"version\", " NUMBER("e.employees")
    " AS \"people\", " DECIMALS("e.expected_exits", "1") " AS \"expected exits\", r.exits AS \"exits\", "
    RANGE("e.precision", "e.precision_low", "e.precision_high") " AS \"expected precision\", "
    RANGE("r.precision", "r.precision_low", "r.precision_high") " AS \"precision\", " DECIMALS("e.recall", "2") " "
    "AS \"expected recall\", " DECIMALS("r.recall", "2") " AS \"recall\", " DECIMALS("e.auc", "3") " AS \"expected "
    "AUC\", " DECIMALS("r.auc", "3") " AS \"AUC\", " DECIMALS("r.calibration", "2") " AS \"exits by expected\" " PERFORMANCE
    "ORDER BY e.cohort DESC, e.model_name, e.model_version";

static const char exits_sql[] =
    "SELECT to_char(e.cohort, 'YYYY-MM'), sum(e.expected_exits), sum(r.exits) " PERFORMANCE
    "GROUP BY e.cohort ORDER BY e.cohort";

/* As attrition.impact_ratio, whose people are those of now, for the people of the month, without pairs. */
static const char ratios_source[] =
    "WITH rates AS (SELECT c.place, c.name AS attribute, CASE WHEN jsonb_typeof(v.value) = 'number' AND c.bands IS "
    "NOT NULL THEN c.band_names[1 + width_bucket(v.value::double precision, c.bands)] WHEN jsonb_typeof(v.value) = "
    "'number' AND c.value_labels IS NOT NULL THEN coalesce(c.value_labels[1 + (v.value::double precision - "
    "c.lowest)::integer], v.value #>> '{}') ELSE v.value #>> '{}' END AS member, count(*) AS employees, count(*) "
    "FILTER (WHERE a.flagged) AS flagged, avg(a.flagged::integer) AS rate FROM attrition.predicted_against_actual AS "
    "a "
    "JOIN attrition.schema_columns AS c ON c.is_group CROSS JOIN LATERAL (SELECT a.input -> c.name AS value OFFSET 0) AS v "
    "WHERE "
    "a.cohort >= $1 AND a.cohort < $2 AND coalesce(jsonb_typeof(v.value), 'null') <> 'null' GROUP BY 1, 2, 3), sized "
    "AS (SELECT r.*, (SELECT attrition.minimum_group()) AS least, count(*) FILTER (WHERE employees < (SELECT "
    "attrition.minimum_group())) OVER (PARTITION BY attribute) AS small, sum(employees) FILTER (WHERE employees < "
    "(SELECT attrition.minimum_group())) OVER (PARTITION BY attribute) AS in_small, row_number() OVER (PARTITION BY "
    "attribute ORDER BY employees, member) AS rank FROM rates AS r), compared AS (SELECT s.*, first_value(member) "
    "OVER "
    "highest AS other, first_value(employees) OVER highest AS other_employees, first_value(flagged) OVER highest AS "
    "other_flagged, first_value(rate) OVER highest AS other_rate FROM sized AS s WHERE employees >= least AND NOT "
    "(small > 0 AND rank = small + 1 AND (small = 1 OR in_small < least)) WINDOW highest AS (PARTITION BY attribute "
    "ORDER BY rate DESC, employees DESC, member)), ratios AS (SELECT c.*, ln((flagged + 0.5) / (employees + 0.5)) - "
    "ln((other_flagged + 0.5) / (other_employees + 0.5)) AS log_ratio, 1.959964 * sqrt(1 / (flagged + 0.5) - 1 / "
    "(employees + 0.5) + 1 / (other_flagged + 0.5) - 1 / (other_employees + 0.5)) AS half FROM compared AS c WHERE "
    "other_rate > 0) SELECT coalesce(json_agg(r), '[]') FROM ratios AS r";

#define RATIOS \
    "FROM json_to_recordset($3) AS r (place integer, attribute text, member text, employees bigint, rate numeric, other text, " \
    "other_rate numeric, log_ratio numeric, half numeric) "

static const char fairness_sql[] =
    "SELECT member <> other AND rate < 0.8 * other_rate AND log_ratio + half < 0 AS flag, attribute || ': ' "
    "|| member AS \"group\", " NUMBER("employees") " AS \"people\", " SHARE("rate") " AS \"flagged\", CASE WHEN "
    "member = other THEN '1 (the most)' ELSE "
    RANGE("rate / other_rate", "exp(log_ratio - half)", "exp(log_ratio + half)") " END AS \"impact ratio\", other "
    "AS \"compared with\" " RATIOS "ORDER BY 1 DESC, place, rate / other_rate";

static const char ratios_sql[] =
    "SELECT attribute || ': ' || member, rate / other_rate, exp(log_ratio - half), exp(log_ratio + half) " RATIOS
    "WHERE member <> other ORDER BY place, rate / other_rate LIMIT 24";

static const char versions_sql[] =
    "SELECT model_name || ' ' || model_version AS \"model\", coalesce(string_agg(DISTINCT model_alias, ', '), '') "
    "AS \"alias\", " NUMBER("count(*)") " AS \"predictions\", " DECIMALS("avg(probability)", "3") " AS \"mean "
    "risk\", " SHARE("avg((probability >= threshold)::integer)") " AS \"flagged\", string_agg(DISTINCT "
    "threshold::text, ', ') AS \"threshold\", " TIME("min(scored_at)") " AS \"first\", " TIME("max(scored_at)") " "
    "AS \"last\", coalesce(min(run_id), '') AS \"run\" FROM attrition.predictions "
    "WHERE scored_at >= $1 AND scored_at < $2 GROUP BY model_name, model_version "
    "ORDER BY min(scored_at)";

/* attrition.movers looks up what stood before each row. Which rows changed the model is found by one look for each person, at
 * what stood when the month began; place is the order of events, and steps those that came to stand. movers has the rest, of
 * those alone. */
static const char changes_sql[] =
    "WITH rows AS MATERIALIZED (SELECT employee_id, occurred_at, source_offset, scored_at, coalesce(output_topic, '') AS topic, "
    "output_partition, output_offset, model_name, model_version FROM attrition.predictions "
    "WHERE scored_at >= $1 AND scored_at < $2 AND channel = 'STREAM' AND employee_id IS NOT NULL), stood AS (SELECT b.* "
    "FROM (SELECT DISTINCT employee_id FROM rows) AS p CROSS JOIN LATERAL (SELECT q.employee_id, q.occurred_at, "
    "q.source_offset, q.scored_at, coalesce(q.output_topic, '') AS topic, q.output_partition, q.output_offset, q.model_name, "
    "q.model_version FROM attrition.predictions AS q WHERE q.employee_id = p.employee_id AND q.channel = 'STREAM' "
    "AND q.scored_at < $1 ORDER BY q.occurred_at DESC, q.source_offset DESC LIMIT 1) AS b), placed AS (SELECT r.*, "
    "rank() OVER (PARTITION BY employee_id ORDER BY occurred_at, source_offset) AS place "
    "FROM (SELECT * FROM rows UNION ALL SELECT * FROM stood) AS r), reached AS (SELECT p.*, max(place) OVER (in_order "
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS most FROM placed AS p WINDOW in_order AS (PARTITION BY employee_id "
    "ORDER BY scored_at, topic, output_partition, output_offset)), steps AS (SELECT r.*, lag(model_name) OVER in_order AS "
    "name_before, lag(model_version) OVER in_order AS version_before FROM reached AS r WHERE most IS NULL OR place > most "
    "WINDOW in_order AS (PARTITION BY employee_id ORDER BY scored_at, topic, output_partition, output_offset)), "
    "changed AS MATERIALIZED (SELECT DISTINCT employee_id, scored_at FROM steps WHERE scored_at >= $1 "
    "AND (name_before, version_before) <> (model_name, model_version)) "
    "SELECT model_name_before || ' ' || model_version_before || ' → ' || model_name || ' ' || model_version AS "
    "\"change of model\", " NUMBER("count(DISTINCT employee_id)") " AS \"people\", "
    DECIMALS("avg(risk_change)", "4") " AS \"mean change of risk\", " DECIMALS("avg(abs(risk_change))", "4") " AS "
    "\"mean size of it\", " DECIMALS("avg(model_change)", "4") " AS \"raw score, by the model\", "
    DECIMALS("avg(record_change)", "4") " AS \"by the records\", count(*) FILTER (WHERE decision <> "
    "decision_before AND risk_change > 0) AS \"newly flagged\", count(*) FILTER (WHERE decision <> "
    "decision_before AND risk_change < 0) AS \"no longer flagged\" FROM attrition.movers JOIN changed USING (employee_id, scored_at) "
    "WHERE scored_at >= $1 AND scored_at < $2 AND (model_name_before, model_version_before) <> (model_name, "
    "model_version) GROUP BY model_name_before, model_version_before, model_name, model_version "
    "ORDER BY min(scored_at)";

static const char erasures_sql[] =
    "SELECT erased_at IS NULL AS flag, coalesce(method, 'not done') AS \"how\", " NUMBER("count(*)") " AS "
    "\"requests\", " NUMBER("coalesce(sum(predictions), 0)") " AS \"predictions\", "
    NUMBER("coalesce(sum(outcomes), 0)") " AS \"outcomes\", " NUMBER("coalesce(sum(alerts), 0)") " AS \"alerts\", "
    NUMBER("coalesce(sum(dead_letters), 0)") " AS \"dead letters\", coalesce(" TIME("max(erased_at)") ", '') AS "
    "\"last done\" FROM attrition.erasures WHERE received_at >= $1 AND received_at < $2 "
    "GROUP BY method, erased_at IS NULL ORDER BY 1, 2";

static const char removed_sql[] =
    "SELECT reason NOT IN ('erasure', 'pseudonymise', 'retention') AS flag, reason AS \"reason\", "
    NUMBER("sum(octet_length(digests) / 32)") " AS \"predictions\", " TIME("max(removed_at)") " AS \"last\", "
    "string_agg(DISTINCT removed_by, ', ') AS \"by\" FROM attrition.evidence_removed "
    "WHERE removed_at >= $1 AND removed_at < $2 GROUP BY reason ORDER BY 1 DESC, 2";

static const char incidents_sql[] =
    "SELECT code AS \"code\", coalesce(field, '') AS \"field\", stage AS \"stage\", " NUMBER("sum(dead_letters)")
    " AS \"dead letters\", " TIME("min(first_received_at)") " AS \"first\", " TIME("max(last_received_at)") " AS "
    "\"last\" FROM attrition.dead_letter_summary WHERE day >= $1 AND day < $2 "
    "GROUP BY code, field, stage ORDER BY sum(dead_letters) DESC, code";

static const char letters_sql[] =
    "SELECT extract(day FROM day)::integer, sum(dead_letters) FROM attrition.dead_letter_summary "
    "WHERE day >= $1 AND day < $2 GROUP BY day ORDER BY day";

static const char heads_sql[] =
    "SELECT DISTINCT ON (topic, partition) topic || ' [' || partition || ']' AS \"partition\", day::text AS "
    "\"day\", " NUMBER("links") " AS \"links\", head AS \"head\" FROM attrition.evidence_heads "
    "WHERE day >= $1::date AND day < $2::date ORDER BY topic, partition, day DESC";
/* clang-format on */

const struct report_part report_parts[] = {
    {.kind = REPORT_CARDS, .title = "At a glance", .sql = cards_sql},

    {.kind = REPORT_HEADING, .title = "Volume", .note = "Every prediction of the month, by the day (UTC) it was made."},
    {.kind = REPORT_DAYS,
     .title = "Predictions a day",
     .source = days_source,
     .sql = volume_sql,
     .plot = {.name_y = "predictions", .first = "all", .second = "flagged", .bars = true}},
    {.kind = REPORT_DAYS,
     .title = "Risk a day",
     .source = days_source,
     .sql = risk_sql,
     .plot = {.name_y = "share", .first = "mean risk", .second = "share flagged"}},
    {.kind = REPORT_TABLE, .title = "By channel", .note = "No predictions.", .sql = channels_sql},

    {.kind = REPORT_HEADING,
     .title = "Quality of data",
     .note =
         "Values that were missing or refused, by attribute. Where the schema allows it the event was scored all the "
         "same."},
    {.kind = REPORT_TABLE,
     .title = "Missing and refused values",
     .note = "Every attribute of every event had a valid value.",
     .sql = quality_sql,
     .flagged = "attributes lack more than one value in twenty",
     .unflagged = "No attribute lacks more than one value in twenty."},

    {.kind = REPORT_HEADING,
     .title = "Drift",
     .note = "Each day's events against the table that the model was trained on: the population stability index, above "
             "0.25 a large shift, and the distance of quantiles in standard deviations. A day counts as drifted where "
             "chance does not explain it."},
    {.kind = REPORT_DAYS,
     .title = "Stability index a day",
     .source = drift_source,
     .sql = drift_days_sql,
     .plot = {.name_y = "index", .first = "highest attribute", .second = "the risk itself", .limit = 0.25}},
    {.kind = REPORT_TABLE,
     .title = "By attribute",
     .note = "Nothing to compare with: training_references has no row for the versions in use, or nothing was scored.",
     .source = drift_source,
     .sql = drift_sql,
     .flagged = "drifted on at least one day",
     .unflagged = "Nothing drifted."},

    {.kind = REPORT_HEADING,
     .title = "Performance, expected and realised",
     .note =
         "People by the month in which they were last scored. Expected figures take each risk at its word; realised "
         "ones count exits within the horizon, and are there once it has passed. Intervals of 95 %."},
    {.kind = REPORT_PAIRS,
     .title = "Exits by month of scoring",
     .source = performance_source,
     .sql = exits_sql,
     .plot = {.first = "expected", .second = "realised"}},
    {.kind = REPORT_TABLE,
     .title = "By month of scoring",
     .note = "Too few people to say.",
     .source = performance_source,
     .sql = performance_sql},

    {.kind = REPORT_HEADING,
     .title = "Fairness",
     .note = "How often each group is flagged, by the group that is flagged most (four-fifths rule), among the people "
             "scored in the month. Small groups are withheld; intervals of 95 %, not corrected for the number of "
             "groups."},
    {.kind = REPORT_RATIOS,
     .title = "Impact ratios",
     .source = ratios_source,
     .sql = ratios_sql,
     .plot = {.name_y = "flagged, by the group flagged most", .limit = 0.8}},
    {.kind = REPORT_TABLE,
     .title = "By group",
     .note = "The schema marks no groups, groups are too small, or nobody was flagged.",
     .source = ratios_source,
     .sql = fairness_sql,
     .flagged = "below four fifths, and not by chance",
     .unflagged = "No group is below four fifths beyond chance."},

    {.kind = REPORT_HEADING,
     .title = "Models",
     .note = "Versions that decided, and what changed for people whose next decision came from another one."},
    {.kind = REPORT_TABLE, .title = "Versions in use", .note = "None.", .sql = versions_sql},
    {.kind = REPORT_TABLE, .title = "Changes", .note = "Nobody's model changed.", .sql = changes_sql},

    {.kind = REPORT_HEADING,
     .title = "Erasure and retention",
     .note = "What was asked for in the month, and what went."},
    {.kind = REPORT_TABLE,
     .title = "Requests to erase",
     .note = "None.",
     .sql = erasures_sql,
     .flagged = "rows are of requests that are not done: under legal hold, or waiting",
     .unflagged = "All were done."},
    {.kind = REPORT_TABLE,
     .title = "Predictions removed",
     .note = "None.",
     .sql = removed_sql,
     .flagged = "rows are of somebody's own statements, neither erasure nor retention",
     .unflagged = "By erasure and retention alone."},

    {.kind = REPORT_HEADING,
     .title = "Incidents",
     .note = "What could not be handled: dead letters by code and field (docs/ERRORS.md)."},
    {.kind = REPORT_DAYS,
     .title = "Dead letters a day",
     .sql = letters_sql,
     .plot = {.name_y = "dead letters", .first = "all", .bars = true}},
    {.kind = REPORT_TABLE, .title = "By code", .note = "None.", .sql = incidents_sql},

    {.kind = REPORT_HEADING,
     .title = "Evidence",
     .note = "The last link of each chain of digests in the month. Kept elsewhere, it proves later that no row of the "
             "month was changed (scorer audit)."},
    {.kind = REPORT_TABLE, .title = "Heads", .note = "None.", .sql = heads_sql},
    {0},
};
