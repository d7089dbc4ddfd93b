/* Values and bands of a column as groups: see people_group.h. Pure. Which columns make groups is the schema's word. */
#include "events/people_group.h"

#include <math.h>

#include "base/memory.h"
#include "base/text_print.h"

size_t people_group_count(const struct column *column)
{
    if (column->kind == COLUMN_NOMINAL)
        return column->value_count + 1;
    return (column->band_count ? column->band_count + 1 : (size_t)fmin(column->high - column->low + 1, 64)) + 1;
}

size_t people_group_of(const struct column *column, const struct cell *cell)
{
    size_t last = people_group_count(column) - 1, band = 0;
    if (cell->code < 0)
        return last;
    if (column->kind == COLUMN_NOMINAL)
        return (size_t)cell->code;
    if (!column->band_count)
        return (size_t)fmin(fmax(cell->number - column->low, 0), (double)last - 1);
    while (band < column->band_count && cell->number >= column->bands[band])
        band++;
    return band;
}

static char *band_name(const struct column *column, size_t band)
{
    bool whole = column_is_whole(column);
    const double *bands = column->bands;
    if (band == 0)
        return text_print("under %g", bands[0]);
    if (band == column->band_count)
        return text_print("%g and over", bands[band - 1]);
    return text_print(whole ? "%g to %g" : "%g to under %g", bands[band - 1], bands[band] - whole);
}

char *people_group_name(const struct column *column, size_t place)
{
    if (place + 1 == people_group_count(column))
        return mem_text("missing");
    if (column->kind == COLUMN_NOMINAL)
        return mem_text_n(column->values[place].data, column->values[place].bytes);
    if (column->band_count)
        return band_name(column, place);
    if (column->value_labels && place < column->value_count)
        return mem_text(column->value_labels[place]);
    return text_print("%g", column->low + (double)place);
}
