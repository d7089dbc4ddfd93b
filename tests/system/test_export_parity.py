#!/usr/bin/env python3
"""Pipelines trained and exported on the spot (scikit-learn, XGBoost, LightGBM; random seeds, encoders, depths), scored by us and by
onnxruntime on rows with missing values, unknown categories and extreme values; reasons of trees beside the shap package; and exports
that must be refused by name.

BIN: the programs' directory; VENV: Python with the exporters; SHARED: the directory that holds golden/. SEED repeats a run."""
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BIN", ROOT / "build/bin")).resolve()
VENV = Path(os.environ.get("VENV", ROOT / "build/venv"))
GOLDEN = Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "golden"
SEED = int(os.environ.get("SEED", random.randrange(10**6)))
failures = 0

# The exporters are installed there alone.
if Path(sys.prefix).resolve() != VENV.resolve():
    if not (VENV / "bin/python").exists():
        sys.exit(f"not ok - no Python environment in {VENV}: make test-system makes it")
    os.execv(VENV / "bin/python", [VENV / "bin/python", *sys.argv])

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")
import lightgbm
import numpy
import onnx
import onnxruntime
import pandas
import shap
import skl2onnx.common._container
import xgboost
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from onnxmltools.convert.xgboost import convert as convert_xgboost_alone
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (MaxAbsScaler, MinMaxScaler, OneHotEncoder, OrdinalEncoder,
                                   RobustScaler, StandardScaler)
from sklearn.tree import DecisionTreeClassifier

for model, name, converter in ((xgboost.XGBClassifier, "XGBoostXGBClassifier", convert_xgboost),
                               (lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", convert_lightgbm)):
    update_registered_converter(model, name, calculate_linear_classifier_output_shapes, converter,
                                options={"nocl": [True, False], "zipmap": [True, False, "columns"]})


make_node = skl2onnx.common._container.make_node


def make_node_of_lists(*arguments, **attributes):
    """The exporter gives histogram boosting's lists as arrays and with numpy's booleans, which onnx takes no longer."""
    def plain(element):
        element = element.item() if isinstance(element, numpy.generic) else element
        return int(element) if isinstance(element, bool) else element

    return make_node(*arguments, **{name: [plain(element) for element in value] if isinstance(value, (list, numpy.ndarray)) else value
                                    for name, value in attributes.items()})


skl2onnx.common._container.make_node = make_node_of_lists


def check(what, good, shown=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {what}{f': {shown}' if shown != '' else ''}", flush=True)


def table():
    if not (GOLDEN / "train.csv").exists():
        sys.exit(f"not ok - {GOLDEN}/train.csv is missing: set SHARED to the directory that holds golden/")
    data = pandas.read_csv(GOLDEN / "train.csv")
    target = (data.pop("Attrition") == "Yes").astype(int).to_numpy()
    numbers = [column for column in data if data[column].dtype.kind in "if"]
    texts = [column for column in data if column not in numbers]
    data[texts] = data[texts].fillna("").astype(object)
    data[numbers] = data[numbers].astype(numpy.float64)
    return data, target, numbers, texts


def rows_to_score(rng, data, numbers, texts, count=400):
    rows = data.iloc[rng.integers(0, len(data), count)].reset_index(drop=True).copy()
    for column in numbers:
        rows.loc[rng.random(count) < 0.08, column] = numpy.nan
        odd = rng.random(count) < 0.01
        rows.loc[odd, column] = rng.choice([0.0, -1.0, 1e6, -1e6, 1e-30, 3e30, 0.1], odd.sum())
    for column in texts:
        rows.loc[rng.random(count) < 0.08, column] = ""
        rows.loc[rng.random(count) < 0.03, column] = "Nobody has heard of it"
    return rows


def ours(model, rows, label, *arguments):
    def attributes(row):
        return {key: None if value == "" or value != value else value for key, value in row.items()}
    text = "".join(json.dumps({"id": i, "attributes": attributes(row)}) + "\n" for i, row in enumerate(rows.to_dict("records")))
    environment = {**os.environ, "SCHEMAS_DIR": str(ROOT / "schemas")}
    return subprocess.run([BIN / "scorer", "score", "--unchecked", "--model", model, "--positive-label", label, *arguments], env=environment,
                          input=text, capture_output=True, text=True, timeout=120)


def theirs(model, rows, column=1):
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    kinds = {"tensor(string)": object, "tensor(double)": numpy.float64, "tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}
    feeds = {given.name: rows[given.name].to_numpy(kinds[given.type]).reshape(-1, 1) for given in session.get_inputs()}
    shares = session.run(None, feeds)[1]
    if isinstance(shares, list):
        shares = numpy.array([list(share.values()) for share in shares])
    return shares[:, column]


def export(pipeline, data, texts, path, number, zipmap=False, opset=15, ml=3, whole=()):
    columns = getattr(pipeline, "feature_names_in_", data.columns)
    types = [(column, (StringTensorType if column in texts else Int64TensorType if column in whole else number)([None, 1]))
             for column in columns]
    options = {id(pipeline): {"zipmap": zipmap}}
    path.write_bytes(to_onnx(pipeline, initial_types=types, options=options,
                             target_opset={"": opset, "ai.onnx.ml": ml}).SerializeToString())


def text_steps(encoder, fill="most_frequent"):
    imputer = SimpleImputer(missing_values="", strategy=fill, **({"fill_value": "none given"} if fill == "constant" else {}))
    return make_pipeline(imputer, encoder)


def one_hot(**arguments):
    return OneHotEncoder(handle_unknown="ignore", **arguments)


def ordinal():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def cases(seed, numbers, texts):
    """name → (pipeline, text labels?, element type, ZipMap?, opset, tolerance)"""
    def features(*steps, text=None):
        return ColumnTransformer([("numbers", make_pipeline(*steps), numbers), ("texts", text or text_steps(one_hot()), texts)])

    median, mean = SimpleImputer(strategy="median"), SimpleImputer(strategy="mean")
    frequent, constant = SimpleImputer(strategy="most_frequent"), SimpleImputer(strategy="constant", fill_value=7)
    logistic = LogisticRegression(C=0.5, max_iter=2000)
    forest = RandomForestClassifier(40, max_depth=7, random_state=seed, n_jobs=2)
    trees = {"n_estimators": 50, "random_state": seed}
    quiet = {"verbosity": -1, "n_jobs": 2}
    yield "logistic, standard", features(median, StandardScaler()), logistic, {}
    yield "logistic, text labels, zipmap", features(mean, StandardScaler()), logistic, {"labels": True, "zipmap": True}
    yield "logistic, min-max", features(median, MinMaxScaler()), logistic, {}
    yield "logistic, min-max clipped", features(median, MinMaxScaler(clip=True)), logistic, {}
    yield "logistic, robust", features(frequent, RobustScaler()), logistic, {}
    yield "logistic, max-abs", features(constant, MaxAbsScaler()), logistic, {}
    yield "logistic, one-hot drops first", features(median, StandardScaler(), text=text_steps(OneHotEncoder(drop="first", handle_unknown="ignore"))), logistic, {}
    yield "logistic, one-hot drops if binary", features(median, StandardScaler(), text=text_steps(OneHotEncoder(drop="if_binary", handle_unknown="ignore"))), logistic, {}
    yield "logistic, ordinal codes", features(median, StandardScaler(), text=text_steps(ordinal())), logistic, {}
    yield "logistic, constant text", features(median, StandardScaler(), text=text_steps(one_hot(), "constant")), logistic, {}
    yield "logistic, opset 11", features(median, StandardScaler()), logistic, {"opset": 11}
    yield "stochastic gradient", features(median, StandardScaler()), SGDClassifier(loss="log_loss", random_state=seed), {}
    yield "decision tree", features(median), DecisionTreeClassifier(max_depth=6, random_state=seed), {}
    yield "decision tree, whole", features(mean, StandardScaler()), DecisionTreeClassifier(random_state=seed), {"labels": True}
    yield "forest", features(median), forest, {}
    yield "forest, text labels, zipmap", features(median), forest, {"labels": True, "zipmap": True}
    yield "forest, ordinal codes", features(median, text=text_steps(ordinal())), forest, {}
    yield "forest of 150, whole", features(median), RandomForestClassifier(150, random_state=seed, n_jobs=2), {}
    yield "forest, min-max", features(median, MinMaxScaler()), forest, {}
    yield "forest, robust", features(mean, RobustScaler()), forest, {}
    yield "forest, missing kept", ColumnTransformer([("numbers", "passthrough", numbers), ("texts", text_steps(one_hot()), texts)]), forest, {}
    yield "forest, opset 12", features(median), forest, {"opset": 12}
    yield "extra trees", features(median), ExtraTreesClassifier(60, max_depth=9, random_state=seed), {}
    yield "extra trees, max-abs", features(constant, MaxAbsScaler()), ExtraTreesClassifier(30, random_state=seed), {"labels": True}
    yield "gradient boosting", features(median), GradientBoostingClassifier(max_depth=3, **trees), {}
    yield "gradient boosting, deep", features(median, StandardScaler()), GradientBoostingClassifier(max_depth=6, subsample=0.7, **trees), {"labels": True}
    yield "histogram boosting", features(median), HistGradientBoostingClassifier(max_iter=60, random_state=seed), {"ml": 2}
    yield "histogram boosting, missing kept", ColumnTransformer([("numbers", "passthrough", numbers), ("texts", text_steps(one_hot()), texts)]), \
        HistGradientBoostingClassifier(max_iter=40, max_depth=5, random_state=seed), {"zipmap": True, "ml": 2}
    yield "xgboost", features(median), xgboost.XGBClassifier(n_estimators=80, max_depth=6, random_state=seed, n_jobs=2), {}
    yield "xgboost, missing kept", ColumnTransformer([("numbers", "passthrough", numbers), ("texts", text_steps(one_hot(sparse_output=False)), texts)]), \
        xgboost.XGBClassifier(n_estimators=40, max_depth=4, random_state=seed, n_jobs=2), {}
    yield "lightgbm", features(median), lightgbm.LGBMClassifier(num_leaves=31, n_estimators=60, random_state=seed, **quiet), {}
    yield "lightgbm, missing kept", ColumnTransformer([("numbers", "passthrough", numbers), ("texts", text_steps(one_hot()), texts)]), \
        lightgbm.LGBMClassifier(max_depth=5, n_estimators=40, random_state=seed, **quiet), {}
    yield "stochastic gradient, positive class first", features(median, StandardScaler()), SGDClassifier(loss="log_loss", random_state=seed), \
        {"labels": ("A leaver", "Stays")}
    yield "logistic, positive class first, zipmap", features(median, StandardScaler()), logistic, {"labels": ("A leaver", "Stays"), "zipmap": True}
    yield "forest, positive class first", features(median), forest, {"labels": ("A leaver", "Stays")}
    yield "gradient boosting, positive class first", features(median), GradientBoostingClassifier(max_depth=3, **trees), {"labels": ("A leaver", "Stays")}
    for opset in (9, 10, 13, 18, 21):
        yield f"logistic, opset {opset}", features(median, MinMaxScaler()), logistic, {"opset": opset, "ml": 2 if opset < 15 else 3}
        yield f"forest, opset {opset}", features(median), forest, {"opset": opset, "ml": 2 if opset < 15 else 3}
    yield "logistic, integers", features(StandardScaler()), logistic, {"whole": True, "complete": True}
    yield "forest, integers", ColumnTransformer([("numbers", "passthrough", numbers)]), forest, {"whole": True, "complete": True}
    yield "logistic, doubles", features(StandardScaler()), logistic, {"double": True, "complete": True}
    yield "forest, doubles", features(StandardScaler()), forest, {"double": True, "complete": True}


def check_exports(folder, data, target, numbers, texts):
    rng, passed = numpy.random.default_rng(SEED), 0
    for number, (name, features, model, form) in enumerate(cases(SEED % 1000, numbers, texts)):
        path = folder / f"{number}.onnx"
        yes, no = form["labels"] if isinstance(form.get("labels"), tuple) else ("Yes", "No") if form.get("labels") else (1, 0)
        labels = numpy.where(target, yes, no)
        fitted, rows = data, rows_to_score(rng, data, numbers, texts)
        if form.get("complete"):
            fitted = data.fillna(data[numbers].median())
            rows[numbers] = rows[numbers].fillna(data[numbers].median())
        if form.get("whole"):
            rows[numbers] = rows[numbers].clip(-1e6, 1e6).round()
        pipeline = Pipeline([("features", features), ("model", model)]).fit(fitted, labels)
        if not form.get("double"):
            rows[numbers] = rows[numbers].astype(numpy.float32).astype(numpy.float64)
        try:
            export(pipeline, data, texts, path, DoubleTensorType if form.get("double") else FloatTensorType, form.get("zipmap", False),
                   form.get("opset", 15), form.get("ml", 3), numbers if form.get("whole") else ())
            expected = theirs(path, rows, 0 if yes == "A leaver" else 1)
        except Exception as failure:
            check(f"{name}: exports and runs elsewhere", False, f"{type(failure).__name__}: {str(failure)[:300]}")
            continue
        done = ours(path, rows, str(yes))
        if done.returncode:
            check(name, False, done.stderr.strip()[:300])
            continue
        mine = numpy.array([json.loads(line)["probability"] for line in done.stdout.splitlines()])
        worst = numpy.abs(mine - expected).max()
        check(f"{name} within 1e-6", len(mine) == len(rows) and worst <= 1e-6, f"worst {worst:.2g}, spread {expected.std():.2f}")
        passed += worst <= 1e-6
    check("at least 25 further pipelines", passed >= 25, passed)


def handmade(wide=False):
    """name → model: legal ways of writing that exporters seldom use, over the columns Age and DistanceFromHome."""
    tensor, make, info = onnx.helper.make_tensor, onnx.helper.make_node, onnx.helper.make_tensor_value_info
    kinds = {"float": onnx.TensorProto.FLOAT, "int": onnx.TensorProto.INT64}

    def model(nodes, constants=(), kind="float", label=onnx.TensorProto.STRING, opset=15):
        inputs = [info("X", kinds[kind], [None, 2])] if wide else [info(name, kinds[kind], [None, 1]) for name in ("Age", "DistanceFromHome")]
        join = [] if wide else [make("Concat", ["Age", "DistanceFromHome"], ["X"], axis=-1)]
        graph = onnx.helper.make_graph(join + nodes, "g", inputs, [info("label", label, [None]), info("shares", onnx.TensorProto.FLOAT, [None, 2])],
                                       list(constants))
        return onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", 3)])

    def linear(weights, offsets, link, given="X", labels=("No", "Yes"), **more):
        return make("LinearClassifier", [given], ["label", "shares"], domain="ai.onnx.ml", coefficients=weights, intercepts=offsets,
                    post_transform=link, classlabels_strings=labels, **more)

    trees = make("TreeEnsembleClassifier", ["X"], ["label", "shares"], domain="ai.onnx.ml", nodes_treeids=[0] * 5, nodes_nodeids=[0, 1, 2, 3, 4],
                 nodes_featureids=[0, 1, 0, 0, 0], nodes_modes=["BRANCH_LEQ", "BRANCH_GT", "LEAF", "LEAF", "LEAF"], nodes_values=[38.5, 9.0, 0.0, 0.0, 0.0],
                 nodes_truenodeids=[1, 3, 0, 0, 0], nodes_falsenodeids=[2, 4, 0, 0, 0], class_treeids=[0] * 3, class_nodeids=[2, 3, 4],
                 class_ids=[0] * 3, class_weights=[-0.5, 1.25, 0.25], post_transform="LOGISTIC", classlabels_strings=["No", "Yes"])
    two, opposed = [0.02, -0.03, -0.05, 0.1], [0.05, -0.1, -0.05, 0.1]
    yield "two rows, LOGISTIC", model([linear(opposed, [0.7, -0.7], "LOGISTIC")])
    yield "two rows, SOFTMAX", model([linear(two, [0.5, -0.7], "SOFTMAX")])
    yield "two rows, SOFTMAX, positive first", model([linear(two, [0.5, -0.7], "SOFTMAX", labels=("Yes", "No"))])
    yield "one row, LOGISTIC", model([linear(two[2:], [-0.7], "LOGISTIC")])
    yield "one row, LOGISTIC, no weight below zero", model([linear([0.01, 0.1], [0.2], "LOGISTIC")])
    yield "integers to a linear classifier", model([linear(opposed, [0.7, -0.7], "LOGISTIC")], kind="int")
    yield "integers to trees", model([trees], kind="int")
    yield "integers to a scaler", model([make("Scaler", ["X"], ["s"], domain="ai.onnx.ml", offset=[36.0, 9.0], scale=[0.1, 0.2]),
                                              linear(opposed, [0.7, -0.7], "LOGISTIC", "s")], kind="int")
    low, high = tensor("low", 1, [], [-1.5]), tensor("high", 1, [], numpy.array([2.5], numpy.float32).tobytes(), raw=True)
    mean = tensor("mean", 1, [2], numpy.array([36.0, 9.0], numpy.float32).tobytes(), raw=True)
    centred = make("Sub", ["X", "mean"], ["c"])
    yield "bounds as scalars, typed and raw", model([centred, make("Clip", ["c", "low", "high"], ["k"]), linear(opposed, [0.7, -0.7], "LOGISTIC", "k")],
                                                   [mean, low, high])
    yield "the lower bound left out", model([centred, make("Clip", ["c", "", "high"], ["k"]), linear(opposed, [0.7, -0.7], "LOGISTIC", "k")], [mean, high])
    yield "bounds as attributes", model([centred, make("Clip", ["c"], ["k"], min=-1.5, max=2.5), linear(opposed, [0.7, -0.7], "LOGISTIC", "k")],
                                        [mean], opset=10)
    picked = tensor("picked", onnx.TensorProto.INT64, [2], [-1, 0])
    yield "negative axis and indices", model([make("Gather", ["X", "picked"], ["g"], axis=-1), linear(opposed, [0.7, -0.7], "LOGISTIC", "g")], [picked])


def check_handmade(folder, data):
    rng = numpy.random.default_rng(SEED + 2)
    rows = data[["Age", "DistanceFromHome"]].fillna(30).iloc[rng.integers(0, len(data), 200)].reset_index(drop=True)
    for number, (name, model) in enumerate(handmade()):
        path = folder / f"hand-{number}.onnx"
        onnx.save(model, path)
        try:
            labels = [list(node.attribute) for node in model.graph.node if node.output[0] == "label"][0]
            first = next(a for a in labels if a.name == "classlabels_strings").strings[0]
            expected = theirs(path, rows, 0 if first == b"Yes" else 1)
        except Exception as failure:
            check(f"{name}: runs elsewhere", False, f"{type(failure).__name__}: {str(failure)[:300]}")
            continue
        done = ours(path, rows, "Yes")
        mine = numpy.array([json.loads(line).get("probability", numpy.nan) for line in done.stdout.splitlines()])
        worst = numpy.abs(mine - expected).max() if len(mine) == len(rows) else numpy.nan
        check(f"{name} within 1e-6", worst <= 1e-6, f"worst {worst:.2g}, spread {expected.std():.2f}" if not done.returncode else done.stderr.strip()[:300])
        if name.startswith("integers"):
            lines = [json.loads(line) for line in ours(path, rows.assign(Age=numpy.nan).head(3), "Yes").stdout.splitlines()]
            check(f"{name}: a row without one has no score", len(lines) == 3 and all("error" in line for line in lines), lines[0].get("error"))


def add_covers(path, covers):
    """As docs/MODELS.md says."""
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = "attrition.reference", json.dumps({"kind": "tree", "covers": covers})
    onnx.save(model, path)


def trees_for_shap(path, leaf_covers):
    """The file's trees as the shap package takes them."""
    node = next(node for node in onnx.load(path).graph.node if node.op_type == "TreeEnsembleClassifier")
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    weights = dict(zip(zip(given["class_treeids"], given["class_nodeids"]), given["class_weights"]))
    trees, threshold = [], numpy.array(given["nodes_values"], numpy.float32)
    if b"BRANCH_LT" in given["nodes_modes"]:
        threshold = numpy.nextafter(threshold, numpy.float32(-numpy.inf))
    for tree, covers in zip(dict.fromkeys(given["nodes_treeids"]), leaf_covers):
        at = [i for i, owner in enumerate(given["nodes_treeids"]) if owner == tree]
        place = {given["nodes_nodeids"][i]: k for k, i in enumerate(at)}
        leaf = numpy.array([given["nodes_modes"][i] == b"LEAF" for i in at])
        left, right = ([-1 if leaf[k] else place[given[name][i]] for k, i in enumerate(at)]
                       for name in ("nodes_truenodeids", "nodes_falsenodeids"))
        rows = numpy.zeros(len(at))
        rows[leaf] = covers

        def fill(k):
            if not leaf[k]:
                rows[k] = fill(left[k]) + fill(right[k])
            return rows[k]

        fill(0)
        trees.append({"children_left": numpy.array(left), "children_right": numpy.array(right), "children_default": numpy.array(right),
                      "features": numpy.array([given["nodes_featureids"][i] for i in at]),
                      "thresholds": threshold[at].astype(numpy.float64), "node_sample_weight": rows,
                      "values": numpy.array([[weights.get((tree, given["nodes_nodeids"][i]), 0.0)] for i in at])})
    return {"trees": trees}


def check_reasons(folder, data, target, numbers, texts):
    rng, seed = numpy.random.default_rng(SEED + 1), SEED % 1000
    models = {"forest": (RandomForestClassifier(50, max_depth=8, random_state=seed), lambda m: [e.tree_ for e in m.estimators_]),
              "extra trees": (ExtraTreesClassifier(10, random_state=seed), lambda m: [e.tree_ for e in m.estimators_]),
              "gradient boosting": (GradientBoostingClassifier(n_estimators=40, max_depth=5, random_state=seed),
                                    lambda m: [e.tree_ for e in m.estimators_.ravel()]),
              "xgboost": (xgboost.XGBClassifier(n_estimators=30, max_depth=5, random_state=seed), None)}
    for name, (model, trees_of) in models.items():
        features = ColumnTransformer([("numbers", make_pipeline(SimpleImputer(strategy="median")), numbers),
                                      ("texts", text_steps(one_hot(sparse_output=False)), texts)])
        pipeline = Pipeline([("features", features), ("model", model)]).fit(data, target)
        path, rows = folder / "explained.onnx", rows_to_score(rng, data, numbers, texts, 50)
        rows[numbers] = rows[numbers].astype(numpy.float32).astype(numpy.float64)
        export(pipeline, data, texts, path, FloatTensorType)
        if trees_of:
            covers = [[float(w) for w, left in zip(tree.weighted_n_node_samples, tree.children_left) if left < 0] for tree in trees_of(model)]
        else:
            node = next(node for node in onnx.load(path).graph.node if node.op_type == "TreeEnsembleClassifier")
            given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
            covers = [[float(rng.integers(1, 90)) for owner, mode in zip(given["nodes_treeids"], given["nodes_modes"])
                       if owner == tree and mode == b"LEAF"] for tree in dict.fromkeys(given["nodes_treeids"])]
        add_covers(path, covers)
        matrix = numpy.asarray(pipeline["features"].transform(rows), numpy.float32).astype(numpy.float64)
        explainer = shap.TreeExplainer(trees_for_shap(path, covers), feature_perturbation="tree_path_dependent")
        expected = numpy.array(explainer.shap_values(matrix, check_additivity=False)).reshape(len(rows), -1)
        sources = [feature.split("__", 1)[1] for feature in pipeline["features"].get_feature_names_out()]
        sources = [source if source in numbers else max((text for text in texts if source.startswith(text + "_")), key=len)
                   for source in sources]
        done, worst, gap = ours(path, rows, "1", "--reasons", "100"), 0, 0
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        for answer, values in zip(answers, expected):
            mine = {reason["feature"]: reason["contribution"] for reason in answer["reasons"]}
            summed = {column: sum(v for source, v in zip(sources, values) if source == column) for column in set(sources)}
            worst = max(worst, max(abs(mine.get(column, 0) - value) for column, value in summed.items()))
            gap = max(gap, abs(answer["base"] + sum(mine.values()) - answer["margin"]))
        check(f"reasons of {name} equal shap's within 1e-9", len(answers) == len(rows) and worst <= 1e-9, f"worst {worst:.2g}")
        check(f"reasons of {name} add up to the margin within 1e-12", len(answers) == len(rows) and gap <= 1e-12, f"worst {gap:.2g}")


def refusals(seed, numbers, texts):
    """name of the operator → (features, model)"""
    def features(*steps):
        return ColumnTransformer([("numbers", make_pipeline(*steps), numbers), ("texts", text_steps(one_hot()), texts)])

    scaled = (SimpleImputer(strategy="median"), StandardScaler())
    yield "TopK|CDist|Scan|LinearRegressor", features(*scaled), KNeighborsClassifier(3)
    yield "LinearClassifier", features(*scaled), SGDClassifier(random_state=seed)  # no probabilities


def check_refusals(folder, data, target, numbers, texts):
    rows, named = data.head(3), 0
    for number, (operators, features, model) in enumerate(refusals(SEED % 1000, numbers, texts)):
        path, name = folder / f"refused-{number}.onnx", type(model).__name__
        export(Pipeline([("features", features), ("model", model)]).fit(data, target), data, texts, path, FloatTensorType)
        done = ours(path, rows, "1")
        good = done.returncode == 1 and done.stderr.count("\n") == 1
        named += good and "operator " in done.stderr and "node '" in done.stderr
        check(f"{name} ({operators}) is refused", good, done.stderr.strip().split(".onnx: ")[-1][:200])
    check("each of them", named == number + 1, f"{named} of {number + 1}")
    path = folder / "wide.onnx"
    onnx.save(next(handmade(wide=True))[1], path)
    done = ours(path, rows, "Yes")
    check("one table of unnamed columns is refused, and the message says how to export it", done.returncode == 1 and done.stderr.count("\n") == 1 and
          "one input [N, 1] for each column" in done.stderr, done.stderr.strip().split(".onnx: ")[-1])
    regressor = xgboost.XGBRegressor(n_estimators=3, max_depth=2).fit(data[numbers].to_numpy(), target)
    path.write_bytes(convert_xgboost_alone(regressor, initial_types=[("input", FloatTensorType([None, len(numbers)]))]).SerializeToString())
    done = ours(path, rows, "1")
    check("a regressor is refused by operator", done.returncode == 1 and "operator TreeEnsembleRegressor (node '" in done.stderr,
          done.stderr.strip().split(".onnx: ")[-1])



def main():
    print(f"# SEED={SEED}")
    random.seed(SEED)
    data, target, numbers, texts = table()
    with tempfile.TemporaryDirectory(prefix="export-parity-") as name:
        check_handmade(Path(name), data)
        check_exports(Path(name), data, target, numbers, texts)
        check_reasons(Path(name), data, target, numbers, texts)
        check_refusals(Path(name), data, target, numbers, texts)
    sys.exit(failures != 0)


main()
