/* See schema_registry.h. Called at the start of a program; what is asked here runs on the client's thread. */
#include "events/schema_registry.h"

#include "events/row_plan.h"

static enum status reads_as_event(const void *context, const struct avro_type *writer, struct error *err)
{
    struct plan *plan = NULL;
    enum status status = row_plan_compile(writer, context, &plan, err);
    plan_free(plan);
    return status;
}

static struct registry_duties duties_of(struct schema *schema, const struct schema_topics *topics)
{
    const struct schema_parts *parts = schema_parts(schema);
    return (struct registry_duties){
        .input_topic = topics->input,
        .input_as = "our event schema",
        .reads = reads_as_event,
        .context = parts,
        .ours = {{topics->output, parts->prediction, &schema->prediction_schema_id, "the prediction schema"},
                 {topics->events, parts->event, &schema->event_schema_id, "the event schema"},
                 {topics->alerts, parts->alert, &schema->alert_schema_id, "the alert schema"}},
    };
}

enum status schema_registry_start(const struct registry_settings *settings, struct schema *schema,
                                  const struct schema_topics *topics, struct registry_client **out, struct error *err)
{
    const struct registry_duties duties = duties_of(schema, topics);
    return registry_client_new(settings, &duties, out, err);
}

enum status schema_registry_check(const struct registry_settings *settings, struct schema *schema,
                                  const struct schema_topics *topics, struct error *finding, struct error *err)
{
    const struct registry_duties duties = duties_of(schema, topics);
    return registry_client_check(settings, &duties, finding, err);
}
