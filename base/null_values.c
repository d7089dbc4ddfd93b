/* Texts for missing values: see null_values.h. Read-only once parsed; any thread. */
#include "base/null_values.h"

#include "base/csv_dialect.h"

bool null_values_parse(const char *list, struct null_values *out)
{
    *out = (struct null_values){0};
    for (const char *at = list ? list : ""; *at;) {
        struct span item = {at, strcspn(at, ",")};
        at += item.bytes + (at[item.bytes] == ',');
        item = csv_trim(item); /* as the fields that it is compared with */
        if (!item.bytes)
            continue;
        if (out->count == NULL_VALUES_MAX)
            return false;
        unsigned first = (unsigned char)item.data[0];
        out->first_bytes[first / 64] |= UINT64_C(1) << (first % 64);
        out->items[out->count++] = item;
    }
    return true;
}

bool null_values_have_slow(const struct null_values *values, struct span text)
{
    for (size_t i = 0; i < values->count; i++)
        if (span_equal(text, values->items[i]))
            return true;
    return false;
}
