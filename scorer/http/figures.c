/* Figures in the background: see figures.h. One thread, one part at a time; the database's own locks keep other
 * processes from the same work. A read-only transaction gets what is kept (sql/0026_read_only.sql), so that a request
 * itself computes nothing. */
#include "scorer/http/figures.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "scorer/http/work_pool.h"

enum {
    WAITERS_MOST = DATABASE_CONNECTIONS / 2, /* the other readers go on */
    WAIT_STALE_US = 2 * 1000 * 1000,
    WAIT_MISSING_US = 6 * 1000 * 1000,
    TURN_US = 20 * 1000,
    PAUSE_US = 10 * 1000 * 1000, /* after a turn that has computed nothing */
    SHORT_US = 1000 * 1000,
};

enum figures_outcome { OUTCOME_COMPUTED, OUTCOME_FAILED, OUTCOME_LEFT /* to attrition.maintain() */ };

struct figures_work {
    struct figures *figures;
    const char *doing, *sql;
    bool runs;                    /* or waits for its turn. Guarded, like what follows */
    uint64_t turns;               /* that have ended */
    int64_t paused_us;            /* not begun again before, by the steady clock */
    enum figures_outcome outcome; /* of the last turn */
};

struct figures {
    struct database *database;
    struct work_pool *pool;
    atomic_bool closing;
    pthread_mutex_t mutex;
    struct figures_work parts[FIGURES_PARTS];
    unsigned waiters;
};

/* Each says whether the part is current then: the database does not compute what many rows make dear. */
#define QUALITY(part) \
    "SELECT " FIGURES_QUALITY_IS_FRESH "::text FROM (SELECT attrition.figures_json('" part "') AS json) AS kept"
static const struct figures_work part_table[FIGURES_PARTS] = {
    [FIGURES_GROUPS] = {.doing = "computing the groups of the day",
                        .sql = "SELECT attrition.groups_json('{}') ->> 'is_current'"},
    [FIGURES_PERFORMANCE] = {.doing = "computing performance", .sql = QUALITY("performance")},
    [FIGURES_CALIBRATION] = {.doing = "computing calibration", .sql = QUALITY("calibration")},
    [FIGURES_DRIFT] = {.doing = "computing drift", .sql = QUALITY("drift")},
    [FIGURES_FAIRNESS] = {.doing = "computing fairness", .sql = QUALITY("fairness")},
};

enum status figures_new(const struct settings *settings, struct figures **out, struct error *err)
{
    struct figures *figures = mem_zeroed(1, sizeof *figures);
    pthread_mutex_init(&figures->mutex, NULL);
    memcpy(figures->parts, part_table, sizeof part_table);
    for (size_t p = 0; p < FIGURES_PARTS; p++)
        figures->parts[p].figures = figures;
    enum status status = database_patient_new(settings, &figures->database, err);
    if (status == STATUS_OK)
        status = work_pool_new(1, FIGURES_PARTS, &figures->pool, err);
    if (status != STATUS_OK) {
        figures_free(figures);
        return status;
    }
    *out = figures;
    return STATUS_OK;
}

void figures_free(struct figures *figures)
{
    if (!figures)
        return;
    figures->closing = true;
    work_pool_free(figures->pool);
    database_free(figures->database);
    pthread_mutex_destroy(&figures->mutex);
    free(figures);
}

/* --- on its own thread --- */

static bool is_true(struct span text)
{
    return span_equal(text, SPAN_LITERAL("true"));
}

static const char *is_closing(const void *context)
{
    const struct figures *figures = context;
    return figures->closing ? "the service is shutting down" : NULL;
}

static enum figures_outcome ask(const struct figures_work *work)
{
    struct request request = {.given_up = is_closing, .context = work->figures};
    struct answer answer = {0};
    struct database_rows *rows = NULL;
    enum figures_outcome outcome = OUTCOME_FAILED;
    if (!work->figures->closing &&
        database_query(work->figures->database, &request, work->doing, work->sql, 0, NULL, &rows, &answer))
        outcome = is_true(database_rows_text(rows, 0, 0)) ? OUTCOME_COMPUTED : OUTCOME_LEFT;
    database_rows_free(rows);
    buffer_free(&answer.body);
    return outcome;
}

/* What takes long rests half as long. */
static void compute(void *job)
{
    struct figures_work *work = job;
    int64_t begun_us = clock_steady_us(&clock_system);
    enum figures_outcome outcome = ask(work);
    int64_t ended_us = clock_steady_us(&clock_system), took_us = ended_us - begun_us;
    int64_t rest_us = took_us > SHORT_US ? took_us / 2 : 0;
    pthread_mutex_lock(&work->figures->mutex);
    work->runs = false;
    work->turns++;
    work->outcome = outcome;
    work->paused_us = ended_us + (outcome == OUTCOME_COMPUTED ? rest_us : PAUSE_US);
    pthread_mutex_unlock(&work->figures->mutex);
}

/* --- on the readers' threads --- */

void figures_sql(const char *call, const char *select, struct buffer *sql)
{
    buffer_printf(sql,
                  "WITH reading AS MATERIALIZED (SELECT set_config('transaction_read_only', 'on', true)), "
                  "kept AS MATERIALIZED (SELECT %s AS json FROM reading) %s",
                  call, select);
    buffer_add_u8(sql, '\0');
}

/* False: nobody is to wait for it. */
static bool start(struct figures *figures, struct figures_work *work, uint64_t *turn)
{
    pthread_mutex_lock(&figures->mutex);
    if (!work->runs && clock_steady_us(&clock_system) >= work->paused_us)
        work->runs = work_pool_add(figures->pool, compute, work);
    bool waits = work->runs && figures->waiters < WAITERS_MOST;
    figures->waiters += waits;
    *turn = work->turns;
    pthread_mutex_unlock(&figures->mutex);
    return waits;
}

static bool has_ended(struct figures *figures, const struct figures_work *work, uint64_t turn)
{
    pthread_mutex_lock(&figures->mutex);
    bool ended = work->turns != turn;
    pthread_mutex_unlock(&figures->mutex);
    return ended;
}

/* False: there is nothing new to read, or the answer says why nobody waits. */
static bool bring_up_to_date(struct figures *figures, struct figures_work *work, const struct request *request,
                             int64_t wait_us, struct answer *answer)
{
    int64_t end_us = clock_steady_us(&clock_system) + wait_us;
    uint64_t turn;
    bool ended = false;
    if (!start(figures, work, &turn))
        return false;
    while (!(ended = has_ended(figures, work, turn)) && clock_steady_us(&clock_system) < end_us &&
           !request_given_up(request, answer))
        usleep(TURN_US);
    pthread_mutex_lock(&figures->mutex);
    figures->waiters--;
    pthread_mutex_unlock(&figures->mutex);
    return ended;
}

bool figures_query(struct figures *figures, enum figures_part part, struct database *database,
                   const struct request *request, const char *doing, const char *sql, int count,
                   const char *const *values, struct database_rows **out, struct answer *answer)
{
    if (!database_query(database, request, doing, sql, count, values, out, answer))
        return false;
    struct span current = database_rows_text(*out, 0, 0);
    if (is_true(current))
        return true;
    int64_t wait_us = current.data ? WAIT_STALE_US : WAIT_MISSING_US;
    if (!bring_up_to_date(figures, &figures->parts[part], request, wait_us, answer))
        return !answer->status;
    database_rows_free(*out);
    *out = NULL;
    return database_query(database, request, doing, sql, count, values, out, answer);
}

const char *figures_missing(struct figures *figures, enum figures_part part)
{
    const struct figures_work *work = &figures->parts[part];
    pthread_mutex_lock(&figures->mutex);
    bool runs = work->runs;
    enum figures_outcome outcome = work->outcome;
    pthread_mutex_unlock(&figures->mutex);
    if (outcome == OUTCOME_LEFT)
        return "these figures are not computed yet: attrition.maintain() does it, once a day";
    if (outcome == OUTCOME_FAILED && !runs)
        return "these figures could not be computed: the log says why; a question 10 s later tries again";
    return "these figures are being computed: ask again, nothing else has to be done";
}
