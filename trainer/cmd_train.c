/* trainer train: reads the table, validates, fits, exports, and registers or writes the file. Called by main on its
 * only thread. Nothing is registered that did not converge, or that does not load back and reproduce its golden rows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "trainer/commands.h"
#include "trainer/findings.h"
#include "trainer/print.h"
#include "trainer/train_run.h"

static enum status deliver(const struct options *options, const struct training *training, struct error *err)
{
    struct registry *registry;
    struct registered registered;
    const struct destination destination = {.experiment = options_text(options, OPTION_EXPERIMENT),
                                            .keep_dir = options_text(options, OPTION_KEEP_DIR),
                                            .name = options_text(options, OPTION_MODEL_NAME),
                                            .alias = options_text(options, OPTION_ALIAS),
                                            .promote = options_flag(options, OPTION_PROMOTE)};
    const char *path = options_text(options, OPTION_OUTPUT);
    if (path) {
        enum status written = file_write_atomic(path, training->file, err);
        if (written == STATUS_OK)
            printf("wrote %s\n", path);
        return written;
    }
    if (registry_open_options(options, &registry, err) != STATUS_OK)
        return err->status;
    enum status status = register_training(registry, training, &destination, &registered, err);
    if (status == STATUS_OK) {
        print_registered(registry, &destination, &registered);
        registered_clear(&registered);
    }
    registry_close(registry);
    return status;
}

static enum status train_table(const struct options *options, const struct train_settings *settings,
                               const struct run_labels *labels, const char *path, const struct table *table,
                               int64_t started_ms, struct error *err)
{
    struct train_run run;
    struct training training = {
        .data_path = path, .table = table, .settings = settings, .labels = labels, .started_ms = started_ms};
    enum status status = train_run_make(options, 0, &training, &run, err);
    if (status == STATUS_OK) {
        print_training(&training);
        status = deliver(options, &training, err);
    }
    train_run_clear(&run);
    return status;
}

/* A model file takes the place of a regular file or of none, in a directory that may be written. */
static enum status check_file(const char *path, struct error *err)
{
    struct stat found;
    if (!*path)
        return error_set(err, STATUS_INVALID, "--out is empty: name the file to write, or omit --out to register");
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
        return error_set(err, STATUS_INVALID, "--out %.300s: it exists and is no regular file: choose another name",
                         path);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_text_n(path, (size_t)(slash - path) + 1) : mem_text("./");
    int failed = access(folder, W_OK) == 0 ? 0 : errno;
    free(folder);
    return failed ? file_error(err, failed, "write --out", path) : STATUS_OK;
}

/* What would fail at the end should fail at the start: a file that cannot be written, names that are none, an alias
 * that is damaged. */
static enum status check_destination(const struct options *options, struct error *err)
{
    struct registry *registry;
    char *version = NULL;
    const char *path = options_text(options, OPTION_OUTPUT);
    const char *name = options_text(options, OPTION_MODEL_NAME), *alias = options_text(options, OPTION_ALIAS);
    if (path)
        return check_file(path, err);
    enum status status = registry_check_names(options_text(options, OPTION_EXPERIMENT), name, alias, err);
    if (status == STATUS_OK)
        status = registry_open_options(options, &registry, err);
    if (status != STATUS_OK)
        return status;
    if (!options_flag(options, OPTION_PROMOTE))
        status = registry_alias(registry, name, alias, &version, err);
    free(version);
    registry_close(registry);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status train(const struct options *options, const struct train_settings *settings,
                         const struct run_labels *labels, struct error *err)
{
    int64_t started_ms = clock_real_ms(&clock_system);
    struct schema *schema;
    struct table table;
    const char *path = options_argument(options, 0);
    if (check_destination(options, err) != STATUS_OK ||
        schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err) != STATUS_OK)
        return err->status;
    enum status status =
        table_read(path, schema, options_integer(options, OPTION_TRAIN_MAX_REJECTS),
                   options_text(options, OPTION_NULL_VALUES), options_text(options, OPTION_EXCLUDE), &table, err);
    if (status == STATUS_OK) {
        (void)findings_warn(&table, path);
        status = train_table(options, settings, labels, path, &table, started_ms, err);
        table_free(&table);
    }
    schema_free(schema);
    return status;
}

int command_train(const struct options *options)
{
    return train_command(options, train);
}
