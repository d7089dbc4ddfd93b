/* MLmodel, the file beside a model that tells MLflow how to load it. Called by both backends: what they write and read
 * is the same text. */
#include <string.h>

#include "registry/backend.h"
#include "registry/yaml.h"

bool mlmodel_file(struct span text, struct buffer *file)
{
    struct span flavors, onnx;
    return yaml_block(text, "flavors", &flavors) && yaml_block(flavors, "onnx", &onnx) &&
           yaml_scalar(onnx, "data", file) && file->bytes && file->data[0] != '/' && !strstr(file->data, "..");
}

/* What mlflow.onnx and mlflow.pyfunc need to load the folder; the run's tags travel along as `metadata`. */
static void write_text(struct buffer *out, const struct run *run, const char *run_id, const char *file)
{
    buffer_add_text(out, "artifact_path: model\nflavors:\n  onnx:\n");
    yaml_add_text(out, 4, "data", file);
    buffer_add_text(out, "    onnx_version: 1.12.0\n    providers: [CPUExecutionProvider]\n  python_function:\n");
    yaml_add_text(out, 4, "data", file);
    buffer_add_text(out, "    loader_module: mlflow.onnx\n");
    buffer_add_text(out, "metadata:\n");
    yaml_add_text(out, 2, "written_by", "attrition trainer");
    for (size_t t = 0; t < run->tag_count; t++)
        if (strncmp(run->tags[t].key, "mlflow.", 7) != 0)
            yaml_add_text(out, 2, run->tags[t].key, run->tags[t].value);
    yaml_add_text(out, 0, "run_id", run_id);
}

bool mlmodel_write(struct buffer *out, const struct run *run, const char *run_id)
{
    const char *model = NULL;
    for (size_t a = 0; a < run->artifact_count; a++) {
        const char *path = run->artifacts[a].path;
        if (strncmp(path, "model/", 6) == 0 && strstr(path, ".onnx"))
            model = path + 6;
    }
    if (model)
        write_text(out, run, run_id, model);
    return model != NULL;
}
