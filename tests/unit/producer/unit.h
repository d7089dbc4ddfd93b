/* What the producer's unit tests share: cmocka, the shipped schema, files in a directory of their own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "events/schema.h"
#include "producer/recipe.h"

static struct schema *test_schema;
static char test_directory[64];

/* Notices are left out: what is tested is returned or written to files. */
static inline int unit_setup(void **state)
{
    (void)state;
    struct error err = {0};
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    snprintf(test_directory, sizeof test_directory, "/tmp/producer-test-XXXXXX");
    if (!mkdtemp(test_directory))
        return -1;
    if (schema_load("schemas", &test_schema, &err) == STATUS_OK)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return -1;
}

static inline int unit_teardown(void **state)
{
    (void)state;
    char command[128];
    schema_free(test_schema);
    snprintf(command, sizeof command, "rm -rf %s", test_directory);
    return system(command);
}

/* A row and its label. */
static inline void draw_row(const struct recipe *recipe, struct random *random, struct cell *cells, uint32_t *label)
{
    recipe_draw_row(recipe, random, cells);
    *label = recipe_draw_label(recipe, recipe_margin(recipe, cells), random);
}

/* The path of a file in the test's directory; written if text is not NULL. Two paths may be in use at once. */
static inline const char *unit_file(const char *name, const char *text)
{
    static char paths[2][128];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", test_directory, name);
    if (text) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
        assert_int_equal(fclose(file), 0);
    }
    return path;
}

static inline void unit_read(const char *path, char *out, size_t capacity)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out[fread(out, 1, capacity - 1, file)] = '\0';
    fclose(file);
}
