/* What GET /employees asks for, read from the address and turned into SQL. Attributes are those of the schema; what is
 * no such thing is answered with 400 and what there is. */
#pragma once

#include "events/schema.h"
#include "scorer/http/request.h"

enum { LIST_WHERE_MOST = 8, LIST_LIMIT_MOST = 1000, LIST_TREND_MOST = 200 };

/* What employees are sorted by; beyond SORT_ATTRIBUTE: the column of the schema. */
enum list_sort { SORT_RISK, SORT_EMPLOYEE_ID, SORT_SCORED_AT, SORT_OCCURRED_AT, SORT_ATTRIBUTE };

/* One condition. Plain data. */
struct list_where {
    const struct column *column; /* NULL: flagged */
    bool missing, flagged;
    struct span text; /* a category; else the numbers */
    double low, high;
};

/* Plain data; borrows the request and the schema. */
struct list_query {
    const char *q; /* NULL: any employee */
    struct list_where where[LIST_WHERE_MOST];
    size_t where_count;
    enum list_sort sort;
    const struct column *sort_column;
    bool descends, trend;
    uint32_t limit;
    const char *cursor; /* NULL: the first page */
};

/* False: answered. */
bool list_query_read(const struct schema *schema, const struct request *request, struct list_query *out,
                     struct answer *answer);
/* Added to `out`: the text that a cursor is bound to; the part of it that says who is in the list. */
void list_query_describe(const struct list_query *query, struct buffer *out);
void list_query_describe_filter(const struct list_query *query, struct buffer *out);
/* The numbers and texts of one parameter: "limit". False: answered. */
bool list_limit_read(const char *text, uint32_t *out, struct answer *answer);
