/* Reading a recipe: JSON text → checked tables. Called once by generate, before anything is drawn.
 *
 * Must never accept what could draw an invalid row: values lie in their column's range or categories, conditions cover
 * every value of the column they are about, and every rule of the schema is kept by a bound. */
#include "producer/recipe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "producer/recipe_loading.h"

enum { RECIPE_BYTES_MAX = 1 << 20, CATEGORIES_MAX = 64 };

static const struct draw *find_draw(const struct loading *loading, uint32_t column)
{
    for (size_t d = 0; d < loading->draw_count; d++)
        if (loading->recipe->draws[d].column == column)
            return &loading->recipe->draws[d];
    return NULL;
}

static enum status read_earlier_column(struct loading *loading, json_t *name, const char *key, uint32_t *out)
{
    uint32_t column;
    if (recipe_read_column(loading, name, key, &column) != STATUS_OK)
        return loading->err->status;
    if (!find_draw(loading, column))
        return recipe_refuse(loading, "\"%s\": %s must come earlier in the list", key, json_string_value(name));
    *out = column;
    return STATUS_OK;
}

static enum status read_table(struct loading *loading, const struct column *column, json_t *table,
                              struct draw_case *out)
{
    size_t count = json_object_size(table);
    struct cell *values = arena_take(&loading->recipe->arena, count * sizeof *values + 1);
    double *cumulative = arena_take(&loading->recipe->arena, count * sizeof *cumulative + 1), total = 0;
    const char *key;
    json_t *weight;
    json_object_foreach (table, key, weight) {
        if (!json_is_number(weight) || !(json_number_value(weight) >= 0) || !isfinite(json_number_value(weight)))
            return recipe_refuse(loading, "weight of \"%s\" must be a number from 0 on", key);
        if (recipe_read_value(loading, column, key, &values[out->value_count]) != STATUS_OK)
            return loading->err->status;
        cumulative[out->value_count++] = total += json_number_value(weight);
    }
    if (!(total > 0) || !isfinite(total))
        return recipe_refuse(loading, "\"table\" needs at least one weight above 0");
    out->law = LAW_TABLE;
    out->values = values;
    out->cumulative = cumulative;
    return STATUS_OK;
}

static enum status read_limits(struct loading *loading, const struct column *column, json_t *from,
                               struct draw_case *out)
{
    recipe_number_limits(column, &out->low, &out->high);
    if (json_object_get(from, "low") && (recipe_read_number(loading, from, "low", &out->low) != STATUS_OK ||
                                         recipe_check_number(loading, column, out->low) != STATUS_OK))
        return loading->err->status;
    if (json_object_get(from, "high") && (recipe_read_number(loading, from, "high", &out->high) != STATUS_OK ||
                                          recipe_check_number(loading, column, out->high) != STATUS_OK))
        return loading->err->status;
    if (out->low > out->high)
        return recipe_refuse(loading, "\"low\" is above \"high\"");
    return STATUS_OK;
}

/* The laws of numbers, and what their two parameters are called. */
static const struct law_row {
    const char *name;
    enum law law;
    const char *first, *second; /* keys; second may be NULL */
} laws[] = {
    {"normal", LAW_NORMAL, "mean", "sd"},
    {"uniform", LAW_UNIFORM, "least", "greatest"},
    {"exponential", LAW_EXPONENTIAL, "mean", NULL},
};

static enum status read_law(struct loading *loading, const struct column *column, const struct law_row *row,
                            json_t *parameters, struct draw_case *out)
{
    const char *const known[] = {row->first, row->second, NULL};
    if (column->kind == COLUMN_NOMINAL)
        return recipe_refuse(loading, "\"%s\" is for numbers: the column has categories", row->name);
    if (!json_is_object(parameters))
        return recipe_refuse(loading, "\"%s\" must be an object", row->name);
    if (recipe_refuse_unknown_keys(loading, parameters, known) != STATUS_OK ||
        recipe_read_number(loading, parameters, row->first, &out->first) != STATUS_OK ||
        (row->second && recipe_read_number(loading, parameters, row->second, &out->second) != STATUS_OK))
        return loading->err->status;
    out->law = row->law;
    if (row->law == LAW_NORMAL && out->second < 0)
        return recipe_refuse(loading, "\"sd\" must not be negative");
    if (row->law == LAW_EXPONENTIAL && out->first < 0)
        return recipe_refuse(loading, "\"mean\" must not be negative");
    if (row->law == LAW_UNIFORM && (recipe_check_number(loading, column, out->first) != STATUS_OK ||
                                    recipe_check_number(loading, column, out->second) != STATUS_OK))
        return loading->err->status;
    if (row->law == LAW_UNIFORM && out->first > out->second)
        return recipe_refuse(loading, "\"least\" is above \"greatest\"");
    return STATUS_OK;
}

/* One of table, normal, uniform, exponential, with low and high. `from` is the case, or the whole entry. */
static enum status read_distribution(struct loading *loading, const struct column *column, json_t *from,
                                     struct draw_case *out)
{
    json_t *table = json_object_get(from, "table");
    size_t found = table != NULL;
    if (table && !json_is_object(table))
        return recipe_refuse(loading, "\"table\" must be an object of weights");
    if (table && read_table(loading, column, table, out) != STATUS_OK)
        return loading->err->status;
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        json_t *parameters = json_object_get(from, laws[i].name);
        if (parameters && found++ == 0 && read_law(loading, column, &laws[i], parameters, out) != STATUS_OK)
            return loading->err->status;
    }
    if (found != 1)
        return recipe_refuse(loading, "needs exactly one of table, normal, uniform, exponential");
    if (table && (json_object_get(from, "low") || json_object_get(from, "high")))
        return recipe_refuse(loading, "\"low\" and \"high\" are not for tables");
    return table ? STATUS_OK : read_limits(loading, column, from, out);
}

static enum status read_categories(struct loading *loading, const struct column *given, json_t *is, uint64_t *out)
{
    uint64_t codes = 0;
    size_t count = json_is_array(is) ? json_array_size(is) : 1;
    for (size_t i = 0; i < count; i++) {
        json_t *text = json_is_array(is) ? json_array_get(is, i) : is;
        int32_t code = json_is_string(text) ? column_code(given, span_of(json_string_value(text))) : CELL_OTHER;
        if (code < 0)
            return recipe_refuse(loading, "\"is\" must name categories of %s", given->name);
        codes |= (uint64_t)1 << code;
    }
    *out = codes;
    return STATUS_OK;
}

/* What a case is about, checked against the cases before it. `met` gathers the categories met so far. */
static enum status read_condition(struct loading *loading, const struct column *given, json_t *from, uint64_t *met,
                                  double *above, struct draw_case *out)
{
    json_t *is = json_object_get(from, "is"), *up_to = json_object_get(from, "up_to");
    bool nominal = given->kind == COLUMN_NOMINAL;
    out->codes = UINT64_MAX;
    out->up_to = INFINITY;
    if (is && !nominal)
        return recipe_refuse(loading, "\"is\" is for categories: %s has numbers, use \"up_to\"", given->name);
    if (up_to && nominal)
        return recipe_refuse(loading, "\"up_to\" is for numbers: %s has categories, use \"is\"", given->name);
    if ((is && read_categories(loading, given, is, &out->codes) != STATUS_OK) ||
        (up_to && recipe_read_number(loading, from, "up_to", &out->up_to) != STATUS_OK))
        return loading->err->status;
    if (nominal ? !(out->codes & ~*met) : out->up_to <= *above)
        return recipe_refuse(loading, "is never met: the cases before it cover it");
    *met |= out->codes;
    *above = out->up_to;
    return STATUS_OK;
}

static enum status read_cases(struct loading *loading, const struct column *column, json_t *entry, struct draw *out)
{
    static const char *const known[] = {"is",          "up_to", "table", "normal", "uniform",
                                        "exponential", "low",   "high",  NULL};
    const struct column *given = &loading->schema->columns[out->given];
    json_t *list = json_object_get(entry, "cases");
    if (!json_is_array(list) || !json_array_size(list))
        return recipe_refuse(loading, "\"given\" needs \"cases\", a list");
    if (given->kind == COLUMN_NOMINAL && given->value_count > CATEGORIES_MAX)
        return recipe_refuse(loading, "\"given\": %s has more than %d categories", given->name, CATEGORIES_MAX);
    size_t count = json_array_size(list), place_bytes = strlen(loading->place);
    struct draw_case *cases = arena_take(&loading->recipe->arena, count * sizeof *cases);
    uint64_t met = 0;
    double above = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        json_t *from = json_array_get(list, i);
        snprintf(loading->place + place_bytes, sizeof loading->place - place_bytes, ": case %zu", i + 1);
        cases[i] = (struct draw_case){0};
        if (!json_is_object(from))
            return recipe_refuse(loading, "must be an object");
        if (recipe_refuse_unknown_keys(loading, from, known) != STATUS_OK ||
            read_condition(loading, given, from, &met, &above, &cases[i]) != STATUS_OK ||
            read_distribution(loading, column, from, &cases[i]) != STATUS_OK)
            return loading->err->status;
    }
    loading->place[place_bytes] = '\0';
    uint64_t all = given->value_count >= CATEGORIES_MAX ? UINT64_MAX : ((uint64_t)1 << given->value_count) - 1;
    if (given->kind == COLUMN_NOMINAL ? (met & all) != all : above != INFINITY)
        return recipe_refuse(loading, "the cases do not cover every %s: end with one that has no condition",
                             given->name);
    out->cases = cases;
    out->case_count = count;
    return STATUS_OK;
}

static enum status read_single(struct loading *loading, const struct column *column, json_t *entry, struct draw *out)
{
    struct draw_case *only = arena_take(&loading->recipe->arena, sizeof *only);
    *only = (struct draw_case){.codes = UINT64_MAX, .up_to = INFINITY};
    if (json_object_get(entry, "cases"))
        return recipe_refuse(loading, "\"cases\" needs \"given\"");
    if (read_distribution(loading, column, entry, only) != STATUS_OK)
        return loading->err->status;
    out->given = -1;
    out->cases = only;
    out->case_count = 1;
    return STATUS_OK;
}

static double case_least(const struct draw_case *from)
{
    if (from->law != LAW_TABLE)
        return from->low;
    double least = INFINITY;
    for (size_t v = 0; v < from->value_count; v++)
        least = fmin(least, from->values[v].number);
    return least;
}

static enum status read_bound(struct loading *loading, const struct column *column, json_t *name, uint32_t *out,
                              double *least)
{
    uint32_t bound;
    if (read_earlier_column(loading, name, "at_most", &bound) != STATUS_OK)
        return loading->err->status;
    if (loading->schema->columns[bound].kind == COLUMN_NOMINAL || column->kind == COLUMN_NOMINAL)
        return recipe_refuse(loading, "\"at_most\" is for numbers");
    double most = find_draw(loading, bound)->least;
    *least = fmin(*least, column_is_whole(column) ? floor(most) : most);
    if (*least < column->low)
        return recipe_refuse(loading,
                             "\"at_most\" %s could push it below the schema's range: raise that column's \"low\"",
                             loading->schema->columns[bound].name);
    *out = bound;
    return STATUS_OK;
}

static enum status read_bounds(struct loading *loading, const struct column *column, json_t *entry, struct draw *out)
{
    json_t *list = json_object_get(entry, "at_most");
    out->least = INFINITY;
    for (size_t i = 0; column->kind != COLUMN_NOMINAL && i < out->case_count; i++)
        out->least = fmin(out->least, case_least(&out->cases[i]));
    if (!list)
        return STATUS_OK;
    size_t count = json_is_array(list) ? json_array_size(list) : 1;
    uint32_t *bounds = arena_take(&loading->recipe->arena, count * sizeof *bounds + 1);
    for (size_t i = 0; i < count; i++) {
        json_t *from = json_is_array(list) ? json_array_get(list, i) : list;
        if (read_bound(loading, column, from, &bounds[i], &out->least) != STATUS_OK)
            return loading->err->status;
    }
    out->bounds = bounds;
    out->bound_count = count;
    return STATUS_OK;
}

static enum status read_entry(struct loading *loading, size_t index, json_t *entry)
{
    static const char *const known[] = {"column",      "given", "cases", "table",   "normal", "uniform",
                                        "exponential", "low",   "high",  "at_most", "doc",    NULL};
    struct draw *draw = &loading->recipe->draws[index];
    snprintf(loading->place, sizeof loading->place, "column %zu", index + 1);
    if (!json_is_object(entry))
        return recipe_refuse(loading, "must be an object");
    if (recipe_read_column(loading, json_object_get(entry, "column"), "column", &draw->column) != STATUS_OK)
        return loading->err->status;
    const struct column *column = &loading->schema->columns[draw->column];
    snprintf(loading->place, sizeof loading->place, "column %zu (%.64s)", index + 1, column->name);
    if (find_draw(loading, draw->column))
        return recipe_refuse(loading, "duplicate in the list");
    if (recipe_refuse_unknown_keys(loading, entry, known) != STATUS_OK)
        return loading->err->status;
    json_t *given = json_object_get(entry, "given");
    uint32_t given_column = 0;
    if (given && read_earlier_column(loading, given, "given", &given_column) != STATUS_OK)
        return loading->err->status;
    draw->given = (int32_t)given_column;
    enum status status = given ? read_cases(loading, column, entry, draw) : read_single(loading, column, entry, draw);
    return status == STATUS_OK ? read_bounds(loading, column, entry, draw) : status;
}

/* Every rule of the schema must follow from a bound of the column on its left. */
static enum status check_rules(struct loading *loading)
{
    const struct schema *schema = loading->schema;
    for (size_t r = 0; r < schema->rule_count; r++) {
        const struct draw *left = find_draw(loading, schema->rules[r].left);
        bool kept = false;
        for (size_t b = 0; b < left->bound_count; b++)
            kept |= left->bounds[b] == schema->rules[r].right;
        if (!kept)
            return recipe_refuse(loading, "the schema's rule needs %s to have \"at_most\": \"%s\"",
                                 schema->columns[schema->rules[r].left].name,
                                 schema->columns[schema->rules[r].right].name);
    }
    return STATUS_OK;
}

static enum status read_columns(struct loading *loading, json_t *list)
{
    const struct schema *schema = loading->schema;
    loading->recipe->draws = arena_zeroed(&loading->recipe->arena, schema->column_count, sizeof(struct draw));
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        if (i == schema->column_count)
            return recipe_refuse(loading, "\"columns\" has more entries than the schema has columns");
        if (read_entry(loading, i, json_array_get(list, i)) != STATUS_OK)
            return loading->err->status;
        loading->draw_count++;
    }
    snprintf(loading->place, sizeof loading->place, "columns");
    for (uint32_t c = 0; c < schema->column_count; c++)
        if (!find_draw(loading, c))
            return recipe_refuse(loading, "the schema's column %s is missing", schema->columns[c].name);
    return check_rules(loading);
}

static enum status read_weights(struct loading *loading, const struct column *column, json_t *weights, struct term *out)
{
    if (!json_is_object(weights))
        return recipe_refuse(loading, "needs \"weights\", a number for each category that counts");
    double *of = arena_zeroed(&loading->recipe->arena, column->value_count, sizeof *of);
    const char *key;
    json_t *weight;
    json_object_foreach (weights, key, weight) {
        int32_t code = column_code(column, span_of(key));
        if (code < 0)
            return recipe_refuse(loading, "\"%s\" is not one of the column's categories in the schema", key);
        if (recipe_read_number(loading, weights, key, &of[code]) != STATUS_OK)
            return loading->err->status;
    }
    out->weights = of;
    return STATUS_OK;
}

static enum status read_term(struct loading *loading, size_t index, json_t *from, struct term *out)
{
    static const char *const of_category[] = {"column", "weights", NULL};
    static const char *const of_number[] = {"column", "mean", "sd", "per_sd", NULL};
    snprintf(loading->place, sizeof loading->place, "target: term %zu", index + 1);
    if (!json_is_object(from))
        return recipe_refuse(loading, "must be an object");
    if (recipe_read_column(loading, json_object_get(from, "column"), "column", &out->column) != STATUS_OK)
        return loading->err->status;
    const struct column *column = &loading->schema->columns[out->column];
    bool nominal = column->kind == COLUMN_NOMINAL;
    if (recipe_refuse_unknown_keys(loading, from, nominal ? of_category : of_number) != STATUS_OK)
        return loading->err->status;
    if (nominal)
        return read_weights(loading, column, json_object_get(from, "weights"), out);
    if (recipe_read_number(loading, from, "mean", &out->mean) != STATUS_OK ||
        recipe_read_number(loading, from, "sd", &out->sd) != STATUS_OK ||
        recipe_read_number(loading, from, "per_sd", &out->per_sd) != STATUS_OK)
        return loading->err->status;
    return out->sd > 0 ? STATUS_OK : recipe_refuse(loading, "\"sd\" must be above 0");
}

static enum status read_target(struct loading *loading, json_t *target)
{
    static const char *const known[] = {"intercept", "terms", "doc", NULL};
    struct recipe *recipe = loading->recipe;
    snprintf(loading->place, sizeof loading->place, "target");
    json_t *terms = json_object_get(target, "terms");
    if (!json_is_object(target) || !json_is_array(terms))
        return recipe_refuse(loading, "needs \"intercept\" and \"terms\", a list");
    if (recipe_refuse_unknown_keys(loading, target, known) != STATUS_OK ||
        recipe_read_number(loading, target, "intercept", &recipe->intercept) != STATUS_OK)
        return loading->err->status;
    recipe->term_count = json_array_size(terms);
    recipe->terms = arena_zeroed(&recipe->arena, recipe->term_count, sizeof *recipe->terms);
    for (size_t t = 0; t < recipe->term_count; t++)
        if (read_term(loading, t, json_array_get(terms, t), &recipe->terms[t]) != STATUS_OK)
            return loading->err->status;
    return STATUS_OK;
}

static enum status read_recipe(struct loading *loading, json_t *root)
{
    static const char *const known[] = {"doc", "columns", "target", "life", NULL};
    snprintf(loading->place, sizeof loading->place, "top level");
    json_t *columns = json_object_get(root, "columns");
    if (!json_is_object(root) || !json_is_array(columns))
        return recipe_refuse(loading, "must be an object with \"columns\", a list");
    if (recipe_refuse_unknown_keys(loading, root, known) != STATUS_OK || read_columns(loading, columns) != STATUS_OK)
        return loading->err->status;
    if (read_target(loading, json_object_get(root, "target")) != STATUS_OK)
        return loading->err->status;
    json_t *life = json_object_get(root, "life");
    return life ? recipe_read_life(loading, life) : STATUS_OK;
}

static enum status parse_text(const char *path, json_t **out, struct error *err)
{
    struct buffer text = {0};
    json_error_t at;
    enum status status = file_read(path, RECIPE_BYTES_MAX, &text, err);
    if (status == STATUS_OK)
        *out = json_loadb(text.data, text.bytes, JSON_REJECT_DUPLICATES, &at);
    buffer_free(&text);
    if (status != STATUS_OK)
        return status;
    return *out ? STATUS_OK : error_set(err, STATUS_INVALID, "line %d: not JSON: %s", at.line, at.text);
}

enum status recipe_load(const char *path, const struct schema *schema, struct recipe **out, struct error *err)
{
    json_t *root = NULL;
    if (parse_text(path, &root, err) != STATUS_OK)
        return error_prefix(err, "recipe %s", path);
    struct recipe *recipe = mem_zeroed(1, sizeof *recipe);
    recipe->schema = schema;
    struct loading loading = {.schema = schema, .recipe = recipe, .err = err};
    enum status status = read_recipe(&loading, root);
    json_decref(root);
    if (status != STATUS_OK) {
        recipe_free(recipe);
        return error_prefix(err, "recipe %s", path);
    }
    *out = recipe;
    return STATUS_OK;
}
