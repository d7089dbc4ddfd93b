/* fuzz: any bytes as a file that maps other JSON to events (INPUT_MAP). It is refused in one line, or each of its
 * targets is a field that the schema has. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "events/error_codes.h"
#include "events/input_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct schema *schema;
static char path[] = "/tmp/fuzz-map-XXXXXX";
static int file;

static void leave(void)
{
    unlink(path);
}

static void load(void)
{
    struct error err;
    const char *directory = getenv("SCHEMAS_DIR");
    if (schema_load(directory ? directory : "schemas", &schema, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    file = mkstemp(path);
    assert(file >= 0);
    atexit(leave);
}

static void look(const struct map_node *node, unsigned depth)
{
    assert(depth < 10000);
    if (node->target)
        assert(node->target->column < (int32_t)schema->column_count);
    for (size_t i = 0; i < node->below_count; i++)
        look(&node->below[i], depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input_map *map = NULL;
    struct error err = {0};
    if (!schema)
        load();
    assert(ftruncate(file, 0) == 0 && pwrite(file, data, bytes, 0) == (ssize_t)bytes);
    if (input_map_load(path, schema, &map, &err) == STATUS_OK) {
        look(input_map_root(map), 0);
        if (input_map_key(map))
            look(input_map_key(map), 0);
    } else {
        assert(err.text[0] && !strchr(err.text, '\n'));
    }
    input_map_free(map);
    return 0;
}
