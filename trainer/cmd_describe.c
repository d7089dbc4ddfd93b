/* trainer describe: what a table holds, against the schema, before anything is trained. Called by main, on its only
 * thread. It refuses nothing that can be read at all, and writes nothing but the page that was asked for. */
#include "base/file.h"
#include "trainer/commands.h"
#include "trainer/report/describe.h"

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

enum status command_describe(const struct options *options, struct error *err)
{
    struct schema *schema;
    struct description description;
    const char *path = options_text(options, OPTION_OUTPUT);
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err) != STATUS_OK)
        return err->status;
    enum status status = describe_read(options_argument(options, 0), schema, options_text(options, OPTION_NULL_VALUES),
                                       &description, err);
    if (status == STATUS_OK) {
        bool as_json = options_flag(options, OPTION_TRAINER_JSON);
        answer(&description, as_json);
        if (path)
            status = write_page(&description, path, as_json, err);
        describe_free(&description);
    }
    schema_free(schema);
    return status;
}
