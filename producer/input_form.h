/* The forms that inputs have: one reader for each, behind one table.
 *
 * A new form is a file input_NAME.c that defines `const struct input_form input_NAME`, and its name in INPUT_FORMS. */
#pragma once

#include "base/byte_reader.h"
#include "producer/input_row.h"

/* The first is taken where neither --format nor the file's name nor its content says another. */
#define INPUT_FORMS(FORM) FORM(csv) FORM(jsonl) FORM(avro)

/* What is read. Plain data; outlives its reader. */
struct input_source {
    const char *name;          /* as in messages */
    struct byte_reader *bytes; /* at their beginning; decompressed, and of text forms UTF-8 */
    bool recoded;              /* they were in another encoding */
    const struct input_settings *settings;
};

struct input_form {
    const char *name;                    /* as in --format */
    const char *const *endings;          /* of its files' names; NULL ends them */
    bool binary;                         /* no text: its content decides before the file's name does */
    bool (*recognize)(struct span head); /* from the input's first bytes; NULL: never by content */

    /* Begins to read. STATUS_INVALID: this input cannot be of this form and schema; the text says why. What it says
     * once about the whole input (columns that are unknown, or not there) is logged here. *out is freed with close. */
    enum status (*open)(const struct input_source *source, void **out, struct error *err);
    /* Fills the row from the input's next record: line, raw, cells, envelope, and faults for what cannot be read.
     * STATUS_OK with *more false at the end. Anything else (reading failed) is final. */
    enum status (*next)(void *reader, struct input_row *row, bool *more, struct error *err);
    void (*close)(void *reader);

    /* For messages: what the input calls a column (a FAULT_… one is of the envelope); NULL: it is of none. */
    const char *(*field_name)(const void *reader, int32_t column);
    /* Appends where the input has it, by its name: "column Salary (3)". NULL: "field NAME". */
    void (*field_write)(const void *reader, int32_t column, const char *name, struct buffer *out);
    /* What a file of rejects begins with. NULL: nothing. */
    struct span (*header)(const void *reader);
};

#define INPUT_FORM_ROW(name) extern const struct input_form input_##name;
INPUT_FORMS(INPUT_FORM_ROW)
#undef INPUT_FORM_ROW

/* Not among them: no file, but settings->query on settings->database_url. */
extern const struct input_form input_query;

/* Is it the name of a form? STATUS_INVALID: the text lists the names. */
MUST_USE enum status input_form_check(const char *format, struct error *err);

/* The binary form called `format`, or, if that is NULL, the one that the bytes are of; NULL: they are text. */
const struct input_form *input_form_binary(const char *format, struct span head);

/* The text form called `format`, or, if that is NULL, by the file's name (people.jsonl.gz.rejects is JSON Lines), else
 * by its first bytes. */
const struct input_form *input_form_text(const char *format, const char *path, struct span head);
