#!/usr/bin/env python3
"""Models per event on one thread, ours beside onnxruntime and tl2cgen, TreeSHAP beside the shap package and XGBoost: one table, its ratios
of one run. Rivals are called through their Python packages: that call is part of their 1-row figures, and hardly of those for 1,000 rows.
tl2cgen's compiled trees get the encoded matrix, so imputing and one-hot encoding are not in its figures; they are in all others.

BENCH_BIN: where models_bound is; BIN; VENV: Python with tests/bench/requirements.txt; SHARED: the directory that holds golden/."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = Path(os.environ.get("BENCH_BIN", ROOT / "build/release/tests/bench")) / "models_bound"
VENV = Path(os.environ.get("VENV", ROOT / "build/venv"))
GOLDEN = Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "golden"
ROWS, SHAP_ROWS, TABLE_ROWS = 1000, 200, 20000

if Path(sys.prefix).resolve() != VENV.resolve():
    if not (VENV / "bin/python").exists():
        sys.exit(f"models.py: no Python environment in {VENV}: make bench-models makes it")
    os.execv(VENV / "bin/python", [VENV / "bin/python", *sys.argv])
if not (GOLDEN / "train.csv").exists():
    sys.exit(f"models.py: {GOLDEN}/train.csv is missing: set SHARED to the directory that holds golden/")

os.environ["OMP_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")
import numpy
import onnx
import onnxruntime
import pandas
import shap
import tl2cgen
import treelite
import xgboost
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

update_registered_converter(xgboost.XGBClassifier, "XGBoostXGBClassifier", calculate_linear_classifier_output_shapes, convert_xgboost,
                            options={"nocl": [True, False], "zipmap": [True, False, "columns"]})


def table():
    data = pandas.read_csv(GOLDEN / "train.csv")
    target = (data.pop("Attrition") == "Yes").astype(int).to_numpy()
    numbers = [column for column in data if data[column].dtype.kind in "if"]
    texts = [column for column in data if column not in numbers]
    data[texts] = data[texts].fillna("").astype(object)
    data[numbers] = data[numbers].astype(numpy.float64)
    return data, target, numbers, texts


def grown(rng, data, target, numbers):
    """More rows of the table's shape, so that trees grow as full as their depth allows: drawn, with noise on numbers and on every tenth label."""
    drawn = rng.integers(0, len(data), TABLE_ROWS)
    rows, labels = data.iloc[drawn].reset_index(drop=True).copy(), target[drawn] ^ (rng.random(TABLE_ROWS) < 0.1)
    for column in numbers:
        rows[column] = numpy.round(rows[column] * (1 + 0.2 * rng.standard_normal(TABLE_ROWS)))
    return rows, labels


def scored(rng, data, numbers, texts):
    """The rows that all are measured on: of the table, one value in twenty missing."""
    rows = data.iloc[rng.integers(0, len(data), ROWS)].reset_index(drop=True).copy()
    for column in data:
        rows.loc[rng.random(ROWS) < 0.05, column] = "" if column in texts else numpy.nan
    return rows


def whole(model, numbers, texts, scale=False):
    steps = [SimpleImputer(strategy="median")] + ([StandardScaler()] if scale else [])
    text = make_pipeline(SimpleImputer(missing_values="", strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    return Pipeline([("features", ColumnTransformer([("numbers", make_pipeline(*steps), numbers), ("texts", text, texts)])), ("model", model)])


def covers(path, matrix):
    """How many of these rows come to each leaf."""
    node = next(node for node in onnx.load(path).graph.node if node.op_type.startswith("TreeEnsemble"))
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    place = {key: i for i, key in enumerate(zip(given["nodes_treeids"], given["nodes_nodeids"]))}
    count, less = numpy.zeros(len(place)), b"BRANCH_LT" in given["nodes_modes"]

    def pass_down(at, rows):
        count[at] = len(rows)
        if given["nodes_modes"][at] != b"LEAF":
            values, threshold = matrix[rows, given["nodes_featureids"][at]], numpy.float32(given["nodes_values"][at])
            left = values < threshold if less else values <= threshold
            pass_down(place[given["nodes_treeids"][at], given["nodes_truenodeids"][at]], rows[left])
            pass_down(place[given["nodes_treeids"][at], given["nodes_falsenodeids"][at]], rows[~left])

    trees = list(dict.fromkeys(given["nodes_treeids"]))
    for tree in trees:
        pass_down(place[tree, 0], numpy.arange(len(matrix)))
    return {"kind": "tree", "covers": [[float(count[i]) for i, owner in enumerate(given["nodes_treeids"])
                                        if owner == tree and given["nodes_modes"][i] == b"LEAF"] for tree in trees]}


def add_reference(path, reference):
    """As docs/MODELS.md describes attrition.reference."""
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = "attrition.reference", json.dumps(reference)
    onnx.save(model, path)


def means(fitted, texts):
    return {"kind": "linear", "columns": {column: fitted[column].replace("", numpy.nan).value_counts(normalize=True).to_dict() if column in texts
                                          else float(fitted[column].mean()) for column in fitted}}


def best_ns(call, rows, spent=0.4, attempts=8):
    """Nanoseconds per row: the best of several runs."""
    call()
    start = time.perf_counter_ns()
    call()
    repeats, best = max(1, int(spent / attempts * 1e9 / max(1, time.perf_counter_ns() - start))), float("inf")
    for _ in range(attempts):
        start = time.perf_counter_ns()
        for _ in range(repeats):
            call()
        best = min(best, (time.perf_counter_ns() - start) / repeats / rows)
    return best


def ours(path, label, lines):
    done = subprocess.run([OURS, path, label, lines, ROOT / "schemas"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"models.py: {done.stderr.strip()}")
    return json.loads(done.stdout)


def through_onnxruntime(path, rows):
    """ns per row for 1 and for all rows, and ms to load."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    load = (time.perf_counter() - start) * 1e3
    kinds = {"tensor(string)": object, "tensor(double)": numpy.float64, "tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}
    feeds = {given.name: rows[given.name].to_numpy(kinds[given.type]).reshape(-1, 1) for given in session.get_inputs()}
    first, wanted = {name: column[:1] for name, column in feeds.items()}, [session.get_outputs()[1].name]
    return best_ns(lambda: session.run(wanted, first), 1), best_ns(lambda: session.run(wanted, feeds), ROWS), load


@contextlib.contextmanager
def quiet():
    """The compiler's notices, some of which go past Python's streams."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def through_tl2cgen(model, matrix, directory):
    trees = treelite.frontend.from_xgboost(model.get_booster()) if isinstance(model, xgboost.XGBClassifier) else treelite.sklearn.import_model(model)
    library = str(directory / f"trees{id(model)}.so")
    with quiet():
        tl2cgen.export_lib(trees, toolchain="gcc", libpath=library, params={"parallel_comp": 32})
    predictor = tl2cgen.Predictor(library, nthread=1)
    one, many = tl2cgen.DMatrix(matrix[:1]), tl2cgen.DMatrix(matrix)
    return best_ns(lambda: predictor.predict(one), 1), best_ns(lambda: predictor.predict(many), ROWS)


def ratio(mine, theirs):
    return f"{theirs / mine:.1f}×"


def show_speed(name, mine, runtime, compiled):
    for rows, key, at in ((1, "single_none", 0), (ROWS, "batch_none", 1)):
        print(f"{name if at == 0 else '':32} {rows:>5} {mine[key]:>10,.0f} {runtime[at]:>12,.0f} {ratio(mine[key], runtime[at]):>9}"
              + (f" {compiled[at]:>10,.0f} {ratio(mine[key], compiled[at]):>9}" if compiled else f" {'–':>10} {'–':>9}"), flush=True)


def show_reasons(name, mine):
    print(f"{name:32} {mine['batch_none']:>10,.0f} {mine['batch_three']:>10,.0f} {mine['batch_all']:>10,.0f} "
          f"{mine['single_none']:>10,.0f} {mine['single_three']:>10,.0f} {mine['load_ms']:>9.1f} {mine['bytes'] / 1024:>9,.0f}", flush=True)


def models(rng):
    """name → (pipeline, rows it was fitted on, are reasons to be had)"""
    data, target, numbers, texts = table()
    more, labels = grown(rng, data, target, numbers)
    booster = xgboost.XGBClassifier(n_estimators=100, max_depth=6, n_jobs=2, random_state=0)
    yield "linear, one-hot and scaled", whole(LogisticRegression(max_iter=2000), numbers, texts, True).fit(data, target), data
    yield "forest 100 × depth 10", whole(RandomForestClassifier(100, max_depth=10, n_jobs=2, random_state=0), numbers, texts).fit(data, target), data
    yield "the same, 20,000 rows fitted", whole(RandomForestClassifier(100, max_depth=10, n_jobs=2, random_state=0), numbers, texts).fit(more, labels), more
    yield "XGBoost 100 × depth 6", whole(booster, numbers, texts).fit(more, labels), more


def exported(pipeline, fitted, texts, path):
    types = [(column, (StringTensorType if column in texts else FloatTensorType)([None, 1])) for column in fitted]
    path.write_bytes(to_onnx(pipeline, initial_types=types, options={id(pipeline): {"zipmap": False}},
                             target_opset={"": 15, "ai.onnx.ml": 3}).SerializeToString())
    linear = isinstance(pipeline["model"], LogisticRegression)
    add_reference(path, means(fitted, texts) if linear else covers(path, numpy.asarray(pipeline["features"].transform(fitted), numpy.float32)))


def measure_models(rng, rows, lines, directory):
    print(f"ns per row, one thread; × = how much longer the other takes\n{'model':32} {'rows':>5} {'ours':>10} {'onnxruntime':>12} {'×':>9} {'tl2cgen':>10} {'×':>9}")
    golden, results, loads = GOLDEN / "onnx/rf100_f32.onnx", {}, {}
    texts = [column for column in rows if rows[column].dtype == object]
    label = json.loads((GOLDEN / "about.json").read_text()).get("positive_label", "1")
    runtime = through_onnxruntime(golden, rows)
    results["golden rf100_f32"], loads["golden rf100_f32"] = ours(golden, label, lines), runtime[2]
    show_speed("golden rf100_f32", results["golden rf100_f32"], runtime, None)
    for name, pipeline, fitted in models(rng):
        path = directory / "model.onnx"
        exported(pipeline, fitted, texts, path)
        matrix = numpy.asarray(pipeline["features"].transform(rows), numpy.float32)
        compiled = None if isinstance(pipeline["model"], LogisticRegression) else through_tl2cgen(pipeline["model"], matrix, directory)
        runtime = through_onnxruntime(path, rows)
        results[name], loads[name] = ours(path, "1", lines), runtime[2]
        show_speed(name, results[name], runtime, compiled)
    print(f"\nwhat reasons cost, ns per row; ms to load; KiB held\n{'model':32} {'none':>10} {'K=3':>10} {'all':>10} {'none, 1':>10} {'K=3, 1':>10} {'load ms':>9} {'KiB':>9}  onnxruntime's load ms")
    for name, result in results.items():
        show_reasons(name, result)
        print(f"{'':105}{loads[name]:>10.1f}" + ("" if result["reasons"] else "  (this file carries nothing for reasons)"))


def measure_shap(rng, rows, lines, directory):
    """Exact path-dependent TreeSHAP: all contributions of each row."""
    data, target, numbers, texts = table()
    more, labels = grown(rng, data, target, numbers)
    print(f"\nTreeSHAP, 100 trees × depth 8, rows/s on one thread, all contributions\n{'model':32} {'ours':>10} {'ours, K=3':>10} {'shap':>10} {'×':>9} {'XGBoost':>10} {'×':>9}")
    for name, model in (("forest, scikit-learn", RandomForestClassifier(100, max_depth=8, n_jobs=2, random_state=0)),
                        ("booster, XGBoost", xgboost.XGBClassifier(n_estimators=100, max_depth=8, n_jobs=2, random_state=0))):
        pipeline = whole(model, numbers, texts).fit(more, labels)
        path = directory / "shap.onnx"
        exported(pipeline, more, texts, path)
        mine, matrix = ours(path, "1", lines), pipeline["features"].transform(rows)[:SHAP_ROWS]
        if isinstance(model, xgboost.XGBClassifier):
            booster, given = model.get_booster(), xgboost.DMatrix(matrix)
            booster.set_param({"nthread": 1})
            contributions = best_ns(lambda: booster.predict(given, pred_contribs=True), SHAP_ROWS, 2, 3)
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
        package = best_ns(lambda: explainer.shap_values(matrix, check_additivity=False), SHAP_ROWS, 2, 3)
        print(f"{name:32} {1e9 / mine['batch_all']:>10,.0f} {1e9 / mine['batch_three']:>10,.0f} {1e9 / package:>10,.0f} {ratio(mine['batch_all'], package):>9}"
              + (f" {1e9 / contributions:>10,.0f} {ratio(mine['batch_all'], contributions):>9}" if isinstance(model, xgboost.XGBClassifier)
                 else f" {'–':>10} {'–':>9}"), flush=True)


def main():
    rng = numpy.random.default_rng(1)
    data, _, numbers, texts = table()
    rows = scored(rng, data, numbers, texts)
    with tempfile.TemporaryDirectory() as work:
        lines = Path(work) / "rows.jsonl"
        lines.write_text("".join(json.dumps({key: None if value == "" or value != value else value for key, value in row.items()}) + "\n"
                                 for row in rows.to_dict("records")))
        measure_models(rng, rows, lines, Path(work))
        measure_shap(rng, rows, lines, Path(work))


main()
