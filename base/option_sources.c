/* Options given by the environment and by the config file. Called by options_parse, after the command line, whose
 * values win. Must never print a secret's value. */
#include "base/options_private.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { FILE_LIMIT_BYTES = 1024 * 1024 };

/* The variable's value; NULL where it is not set or empty, which counts as not given. */
static const char *environment_value(char **environment, const char *name)
{
    size_t bytes = strlen(name);
    for (char **at = environment; at && *at; at++)
        if (strncmp(*at, name, bytes) == 0 && (*at)[bytes] == '=')
            return (*at)[bytes + 1] ? *at + bytes + 1 : NULL;
    return NULL;
}

/* Places that containers have to themselves, where orchestrators put secrets for all to read. */
static bool is_container_secret(const char *path)
{
    return strncmp(path, "/run/secrets/", 13) == 0 || strncmp(path, "/var/run/secrets/", 17) == 0;
}

static bool all_may(const char *path, mode_t right)
{
    struct stat found;
    return stat(path, &found) == 0 && found.st_mode & right;
}

/* Every directory on the way, and then the file. */
static bool all_may_reach(const char *path, mode_t right)
{
    char part[4096];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", slash == path ? 1 : (int)(slash - path), path);
        if (!all_may(part, S_IXOTH))
            return false;
    }
    return all_may(path, right);
}

void option_note_open_file(const char *named, const char *path, bool is_secret, struct buffer *out)
{
    if (is_container_secret(path))
        return;
    if (all_may_reach(path, S_IWOTH))
        buffer_printf(out, "%s: every user of this host may change %s; run: chmod o-w %s\n", named, path, path);
    else if (is_secret && all_may_reach(path, S_IROTH))
        buffer_printf(out, "%s: every user of this host may read %s; run: chmod 600 %s\n", named, path, path);
}

/* The file that NAME_FILE names, which is the options' from now on. */
static enum status secret_read(struct options *options, const char *variable, const char *path,
                               const struct secret_file **out, struct error *err)
{
    struct secret_file *file;
    variable = arena_text(&options->arena, variable, strlen(variable));
    path = arena_text(&options->arena, path, strlen(path));
    if (secret_file_new(variable, path, &file, err) != STATUS_OK)
        return err->status;
    size_t count = options->secret_file_count++;
    options->secret_files = mem_resize(options->secret_files, count + 1, sizeof *options->secret_files);
    options->secret_files[count] = file;
    option_note_open_file(variable, path, true, &options->open_secrets);
    *out = file;
    return STATUS_OK;
}

/* NAME, or the file named by NAME_FILE. *out stays without either where neither is set. */
static enum status secret_value(struct options *options, char **environment, const char *name, struct secret *out,
                                struct error *err)
{
    char variable[128];
    snprintf(variable, sizeof variable, "%s_FILE", name);
    const char *path = environment_value(environment, variable);
    *out = (struct secret){.text = environment_value(environment, name)};
    if (out->text && path)
        return error_set(err, STATUS_INVALID, "environment variables %s and %s are both set: unset one", name,
                         variable);
    return path ? secret_read(options, variable, path, &out->file, err) : STATUS_OK;
}

/* Whether the variable names a file with a credential: KAFKA_SASL_PASSWORD_FILE. Other names that end in _FILE are
 * somebody else's (Kubernetes and Kafka's own scripts set many) and stay as they are. */
static bool names_secret_file(const char *name, size_t bytes)
{
    static const char *const endings[] = {"_PASSWORD_FILE", "_USERNAME_FILE", "_SECRET_FILE", "_PEM_FILE"};
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++)
        if (bytes > strlen(endings[e]) && strcmp(name + bytes - strlen(endings[e]), endings[e]) == 0)
            return true;
    return false;
}

/* KAFKA_<PROPERTY>, or KAFKA_<PROPERTY>_FILE for credentials. */
static enum status add_kafka_variable(struct options *options, char **environment, const char *assignment,
                                      struct error *err)
{
    const char *equals = strchr(assignment, '=');
    if (strncmp(assignment, "KAFKA_", 6) != 0 || !equals || equals[1] == '\0')
        return STATUS_OK;
    size_t bytes = (size_t)(equals - assignment);
    char *name = arena_text(&options->arena, assignment, bytes);
    struct secret value = {.text = equals + 1};
    enum status status = STATUS_OK;
    if (strcmp(name, option_rows[OPTION_BOOTSTRAP_SERVERS].environment) == 0)
        return STATUS_OK;
    if (names_secret_file(name, bytes)) {
        name[bytes - strlen("_FILE")] = '\0';
        status = secret_value(options, environment, name, &value, err);
    }
    if (status != STATUS_OK)
        return status;
    option_add_named_pair(options, &options->environment, name, secret_text(value));
    options->environment.items[options->environment.count - 1].file = value.file;
    return STATUS_OK;
}

static enum status read_variable(struct options *options, char **environment, enum option_id id, struct error *err)
{
    const struct option_row *row = &option_rows[id];
    struct secret value = {0};
    char named[128], made[OPTION_VARIABLE_BYTES];
    const char *variable = option_variable(row, made);
    enum status status = STATUS_OK;
    if (!option_is_of(row, options->program))
        return STATUS_OK;
    if (row->secret)
        status = secret_value(options, environment, variable, &value, err);
    else
        value.text = environment_value(environment, variable);
    if (status != STATUS_OK || !secret_text(value))
        return status;
    snprintf(named, sizeof named, "environment variable %s", variable);
    status = option_give(options, id, secret_text(value), OPTION_FROM_ENVIRONMENT, named, err);
    if (options->values[id].source == OPTION_FROM_ENVIRONMENT)
        options->values[id].file = value.file;
    return status;
}

enum status option_read_environment(struct options *options, char **environment, struct error *err)
{
    enum status status = STATUS_OK;
    for (int id = 0; id < OPTION_COUNT_ && status == STATUS_OK; id++)
        status = read_variable(options, environment, (enum option_id)id, err);
    bool wanted = option_program_has_properties(options->program);
    for (char **at = environment; wanted && at && *at && status == STATUS_OK; at++)
        status = add_kafka_variable(options, environment, *at, err);
    return status;
}

static char *option_trimmed(char *text)
{
    static const char blanks[] = " \t\r";
    text += strspn(text, blanks);
    size_t bytes = strlen(text);
    while (bytes && strchr(blanks, text[bytes - 1]))
        text[--bytes] = '\0';
    return text;
}

/* Cuts the comment: a # at the start of the line or after a blank. Inside double quotes # is an ordinary character. */
static void cut_comment(char *line)
{
    bool quoted = false;
    for (char *at = line; *at; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (*at == '#' && !quoted && (at == line || at[-1] == ' ' || at[-1] == '\t')) {
            *at = '\0';
            return;
        }
    }
}

static char *unquoted(char *value)
{
    size_t bytes = strlen(value);
    if (bytes < 2 || value[0] != '"' || value[bytes - 1] != '"')
        return value;
    value[bytes - 1] = '\0';
    return value + 1;
}

static bool of_any_program(const char *key)
{
    for (enum program program = PROGRAM_SCORER; program <= PROGRAM_REGISTRY; program++)
        if (option_find(program, key, strlen(key)) >= 0)
            return true;
    return false;
}

/* One `flag = value` line. A key of another program is passed over, so that one file can serve all of them. */
static enum status read_line(struct options *options, char *line, const char *path, size_t number, struct error *err)
{
    cut_comment(line);
    char *key = option_trimmed(line);
    if (*key == '\0')
        return STATUS_OK;
    char *equals = strchr(key, '=');
    if (!equals)
        return error_set(err, STATUS_INVALID, "%s:%zu: not of the form `flag = value`", path, number);
    *equals = '\0';
    key = option_trimmed(key);
    int id = option_find(options->program, key, strlen(key));
    if (id < 0 && of_any_program(key))
        return STATUS_OK;
    if (id < 0 || id == OPTION_CONFIG)
        return error_set(err, STATUS_INVALID, "%s:%zu: '%s' is no option that a file can set", path, number, key);
    struct buffer named = {0};
    buffer_printf(&named, "%s:%zu: %s", path, number, key);
    enum status status = option_give(options, (enum option_id)id, unquoted(option_trimmed(equals + 1)),
                                     OPTION_FROM_FILE, named.data, err);
    buffer_free(&named);
    return status;
}

enum status option_read_file(struct options *options, const char *path, struct error *err)
{
    struct buffer content = {0};
    enum status status = file_read(path, FILE_LIMIT_BYTES, &content, err);
    if (status != STATUS_OK)
        error_prefix(err, "--config");
    else if (memchr(buffer_span(&content).data, '\0', content.bytes))
        status = error_set(err, STATUS_INVALID, "--config: %s holds NUL bytes: it is no text file", path);
    char *line = content.data;
    if (status == STATUS_OK && strncmp(line, "\xEF\xBB\xBF", 3) == 0)
        line += 3; /* a byte-order mark */
    for (size_t number = 1; status == STATUS_OK && line; number++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        status = read_line(options, line, path, number, err);
        line = end ? end + 1 : NULL;
    }
    if (content.data)
        explicit_bzero(content.data, content.capacity);
    buffer_free(&content);
    return status;
}
