/* Reading the part "life" of a recipe: what happens to employees, how often, and what it changes. Called by
 * recipe_load.c. Must never accept an effect that could make a row invalid
 * where recipe_limit would not hold it to the schema. */
#include "producer/recipe_loading.h"

#include <stdio.h>

static enum status read_range(struct loading *loading, json_t *from, const char *key, struct life_effect *out)
{
    json_t *least = json_is_array(from) ? json_array_get(from, 0) : from;
    json_t *greatest = json_is_array(from) ? json_array_get(from, 1) : from;
    if ((json_is_array(from) && json_array_size(from) != 2) || !json_is_number(least) || !json_is_number(greatest))
        return recipe_refuse(loading, "\"%s\" must be a number, or a list of the least and the greatest", key);
    out->least = json_number_value(least);
    out->greatest = json_number_value(greatest);
    return out->least <= out->greatest ? STATUS_OK
                                       : recipe_refuse(loading, "\"%s\": the least is above the greatest", key);
}

static enum status read_set(struct loading *loading, const struct column *column, json_t *from, struct life_effect *out)
{
    char text[32];
    if (json_is_string(from))
        return recipe_read_value(loading, column, json_string_value(from), &out->value);
    if (!json_is_number(from))
        return recipe_refuse(loading, "\"set\" must be a category or a number");
    snprintf(text, sizeof text, "%.17g", json_number_value(from));
    return recipe_read_value(loading, column, text, &out->value);
}

static enum status read_effect(struct loading *loading, json_t *from, struct life_effect *out)
{
    static const char *const known[] = {"column", "draw", "set", "add", "scale", NULL};
    static const char *const kinds[] = {
        [EFFECT_DRAW] = "draw", [EFFECT_SET] = "set", [EFFECT_ADD] = "add", [EFFECT_SCALE] = "scale"};
    size_t found = 0;
    json_t *value = NULL;
    if (!json_is_object(from))
        return recipe_refuse(loading, "an effect must be an object");
    if (recipe_refuse_unknown_keys(loading, from, known) != STATUS_OK ||
        recipe_read_column(loading, json_object_get(from, "column"), "column", &out->column) != STATUS_OK)
        return loading->err->status;
    const struct column *column = &loading->schema->columns[out->column];
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (json_object_get(from, kinds[k])) {
            out->kind = k;
            value = json_object_get(from, kinds[k]);
            found++;
        }
    if (found != 1)
        return recipe_refuse(loading, "%s: needs exactly one of draw, set, add, scale", column->name);
    if (out->kind == EFFECT_DRAW)
        return json_is_true(value) ? STATUS_OK : recipe_refuse(loading, "%s: \"draw\" must be true", column->name);
    if (out->kind == EFFECT_SET)
        return read_set(loading, column, value, out);
    if (column->kind == COLUMN_NOMINAL)
        return recipe_refuse(loading, "%s has categories: \"%s\" is for numbers", column->name, kinds[out->kind]);
    return read_range(loading, value, kinds[out->kind], out);
}

static enum status read_effects(struct loading *loading, json_t *list, struct life_change *out)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || !count)
        return recipe_refuse(loading, "needs \"effects\", a list");
    struct life_effect *effects = arena_zeroed(&loading->recipe->arena, count, sizeof *effects);
    for (size_t e = 0; e < count; e++)
        if (read_effect(loading, json_array_get(list, e), &effects[e]) != STATUS_OK)
            return loading->err->status;
    out->effects = effects;
    out->effect_count = count;
    return STATUS_OK;
}

static enum status read_change(struct loading *loading, size_t index, json_t *from, struct life_change *out)
{
    static const char *const known[] = {"name", "per_year", "yearly", "effects", NULL};
    const char *name = json_string_value(json_object_get(from, "name"));
    snprintf(loading->place, sizeof loading->place, "life: change %zu (%.64s)", index + 1, name ? name : "no name");
    if (!json_is_object(from) || !name)
        return recipe_refuse(loading, "must be an object with a \"name\"");
    if (recipe_refuse_unknown_keys(loading, from, known) != STATUS_OK)
        return loading->err->status;
    if (json_is_true(json_object_get(from, "yearly")))
        out->per_year = INFINITY;
    else if (recipe_read_number(loading, from, "per_year", &out->per_year) != STATUS_OK)
        return loading->err->status;
    if (!(out->per_year > 0))
        return recipe_refuse(loading, "\"per_year\" must be above 0");
    return read_effects(loading, json_object_get(from, "effects"), out);
}

enum status recipe_read_life(struct loading *loading, json_t *from)
{
    static const char *const known[] = {"doc", "changes", "hired", "vacant_days", NULL};
    snprintf(loading->place, sizeof loading->place, "life");
    json_t *list = json_object_get(from, "changes");
    size_t count = json_array_size(list);
    if (!json_is_object(from) || !json_is_array(list) || !count)
        return recipe_refuse(loading, "must be an object with \"changes\", a list");
    struct life *life = arena_zeroed(&loading->recipe->arena, 1, sizeof *life);
    struct life_change *changes = arena_zeroed(&loading->recipe->arena, count, sizeof *changes);
    if (recipe_refuse_unknown_keys(loading, from, known) != STATUS_OK ||
        recipe_read_number(loading, from, "vacant_days", &life->vacant_days) != STATUS_OK)
        return loading->err->status;
    if (!(life->vacant_days >= 0))
        return recipe_refuse(loading, "\"vacant_days\" must not be negative");
    for (size_t c = 0; c < count; c++) {
        if (read_change(loading, c, json_array_get(list, c), &changes[c]) != STATUS_OK)
            return loading->err->status;
        life->total_per_year += isfinite(changes[c].per_year) ? changes[c].per_year : 0;
    }
    life->changes = changes;
    life->change_count = count;
    loading->recipe->life = life;
    snprintf(loading->place, sizeof loading->place, "life: hired");
    return read_effects(loading, json_object_get(from, "hired"), &life->hired);
}
