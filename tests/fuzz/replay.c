/* Runs a fuzz target over its committed inputs, without a fuzzer: with the unit tests, in every flavour. Linked with
 * one target; replay_NAME reads tests/fuzz/fuzz_NAME/ of the folder it is started in. A fault ends it, as in fuzzing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { INPUT_MAX_BYTES = 1 << 20 };

static void replay(const char *path)
{
    struct buffer input = {0};
    struct error err;
    if (file_read(path, INPUT_MAX_BYTES, &input, &err)) {
        printf("not ok - %s\n", err.text);
        exit(1);
    }
    uint8_t *exact = malloc(input.bytes ? input.bytes : 1); /* so that the sanitizer sees its end */
    memcpy(exact, input.bytes ? input.data : "", input.bytes);
    (void)LLVMFuzzerTestOneInput(exact, input.bytes);
    free(exact);
    buffer_free(&input);
}

int main(int count, char **words)
{
    char folder[256], path[768];
    const char *name = strrchr(words[0], '_');
    snprintf(folder, sizeof folder, "tests/fuzz/fuzz_%s", name && count == 1 ? name + 1 : "");
    DIR *inputs = opendir(folder);
    size_t replayed = 0;
    for (struct dirent *entry; inputs && (entry = readdir(inputs));) {
        if (*entry->d_name == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay(path);
        replayed++;
    }
    if (inputs)
        closedir(inputs);
    printf("%s - %s: %zu inputs replayed\n", replayed ? "ok" : "not ok", folder, replayed);
    return replayed ? 0 : 1;
}
