/* fuzz: any bytes as a file of YAML, as a registry's meta.yaml and MLmodel are. What is found lies within the file; and
 * any text that is written under a key is what is read there. */
#include <assert.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "registry/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const keys[] = {"name",          "flavors", "onnx",    "data", "run_id", "model_uuid",
                                   "artifact_path", "source",  "aliases", "a",    "key",    "\"a\""};

static void look(struct span block, unsigned depth)
{
    struct buffer text = {0};
    struct span below;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        if (yaml_scalar(block, keys[k], &text))
            assert(text.data[text.bytes] == '\0');
        if (!yaml_block(block, keys[k], &below))
            continue;
        assert(below.data >= block.data && below.data + below.bytes <= block.data + block.bytes);
        assert(below.bytes < block.bytes);
        if (depth < 4)
            look(below, depth + 1);
    }
    buffer_free(&text);
}

static void write_and_read(struct span input)
{
    struct buffer file = {0}, found = {0};
    char *text = malloc(input.bytes + 1);
    memcpy(text, input.data, input.bytes);
    text[input.bytes] = '\0';
    yaml_add_int(&file, 0, "before", 1);
    yaml_add_text(&file, 0, "key", text);
    yaml_add_text(&file, 0, "after", "x");
    assert(yaml_scalar(buffer_span(&file), "key", &found));
    assert(span_equal(buffer_span(&found), span_of(text)));
    assert(yaml_scalar(buffer_span(&file), "after", &found) && !strcmp(found.data, "x"));
    free(text);
    buffer_free(&file);
    buffer_free(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const struct span input = {(const char *)data, bytes};
    look(input, 0);
    if (bytes < 2000 && utf8_is_valid(input))
        write_and_read(input);
    return 0;
}
