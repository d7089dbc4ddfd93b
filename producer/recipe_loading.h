/* Reading a recipe: what recipe_load.c, which reads it, and recipe_life_load.c share. */
#pragma once

#include <jansson.h>

#include "producer/recipe_parts.h"

/* A load under way. `place` says which entry is being read, for messages. Plain data. */
struct loading {
    const struct schema *schema;
    struct recipe *recipe;
    size_t draw_count; /* columns read so far */
    char place[128];
    struct error *err;
};

enum status recipe_refuse(struct loading *loading, const char *format, ...) PRINTF_LIKE(2, 3);
enum status recipe_refuse_unknown_keys(struct loading *loading, json_t *object, const char *const *known);
enum status recipe_read_number(struct loading *loading, json_t *object, const char *key, double *out);
/* The schema's column that `name` names, or a refusal. */
enum status recipe_read_column(struct loading *loading, json_t *name, const char *key, uint32_t *out);
/* A column's value as text: a category, or a number in its range. */
enum status recipe_read_value(struct loading *loading, const struct column *column, const char *key, struct cell *out);
/* The schema's range, and what fits into the column's type. */
void recipe_number_limits(const struct column *column, double *low, double *high);
enum status recipe_check_number(struct loading *loading, const struct column *column, double number);

enum status recipe_read_life(struct loading *loading, json_t *life);
