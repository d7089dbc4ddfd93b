/* The forms that inputs have: one reader for each, behind one table.
 *
 * A new form is a file input_NAME.c that defines `const struct input_form input_NAME`, and its name in INPUT_FORMS. */
#pragma once

#include <stdio.h>

#include "producer/input_row.h"

/* The first is taken where neither --format nor the file's name nor its content says another. */
#define INPUT_FORMS(FORM) FORM(csv) FORM(jsonl)

/* What is read. Plain data; outlives its reader. */
struct input_source {
    const char *name; /* as in messages */
    FILE *file;       /* at its beginning */
    const struct input_settings *settings;
};

struct input_form {
    const char *name;                    /* as in --format */
    const char *const *endings;          /* of its files' names; NULL ends them */
    bool (*recognize)(struct span head); /* from the input's first byte or more; NULL: never by content */

    /* Begins to read. STATUS_INVALID: this input cannot be of this form and schema; the text says why. What it says
     * once about the whole input (columns that are unknown, or not there) is logged here. *out is freed with close. */
    enum status (*open)(const struct input_source *source, void **out, struct error *err);
    /* Fills the row from the input's next record: line, raw, cells, envelope, and faults for what cannot be read.
     * STATUS_OK with *more false at the end. Anything else (reading failed) is final. */
    enum status (*next)(void *reader, struct input_row *row, bool *more, struct error *err);
    void (*close)(void *reader);

    /* For messages: what the input calls a column (a FAULT_… one is of the envelope); NULL: it is of none. */
    const char *(*field_name)(const void *reader, int32_t column);
    /* Appends where the input has it, by its name: "column Salary (3)". */
    void (*field_write)(const void *reader, int32_t column, const char *name, struct buffer *out);
    /* What a file of rejects begins with. NULL: nothing. */
    struct span (*header)(const void *reader);
};

#define INPUT_FORM_ROW(name) extern const struct input_form input_##name;
INPUT_FORMS(INPUT_FORM_ROW)
#undef INPUT_FORM_ROW

/* Is it the name of a form? STATUS_INVALID: the text lists the names. */
MUST_USE enum status input_form_check(const char *format, struct error *err);

/* The form called `format`, or, if that is NULL, by the file's name (people.jsonl.rejects is JSON Lines), else by the
 * first byte of its content, which stays unread. */
const struct input_form *input_form_choose(const char *format, const char *path, FILE *file);
