/* bench: ns per event of decoding, validating and encoding, beside a decoder written by hand for exactly this schema,
 * avro-c and fastavro. Events come as the reader's schema writes them, and as an older schema does: a field under its
 * former name, int and float where the reader has long and double, a field less, two more, all in another order.
 * VENV: where fastavro is (build/venv); DATA: a CSV file to take rows from. */
#include <avro.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "events/frame.h"
#include "events/prediction.h"
#include "events/validate.h"
#include "tests/bench/decode_older.h"

/* --- the rival: one function that knows the shipped schema by heart --- */

struct flat_event {
    struct span event_id, employee_id;
    int64_t type, occurred_at;
    int64_t whole[COLUMNS_MAX];
    struct span text[COLUMNS_MAX];
    bool present[COLUMNS_MAX];
};

static inline __attribute__((always_inline)) bool flat_long(const uint8_t **at, const uint8_t *end, int64_t *out)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
            return true;
        }
    }
    return false;
}

static inline __attribute__((always_inline)) bool flat_text(const uint8_t **at, const uint8_t *end, struct span *out)
{
    int64_t bytes;
    if (!flat_long(at, end, &bytes) || bytes < 0 || bytes > end - *at)
        return false;
    *out = (struct span){(const char *)*at, (size_t)bytes};
    *at += bytes;
    return true;
}

static inline __attribute__((always_inline)) bool flat_optional(const uint8_t **at, const uint8_t *end,
                                                                struct flat_event *out, size_t column)
{
    int64_t branch;
    if (!flat_long(at, end, &branch) || branch < 0 || branch > 1)
        return false;
    out->present[column] = branch;
    return true;
}

#define WHOLE(c) (flat_optional(&at, end, out, c) && (!out->present[c] || flat_long(&at, end, &out->whole[c])))
#define TEXT(c) (flat_optional(&at, end, out, c) && (!out->present[c] || flat_text(&at, end, &out->text[c])))

static __attribute__((noinline)) bool flat_decode(struct span value, struct flat_event *out)
{
    const uint8_t *at = (const uint8_t *)value.data + 5, *end = (const uint8_t *)value.data + value.bytes;
    int64_t changed;
    return value.bytes > 5 && flat_text(&at, end, &out->event_id) && flat_long(&at, end, &out->type) &&
           flat_text(&at, end, &out->employee_id) && flat_long(&at, end, &out->occurred_at) &&
           flat_long(&at, end, &changed) && changed == 0 && WHOLE(0) && TEXT(1) && WHOLE(2) && TEXT(3) && WHOLE(4) &&
           WHOLE(5) && TEXT(6) && WHOLE(7) && TEXT(8) && WHOLE(9) && WHOLE(10) && WHOLE(11) && TEXT(12) && WHOLE(13) &&
           TEXT(14) && WHOLE(15) && WHOLE(16) && WHOLE(17) && TEXT(18) && WHOLE(19) && WHOLE(20) && WHOLE(21) &&
           WHOLE(22) && WHOLE(23) && WHOLE(24) && WHOLE(25) && WHOLE(26) && WHOLE(27) && WHOLE(28) && WHOLE(29) &&
           at == end;
}

/* --- measuring: the best of some repeats --- */

static bool run_flat(struct fixture *fixture, size_t e)
{
    static struct flat_event out;
    return flat_decode(fixture->values[e], &out);
}

static bool run_decode(struct fixture *fixture, size_t e)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    return decoder_decode(fixture->decoder, fixture->values[e], &event, &fault) == EVENT_OK;
}

static bool run_validated(struct fixture *fixture, size_t e)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    return decoder_decode(fixture->decoder, fixture->values[e], &event, &fault) == EVENT_OK &&
           (validate_event(fixture->schema, &event, event.employee_id, INT64_MAX, &fault) | true);
}

/* jansson's tree of the same bytes, of which nothing is read yet. */
static bool run_tree(struct fixture *fixture, size_t e)
{
    json_t *tree = json_loadb(fixture->values[e].data, fixture->values[e].bytes, JSON_REJECT_DUPLICATES, NULL);
    json_decref(tree);
    return tree != NULL;
}

static bool run_json(struct fixture *fixture, size_t e)
{
    decoder_reset(fixture->decoder);
    return run_decode(fixture, e);
}

static void encode(struct fixture *fixture, struct span attributes)
{
    static struct buffer out, stamp;
    static const struct reason reasons[] = {{0, 0.5}, {3, -0.25}, {18, 0.125}};
    struct prediction prediction = {
        .event_id = SPAN_LITERAL("00000000-0000-4000-8000-000000000000"),
        .employee_id = SPAN_LITERAL("1234"),
        .occurred_at_ms = 1700000000000,
        .label = 1,
        .probability = 0.75,
        .threshold = 0.5,
        .margin = 1.1,
        .base = -2,
        .reasons = reasons,
        .reason_count = 3,
        .model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), SPAN_LITERAL("production"),
                  SPAN_LITERAL("0123456789abcdef0123456789abcdef")},
        .scored_at_us = 1700000000000000,
        .latency_us = 1500,
        .source_topic = SPAN_LITERAL("employee-events"),
        .source_partition = 3,
        .source_offset = 123456,
        .cells = fixture->cells,
        .attributes = attributes,
    };
    if (!stamp.bytes) /* once for a model */
        model_stamp_encode(&prediction.model, &stamp);
    prediction.model.encoded = buffer_span(&stamp);
    buffer_clear(&out);
    prediction_encode(fixture->schema, &prediction, &out);
}

static bool run_encode_cells(struct fixture *fixture, size_t e)
{
    (void)e;
    encode(fixture, SPAN_NULL);
    return true;
}

static bool run_encode_copied(struct fixture *fixture, size_t e)
{
    encode(fixture, (struct span){fixture->values[e].data + 5, 130});
    return true;
}

/* avro-c's generic value, of the same schema. Its resolver is wrong about older ones. */
struct generic {
    avro_value_t value;
    avro_reader_t reader;
};
static struct generic generic;

static bool run_generic(struct fixture *fixture, size_t e)
{
    struct span value = fixture->values[e];
    avro_reader_memory_set_source(generic.reader, value.data + FRAME_BYTES, (int64_t)(value.bytes - FRAME_BYTES));
    return avro_value_read(generic.reader, &generic.value) == 0;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double measure_repeats(struct fixture *fixture, bool (*run)(struct fixture *, size_t), int repeats)
{
    double best = 1e30;
    for (int repeat = 0; repeat < repeats; repeat++) {
        double start = now_ns();
        for (size_t round = 0; round < ROUNDS; round++)
            for (size_t e = 0; e < EVENTS; e++)
                if (!run(fixture, e))
                    abort();
        double each = (now_ns() - start) / ((double)ROUNDS * EVENTS);
        best = each < best ? each : best;
    }
    return best;
}

static double measure(struct fixture *fixture, bool (*run)(struct fixture *, size_t))
{
    return measure_repeats(fixture, run, REPEATS);
}

static double measure_generic(struct fixture *fixture)
{
    avro_schema_t schema;
    json_t *json = shipped_json("employee_event.avsc");
    char *text = json_dumps(json, 0);
    if (avro_schema_from_json_length(text, strlen(text), &schema) != 0)
        abort();
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    avro_generic_value_new(class, &generic.value);
    generic.reader = avro_reader_memory("", 0);
    double best = measure_repeats(fixture, run_generic, REPEATS_SLOW);
    avro_reader_free(generic.reader);
    avro_value_decref(&generic.value);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
    json_decref(json);
    free(text);
    return best;
}

/* --- fastavro, in a process of its own: tests/bench/decode_rival.py --- */

static void put_values(const struct directory *directory, const char *name, const struct fixture *fixture)
{
    FILE *file = fopen(path_of(directory, name), "wb");
    for (size_t e = 0; file && e < EVENTS; e++) {
        uint32_t bytes = (uint32_t)fixture->values[e].bytes - FRAME_BYTES;
        fwrite(&bytes, sizeof bytes, 1, file);
        fwrite(fixture->values[e].data + FRAME_BYTES, 1, bytes, file);
    }
    if (!file || fclose(file) != 0)
        abort();
}

static void print_line(const char *name, double ns, double flat)
{
    printf("%-58s %9.1f ns per event, %7.2f times by hand\n", name, ns, ns / flat);
}

static void print_rival(const struct directory *directory, double flat)
{
    const char *venv = getenv("VENV") ? getenv("VENV") : "build/venv";
    char command[512];
    double same, older;
    snprintf(command, sizeof command, "%s/bin/python", venv);
    if (access(command, X_OK) != 0) {
        printf("fastavro: not measured, there is no %s (VENV names another environment)\n", command);
        return;
    }
    snprintf(command, sizeof command, "'%s/bin/python' tests/bench/decode_rival.py %s", venv, directory->path);
    FILE *rival = popen(command, "r");
    bool fine = rival && fscanf(rival, "%lf %lf", &same, &older) == 2;
    if (!rival || pclose(rival) != 0 || !fine) {
        fprintf(stderr, "tests/bench/decode_rival.py has failed; it needs tests/system/requirements.txt's fastavro\n");
        directory_remove(directory);
        exit(1);
    }
    print_line("fastavro, same schema", same, flat);
    print_line("fastavro, older schema", older, flat);
}

static void print_json(struct fixture *same, double flat)
{
    static struct fixture json;
    fixture_make_json(&json, same);
    printf("the same as JSON: %.0f bytes on average\n", (double)json.bytes.bytes / EVENTS);
    print_line("decode JSON (aim: 600 ns)", measure(&json, run_json), flat);
    print_line("jansson's tree of the same bytes", measure_repeats(&json, run_tree, REPEATS_SLOW), flat);
    fixture_free(&json);
}

static void print_decoding(struct fixture *same, struct fixture *older, const struct directory *directory)
{
    double flat = measure(same, run_flat);
    print_line("decode by hand, without categories and checks of text", flat, flat);
    print_line("decode, same schema (aim: 120 ns)", measure(same, run_decode), flat);
    print_line("decode, older schema (aim: 200 ns)", measure(older, run_decode), flat);
    print_line("decode and validate, same schema", measure(same, run_validated), flat);
    print_line("avro-c, same schema, its fields not yet read", measure_generic(same), flat);
    print_json(same, flat);
    put_values(directory, "same.bin", same);
    put_values(directory, "older.bin", older);
    fflush(stdout);
    print_rival(directory, flat);
}

int main(void)
{
    static struct fixture same, older;
    struct directory directory;
    fixture_make(&same);
    directory_make(&directory);
    older_make(&older, &same, &directory);
    printf("events of %.0f bytes on average, %.0f as the older schema writes them\n", (double)same.bytes.bytes / EVENTS,
           (double)older.bytes.bytes / EVENTS);
    print_decoding(&same, &older, &directory);
    printf("encode a prediction with 3 reasons: %.1f ns from cells, %.1f ns with attributes copied\n",
           measure(&same, run_encode_cells), measure(&same, run_encode_copied));
    directory_remove(&directory);
    fixture_free(&same);
    fixture_free(&older);
    return 0;
}
