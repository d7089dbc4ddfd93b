/* Options from one table (option_table.h): command line, environment, config file, defaults; --help and the reference
 * page.
 *
 * Strings returned are owned by the options and live as long as they do. Asking a program for an option that is not its
 * own asserts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/option_table.h"
#include "base/secret.h"
#include "base/status.h"

/* Words that programs decide by: their places in the rows of --delivery, --null-value, --cdc-delete, --roles and
 * --format. */
enum delivery_mode { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE };
enum null_value { NULL_VALUE_ERASE, NULL_VALUE_IGNORE };
enum golden_from { GOLDEN_FROM_SOURCE, GOLDEN_FROM_FILE };
enum notices_format { NOTICES_JSONL, NOTICES_CSV };
enum cdc_delete { CDC_DELETE_TERMINATED, CDC_DELETE_DEAD_LETTER };
enum scorer_role { ROLE_SCORE, ROLE_SINK, ROLE_HTTP };

enum program { PROGRAM_SCORER, PROGRAM_PRODUCER, PROGRAM_TRAINER, PROGRAM_REGISTRY };

enum option_id {
#define OPTION_ID(id, ...) OPTION_##id,
    OPTION_TABLE(OPTION_ID)
#undef OPTION_ID
        OPTION_COUNT_
};

struct options;

/* A program's subcommand, for --help and for dispatch. Tables end with a row of name NULL. */
struct subcommand {
    const char *name;      /* "backfill" */
    const char *arguments; /* "FILE…", or "" */
    const char *help;      /* one line */

    /* The one or the other. run returns the exit status: 0 done, 1 failed, 2 usage. A failure of `work` is logged and
     * ends with status 1, or 2 where it is STATUS_INVALID and that is a matter of usage. */
    int (*run)(const struct options *options);
    enum status (*work)(const struct options *options, struct error *err);
    bool invalid_is_usage;

    /* How many arguments it takes, and what is logged where others are given, with status 2. NULL: it looks itself. */
    size_t least, most;
    const char *takes;
};

/* Parses everything. `environment` is environ. Standard answers (--help, --version) are printed and end with
 * *exit_now true. STATUS_INVALID: usage (the caller prints err and exits 2). -X NAME=VALUE (repeatable) and
 * --param NAME=VALUE (repeatable) are collected in order. Unknown flags are refused with the nearest known name. */
MUST_USE enum status options_parse(enum program program, const struct subcommand *subcommands, int argc, char **argv,
                                   char **environment, struct options **out, bool *exit_now, struct error *err);
void options_free(struct options *options);

/* Between the values of an option that may be given several times. */
enum { OPTION_SEPARATOR = '\n' };

/* NULL where neither given nor defaulted. All values were checked against their rows when they were parsed. */
const char *options_text(const struct options *options, enum option_id id);
/* For a use beyond the start: follows its file, where it is in one. */
struct secret options_secret(const struct options *options, enum option_id id);
int64_t options_integer(const struct options *options, enum option_id id);
int64_t options_duration_us(const struct options *options, enum option_id id); /* "250us", "100ms", "25s", "5m", "1h" */
int64_t options_size(const struct options *options, enum option_id id);        /* bytes: "512MiB", "2GiB", "1048576" */
double options_share(const struct options *options, enum option_id id);        /* "0.2" */
int options_word(const struct options *options, enum option_id id); /* its place in the row, which has a default */
bool options_has_word(const struct options *options, enum option_id id, int word); /* of a list such as --roles */
bool options_flag(const struct options *options, enum option_id id);  /* env: 1/true/yes/on, 0/false/no/off/empty */
bool options_given(const struct options *options, enum option_id id); /* by anything but the default */
bool options_on_command_line(const struct options *options, enum option_id id);

/* Never NULL. Without one on the command line: the table's first row if it needs no arguments. */
const struct subcommand *options_subcommand(const struct options *options);
size_t options_argument_count(const struct options *options); /* what is left after flags and subcommand */
const char *options_argument(const struct options *options, size_t index);

/* Repeatable NAME=VALUE pairs. */
struct option_pair {
    const char *name, *value;
    const struct secret_file *file; /* which had the value at the start, and has it now; NULL: none */
};
/* Now: of its file, where it is in one. */
const char *option_pair_value(const struct option_pair *pair);
size_t options_properties(const struct options *options, const struct option_pair **out); /* -X */
size_t options_params(const struct options *options, const struct option_pair **out);     /* --param */
/* Every KAFKA_* variable but KAFKA_BOOTSTRAP_SERVERS, under its own name; the file of a credential (KAFKA_X_FILE) has
 * been read and stands as KAFKA_X. */
size_t options_environment(const struct options *options, const struct option_pair **out);

/* Reads all files of secrets again (SIGHUP): which have changed is logged, and one that cannot be read, whose secret
 * stays as it was. Whoever keeps a struct secret follows. One thread at a time. */
void options_reread_secrets(const struct options *options);

/* Appends the command line as it was given, quoted for a shell, with --`flag` among its flags but without secrets; and
 * the names of those, "--http-token, -X sasl.password". Both NUL-terminated. */
struct buffer;
void options_write_command(const struct options *options, const char *flag, struct buffer *out, struct buffer *secrets);

/* Writes docs/CONFIGURATION.md. */
void options_write_reference(FILE *out);

/* The whole main of a program: parse, set up the log, run the subcommand, return its exit status. */
int options_main(enum program program, const struct subcommand *subcommands, int argc, char **argv);
