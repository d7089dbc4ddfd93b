/* The registry client's table and thread: see registry_client.h.
 *
 * Loops and HTTP threads look into the table under a lock that is never held across a request; the client's own thread
 * asks, one request at a time. An id is asked for once: its entry is WANTED until an answer has come. The table is
 * bounded: what was used longest ago goes first and is asked for again when it is wanted again. */
#include "avro/registry_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/steady_wait.h"
#include "avro/registry_calls.h"
#include "avro/registry_disk.h"

enum { ENTRIES_MAX = 4096, PAUSE_GROWTH_MAX = 20, LOOK_US = 50000 };
static const size_t text_bytes_most = (size_t)64 << 20;

enum entry_state { WANTED, KNOWN, UNKNOWN, UNUSABLE };

struct entry {
    struct schema_key key;
    enum entry_state state;
    bool disk_tried;
    int64_t until_us; /* steady: how long UNKNOWN is believed */
    int64_t used_us;
    char *text; /* KNOWN: the schema; UNUSABLE: why */
    size_t text_bytes;
};

struct registry_client {
    struct registry_duties duty; /* its topics are ours */
    bool lookup_only;
    int64_t unknown_us, pause_first_us;
    struct registry_calls *calls; /* the thread's, as is disk */
    struct registry_disk *disk;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    _Atomic bool up;
    _Atomic uint64_t answers;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t wake;
    struct entry *entries;
    size_t entry_count, text_bytes;
    enum status duties; /* UNAVAILABLE until they are done or refused */
    struct error duties_text;
    int64_t retry_us, pause_us; /* steady: nothing is asked before; the pause after the next failure */
    int64_t unavailable_us;     /* since when */
    enum status unavailable_why;
    uint64_t noise;
};

static int64_t client_now_us(void)
{
    return clock_steady_us(&clock_system);
}

/* --- up and unavailable: one line for each change of state --- */

/* From half to the whole pause, so that many scorers do not come back at once. */
static int64_t jittered(struct registry_client *client, int64_t pause_us)
{
    client->noise = client->noise * 6364136223846793005u + 1442695040888963407u;
    return pause_us / 2 + (int64_t)(client->noise >> 33) % (pause_us / 2 + 1);
}

static void note_unavailable(struct registry_client *client, const struct error *why)
{
    int64_t most_us = client->pause_first_us * PAUSE_GROWTH_MAX;
    if (client->up || client->unavailable_why != why->status)
        log_warn("registry",
                 "the schema registry is unavailable: %s; what needs it waits, asking again until it answers",
                 why->text);
    if (client->up)
        client->unavailable_us = client_now_us();
    client->unavailable_why = why->status;
    client->up = false;
    client->retry_us = client_now_us() + jittered(client, client->pause_us);
    client->pause_us = client->pause_us * 2 < most_us ? client->pause_us * 2 : most_us;
}

static void client_note_answer(struct registry_client *client)
{
    if (!client->up)
        log_info("registry", "the schema registry answers again after %.1f s",
                 (double)(client_now_us() - client->unavailable_us) / 1e6);
    client->up = true;
    client->pause_us = client->pause_first_us;
    client->retry_us = 0;
}

/* --- the table; all under the lock --- */

static struct entry *entry_of(struct registry_client *client, const struct schema_key *key)
{
    for (size_t e = 0; e < client->entry_count; e++)
        if (schema_key_equal(&client->entries[e].key, key))
            return &client->entries[e];
    return NULL;
}

static void entry_set_text(struct registry_client *client, struct entry *entry, struct span text)
{
    client->text_bytes -= entry->text_bytes;
    free(entry->text);
    entry->text = text.data ? mem_text_n(text.data, text.bytes) : NULL;
    entry->text_bytes = text.bytes;
    client->text_bytes += text.bytes;
}

/* Drops the settled entry that was used longest ago. False: all are wanted. */
static bool entry_evict(struct registry_client *client, const struct entry *keep)
{
    struct entry *oldest = NULL;
    for (size_t e = 0; e < client->entry_count; e++) {
        struct entry *entry = &client->entries[e];
        if (entry != keep && entry->state != WANTED && (!oldest || entry->used_us < oldest->used_us))
            oldest = entry;
    }
    if (!oldest)
        return false;
    entry_set_text(client, oldest, SPAN_NULL);
    *oldest = client->entries[--client->entry_count];
    return true;
}

static struct entry *entry_make(struct registry_client *client, const struct schema_key *key)
{
    if (client->entry_count == ENTRIES_MAX && !entry_evict(client, NULL))
        return NULL; /* asked for once there is room */
    struct entry *entry = &client->entries[client->entry_count++];
    *entry = (struct entry){.key = *key, .state = WANTED};
    return entry;
}

static enum registry_find entry_result(const struct entry *entry, struct buffer *text, struct error *why)
{
    switch (entry->state) {
    case KNOWN:
        buffer_clear(text);
        buffer_add(text, entry->text, entry->text_bytes);
        return REGISTRY_FIND_SCHEMA;
    case UNUSABLE:
        error_set(why, STATUS_UNSUPPORTED, "%s", entry->text);
        return REGISTRY_FIND_UNUSABLE;
    case UNKNOWN:
        return REGISTRY_FIND_UNKNOWN;
    default:
        return REGISTRY_FIND_WAIT;
    }
}

enum registry_find registry_client_find(struct registry_client *client, const struct schema_key *key,
                                        struct buffer *text, struct error *why)
{
    if (!key->is_guid && (key->id == 0 || key->id > REGISTRY_ID_MAX))
        return REGISTRY_FIND_UNKNOWN; /* no registry gives such ids, and some choke on them */
    pthread_mutex_lock(&client->lock);
    struct entry *entry = entry_of(client, key);
    bool fresh = !entry;
    if (!entry)
        entry = entry_make(client, key);
    if (entry && entry->state == UNKNOWN && client_now_us() >= entry->until_us) {
        entry->state = WANTED;
        fresh = true;
    }
    if (entry && fresh)
        pthread_cond_signal(&client->wake);
    if (entry)
        entry->used_us = client_now_us();
    enum registry_find found = entry ? entry_result(entry, text, why) : REGISTRY_FIND_WAIT;
    pthread_mutex_unlock(&client->lock);
    return found;
}

/* Puts an answer into the table. `text`: the schema or why it is of no use. */
static void entry_set_answer(struct registry_client *client, const struct schema_key *key, enum registry_result result,
                             struct span text)
{
    static const enum entry_state states[] = {
        [REGISTRY_SCHEMA] = KNOWN, [REGISTRY_UNKNOWN] = UNKNOWN, [REGISTRY_UNUSABLE] = UNUSABLE};
    struct entry *entry = entry_of(client, key);
    if (!entry)
        entry = entry_make(client, key);
    if (!entry)
        return;
    entry->state = states[result];
    entry->used_us = client_now_us();
    entry->until_us = client_now_us() + client->unknown_us;
    entry_set_text(client, entry, result == REGISTRY_UNKNOWN ? SPAN_NULL : text);
    while (client->text_bytes > text_bytes_most && entry_evict(client, entry))
        entry = entry_of(client, key); /* eviction moves entries */
    atomic_fetch_add(&client->answers, 1);
}

/* --- duties --- */

static enum status registered(struct registry_client *client, const struct registry_subject *ours, struct error *err)
{
    uint32_t found;
    char *text = avro_schema_text(ours->schema);
    struct span span = span_of(text);
    enum status status = registry_call_lookup(client->calls, ours->topic, span, &found, err);
    if (status == STATUS_NOT_FOUND && !client->lookup_only)
        status = registry_call_register(client->calls, ours->topic, span, &found, err);
    if (status == STATUS_OK) {
        *ours->id = found;
        registry_disk_put_id(client->disk, ours->topic, span, found);
        log_info("registry", "%s-value: our schema has the id %u", ours->topic, found);
    } else if (status == STATUS_CONFLICT || status == STATUS_INVALID) {
        error_prefix(err, "%s-value: the registry refuses our schema; make it compatible with the versions before",
                     ours->topic);
    } else if (status == STATUS_NOT_FOUND) {
        error_prefix(err, "%s-value has not our schema: register it, or leave --schema-registry-lookup-only out",
                     ours->topic);
    }
    free(text);
    return status;
}

/* Whether what writers use now can be read. */
static enum status check_reader(struct registry_client *client, struct error *err)
{
    struct buffer text = {0};
    struct avro_schema *writer = NULL;
    uint32_t id = 0;
    enum status status = STATUS_OK;
    enum registry_result result = registry_call_latest(client->calls, client->duty.input_topic, &text, &id, err);
    if (result == REGISTRY_NO_ANSWER)
        status = err->status == STATUS_DENIED ? STATUS_DENIED : STATUS_UNAVAILABLE;
    if (result == REGISTRY_UNUSABLE)
        status = STATUS_UNSUPPORTED;
    if (result == REGISTRY_SCHEMA) {
        status = avro_schema_parse(buffer_span(&text), &writer, err);
        if (status == STATUS_OK)
            status = client->duty.reads(client->duty.context, avro_schema_type(writer), err);
    }
    if (status != STATUS_OK && status != STATUS_UNAVAILABLE && status != STATUS_DENIED)
        error_prefix(err, "schema %u, the latest of %s-value, cannot be read as %s", id, client->duty.input_topic,
                     client->duty.input_as);
    avro_schema_free(writer);
    buffer_free(&text);
    return status;
}

static enum status do_duties(struct registry_client *client, struct error *err)
{
    enum status status = client->duty.input_topic ? check_reader(client, err) : STATUS_OK;
    for (size_t i = 0; i < REGISTRY_OURS && status == STATUS_OK; i++)
        if (client->duty.ours[i].topic)
            status = registered(client, &client->duty.ours[i], err);
    return status;
}

static bool id_from_disk(struct registry_client *client, const struct registry_subject *ours, uint32_t *id)
{
    char *text = avro_schema_text(ours->schema);
    bool had = registry_disk_get_id(client->disk, ours->topic, span_of(text), id);
    free(text);
    return had;
}

/* While the registry is unavailable: the ids it gave us before. */
static bool duties_from_disk(struct registry_client *client)
{
    const struct registry_subject *ours = client->duty.ours;
    uint32_t ids[REGISTRY_OURS];
    if (!client->disk)
        return false;
    for (size_t i = 0; i < REGISTRY_OURS; i++)
        if (ours[i].topic && !id_from_disk(client, &ours[i], &ids[i]))
            return false;
    for (size_t i = 0; i < REGISTRY_OURS; i++)
        if (ours[i].topic)
            *ours[i].id = ids[i];
    log_info("registry", "starting with the ids that the registry gave us before");
    return true;
}

/* --- the thread --- */

/* Nothing that is asked about is under the lock. */
static void work_duties(struct registry_client *client)
{
    struct error err = {0};
    enum status status = do_duties(client, &err);
    bool unavailable = status == STATUS_UNAVAILABLE;
    if (unavailable && duties_from_disk(client))
        status = STATUS_OK;
    pthread_mutex_lock(&client->lock);
    if (unavailable)
        note_unavailable(client, &err);
    else
        client_note_answer(client);
    client->duties_text = err;
    client->duties = status;
    atomic_fetch_add(&client->answers, 1);
    pthread_mutex_unlock(&client->lock);
}

static void work_disk(struct registry_client *client, const struct schema_key *key)
{
    struct buffer text = {0};
    bool found = registry_disk_get_schema(client->disk, key, &text);
    pthread_mutex_lock(&client->lock);
    struct entry *entry = entry_of(client, key);
    if (entry)
        entry->disk_tried = true;
    if (found)
        entry_set_answer(client, key, REGISTRY_SCHEMA, buffer_span(&text));
    pthread_mutex_unlock(&client->lock);
    buffer_free(&text);
}

static void work_ask(struct registry_client *client, const struct schema_key *key)
{
    struct error err = {0};
    struct buffer text = {0};
    enum registry_result result = registry_call_schema(client->calls, key, &text, &err);
    if (result == REGISTRY_SCHEMA)
        registry_disk_put_schema(client->disk, key, buffer_span(&text));
    pthread_mutex_lock(&client->lock);
    if (result == REGISTRY_NO_ANSWER) {
        if (!client->stop)
            note_unavailable(client, &err);
    } else {
        client_note_answer(client);
        entry_set_answer(client, key, result, result == REGISTRY_SCHEMA ? buffer_span(&text) : span_of(err.text));
    }
    pthread_mutex_unlock(&client->lock);
    buffer_free(&text);
}

static const struct entry *wanted(const struct registry_client *client, bool on_disk)
{
    for (size_t e = 0; e < client->entry_count; e++)
        if (client->entries[e].state == WANTED && !(on_disk && client->entries[e].disk_tried))
            return &client->entries[e];
    return NULL;
}

/* Waits under the lock until there may be something to do. */
static void rest(struct registry_client *client, bool something)
{
    int64_t until_us = something ? client->retry_us : client_now_us() + 3600 * INT64_C(1000000);
    (void)steady_wait_until(&client->lock, &client->wake, until_us);
}

/* One piece of work, or a rest. */
static void client_work(struct registry_client *client)
{
    pthread_mutex_lock(&client->lock);
    const struct entry *from_disk = client->disk ? wanted(client, true) : NULL;
    const struct entry *entry = from_disk ? from_disk : wanted(client, false);
    const struct schema_key key = entry ? entry->key : (struct schema_key){0};
    bool duties = client->duties == STATUS_UNAVAILABLE, due = client_now_us() >= client->retry_us;
    if (!client->stop && !from_disk && !((duties || entry) && due))
        rest(client, duties || entry);
    pthread_mutex_unlock(&client->lock);
    if (from_disk)
        work_disk(client, &key);
    else if (duties && due)
        work_duties(client);
    else if (entry && due)
        work_ask(client, &key);
}

static void *client_run(void *argument)
{
    struct registry_client *client = argument;
    while (!client->stop)
        client_work(client);
    return NULL;
}

/* --- start and end --- */

static char *text_copy(const char *text)
{
    return text ? mem_text(text) : NULL;
}

static bool keep_duties(struct registry_client *client, const struct registry_duties *duties)
{
    client->duty = *duties;
    client->duty.input_topic = text_copy(duties->input_topic);
    bool any = duties->input_topic;
    for (size_t i = 0; i < REGISTRY_OURS; i++) {
        client->duty.ours[i].topic = text_copy(duties->ours[i].topic);
        any |= duties->ours[i].topic != NULL;
    }
    return any;
}

static enum status client_make(const struct registry_settings *settings, const struct registry_duties *duties,
                               struct registry_client **out, struct error *err)
{
    struct registry_client *client = mem_zeroed(1, sizeof *client);
    client->lookup_only = settings->lookup_only;
    client->unknown_us = settings->unknown_us;
    client->pause_first_us = client->pause_us = settings->pause_first_us;
    client->noise = (uint64_t)client_now_us() ^ (uint64_t)(uintptr_t)client ^ (uint64_t)getpid() << 32;
    client->up = true;
    client->entries = mem_zeroed(ENTRIES_MAX, sizeof *client->entries);
    client->duties = duties && keep_duties(client, duties) ? STATUS_UNAVAILABLE : STATUS_OK;
    error_set(&client->duties_text, STATUS_UNAVAILABLE, "the schema registry has not answered yet");
    steady_wait_init(&client->lock, &client->wake);
    enum status status = registry_calls_new(settings, &client->stop, &client->calls, err);
    if (status == STATUS_OK && settings->cache_dir && *settings->cache_dir)
        status = registry_disk_new(settings->cache_dir, registry_calls_url(client->calls), &client->disk, err);
    if (status == STATUS_OK)
        *out = client;
    else
        registry_client_free(client);
    return status;
}

enum status registry_client_new(const struct registry_settings *settings, const struct registry_duties *duties,
                                struct registry_client **out, struct error *err)
{
    struct registry_client *client;
    enum status status = client_make(settings, duties, &client, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < REGISTRY_OURS; i++)
        if (client->duty.ours[i].topic)
            *client->duty.ours[i].id = 0;
    int code = pthread_create(&client->thread, NULL, client_run, client);
    if (code) {
        registry_client_free(client);
        return error_set(err, STATUS_UNAVAILABLE, "cannot start a thread for the schema registry: %s", strerror(code));
    }
    client->started = true;
    *out = client;
    return STATUS_OK;
}

void registry_client_free(struct registry_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->stop = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    if (client->started)
        pthread_join(client->thread, NULL);
    for (size_t e = 0; e < client->entry_count; e++)
        free(client->entries[e].text);
    free(client->entries);
    registry_disk_free(client->disk);
    registry_calls_free(client->calls);
    pthread_cond_destroy(&client->wake);
    pthread_mutex_destroy(&client->lock);
    free((char *)client->duty.input_topic);
    for (size_t i = 0; i < REGISTRY_OURS; i++)
        free((char *)client->duty.ours[i].topic);
    free(client);
}

/* --- questions --- */

/* STATUS_OK: the duties are done. STATUS_UNAVAILABLE: not yet (err says why). Anything else: refused, for good.
 * Any thread. */
static enum status registry_client_ready(struct registry_client *client, struct error *err)
{
    pthread_mutex_lock(&client->lock);
    enum status status = client->duties;
    if (status != STATUS_OK)
        error_set(err, status, "%s", client->duties_text.text);
    pthread_mutex_unlock(&client->lock);
    return status;
}

enum status registry_client_wait(struct registry_client *client, int64_t deadline_us, const _Atomic bool *stop,
                                 struct error *err)
{
    enum status status;
    while ((status = registry_client_ready(client, err)) == STATUS_UNAVAILABLE) {
        if ((stop && *stop) || (deadline_us && client_now_us() >= deadline_us))
            return status;
        usleep(LOOK_US);
    }
    return status;
}

uint64_t registry_client_answers(const struct registry_client *client)
{
    return client->answers;
}

bool registry_client_up(const struct registry_client *client)
{
    return client->up;
}

uint64_t registry_client_requests(const struct registry_client *client)
{
    return registry_calls_sent(client->calls);
}

/* What would happen at the start, without doing it. */
enum status registry_client_check(const struct registry_settings *settings, const struct registry_duties *duties,
                                  struct error *finding, struct error *err)
{
    struct registry_client *client;
    const struct registry_subject *ours = &duties->ours[0];
    uint32_t id = 0;
    enum status status = client_make(settings, duties, &client, err);
    if (status != STATUS_OK)
        return status;
    if (duties->input_topic)
        status = check_reader(client, err);
    if (status == STATUS_OK && ours->topic) {
        char *text = avro_schema_text(ours->schema);
        status = registry_call_lookup(client->calls, ours->topic, span_of(text), &id, err);
        free(text);
    }
    if (status == STATUS_OK)
        error_set(finding, STATUS_OK, "%s: %s has the id %u", registry_calls_url(client->calls), ours->name, id);
    if (status == STATUS_NOT_FOUND && !client->lookup_only) {
        status = STATUS_OK;
        error_set(finding, status, "%s: %s is new there; the start registers it", registry_calls_url(client->calls),
                  ours->name);
    }
    registry_client_free(client);
    return status;
}
