/* The plan cache: see writer_schemas.h. One per decoder and so per thread; called for each message, so that the usual
 * case is one comparison. A schema of the registry's is parsed and compiled here once per thread. Must never wait. */
#include "events/writer_schemas.h"

#include <stdlib.h>

#include "avro/registry_answer.h"
#include "events/fault.h"

enum { REGISTRY_PLANS_MAX = 256 };

struct writer_schemas {
    const struct avro_type *reader;
    const struct schema_parts *target;
    struct registry_client *registry;
    bool takes_json;
    struct writer_schema **list; /* each by itself: pointers stay valid */
    size_t count, from_registry;
    const struct writer_schema *last; /* most messages are of one schema */
    uint64_t uses;
    struct buffer text;
};

struct writer_schemas *writer_schemas_new(const struct avro_type *reader, const struct schema_parts *target)
{
    struct writer_schemas *writers = mem_zeroed(1, sizeof *writers);
    writers->reader = reader;
    writers->target = target;
    return writers;
}

static void writer_free(struct writer_schema *writer)
{
    plan_free(writer->plan);
    avro_schema_free(writer->schema);
    free(writer);
}

void writer_schemas_free(struct writer_schemas *writers)
{
    if (!writers)
        return;
    for (size_t w = 0; w < writers->count; w++)
        writer_free(writers->list[w]);
    buffer_free(&writers->text);
    free(writers->list);
    free(writers);
}

void writer_schemas_use_registry(struct writer_schemas *writers, struct registry_client *registry)
{
    writers->registry = registry;
}

void writer_schemas_take_json(struct writer_schemas *writers)
{
    writers->takes_json = true;
}

static struct writer_schema *writer_add(struct writer_schemas *writers, const struct schema_key *key,
                                        const struct avro_type *type)
{
    struct writer_schema *writer = mem_zeroed(1, sizeof *writer);
    writer->key = *key;
    writer->same = type == writers->reader;
    enum status status = STATUS_UNSUPPORTED;
    if (type && writers->target)
        status = row_plan_compile(type, writers->target, &writer->plan, &writer->why);
    else if (type)
        status = plan_compile(type, writers->reader, &writer->plan, &writer->why);
    if (status != STATUS_OK)
        writer->plan = NULL;
    writers->list = mem_resize(writers->list, writers->count + 1, sizeof *writers->list);
    writers->list[writers->count++] = writer;
    return writer;
}

const struct writer_schema *writer_schemas_add(struct writer_schemas *writers, const struct schema_key *key,
                                               const struct avro_type *type, struct avro_schema *taken)
{
    struct writer_schema *writer = writer_add(writers, key, type);
    writer->stays = true;
    writer->schema = taken;
    return writer;
}

static void make_room(struct writer_schemas *writers)
{
    size_t oldest = writers->count;
    for (size_t w = 0; w < writers->count; w++)
        if (!writers->list[w]->stays &&
            (oldest == writers->count || writers->list[w]->used < writers->list[oldest]->used))
            oldest = w;
    if (writers->last == writers->list[oldest])
        writers->last = NULL;
    writer_free(writers->list[oldest]);
    writers->list[oldest] = writers->list[--writers->count];
    writers->from_registry--;
}

/* From the registry's text; `why` where it has said that the schema is of no use. */
static struct writer_schema *add_found(struct writer_schemas *writers, const struct schema_key *key,
                                       const struct error *why)
{
    struct avro_schema *schema = NULL;
    struct error err = *why;
    if (writers->from_registry == REGISTRY_PLANS_MAX)
        make_room(writers);
    if (why->status == STATUS_OK && avro_schema_parse(buffer_span(&writers->text), &schema, &err) != STATUS_OK)
        schema = NULL;
    struct writer_schema *writer = writer_add(writers, key, schema ? avro_schema_type(schema) : NULL);
    if (!schema)
        writer->why = err;
    writer->schema = schema;
    writer->json = why->status == STATUS_OK && writers->takes_json &&
                   span_equal(buffer_span(&writers->text), SPAN_LITERAL(REGISTRY_JSON));
    writers->from_registry++;
    return writer;
}

static enum event_code look_up(struct writer_schemas *writers, const struct schema_key *key, struct writer_schema **out,
                               struct fault *fault, bool *waits)
{
    char name[SCHEMA_KEY_TEXT_BYTES];
    struct error why = {0};
    enum registry_find found = REGISTRY_FIND_UNKNOWN;
    if (writers->registry)
        found = registry_client_find(writers->registry, key, &writers->text, &why);
    if (found == REGISTRY_FIND_SCHEMA || found == REGISTRY_FIND_UNUSABLE) {
        *out = add_found(writers, key, &why);
        return EVENT_OK;
    }
    *waits = found == REGISTRY_FIND_WAIT;
    schema_key_text(key, name);
    return fault_set(fault, EVENT_UNKNOWN_SCHEMA_ID, FAULT_NO_COLUMN, "no schema is known under the %s %s",
                     key->is_guid ? "GUID" : "id", name);
}

static struct writer_schema *writer_find(const struct writer_schemas *writers, const struct schema_key *key)
{
    for (size_t w = 0; w < writers->count; w++)
        if (schema_key_equal(&writers->list[w]->key, key))
            return writers->list[w];
    return NULL;
}

enum event_code writer_schemas_find(struct writer_schemas *writers, const struct schema_key *key,
                                    const struct writer_schema **out, struct fault *fault, bool *waits)
{
    *waits = false;
    if (!writers->last || !schema_key_equal(&writers->last->key, key)) {
        struct writer_schema *writer = writer_find(writers, key);
        if (!writer && look_up(writers, key, &writer, fault, waits) != EVENT_OK)
            return EVENT_UNKNOWN_SCHEMA_ID;
        writer->used = ++writers->uses;
        writers->last = writer;
    }
    *out = writers->last;
    if (writers->last->plan || writers->last->json)
        return EVENT_OK;
    char name[SCHEMA_KEY_TEXT_BYTES];
    schema_key_text(key, name);
    return fault_set(fault, EVENT_UNRESOLVABLE_SCHEMA, FAULT_NO_COLUMN, "schema %s: %.120s", name,
                     writers->last->why.text);
}
