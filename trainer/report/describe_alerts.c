/* What to look at first: see describe.h. Pure. */
#include <math.h>

#include "trainer/report/comparison.h"

enum { LINE_BYTES = 200 };
static const double missing_alert = 0.2;

static void alert_rows(const struct description *description, struct buffer *out)
{
    if (description->labelled && (description->labels[VALUE_POSITIVE] == 0 || description->labels[VALUE_NEGATIVE] == 0))
        buffer_add_text(out, "one class only: no association can be given, and no model trained\n");
    if (description->faulty_rows)
        buffer_printf(out, "%zu rows or lines break the schema\n", description->faulty_rows);
    if (description->duplicates)
        buffer_printf(out,
                      "%zu rows are equal to one before, the identifier aside: rows on both sides of a fold "
                      "make figures too good\n",
                      description->duplicates);
}

static void alert_identifier(const struct column_facts *facts, struct buffer *out)
{
    size_t rows = 0;
    for (size_t e = 0; e < facts->values.count; e++) {
        size_t here = value_count_total(&facts->values.entries[e]);
        rows += here > 1 ? here : 0;
    }
    if (rows)
        buffer_printf(out, "%s: %zu rows have an identifier that another row has, too\n", facts->name, rows);
}

static void alert_feature(const struct column_facts *facts, size_t rows, struct buffer *out)
{
    if (!facts->present)
        buffer_printf(out, "%s: not in the file\n", facts->name);
    else if (facts->values.count == 0)
        buffer_printf(out, "%s: no value in any row: fill it, or take it out of the schema\n", facts->name);
    else if ((double)facts->missing >= missing_alert * (double)rows)
        buffer_printf(out, "%s: no value in %.1f %% of the rows\n", facts->name,
                      100 * (double)facts->missing / (double)rows);
    if (facts->constant)
        buffer_printf(out, "%s: constant, of no use to a model\n", facts->name);
    else if (facts->identifier && facts->column->kind == COLUMN_NOMINAL)
        buffer_printf(out, "%s: another value in each row: an identifier is of no use to a model\n", facts->name);
    if (facts->undrawn)
        buffer_printf(out, "%s: %zu numbers far outside (more than 6 interquartile ranges), from %.6g to %.6g\n",
                      facts->name, facts->undrawn, facts->low, facts->high);
    if (facts->values.beyond)
        buffer_printf(out, "%s: more than %d distinct values: %zu values are not in these figures\n", facts->name,
                      VALUE_COUNTS_MOST, facts->values.beyond);
}

static void alert_pairs(const struct description *description, struct buffer *out)
{
    char line[LINE_BYTES];
    size_t strong = 0;
    for (; strong < description->pair_count; strong++) {
        const struct pair *pair = &description->pairs[strong];
        if (fabs(pair->strength) < describe_pair_alert)
            break;
        if (strong >= PAIRS_SHOWN)
            continue;
        describe_pair(description, pair, line, sizeof line);
        buffer_printf(out, "%s\n", line);
    }
    if (strong > PAIRS_SHOWN)
        buffer_printf(out, "%zu more pairs of features with an association of at least %.1f\n", strong - PAIRS_SHOWN,
                      describe_pair_alert);
}

void describe_alerts(const struct description *description, struct buffer *out)
{
    alert_rows(description, out);
    if (description->against)
        comparison_alerts(description->against, out);
    for (size_t c = 0; c < description->column_count; c++) {
        const struct column_facts *facts = &description->columns[c];
        if (c < description->schema->column_count)
            alert_feature(facts, description->rows, out);
        else if (facts->role == ROLE_ID)
            alert_identifier(facts, out);
    }
    alert_pairs(description, out);
}
