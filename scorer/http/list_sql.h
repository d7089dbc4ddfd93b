/* The SQL of a list_query, with everything that came from outside as parameters. */
#pragma once

#include "base/memory.h"
#include "scorer/http/list_query.h"

enum { LIST_VALUES_MOST = 256 };

/* A statement that is put together. Zero-initialised is empty; list_sql_clear frees it. */
struct list_sql {
    struct buffer text;
    const char *values[LIST_VALUES_MOST];
    int count;
    struct arena arena;
};
void list_sql_clear(struct list_sql *sql);
/* Adds "$n" with the cast and the value, which is copied. */
void list_sql_value(struct list_sql *sql, struct span value, const char *cast);
/* The attribute as text; the key that the query sorts by; " WHERE …" of q and where, of the table l. */
void list_sql_attribute(struct list_sql *sql, const struct column *column);
void list_sql_key(struct list_sql *sql, const struct list_query *query);
void list_sql_where(struct list_sql *sql, const struct list_query *query);
/* What the key is. As text of a cursor a time is microseconds since 1970. */
enum list_key { LIST_KEY_NUMBER, LIST_KEY_TIME, LIST_KEY_TEXT };
enum list_key list_key_of(const struct list_query *query);
/* The key of the row p as text, and the text's value to compare with keys. */
void list_sql_key_text(struct list_sql *sql, const struct list_query *query);
void list_sql_key_value(struct list_sql *sql, const struct list_query *query, struct span text);
