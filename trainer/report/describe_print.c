/* The description on the terminal: see describe.h. Standard output; no line is wider than 100 columns. */
#include <stdio.h>

#include "trainer/report/comparison.h"
#include "trainer/report/describe_facts.h"

enum { SPARK_BARS = 12, NAME_COLUMNS = 25, LINE_BYTES = 160 };

static void print_spark(const struct histogram *histogram)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t highest = histogram_highest(histogram);
    size_t shown = histogram->count < SPARK_BARS ? histogram->count : SPARK_BARS;
    for (size_t b = 0; b < shown; b++) {
        size_t count = bar_count(&histogram->bars[b]);
        fputs(count ? blocks[(count * 8 - 1) / highest] : " ", stdout);
    }
    printf("%*s", (int)(SPARK_BARS - shown), "");
}

static void print_feature(const struct column_facts *facts)
{
    static const char *const measures[] = {"", "AUC", "V"};
    char domain[LINE_BYTES];
    describe_print_cut(facts->name, NAME_COLUMNS);
    if (!facts->present) {
        puts(" not in the file");
        return;
    }
    describe_domain(facts, domain, sizeof domain);
    printf(" %-7s %-6s %6zu %7zu ", kind_names[facts->column->kind], type_names[facts->column->type], facts->missing,
           facts->values.count);
    describe_print_cut(domain, 22);
    putchar(' ');
    print_spark(&facts->histogram);
    if (facts->association_kind != ASSOCIATION_NONE)
        printf(" %3s %.2f", measures[facts->association_kind], facts->association);
    putchar('\n');
}

static void print_features(const struct description *description)
{
    printf("%-*s %-7s %-6s %6s %7s %-22s %-12s %s\n", NAME_COLUMNS, "feature", "kind", "type", "empty", "values",
           "range or categories", "distribution", "label");
    for (size_t c = 0; c < description->schema->column_count; c++)
        print_feature(&description->columns[c]);
    puts("range: the file's, in brackets the schema's. label: association with it, for numbers and ranks AUC\n"
         "(0.5: none; below: the positive have less), for categories Cramér's V (0: none, 1: full).");
}

static void print_others(const struct description *description)
{
    for (size_t c = description->schema->column_count; c < description->column_count; c++) {
        const struct column_facts *facts = &description->columns[c];
        describe_print_cut(facts->name, NAME_COLUMNS);
        printf(" %s: %zu distinct, %zu missing%s%s%s\n", role_names[facts->role], facts->values.count, facts->missing,
               facts->constant ? ", constant" : "", facts->identifier ? ", another value in each row" : "",
               facts->role == ROLE_UNKNOWN ? "; not in the schema: passed over" : "");
    }
}

static void print_alerts(const struct description *description)
{
    struct buffer lines = {0};
    describe_alerts(description, &lines);
    puts(lines.bytes ? "alerts:" : "alerts: none");
    fwrite(lines.data, 1, lines.bytes, stdout);
    putchar('\n');
    buffer_free(&lines);
}

static void print_patterns(const struct description *description)
{
    char names[LINE_BYTES];
    size_t shown = 0;
    for (size_t e = 0; e < description->missing.count && shown < PATTERNS_SHOWN; e++) {
        const struct value_count *pattern = &description->missing.entries[e];
        describe_pattern(description, pattern, names, sizeof names);
        if (*names == '\0')
            continue;
        if (shown++ == 0)
            puts("missing together, by rows:");
        printf("  %7zu  %s\n", value_count_total(pattern), names);
    }
}

static void print_pairs(const struct description *description)
{
    enum { FEW = 10 };
    char line[LINE_BYTES];
    size_t count = description->pair_count < FEW ? description->pair_count : FEW;
    if (count == 0)
        return;
    printf("strongest associations of features%s, measured on %zu rows:\n",
           description->pair_count > count ? " (the page has more)" : "", description->sample.count);
    for (size_t p = 0; p < count; p++) {
        describe_pair(description, &description->pairs[p], line, sizeof line);
        printf("  %s\n", line);
    }
}

static void print_offence(const struct offence *offence, const char *what, const char *where)
{
    char lines[LINE_BYTES];
    if (offence->count == 0)
        return;
    describe_lines(offence, lines, sizeof lines);
    printf("  %7zu  %s%s%s: %s\n", offence->count, where, *where ? ": " : "", what, lines);
}

static void print_violations(const struct description *description)
{
    const struct schema *schema = description->schema;
    if (description->faulty_rows == 0) {
        puts("violations of the schema: none");
        return;
    }
    printf("violations of the schema, in %zu rows or lines:\n", description->faulty_rows);
    print_offence(&description->broken, "not CSV", "");
    print_offence(&description->ragged, "another number of fields than the header", "");
    for (size_t c = 0; c < description->column_count; c++)
        for (int code = 1; code < EVENT_CODE_COUNT; code++)
            print_offence(&description->columns[c].offences[code], event_code_name((enum event_code)code),
                          description->columns[c].name);
    for (size_t r = 0; r < schema->rule_count; r++) {
        char what[LINE_BYTES];
        snprintf(what, sizeof what, "rule: %.60s at most %.60s", schema->columns[schema->rules[r].left].name,
                 schema->columns[schema->rules[r].right].name);
        print_offence(&description->rules[r], what, "");
    }
}

static void print_encodings(const struct schema *schema)
{
    puts("how models take them in:");
    for (int kind = COLUMN_NUMERIC; kind <= COLUMN_NOMINAL; kind++) {
        size_t count = 0;
        for (size_t c = 0; c < schema->column_count; c++)
            count += (int)schema->columns[c].kind == kind;
        if (count)
            printf("  %2zu %s: %s\n", count, kind_names[kind], describe_encoding_of((enum column_kind)kind));
    }
}

void describe_print(const struct description *description)
{
    const struct schema *schema = description->schema;
    const size_t *labels = description->labels;
    printf("%s: %zu rows, %zu features of the schema\n", description->path, description->rows, schema->column_count);
    if (!description->labelled)
        printf("no column %s: the table is unlabelled, so no association is given\n",
               schema->target_name ? schema->target_name : "for the label");
    else
        printf("%s: %zu %.*s (%.1f %%), %zu %.*s, %zu without a label\n", schema->target_name, labels[VALUE_POSITIVE],
               (int)schema->target_values[1].bytes, schema->target_values[1].data,
               100.0 * (double)labels[VALUE_POSITIVE] / (double)description->rows, labels[VALUE_NEGATIVE],
               (int)schema->target_values[0].bytes, schema->target_values[0].data, labels[VALUE_UNLABELLED]);
    print_alerts(description);
    if (description->against)
        comparison_print(description->against);
    print_features(description);
    putchar('\n');
    print_others(description);
    describe_print_sample(description);
    print_pairs(description);
    print_patterns(description);
    print_violations(description);
    print_encodings(schema);
}
