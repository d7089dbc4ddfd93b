/* The table of operators. Called by compile.c during the walk, at load only. */
#include "pipeline/operators.h"

#include <string.h>

static const struct operator_row OPERATORS[] = {
#define OPERATOR_ROW(...) {__VA_ARGS__},
    OPERATOR_TABLE(OPERATOR_ROW)
#undef OPERATOR_ROW
};

const struct operator_row *operator_find(const struct onnx_node *node)
{
    if (*node->domain && !node->ml)
        return NULL;
    for (size_t o = 0; o < sizeof OPERATORS / sizeof *OPERATORS; o++)
        if (OPERATORS[o].ml == node->ml && !strcmp(OPERATORS[o].name, node->op))
            return &OPERATORS[o];
    return NULL;
}

bool operator_list_has(const char *list, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = list; *at && bytes; at = strchr(at, '|') + 1)
        if (strncmp(at, name, bytes) == 0 && at[bytes] == '|')
            return true;
    return false;
}

bool operator_takes_class(const struct operator_row *row)
{
    return row->compile == compile_gather || row->compile == compile_array_feature_extractor ||
           row->compile == compile_cast || row->compile == compile_reshape || row->compile == compile_identity ||
           row->compile == compile_zip_map || row->compile == compile_label_encoder;
}

bool operator_takes_stack(const struct operator_row *row)
{
    return row->compile == compile_concat || row->compile == compile_identity || row->compile == compile_reduce ||
           row->compile == compile_reshape;
}

bool operator_takes_flat(const struct operator_row *row)
{
    return row->compile == compile_arithmetic || row->compile == compile_cast || row->compile == compile_compare ||
           row->compile == compile_logic || row->compile == compile_where || row->compile == compile_is_nan ||
           row->compile == compile_negate || row->compile == compile_gather || row->compile == compile_flatten ||
           row->compile == compile_reshape;
}

bool operator_takes_row_count(const struct operator_row *row)
{
    return row->compile == compile_concat || row->compile == compile_gather || row->compile == compile_slice ||
           row->compile == compile_identity || row->compile == compile_reshape ||
           row->compile == compile_constant_of_shape;
}
