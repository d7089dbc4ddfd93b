/* trainer describe: what a table holds, against the schema, before anything is trained. Called by main, on its only
 * thread. It refuses nothing that can be read at all, and writes nothing but the page that was asked for. */
#include "base/file.h"
#include "trainer/commands.h"
#include "trainer/report/comparison.h"

static enum status write_page(const struct description *description, const char *path, bool quiet, struct error *err)
{
    struct buffer page = {0};
    describe_page(description, &page);
    enum status status = file_write_atomic(path, buffer_span(&page), err);
    buffer_free(&page);
    if (status == STATUS_OK && !quiet)
        printf("wrote %s\n", path);
    return status;
}

static void answer(const struct description *description, bool as_json)
{
    struct buffer out = {0};
    if (!as_json) {
        describe_print(description);
        return;
    }
    describe_json(description, &out);
    fwrite(out.data, 1, out.bytes, stdout);
    buffer_free(&out);
}

static enum status show(const struct options *options, const struct description *description, struct error *err)
{
    const char *path = options_text(options, OPTION_OUTPUT);
    bool as_json = options_flag(options, OPTION_TRAINER_JSON);
    answer(description, as_json);
    return path ? write_page(description, path, as_json, err) : STATUS_OK;
}

/* Alone, or beside the table of --against. */
static enum status compare_and_show(const struct options *options, struct description *description, struct error *err)
{
    struct description before;
    struct comparison comparison;
    const char *path = options_text(options, OPTION_AGAINST);
    if (!path)
        return show(options, description, err);
    if (describe_read(path, description->schema, options_text(options, OPTION_NULL_VALUES), &before, err) != STATUS_OK)
        return error_prefix(err, "--against");
    comparison_make(description, &before, &comparison);
    description->against = &comparison;
    enum status status = show(options, description, err);
    description->against = NULL;
    comparison_clear(&comparison);
    describe_free(&before);
    return status;
}

enum status command_describe(const struct options *options, struct error *err)
{
    struct schema *schema;
    struct description description;
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err) != STATUS_OK)
        return err->status;
    enum status status = describe_read(options_argument(options, 0), schema, options_text(options, OPTION_NULL_VALUES),
                                       &description, err);
    if (status == STATUS_OK) {
        description.sample_rows = (size_t)options_integer(options, OPTION_SAMPLE_ROWS);
        status = compare_and_show(options, &description, err);
        describe_free(&description);
    }
    schema_free(schema);
    return status;
}
