/* scorer/http/: tokens, origins, rates, parameters, request ids and traces, without a server. */
#include "tests/support/scorer.h"

#include <arpa/inet.h>

#include "scorer/http/access_log.h"
#include "scorer/http/access_control.h"
#include "scorer/http/parameters.h"

static void a_token_matches_whole_and_with_its_scheme(void **state)
{
    (void)state;
    assert_true(access_control_token_matches("s3cret", "Bearer s3cret"));
    assert_false(access_control_token_matches("s3cret", NULL));
    assert_false(access_control_token_matches("s3cret", ""));
    assert_false(access_control_token_matches("s3cret", "s3cret"));
    assert_false(access_control_token_matches("s3cret", "Bearer s3cre"));
    assert_false(access_control_token_matches("s3cret", "Bearer s3crets"));
    assert_false(access_control_token_matches("s3cret", "Basic s3cret"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_matches_whole_and_with_its_scheme),
        cmocka_unit_test(origins_are_whole_items_of_the_list),
        cmocka_unit_test(each_address_has_its_rate),
        cmocka_unit_test(ipv6_counts_by_its_network),
        cmocka_unit_test(parameters_are_read_or_named),
        cmocka_unit_test(bad_values_of_parameters_are_faults),
        cmocka_unit_test(request_ids_are_kept_when_harmless),
        cmocka_unit_test(traces_go_on_with_a_span_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
