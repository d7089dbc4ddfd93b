/* Inside of options.h: the table's rows as data, and what parsing and help share. Included by base/option*.c and by
 * tests alone. */
#pragma once

#include "base/bytes.h"
#include "base/memory.h"
#include "base/options.h"

enum option_type {
    OPTION_TEXT,
    OPTION_INTEGER,
    OPTION_DURATION,
    OPTION_SIZE,
    OPTION_SHARE,
    OPTION_FLAG,
    OPTION_WORD, /* one of the row's words */
    OPTION_WORDS /* one or more of them, with commas between */
};

struct option_row {
    const char *flag;        /* also the config file's key; unique within a program */
    const char *environment; /* NULL: ATTRITION_ and the flag, see option_variable */
    enum option_type type;
    const char *words[8];          /* of OPTION_WORD and OPTION_WORDS: what is allowed; the last is NULL */
    const char *fallback;          /* the default; NULL: none */
    const char *minimum, *maximum; /* of numbers, written as values are ("1ms"); NULL: none */
    bool or_zero;                  /* an integer or a time may be 0 too, below the minimum */
    unsigned programs;             /* bit 1 << enum program */
    bool secret;                   /* accepted as ENVIRONMENT_FILE too; never printed */
    bool repeats;                  /* a text that may be given several times: all of them, OPTION_SEPARATOR between */
    bool shipped;                  /* the default names a file that is also looked for where `make install` puts it */
    const char *metavar;           /* NULL for flags */
    const char *only; /* subcommands that it is for, as "backfill generate"; NULL: help says (option_scope.c) */
    const char *help;
};

extern const struct option_row option_rows[OPTION_COUNT_];
extern const char *const option_program_names[4]; /* "scorer", …; by enum program */

static inline bool option_is_of(const struct option_row *row, enum program program)
{
    return row->programs >> program & 1;
}

/* Who gave a value; a higher one wins. */
enum option_source { OPTION_FROM_DEFAULT, OPTION_FROM_FILE, OPTION_FROM_ENVIRONMENT, OPTION_FROM_FLAG };

struct option_value {
    const char *text;               /* in the arena or the table; NULL: none */
    const struct secret_file *file; /* which has the text; NULL: none */
    int64_t number;                 /* see option_value_read */
    double share;                   /* of OPTION_SHARE, whose number is 0 */
    enum option_source source;
};

struct option_pairs {
    struct option_pair *items;
    size_t count;
};

struct options {
    enum program program;
    const char *path;    /* argv[0] */
    const char *invoked; /* the name the program was called by, for messages: attrition-scorer where it is installed */
    const struct subcommand *subcommand;
    struct arena arena; /* every text that was given */
    struct option_value values[OPTION_COUNT_];
    struct option_pairs properties, params, environment;
    const char **arguments;
    size_t argument_count;
    struct secret_file **secret_files;
    size_t secret_file_count;
    struct buffer open_secrets; /* files with a secret that all users may read or change, a line each */
};

/* Keeps the value unless a higher source has given one; the same source again replaces it. Copies the text. */
MUST_USE enum status option_give(struct options *options, enum option_id id, const char *value,
                                 enum option_source source, const char *named, struct error *err);

/* Its environment variable: the row's, or else ATTRITION_ and the flag in capitals, made in `out`. */
enum { OPTION_VARIABLE_BYTES = 64 };
const char *option_variable(const struct option_row *row, char out[OPTION_VARIABLE_BYTES]);

/* "NAME=VALUE" into a list; `named` is what to call it in an error. */
MUST_USE enum status option_add_pair(struct options *options, struct option_pairs *pairs, const char *assignment,
                                     const char *named, struct error *err);
void option_add_named_pair(struct options *options, struct option_pairs *pairs, const char *name, const char *value);

/* The option of that name in this program, or -1. */
int option_find(enum program program, const char *flag, size_t flag_bytes);

/* option_sources.c: what the environment and the config file give. */
MUST_USE enum status option_read_environment(struct options *options, char **environment, struct error *err);
MUST_USE enum status option_read_file(struct options *options, const char *path, struct error *err);

/* A line to `out` where every user of this host may change the file at `path`, or read one that holds a secret. */
void option_note_open_file(const char *named, const char *path, bool is_secret, struct buffer *out);

/* option_warnings.c: what about the values is unsafe, a line each, with what to do. Never a secret. */
void option_warnings(const struct options *options, struct buffer *out);

/* certificates.c: which certificates expire soon, as warnings in the log. */
void option_log_certificates(const struct options *options);

/* A database's connection string; "": libpq's own variables say where it is, to a subcommand that asks it; NULL: it is
 * not asked. The text is secret_text's. */
const char *option_conninfo(const struct options *options, enum option_id id);

/* A Kafka property by its name in our variables or in librdkafka's; NULL: not given. */
const char *option_kafka_property(const struct options *options, const char *variable, const char *name);

/* -X goes to Kafka clients, --param to models. */
bool option_program_has_properties(enum program program);
bool option_program_has_params(enum program program);

/* Checks a value against its row and reads its number or share: a duration in microseconds, a size in bytes, a flag as
 * 0 or 1, a word as its place in the row (none: the empty value, where there is no default), several words as the bits
 * of their places. On failure says what would be right, without repeating the value of a secret. `source` is
 * "--workers", "WORKERS" or "x.conf:3". */
MUST_USE enum status option_value_read(const struct option_row *row, const char *value, const char *source,
                                       struct option_value *out, struct error *err);

/* `open` and which values are allowed: "1 to 64", "0, or 30s to 1d", "at least 1", "text or json". False, and nothing
 * written, where all values of the type are. */
bool option_allowed_write(const struct option_row *row, const char *open, struct buffer *out);

/* Of `names` (count of them, NULLs passed over) the one that `given` most likely meant, or NULL. */
const char *option_nearest(const char *given, const char *const *names, size_t count);

/* option_scope.c: whether a subcommand takes the option; the first that is named for it, or NULL; whether its help has
 * a part for that one; and what its help says to the users of that one (appended). */
bool option_is_for(const struct option_row *row, const struct subcommand *subcommands, const char *subcommand);
const char *option_subcommand_of(const struct option_row *row, const struct subcommand *subcommands);
bool option_help_names(const struct option_row *row, const char *subcommand);
bool option_row_names(const struct option_row *row, const char *subcommand); /* its help, or .only */
void option_help_for(const struct option_row *row, const char *subcommand, struct buffer *out);

/* "bash" or "zsh": a completion script; "man": the manual page, as troff. */
void option_shell_write(FILE *out, const struct options *options, const struct subcommand *subcommands,
                        const char *what);

/* --help of the program (options->subcommand NULL) or of the subcommand. */
void option_help_write(FILE *out, const struct options *options, const struct subcommand *subcommands);
