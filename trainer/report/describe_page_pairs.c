/* The page's part on what goes together: pairs of features, as a table and as a picture, and values that are missing
 * together. Called by describe_page.c. Pure. */
#include <math.h>
#include <stdlib.h>

#include "base/order.h"
#include "base/page.h"
#include "trainer/report/describe_facts.h"

enum { TEXT_BYTES = 200, MATRIX_MOST = 40, CELL_PIXELS = 18, NAME_PIXELS = 210, TOP_PIXELS = 18 };

/* The features of a picture, and which of its lines a feature has. */
struct matrix {
    uint32_t columns[MATRIX_MOST];
    size_t count;
    double *strengths; /* [line × count + line]; NaN: none */
};

static bool matrix_has(const struct matrix *matrix, uint32_t column)
{
    for (size_t m = 0; m < matrix->count; m++)
        if (matrix->columns[m] == column)
            return true;
    return false;
}

/* Those of the strongest pairs, in the schema's order. */
static void matrix_choose(const struct description *description, struct matrix *matrix)
{
    for (size_t p = 0; p < description->pair_count && matrix->count + 1 < MATRIX_MOST; p++) {
        const struct pair *pair = &description->pairs[p];
        if (!matrix_has(matrix, pair->left))
            matrix->columns[matrix->count++] = pair->left;
        if (!matrix_has(matrix, pair->right))
            matrix->columns[matrix->count++] = pair->right;
    }
    qsort(matrix->columns, matrix->count, sizeof *matrix->columns, order_indices);
}

static size_t matrix_line(const struct matrix *matrix, uint32_t column)
{
    const uint32_t *found = bsearch(&column, matrix->columns, matrix->count, sizeof *matrix->columns, order_indices);
    return found ? (size_t)(found - matrix->columns) : SIZE_MAX;
}

static void matrix_fill(const struct description *description, struct matrix *matrix)
{
    matrix->strengths = mem_zeroed(matrix->count * matrix->count + 1, sizeof *matrix->strengths);
    for (size_t c = 0; c < matrix->count * matrix->count; c++)
        matrix->strengths[c] = NAN;
    for (size_t p = 0; p < description->pair_count; p++) {
        const struct pair *pair = &description->pairs[p];
        size_t left = matrix_line(matrix, pair->left), right = matrix_line(matrix, pair->right);
        if (left == SIZE_MAX || right == SIZE_MAX)
            continue;
        matrix->strengths[left * matrix->count + right] = pair->strength;
        matrix->strengths[right * matrix->count + left] = pair->strength;
    }
}

static void matrix_draw(const struct description *description, const struct matrix *matrix, struct buffer *out)
{
    double side = CELL_PIXELS * (double)matrix->count;
    svg_begin(out, NAME_PIXELS + side + 4, TOP_PIXELS + side + 4, "Associations of features", false);
    for (size_t line = 0; line < matrix->count; line++) {
        double y = TOP_PIXELS + CELL_PIXELS * (double)line;
        svg_text(out, "ink", "end", NAME_PIXELS - 6, y + 12, "%.25s %zu",
                 description->columns[matrix->columns[line]].name, line + 1);
        svg_text(out, "soft", "middle", NAME_PIXELS + CELL_PIXELS * ((double)line + 0.5), 12, "%zu", line + 1);
        for (size_t place = 0; place < matrix->count; place++) {
            double strength = line == place ? 1 : matrix->strengths[line * matrix->count + place];
            if (!isnan(strength))
                svg_shade(out, strength < 0 ? "second" : "first", NAME_PIXELS + CELL_PIXELS * (double)place, y,
                          CELL_PIXELS - 1, fabs(strength));
        }
    }
    svg_end(out);
}

static void add_matrix(const struct description *description, struct buffer *out)
{
    struct matrix matrix = {0};
    matrix_choose(description, &matrix);
    matrix_fill(description, &matrix);
    page_element(out, "p class=\"soft\"",
                 "The darker, the stronger. Orange: one falls as the other rises; blue: both rise, or one of them is a "
                 "category, which has no order. Lines are numbered alike from above and from the left.");
    matrix_draw(description, &matrix, out);
    free(matrix.strengths);
}

static void add_pair(const struct description *description, const struct pair *pair, struct buffer *out)
{
    static const char *const measures[] = {"Pearson, Spearman", "Cramér's V", "correlation ratio"};
    buffer_add_text(out, "<tr>");
    page_element(out, "td", "%s", description->columns[pair->left].name);
    if (pair->kind == PAIR_NUMBERS)
        page_element(out, "td", "%.3f, %.3f", pair->pearson, pair->spearman);
    else
        page_element(out, "td", "%.3f", pair->strength);
    page_element(out, "td", "%zu", pair->rows);
    page_element(out, "td class=\"text\"", "%s", description->columns[pair->right].name);
    page_element(out, "td class=\"text\"", "%s", measures[pair->kind]);
    buffer_add_text(out, "</tr>\n");
}

void describe_page_pairs(const struct description *description, struct buffer *out)
{
    static const char *const columns[] = {"feature", "association", "rows", "with", "measure"};
    const struct row_sample *sample = &description->sample;
    if (description->pair_count == 0)
        return;
    page_element(out, "h2", "Associations of features");
    page_element(
        out, "p",
        "Of %zu pairs the strongest, measured on %zu rows%s. Numbers and ranks: Pearson's and Spearman's "
        "correlation. Categories: Cramér's V, corrected for its bias. A category and a number: the correlation "
        "ratio, the root of the share of the number's variance that lies between the categories.",
        description->pair_count, sample->count, sample->seen > sample->count ? " drawn at random" : "");
    page_table_begin(out, columns, 5, 2);
    for (size_t p = 0; p < description->pair_count && p < PAIRS_SHOWN; p++)
        add_pair(description, &description->pairs[p], out);
    page_table_end(out);
    add_matrix(description, out);
}

void describe_page_missing(const struct description *description, struct buffer *out)
{
    static const char *const columns[] = {"features without a value", "rows"};
    char names[TEXT_BYTES];
    size_t shown = 0;
    for (size_t e = 0; e < description->missing.count && shown < PATTERNS_SHOWN; e++) {
        describe_pattern(description, &description->missing.entries[e], names, sizeof names);
        if (*names == '\0')
            continue;
        if (shown++ == 0) {
            page_element(out, "h2", "Missing together");
            page_table_begin(out, columns, 2, 0);
        }
        buffer_add_text(out, "<tr>");
        page_element(out, "td", "%s", names);
        page_element(out, "td", "%zu", value_count_total(&description->missing.entries[e]));
        buffer_add_text(out, "</tr>\n");
    }
    if (shown)
        page_table_end(out);
}
