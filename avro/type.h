/* A parsed Avro schema: the tree that schema_load reads columns from and that plans are compiled from.
 *
 * Parsed here from the JSON text, because avro-c drops aliases, defaults, logical types and our own attributes.
 * Everything is read-only after avro_schema_parse and lives as long as the struct avro_schema that owns it. */
#pragma once

#include <jansson.h>

#include "base/bytes.h"
#include "base/status.h"

enum avro_kind {
    AVRO_KIND_NULL,
    AVRO_KIND_BOOLEAN,
    AVRO_KIND_INT,
    AVRO_KIND_LONG,
    AVRO_KIND_FLOAT,
    AVRO_KIND_DOUBLE,
    AVRO_KIND_BYTES,
    AVRO_KIND_STRING, /* the last primitive */
    AVRO_KIND_RECORD,
    AVRO_KIND_ENUM,
    AVRO_KIND_FIXED,
    AVRO_KIND_ARRAY,
    AVRO_KIND_MAP,
    AVRO_KIND_UNION,
};

enum {
    AVRO_TEXT_BYTES_MAX = 4 * 1024 * 1024, /* a schema's JSON text */
    AVRO_DEPTH_MAX = 256,                  /* types within types as written */
    AVRO_NAMED_MAX = 4096,                 /* records, enums and fixeds of one schema */
    AVRO_NO_SYMBOL = -1,
};

struct avro_type;

struct avro_field {
    const char *name;
    const struct avro_type *type;
    const char *const *aliases;
    size_t alias_count;
    const json_t *value_if_absent; /* the default; NULL: none */
    const json_t *json;            /* the field's object, with all its attributes */
};

/* One node. Named types are shared, so a recursive schema is a cycle. Plain data. */
struct avro_type {
    enum avro_kind kind;
    uint32_t index;             /* unique in its schema, from 0 */
    uint32_t min_bytes;         /* a lower bound of what a datum of this type takes on the wire */
    const char *name;           /* full name of a named type, else the kind's name ("int", "array"); union: "union" */
    const char *short_name;     /* the part of `name` after the last dot */
    const char *const *aliases; /* full names */
    size_t alias_count;
    const struct avro_field *fields; /* record */
    size_t field_count;
    const char *const *symbols; /* enum */
    size_t symbol_count;
    int32_t default_symbol;                  /* enum: index, or AVRO_NO_SYMBOL */
    uint64_t fixed_bytes;                    /* fixed */
    const struct avro_type *items;           /* array; map: of the values */
    const struct avro_type *const *branches; /* union */
    size_t branch_count;
    const char *logical; /* logicalType as written, or NULL */
    bool is_decimal;     /* bytes or fixed with a valid decimal */
    int64_t scale;       /* of a decimal */
    const json_t *json;  /* the type's object; NULL where it was written as a bare name or a union */
};
const char *avro_short_name(const char *full_name); /* what follows its last dot */

struct avro_schema;

/* Parses and checks a schema (names, references, duplicates, limits). Default values are checked when a plan needs
 * them. Messages say where in the schema. Free with avro_schema_free. */
MUST_USE enum status avro_schema_parse(struct span text, struct avro_schema **out, struct error *err);
/* The same from a file; messages name it. */
MUST_USE enum status avro_schema_read(const char *path, struct avro_schema **out, struct error *err);
void avro_schema_free(struct avro_schema *schema);

const struct avro_type *avro_schema_type(const struct avro_schema *schema); /* the root */

/* The text it was parsed from, without what JSON does not keep: for avro-c. Free with free(). */
char *avro_schema_text(const struct avro_schema *schema);

/* A short form for comparing and for messages: "[null,string]", "long:timestamp-millis", "array<{x:int}>"; enums and
 * fixeds as "enum" and "fixed", a record within itself as "…". */
void avro_type_describe(const struct avro_type *type, struct buffer *out);

/* The type of the value that follows in `in`: of a union the branch, whose number is read; any other type itself. */
bool avro_type_take_branch(struct cursor *in, const struct avro_type **type);

static inline bool avro_kind_is_named(enum avro_kind kind)
{
    return kind == AVRO_KIND_RECORD || kind == AVRO_KIND_ENUM || kind == AVRO_KIND_FIXED;
}
