/* The store: what is written resolves, names are refused, nothing half-written is seen, aliases move under contention,
 * and a store that was moved is still read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "registry/registry.h"
#include "registry/store.h"
#include "registry/yaml.h"

static char folder[64], uri[128];
static struct error err;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/registry-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(uri, sizeof uri, "%s/mlruns", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_discard(folder);
    return 0;
}

static char *log_run(struct registry *registry, const char *bytes)
{
    const struct run_pair params[] = {{"C", "1"}}, tags[] = {{"mlflow.runName", "x: y"}, {"data.sha256", "ab'c"}};
    const struct run_metric metrics[] = {{"roc_auc", .83, 0}, {"fold", .5, 0}, {"fold", .25, 1}, {"fold", .5, 0}};
    const struct run_artifact artifacts[] = {{"model/model.onnx", span_of(bytes)}};
    const struct run run = {.experiment = "attrition",
                            .run_name = "x: y",
                            .started_ms = 1000,
                            .ended_ms = 2000,
                            .params = params,
                            .param_count = 1,
                            .tags = tags,
                            .tag_count = 2,
                            .metrics = metrics,
                            .metric_count = 4,
                            .artifacts = artifacts,
                            .artifact_count = 1};
    char *run_id;
    assert_int_equal(registry_log_run(registry, &run, &run_id, &err), STATUS_OK);
    return run_id;
}

/* Logs a run and registers it; returns nothing but checks the number. */
static void add_version(struct registry *registry, const char *bytes, const char *expected)
{
    const struct run_pair tags[] = {{"data.sha256", "abc"}};
    char *run_id = log_run(registry, bytes), *version;
    assert_int_equal(registry_create_version(registry, "attrition", run_id, tags, 1, &version, &err), STATUS_OK);
    assert_string_equal(version, expected);
    free(version);
    free(run_id);
}

static struct registry *opened(void)
{
    struct registry *registry;
    assert_int_equal(registry_open(uri, &registry, &err), STATUS_OK);
    return registry;
}

static void test_what_is_registered_resolves(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    struct buffer file = {0};
    add_version(registry, "first", "1");
    add_version(registry, "second", "2");
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "2", &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_OK);
    assert_string_equal(version.name, "attrition");
    assert_string_equal(version.version, "2");
    assert_string_equal(version.alias, "production");
    assert_int_equal(strlen(version.run_id), 32);
    assert_int_equal(registry_read(registry, &version, &file, &err), STATUS_OK);
    assert_true(span_equal(buffer_span(&file), SPAN_LITERAL("second")));
    model_version_clear(&version);
    assert_int_equal(registry_resolve(registry, "models:/attrition/1", &version, &err), STATUS_OK);
    assert_null(version.alias);
    model_version_clear(&version);
    assert_int_equal(registry_resolve(registry, "models:/attrition/latest", &version, &err), STATUS_OK);
    assert_string_equal(version.version, "2");
    assert_null(version.alias);
    model_version_clear(&version);
    assert_int_equal(registry_resolve(registry, "models:/nobody/latest", &version, &err), STATUS_NOT_FOUND);
    buffer_free(&file);
    registry_close(registry);
}

/* The tag of the version says which file was registered; whoever swaps it is found at every load. */
static void test_a_swapped_file_is_refused(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    struct buffer file = {0};
    char *run_id = log_run(registry, "bytes"), *number;
    const struct run_pair tags[] = {
        {MODEL_SHA256_TAG, "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"}};
    assert_int_equal(registry_create_version(registry, "attrition", run_id, tags, 1, &number, &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition/1", &version, &err), STATUS_OK);
    assert_int_equal(registry_read(registry, &version, &file, &err), STATUS_OK);
    assert_int_equal(file_write_atomic(version.path, SPAN_LITERAL("other"), &err), STATUS_OK);
    assert_int_equal(registry_read(registry, &version, &file, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "not the file that was registered"));
    assert_int_equal(file.bytes, 0);
    buffer_free(&file);
    model_version_clear(&version);
    free(number);
    free(run_id);
    registry_close(registry);
}

static void test_metrics_stand_once(void **state)
{
    (void)state;
    struct registry *registry = opened();
    char *run_id = log_run(registry, "x"), pattern[256];
    struct buffer text = {0};
    struct text_list experiments;
    store_entries(registry->root, &experiments);
    bool found = false;
    for (size_t e = 0; e < experiments.count; e++) {
        snprintf(pattern, sizeof pattern, "%s/%s/%s/metrics/fold", uri, experiments.items[e], run_id);
        if (file_read(pattern, 1000, &text, ERROR_IGNORED) == STATUS_OK) {
            assert_string_equal(text.data, "2000 0.5 0\n2000 0.25 1\n");
            found = true;
        }
    }
    assert_true(found);
    assert_int_equal(experiments.count, 3); /* 0, the experiment, models */
    text_list_clear(&experiments);
    buffer_free(&text);
    free(run_id);
    registry_close(registry);
}

static char *log_keyed(struct registry *registry, const char *key, const struct run_kept *kept)
{
    const struct run run = {.experiment = "attrition", .run_name = "r", .key = key, .kept = kept};
    char *run_id;
    assert_int_equal(registry_log_run(registry, &run, &run_id, &err), STATUS_OK);
    return run_id;
}

/* A key's run is logged once; where it was deleted, another takes its place. */
static void test_a_key_has_one_run(void **state)
{
    (void)state;
    static const char key[] = "0123456789abcdef0123456789abcdef";
    const struct run run = {.experiment = "attrition", .key = key};
    struct registry *registry = opened();
    struct run_details found;
    struct buffer meta = {0};
    char *ids[4], *begun, *experiment, *path;
    assert_int_equal(registry_run_of_key(registry, "attrition", key, &found, &err), STATUS_NOT_FOUND);
    for (size_t i = 0; i < 2; i++)
        ids[i] = log_keyed(registry, key, NULL);
    experiment = store_find_experiment(registry, "attrition");
    path = store_path(registry, "%s/%s/meta.yaml", experiment, key);
    buffer_add_text(&meta, "lifecycle_stage: deleted\n");
    assert_int_equal(file_write_atomic(path, buffer_span(&meta), &err), STATUS_OK);
    assert_int_equal(registry_run_of_key(registry, "attrition", key, &found, &err), STATUS_NOT_FOUND);
    assert_int_equal(registry_begin_run(registry, &run, &begun, &err), STATUS_OK);
    for (size_t i = 2; i < 4; i++)
        ids[i] = log_keyed(registry, key, NULL);
    assert_int_equal(registry_run_of_key(registry, "attrition", key, &found, &err), STATUS_OK);
    assert_string_equal(found.run_id, begun);
    assert_string_equal(ids[0], key);
    assert_string_equal(ids[1], key);
    assert_string_not_equal(begun, key);
    assert_string_equal(ids[2], begun);
    assert_string_equal(ids[3], begun);
    run_details_clear(&found);
    for (size_t i = 0; i < 4; i++)
        free(ids[i]);
    free(begun);
    free(experiment);
    free(path);
    buffer_free(&meta);
    registry_close(registry);
}

/* Of a search that is kept twice, under two names, both go to the server. */
static void test_kept_runs_share_a_key(void **state)
{
    (void)state;
    static const char key[] = "0123456789abcdef0123456789abcdef";
    static const char *const names[] = {"a", "b"};
    struct registry *registry = opened();
    struct run_details found;
    for (size_t n = 0; n < 2; n++) {
        const struct run_kept kept = {.to = "http://localhost:1", .name = names[n], .alias = "production"};
        char *run_id = log_keyed(registry, key, &kept);
        assert_int_equal(registry_run(registry, run_id, &found, &err), STATUS_OK);
        assert_string_equal(run_details_tag(&found, RUN_KEY_TAG), key);
        assert_string_equal(run_details_tag(&found, KEPT_NAME_TAG), names[n]);
        run_details_clear(&found);
        free(run_id);
    }
    registry_close(registry);
}

static void test_missing_names_say_what_to_do(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "trainer train"));
    assert_int_equal(access(uri, F_OK), -1); /* reading makes nothing */
    add_version(registry, "x", "1");
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "registry promote"));
    assert_int_equal(registry_resolve(registry, "models:/attrition/7", &version, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "no version 7"));
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "7", &err), STATUS_NOT_FOUND);
    assert_int_equal(registry_resolve(registry, "/nowhere/x.onnx", &version, &err), STATUS_NOT_FOUND);
    registry_close(registry);
}

static void test_bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const uris[] = {"models:/../x@production",
                                       "models:/a/b/c",
                                       "models:/@production",
                                       "models:/a@",
                                       "models:/a@../x",
                                       "models:/a/../1",
                                       "models:/.a@b",
                                       "models:/a",
                                       "models:/a/0",
                                       "models:/a/-1",
                                       "models:/a@latest",
                                       "models:/a@v1",
                                       "models:/a b%@x",
                                       "models:/a@p/1",
                                       "models:/",
                                       "models:a/1",
                                       "models:/a/Production",
                                       "models:/a/LATEST",
                                       "runs:/0123/model",
                                       "s3://x/y"};
    struct registry *registry = opened();
    struct model_version version;
    for (size_t u = 0; u < sizeof uris / sizeof *uris; u++)
        assert_int_equal(registry_resolve(registry, uris[u], &version, &err), STATUS_INVALID);
    assert_int_equal(registry_resolve(registry, "models:/a/Production", &version, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "write models:/a@ALIAS"));
    assert_int_equal(registry_resolve(registry, "runs:/0123/model", &version, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "the address of a run is not read"));
    assert_int_equal(registry_resolve(registry, "models:a/1", &version, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "give models:/NAME@ALIAS"));
    char *number;
    assert_int_equal(registry_create_version(registry, "../x", "r", NULL, 0, &number, &err), STATUS_INVALID);
    assert_int_equal(registry_create_version(registry, "x", "../r", NULL, 0, &number, &err), STATUS_INVALID);
    assert_int_equal(registry_create_version(registry, "x", "r", NULL, 0, &number, &err), STATUS_NOT_FOUND);
    const struct run_pair bad = {"../x", "v"};
    const struct run run = {.experiment = "e", .run_name = "n", .tags = &bad, .tag_count = 1};
    assert_int_equal(registry_log_run(registry, &run, &number, &err), STATUS_INVALID);
    registry_close(registry);
}

static void test_servers_are_refused_with_what_to_do(void **state)
{
    (void)state;
    struct registry *registry;
    assert_int_equal(registry_open("http://localhost:99999", &registry, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "MLFLOW_TRACKING_URI"));
    assert_int_equal(registry_open("sqlite:///x.db", &registry, &err), STATUS_UNSUPPORTED);
    assert_int_equal(registry_open("databricks", &registry, &err), STATUS_UNSUPPORTED);
    assert_int_equal(registry_open("", &registry, &err), STATUS_INVALID);
    assert_int_equal(registry_open("file:///tmp/a%20b/", &registry, &err), STATUS_OK);
    assert_string_equal(registry_root(registry), "/tmp/a b");
    registry_close(registry);
}

static void test_a_moved_store_is_read(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    char moved[128];
    add_version(registry, "bytes", "1");
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "1", &err), STATUS_OK);
    registry_close(registry);
    snprintf(moved, sizeof moved, "%s/elsewhere", folder);
    assert_int_equal(rename(uri, moved), 0);
    assert_int_equal(registry_open(moved, &registry, &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_OK);
    assert_int_equal(strncmp(version.path, moved, strlen(moved)), 0);
    model_version_clear(&version);
    registry_close(registry);
}

/* What a killed writer leaves behind stays out of sight, and the next writer goes on. */
static void test_leftovers_are_not_seen(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct text_list versions;
    char path[256];
    add_version(registry, "bytes", "1");
    snprintf(path, sizeof path, "%s/.new.trash/%032d/tags", uri, 0);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK);
    snprintf(path, sizeof path, "%s/models/attrition/version-2", uri);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK); /* MLflow's own, killed before its meta.yaml */
    assert_int_equal(registry_versions(registry, "attrition", &versions, &err), STATUS_OK);
    assert_int_equal(versions.count, 1);
    text_list_clear(&versions);
    add_version(registry, "bytes", "3");
    registry_close(registry);
}

static size_t count_leftovers(void)
{
    struct text_list left;
    char path[256];
    snprintf(path, sizeof path, "%s/.new.trash", uri);
    store_entries(path, &left);
    size_t count = left.count;
    text_list_clear(&left);
    return count;
}

/* Cleared by the next writer, but only if nobody is building there. */
static void test_leftovers_are_cleared(void **state)
{
    (void)state;
    struct registry *first = opened(), *second = opened();
    char path[256];
    add_version(first, "bytes", "1");
    snprintf(path, sizeof path, "%s/.new.trash/%032d/tags", uri, 0);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK);
    add_version(second, "bytes", "2");
    assert_int_equal(count_leftovers(), 1); /* the first one still writes: it could be its own */
    registry_close(first);
    registry_close(second);
    first = opened();
    add_version(first, "bytes", "3");
    assert_int_equal(count_leftovers(), 0);
    registry_close(first);
}

/* Killed between its first directories and the default experiment, a store is finished by the next writer. */
static void test_a_store_half_made_is_finished(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/models", uri);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK);
    struct registry *registry = opened();
    add_version(registry, "bytes", "1");
    registry_close(registry);
    snprintf(path, sizeof path, "%s/0/meta.yaml", uri);
    assert_int_equal(access(path, F_OK), 0);
}

/* A model whose own meta.yaml is gone takes further versions, and has a meta.yaml again. */
static void test_a_model_without_its_meta(void **state)
{
    (void)state;
    struct registry *registry = opened();
    char path[256];
    add_version(registry, "bytes", "1");
    snprintf(path, sizeof path, "%s/models/attrition/meta.yaml", uri);
    assert_int_equal(unlink(path), 0);
    add_version(registry, "bytes", "2");
    assert_int_equal(access(path, F_OK), 0);
    registry_close(registry);
}

static void test_deleted_versions_are_gone(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    struct buffer meta = {0};
    char path[256];
    add_version(registry, "bytes", "1");
    snprintf(path, sizeof path, "%s/models/attrition/version-1/meta.yaml", uri);
    assert_int_equal(file_read(path, 10000, &meta, &err), STATUS_OK);
    char *stage = strstr(meta.data, "current_stage: None");
    assert_non_null(stage);
    struct buffer changed = {0};
    buffer_add(&changed, meta.data, (size_t)(stage - meta.data));
    buffer_add_text(&changed, "current_stage: Deleted_Internal");
    buffer_add_text(&changed, stage + strlen("current_stage: None"));
    assert_int_equal(file_write_atomic(path, buffer_span(&changed), &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition/1", &version, &err), STATUS_NOT_FOUND);
    add_version(registry, "bytes", "2");
    buffer_free(&meta);
    buffer_free(&changed);
    registry_close(registry);
}

/* MLflow empties an alias before it writes it: not the same as having none. */
static void test_an_alias_that_is_being_written(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    char path[256];
    add_version(registry, "bytes", "1");
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "1", &err), STATUS_OK);
    snprintf(path, sizeof path, "%s/models/attrition/aliases/production", uri);
    assert_int_equal(file_write_atomic(path, SPAN_LITERAL(""), &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_UNAVAILABLE);
    assert_int_equal(file_write_atomic(path, SPAN_LITERAL("1\n"), &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_OK);
    model_version_clear(&version);
    registry_close(registry);
}

/* What stands in an alias's place and is no version is neither followed nor taken for "no such alias". */
static void test_damaged_aliases_are_said(void **state)
{
    (void)state;
    static char many[STORE_TEXT_MAX + 1];
    struct registry *registry = opened();
    struct model_version version;
    char path[256], *holder;
    memset(many, '1', sizeof many);
    const struct span damages[] = {SPAN_LITERAL("x"), SPAN_LITERAL("-1"), SPAN_LITERAL("../2"), {many, sizeof many}};
    add_version(registry, "bytes", "1");
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "1", &err), STATUS_OK);
    snprintf(path, sizeof path, "%s/models/attrition/aliases/production", uri);
    for (size_t d = 0; d < sizeof damages / sizeof *damages; d++) {
        assert_int_equal(file_write_atomic(path, damages[d], &err), STATUS_OK);
        assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err),
                         STATUS_UNAVAILABLE);
        assert_non_null(strstr(err.text, "registry promote"));
        assert_int_equal(registry_offer_alias(registry, "attrition", "production", "1", &holder, &err),
                         STATUS_UNAVAILABLE);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK);
    assert_int_equal(registry_resolve(registry, "models:/attrition@production", &version, &err), STATUS_IO);
    registry_close(registry);
}

/* What is known of earlier moves is not lost because it cannot be read now; the move counts, and that is said. */
static void test_an_unreadable_history_is_said(void **state)
{
    (void)state;
    struct registry *registry = opened();
    char path[256], *version;
    add_version(registry, "bytes", "1");
    snprintf(path, sizeof path, "%s/models/attrition/tags/attrition.history.production", uri);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK);
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "1", &err), STATUS_IO);
    assert_non_null(strstr(err.text, "alias production is at version 1 now, but its history could not be written: "));
    assert_int_equal(registry_alias(registry, "attrition", "production", &version, &err), STATUS_OK);
    assert_string_equal(version, "1");
    free(version);
    registry_close(registry);
}

/* A version's meta.yaml that cannot be read is not a version that does not exist. */
static void test_unreadable_versions_are_said(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct version_details details;
    struct text_list versions;
    char path[256];
    add_version(registry, "bytes", "1");
    snprintf(path, sizeof path, "%s/models/attrition/version-1/meta.yaml", uri);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(file_make_directories(path, &err), STATUS_OK);
    assert_int_equal(registry_describe(registry, "attrition", "1", &details, &err), STATUS_IO);
    assert_int_equal(registry_versions(registry, "attrition", &versions, &err), STATUS_OK);
    assert_int_equal(versions.count, 1);
    text_list_clear(&versions);
    registry_close(registry);
}

/* A pipe in the model file's place would be waited for without end. */
static void test_a_model_file_is_a_file(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    add_version(registry, "bytes", "1");
    assert_int_equal(registry_resolve(registry, "models:/attrition/1", &version, &err), STATUS_OK);
    assert_int_equal(unlink(version.path), 0);
    assert_int_equal(mkfifo(version.path, 0600), 0);
    model_version_clear(&version);
    assert_int_equal(registry_resolve(registry, "models:/attrition/1", &version, &err), STATUS_NOT_FOUND);
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "1", &err), STATUS_NOT_FOUND);
    registry_close(registry);
}

/* Files that are gone: said, never followed. */
static void test_versions_without_files(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct model_version version;
    struct version_details details;
    add_version(registry, "bytes", "1");
    assert_int_equal(registry_describe(registry, "attrition", "1", &details, &err), STATUS_OK);
    assert_int_equal(details.tag_keys.count, 1);
    assert_string_equal(details.tag_values.items[0], "abc");
    char *slash = strrchr(details.version.path, '/');
    *slash = '\0';
    store_discard(details.version.path);
    version_details_clear(&details);
    assert_int_equal(registry_resolve(registry, "models:/attrition/1", &version, &err), STATUS_NOT_FOUND);
    assert_int_equal(registry_set_alias(registry, "attrition", "production", "1", &err), STATUS_NOT_FOUND);
    registry_close(registry);
}

enum { WRITERS = 4, ROUNDS = 5 };

static void contend(const char *mine)
{
    struct registry *registry = opened();
    for (int round = 0; round < ROUNDS; round++) {
        char *run_id = log_run(registry, mine), *version;
        if (registry_create_version(registry, "attrition", run_id, NULL, 0, &version, &err) != STATUS_OK)
            _exit(1);
        if (registry_set_alias(registry, "attrition", "production", version, &err) != STATUS_OK)
            _exit(2);
        struct model_version found;
        if (registry_resolve(registry, "models:/attrition@production", &found, &err) != STATUS_OK)
            _exit(3); /* an alias always points at a whole version */
        model_version_clear(&found);
        free(version);
        free(run_id);
    }
    registry_close(registry);
    _exit(0);
}

/* Of several who find no alias one sets it, and all learn who. */
static void test_an_alias_is_given_once(void **state)
{
    (void)state;
    enum { RIVALS = 6 };
    pid_t children[RIVALS];
    char number[16];
    struct registry *registry = opened();
    for (int r = 1; r <= RIVALS; r++) {
        snprintf(number, sizeof number, "%d", r);
        add_version(registry, "bytes", number);
    }
    for (int r = 0; r < RIVALS; r++) {
        children[r] = fork();
        assert_true(children[r] >= 0);
        if (children[r] > 0)
            continue;
        char *holder;
        struct registry *mine = opened();
        snprintf(number, sizeof number, "%d", r + 1);
        enum status status = registry_offer_alias(mine, "attrition", "production", number, &holder, &err);
        _exit(status == STATUS_OK ? atoi(holder) : 100);
    }
    char *holder;
    int result;
    for (int r = 0; r < RIVALS; r++) {
        assert_int_equal(waitpid(children[r], &result, 0), children[r]);
        children[r] = WEXITSTATUS(result);
    }
    assert_int_equal(registry_alias(registry, "attrition", "production", &holder, &err), STATUS_OK);
    for (int r = 0; r < RIVALS; r++)
        assert_int_equal(children[r], atoi(holder));
    free(holder);
    registry_close(registry);
}

static void test_writers_at_once(void **state)
{
    (void)state;
    pid_t children[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        children[w] = fork();
        assert_true(children[w] >= 0);
        if (children[w] == 0)
            contend("x");
    }
    for (int w = 0; w < WRITERS; w++) {
        int result;
        assert_int_equal(waitpid(children[w], &result, 0), children[w]);
        assert_int_equal(result, 0);
    }
    struct registry *registry = opened();
    struct text_list versions, entries;
    assert_int_equal(registry_versions(registry, "attrition", &versions, &err), STATUS_OK);
    assert_int_equal(versions.count, WRITERS * ROUNDS); /* each number once, none lost */
    store_entries(registry->root, &entries);
    assert_int_equal(entries.count, 3); /* one experiment, however many asked for it */
    text_list_clear(&entries);
    text_list_clear(&versions);
    registry_close(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_registered_resolves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_swapped_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics_stand_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_has_one_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_runs_share_a_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_names_say_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_names_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_servers_are_refused_with_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_moved_store_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leftovers_are_not_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leftovers_are_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_store_half_made_is_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_model_without_its_meta, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted_versions_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_alias_that_is_being_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_aliases_are_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_unreadable_history_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable_versions_are_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_model_file_is_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_versions_without_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_alias_is_given_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writers_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
