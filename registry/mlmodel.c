/* The files beside a model that say to MLflow how to load it: MLmodel with the signature, the Python packages, the
 * golden rows. Called by both backends: what they write and read is the same text. What stands in the model file is as
 * little trusted as any input: a file that cannot be read has no signature, and no harm is done. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json_writer.h"
#include "pipeline/onnx/onnx_read.h"
#include "registry/backend.h"
#include "registry/yaml.h"

enum { SIGNATURE_MOST = 1 << 18 }; /* bytes; an MLmodel stays far below STORE_TEXT_MAX */

/* Python's side. Ranges, not versions: no Python wrote the file, so none is owed. 3.11 is Debian 12's. */
static const char python_version[] = "3.11.2";
enum { PACKAGES = 4, OPSET_ML_RECENT = 5 };
static const char *const packages_recent[PACKAGES] = {"mlflow>=2.9", "numpy", "onnx>=1.16", "onnxruntime>=1.21"};
static const char *const packages_before[PACKAGES] = {"mlflow>=2.9", "numpy", "onnx>=1.12", "onnxruntime>=1.14"};

bool mlmodel_file(struct span text, struct buffer *file)
{
    struct span flavors, onnx;
    return yaml_block(text, "flavors", &flavors) && yaml_block(flavors, "onnx", &onnx) &&
           yaml_scalar(onnx, "data", file) && file->bytes && file->data[0] != '/' && !strstr(file->data, "..");
}

/* numpy's name; text is "object", which pandas has and onnxruntime takes. NULL: no tensor of Python's. */
static const char *numpy_name(const struct onnx_value *value)
{
    if (!value->is_tensor || !value->has_shape || !value->rank)
        return NULL;
    switch (value->dtype) {
    case DTYPE_FLOAT:
        return "float32";
    case DTYPE_DOUBLE:
        return "float64";
    case DTYPE_INT32:
        return "int32";
    case DTYPE_INT64:
        return "int64";
    case DTYPE_BOOL:
        return "bool";
    case DTYPE_TEXT:
        return "object";
    case DTYPE_UINT8:
    case DTYPE_NONE:
        break;
    }
    return NULL;
}

/* MLflow's tensors: [{"name": …, "type": "tensor", "tensor-spec": {"dtype": …, "shape": [-1, 1]}}, …]; the rows are
 * always as many as one likes. False: a value is no tensor. */
static bool describe_values(const struct onnx_value *values, size_t count, struct buffer *out)
{
    struct json_writer json = json_writer_of(out);
    json.comma = ", ";
    json.colon = ": ";
    json_begin_array(&json, NULL);
    for (size_t v = 0; v < count; v++) {
        const char *dtype = numpy_name(&values[v]);
        if (!dtype || out->bytes > SIGNATURE_MOST)
            return false;
        json_begin_object(&json, NULL);
        json_write_text(&json, "name", values[v].name);
        json_write_string(&json, "type", "tensor");
        json_begin_object(&json, "tensor-spec");
        json_write_string(&json, "dtype", dtype);
        json_begin_array(&json, "shape");
        json_write_int(&json, NULL, -1);
        for (size_t d = 1; d < values[v].rank; d++)
            json_write_int(&json, NULL, values[v].dims[d]);
        json_end_array(&json);
        json_end_object(&json);
        json_end_object(&json);
    }
    json_end_array(&json);
    buffer_add_u8(out, '\0');
    return count > 0;
}

static void add_signature(const struct onnx_graph *graph, struct buffer *out)
{
    struct buffer inputs = {0}, outputs = {0};
    if (describe_values(graph->inputs, graph->input_count, &inputs)) {
        bool plain = describe_values(graph->outputs, graph->output_count, &outputs);
        buffer_add_text(out, "signature:\n");
        yaml_add_text(out, 2, "inputs", inputs.data);
        yaml_add_text(out, 2, "outputs", plain ? outputs.data : NULL);
        yaml_add_text(out, 2, "params", NULL);
    }
    buffer_free(&inputs);
    buffer_free(&outputs);
}

static void add_created(int64_t ms, struct buffer *out)
{
    char text[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S.000000", &utc))
        yaml_add_text(out, 0, "utc_time_created", text);
}

/* What mlflow.onnx and mlflow.pyfunc need to load the folder; the run's tags travel along as `metadata`. */
static void mlmodel_write(struct buffer *out, const struct run *run, const char *run_id,
                          const struct run_artifact *model, const struct onnx_graph *graph)
{
    const char *file = model->path + strlen("model/");
    buffer_add_text(out, "artifact_path: model\nflavors:\n  onnx:\n");
    yaml_add_text(out, 4, "data", file);
    buffer_add_text(out, "    onnx_version: 1.12.0\n    providers: [CPUExecutionProvider]\n  python_function:\n");
    yaml_add_text(out, 4, "data", file);
    buffer_add_text(out, "    env:\n      conda: conda.yaml\n      virtualenv: python_env.yaml\n");
    buffer_add_text(out, "    loader_module: mlflow.onnx\n");
    yaml_add_text(out, 4, "python_version", python_version);
    buffer_add_text(out, "metadata:\n");
    yaml_add_text(out, 2, "written_by", "attrition trainer");
    for (size_t t = 0; t < run->tag_count; t++)
        if (strncmp(run->tags[t].key, "mlflow.", 7) != 0)
            yaml_add_text(out, 2, run->tags[t].key, run->tags[t].value);
    yaml_add_int(out, 0, "model_size_bytes", (int64_t)model->bytes.bytes);
    yaml_add_text(out, 0, "run_id", run_id);
    if (graph)
        add_signature(graph, out);
    add_created(run->ended_ms, out);
}

static void write_requirements(const char *const *packages, struct buffer *out)
{
    for (size_t p = 0; p < PACKAGES; p++)
        buffer_printf(out, "%s\n", packages[p]);
}

static void write_conda(const char *const *packages, struct buffer *out)
{
    buffer_printf(out, "name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n- python=%s\n- pip\n- pip:\n",
                  python_version);
    for (size_t p = 0; p < PACKAGES; p++)
        buffer_printf(out, "  - %s\n", packages[p]);
}

static void write_python(const char *const *packages, struct buffer *out)
{
    (void)packages;
    buffer_printf(
        out, "python: %s\nbuild_dependencies:\n- pip\n- setuptools\n- wheel\ndependencies:\n- -r requirements.txt\n",
        python_version);
}

/* Another artifact, unless the run brings one of that path itself. */
static struct buffer *add_file(struct mlmodel_files *files, const struct run *run, const char *path)
{
    for (size_t a = 0; a < run->artifact_count; a++)
        if (strcmp(run->artifacts[a].path, path) == 0)
            return NULL;
    files->paths[files->count] = path;
    return &files->texts[files->count++];
}

/* graph: NULL where the file cannot be read. */
static void add_packages(struct mlmodel_files *files, const struct run *run, const struct onnx_graph *graph)
{
    const char *const *packages = graph && graph->opset_ml < OPSET_ML_RECENT ? packages_before : packages_recent;
    static const struct {
        const char *path;
        void (*write)(const char *const *packages, struct buffer *out);
    } rows[] = {{"model/requirements.txt", write_requirements},
                {"model/conda.yaml", write_conda},
                {"model/python_env.yaml", write_python}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct buffer *text = add_file(files, run, rows[r].path);
        if (text)
            rows[r].write(packages, text);
    }
}

/* The rows that the model must reproduce, as they stand in the model file: for Python's tests. */
static void add_golden(struct mlmodel_files *files, const struct run *run, const struct onnx_graph *graph)
{
    for (size_t p = 0; p < graph->property_count; p++) {
        struct buffer *text = strcmp(graph->properties[p].key, "attrition.golden") == 0
                                  ? add_file(files, run, "model/golden.json")
                                  : NULL;
        if (text) {
            buffer_add_text(text, graph->properties[p].value);
            return;
        }
    }
}

void mlmodel_files_make(const struct run *run, const char *run_id, struct mlmodel_files *out)
{
    const struct run_artifact *model = NULL;
    struct onnx_file *file = NULL;
    *out = (struct mlmodel_files){0};
    for (size_t a = 0; a < run->artifact_count; a++) {
        const char *path = run->artifacts[a].path;
        if (strncmp(path, "model/", 6) == 0 && strstr(path, ".onnx"))
            model = &run->artifacts[a];
    }
    if (!model)
        return;
    if (onnx_open(model->bytes, &file, ERROR_IGNORED) != STATUS_OK)
        file = NULL; /* no signature, then */
    const struct onnx_graph *graph = file ? onnx_file_graph(file) : NULL;
    add_packages(out, run, graph);
    if (graph)
        add_golden(out, run, graph);
    struct buffer *text = add_file(out, run, "model/MLmodel");
    if (text)
        mlmodel_write(text, run, run_id, model, graph);
    onnx_close(file);
}

struct run_artifact mlmodel_files_at(const struct mlmodel_files *files, size_t number)
{
    return (struct run_artifact){files->paths[number], buffer_span(&files->texts[number])};
}

void mlmodel_files_clear(struct mlmodel_files *files)
{
    for (size_t f = 0; f < files->count; f++)
        buffer_free(&files->texts[f]);
    files->count = 0;
}
