/* scorer/http/predict.c: the budget of one request, and work that nobody waits for any more. Without a server. */
#include "tests/support/scorer.h"

#include "scorer/http/service.h"

struct lab {
    char directory[64], model[128], flag[160];
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters *counters;
    struct service service;
    unsigned asked, most; /* how often the work asked whether to go on; it is to stop at the next */
};

static const char *stop_after(const void *context)
{
    struct lab *lab = (struct lab *)context;
    return lab->asked++ < lab->most ? NULL : "nobody waits";
}

static int set_up(void **state)
{
    static struct lab lab;
    struct error err;
    lab = (struct lab){.directory = "/tmp/attrition-predict-XXXXXX"};
    assert_non_null(mkdtemp(lab.directory));
    snprintf(lab.model, sizeof lab.model, "%s/model.onnx", lab.directory);
    snprintf(lab.flag, sizeof lab.flag, "--model=%s", lab.model);
    lab.schema = scorer_schema();
    lab.options = scorer_options((const char *const[]){lab.flag, "--instance-id=x", "--model-poll-interval=1h", NULL});
    assert_int_equal(settings_resolve(lab.options, lab.schema, &lab.settings, &err), STATUS_OK);
    scorer_write_model(lab.schema, lab.model, 0);
    lab.counters = aligned_alloc(_Alignof(struct counters), sizeof *lab.counters);
    memset(lab.counters, 0, sizeof *lab.counters);
    lab.service.view.settings = &lab.settings;
    assert_int_equal(model_holder_new(&lab.settings, lab.counters, &lab.service.view.models, &err), STATUS_OK);
    *state = &lab;
    return 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;
    model_holder_free(lab->service.view.models);
    free(lab->counters);
    unlink(lab->model);
    rmdir(lab->directory);
    settings_release(&lab->settings);
    options_free(lab->options);
    schema_free(lab->schema);
    return 0;
}

/* `count` employees; the text of the answer is static. */
static unsigned predict(struct lab *lab, size_t count, bool counterfactual, unsigned most, const char **text)
{
    static char body[1 << 20];
    struct buffer list = {0};
    struct answer answer = {0};
    for (size_t i = 0; i < count; i++)
        buffer_printf(&list, "%s{\"attributes\":{\"Age\":41}}", i ? "," : "[");
    buffer_printf(&list, "]");
    lab->asked = 0;
    lab->most = most;
    const struct request request = {.method = "POST",
                                    .path = "/predict",
                                    .parameters = {{"log", "false"}, {"counterfactual", "true"}},
                                    .parameter_count = counterfactual ? 2 : 1,
                                    .body = buffer_span(&list),
                                    .given_up = stop_after,
                                    .context = lab};
    predict_answer(&lab->service, &request, &answer);
    assert_int_equal(answer.log.count, 0);
    snprintf(body, sizeof body, "%.*s", (int)answer.body.bytes, answer.body.data);
    *text = body;
    buffer_free(&answer.body);
    buffer_free(&list);
    return answer.status;
}

static void counterfactuals_are_for_twenty_at_once(void **state)
{
    const char *text;
    if (predict(*state, 20, true, 1000, &text) != 200)
        fail_msg("%.300s", text);
    assert_non_null(strstr(text, "\"counterfactual\":"));
    assert_int_equal(predict(*state, 21, true, 1000, &text), 422);
    assert_non_null(strstr(text, "{\"loc\":[\"query\",\"counterfactual\"]"));
    assert_non_null(strstr(text, "\"type\":\"limit\""));
    assert_int_equal(predict(*state, 1000, false, 1000, &text), 200);
}

static void work_ends_soon_after_nobody_waits(void **state)
{
    struct lab *lab = *state;
    const char *text;
    assert_int_equal(predict(lab, 1000, false, 3, &text), 503);
    assert_non_null(strstr(text, "nobody waits"));
    assert_null(strstr(text, "probability"));
    assert_int_equal(lab->asked, 4); /* not once more */
    assert_int_equal(predict(lab, 20, true, 10, &text), 503);
    assert_null(strstr(text, "probability"));
    assert_int_equal(lab->asked, 11);
    assert_int_equal(predict(lab, 1, false, 0, &text), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counterfactuals_are_for_twenty_at_once),
        cmocka_unit_test(work_ends_soon_after_nobody_waits),
    };
    return cmocka_run_group_tests_name("scorer/http/predict", tests, set_up, tear_down);
}
