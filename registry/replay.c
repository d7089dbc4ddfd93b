/* Scoring the log again: see replay.h. Called by registry promote, on its only thread; rows come from a cursor, blocks
 * of them are scored side by side. */
#include "registry/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/json_row.h"
#include "events/people_group.h"
#include "events/validate.h"

enum { BLOCK_ROWS = 512, EXPLAINED_MOST = 10000 };

/* Rows at hand; texts of cells lie in `texts` and the reader. */
struct replay_block {
    struct replay *replay;
    struct json_reader reader;
    struct arena texts;
    struct cell *cells;
    size_t rows, stride; /* stride: every so many inputs are explained */
    struct score now[BLOCK_ROWS], next[BLOCK_ROWS];
};

static void count_risk(struct replay_side *side, double risk, bool flagged)
{
    size_t bin = (size_t)(risk * REPLAY_BINS);
    side->risk += risk;
    side->flagged += flagged;
    side->bins[bin < REPLAY_BINS ? bin : REPLAY_BINS - 1]++;
}

static void count_groups(struct replay *replay, const struct cell *cells, bool now, bool next)
{
    for (size_t c = 0; c < replay->schema->column_count; c++) {
        if (replay->group_starts[c] == replay->group_starts[c + 1])
            continue;
        size_t group = replay->group_starts[c] + people_group_of(&replay->schema->columns[c], &cells[c]);
        replay->group_rows[group]++;
        replay->now.group_flagged[group] += now;
        replay->next.group_flagged[group] += next;
    }
}

static void compare_reasons(struct replay *replay, const struct cell *cells)
{
    struct reason now, next;
    struct score score[2];
    pipeline_score(replay->now.pipeline, cells, 1, 1, &score[0], &now);
    pipeline_score(replay->next.pipeline, cells, 1, 1, &score[1], &next);
    if (!score[0].reason_count || !score[1].reason_count)
        return;
    replay->explained++;
    replay->other_reason += now.column != next.column;
    replay->now.first_reasons[now.column]++;
    replay->next.first_reasons[next.column]++;
}

static void compare_row(struct replay *replay, const struct cell *cells, double now, double next)
{
    bool flagged = next >= pipeline_threshold(replay->next.pipeline);
    bool was = replay->now.pipeline && now >= pipeline_threshold(replay->now.pipeline);
    replay->compared++;
    count_risk(&replay->next, next, flagged);
    count_groups(replay, cells, was, flagged);
    if (!replay->now.pipeline)
        return;
    count_risk(&replay->now, now, was);
    replay->up += flagged && !was;
    replay->down += was && !flagged;
    replay->change += fabs(next - now);
    replay->most_change = fmax(replay->most_change, fabs(next - now));
}

static void block_score(struct replay_block *block)
{
    struct replay *replay = block->replay;
    bool explain = replay->now.pipeline && pipeline_has_reasons(replay->now.pipeline) &&
                   pipeline_has_reasons(replay->next.pipeline);
    if (replay->now.pipeline)
        pipeline_score(replay->now.pipeline, block->cells, block->rows, 0, block->now, NULL);
    pipeline_score(replay->next.pipeline, block->cells, block->rows, 0, block->next, NULL);
    for (size_t r = 0; r < block->rows; r++) {
        const struct cell *cells = block->cells + r * replay->schema->column_count;
        double now = replay->now.pipeline ? block->now[r].probability : 0, next = block->next[r].probability;
        replay->now.unscored += isnan(now);
        replay->next.unscored += isnan(next);
        if (isnan(now) || isnan(next))
            continue;
        compare_row(replay, cells, now, next);
        if (explain && replay->compared % block->stride == 0)
            compare_reasons(replay, cells);
    }
    block->rows = 0;
    arena_reset(&block->texts);
    json_reader_reset(&block->reader);
}

static void block_add(struct replay_block *block, struct span input)
{
    struct replay *replay = block->replay;
    struct fault fault;
    struct cell *cells = block->cells + block->rows * replay->schema->column_count;
    const struct span text = {arena_text(&block->texts, input.data, input.bytes), input.bytes};
    replay->read++;
    bool refused = json_row_read_text(&block->reader, text, replay->schema, false, cells, &fault, 1) != 0;
    if (!refused) {
        (void)validate_impute(replay->schema, cells);
        refused = validate_row(replay->schema, cells, &fault) != EVENT_OK;
    }
    replay->refused += refused;
    block->rows += !refused;
    if (block->rows == BLOCK_ROWS)
        block_score(block);
}

static enum status replay_read(struct log_reader *rows, struct replay_block *block, size_t count, struct error *err)
{
    /* The times alone are sorted, not the inputs; those of the same time as the Nth come too. */
    static const char sql[] =
        "SELECT p.input FROM attrition.predictions AS p WHERE p.channel = 'STREAM' AND p.scored_at >= coalesce((SELECT "
        "q.scored_at FROM attrition.predictions AS q WHERE q.channel = 'STREAM' ORDER BY q.scored_at DESC OFFSET "
        "$1::bigint - 1 LIMIT 1), '-infinity')";
    char most[24];
    const char *const values[] = {most};
    bool more = true;
    snprintf(most, sizeof most, "%zu", count);
    enum status status = log_reader_query(rows, "reading the prediction log (run sql/migrate?)", sql, 1, values, err);
    while (status == STATUS_OK && more) {
        status = log_reader_next(rows, &more, err);
        if (status == STATUS_OK && more)
            block_add(block, log_reader_text(rows, 0));
    }
    if (status == STATUS_OK && block->rows)
        block_score(block);
    if (status == STATUS_OK && block->replay->read == 0)
        return error_set(err, STATUS_NOT_FOUND, "--replay: attrition.predictions holds no input of the stream");
    return status;
}

static void replay_begin(struct replay *replay)
{
    size_t columns = replay->schema->column_count, groups = 0;
    replay->group_starts = mem_zeroed(columns + 1, sizeof *replay->group_starts);
    for (size_t c = 0; c < columns; c++) {
        const struct column *column = &replay->schema->columns[c];
        groups += column->group ? people_group_count(column) : 0;
        replay->group_starts[c + 1] = groups;
    }
    replay->group_rows = mem_zeroed(groups + 1, sizeof *replay->group_rows);
    replay->now.group_flagged = mem_zeroed(groups + 1, sizeof(size_t));
    replay->next.group_flagged = mem_zeroed(groups + 1, sizeof(size_t));
    replay->now.first_reasons = mem_zeroed(columns + 1, sizeof(size_t));
    replay->next.first_reasons = mem_zeroed(columns + 1, sizeof(size_t));
}

enum status replay_run(struct log_reader *rows, const struct schema *schema, const struct pipeline *now,
                       const struct pipeline *next, size_t count, struct replay *out, struct error *err)
{
    struct replay_block *block = mem_zeroed(1, sizeof *block);
    *out = (struct replay){.schema = schema, .now = {.pipeline = now}, .next = {.pipeline = next}};
    replay_begin(out);
    block->replay = out;
    block->stride = count / EXPLAINED_MOST + 1;
    block->cells = mem_zeroed(BLOCK_ROWS * schema->column_count, sizeof *block->cells);
    enum status status = replay_read(rows, block, count, err);
    json_reader_free(&block->reader);
    arena_free(&block->texts);
    free(block->cells);
    free(block);
    if (status != STATUS_OK)
        replay_clear(out);
    return status;
}

void replay_clear(struct replay *replay)
{
    free(replay->group_starts);
    free(replay->group_rows);
    free(replay->now.group_flagged);
    free(replay->next.group_flagged);
    free(replay->now.first_reasons);
    free(replay->next.first_reasons);
    *replay = (struct replay){0};
}
