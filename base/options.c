/* The command line, and the options as programs see them: see options.h. Parsed once by the main thread while a program
 * starts; read-only and shared by all threads afterwards. Must never print a secret's value. */
#include "base/options_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

extern char **environ;

/* The command line on its way into `options`. */
struct parse {
    struct options *options;
    const struct subcommand *subcommands;
    char **at, **end;  /* the arguments that are left */
    const char *shell; /* --completion's shell, or "man"; NULL: not asked for */
    bool help, version, flags_over;
};

/* The value of a flag: after its '=' (given), or the next argument. NULL with err set where there is none. */
static const char *take_value(struct parse *parse, const char *given, const char *named, struct error *err)
{
    if (given)
        return given;
    if (parse->at < parse->end)
        return *parse->at++;
    error_set(err, STATUS_INVALID, "%s needs a value", named);
    return NULL;
}

static enum status refuse_flag(const struct parse *parse, const char *named, struct error *err)
{
    const char *known[OPTION_COUNT_ + 5] = {0};
    enum program program = parse->options->program;
    for (int id = 0; id < OPTION_COUNT_; id++)
        known[id] = option_is_of(&option_rows[id], program) ? option_rows[id].flag : NULL;
    known[OPTION_COUNT_] = "help";
    known[OPTION_COUNT_ + 1] = "version";
    known[OPTION_COUNT_ + 2] = option_program_has_params(program) ? "param" : NULL;
    known[OPTION_COUNT_ + 3] = "completion";
    known[OPTION_COUNT_ + 4] = "man";
    const char *nearest = option_nearest(named + strspn(named, "-"), known, OPTION_COUNT_ + 5);
    if (nearest)
        return error_set(err, STATUS_INVALID, "unknown flag %s: did you mean --%s?", named, nearest);
    return error_set(err, STATUS_INVALID, "unknown flag %s", named);
}

static enum status parse_pair(struct parse *parse, struct option_pairs *pairs, const char *given, const char *named,
                              struct error *err)
{
    const char *assignment = take_value(parse, given, named, err);
    return assignment ? option_add_pair(parse->options, pairs, assignment, named, err) : STATUS_INVALID;
}

static enum status parse_completion(struct parse *parse, const char *given, const char *named, struct error *err)
{
    const char *shell = take_value(parse, given, named, err);
    if (!shell)
        return STATUS_INVALID;
    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0)
        return error_set(err, STATUS_INVALID, "%s %s: bash or zsh", named, shell);
    parse->shell = shell;
    return STATUS_OK;
}

/* `named` is the flag as written, without its value: "--workers". */
static enum status parse_named_flag(struct parse *parse, const char *named, const char *given, struct error *err)
{
    struct options *options = parse->options;
    const char *flag = named + 2;
    bool *standard = strcmp(flag, "help") == 0 ? &parse->help : strcmp(flag, "version") == 0 ? &parse->version : NULL;
    if (standard && given)
        return error_set(err, STATUS_INVALID, "%s takes no value", named);
    if (standard) {
        *standard = true;
        return STATUS_OK;
    }
    if (strcmp(flag, "man") == 0 && given)
        return error_set(err, STATUS_INVALID, "%s takes no value", named);
    if (strcmp(flag, "man") == 0) {
        parse->shell = flag;
        return STATUS_OK;
    }
    if (strcmp(flag, "completion") == 0)
        return parse_completion(parse, given, named, err);
    if (strcmp(flag, "param") == 0 && option_program_has_params(options->program))
        return parse_pair(parse, &options->params, given, named, err);
    int id = option_find(options->program, flag, strlen(flag));
    if (id < 0)
        return refuse_flag(parse, named, err);
    if (option_rows[id].type == OPTION_FLAG && !given)
        given = "true";
    const char *value = take_value(parse, given, named, err);
    return value ? option_give(options, (enum option_id)id, value, OPTION_FROM_FLAG, named, err) : STATUS_INVALID;
}

static enum status parse_long(struct parse *parse, const char *argument, struct error *err)
{
    size_t name_bytes = strcspn(argument, "=");
    const char *given = argument[name_bytes] ? argument + name_bytes + 1 : NULL;
    return parse_named_flag(parse, arena_text(&parse->options->arena, argument, name_bytes), given, err);
}

static enum status parse_short(struct parse *parse, const char *argument, struct error *err)
{
    struct options *options = parse->options;
    if (strcmp(argument, "-h") == 0) {
        parse->help = true;
        return STATUS_OK;
    }
    if (argument[1] == 'X' && option_program_has_properties(options->program))
        return parse_pair(parse, &options->properties, argument[2] ? argument + 2 : NULL, "-X", err);
    return refuse_flag(parse, arena_text(&options->arena, argument, strcspn(argument, "=")), err);
}

static void add_argument(struct options *options, const char *argument)
{
    options->arguments = mem_resize(options->arguments, options->argument_count + 1, sizeof *options->arguments);
    options->arguments[options->argument_count++] = arena_text(&options->arena, argument, strlen(argument));
}

static enum status unknown_subcommand(const struct subcommand *subcommands, const char *given, struct error *err)
{
    const char *known[32] = {0};
    size_t count = 0;
    for (; count < 32 && subcommands[count].name; count++)
        known[count] = subcommands[count].name;
    const char *nearest = option_nearest(given, known, count);
    if (nearest)
        return error_set(err, STATUS_INVALID, "unknown subcommand '%s': did you mean '%s'?", given, nearest);
    return error_set(err, STATUS_INVALID, "unknown subcommand '%s'", given);
}

/* The first argument that is no flag names the subcommand; what follows are its arguments. */
static enum status parse_positional(struct parse *parse, const char *argument, struct error *err)
{
    struct options *options = parse->options;
    if (options->subcommand) {
        add_argument(options, argument);
        return STATUS_OK;
    }
    for (const struct subcommand *row = parse->subcommands; row->name; row++)
        if (strcmp(row->name, argument) == 0) {
            options->subcommand = row;
            return STATUS_OK;
        }
    return unknown_subcommand(parse->subcommands, argument, err);
}

static enum status parse_argument(struct parse *parse, const char *argument, struct error *err)
{
    if (parse->flags_over || argument[0] != '-' || argument[1] == '\0')
        return parse_positional(parse, argument, err);
    if (strcmp(argument, "--") == 0) {
        parse->flags_over = true;
        return STATUS_OK;
    }
    return argument[1] == '-' ? parse_long(parse, argument, err) : parse_short(parse, argument, err);
}

/* A shipped file's default is looked for here, then where `make install` puts it, then in the source tree of a program
 * that was not installed. */
static const char *shipped_path(struct options *options, const char *fallback)
{
    static const char *const places[] = {"../share/attrition-scorer/", "../../", "../../../"};
    char program[PATH_MAX];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    const char *found = fallback;
    struct buffer path = {0};
    for (size_t p = 0; p < 3 && bytes > 0 && access(found, F_OK) != 0; p++) {
        program[bytes] = '\0';
        int directory_bytes = (int)(strrchr(program, '/') - program);
        buffer_clear(&path);
        buffer_printf(&path, "%.*s/%s%s", directory_bytes, program, places[p], fallback);
        if (access(path.data, F_OK) == 0)
            found = arena_text(&options->arena, path.data, path.bytes);
    }
    buffer_free(&path);
    return found;
}

static void give_defaults(struct options *options)
{
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        struct option_value *slot = &options->values[id];
        if (!option_is_of(row, options->program) || slot->source != OPTION_FROM_DEFAULT)
            continue;
        slot->text = row->fallback && row->shipped ? shipped_path(options, row->fallback) : row->fallback;
        enum status status = STATUS_OK;
        if (row->fallback)
            status = option_value_read(row, row->fallback, row->flag, slot, ERROR_IGNORED);
        assert(status == STATUS_OK);
        (void)status;
    }
}

/* The first row is the default where it needs no arguments. */
static enum status choose_default(struct parse *parse, struct error *err)
{
    const char *arguments = parse->subcommands->arguments;
    if (parse->options->subcommand)
        return STATUS_OK;
    if (arguments && *arguments)
        return error_set(err, STATUS_INVALID, "a subcommand is missing");
    parse->options->subcommand = parse->subcommands;
    return STATUS_OK;
}

/* A flag that another subcommand would take: ignored, it would leave the user in the belief that it counts. The same in
 * the environment or a file is for all runs of the program. */
static enum status refuse_other_flags(const struct parse *parse, struct error *err)
{
    const struct options *options = parse->options;
    const char *own = options->subcommand->name;
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        if (options->values[id].source == OPTION_FROM_FLAG && !option_is_for(row, parse->subcommands, own))
            return error_set(err, STATUS_INVALID, "%s has no --%s: did you mean `%s %s --%s`?", own, row->flag,
                             options->invoked, option_subcommand_of(row, parse->subcommands), row->flag);
    }
    return STATUS_OK;
}

static enum status parse_rest(struct parse *parse, char **environment, struct error *err)
{
    struct options *options = parse->options;
    enum status status = choose_default(parse, err);
    if (status == STATUS_OK)
        status = refuse_other_flags(parse, err);
    if (status == STATUS_OK)
        status = option_read_environment(options, environment, err);
    const char *config = options->values[OPTION_CONFIG].text;
    if (status == STATUS_OK && config && option_read_file(options, config, err) != STATUS_OK)
        status = STATUS_INVALID;
    if (status == STATUS_OK)
        give_defaults(options);
    return status;
}

static void answer(const struct parse *parse)
{
    if (parse->version)
        printf("attrition-%s " VERSION "\n", option_program_names[parse->options->program]);
    else if (parse->shell && !parse->help)
        option_shell_write(stdout, parse->options, parse->subcommands, parse->shell);
    else
        option_help_write(stdout, parse->options, parse->subcommands);
}

/* The name the program was called by, without directories. */
static const char *name_of(enum program program, int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    return argc <= 0 ? option_program_names[program] : slash ? slash + 1 : argv[0];
}

enum status options_parse(enum program program, const struct subcommand *subcommands, int argc, char **argv,
                          char **environment, struct options **out, bool *exit_now, struct error *err)
{
    struct options *options = mem_zeroed(1, sizeof *options);
    options->program = program;
    const char *path = argc > 0 ? argv[0] : option_program_names[program];
    options->path = arena_text(&options->arena, path, strlen(path));
    options->invoked = name_of(program, argc, argv);
    struct parse parse = {.options = options, .subcommands = subcommands, .at = argv + (argc > 0), .end = argv + argc};
    enum status status = STATUS_OK;
    while (status == STATUS_OK && parse.at < parse.end)
        status = parse_argument(&parse, *parse.at++, err);
    bool standard = status == STATUS_OK && (parse.help || parse.version || parse.shell);
    if (standard)
        answer(&parse);
    if (standard && !options->subcommand)
        options->subcommand = subcommands;
    if (!standard && status == STATUS_OK)
        status = parse_rest(&parse, environment, err);
    if (status != STATUS_OK) {
        options_free(options);
        return STATUS_INVALID;
    }
    *exit_now = standard;
    *out = options;
    return STATUS_OK;
}

void options_free(struct options *options)
{
    if (!options)
        return;
    free(options->properties.items);
    free(options->params.items);
    free(options->environment.items);
    free(options->arguments);
    for (size_t f = 0; f < options->secret_file_count; f++)
        secret_file_free(options->secret_files[f]);
    free(options->secret_files);
    arena_free(&options->arena);
    buffer_free(&options->open_secrets);
    free(options);
}

static const struct option_value *value_of(const struct options *options, enum option_id id)
{
    assert(option_is_of(&option_rows[id], options->program));
    return &options->values[id];
}

const char *options_text(const struct options *options, enum option_id id)
{
    return value_of(options, id)->text;
}

struct secret options_secret(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_TEXT);
    return (struct secret){.text = value_of(options, id)->text, .file = value_of(options, id)->file};
}

int64_t options_integer(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_INTEGER);
    return value_of(options, id)->number;
}

int64_t options_duration_us(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_DURATION);
    return value_of(options, id)->number;
}

int64_t options_size(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_SIZE);
    return value_of(options, id)->number;
}

double options_share(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_SHARE);
    return value_of(options, id)->share;
}

int options_word(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_WORD && option_rows[id].fallback);
    return (int)value_of(options, id)->number;
}

bool options_has_word(const struct options *options, enum option_id id, int word)
{
    assert(option_rows[id].type == OPTION_WORDS);
    return value_of(options, id)->number >> word & 1;
}

bool options_flag(const struct options *options, enum option_id id)
{
    assert(option_rows[id].type == OPTION_FLAG);
    return value_of(options, id)->number != 0;
}

bool options_given(const struct options *options, enum option_id id)
{
    return value_of(options, id)->source != OPTION_FROM_DEFAULT;
}

bool options_on_command_line(const struct options *options, enum option_id id)
{
    return value_of(options, id)->source == OPTION_FROM_FLAG;
}

const struct subcommand *options_subcommand(const struct options *options)
{
    return options->subcommand;
}

size_t options_argument_count(const struct options *options)
{
    return options->argument_count;
}

const char *options_argument(const struct options *options, size_t index)
{
    assert(index < options->argument_count);
    return options->arguments[index];
}

static size_t pairs_of(const struct option_pairs *pairs, const struct option_pair **out)
{
    *out = pairs->items;
    return pairs->count;
}

const char *option_pair_value(const struct option_pair *pair)
{
    return secret_text((struct secret){.text = pair->value, .file = pair->file});
}

size_t options_properties(const struct options *options, const struct option_pair **out)
{
    return pairs_of(&options->properties, out);
}

size_t options_params(const struct options *options, const struct option_pair **out)
{
    return pairs_of(&options->params, out);
}

size_t options_environment(const struct options *options, const struct option_pair **out)
{
    return pairs_of(&options->environment, out);
}

/* Each as a warning; frees them. */
static void log_lines(struct buffer *lines)
{
    char *rest = NULL;
    buffer_add_u8(lines, '\0');
    for (char *line = strtok_r(lines->data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_warn("options", "%s", line);
    buffer_free(lines);
}

void options_reread_secrets(const struct options *options)
{
    struct error err;
    struct buffer changed = {0}, open = {0};
    for (size_t f = 0; f < options->secret_file_count; f++) {
        bool differs = false;
        struct secret_file *file = options->secret_files[f];
        if (secret_file_reread(file, &differs, &err) != STATUS_OK)
            log_error("options", "%s; the secret read before stays in use", err.text);
        option_note_open_file(secret_file_variable(file), secret_file_path(file), true, &open);
        if (differs)
            buffer_printf(&changed, "%s%s", changed.bytes ? ", " : "", secret_file_variable(file));
    }
    if (changed.bytes)
        log_info("options", "read again, and changed: %s; used from the next connection on", changed.data);
    log_lines(&open);
    buffer_free(&changed);
}

static int subcommand_run(const struct subcommand *subcommand, const char *where, const struct options *options)
{
    struct error err;
    size_t count = options_argument_count(options);
    if (subcommand->takes && (count < subcommand->least || count > subcommand->most)) {
        log_error(where, "%s", subcommand->takes);
        return 2;
    }
    if (subcommand->run)
        return subcommand->run(options);
    enum status status = subcommand->work(options, &err);
    if (status == STATUS_OK)
        return 0;
    log_error(where, "%s", err.text);
    return status == STATUS_INVALID && subcommand->invalid_is_usage ? 2 : 1;
}

/* What is in memory stays there: no core file, also where a program collects them, and no debugger of the same user. */
static void close_memory(const struct options *options)
{
#ifndef __SANITIZE_ADDRESS__ /* whose check for leaks is a debugger itself */
    if (!options_flag(options, OPTION_CORE_DUMPS) && prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0)
        log_warn("options", "core dumps cannot be kept off (%s): what is in memory may be written to one",
                 strerror(errno));
#else
    (void)options;
#endif
}

static void log_warnings(const struct options *options)
{
    struct buffer lines = {0};
    option_warnings(options, &lines);
    log_lines(&lines);
    option_log_certificates(options);
}

/* A standard descriptor that is closed must not become a server's connection, which our output would go into: it gets
 * one that can only fail. */
static void keep_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", descriptor ? O_RDONLY : O_WRONLY) != descriptor)
            abort();
}

int options_main(enum program program, const struct subcommand *subcommands, int argc, char **argv)
{
    const char *name = name_of(program, argc, argv);
    struct options *options = NULL;
    struct error err = {0};
    bool exit_now = false;
    int exit_status = 0;
    keep_standard_descriptors();
    enum status status = options_parse(program, subcommands, argc, argv, environ, &options, &exit_now, &err);
    if (status != STATUS_OK) {
        fprintf(stderr, "%s: %s; try `%s --help`\n", name, err.text, name);
        exit_status = 2;
    } else if (!exit_now) {
        log_setup((enum log_level)options_word(options, OPTION_LOG_LEVEL),
                  (enum log_format)options_word(options, OPTION_LOG_FORMAT));
        const struct subcommand *subcommand = options_subcommand(options);
        close_memory(options);
        log_warnings(options);
        bool is_tool = program == PROGRAM_TRAINER || program == PROGRAM_REGISTRY;
        exit_status = subcommand_run(subcommand, is_tool ? option_program_names[program] : subcommand->name, options);
    }
    options_free(options);
    if ((fflush(stdout) != 0 || ferror(stdout)) && exit_status == 0) {
        fprintf(stderr, "%s: cannot write standard output: %s\n", name, strerror(errno));
        exit_status = 1;
    }
    return exit_status;
}
