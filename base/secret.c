/* Files of secrets: see secret.h. Read by options_parse and read again by the main thread; texts are borrowed by any.
 * What was read before is kept, because a thread may still be using it: a file changes a few times in a process's
 * life. */
#include "base/secret.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { SECRET_LIMIT_BYTES = 64 * 1024 };

/* The latest first. */
struct text {
    struct text *before;
    char text[];
};

struct secret_file {
    const char *variable, *path; /* borrowed */
    struct text *_Atomic latest;
};

const char *secret_text(struct secret secret)
{
    return secret.file ? secret_file_text(secret.file) : secret.text;
}

static struct text *text_new(struct span content, struct text *before)
{
    struct text *text = mem_zeroed(1, sizeof *text + content.bytes + 1);
    memcpy(text->text, content.data, content.bytes);
    text->before = before;
    return text;
}

static enum status read_content(const struct secret_file *file, struct buffer *content, struct error *err)
{
    if (file_read(file->path, SECRET_LIMIT_BYTES, content, err) != STATUS_OK) {
        error_prefix(err, "environment variable %s", file->variable);
        return err->status = STATUS_INVALID;
    }
    while (content->bytes && (content->data[content->bytes - 1] == '\n' || content->data[content->bytes - 1] == '\r'))
        content->bytes--;
    if (content->bytes && !memchr(content->data, '\0', content->bytes))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "environment variable %s: %s is empty or not a text", file->variable,
                     file->path);
}

enum status secret_file_reread(struct secret_file *file, bool *changed, struct error *err)
{
    struct buffer content = {0};
    struct text *before = file->latest;
    enum status status = read_content(file, &content, err);
    if (status == STATUS_OK) {
        *changed = !before || !span_equal(buffer_span(&content), span_of(before->text));
        if (*changed)
            file->latest = text_new(buffer_span(&content), before);
    }
    if (content.data)
        explicit_bzero(content.data, content.capacity);
    buffer_free(&content);
    return status;
}

enum status secret_file_new(const char *variable, const char *path, struct secret_file **out, struct error *err)
{
    bool changed;
    struct secret_file *file = mem_zeroed(1, sizeof *file);
    file->variable = variable;
    file->path = path;
    enum status status = secret_file_reread(file, &changed, err);
    if (status == STATUS_OK)
        *out = file;
    else
        secret_file_free(file);
    return status;
}

void secret_file_free(struct secret_file *file)
{
    if (!file)
        return;
    for (struct text *text = file->latest, *before; text; text = before) {
        before = text->before;
        explicit_bzero(text->text, strlen(text->text));
        free(text);
    }
    free(file);
}

const char *secret_file_text(const struct secret_file *file)
{
    return file->latest->text;
}

const char *secret_file_variable(const struct secret_file *file)
{
    return file->variable;
}

const char *secret_file_path(const struct secret_file *file)
{
    return file->path;
}
