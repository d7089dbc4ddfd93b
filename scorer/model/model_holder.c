/* The model in use and the watcher that replaces it. See model_holder.h.
 *
 * daemon.c makes one; score loops and http acquire and release on their own threads; the watcher is a thread of its own
 * and alone loads. A reader holds the mutex for a pointer copy and an increment, once a batch. A model is freed by
 * whoever gives the last reference back, so a swap never waits for a loop and a loop never loses the model under its
 * batch. */
#include "scorer/model/model_holder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/steady_wait.h"
#include "registry/model_file.h"
#include "scorer/shutdown_signal.h"

enum { SLOW_AFTER_US = 5000000 }; /* without a model, a look-up that takes so long is worth a line */

/* What a loaded model was loaded from: the same identity means the same model. */
struct source {
    struct model_version version;
    int64_t bytes, modified_ns;
    uint64_t inode;
};

struct held_model {
    struct model model; /* first: model_release casts back */
    struct model_version version;
    struct buffer stamp; /* the encoded one */
    atomic_uint references;
};

struct model_holder {
    const struct settings *settings;
    const char *uri;
    const char *area;          /* of its log lines */
    struct counters *counters; /* written by the watcher alone once it runs */
    struct registry *registry;
    struct source current; /* watcher only */
    int64_t look_began_us; /* steady clock; this and the next are whose thread looks */
    bool slow_logged;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct held_model *held;
    bool stopping, asked, has_problem;
    struct error problem;
    struct model_event events[MODEL_EVENTS_KEPT]; /* a ring */
    size_t event_count;                           /* ever */
    pthread_t watcher;
};

static void source_clear(struct source *source)
{
    model_version_clear(&source->version);
    *source = (struct source){0};
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same_source(const struct source *a, const struct source *b)
{
    return same_text(a->version.name, b->version.name) && same_text(a->version.version, b->version.version) &&
           same_text(a->version.run_id, b->version.run_id) && same_text(a->version.path, b->version.path) &&
           a->bytes == b->bytes && a->modified_ns == b->modified_ns && a->inode == b->inode;
}

static void note_file(struct source *source)
{
    struct stat info;
    if (!source->version.path || stat(source->version.path, &info))
        return;
    source->bytes = info.st_size;
    source->modified_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    source->inode = info.st_ino;
}

static enum status find_source(struct model_holder *holder, struct source *out, struct error *err)
{
    struct source source = {0};
    if (registry_resolve(holder->registry, holder->uri, &source.version, err) != STATUS_OK)
        return err->status;
    note_file(&source);
    *out = source;
    return STATUS_OK;
}

static struct span span_or_null(const char *text)
{
    return text && *text ? span_of(text) : SPAN_NULL;
}

static struct model_version copy_version(const struct model_version *version)
{
    return (struct model_version){
        .name = mem_text(version->name),
        .version = mem_text(version->version),
        .alias = version->alias ? mem_text(version->alias) : NULL,
        .run_id = version->run_id ? mem_text(version->run_id) : NULL,
        .path = version->path ? mem_text(version->path) : NULL,
        .sha256 = version->sha256 ? mem_text(version->sha256) : NULL,
    };
}

static struct held_model *wrap(const struct schema *schema, struct pipeline *pipeline,
                               const struct model_version *version)
{
    struct held_model *held = mem_zeroed(1, sizeof *held);
    held->version = copy_version(version);
    held->model = (struct model){
        .pipeline = pipeline,
        .stamp = {.name = span_of(held->version.name),
                  .version = span_of(held->version.version),
                  .alias = span_or_null(held->version.alias),
                  .run_id = span_or_null(held->version.run_id)},
        .threshold = pipeline_threshold(pipeline),
        .labels = labels_of(schema, pipeline),
        .loaded_at_us = clock_real_us(&clock_system),
    };
    model_stamp_encode(&held->model.stamp, &held->stamp);
    held->model.stamp.encoded = buffer_span(&held->stamp);
    atomic_init(&held->references, 1);
    return held;
}

/* `kept`: from this host's cache while the server is unavailable, which cannot be asked for the contract then. */
static enum status load(struct model_holder *holder, const struct source *source, bool kept, struct held_model **out,
                        struct error *err)
{
    const struct schema *schema = holder->settings->schema;
    struct buffer file = {0};
    struct pipeline *pipeline;
    const char *label = options_text(holder->settings->options, OPTION_POSITIVE_LABEL);
    enum status status = registry_read(holder->registry, &source->version, &file, err);
    if (status == STATUS_OK)
        status = model_file_load(schema, buffer_span(&file), label, NULL, &pipeline, err);
    buffer_free(&file);
    if (status == STATUS_OK && !kept) {
        status = model_file_check_contract(holder->registry, &source->version, pipeline, NULL, err);
        if (status != STATUS_OK)
            pipeline_free(pipeline);
    }
    if (status != STATUS_OK)
        return error_prefix(err, "model %s version %s", source->version.name, source->version.version);
    *out = wrap(schema, pipeline, &source->version);
    return STATUS_OK;
}

static void free_held(struct held_model *held)
{
    pipeline_free(held->model.pipeline);
    model_version_clear(&held->version);
    buffer_free(&held->stamp);
    free(held);
}

void model_release(const struct model *model)
{
    struct held_model *held = (struct held_model *)model;
    if (atomic_fetch_sub_explicit(&held->references, 1, memory_order_acq_rel) == 1)
        free_held(held);
}

const struct model *model_acquire(struct model_holder *holder)
{
    pthread_mutex_lock(&holder->mutex);
    struct held_model *held = holder->held;
    if (held)
        atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&holder->mutex);
    return held ? &held->model : NULL;
}

/* `version` NULL: what the URI leads to could not be found out. Called with the mutex held. */
static void note_event(struct model_holder *holder, const struct model_version *version, const char *problem)
{
    struct model_event *event = &holder->events[holder->event_count++ % MODEL_EVENTS_KEPT];
    *event = (struct model_event){.at_us = clock_real_us(&clock_system), .loaded = !problem};
    snprintf(event->text, sizeof event->text, "%s", problem ? problem : "");
    if (!version)
        return;
    snprintf(event->name, sizeof event->name, "%s", version->name);
    snprintf(event->version, sizeof event->version, "%s", version->version);
    snprintf(event->alias, sizeof event->alias, "%s", version->alias ? version->alias : "");
    text_flatten(event->name);
    text_flatten(event->alias);
}

/* Takes held's first reference and puts it to use. */
static void put_to_use(struct model_holder *holder, struct held_model *held)
{
    pthread_mutex_lock(&holder->mutex);
    struct held_model *before = holder->held;
    holder->held = held;
    holder->has_problem = false;
    note_event(holder, &held->version, NULL);
    pthread_mutex_unlock(&holder->mutex);
    if (before)
        model_release(&before->model);
    counter_add(holder->counters, COUNTER_MODEL_LOADS, 1);
    log_info(holder->area, "%s version %s is in use (threshold %.4g, positive label %s%s)", held->version.name,
             held->version.version, held->model.threshold, pipeline_positive_label(held->model.pipeline),
             pipeline_has_reasons(held->model.pipeline) ? "" : "; the file has no reference, so reasons stay empty");
}

/* At the start, with the tracking server unavailable: the version that this host had last under that URI, and a problem
 * that shows in health until the server answers. `why` says the reason; without a copy it stays the failure. It does
 * not become `current`, so that once the server answers it is loaded again, with its contract checked. */
static enum status start_from_cache(struct model_holder *holder, struct error *why)
{
    struct source kept = {0};
    struct held_model *held = NULL;
    struct error err;
    enum status status = registry_recall(holder->registry, holder->uri, &kept.version, &err);
    if (status == STATUS_OK)
        status = load(holder, &kept, true, &held, &err);
    if (status != STATUS_OK) {
        source_clear(&kept);
        return why->status;
    }
    put_to_use(holder, held);
    log_warn(holder->area, "%s; started with version %s, the last this host had of %s", why->text, kept.version.version,
             holder->uri);
    source_clear(&kept);
    pthread_mutex_lock(&holder->mutex);
    holder->has_problem = true;
    holder->problem = *why;
    pthread_mutex_unlock(&holder->mutex);
    return STATUS_OK;
}

/* Finds and loads; *source is replaced only when a model was loaded. Nothing changed: STATUS_OK and no load. */
static enum status renew(struct model_holder *holder, struct error *err)
{
    struct source found = {0};
    struct held_model *held = NULL;
    holder->look_began_us = clock_steady_us(&clock_system);
    enum status status = find_source(holder, &found, err);
    if (status == STATUS_UNAVAILABLE && !holder->held)
        return start_from_cache(holder, err);
    if (status != STATUS_OK)
        return status;
    if (holder->held && same_source(&found, &holder->current)) {
        source_clear(&found);
        return STATUS_OK;
    }
    status = load(holder, &found, false, &held, err);
    if (status != STATUS_OK) {
        source_clear(&found);
        return status;
    }
    source_clear(&holder->current);
    holder->current = found;
    put_to_use(holder, held);
    return STATUS_OK;
}

/* A problem is counted and logged when it appears or changes, not at every look. */
static void note_outcome(struct model_holder *holder, enum status status, const struct error *err)
{
    pthread_mutex_lock(&holder->mutex);
    bool news = status != STATUS_OK && !holder->stopping && /* then it was we who gave up */
                (!holder->has_problem || strcmp(holder->problem.text, err->text));
    bool healed = status == STATUS_OK && holder->has_problem;
    holder->has_problem = status != STATUS_OK;
    if (status != STATUS_OK)
        holder->problem = *err;
    if (news)
        note_event(holder, NULL, err->text);
    bool has_model = holder->held != NULL;
    pthread_mutex_unlock(&holder->mutex);
    if (news) {
        counter_add(holder->counters, COUNTER_MODEL_LOAD_FAILURES, 1);
        log_error(holder->area, "%s; %s", err->text,
                  has_model ? "the model before stays in use" : "looking again and again");
    }
    if (healed)
        log_info(holder->area, "%s can be looked up again; the model in use is current", holder->uri);
}

/* False when the holder is being freed. */
static bool wait_for_turn(struct model_holder *holder)
{
    int64_t until_us = clock_steady_us(&clock_system) + holder->settings->model_poll_us;
    bool early = true;
    pthread_mutex_lock(&holder->mutex);
    while (!holder->stopping && !holder->asked && early)
        early = steady_wait_until(&holder->mutex, &holder->wake, until_us);
    holder->asked = false;
    bool go_on = !holder->stopping;
    pthread_mutex_unlock(&holder->mutex);
    return go_on;
}

static void *watch(void *argument)
{
    struct model_holder *holder = argument;
    while (wait_for_turn(holder)) {
        struct error err = {0};
        enum status status = renew(holder, &err);
        note_outcome(holder, status, &err);
    }
    return NULL;
}

static void holder_destroy(struct model_holder *holder)
{
    if (holder->held)
        model_release(&holder->held->model);
    source_clear(&holder->current);
    registry_close(holder->registry);
    pthread_cond_destroy(&holder->wake);
    pthread_mutex_destroy(&holder->mutex);
    free(holder);
}

/* Asked about once a second while a request runs. */
static bool is_stopping(void *context)
{
    struct model_holder *holder = context;
    pthread_mutex_lock(&holder->mutex);
    bool stopping = holder->stopping, waits = !holder->held;
    pthread_mutex_unlock(&holder->mutex);
    if (waits && !holder->slow_logged && clock_steady_us(&clock_system) - holder->look_began_us > SLOW_AFTER_US) {
        holder->slow_logged = true;
        log_warn(holder->area, "the look-up of %s at %s takes longer than %d s; waiting (TRACKING_TIMEOUT)",
                 holder->uri, registry_root(holder->registry), SLOW_AFTER_US / 1000000);
    }
    return stopping || shutdown_signal_is_pending();
}

static enum status open_registry(struct model_holder *holder, struct error *err)
{
    struct registry_settings settings = registry_settings_of(holder->settings->options);
    settings.tracking_uri = holder->settings->tracking_uri;
    settings.cancelled = is_stopping; /* a server that hangs does not hold the drain up */
    settings.context = holder;
    return registry_open_with(&settings, &holder->registry, err);
}

static enum status holder_new(const struct settings *settings, const char *uri, const char *area,
                              struct counters *counters, bool required, struct model_holder **out, struct error *err)
{
    struct model_holder *holder = mem_zeroed(1, sizeof *holder);
    holder->settings = settings;
    holder->uri = uri;
    holder->area = area;
    holder->counters = counters;
    steady_wait_init(&holder->mutex, &holder->wake);
    enum status status = open_registry(holder, err);
    if (status == STATUS_OK)
        status = renew(holder, err);
    if (status != STATUS_OK && !required && holder->registry) {
        note_outcome(holder, status, err);
        status = STATUS_OK;
    }
    if (status == STATUS_OK && pthread_create(&holder->watcher, NULL, watch, holder))
        status =
            error_set(err, STATUS_UNAVAILABLE, "model: cannot start the watcher thread; raise the limit of threads");
    if (status == STATUS_OK)
        *out = holder;
    else
        holder_destroy(holder);
    return status;
}

enum status model_holder_new(const struct settings *settings, struct counters *counters, struct model_holder **out,
                             struct error *err)
{
    return holder_new(settings, settings->model_uri, "model", counters, settings->role_score || !settings->role_http,
                      out, err);
}

enum status model_holder_new_challenger(const struct settings *settings, const char *uri, struct counters *counters,
                                        struct model_holder **out, struct error *err)
{
    return holder_new(settings, uri, "challenger", counters, false, out, err);
}

void model_holder_free(struct model_holder *holder)
{
    if (!holder)
        return;
    pthread_mutex_lock(&holder->mutex);
    holder->stopping = true;
    pthread_cond_signal(&holder->wake);
    pthread_mutex_unlock(&holder->mutex);
    pthread_join(holder->watcher, NULL);
    holder_destroy(holder);
}

void model_holder_refresh(struct model_holder *holder)
{
    pthread_mutex_lock(&holder->mutex);
    holder->asked = true;
    pthread_cond_signal(&holder->wake);
    pthread_mutex_unlock(&holder->mutex);
}

bool model_holder_problem(struct model_holder *holder, struct error *out)
{
    pthread_mutex_lock(&holder->mutex);
    bool has_problem = holder->has_problem;
    if (has_problem)
        *out = holder->problem;
    pthread_mutex_unlock(&holder->mutex);
    return has_problem;
}

size_t model_holder_events(struct model_holder *holder, struct model_event *out, size_t capacity)
{
    size_t count = 0;
    pthread_mutex_lock(&holder->mutex);
    size_t kept = holder->event_count < MODEL_EVENTS_KEPT ? holder->event_count : MODEL_EVENTS_KEPT;
    for (; count < kept && count < capacity; count++)
        out[count] = holder->events[(holder->event_count - 1 - count) % MODEL_EVENTS_KEPT];
    pthread_mutex_unlock(&holder->mutex);
    return count;
}
