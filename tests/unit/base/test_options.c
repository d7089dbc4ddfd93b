/* base/options.h: who wins, what is refused and in which words. */
#include "tests/unit/base/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/options_private.h"

static int ran;

static int run(const struct options *options)
{
    (void)options;
    return ran++, 1;
}

#define LONG_HELP "look at configuration, model, schemas, topics and servers; say what is wrong and how to fix it"
static const struct subcommand daemon_rows[] = {{"run", "", "run the daemon", .run = run},
                                                {"check", "", LONG_HELP, .run = run},
                                                {"score", "[FILE]", "score", .run = run},
                                                {0}};
static const struct subcommand tool_rows[] = {{"train", "DATA", "train a model", .run = run},
                                              {"generate", "", "generate", .run = run},
                                              {"rescore", "", "rescore", .run = run},
                                              {0}};

static struct options *options;
static struct error err;
static bool exit_now;

static int teardown(void **state)
{
    (void)state;
    options_free(options);
    options = NULL;
    return 0;
}

/* Parses a command line; both lists end with NULL. */
static enum status parse(enum program program, char **arguments, char **environment)
{
    char name[] = "program", *argv[32] = {name};
    int argc = 1;
    while (*arguments)
        argv[argc++] = *arguments++;
    options_free(options);
    options = NULL;
    err = (struct error){0};
    const struct subcommand *rows = program == PROGRAM_SCORER ? daemon_rows : tool_rows;
    return options_parse(program, rows, argc, argv, environment, &options, &exit_now, &err);
}

#define LIST(...) ((char **)(uintptr_t)(const char *[]){__VA_ARGS__, NULL})
#define NONE LIST(NULL)
#define assert_parses(program, arguments, environment) \
    do { \
        enum status parsed = parse(program, arguments, environment); \
        assert_string_equal(err.text, ""); \
        assert_int_equal(parsed, STATUS_OK); \
    } while (0)
#define assert_refuses(program, arguments, environment, expected) \
    do { \
        assert_int_equal(parse(program, arguments, environment), STATUS_INVALID); \
        assert_string_equal(err.text, expected); \
    } while (0)

/* A file of this test's own, overwritten by the next call. */
static char *file_with(const char *content)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/test-options-%ld", (long)getpid());
    struct error failed;
    assert_int_equal(file_write_atomic(path, span_of(content), &failed), STATUS_OK);
    return path;
}

static int remove_file(void **state)
{
    unlink(file_with(""));
    return teardown(state);
}

static void defaults_hold_where_nothing_is_given(void **state)
{
    (void)state;
    assert_parses(PROGRAM_SCORER, NONE, NONE);
    assert_false(exit_now);
    assert_string_equal(options_subcommand(options)->name, "run");
    assert_string_equal(options_text(options, OPTION_INPUT_TOPIC), "employee-events");
    assert_int_equal(options_integer(options, OPTION_WORKERS), 1);
    assert_int_equal(options_duration_us(options, OPTION_COMMIT_INTERVAL), 100000);
    assert_false(options_flag(options, OPTION_EXIT_AT_END));
    assert_null(options_text(options, OPTION_DATABASE_URL));
    assert_false(options_given(options, OPTION_WORKERS));
}

static void flag_wins_over_environment_over_file_over_default(void **state)
{
    (void)state;
    char config[128];
    snprintf(config, sizeof config, "--config=%s", file_with("workers = 2\nroles = sink\ninput-topic = file\n"));
    assert_parses(PROGRAM_SCORER, LIST(config, "--workers=4"), LIST("WORKERS=3", "ROLES=http"));
    assert_int_equal(options_integer(options, OPTION_WORKERS), 4);
    assert_string_equal(options_text(options, OPTION_ROLES), "http");
    assert_string_equal(options_text(options, OPTION_INPUT_TOPIC), "file");
    assert_string_equal(options_text(options, OPTION_OUTPUT_TOPIC), "attrition-predictions");
    assert_true(options_given(options, OPTION_INPUT_TOPIC));
}

static void every_option_has_a_variable(void **state)
{
    (void)state;
    assert_parses(PROGRAM_PRODUCER, LIST("generate", "--count=3"), LIST("ATTRITION_COUNT=2", "ATTRITION_SEED=7"));
    assert_int_equal(options_integer(options, OPTION_COUNT), 3);
    assert_int_equal(options_integer(options, OPTION_SEED), 7);
    assert_parses(PROGRAM_TRAINER, LIST("train"), LIST("ATTRITION_MAX_REJECTS=4", "MAX_REJECTS=5"));
    assert_int_equal(options_integer(options, OPTION_TRAIN_MAX_REJECTS), 4);
    assert_refuses(PROGRAM_PRODUCER, LIST("generate"), LIST("ATTRITION_DRY_RUN=maybe"),
                   "environment variable ATTRITION_DRY_RUN must be true or false, not 'maybe'");
}

static void flags_stand_anywhere(void **state)
{
    (void)state;
    assert_parses(PROGRAM_SCORER, LIST("--reasons", "2", "score", "a", "--unchecked", "-", "--", "--b"), NONE);
    assert_string_equal(options_subcommand(options)->name, "score");
    assert_int_equal(options_integer(options, OPTION_REASONS), 2);
    assert_true(options_flag(options, OPTION_UNCHECKED));
    assert_int_equal(options_argument_count(options), 3);
    assert_string_equal(options_argument(options, 0), "a");
    assert_string_equal(options_argument(options, 1), "-");
    assert_string_equal(options_argument(options, 2), "--b");
}

static void the_last_of_a_flag_wins(void **state)
{
    (void)state;
    assert_parses(PROGRAM_SCORER, LIST("--workers=2", "--workers", "5", "--exit-at-end", "--exit-at-end=no"), NONE);
    assert_int_equal(options_integer(options, OPTION_WORKERS), 5);
    assert_false(options_flag(options, OPTION_EXIT_AT_END));
}

static void values_may_begin_with_a_dash_or_be_empty(void **state)
{
    (void)state;
    assert_parses(PROGRAM_PRODUCER, LIST("generate", "--max-rejects", "-1", "--event-type="), NONE);
    assert_int_equal(options_integer(options, OPTION_MAX_REJECTS), -1);
    assert_string_equal(options_text(options, OPTION_EVENT_TYPE), "");
}

static void one_flag_may_mean_another_option_in_another_program(void **state)
{
    (void)state;
    assert_parses(PROGRAM_SCORER, LIST("--model=models:/a/1"), NONE);
    assert_string_equal(options_text(options, OPTION_MODEL_URI), "models:/a/1");
    assert_parses(PROGRAM_TRAINER, LIST("train", "--model", "logistic-regression"), LIST("MODEL_URI=x"));
    assert_string_equal(options_text(options, OPTION_MODEL_KIND), "logistic-regression");
}

static void pairs_are_kept_in_order(void **state)
{
    (void)state;
    const struct option_pair *pairs = NULL;
    assert_parses(PROGRAM_SCORER, LIST("-X", "linger.ms=5", "-Xacks=all=x"), NONE);
    assert_int_equal(options_properties(options, &pairs), 2);
    assert_string_equal(pairs[0].name, "linger.ms");
    assert_string_equal(pairs[0].value, "5");
    assert_string_equal(pairs[1].name, "acks");
    assert_string_equal(pairs[1].value, "all=x");
    assert_parses(PROGRAM_TRAINER, LIST("train", "--param", "C=1", "--param=class_weight=balanced"), NONE);
    assert_int_equal(options_params(options, &pairs), 2);
    assert_string_equal(pairs[1].name, "class_weight");
    assert_string_equal(pairs[1].value, "balanced");
    assert_refuses(PROGRAM_SCORER, LIST("-Xacks"), NONE, "-X needs NAME=VALUE");
    assert_refuses(PROGRAM_SCORER, LIST("-X"), NONE, "-X needs a value");
    assert_refuses(PROGRAM_TRAINER, LIST("-Xa=b"), NONE, "unknown flag -Xa");
    assert_refuses(PROGRAM_TRAINER, LIST("--param", "=1"), NONE, "--param needs NAME=VALUE");
}

static void an_option_that_repeats_keeps_all(void **state)
{
    (void)state;
    assert_parses(PROGRAM_PRODUCER, LIST("rescore", "--where", "Age=41", "--where=OverTime=Yes"), NONE);
    assert_string_equal(options_text(options, OPTION_WHERE), "Age=41\nOverTime=Yes");
    assert_parses(PROGRAM_PRODUCER, LIST("rescore"), NONE);
    assert_null(options_text(options, OPTION_WHERE));
}

static void what_is_unknown_is_refused_with_a_guess(void **state)
{
    (void)state;
    assert_refuses(PROGRAM_SCORER, LIST("--wokers=2"), NONE, "unknown flag --wokers: did you mean --workers?");
    assert_refuses(PROGRAM_SCORER, LIST("--zzzzzzzz"), NONE, "unknown flag --zzzzzzzz");
    assert_refuses(PROGRAM_SCORER, LIST("-q"), NONE, "unknown flag -q");
    assert_refuses(PROGRAM_SCORER, LIST("chekc"), NONE, "unknown subcommand 'chekc': did you mean 'check'?");
    assert_refuses(PROGRAM_SCORER, LIST("bogus"), NONE, "unknown subcommand 'bogus'");
    assert_refuses(PROGRAM_TRAINER, LIST("--workers=1"), NONE, "unknown flag --workers");
    assert_refuses(PROGRAM_TRAINER, NONE, NONE, "a subcommand is missing");
    assert_refuses(PROGRAM_SCORER, LIST("--workers"), NONE, "--workers needs a value");
    assert_refuses(PROGRAM_SCORER, LIST("--help=yes"), NONE, "--help takes no value");
}

static void numbers_are_checked_where_they_come_from(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "1x", " 1", "1.5", "0x10", "99999999999999999999", "+1"};
    char text[128];
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        snprintf(text, sizeof text, "--workers must be an integer (1 to 64), not '%s'", bad[b]);
        assert_refuses(PROGRAM_SCORER, LIST("--workers", bad[b]), NONE, text);
    }
    assert_refuses(PROGRAM_SCORER, NONE, LIST("WORKERS=two"),
                   "environment variable WORKERS must be an integer (1 to 64), not 'two'");
    snprintf(text, sizeof text, "%s:3: workers must be an integer (1 to 64), not 'two'",
             file_with("\n# x\nworkers = two\n"));
    assert_refuses(PROGRAM_SCORER, LIST("--config", file_with("\n# x\nworkers = two\n")), NONE, text);
    assert_refuses(PROGRAM_SCORER, LIST("--exit-at-end=maybe"), NONE,
                   "--exit-at-end must be true or false, not 'maybe'");
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"250us", 250},    {"100ms", 100000},    {"25s", 25000000},
                {"5m", 300000000}, {"1h", 3600000000},   {"0", 0},
                {"0s", 0},         {"2d", 172800000000}, {"2562047788h", 2562047788 * 3600000000LL}};
    static const char *const bad[] = {"5", "s", "-5s", "1.5s", "5 s", "5S", "9999999999999h", "5w", ""};
    for (size_t g = 0; g < sizeof good / sizeof *good; g++) {
        assert_parses(PROGRAM_SCORER, LIST("--schema-registry-timeout", good[g].text), NONE);
        assert_int_equal(options_duration_us(options, OPTION_REGISTRY_TIMEOUT), good[g].us);
    }
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
        assert_int_equal(parse(PROGRAM_SCORER, LIST("--schema-registry-timeout", bad[b]), NONE), STATUS_INVALID);
    assert_string_equal(err.text,
                        "--schema-registry-timeout must be a time such as 250us, 100ms, 25s, 5m, 1h or 1d, not ''");
}

/* One row of each type, at its bounds and beyond. */
static void what_a_row_does_not_allow_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum program program;
        const char *good, *bad, *text;
    } rows[] = {
        {PROGRAM_SCORER, "--workers=64", "--workers=65", "an integer (1 to 64), not '65'"},
        {PROGRAM_SCORER, "--workers=1", "--workers=0", "an integer (1 to 64), not '0'"},
        {PROGRAM_PRODUCER, "--count=1", "--count=0", "an integer (at least 1), not '0'"},
        {PROGRAM_SCORER, "--commit-interval=1ms", "--commit-interval=999us",
         "a time such as 250us, 100ms, 25s, 5m, 1h or 1d (1ms to 5s), not '999us'"},
        {PROGRAM_SCORER, "--max-future=36600d", "--max-future=36601d",
         "a time such as 250us, 100ms, 25s, 5m, 1h or 1d (at most 36600d), not '36601d'"},
        {PROGRAM_SCORER, "--watchdog=0", "--watchdog=29s",
         "a time such as 250us, 100ms, 25s, 5m, 1h or 1d (0, or 30s to 1d), not '29s'"},
        {PROGRAM_SCORER, "--memory-limit=2GiB", "--memory-limit=2GB", "a size such as 512MiB or 2GiB, not '2GB'"},
        {PROGRAM_TRAINER, "--test-size=0.9", "--test-size=0.91", "a number (0 to 0.9), not '0.91'"},
        {PROGRAM_TRAINER, "--test-size=0", "--test-size=-0.1", "a number (0 to 0.9), not '-0.1'"},
        {PROGRAM_TRAINER, "--test-size=1e-3", "--test-size=nan", "a number (0 to 0.9), not 'nan'"},
        {PROGRAM_SCORER, "--exit-at-end=no", "--exit-at-end=nein", "true or false, not 'nein'"},
        {PROGRAM_SCORER, "--delivery=at-least-once", "--delivery=", "exactly-once or at-least-once, not ''"},
        {PROGRAM_SCORER, "--time-unit=", "--time-unit=m", "s, ms, us, ns or days, not 'm'"},
        {PROGRAM_SCORER, "--roles= sink\t, http", "--roles=score,cook",
         "one or more of score, sink and http, not 'score,cook'"},
        {PROGRAM_SCORER, "--roles=score", "--roles=", "one or more of score, sink and http, not ''"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char text[256];
        const char *command = rows[r].program == PROGRAM_SCORER     ? "check"
                              : rows[r].program == PROGRAM_PRODUCER ? "generate"
                                                                    : "train";
        int name_bytes = (int)strcspn(rows[r].bad, "=");
        snprintf(text, sizeof text, "%.*s must be %s", name_bytes, rows[r].bad, rows[r].text);
        assert_parses(rows[r].program, LIST(command, rows[r].good), NONE);
        assert_refuses(rows[r].program, LIST(command, rows[r].bad), NONE, text);
    }
}

static void words_and_shares_are_read(void **state)
{
    (void)state;
    assert_parses(PROGRAM_SCORER, LIST("--roles=http, sink", "--time-unit=us", "--time-unit="), NONE);
    assert_int_equal(options_word(options, OPTION_DELIVERY), DELIVERY_EXACTLY_ONCE);
    assert_false(options_has_word(options, OPTION_ROLES, ROLE_SCORE));
    assert_true(options_has_word(options, OPTION_ROLES, ROLE_SINK));
    assert_true(options_has_word(options, OPTION_ROLES, ROLE_HTTP));
    assert_null(options_text(options, OPTION_TIME_UNIT));
    assert_parses(PROGRAM_PRODUCER, LIST("generate", "--poison=0.25"), LIST("DELIVERY=at-least-once"));
    assert_true(options_share(options, OPTION_POISON) == 0.25);
    assert_int_equal(options_word(options, OPTION_DELIVERY), DELIVERY_AT_LEAST_ONCE);
}

/* Bounds are values of the row's type and in order, the default is within them, and only words have words. */
static void the_rows_agree_with_themselves(void **state)
{
    (void)state;
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        const char *const values[] = {row->minimum, row->maximum, row->fallback};
        bool number = row->type >= OPTION_INTEGER && row->type <= OPTION_SHARE;
        struct option_value read;
        assert_true(row->flag && row->help && row->programs);
        assert_true(number || (!row->minimum && !row->maximum && !row->or_zero));
        assert_int_equal(row->words[0] != NULL, row->type == OPTION_WORD || row->type == OPTION_WORDS);
        assert_null(row->words[sizeof row->words / sizeof *row->words - 1]);
        for (size_t v = 0; v < 3; v++)
            if (values[v] && option_value_read(row, values[v], row->flag, &read, &err) != STATUS_OK)
                fail_msg("%s", err.text);
    }
}

static void switches_take_many_words(void **state)
{
    (void)state;
    static const char *const on[] = {"EXIT_AT_END=1", "EXIT_AT_END=true", "EXIT_AT_END=Yes", "EXIT_AT_END=ON"};
    static const char *const off[] = {"EXIT_AT_END=0", "EXIT_AT_END=false", "EXIT_AT_END=no", "EXIT_AT_END="};
    for (size_t i = 0; i < 4; i++) {
        assert_parses(PROGRAM_SCORER, NONE, LIST(on[i]));
        assert_true(options_flag(options, OPTION_EXIT_AT_END));
        assert_parses(PROGRAM_SCORER, NONE, LIST(off[i]));
        assert_false(options_flag(options, OPTION_EXIT_AT_END));
    }
}

static void an_empty_variable_counts_as_not_given(void **state)
{
    (void)state;
    assert_parses(PROGRAM_SCORER, NONE, LIST("WORKERS=", "INPUT_TOPIC=", "DATABASE_URL="));
    assert_int_equal(options_integer(options, OPTION_WORKERS), 1);
    assert_string_equal(options_text(options, OPTION_INPUT_TOPIC), "employee-events");
    assert_false(options_given(options, OPTION_DATABASE_URL));
}

static void secrets_come_from_files(void **state)
{
    (void)state;
    char variable[128], text[256];
    char *path = file_with("postgresql://u:p@h/d\n");
    snprintf(variable, sizeof variable, "DATABASE_URL_FILE=%s", path);
    assert_parses(PROGRAM_SCORER, NONE, LIST(variable));
    assert_string_equal(options_text(options, OPTION_DATABASE_URL), "postgresql://u:p@h/d");
    assert_refuses(PROGRAM_SCORER, NONE, LIST(variable, "DATABASE_URL=x"),
                   "environment variables DATABASE_URL and DATABASE_URL_FILE are both set: unset one");
    file_with("\n");
    snprintf(text, sizeof text, "environment variable DATABASE_URL_FILE: %s is empty or not a text", path);
    assert_refuses(PROGRAM_SCORER, NONE, LIST(variable), text);
    assert_refuses(PROGRAM_SCORER, NONE, LIST("DATABASE_URL_FILE=/none"),
                   "environment variable DATABASE_URL_FILE: cannot read /none: No such file or directory");
    assert_parses(PROGRAM_SCORER, NONE, LIST("WORKERS_FILE=/none", "DATABASE_URL_FILE="));
}

static void files_of_secrets_are_read_again(void **state)
{
    (void)state;
    const struct option_pair *pairs = NULL;
    char database[128], kafka[128];
    char *path = file_with("host=before");
    snprintf(database, sizeof database, "DATABASE_URL_FILE=%s", path);
    snprintf(kafka, sizeof kafka, "KAFKA_SASL_PASSWORD_FILE=%s", path);
    assert_parses(PROGRAM_SCORER, NONE, LIST(database, kafka, "HTTP_TOKEN=stays"));
    struct secret url = options_secret(options, OPTION_DATABASE_URL);
    const char *before = secret_text(url);
    assert_string_equal(before, "host=before");
    file_with("host=after\n");
    options_reread_secrets(options);
    assert_string_equal(secret_text(url), "host=after");
    assert_string_equal(before, "host=before"); /* whoever still uses it */
    assert_int_equal(options_environment(options, &pairs), 1);
    assert_string_equal(option_pair_value(&pairs[0]), "host=after");
    assert_string_equal(secret_text(options_secret(options, OPTION_HTTP_TOKEN)), "stays");
    file_with("\n"); /* one that is empty changes nothing */
    options_reread_secrets(options);
    assert_string_equal(secret_text(url), "host=after");
    assert_int_equal(unlink(path), 0);
    options_reread_secrets(options);
    assert_string_equal(secret_text(url), "host=after");
    file_with("host=before");
    assert_parses(PROGRAM_SCORER, LIST("--database-url", "host=flag"), LIST(database));
    assert_string_equal(secret_text(options_secret(options, OPTION_DATABASE_URL)), "host=flag");
}

static void kafka_variables_are_collected(void **state)
{
    (void)state;
    const struct option_pair *pairs = NULL;
    char variable[128];
    snprintf(variable, sizeof variable, "KAFKA_SASL_PASSWORD_FILE=%s", file_with("hush\r\n"));
    assert_parses(PROGRAM_SCORER, NONE,
                  LIST("PATH=/bin", "KAFKA_BOOTSTRAP_SERVERS=b:1", "KAFKA_SASL_USERNAME=u=v", variable,
                       "KAFKA_EMPTY=", "KAFKA_LOG_FILE=/none"));
    assert_int_equal(options_environment(options, &pairs), 3);
    assert_string_equal(pairs[0].name, "KAFKA_SASL_USERNAME");
    assert_string_equal(pairs[0].value, "u=v");
    assert_string_equal(pairs[1].name, "KAFKA_SASL_PASSWORD");
    assert_string_equal(pairs[1].value, "hush");
    assert_string_equal(pairs[2].name, "KAFKA_LOG_FILE");
    assert_string_equal(pairs[2].value, "/none");
    assert_string_equal(options_text(options, OPTION_BOOTSTRAP_SERVERS), "b:1");
    assert_parses(PROGRAM_TRAINER, LIST("train"), LIST(variable));
    assert_int_equal(options_environment(options, &pairs), 0);
}

static void config_files_have_comments_and_quotes(void **state)
{
    (void)state;
    char *path = file_with("\xEF\xBB\xBF# a comment\r\n\n  workers=3 # trailing\n input-topic = \" a # b \"\n"
                           "database-url = host=h password=a#b\nseed = 5\nexit-at-end = yes");
    assert_parses(PROGRAM_SCORER, LIST("--config", path), NONE);
    assert_int_equal(options_integer(options, OPTION_WORKERS), 3);
    assert_string_equal(options_text(options, OPTION_INPUT_TOPIC), " a # b ");
    assert_string_equal(options_text(options, OPTION_DATABASE_URL), "host=h password=a#b");
    assert_true(options_flag(options, OPTION_EXIT_AT_END));
}

static void config_files_are_refused_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *content, *text;
    } bad[] = {
        {"workers = 1\nwokers = 2\n", ":2: 'wokers' is no option that a file can set"},
        {"workers\n", ":1: not of the form `flag = value`"},
        {"config = x\n", ":1: 'config' is no option that a file can set"},
        {"= x\n", ":1: '' is no option that a file can set"},
    };
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        char text[256], *path = file_with(bad[b].content);
        snprintf(text, sizeof text, "%s%s", path, bad[b].text);
        assert_refuses(PROGRAM_SCORER, LIST("--config", path), NONE, text);
    }
    assert_refuses(PROGRAM_SCORER, NONE, LIST("ATTRITION_CONFIG=/none"),
                   "--config: cannot read /none: No such file or directory");
}

/* What parsing these arguments prints. */
static const char *written(enum program program, char **arguments)
{
    static char text[32768];
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    dup2(fileno(file), STDOUT_FILENO);
    enum status status = parse(program, arguments, NONE);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(status, STATUS_OK);
    assert_true(exit_now);
    return text;
}

static void help_lists_and_is_aligned(void **state)
{
    (void)state;
    const char *text = written(PROGRAM_SCORER, LIST("--help"));
    assert_non_null(strstr(text, "  score [FILE]                score\n"));
    assert_non_null(strstr(text, "  --workers N                 score loops, each with its own"));
    assert_non_null(strstr(text, "[DATABASE_URL or"));
    assert_non_null(strstr(text, "\nOptions of score:\n  --unchecked "));
    assert_null(strstr(text, "--max-rejects"));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") <= 84); /* bytes; 80 columns */
}

static void help_of_a_subcommand_leaves_out_the_others_options(void **state)
{
    (void)state;
    const char *text = written(PROGRAM_SCORER, LIST("check", "-h"));
    assert_memory_equal(text, "usage: program check [OPTION]…", strlen("usage: program check [OPTION]…"));
    assert_non_null(strstr(text, "--create-topics"));
    assert_null(strstr(text, "--unchecked"));
    assert_non_null(strstr(text, "\n\nlook at configuration"));
    assert_non_null(strstr(text, "servers; say what is wrong and\nhow to fix it\n\nOptions"));
    text = strstr(written(PROGRAM_TRAINER, LIST("train", "-h")), "\nOptions of train:\n");
    assert_non_null(text);
    assert_non_null(strstr(text, "\n  --out FILE"));
}

/* Each to its own: what another subcommand takes is a mistake to be named, not ignored. */
static void a_flag_of_another_subcommand_is_refused(void **state)
{
    (void)state;
    assert_refuses(PROGRAM_TRAINER, LIST("generate", "--folds", "5"), NONE,
                   "generate has no --folds: did you mean `program train --folds`?");
    assert_refuses(PROGRAM_SCORER, LIST("--create-topics"), NONE,
                   "run has no --create-topics: did you mean `program check --create-topics`?");
    assert_refuses(PROGRAM_PRODUCER, LIST("--count", "3", "train"), NONE,
                   "train has no --count: did you mean `program generate --count`?");
    assert_refuses(PROGRAM_SCORER, LIST("score", "--workers=2"), NONE,
                   "score has no --workers: did you mean `program run --workers`?");
    assert_parses(PROGRAM_SCORER, LIST("check", "--workers=2"), NONE); /* it looks at the daemon's settings */
    assert_parses(PROGRAM_SCORER, LIST("check", "--create-topics"), NONE);
    assert_parses(PROGRAM_SCORER, LIST("run"), LIST("CREATE_TOPICS=true")); /* for every run of the program */
    assert_parses(PROGRAM_SCORER, LIST("run", "--dlq-topic", "x"), NONE);   /* for one only in the producer */
}

static void help_of_a_subcommand_says_what_is_for_it(void **state)
{
    (void)state;
    assert_non_null(
        strstr(written(PROGRAM_PRODUCER, LIST("generate", "-h")), "\n  --out FILE                  write to FILE"));
    assert_null(strstr(written(PROGRAM_PRODUCER, LIST("generate", "-h")), "describe"));
}

static void shells_and_man_get_what_is_offered(void **state)
{
    (void)state;
    const char *text = written(PROGRAM_PRODUCER, LIST("--completion", "bash"));
    const char *flags = strstr(text, "    generate) flags='");
    assert_non_null(flags);
    assert_non_null(strstr(flags, "--count "));
    assert_null(strstr(text, "--folds"));
    assert_non_null(strstr(text, "--log-level) COMPREPLY=($(compgen -W 'error warn info debug'"));
    assert_non_null(strstr(text, "complete -o filenames -F _attrition_producer producer attrition-producer\n"));
    text = written(PROGRAM_TRAINER, LIST("--completion=zsh"));
    assert_non_null(strstr(text, "'--folds[folds of the cross-validation]:N: '"));
    text = written(PROGRAM_SCORER, LIST("--man"));
    assert_non_null(strstr(text, ".TH ATTRITION\\-scorer 1"));
    assert_non_null(strstr(text, ".B \\-\\-database\\-url \\fICONNINFO\\fR\n"));
    assert_refuses(PROGRAM_SCORER, LIST("--completion", "fish"), NONE, "--completion fish: bash or zsh");
    assert_refuses(PROGRAM_SCORER, LIST("--man=1"), NONE, "--man takes no value");
}

static void version_names_the_program(void **state)
{
    (void)state;
    assert_string_equal(written(PROGRAM_TRAINER, LIST("--version")), "attrition-trainer " VERSION "\n");
}

static void the_reference_has_every_option(void **state)
{
    (void)state;
    static char text[65536];
    FILE *file = fmemopen(text, sizeof text, "w");
    options_write_reference(file);
    fclose(file);
    for (int id = 0; id < OPTION_COUNT_; id++) {
        char cell[64];
        snprintf(cell, sizeof cell, "| `--%s` |", option_rows[id].flag);
        assert_non_null(strstr(text, cell));
    }
    assert_non_null(strstr(text, "| `1` | 1 to 64 | scorer |"));
    assert_non_null(strstr(text, "| `2m` | 0, or 30s to 1d | scorer |"));
    assert_non_null(strstr(text, "| `exactly-once` | exactly-once or at-least-once | scorer, producer |"));
    assert_non_null(strstr(text, "`DATABASE_URL`, `DATABASE_URL_FILE`"));
}

static void main_ends_with_the_subcommands_status_or_two(void **state)
{
    (void)state;
    ran = 0;
    assert_int_equal(options_main(PROGRAM_SCORER, daemon_rows, 2, LIST("scorer", "check")), 1);
    assert_int_equal(ran, 1);
    assert_int_equal(options_main(PROGRAM_SCORER, daemon_rows, 2, LIST("scorer", "bogus")), 2);
    assert_int_equal(options_main(PROGRAM_SCORER, daemon_rows, 2, LIST("scorer", "--log-level=loud")), 2);
    assert_int_equal(options_main(PROGRAM_SCORER, daemon_rows, 2, LIST("scorer", "--log-format=xml")), 2);
    assert_int_equal(ran, 1);
}

/* A full disk behind `--help >file` or a subcommand's lines. */
static void main_fails_when_its_output_is_lost(void **state)
{
    (void)state;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        FILE *full = freopen("/dev/full", "w", stdout);
        _exit(full ? options_main(PROGRAM_SCORER, daemon_rows, 2, LIST("scorer", "--help")) : 3);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 1);
}

/* What a person may paste into a shell; nothing of a secret. */
static void the_command_again(void **state)
{
    (void)state;
    struct buffer command = {0}, secrets = {0};
    assert_parses(PROGRAM_PRODUCER,
                  LIST("generate", "--rate=5", "--schema-registry-token", "abc", "--no-validate", "-X",
                       "sasl.password=xyz", "-Xacks=all", "it's a file", "--", "-x"),
                  LIST("INPUT_TOPIC=other"));
    options_write_command(options, "resume", &command, &secrets);
    assert_string_equal(command.data, "program generate --resume --no-validate --rate 5 -X acks=all "
                                      "'it'\\''s a file' ./-x");
    assert_string_equal(secrets.data, "--schema-registry-token, -X sasl.password");
    buffer_free(&command);
    buffer_free(&secrets);
}

/* Also where its help's headings are words of the subcommand, as for --empty of `state seed`. */
static void every_row_has_help_for_its_subcommands(void **state)
{
    (void)state;
    static const char *const names[] = {"state", "run", "audit", "backfill", "train", "import"};
    for (int id = 0; id < OPTION_COUNT_; id++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            struct buffer help = {0};
            option_help_for(&option_rows[id], names[i], &help);
            assert_true(help.bytes > 0);
            buffer_free(&help);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_command_again, teardown),
        cmocka_unit_test_teardown(defaults_hold_where_nothing_is_given, teardown),
        cmocka_unit_test_teardown(flag_wins_over_environment_over_file_over_default, remove_file),
        cmocka_unit_test_teardown(every_option_has_a_variable, teardown),
        cmocka_unit_test_teardown(flags_stand_anywhere, teardown),
        cmocka_unit_test_teardown(the_last_of_a_flag_wins, teardown),
        cmocka_unit_test_teardown(values_may_begin_with_a_dash_or_be_empty, teardown),
        cmocka_unit_test_teardown(one_flag_may_mean_another_option_in_another_program, teardown),
        cmocka_unit_test_teardown(pairs_are_kept_in_order, teardown),
        cmocka_unit_test_teardown(an_option_that_repeats_keeps_all, teardown),
        cmocka_unit_test_teardown(what_is_unknown_is_refused_with_a_guess, teardown),
        cmocka_unit_test_teardown(numbers_are_checked_where_they_come_from, remove_file),
        cmocka_unit_test_teardown(durations_have_units, teardown),
        cmocka_unit_test_teardown(what_a_row_does_not_allow_is_refused, teardown),
        cmocka_unit_test_teardown(words_and_shares_are_read, teardown),
        cmocka_unit_test(the_rows_agree_with_themselves),
        cmocka_unit_test_teardown(switches_take_many_words, teardown),
        cmocka_unit_test_teardown(an_empty_variable_counts_as_not_given, teardown),
        cmocka_unit_test_teardown(secrets_come_from_files, remove_file),
        cmocka_unit_test_teardown(files_of_secrets_are_read_again, remove_file),
        cmocka_unit_test_teardown(kafka_variables_are_collected, remove_file),
        cmocka_unit_test_teardown(config_files_have_comments_and_quotes, remove_file),
        cmocka_unit_test_teardown(config_files_are_refused_by_line, remove_file),
        cmocka_unit_test_teardown(help_lists_and_is_aligned, teardown),
        cmocka_unit_test_teardown(shells_and_man_get_what_is_offered, teardown),
        cmocka_unit_test_teardown(a_flag_of_another_subcommand_is_refused, teardown),
        cmocka_unit_test_teardown(help_of_a_subcommand_says_what_is_for_it, teardown),
        cmocka_unit_test_teardown(help_of_a_subcommand_leaves_out_the_others_options, teardown),
        cmocka_unit_test(every_row_has_help_for_its_subcommands),
        cmocka_unit_test_teardown(version_names_the_program, teardown),
        cmocka_unit_test_teardown(the_reference_has_every_option, teardown),
        cmocka_unit_test(main_fails_when_its_output_is_lost),
        cmocka_unit_test_teardown(main_ends_with_the_subcommands_status_or_two, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
