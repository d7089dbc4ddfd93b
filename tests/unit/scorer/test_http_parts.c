/* scorer/http/: tokens, origins, rates, parameters, request ids and traces, without a server. */
#include "tests/support/scorer.h"

#include <arpa/inet.h>

#include <sys/stat.h>

#include "scorer/http/access_log.h"
#include "scorer/http/access_control.h"
#include "scorer/http/access_record.h"
#include "scorer/http/open_inference.h"
#include "scorer/http/answer_unread.h"
#include "scorer/http/body.h"
#include "scorer/http/parameters.h"
#include "scorer/http/tokens.h"

/* sha256 of "ingest-only", "operator" and "both" */
#define DIGEST_INGEST "6570623b894370c5838b53021e50699a99de7c4da4d46d9468d57c026753dc7b"
#define DIGEST_OPERATE "06e55b633481f7bb072957eabcf110c972e86691c3cfedabe088024bffe42f23"
#define DIGEST_BOTH "ff7772053abf7d817d6eec229a09e14f0d1552f1cb0aeedb2ac73784ac2d2e39"

static void write_text(const char *path, const char *text)
{
    struct error err;
    assert_int_equal(file_write_atomic(path, span_of(text), &err), STATUS_OK);
}

static enum token_result check(struct tokens *tokens, enum token_scope scope, const char *header)
{
    char name[TOKEN_NAME_BYTES] = "";
    return tokens_check(tokens, scope, header, name);
}

static void a_token_matches_whole_and_with_its_scheme(void **state)
{
    (void)state;
    struct error err;
    const struct settings one = {.http_token.text = "s3cret"}, none = {0};
    struct tokens *tokens;
    assert_int_equal(tokens_new(&one, &tokens, &err), STATUS_OK);
    assert_int_equal(check(tokens, SCOPE_PEOPLE, "Bearer s3cret"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_OPEN, NULL), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_ANY, NULL), TOKEN_MISSING);
    assert_int_equal(check(tokens, SCOPE_ANY, ""), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_ANY, "s3cret"), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_ANY, "Bearer s3cre"), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_ANY, "Bearer s3crets"), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_ANY, "Basic s3cret"), TOKEN_UNKNOWN);
    tokens_free(tokens);
    assert_int_equal(tokens_new(&none, &tokens, &err), STATUS_OK);
    assert_false(tokens_any(tokens));
    assert_int_equal(check(tokens, SCOPE_OPERATE, NULL), TOKEN_PASSES);
    tokens_free(tokens);
}

static void tokens_of_the_file_have_their_scopes(void **state)
{
    (void)state;
    char path[] = "/tmp/tokens-XXXXXX", name[TOKEN_NAME_BYTES];
    const struct settings settings = {.http_tokens_file = path, .http_token.text = "everything"};
    struct tokens *tokens;
    struct error err;
    close(mkstemp(path));
    write_text(path, "# SCOPES DIGEST NAME\n\ningest " DIGEST_INGEST " hris\r\n  operate\t" DIGEST_OPERATE
                     "\nscore,people " DIGEST_BOTH " desk");
    assert_int_equal(tokens_new(&settings, &tokens, &err), STATUS_OK);
    assert_int_equal(check(tokens, SCOPE_INGEST, "Bearer ingest-only"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_ANY, "bearer ingest-only"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer ingest-only"), TOKEN_WRONG_SCOPE);
    assert_int_equal(check(tokens, SCOPE_OPERATE, "Bearer operator"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_PEOPLE, "Bearer both"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_GROUPS, "Bearer both"), TOKEN_WRONG_SCOPE);
    assert_int_equal(check(tokens, SCOPE_GROUPS, "Bearer everything"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_INGEST, "Bearer " DIGEST_INGEST), TOKEN_UNKNOWN);
    assert_int_equal(tokens_check(tokens, SCOPE_SCORE, "Bearer both", name), TOKEN_PASSES);
    assert_string_equal(name, "desk");

    write_text(path, "groups " DIGEST_INGEST " hris\n"); /* a new right, and two that are withdrawn */
    tokens_reload(tokens, 0);
    assert_int_equal(check(tokens, SCOPE_GROUPS, "Bearer ingest-only"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_INGEST, "Bearer ingest-only"), TOKEN_WRONG_SCOPE);
    assert_int_equal(check(tokens, SCOPE_PEOPLE, "Bearer both"), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_PEOPLE, "Bearer everything"), TOKEN_PASSES);

    write_text(path, "groups hris\n"); /* a bad file changes nothing */
    tokens_reload(tokens, 0);
    assert_int_equal(check(tokens, SCOPE_GROUPS, "Bearer ingest-only"), TOKEN_PASSES);
    assert_int_equal(unlink(path), 0);
    tokens_reload(tokens, 0);
    assert_int_equal(check(tokens, SCOPE_GROUPS, "Bearer ingest-only"), TOKEN_PASSES);
    tokens_free(tokens);
}

static void two_tokens_are_good_while_one_replaces_the_other(void **state)
{
    (void)state;
    char path[] = "/tmp/tokens-XXXXXX";
    struct secret_file *file;
    struct tokens *tokens;
    struct error err;
    bool changed;
    close(mkstemp(path));
    write_text(path, "the-old-token-of-all\n");
    assert_int_equal(secret_file_new("HTTP_TOKEN_FILE", path, &file, &err), STATUS_OK);
    const struct settings settings = {.http_token.file = file};
    assert_int_equal(tokens_new(&settings, &tokens, &err), STATUS_OK);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer the-old-token-of-all"), TOKEN_PASSES);
    write_text(path, "the-new-token-of-all\r\n\nthe-old-token-of-all\n");
    assert_int_equal(secret_file_reread(file, &changed, &err), STATUS_OK);
    tokens_reload(tokens, 16);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer the-old-token-of-all"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer the-new-token-of-all"), TOKEN_PASSES);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer "), TOKEN_UNKNOWN);
    write_text(path, "the-new-token-of-all\nguess-me\n"); /* too short where other hosts can reach it */
    assert_int_equal(secret_file_reread(file, &changed, &err), STATUS_OK);
    assert_int_equal(tokens_shortest(secret_file_text(file)), 8);
    tokens_reload(tokens, 16);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer guess-me"), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer the-old-token-of-all"), TOKEN_PASSES);
    write_text(path, "the-new-token-of-all\n");
    assert_int_equal(secret_file_reread(file, &changed, &err), STATUS_OK);
    tokens_reload(tokens, 16);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer the-old-token-of-all"), TOKEN_UNKNOWN);
    assert_int_equal(check(tokens, SCOPE_SCORE, "Bearer the-new-token-of-all"), TOKEN_PASSES);
    tokens_free(tokens);
    secret_file_free(file);
    unlink(path);
}

static void bad_files_of_tokens_are_refused_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *flaw;
    } rows[] = {
        {"", "holds no token"},
        {"# nothing\n", "holds no token"},
        {"score " DIGEST_BOTH "\nadmin " DIGEST_INGEST "\n", "line 2: its scopes"},
        {"score, " DIGEST_BOTH "\n", "line 1: its scopes"},
        {"score abc\n", "line 1: its second word"},
        {"score " DIGEST_BOTH "00\n", "line 1: its second word"},
        {"score\n", "line 1: its second word"},
        {"score " DIGEST_BOTH " a b\n", "more than three"},
        {"score " DIGEST_BOTH " a\001\n", "its name"},
        {"score " DIGEST_BOTH "\ningest " DIGEST_BOTH "\n", "line 2: its token is a duplicate"},
    };
    char path[] = "/tmp/tokens-XXXXXX";
    const struct settings settings = {.http_tokens_file = path};
    struct tokens *tokens;
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err = {0};
        write_text(path, rows[i].text);
        assert_int_equal(tokens_new(&settings, &tokens, &err), STATUS_INVALID);
        if (!strstr(err.text, rows[i].flaw) || !strstr(err.text, path))
            fail_msg("\"%s\" was refused with \"%s\"", rows[i].text, err.text);
        assert_null(strstr(err.text, DIGEST_BOTH));
    }
    struct error err = {0};
    write_text(path, "score " DIGEST_BOTH "\n");
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(tokens_new(&settings, &tokens, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "chmod o-w"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tokens_new(&settings, &tokens, &err), STATUS_NOT_FOUND);
}

static void origins_are_whole_items_of_the_list(void **state)
{
    (void)state;
    assert_true(access_control_origin_allowed("https://a.example,https://b.example", "https://b.example"));
    assert_true(access_control_origin_allowed("*", "https://c.example"));
    assert_false(access_control_origin_allowed("https://a.example", "https://a.example.org"));
    assert_false(access_control_origin_allowed("https://a.example", "https://a"));
    assert_false(access_control_origin_allowed(NULL, "https://a.example"));
    assert_false(access_control_origin_allowed("https://a.example", NULL));
}

static void each_address_has_its_rate(void **state)
{
    (void)state;
    struct rate_limit *rate = rate_limit_new(3);
    struct sockaddr_in one = {.sin_family = AF_INET}, other = {.sin_family = AF_INET};
    inet_pton(AF_INET, "192.0.2.1", &one.sin_addr);
    inet_pton(AF_INET, "192.0.2.2", &other.sin_addr);
    int64_t now_us = 5000000;
    for (int i = 0; i < 3; i++)
        assert_true(rate_limit_take(rate, (struct sockaddr *)&one, now_us));
    assert_false(rate_limit_take(rate, (struct sockaddr *)&one, now_us));
    assert_true(rate_limit_take(rate, (struct sockaddr *)&other, now_us));
    assert_true(rate_limit_take(rate, (struct sockaddr *)&one, now_us + 400000));
    assert_false(rate_limit_take(rate, (struct sockaddr *)&one, now_us + 400000));
    for (int i = 0; i < 3; i++) /* a long rest earns one second's worth, not more */
        assert_true(rate_limit_take(rate, (struct sockaddr *)&one, now_us + 60000000));
    assert_false(rate_limit_take(rate, (struct sockaddr *)&one, now_us + 60000000));
    rate_limit_free(rate);
}

static void ipv6_counts_by_its_network(void **state)
{
    (void)state;
    struct rate_limit *rate = rate_limit_new(1);
    struct sockaddr_in6 one = {.sin6_family = AF_INET6}, near = one, far = one;
    inet_pton(AF_INET6, "2001:db8:0:1::1", &one.sin6_addr);
    inet_pton(AF_INET6, "2001:db8:0:1::2", &near.sin6_addr);
    inet_pton(AF_INET6, "2001:db8:0:2::1", &far.sin6_addr);
    assert_true(rate_limit_take(rate, (struct sockaddr *)&one, 1000000));
    assert_false(rate_limit_take(rate, (struct sockaddr *)&near, 1000000));
    assert_true(rate_limit_take(rate, (struct sockaddr *)&far, 1000000));
    rate_limit_free(rate);
}

/* On [::] the clients of IPv4 come as ::ffff:a.b.c.d: all of them in one /64. */
static void mapped_ipv4_counts_by_its_own_address(void **state)
{
    (void)state;
    char text[ADDRESS_TEXT_BYTES];
    struct rate_limit *rate = rate_limit_new(1);
    struct sockaddr_in plain = {.sin_family = AF_INET};
    struct sockaddr_in6 one = {.sin6_family = AF_INET6}, other = one;
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &one.sin6_addr);
    inet_pton(AF_INET6, "::ffff:192.0.2.2", &other.sin6_addr);
    inet_pton(AF_INET, "192.0.2.1", &plain.sin_addr);
    assert_true(rate_limit_take(rate, (struct sockaddr *)&one, 1000000));
    assert_true(rate_limit_take(rate, (struct sockaddr *)&other, 1000000));
    assert_false(rate_limit_take(rate, (struct sockaddr *)&plain, 1000000));
    access_control_address_text((struct sockaddr *)&one, text);
    assert_string_equal(text, "192.0.2.1");
    rate_limit_free(rate);
}

static void parameters_are_read_or_named(void **state)
{
    (void)state;
    static const char *const known[] = {"log", "reasons", NULL};
    const struct request request = {.parameters = {{"log", "false"}, {"reasons", "7"}, {"lgo", "1"}, {"log", "true"}},
                                    .parameter_count = 4};
    struct faults faults = {0};
    struct answer answer = {0};
    bool log = true;
    uint32_t reasons = 3;
    parameter_flag(&request, "log", &log, &faults);
    parameter_count(&request, "reasons", 1000, &reasons, &faults);
    assert_false(log);
    assert_int_equal(reasons, 7);
    assert_false(faults_answer(&faults, &answer));
    parameters_check(&request, known, &faults);
    assert_int_equal(faults.count, 2);
    assert_true(faults_answer(&faults, &answer));
    assert_int_equal(answer.status, 422);
    buffer_add_u8(&answer.body, '\0');
    assert_non_null(strstr(answer.body.data, "\"lgo\""));
    assert_non_null(strstr(answer.body.data, "unknown_field"));
    buffer_free(&answer.body);
}

static void bad_values_of_parameters_are_faults(void **state)
{
    (void)state;
    static const char *const counts[] = {"", "-1", "1001", "12a", "99999999999999999999", NULL};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const struct request request = {.parameters = {{"reasons", counts[i]}, {"log", "yes"}}, .parameter_count = 2};
        struct faults faults = {0};
        bool log = true;
        uint32_t reasons = 3;
        parameter_count(&request, "reasons", 1000, &reasons, &faults);
        parameter_flag(&request, "log", &log, &faults);
        assert_int_equal(faults.count, 2);
        assert_int_equal(reasons, 3);
        assert_true(log);
        faults_clear(&faults);
    }
}

static void request_ids_are_kept_when_harmless(void **state)
{
    (void)state;
    char id[REQUEST_ID_BYTES], long_one[80];
    request_id_choose("abc-1.2_3", id);
    assert_string_equal(id, "abc-1.2_3");
    request_id_choose("a b", id);
    assert_string_not_equal(id, "a b");
    memset(long_one, 'a', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    request_id_choose(long_one, id);
    assert_true(strlen(id) > 0 && strlen(id) < 65 && strcmp(id, long_one));
    request_id_choose(NULL, id);
    assert_true(strlen(id) > 0);
}

static void traces_go_on_with_a_span_of_their_own(void **state)
{
    (void)state;
    static const char given[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const wrong[] = {"",
                                        "00-0af7",
                                        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                        "zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                        NULL};
    char trace[TRACE_BYTES];
    traceparent_continue(given, trace);
    assert_int_equal(strlen(trace), strlen(given));
    assert_memory_equal(trace, given, 36);
    assert_string_not_equal(trace, given);
    assert_string_equal(trace + 52, given + 52);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        traceparent_continue(wrong[i], trace);
        assert_string_equal(trace, "");
    }
}

static void assert_completed(unsigned status, const char *path, const char *before, const char *after)
{
    struct answer answer = {.status = status};
    buffer_add_text(&answer.body, before);
    inference_complete_error(path, &answer);
    buffer_add_u8(&answer.body, 0);
    assert_string_equal(answer.body.data, after);
    buffer_free(&answer.body);
}

static void errors_of_v2_have_a_member_for_its_clients(void **state)
{
    (void)state;
    const char *plain = "{\"detail\":\"Not Found\"}\n", *ours = "{\"error\":\"x\",\"detail\":[]}\n";
    assert_completed(404, "/v2/x", plain, "{\"error\":\"Not Found\",\"detail\":\"Not Found\"}\n");
    assert_completed(415, "/v2/models/a/infer", plain, "{\"error\":\"Not Found\",\"detail\":\"Not Found\"}\n");
    assert_completed(405, "/v2", plain, "{\"error\":\"Not Found\",\"detail\":\"Not Found\"}\n");
    assert_completed(422, "/v2/models/a/infer", ours, ours);
    assert_completed(404, "/v22", plain, plain);
    assert_completed(404, "/predict", plain, plain);
    assert_completed(200, "/v2/x", plain, plain);
}

/* Sixteen clients that read nothing of 5 MiB each: twelve answers are kept, the rest are refused. */
static void answers_that_nobody_reads_have_a_bound(void **state)
{
    (void)state;
    atomic_size_t unread = 0;
    struct answer answers[16] = {0};
    size_t counted[16], kept = 0;
    for (size_t a = 0; a < 16; a++) {
        answers[a].status = 200;
        buffer_grow(&answers[a].body, 5 << 20);
        answers[a].body.bytes = 5 << 20;
        counted[a] = answer_unread_count(&unread, &answers[a]);
        kept += answers[a].status == 200;
        assert_int_equal(answers[a].status, counted[a] ? 200 : 503);
        assert_true(counted[a] || answers[a].body.bytes < 200);
    }
    assert_int_equal(kept, 12);
    assert_int_equal(unread, 12 * (5 << 20));
    unread -= counted[0];
    answers[15].body.bytes = 0;
    assert_int_equal(answer_unread_count(&unread, &answers[15]), 0);
    buffer_grow(&answers[15].body, 5 << 20);
    answers[15].body.bytes = 5 << 20;
    assert_int_equal(answer_unread_count(&unread, &answers[15]), 5 << 20);
    for (size_t a = 0; a < 16; a++)
        buffer_free(&answers[a].body);
}

/* Of 100 clients that send a megabyte each and do not end, 64 are kept; small requests go on meanwhile. */
static void bodies_under_way_have_a_bound(void **state)
{
    (void)state;
    enum { PIECE = 32 << 10 };
    static const char piece[PIECE];
    atomic_size_t held = 0;
    struct buffer bodies[100] = {0}, small = {0};
    size_t whole = 0, bytes = 0;
    for (size_t b = 0; b < 100; b++) {
        struct answer answer = {0};
        for (size_t p = 0; p < BODY_MAX / PIECE && !answer.status; p++)
            body_keep(&held, &bodies[b], (struct span){piece, PIECE}, &answer);
        assert_true(!answer.status || answer.status == 503);
        whole += !answer.status;
        bytes += bodies[b].bytes;
        buffer_free(&answer.body);
    }
    assert_int_equal(whole, BODIES_MOST / BODY_MAX);
    assert_int_equal(held, bytes);
    assert_int_equal(bytes, BODIES_MOST + (100 - whole) * BODY_SMALL);
    struct answer answer = {0};
    body_keep(&held, &small, SPAN_LITERAL("{}"), &answer);
    assert_int_equal(answer.status, 0);
    assert_int_equal(held, bytes + 2);
    body_keep(&held, &bodies[0], SPAN_LITERAL("x"), &answer);
    assert_int_equal(answer.status, 413);
    assert_int_equal(held, bytes + 2);
    buffer_free(&answer.body);
    buffer_free(&small);
    for (size_t b = 0; b < 100; b++)
        buffer_free(&bodies[b]);
}

static void assert_purpose(const char *header, const char *wanted)
{
    struct buffer text = {0};
    const char *found = access_purpose_text(header, &text);
    if (wanted)
        assert_string_equal(found, wanted);
    else
        assert_null(found);
    buffer_free(&text);
}

static void a_purpose_is_text_however_it_is_sent(void **state)
{
    (void)state;
    assert_purpose(NULL, NULL);
    assert_purpose("", NULL);
    assert_purpose("%20 ", NULL);
    assert_purpose("Audit", "Audit");
    assert_purpose("Gespr%C3%A4ch, 5%25, 5%", "Gespr\xC3\xA4"
                                              "ch, 5%, 5%");
    assert_purpose("Gespr\xC3\xA4"
                   "ch",
                   "Gespr\xC3\xA4"
                   "ch");
    assert_purpose("Gespr\xE4"
                   "ch",
                   "Gespr\xC3\xA4"
                   "ch");
    assert_purpose("a%00b%0Ac%E2%80%AEd", "a%00b c???d");
}

static void a_long_purpose_is_refused_however_it_is_sent(void **state)
{
    (void)state;
    static const char *const pieces[] = {"x", "%C3%A4", "\xC3\xA4", "\xA0", "%A0", "\xF0\x9F\x98\x80"};
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
        for (size_t count = 200; count <= 201; count++) {
            struct buffer header = {0};
            struct answer answer = {0};
            for (size_t i = 0; i < count; i++)
                buffer_add_text(&header, pieces[p]);
            buffer_add_u8(&header, '\0');
            const struct request request = {.headers.purpose = header.data};
            assert_int_equal(access_purpose_sound(&request, &answer), count == 200);
            assert_int_equal(answer.status, count == 200 ? 0 : 400);
            buffer_free(&header);
            buffer_free(&answer.body);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_that_nobody_reads_have_a_bound),
        cmocka_unit_test(bodies_under_way_have_a_bound),
        cmocka_unit_test(a_purpose_is_text_however_it_is_sent),
        cmocka_unit_test(a_long_purpose_is_refused_however_it_is_sent),
        cmocka_unit_test(a_token_matches_whole_and_with_its_scheme),
        cmocka_unit_test(tokens_of_the_file_have_their_scopes),
        cmocka_unit_test(two_tokens_are_good_while_one_replaces_the_other),
        cmocka_unit_test(bad_files_of_tokens_are_refused_by_line),
        cmocka_unit_test(mapped_ipv4_counts_by_its_own_address),
        cmocka_unit_test(origins_are_whole_items_of_the_list),
        cmocka_unit_test(each_address_has_its_rate),
        cmocka_unit_test(ipv6_counts_by_its_network),
        cmocka_unit_test(parameters_are_read_or_named),
        cmocka_unit_test(bad_values_of_parameters_are_faults),
        cmocka_unit_test(request_ids_are_kept_when_harmless),
        cmocka_unit_test(traces_go_on_with_a_span_of_their_own),
        cmocka_unit_test(errors_of_v2_have_a_member_for_its_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
