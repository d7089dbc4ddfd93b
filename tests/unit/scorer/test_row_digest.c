/* row_digest.h: the digest of a row is the same from the sink's structs and from the JSON that PostgreSQL gives back,
 * whatever the order of its members and the form of its numbers. */
#include "tests/support/test.h"

#include "scorer/sink/row_digest.h"
#include "scorer/sink/sink_hash_chain.h"

static const struct column columns[] = {
    {.name = "Pay", .kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE},
    {.name = "Job", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT},
    {.name = "Age", .kind = COLUMN_NUMERIC, .type = COLUMN_INT},
    {.name = "Ages", .kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE},
};
static const struct schema schema = {.columns = (struct column *)(uintptr_t)columns, .column_count = 4};

static void digest_of(const char *input, const char *reasons, char digest[ROW_DIGEST_BYTES])
{
    struct buffer text = {0};
    struct sha256 *sha256 = sha256_new();
    row_digest_add_bytes(&text, SPAN_LITERAL("0123456789abcdef"));
    row_digest_add_bytes(&text, SPAN_LITERAL("event_id"));
    row_digest_add_bytes(&text, SPAN_LITERAL("e1"));
    assert_true(row_digest_add_json(&text, SPAN_LITERAL("input"), span_of(input)));
    assert_true(row_digest_add_json(&text, SPAN_LITERAL("reasons"), span_of(reasons)));
    assert_true(
        row_digest_add_json(&text, SPAN_LITERAL("change"), SPAN_LITERAL("{\"model\": -0.0000001, \"record\": 2}")));
    sha256_digest(sha256, buffer_span(&text), (uint8_t *)digest);
    sha256_free(sha256);
    buffer_free(&text);
}

static void the_sink_and_the_audit_make_one_digest(void **state)
{
    (void)state;
    const struct cell cells[] = {
        {.number = 1e-7}, {.text = "Q\"A", .text_bytes = 3}, {.number = -0.0}, cell_number(NAN)};
    const struct reason reasons[] = {{2, 0.1}, {0, -3}};
    const struct prediction prediction = {.reasons = reasons, .reason_count = 2, .change = {2, -1e-7}, .cells = cells};
    char made[ROW_DIGEST_BYTES], read[ROW_DIGEST_BYTES];
    struct sink_hash_chain *chain = sink_hash_chain_new(&schema);
    sink_hash_chain_begin(chain, SPAN_LITERAL("0123456789abcdef"));
    sink_hash_chain_add(chain, SPAN_LITERAL("event_id"), SPAN_LITERAL("e1"));
    sink_hash_chain_add_input(chain, cells);
    sink_hash_chain_add_reasons(chain, &prediction);
    sink_hash_chain_add_change(chain, &prediction);
    sink_hash_chain_end(chain, "out", 3, made);
    digest_of(
        "{\"Age\": 0.0, \"Job\": \"Q\\\"A\", \"Pay\": 0.0000001, \"Ages\": null}",
        "[{\"feature\": \"Age\", \"contribution\": 0.10000000000000001}, {\"feature\": \"Pay\", \"contribution\": -3}]",
        read);
    assert_memory_equal(made, read, sizeof made);
    digest_of(
        "{\"Age\": 0.0, \"Job\": \"Q\\\"A\", \"Pay\": 0.0000001, \"Ages\": null}",
        "[{\"feature\": \"Age\", \"contribution\": 0.10000000000000003}, {\"feature\": \"Pay\", \"contribution\": -3}]",
        read);
    assert_memory_not_equal(made, read, sizeof made);
    assert_int_equal(sink_hash_chain_groups(chain), 1);
    const struct sink_link_group group = sink_hash_chain_group(chain, 0);
    assert_int_equal(group.partition, 3);
    assert_true(span_equal(group.digests, (struct span){made, sizeof made}));
    sink_hash_chain_clear(chain);
    assert_int_equal(sink_hash_chain_groups(chain), 0);
    sink_hash_chain_free(chain);
}

static void salts_differ(void **state)
{
    (void)state;
    struct sink_hash_chain *chain = sink_hash_chain_new(&schema);
    char salts[40][ROW_DIGEST_SALT_BYTES];
    for (size_t s = 0; s < 40; s++) {
        sink_hash_chain_draw_salt(chain, salts[s]);
        for (size_t before = 0; before < s; before++)
            assert_memory_not_equal(salts[s], salts[before], ROW_DIGEST_SALT_BYTES);
    }
    sink_hash_chain_free(chain);
}

static void what_is_no_json_is_taken_by_its_bytes(void **state)
{
    (void)state;
    struct buffer text = {0};
    assert_false(row_digest_add_json(&text, SPAN_LITERAL("input"), SPAN_LITERAL("{\"a\": ")));
    assert_int_equal(text.bytes, 0);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sink_and_the_audit_make_one_digest),
        cmocka_unit_test(salts_differ),
        cmocka_unit_test(what_is_no_json_is_taken_by_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
