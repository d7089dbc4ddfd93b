/* registry promote and rollback: an alias moves after the version has shown that it can serve. Called by main on its
 * only thread. The version is loaded as the scorer loads it (its golden rows are replayed), held against the contract
 * noted at its registration, and its metrics are shown beside those of the version in use; then the alias moves, if it
 * still points where it did when they were shown. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "registry/commands.h"
#include "registry/demand.h"
#include "registry/model_file.h"

/* Says how its golden rows fared. */
static enum status check_serves(struct registry *registry, const struct options *options, const struct schema *schema,
                                const char *name, const char *number, struct pipeline **pipeline, struct error *err)
{
    bool noted = false;
    enum status status = model_file_load_version(registry, schema, options_text(options, OPTION_POSITIVE_LABEL), name,
                                                 number, &noted, pipeline, err);
    if (status == STATUS_OK)
        printf("version %s loads; golden rows replayed: %zu; the schema serves it%s\n", number,
               pipeline_golden(*pipeline).rows, noted ? " as it was registered" : "");
    else
        (void)error_prefix(err, "version %s cannot serve, so the alias stays", number);
    return status;
}

/* The run behind a version; false where there is none, or none that can be read. */
static bool promote_read_run(struct registry *registry, const char *name, const char *version, struct run_details *out)
{
    struct version_details details;
    if (!version || registry_describe(registry, name, version, &details, ERROR_IGNORED) != STATUS_OK)
        return false;
    bool read =
        details.version.run_id && registry_run(registry, details.version.run_id, out, ERROR_IGNORED) == STATUS_OK;
    version_details_clear(&details);
    return read;
}

static bool is_for_people(const char *key)
{
    size_t bytes = strlen(key);
    return strncmp(key, "fold_", 5) != 0 && (bytes < 4 || strcmp(key + bytes - 4, "_low") != 0) &&
           (bytes < 5 || strcmp(key + bytes - 5, "_high") != 0);
}

static void print_beside(const struct run_details *next, const struct run_details *now, const char *next_version,
                         const char *now_version)
{
    printf("  %-24s %14s %14s %12s\n", "metric", next_version, now_version ? now_version : "-", "difference");
    for (size_t m = 0; m < next->metric_keys.count; m++) {
        const char *key = next->metric_keys.items[m];
        long beside = now ? run_details_metric(now, key) : -1;
        if (!is_for_people(key))
            continue;
        if (beside < 0)
            printf("  %-24s %14.6g %14s\n", key, next->metric_values[m], "-");
        else
            printf("  %-24s %14.6g %14.6g %+12.6g\n", key, next->metric_values[m], now->metric_values[beside],
                   next->metric_values[m] - now->metric_values[beside]);
    }
}

/* The candidate's metrics beside those of the version in use. */
static void promote_compare(struct registry *registry, const char *name, const char *version, const char *current)
{
    struct run_details next, now;
    if (!promote_read_run(registry, name, version, &next)) {
        printf("version %s has no run with metrics\n", version);
        return;
    }
    bool has_now = current && strcmp(current, version) != 0 && promote_read_run(registry, name, current, &now);
    print_beside(&next, has_now ? &now : NULL, version, has_now ? current : NULL);
    if (has_now)
        run_details_clear(&now);
    run_details_clear(&next);
}

/* What the alias points at; NULL: nothing yet, or *damaged: a directory's file that holds no version. */
static enum status read_current(const struct registry *registry, const char *name, const char *alias, char **current,
                                bool *damaged, struct error *err)
{
    enum status status = registry_alias(registry, name, alias, current, err);
    *damaged = status == STATUS_UNAVAILABLE && !registry_is_server(registry);
    if (*damaged)
        log_warn("registry", "%s", err->text);
    if (status != STATUS_NOT_FOUND && !*damaged)
        return status;
    *current = NULL;
    return STATUS_OK;
}

/* The candidate and the version in use on the log, as --replay and --require want. */
struct rehearsal {
    const struct options *options;
    const struct schema *schema;
    const struct pipeline *next;
    const char *version, *current;
    const struct demand *demands;
    size_t demand_count;
};

static enum status rehearse(const struct rehearsal *rehearsal, const struct pipeline *now, struct error *err)
{
    struct log_reader *rows;
    struct replay replay;
    size_t count = (size_t)options_integer(rehearsal->options, OPTION_REPLAY);
    const char *conninfo = options_text(rehearsal->options, OPTION_DATABASE_URL);
    enum status status = log_reader_open(conninfo, "attrition-replay", &rows, err);
    if (status != STATUS_OK)
        return status;
    status = replay_run(rows, rehearsal->schema, now, rehearsal->next, count, &replay, err);
    if (status == STATUS_OK) {
        replay_print(&replay, rehearsal->current ? rehearsal->current : "-", rehearsal->version);
        status = demands_check(rehearsal->demands, rehearsal->demand_count, &replay, err);
        replay_clear(&replay);
    }
    log_reader_close(rows);
    return status;
}

/* A version in use that does not load any more is no reason to keep it: it compares with nothing. */
static enum status promote_replay(struct registry *registry, const struct rehearsal *rehearsal, const char *name,
                                  struct error *err)
{
    struct pipeline *now = NULL;
    const struct options *options = rehearsal->options;
    if (!options_integer(options, OPTION_REPLAY))
        return STATUS_OK;
    if (rehearsal->current &&
        model_file_load_version(registry, rehearsal->schema, options_text(options, OPTION_POSITIVE_LABEL), name,
                                rehearsal->current, NULL, &now, err) != STATUS_OK)
        log_warn("registry", "version %s is compared with nothing: %s", rehearsal->current, err->text);
    enum status status = rehearse(rehearsal, now, err);
    pipeline_free(now);
    return status;
}

static enum status read_demands(const struct options *options, struct demand demands[DEMANDS_MOST], size_t *count,
                                struct error *err)
{
    if (demands_read(options_text(options, OPTION_REQUIRE), demands, count, err) != STATUS_OK)
        return err->status;
    return *count && !options_integer(options, OPTION_REPLAY)
               ? error_set(err, STATUS_INVALID, "--require bounds a replay: add --replay N")
               : STATUS_OK;
}

static enum status check_and_move(struct registry *registry, const struct options *options,
                                  const struct alias_move *wanted, const char *current, struct error *err)
{
    struct schema *schema;
    struct pipeline *next = NULL;
    struct demand demands[DEMANDS_MOST];
    size_t demand_count = 0;
    if (!wanted->rollback && read_demands(options, demands, &demand_count, err) != STATUS_OK)
        return err->status;
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err) != STATUS_OK)
        return err->status;
    enum status status = check_serves(registry, options, schema, wanted->name, wanted->version, &next, err);
    if (status == STATUS_OK) {
        promote_compare(registry, wanted->name, wanted->version, current);
        const struct rehearsal rehearsal = {options, schema, next, wanted->version, current, demands, demand_count};
        status = wanted->rollback ? STATUS_OK : promote_replay(registry, &rehearsal, wanted->name, err);
    }
    pipeline_free(next);
    schema_free(schema);
    if (status == STATUS_OK)
        status = registry_move_alias(registry, wanted, NULL, err);
    if (status == STATUS_OK)
        printf("%s@%s is version %s now%s%s\n", wanted->name, wanted->alias, wanted->version,
               current ? "; before: version " : "", current ? current : "");
    return status;
}

static enum status promote(struct registry *registry, const struct options *options, struct error *err)
{
    char *current = NULL;
    const char *name = options_argument(options, 0), *version = options_argument(options, 1);
    const char *alias = options_text(options, OPTION_ALIAS);
    struct version_details details;
    if (registry_describe(registry, name, version, &details, err) != STATUS_OK)
        return err->status;
    version_details_clear(&details);
    bool damaged;
    enum status status = read_current(registry, name, alias, &current, &damaged, err);
    const struct alias_move wanted = {.name = name,
                                      .alias = alias,
                                      .version = version,
                                      .expected = current   ? current
                                                  : damaged ? NULL
                                                            : ""};
    if (status == STATUS_OK)
        status = check_and_move(registry, options, &wanted, current, err);
    free(current);
    return status;
}

static enum status rollback(struct registry *registry, const struct options *options, struct error *err)
{
    char *current = NULL;
    struct alias_history history = {0};
    const char *name = options_argument(options, 0), *alias = options_text(options, OPTION_ALIAS);
    enum status status = registry_alias(registry, name, alias, &current, err);
    if (status == STATUS_OK)
        status = registry_history(registry, name, alias, &history, err);
    const char *before = status == STATUS_OK ? alias_history_before(&history, current) : NULL;
    if (status == STATUS_OK && !before)
        status = error_set(err, STATUS_NOT_FOUND,
                           "nothing is known of where %.100s@%.100s pointed before version %s: `registry promote "
                           "%.100s VERSION --alias %.100s` moves it",
                           name, alias, current, name, alias);
    if (status == STATUS_OK)
        status =
            check_and_move(registry, options,
                           &(struct alias_move){
                               .name = name, .alias = alias, .version = before, .expected = current, .rollback = true},
                           current, err);
    alias_history_clear(&history);
    free(current);
    return status;
}

static enum status with_registry(const struct options *options, struct error *err,
                                 enum status (*work)(struct registry *, const struct options *, struct error *))
{
    struct registry *registry = NULL;
    enum status status = registry_open_options(options, &registry, err);
    if (status == STATUS_OK)
        status = work(registry, options, err);
    registry_close(registry);
    return status;
}

enum status command_promote(const struct options *options, struct error *err)
{
    return with_registry(options, err, promote);
}

enum status command_rollback(const struct options *options, struct error *err)
{
    return with_registry(options, err, rollback);
}
