/* Writes the documents that repeat a table: `docgen configuration|errors|metrics` prints docs/CONFIGURATION.md,
 * docs/ERRORS.md or docs/METRICS.md. Built for the building machine and run by `make docs`; not installed. */
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "events/error_codes.h"
#include "events/dead_letter.h"
#include "scorer/metrics.h"

/* Text inside a Markdown table: a bar would end the cell. */
static void write_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
}

static void write_configuration(void)
{
    options_write_reference(stdout);
}

static void write_headers(void)
{
    static const struct {
        const char *name, *meaning;
    } headers[] = {
#define HEADER_ROW(id, name, meaning) {name, meaning},
        DEAD_LETTER_HEADER_TABLE(HEADER_ROW)
#undef HEADER_ROW
    };
    printf("\n## Dead letters\n\n"
           "A dead letter is the event's own key, value and headers on the same partition of the dead-letter topic, "
           "and these\n"
           "headers, all of them text. Where the record was too large even for that, the value or everything is left "
           "out, and the\n"
           "message says so.\n\n"
           "| header | meaning |\n|---|---|\n");
    for (size_t h = 0; h < sizeof headers / sizeof *headers; h++)
        printf("| `%s` | %s |\n", headers[h].name, headers[h].meaning);
    printf(
        "\n`producer dlq list` groups them; `producer dlq show PARTITION:OFFSET` prints one in full, decoded as far as "
        "it "
        "goes, with its\nfaults marked; `producer dlq replay` sends events back to the input topic, in their "
        "order and to\n"
        "their partition, without the headers of the failure but with its history, and counts each round in\n"
        "`attrition.replay.count`. A JSON event that says no time keeps that of its record.\n\n"
        "A replay never brings back somebody who has been erased since: before the first letter goes, null values are "
        "looked for in the\ninput topic from the oldest letter's place on (those that the scorer has not handled yet "
        "count too), and where the input topic no\nlonger reaches back to a letter, in the output topic. A letter with "
        "a later null value under the employee id of its key or of its\nvalue stays; so does one of which neither id "
        "can be read, where anybody has been erased since, and one to which neither topic\nreaches back. `--again` "
        "changes nothing about it. A request that arrives while a replay runs is respected too: what lies before the "
        "letters in the\ninput topic, committed or not, is looked at before their transaction is committed, and where "
        "somebody of them was erased there it is\naborted and the others are sent once more. With "
        "`DELIVERY=at-least-once` the last look is before each thousand letters are sent.\n\n"
        "With `STATE_TOPIC` as the scorer has it, a letter that is older than its employee's current record "
        "(docs/STATE.md) stays, and so does one\nthat cannot be decoded and whose employee has a record; `--force` "
        "sends them. Without a state topic nothing is compared, and the log\nsays so.\n");
}

static void write_errors(void)
{
    static const struct {
        const char *name, *meaning, *remedy;
    } codes[] = {
#define CODE_ROW(id, name, meaning, remedy) {name, meaning, remedy},
        EVENT_CODE_TABLE(CODE_ROW)
#undef CODE_ROW
    };
    printf("# Error codes\n\n"
           "Generated from `events/error_codes.h` by `make docs`; do not edit.\n\n"
           "Why an event is refused. The list is closed. A code stands in a dead letter's header "
           "`attrition.error.code` (with\n"
           "`attrition.error.field`, the attribute's name, where there is one), in the column `code` of "
           "`attrition.dead_letters`, in\n"
           "the answers of `scorer score` and in the producer's report of rejected rows.\n\n"
           "A server that is unavailable is not an event's fault: the partition waits, and nothing becomes a dead "
           "letter.\n\n"
           "| code | meaning | what to do |\n|---|---|---|\n");
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
        printf("| `%s` | ", codes[c].name);
        write_cell(codes[c].meaning);
        printf(" | ");
        write_cell(codes[c].remedy);
        printf(" |\n");
    }
    write_headers();
    printf("\n## Schemas that fit\n\n"
           "A writer's schema can be read as the event schema when each field of the event schema has a field of that "
           "name or\n"
           "alias in the writer's record, or a default; types are equal or widen (int to long, float, double; long to "
           "float,\n"
           "double; float to double; string and bytes to each other); enums share their symbols or have a default. If "
           "that cannot\n"
           "be for any datum, the schema is `unresolvable_schema`; if it depends on the branch or symbol that a datum "
           "takes, only\n"
           "that datum is refused, as `unresolvable`.\n");
}

static void write_metrics(void)
{
    static const struct {
        const char *name, *type, *labels, *help, *more;
    } rows[] = {
#define COUNTER_ROW(id, name, health, help) {name, "counter", "", help, ""},
#define GAUGE_ROW(id, name, health, help) {name, "gauge", "", help, ""},
#define COMPUTED_ROW(id, name, type, labels, help, more) {name, type, labels, help, more},
        METRIC_TABLE(COUNTER_ROW, GAUGE_ROW, COMPUTED_ROW)
#undef COUNTER_ROW
#undef GAUGE_ROW
#undef COMPUTED_ROW
    };
    printf("# Metrics\n\n"
           "Generated from `scorer/metrics.h` by `make docs`; do not edit.\n\n"
           "`GET /metrics` answers in Prometheus's text format. Two identities hold at any time:\n\n"
           "- events received = scored + dead-lettered + erased + outcome + repeated + returned + in flight\n"
           "- sink records = predictions + dead letters + erasures + outcomes + refused + skipped + in flight\n\n"
           "An event's end is counted when its transaction has committed; what an aborted transaction or a revoked "
           "partition had read\n"
           "is counted as returned and is received again.\n\n"
           "| metric | type | meaning |\n|---|---|---|\n");
    for (size_t m = 0; m < sizeof rows / sizeof *rows; m++) {
        bool has_labels = *rows[m].labels;
        printf("| `%s%s%s%s` | %s | ", rows[m].name, has_labels ? "{" : "", rows[m].labels, has_labels ? "}" : "",
               rows[m].type);
        write_cell(rows[m].help);
        printf("%s%s |\n", *rows[m].more ? " " : "", rows[m].more);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(void);
    } documents[] = {{"configuration", write_configuration}, {"errors", write_errors}, {"metrics", write_metrics}};
    for (size_t d = 0; argc == 2 && d < sizeof documents / sizeof *documents; d++)
        if (strcmp(argv[1], documents[d].name) == 0) {
            documents[d].write();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    fprintf(stderr, "usage: docgen configuration|errors|metrics\n");
    return 2;
}
