/* list and show: see main.c. Results go to standard output, one line on standard error says what failed. */
#include "registry/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "registry/registry.h"

static int command_fail(const struct error *err)
{
    log_error("registry", "%s", err->text);
    return err->status == STATUS_INVALID ? 2 : 1;
}

static void command_time_text(int64_t ms, char *out, size_t bytes)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (ms <= 0 || !gmtime_r(&seconds, &utc) || strftime(out, bytes, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        snprintf(out, bytes, "-");
}

static void join(const struct text_list *list, const char *none, struct buffer *out)
{
    buffer_clear(out);
    for (size_t i = 0; i < list->count; i++)
        buffer_printf(out, "%s%s", i ? "," : "", list->items[i]);
    if (!list->count)
        buffer_add_text(out, none);
    buffer_add_u8(out, '\0');
}

/* A version that cannot be read does not hide the others. */
static int list_versions(struct registry *registry, const char *name, struct error *err)
{
    struct text_list versions;
    struct version_details details;
    struct buffer aliases = {0};
    char created[32];
    if (registry_versions(registry, name, &versions, err) != STATUS_OK)
        return command_fail(err);
    int result = 0;
    for (size_t v = 0; v < versions.count; v++) {
        if (registry_describe(registry, name, versions.items[v], &details, err) != STATUS_OK) {
            result = command_fail(err);
            continue;
        }
        join(&details.aliases, "-", &aliases);
        command_time_text(details.created_ms, created, sizeof created);
        text_flatten(aliases.data);
        char *flat_name = text_flat(name), *run_id = text_flat(details.version.run_id ? details.version.run_id : "-");
        printf("%-24s %7s  %-20s %-20s  %-32s%s\n", flat_name, versions.items[v], aliases.data, created, run_id,
               details.gone ? "  (files are gone)" : "");
        free(flat_name);
        free(run_id);
        version_details_clear(&details);
    }
    buffer_free(&aliases);
    text_list_clear(&versions);
    return result;
}

int command_list(const struct options *options)
{
    struct error err;
    struct registry *registry;
    struct text_list names;
    int result = 0;
    if (registry_open_options(options, &registry, &err) != STATUS_OK)
        return command_fail(&err);
    if (registry_models(registry, &names, &err) != STATUS_OK) {
        registry_close(registry);
        return command_fail(&err);
    }
    if (names.count == 0)
        log_info("registry",
                 "no registered models in %s: make one with `trainer train DATA --model logistic-regression-l2`",
                 registry_root(registry));
    else
        printf("%-24s %7s  %-20s %-20s  %s\n", "NAME", "VERSION", "ALIASES", "CREATED", "RUN");
    for (size_t n = 0; n < names.count; n++)
        result |= list_versions(registry, names.items[n], &err) != 0;
    text_list_clear(&names);
    registry_close(registry);
    return result;
}

/* A value on one line, without what a terminal would act on. */
static void print_line(const char *prefix, const char *key, const char *value)
{
    char *flat_key = text_flat(key), *flat_value = text_flat(value ? value : "");
    printf("%s%s: %s\n", prefix, flat_key, flat_value);
    free(flat_key);
    free(flat_value);
}

static void print_number(const char *prefix, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    print_line(prefix, key, text);
}

static void print_details(const struct version_details *details)
{
    struct buffer aliases = {0};
    char created[32];
    join(&details->aliases, "", &aliases);
    command_time_text(details->created_ms, created, sizeof created);
    print_line("", "name", details->version.name);
    print_line("", "version", details->version.version);
    print_line("", "aliases", aliases.data);
    print_line("", "run_id", details->version.run_id);
    print_line("", "created", created);
    print_line("", "source", details->source);
    print_line("", "file", details->version.path);
    for (size_t t = 0; t < details->tag_keys.count; t++)
        print_line("tag.", details->tag_keys.items[t], details->tag_values.items[t]);
    buffer_free(&aliases);
}

/* Parameters and metrics of the version's run; a run that is gone is reported, and does no harm. */
static void print_run(const struct registry *registry, const char *run_id)
{
    struct run_details run;
    struct error err;
    if (!run_id)
        return;
    if (registry_run(registry, run_id, &run, &err) != STATUS_OK) {
        log_warn("registry", "%s", err.text);
        return;
    }
    char ended[32];
    command_time_text(run.ended_ms, ended, sizeof ended);
    print_line("", "run_status", run.status);
    print_line("", "run_ended", ended);
    for (size_t p = 0; p < run.param_keys.count; p++)
        print_line("param.", run.param_keys.items[p], run.param_values.items[p]);
    for (size_t m = 0; m < run.metric_keys.count; m++)
        if (strncmp(run.metric_keys.items[m], "fold_", 5) != 0)
            print_number("metric.", run.metric_keys.items[m], run.metric_values[m]);
    run_details_clear(&run);
}

/* Who moved the alias when, newest first. */
static void print_history(const struct registry *registry, const char *name, const char *alias)
{
    struct alias_history history;
    struct error err;
    if (registry_history(registry, name, alias, &history, &err) != STATUS_OK) {
        log_warn("registry", "%s", err.text);
        return;
    }
    for (size_t e = history.count; e-- > 0;) {
        const struct alias_event *event = &history.items[e];
        struct buffer line = {0};
        char at[32];
        command_time_text(event->at_ms, at, sizeof at);
        buffer_printf(&line, "%s version %s -> %s by %s%s", at, event->from ? event->from : "none", event->version,
                      event->by ? event->by : "?", event->rollback ? " (rollback)" : "");
        buffer_add_u8(&line, '\0');
        print_line("history.", alias, line.data);
        buffer_free(&line);
    }
    alias_history_clear(&history);
}

enum status command_show(const struct options *options, struct error *err)
{
    struct registry *registry;
    struct version_details details;
    enum status status = registry_open_options(options, &registry, err);
    if (status != STATUS_OK)
        return status;
    const char *name = options_argument(options, 0), *alias = options_text(options, OPTION_ALIAS);
    char *version = options_argument_count(options) == 2 ? mem_text(options_argument(options, 1)) : NULL;
    if (!version)
        status = registry_alias(registry, name, alias, &version, err);
    if (status == STATUS_OK)
        status = registry_describe(registry, name, version, &details, err);
    if (status == STATUS_OK) {
        print_details(&details);
        print_run(registry, details.version.run_id);
        print_history(registry, name, alias);
        version_details_clear(&details);
    }
    free(version);
    registry_close(registry);
    return status;
}
