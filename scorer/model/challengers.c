/* Challengers: see challengers.h.
 *
 * daemon.c makes them; each has a model holder, and so a watcher thread, of its own. Score loops and http's threads
 * score with room of their own and take the mutex once a batch, to add up. Must never fail a row or change what is
 * answered.
 */
#include "scorer/model/challengers.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Sums of one version; of a newer one they start again. */
struct sums {
    int64_t loaded_at_us; /* which load they are of */
    uint64_t scored, agreed;
    double difference, differences;
};

struct challenger {
    char *uri;
    struct counters *counters; /* the holder's, apart from those of the model in use */
    struct model_holder *holder;
    struct sums sums; /* the mutex guards them */
};

struct challengers {
    struct challenger list[CHALLENGERS_MOST];
    size_t count;
    pthread_mutex_t mutex;
};

struct challenger_rows {
    struct challengers *challengers;
    struct score *scores;           /* of one challenger at a time */
    struct challenger_score *items; /* CHALLENGERS_MOST a row */
    uint8_t *counts;                /* items of each row */
    char names[CHALLENGERS_MOST][CHALLENGER_NAME_BYTES];
    size_t most_rows;
};

/* --- start and end --- */

static enum status add(struct challengers *challengers, const struct settings *settings, struct span uri,
                       struct error *err)
{
    if (challengers->count == CHALLENGERS_MOST)
        return error_set(err, STATUS_INVALID, "--challengers: more than %d", CHALLENGERS_MOST);
    struct challenger *challenger = &challengers->list[challengers->count++];
    challenger->uri = mem_zeroed(uri.bytes + 1, 1);
    memcpy(challenger->uri, uri.data, uri.bytes);
    challenger->counters = aligned_alloc(_Alignof(struct counters), sizeof *challenger->counters);
    if (!challenger->counters)
        abort();
    memset(challenger->counters, 0, sizeof *challenger->counters);
    return model_holder_new_challenger(settings, challenger->uri, challenger->counters, &challenger->holder, err);
}

enum status challengers_new(const struct settings *settings, struct challengers **out, struct error *err)
{
    const char *at = options_text(settings->options, OPTION_CHALLENGER_URIS);
    enum status status = STATUS_OK;
    struct challengers *challengers = mem_zeroed(1, sizeof *challengers);
    pthread_mutex_init(&challengers->mutex, NULL);
    for (at = at ? at : ""; *at && status == STATUS_OK; at += strspn(at, ", ")) {
        size_t bytes = strcspn(at, ", ");
        if (bytes)
            status = add(challengers, settings, (struct span){at, bytes}, err);
        at += bytes;
    }
    if (status != STATUS_OK || !challengers->count) {
        challengers_free(challengers);
        challengers = NULL;
    }
    *out = challengers;
    return status;
}

void challengers_free(struct challengers *challengers)
{
    if (!challengers)
        return;
    for (size_t i = 0; i < challengers->count; i++) {
        model_holder_free(challengers->list[i].holder);
        free(challengers->list[i].counters);
        free(challengers->list[i].uri);
    }
    pthread_mutex_destroy(&challengers->mutex);
    free(challengers);
}

void challengers_refresh(struct challengers *challengers)
{
    for (size_t i = 0; i < challengers_count(challengers); i++)
        model_holder_refresh(challengers->list[i].holder);
}

/* --- reports --- */

size_t challengers_count(const struct challengers *challengers)
{
    return challengers ? challengers->count : 0;
}

static void write_name(const struct model *model, char out[CHALLENGER_NAME_BYTES])
{
    const struct model_stamp *stamp = &model->stamp;
    snprintf(out, CHALLENGER_NAME_BYTES, "%.*s/%.*s", (int)stamp->name.bytes, stamp->name.data,
             (int)stamp->version.bytes, stamp->version.data);
}

void challengers_report(struct challengers *challengers, size_t index, struct challenger_report *out)
{
    struct challenger *challenger = &challengers->list[index];
    const struct model *model = model_acquire(challenger->holder);
    *out = (struct challenger_report){.uri = challenger->uri, .loaded = model != NULL};
    out->has_problem = model_holder_problem(challenger->holder, &out->problem);
    if (!model)
        return;
    write_name(model, out->model);
    pthread_mutex_lock(&challengers->mutex);
    const struct sums *sums = &challenger->sums;
    if (sums->loaded_at_us == model->loaded_at_us) {
        out->scored = sums->scored;
        out->agreed = sums->agreed;
        out->difference = sums->difference;
        out->differences = sums->differences;
    }
    pthread_mutex_unlock(&challengers->mutex);
    model_release(model);
}

/* --- scoring --- */

struct challenger_rows *challenger_rows_new(struct challengers *challengers, size_t most_rows)
{
    if (!challengers_count(challengers))
        return NULL;
    struct challenger_rows *rows = mem_zeroed(1, sizeof *rows);
    rows->challengers = challengers;
    rows->most_rows = most_rows;
    rows->scores = mem_zeroed(most_rows + 1, sizeof *rows->scores);
    rows->items = mem_zeroed(most_rows * CHALLENGERS_MOST + 1, sizeof *rows->items);
    rows->counts = mem_zeroed(most_rows + 1, sizeof *rows->counts);
    return rows;
}

void challenger_rows_free(struct challenger_rows *rows)
{
    if (!rows)
        return;
    free(rows->scores);
    free(rows->items);
    free(rows->counts);
    free(rows);
}

static uint32_t label(const struct model *model, double probability)
{
    return probability >= model->threshold ? model->labels.positive : model->labels.negative;
}

/* Adds one challenger's answers to the rows and to *sums. */
static void take_scores(struct challenger_rows *rows, size_t row_count, const struct model *challenger,
                        const char *name, const struct model *model, const struct score *scores, struct sums *sums)
{
    for (size_t row = 0; row < row_count; row++) {
        double said = rows->scores[row].probability, used = scores[row].probability;
        if (!isfinite(said) || !isfinite(used))
            continue;
        rows->items[row * CHALLENGERS_MOST + rows->counts[row]++] =
            (struct challenger_score){.model = span_of(name), .probability = said};
        sums->scored++;
        sums->agreed += label(challenger, said) == label(model, used);
        sums->difference += said - used;
        sums->differences += fabs(said - used);
    }
}

/* A thread that still had the version before counts nothing. */
static void add_sums(struct challengers *challengers, struct challenger *challenger, const struct sums *sums)
{
    pthread_mutex_lock(&challengers->mutex);
    struct sums *all = &challenger->sums;
    if (sums->loaded_at_us > all->loaded_at_us)
        *all = *sums;
    else if (sums->loaded_at_us == all->loaded_at_us) {
        all->scored += sums->scored;
        all->agreed += sums->agreed;
        all->difference += sums->difference;
        all->differences += sums->differences;
    }
    pthread_mutex_unlock(&challengers->mutex);
}

void challenger_rows_score(struct challenger_rows *rows, const struct cell *cells, size_t row_count,
                           const struct model *model, const struct score *scores)
{
    struct reason none;
    if (!rows || !row_count)
        return;
    assert(row_count <= rows->most_rows);
    memset(rows->counts, 0, row_count);
    for (size_t i = 0; i < rows->challengers->count; i++) {
        struct challenger *challenger = &rows->challengers->list[i];
        const struct model *other = model_acquire(challenger->holder);
        if (!other)
            continue;
        struct sums sums = {.loaded_at_us = other->loaded_at_us};
        write_name(other, rows->names[i]);
        pipeline_score(other->pipeline, cells, row_count, 0, rows->scores, &none);
        take_scores(rows, row_count, other, rows->names[i], model, scores, &sums);
        add_sums(rows->challengers, challenger, &sums);
        model_release(other);
    }
}

const struct challenger_score *challenger_rows_of(const struct challenger_rows *rows, size_t row, size_t *count)
{
    *count = rows ? rows->counts[row] : 0;
    return rows ? rows->items + row * CHALLENGERS_MOST : NULL;
}
