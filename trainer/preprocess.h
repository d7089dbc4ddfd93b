/* Imputation, scaling and one-hot encoding, fitted as scikit-learn fits them: numbers first, then nominals, each in
 * schema order (ColumnTransformer of SimpleImputer median + StandardScaler, and SimpleImputer most_frequent +
 * OneHotEncoder). */
#pragma once

#include "trainer/table.h"

/* One fitted column. */
struct fitted {
    uint32_t column;            /* index in the schema */
    size_t first;               /* its first feature in the matrix */
    double median, mean, scale; /* numbers; scale 1 where the column is constant */
    size_t category_count;      /* nominals: categories seen, sorted by bytes; one feature each */
    struct span *categories;
    int32_t *positions; /* per value of the schema: its category, or -1 if never seen */
    size_t mode;        /* category that stands for a missing value: the most frequent, of ties the first */
};

struct preprocessor {
    const struct schema *schema;
    struct fitted *columns; /* all that are not excluded, in the model's order */
    size_t column_count, feature_count;
};

/* Fits to the rows listed (indexes into the table); without `numbers` the categories alone. A column without a value
 * there is imputed by 0, or has no features.
 */
void preprocess_fit(const struct table *table, const uint32_t *rows, size_t row_count, bool numbers,
                    struct preprocessor *out);
void preprocess_free(struct preprocessor *preprocessor);

/* One row as feature_count numbers. A category that was never seen is all zeros. */
void preprocess_row(const struct preprocessor *preprocessor, const struct cell *cells, double *features);

/* One feature of the rows listed, as floats: what trees compare. */
void preprocess_feature(const struct preprocessor *preprocessor, const struct table *table, const uint32_t *rows,
                        size_t row_count, size_t feature, float *values);
