/* The description for programs: see describe.h. Pure. */
#include "base/json_writer.h"
#include "trainer/report/comparison.h"
#include "trainer/report/describe_facts.h"

static void write_numbers(struct json_writer *json, const struct column_facts *facts)
{
    json_write_finite(json, "minimum", facts->low);
    json_write_finite(json, "maximum", facts->high);
    json_write_finite(json, "mean", facts->mean);
    json_write_finite(json, "standard_deviation", facts->sd);
    json_begin_array(json, "quantiles");
    for (size_t q = 0; q < QUANTILE_COUNT; q++)
        json_write_finite(json, NULL, facts->quantiles[q]);
    json_end_array(json);
    json_write_uint(json, "outliers", facts->outliers);
}

static void write_column(struct json_writer *json, const struct column_facts *facts)
{
    static const char *const measures[] = {NULL, "auc", "cramers_v"};
    json_begin_object(json, NULL);
    json_write_string(json, "name", facts->name);
    json_write_string(json, "role", role_names[facts->role]);
    if (facts->column)
        json_write_string(json, "kind", kind_names[facts->column->kind]);
    json_write_bool(json, "present", facts->present);
    json_write_uint(json, "distinct", facts->values.count);
    json_write_uint(json, "missing", facts->missing);
    json_write_bool(json, "constant", facts->constant);
    json_write_bool(json, "identifier", facts->identifier);
    if (facts->column && facts->column->kind != COLUMN_NOMINAL)
        write_numbers(json, facts);
    if (facts->association_kind != ASSOCIATION_NONE)
        json_write_finite(json, measures[facts->association_kind], facts->association);
    json_end_object(json);
}

static void write_pair(struct json_writer *json, const struct description *description, const struct pair *pair)
{
    json_begin_object(json, NULL);
    json_write_string(json, "left", description->columns[pair->left].name);
    json_write_string(json, "right", description->columns[pair->right].name);
    json_write_uint(json, "rows", pair->rows);
    if (pair->kind == PAIR_NUMBERS) {
        json_write_finite(json, "pearson", pair->pearson);
        json_write_finite(json, "spearman", pair->spearman);
    } else {
        json_write_finite(json, pair->kind == PAIR_CATEGORIES ? "cramers_v" : "correlation_ratio", pair->strength);
    }
    json_end_object(json);
}

static void write_missing(struct json_writer *json, const struct description *description)
{
    json_begin_array(json, "missing_together");
    for (size_t e = 0; e < description->missing.count && e < PATTERNS_SHOWN; e++) {
        const struct value_count *pattern = &description->missing.entries[e];
        json_begin_object(json, NULL);
        json_write_uint(json, "rows", value_count_total(pattern));
        json_begin_array(json, "features");
        for (size_t c = 0; c < description->schema->column_count; c++)
            if ((unsigned char)pattern->text.data[c / 8] >> c % 8 & 1)
                json_write_string(json, NULL, description->columns[c].name);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_alerts(struct json_writer *json, const struct description *description)
{
    struct buffer lines = {0};
    describe_alerts(description, &lines);
    json_begin_array(json, "alerts");
    for (size_t from = 0; from < lines.bytes;) {
        const char *line = lines.data + from, *end = memchr(line, '\n', lines.bytes - from);
        json_write_text(json, NULL, (struct span){line, (size_t)(end - line)});
        from += (size_t)(end - line) + 1;
    }
    json_end_array(json);
    buffer_free(&lines);
}

void describe_json(const struct description *description, struct buffer *out)
{
    struct json_writer json = json_begin_document(out);
    json_write_uint(&json, "rows", description->rows);
    json_write_uint(&json, "faulty_rows", description->faulty_rows);
    json_write_uint(&json, "duplicates", description->duplicates);
    write_alerts(&json, description);
    json_begin_array(&json, "columns");
    for (size_t c = 0; c < description->column_count; c++)
        write_column(&json, &description->columns[c]);
    json_end_array(&json);
    write_missing(&json, description);
    json_write_uint(&json, "pair_rows", description->sample.count);
    json_begin_array(&json, "pairs");
    for (size_t p = 0; p < description->pair_count; p++)
        write_pair(&json, description, &description->pairs[p]);
    json_end_array(&json);
    describe_json_sample(description, &json);
    if (description->against)
        comparison_json(description->against, &json);
    json_end_document(&json);
}
