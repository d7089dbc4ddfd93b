/* `scorer notices`: one document or line for each time that somebody became flagged, for those who must
 * notify the person. Main thread; needs the database alone, in one snapshot with the rights of attrition_analyst;
 * changes nothing. Whoever is erased has no rows there, and who is pseudonymised none with an id: neither has a notice.
 */
#include "scorer/commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/csv_write.h"
#include "base/log.h"
#include "registry/log_reader.h"
#include "scorer/time_option.h"

/* clang-format off */
/* p the decision, r its reasons that raise the risk, v the last word of a person on it. */
static const struct csv_column document[] = {{.sql =
    "json_build_object('employee_id', p.employee_id, 'event_id', p.event_id, 'scored_at', attrition.utc(p.scored_at), "
    "'decision', p.prediction, 'probability', p.probability, 'threshold', p.threshold, 'model', json_build_object("
    "'name', p.model_name, 'version', p.model_version), 'reasons', attrition.reasons_in_words(r.raising, p.input), "
    "'review', CASE WHEN v.id IS NOT NULL THEN json_build_object('reviewed_at', attrition.utc(v.reviewed_at), "
    "'overridden', v.overridden) END, 'contact', $4::text)"}};

static const struct csv_column cells[] = {
    {"employee_id", "p.employee_id", false},
    {"event_id", "p.event_id", false},
    {"scored_at", "attrition.utc(p.scored_at)", false},
    {"decision", "p.prediction", false},
    {"probability", "p.probability", true},
    {"threshold", "p.threshold", true},
    {"model_name", "p.model_name", false},
    {"model_version", "p.model_version", false},
    {"reasons", "(SELECT string_agg(w.reason ->> 'text', '; ' ORDER BY w.place) FROM json_array_elements("
        "attrition.reasons_in_words(r.raising, p.input)) WITH ORDINALITY AS w (reason, place))", false},
    {"data", "(SELECT jsonb_object_agg(w.reason ->> 'feature', p.input -> (w.reason ->> 'feature')) FROM "
        "jsonb_array_elements(r.raising) AS w (reason))", false},
    {"reviewed_at", "attrition.utc(v.reviewed_at)", false},
    {"overridden", "v.overridden::text", false},
    {"contact", "$4::text", false},
};

/* b is what stood before, as in attrition.prediction_steps: the newest of the stream by its own time, of those that were
 * scored earlier. Whoever has left since then begins again; of events of one time and partition their order decides. */
static const char from_sql[] =
    " FROM attrition.predictions AS p LEFT JOIN LATERAL (SELECT q.employee_id, q.occurred_at, q.cluster_id, q.source_topic, "
    "q.source_partition, q.source_offset, q.probability >= q.threshold AS flagged FROM attrition.predictions AS q WHERE q.employee_id = p.employee_id "
    "AND q.channel = 'STREAM' AND q.scored_at <= p.scored_at AND (q.scored_at, coalesce(q.output_topic, ''), "
    "q.output_partition, q.output_offset) < (p.scored_at, coalesce(p.output_topic, ''), p.output_partition, "
    "p.output_offset) ORDER BY q.occurred_at DESC, q.source_offset DESC LIMIT 1) AS b ON true "
    "LEFT JOIN LATERAL (SELECT w.id, w.reviewed_at, w.overridden FROM attrition.reviews AS w "
    "WHERE w.event_id = p.event_id AND w.employee_id = p.employee_id ORDER BY w.id DESC LIMIT 1) AS v ON true "
    "CROSS JOIN LATERAL (SELECT jsonb_path_query_array(p.reasons, '$[*] ? (@.contribution > 0)') AS raising) AS r "
    "WHERE p.channel = 'STREAM' AND p.probability >= p.threshold "
    "AND p.scored_at >= coalesce(timestamptz 'epoch' + $1::interval, '-infinity') "
    "AND p.scored_at < coalesce(timestamptz 'epoch' + $2::interval, 'infinity') "
    "AND p.employee_id IS NOT NULL AND p.employee_id = coalesce($3::text, p.employee_id) "
    "AND (b.employee_id IS NULL OR ((p.occurred_at, p.source_offset) > (b.occurred_at, b.source_offset) "
    "AND (NOT b.flagged OR EXISTS (SELECT FROM attrition.outcomes AS o WHERE o.employee_id = p.employee_id "
    "AND o.event_type = 'TERMINATED' AND o.occurred_at BETWEEN b.occurred_at AND p.occurred_at "
    "AND (o.occurred_at > b.occurred_at OR ((o.cluster_id, o.source_topic, o.source_partition) = (b.cluster_id, "
    "b.source_topic, b.source_partition) AND o.source_offset < b.source_offset) IS NOT TRUE) "
    "AND (o.occurred_at < p.occurred_at OR ((o.cluster_id, o.source_topic, o.source_partition) = (p.cluster_id, "
    "p.source_topic, p.source_partition) AND o.source_offset < p.source_offset) IS TRUE))))) "
    "ORDER BY p.scored_at, p.employee_id";
/* clang-format on */

struct notices {
    const struct csv_column *columns;
    size_t column_count;
    bool csv;
    struct buffer line;
    uint64_t written, bare; /* those without reasons */
};

static void notices_put(struct notices *notices)
{
    if (notices->csv)
        csv_end_line(&notices->line);
    else
        buffer_add_text(&notices->line, "\n");
    fwrite(notices->line.data, 1, notices->line.bytes, stdout); /* what fails is seen at the end */
    buffer_clear(&notices->line);
}

static void notices_add(struct notices *notices, const struct log_reader *rows)
{
    for (size_t c = 0; c < notices->column_count; c++) {
        struct span text = log_reader_text(rows, (int)c + 1);
        if (notices->csv)
            csv_add_cell(&notices->line, text, !c, notices->columns[c].takes_number);
        else
            buffer_add(&notices->line, text.data, text.bytes);
    }
    notices_put(notices);
    notices->written++;
    notices->bare += *log_reader_text(rows, 0).data == 't';
}

static enum status notices_query(const struct notices *notices, const char *const values[4], struct log_reader *rows,
                                 struct error *err)
{
    struct buffer sql = {0};
    buffer_add_text(&sql, "SELECT r.raising = '[]'");
    csv_add_sql(&sql, notices->columns, notices->column_count);
    buffer_add_text(&sql, from_sql);
    buffer_add_u8(&sql, '\0');
    enum status status =
        log_reader_query(rows, "reading decisions (run sql/migrate on the database?)", sql.data, 4, values, err);
    buffer_free(&sql);
    return status;
}

static enum status notices_write(struct notices *notices, const char *const values[4], struct log_reader *rows,
                                 struct error *err)
{
    bool found = true;
    if (notices_query(notices, values, rows, err) != STATUS_OK)
        return err->status;
    if (notices->csv) {
        csv_add_names(&notices->line, notices->columns, notices->column_count, true);
        notices_put(notices);
    }
    while (log_reader_next(rows, &found, err) == STATUS_OK && found)
        notices_add(notices, rows);
    if (found)
        return err->status;
    if (fflush(stdout) != 0 || ferror(stdout))
        return error_set(err, STATUS_IO, "standard output cannot be written");
    return STATUS_OK;
}

/* What a notice should say and does not. */
static void notices_warn(const struct notices *notices, const char *contact)
{
    if (notices->bare)
        log_warn("notices",
                 "%" PRIu64 " of %" PRIu64 " notices have no reasons: none were stored (REASONS, REASONS_FOR, a model "
                 "without them), or none raises the risk; `scorer explain --event-id` shows the decision",
                 notices->bare, notices->written);
    if (notices->written && !contact)
        log_warn("notices", "notices do not say how to have data corrected or ask for a review: give --contact");
}

static enum status notices_make(const struct options *options, const char *const values[4], struct error *err)
{
    struct notices notices = {.columns = document, .column_count = 1};
    struct log_reader *rows;
    if (options_word(options, OPTION_NOTICES_FORMAT) == NOTICES_CSV)
        notices = (struct notices){.columns = cells, .column_count = sizeof cells / sizeof *cells, .csv = true};
    if (log_reader_open(options_text(options, OPTION_DATABASE_URL), "attrition-notices", &rows, err) != STATUS_OK)
        return err->status;
    enum status status = notices_write(&notices, values, rows, err);
    log_reader_close(rows);
    buffer_free(&notices.line);
    if (status == STATUS_OK)
        notices_warn(&notices, values[3]);
    return status;
}

static enum status read_limits(const struct options *options, int64_t *from_ms, int64_t *to_ms, struct error *err)
{
    if (time_option(options, OPTION_AUDIT_FROM, "--from", from_ms, err) != STATUS_OK ||
        time_option(options, OPTION_AUDIT_TO, "--to", to_ms, err) != STATUS_OK)
        return err->status;
    if (*from_ms < 0 && *to_ms < 0 && !options_text(options, OPTION_NOTICES_EMPLOYEE))
        return error_set(err, STATUS_INVALID,
                         "say which decisions: those made --from TIME, before --to TIME, or of --employee ID");
    return STATUS_OK;
}

int cmd_notices(const struct options *options)
{
    int64_t from_ms, to_ms;
    char from[32], to[32];
    struct error err;
    if (read_limits(options, &from_ms, &to_ms, &err) != STATUS_OK) {
        log_error("notices", "%s", err.text);
        return 2;
    }
    const char *const values[] = {time_option_interval(from_ms, from), time_option_interval(to_ms, to),
                                  options_text(options, OPTION_NOTICES_EMPLOYEE),
                                  options_text(options, OPTION_NOTICES_CONTACT)};
    if (notices_make(options, values, &err) == STATUS_OK)
        return 0;
    log_error("notices", "%s", err.text);
    return 1;
}
