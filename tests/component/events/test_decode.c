/* `scorer decode` against the Avro conformance set of $SHARED/golden/avro (Java's and Python's answers), and its own
 * edges: odd lines, files that are not there. $BIN holds the program. */
#include "tests/support/test.h"

#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

static char directory[] = "/tmp/test-decode-XXXXXX";

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static void path_in(char *path, size_t bytes, const char *name)
{
    snprintf(path, bytes, "%s/%s", directory, name);
}

static void slurp(const char *name, struct buffer *out)
{
    char path[256];
    path_in(path, sizeof path, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    buffer_clear(out);
    for (size_t got = 1; got > 0; out->bytes += got)
        got = fread(buffer_reserve(out, 65536), 1, 65536, file);
    fclose(file);
    buffer_add_u8(out, '\0');
    out->bytes--;
}

static void spill(const char *name, struct span text)
{
    char path[256];
    path_in(path, sizeof path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.bytes, file), text.bytes);
    assert_int_equal(fclose(file), 0);
}

/* Runs the program on the file `in` of the directory, which gets `out` and `err`; returns its exit status. */
static int decode(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "%s/scorer decode %s <%s/in >%s/out 2>%s/err", environment("BIN", "build/bin"),
             arguments, directory, directory, directory);
    int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static size_t count_lines(const struct buffer *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->bytes; i++)
        count += text->data[i] == '\n';
    return count;
}

/* --- the conformance set --- */

static bool same(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    size_t index;
    if (json_typeof(a) != json_typeof(b))
        return false;
    if (json_is_real(a)) {
        double x = json_real_value(a), y = json_real_value(b);
        return memcmp(&x, &y, sizeof x) == 0;
    }
    if (json_is_object(a)) {
        json_object_foreach ((json_t *)(uintptr_t)a, key, value)
            if (!json_object_get(b, key) || !same(value, json_object_get(b, key)))
                return false;
        return json_object_size(a) == json_object_size(b);
    }
    if (json_is_array(a)) {
        json_array_foreach (a, index, value)
            if (index >= json_array_size(b) || !same(value, json_array_get(b, index)))
                return false;
        return json_array_size(a) == json_array_size(b);
    }
    return json_equal(a, b);
}

static bool answer_is_right(const json_t *line, const json_t *answer)
{
    const char *due = json_string_value(json_object_get(line, "error"));
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    const json_t *expected = json_object_get(line, "expect");
    if (due && code)
        return strcmp(due, code) == 0;
    return expected && (!due || strcmp(due, "limit") == 0) && same(expected, answer);
}

/* Reads NAME.jsonl into a list and writes its data to `in`. */
static json_t *lines_read(const char *path)
{
    json_t *lines = json_array();
    struct buffer hex = {0};
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL));)
        json_array_append_new(lines, line);
    fclose(file);
    const json_t *first = json_array_get(lines, 0), *list = json_object_get(first, "hex");
    for (size_t i = 0; i < json_array_size(json_is_array(list) ? list : lines); i++) {
        const json_t *text =
            json_is_array(list) ? json_array_get(list, i) : json_object_get(json_array_get(lines, i), "hex");
        buffer_add_text(&hex, json_string_value(text));
        buffer_add_u8(&hex, '\n');
    }
    spill("in", buffer_span(&hex));
    buffer_free(&hex);
    return lines;
}

static size_t faults_of_lines(const json_t *lines, int status, const struct buffer *out)
{
    size_t faults = 0;
    const char *at = out->data;
    if (status != 0 || count_lines(out) != json_array_size(lines)) {
        print_error("status %d, %zu answers to %zu lines\n", status, count_lines(out), json_array_size(lines));
        return json_array_size(lines);
    }
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        size_t bytes = strcspn(at, "\n");
        json_t *answer = json_loadb(at, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!answer || !answer_is_right(line, answer)) {
            print_error("%s: %.*s\n", json_string_value(json_object_get(line, "id")), (int)(bytes < 200 ? bytes : 200),
                        at);
            faults++;
        }
        json_decref(answer);
        at += bytes + 1;
    }
    return faults;
}

/* Runs one pair; `reader` is its reader schema's path. */
static size_t faults_of_pair(const char *reader)
{
    char stem[512], path[600], arguments[1400];
    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(reader) - strlen(".reader.avsc")), reader);
    snprintf(path, sizeof path, "%s.jsonl", stem);
    snprintf(arguments, sizeof arguments, "--writer-schema '%s.writer.avsc' --reader-schema '%s'", stem, reader);
    json_t *lines = lines_read(path);
    struct buffer out = {0}, err = {0};
    int status = decode(arguments);
    slurp("out", &out);
    slurp("err", &err);
    size_t faults;
    if (json_object_get(json_array_get(lines, 0), "resolve"))
        faults = status != 1 || out.bytes > 0 || count_lines(&err) != 1;
    else
        faults = faults_of_lines(lines, status, &out);
    if (faults)
        print_error("%s: %zu faults %s\n", stem, faults, err.data);
    json_decref(lines);
    buffer_free(&out);
    buffer_free(&err);
    return faults;
}

static void test_conformance_set(void **state)
{
    (void)state;
    char pattern[512];
    glob_t found;
    size_t faults = 0;
    snprintf(pattern, sizeof pattern, "%s/golden/avro/*.reader.avsc", environment("SHARED", "../shared"));
    if (glob(pattern, 0, NULL, &found) != 0)
        fail_msg("no pairs at %s: let SHARED name the directory that holds golden/", pattern);
    for (size_t p = 0; p < found.gl_pathc; p++)
        faults += faults_of_pair(found.gl_pathv[p]);
    assert_true(found.gl_pathc >= 79);
    globfree(&found);
    assert_int_equal(faults, 0);
}

/* --- edges --- */

static void assert_answers(const char *schema, const char *in, int status, const char *out_text)
{
    struct buffer out = {0};
    char arguments[512];
    spill("in", span_of(in));
    spill("w.avsc", span_of(schema));
    snprintf(arguments, sizeof arguments, "--writer-schema %s/w.avsc --reader-schema %s/w.avsc", directory, directory);
    assert_int_equal(decode(arguments), status);
    slurp("out", &out);
    assert_string_equal(out.data, out_text);
    buffer_free(&out);
}

static void test_odd_lines(void **state)
{
    (void)state;
#define NOT_HEX \
    "{\"error\":{\"code\":\"malformed\",\"message\":\"not hexadecimal: two digits for each byte are due\"}}\n"
    assert_answers("\"int\"", "", 0, "");
    assert_answers("\"int\"", "02", 0, "1\n");
    assert_answers("\"int\"", "02\r\n04\n", 0, "1\n2\n");
    assert_answers("\"null\"", "\n\n", 0, "null\nnull\n");
    assert_answers("\"int\"", "0\nzz\n0x02\n02\n", 0, NOT_HEX NOT_HEX NOT_HEX "1\n");
    assert_answers("\"string\"", "04C3aB\n", 0, "\"\xc3\xab\"\n");
}

static void test_a_long_line(void **state)
{
    (void)state;
    enum { TEXT_BYTES = 3000000 };
    struct buffer in = {0}, out = {0};
    buffer_add_text(&in, "809bee02"); /* zigzag of TEXT_BYTES */
    for (size_t i = 0; i < TEXT_BYTES; i++)
        buffer_add_text(&in, "61");
    buffer_add(&in, "\n", 2);
    assert_int_equal(((0x00 | 0x1b << 7 | 0x6e << 14 | 0x02 << 21) >> 1), TEXT_BYTES);
    spill("in", span_of(in.data));
    spill("w.avsc", span_of("\"string\""));
    char arguments[512];
    snprintf(arguments, sizeof arguments, "--writer-schema %s/w.avsc --reader-schema %s/w.avsc", directory, directory);
    assert_int_equal(decode(arguments), 0);
    slurp("out", &out);
    assert_int_equal(out.bytes, TEXT_BYTES + 3);
    buffer_free(&in);
    buffer_free(&out);
}

static void assert_fails(const char *arguments, int status, const char *says)
{
    struct buffer err = {0};
    spill("in", span_of("00\n"));
    assert_int_equal(decode(arguments), status);
    slurp("err", &err);
    if (!strstr(err.data, says) || count_lines(&err) != 1)
        fail_msg("\"%s\" is no single line that says \"%s\"", err.data, says);
    buffer_free(&err);
}

static void test_what_cannot_be_started(void **state)
{
    (void)state;
    assert_fails("", 2, "--writer-schema");
    assert_fails("--writer-schema /nonexistent.avsc", 1, "/nonexistent.avsc");
    assert_fails("--writer-schema schemas/employee_event.avsc /nonexistent.hex", 1, "/nonexistent.hex");
    assert_fails("--writer-schema schemas/prediction.avsc", 1, "can never be read");
    assert_fails("--writer-schema schemas/ids.json", 1, "a type needs");
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int unmake(void **state)
{
    (void)state;
    static const char *const names[] = {"in", "out", "err", "w.avsc"};
    char path[256];
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        path_in(path, sizeof path, names[n]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance_set),
        cmocka_unit_test(test_odd_lines),
        cmocka_unit_test(test_a_long_line),
        cmocka_unit_test(test_what_cannot_be_started),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
