/* CSV as an answer: see csv_cells.h. */
#include "scorer/http/csv_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scorer/http/database.h"

/* 1 where an item of an Accept header names no q. */
static double weight_of(struct span item)
{
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)item.bytes, item.data);
    for (const char *at = text; (at = strchr(at, ';'));) {
        at += 1 + strspn(at + 1, " \t");
        if (!strncasecmp(at, "q=", 2))
            return strtod(at + 2, NULL);
    }
    return 1;
}

bool csv_is_wanted(const char *accept)
{
    double best = 0;
    bool is_wanted = false;
    for (const char *at = accept; at && *at; at += strcspn(at, ",")) {
        at += strspn(at, ", \t");
        bool is_csv = !strncasecmp(at, "text/csv", 8), is_json = !strncasecmp(at, "application/json", 16);
        double weight = weight_of((struct span){at, strcspn(at, ",")});
        if (!(is_csv || is_json) || weight <= best)
            continue;
        best = weight;
        is_wanted = is_csv;
    }
    return is_wanted;
}

void csv_add_values(struct buffer *out, const struct csv_column *columns, size_t count, bool is_first,
                    const struct database_rows *rows, size_t row, size_t field)
{
    for (size_t c = 0; c < count; c++)
        csv_add_cell(out, database_rows_text(rows, row, field + c), is_first && !c, columns[c].takes_number);
}
