#!/usr/bin/env python3
"""The table by estimator in docs/MODELS.md: each is trained, exported with the installed exporters and tried. What is accepted must equal
onnxruntime on every row that it has a score for, and give no score where onnxruntime refuses the row; what is refused must be refused by name.

WRITE=1 writes the table into docs/MODELS.md; without, it must be what stands there. BIN, VENV, SHARED and SEED as in test_export_parity.py;
ONLY=WORD tries the rows alone that have it in their name."""
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BIN", ROOT / "build/bin")).resolve()
VENV = Path(os.environ.get("VENV", ROOT / "build/venv"))
GOLDEN = Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "golden"
SEED = int(os.environ.get("SEED", 7))
ONLY = os.environ.get("ONLY", "")
DOCUMENT = ROOT / "docs/MODELS.md"
failures = 0
FIT = {"LGBMClassifier(categorical_feature)": {"model__categorical_feature": list(range(8))}}

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
import skl2onnx.common._container
import xgboost
from onnxmltools.convert import convert_lightgbm as lightgbm_alone
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloatTensorType
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.algebra.onnx_operator import OnnxOperator
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (AdaBoostClassifier, BaggingClassifier, ExtraTreesClassifier, GradientBoostingClassifier,
                              HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (Binarizer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder,
                                   PolynomialFeatures, PowerTransformer, QuantileTransformer, RobustScaler, StandardScaler)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

for model, name, converter in ((xgboost.XGBClassifier, "XGBoostXGBClassifier", convert_xgboost),
                               (xgboost.XGBRFClassifier, "XGBoostXGBRFClassifier", convert_xgboost),
                               (lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", convert_lightgbm)):
    update_registered_converter(model, name, calculate_linear_classifier_output_shapes, converter,
                                options={"nocl": [True, False], "zipmap": [True, False, "columns"], "raw_scores": [True, False]})

make_node = skl2onnx.common._container.make_node


def make_node_of_lists(*arguments, **attributes):
    """The exporter gives histogram boosting's lists as arrays and with numpy's booleans, which onnx takes no longer."""
    def plain(element):
        element = element.item() if isinstance(element, numpy.generic) else element
        return int(element) if isinstance(element, bool) else element

    return make_node(*arguments, **{name: [plain(element) for element in value] if isinstance(value, (list, numpy.ndarray)) else value
                                    for name, value in attributes.items()})


skl2onnx.common._container.make_node = make_node_of_lists
OnnxOperator._verify_add_to_ = lambda operator: None  # it visits shared inputs once for each way to them: minutes for 1,000 quantiles
onnxruntime.set_default_logger_severity(4)


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


def text_steps(encoder):
    return make_pipeline(SimpleImputer(missing_values="", strategy="most_frequent"), encoder)


def dense(**arguments):
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False, **arguments)


def estimators(numbers, texts):
    """(group, name in the table, steps)"""
    def features(*steps, text=None, number=None):
        return ColumnTransformer([("numbers", number or make_pipeline(SimpleImputer(strategy="median"), *steps), numbers),
                                  ("texts", text or text_steps(dense()), texts)])

    def logistic():
        return LogisticRegression(C=0.5, max_iter=1000)

    def tree(depth=4):
        return DecisionTreeClassifier(max_depth=depth, random_state=SEED)

    def forest(count=10):
        return RandomForestClassifier(count, max_depth=5, random_state=SEED)

    def boosting():
        return GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=SEED)

    scaled, plain, seeded = features(StandardScaler()), features(), {"random_state": SEED}
    quiet = {"verbosity": -1, "n_jobs": 2, "random_state": SEED, "n_estimators": 20}
    models = {
        "LogisticRegression": logistic(), "LogisticRegressionCV": LogisticRegressionCV(Cs=3, cv=2, max_iter=500), "SGDClassifier(loss='log_loss')":
        SGDClassifier(loss="log_loss", **seeded), "SGDClassifier(loss='hinge')": SGDClassifier(**seeded), "Perceptron": Perceptron(**seeded),
        "RidgeClassifier": RidgeClassifier(), "LinearSVC": LinearSVC(), "SVC(probability=True)": SVC(probability=True, **seeded),
        "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis(), "QuadraticDiscriminantAnalysis": QuadraticDiscriminantAnalysis(reg_param=0.5),
        "GaussianNB": GaussianNB(), "BernoulliNB": BernoulliNB(), "KNeighborsClassifier": KNeighborsClassifier(3), "MLPClassifier": MLPClassifier((20, 10), max_iter=60, **seeded),
        "MLPClassifier(activation='tanh')": MLPClassifier((20,), activation="tanh", max_iter=60, **seeded),
        "MLPClassifier(activation='logistic')": MLPClassifier((20,), activation="logistic", max_iter=60, **seeded)}
    for name, model in models.items():
        yield "linear, distances, networks", name, scaled, model
    trees = {
        "DecisionTreeClassifier": tree(), "ExtraTreeClassifier": ExtraTreeClassifier(max_depth=5, **seeded), "RandomForestClassifier": forest(),
        "ExtraTreesClassifier": ExtraTreesClassifier(10, max_depth=5, **seeded), "GradientBoostingClassifier": boosting(),
        "GradientBoostingClassifier(loss='exponential')": GradientBoostingClassifier(loss="exponential", n_estimators=20, **seeded),
        "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=20, **seeded),
        "XGBClassifier": xgboost.XGBClassifier(n_estimators=20, max_depth=4, **seeded),
        "XGBClassifier(booster='dart')": xgboost.XGBClassifier(n_estimators=10, booster="dart", rate_drop=0.2, **seeded),
        "XGBRFClassifier": xgboost.XGBRFClassifier(n_estimators=10, max_depth=4, **seeded),
        "LGBMClassifier": lightgbm.LGBMClassifier(**quiet), "LGBMClassifier(boosting_type='dart')": lightgbm.LGBMClassifier(boosting_type="dart", **quiet),
        "LGBMClassifier(boosting_type='rf')": lightgbm.LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **quiet),
        "AdaBoostClassifier": AdaBoostClassifier(n_estimators=10, **seeded),
        "AdaBoostClassifier(deeper trees)": AdaBoostClassifier(tree(3), n_estimators=5, **seeded)}
    for name, model in trees.items():
        yield "trees", name, plain, model
    joined = {
        "CalibratedClassifierCV(LogisticRegression)": CalibratedClassifierCV(logistic(), cv=3),
        "CalibratedClassifierCV(LinearSVC)": CalibratedClassifierCV(LinearSVC(), cv=3),
        "CalibratedClassifierCV(SVC)": CalibratedClassifierCV(SVC(**seeded), cv=3),
        "CalibratedClassifierCV(RandomForest)": CalibratedClassifierCV(forest(), cv=3),
        "CalibratedClassifierCV(GradientBoosting)": CalibratedClassifierCV(boosting(), cv=3),
        "CalibratedClassifierCV(HistGradientBoosting)": CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=20, **seeded), cv=3),
        "CalibratedClassifierCV(XGBClassifier)": CalibratedClassifierCV(xgboost.XGBClassifier(n_estimators=20, max_depth=4, **seeded), cv=3),
        "CalibratedClassifierCV(LGBMClassifier)": CalibratedClassifierCV(lightgbm.LGBMClassifier(**quiet), cv=3),
        "CalibratedClassifierCV(GaussianNB)": CalibratedClassifierCV(GaussianNB(), cv=3),
        "CalibratedClassifierCV(ensemble=False)": CalibratedClassifierCV(forest(), cv=3, ensemble=False),
        "CalibratedClassifierCV(LogisticRegression, 'isotonic')": CalibratedClassifierCV(logistic(), method="isotonic", cv=3),
        "CalibratedClassifierCV(RandomForest, 'isotonic')": CalibratedClassifierCV(forest(), method="isotonic", cv=3),
        "CalibratedClassifierCV(GradientBoosting, 'isotonic')": CalibratedClassifierCV(boosting(), method="isotonic", cv=3),
        "VotingClassifier(soft)": VotingClassifier([("a", logistic()), ("b", forest())], voting="soft", flatten_transform=False),
        "VotingClassifier(soft, weights)": VotingClassifier([("a", logistic()), ("b", boosting())], voting="soft", weights=numpy.array([1, 2]), flatten_transform=False),
        "VotingClassifier(hard)": VotingClassifier([("a", logistic()), ("b", tree()), ("c", forest())], flatten_transform=False),
        "BaggingClassifier(trees)": BaggingClassifier(tree(), 10, **seeded), "BaggingClassifier(LogisticRegression)": BaggingClassifier(logistic(), 5, max_features=0.5, **seeded),
        "StackingClassifier(final LogisticRegression)": StackingClassifier([("a", logistic()), ("b", forest())], final_estimator=logistic(), cv=2),
        "StackingClassifier(final RandomForest)": StackingClassifier([("a", logistic()), ("b", tree())], final_estimator=forest(), cv=2),
        "StackingClassifier(passthrough)": StackingClassifier([("a", logistic()), ("b", tree())], final_estimator=logistic(), cv=2, passthrough=True),
        "OneVsRestClassifier(LogisticRegression)": OneVsRestClassifier(logistic()), "OneVsRestClassifier(RandomForest)": OneVsRestClassifier(forest())}
    for name, model in joined.items():
        yield "several models joined", name, scaled, model

    def texts_by(encoder):
        return features(StandardScaler(), text=text_steps(encoder))

    def numbers_by(*steps):
        return features(*steps)

    ordinal = ColumnTransformer([("texts", text_steps(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), texts),
                                 ("codes", SimpleImputer(strategy="median"), numbers[:8 - len(texts)]),
                                 ("numbers", "passthrough", numbers[8 - len(texts):])])
    prepared = {
        "LGBMClassifier(categorical_feature)": (ordinal, lightgbm.LGBMClassifier(min_data_per_group=5, cat_smooth=1, **quiet)),
        "OneHotEncoder() (unknown: no score)": (texts_by(OneHotEncoder(sparse_output=False)), logistic()),
        "OneHotEncoder(), trees": (texts_by(OneHotEncoder(sparse_output=False)), forest()),
        "OneHotEncoder(drop='first')": (texts_by(dense(drop="first")), logistic()),
        "OneHotEncoder(min_frequency)": (texts_by(OneHotEncoder(min_frequency=100, handle_unknown="infrequent_if_exist", sparse_output=False)), logistic()),
        "OneHotEncoder(max_categories), trees": (texts_by(OneHotEncoder(max_categories=3, handle_unknown="infrequent_if_exist", sparse_output=False)), forest()),
        "OrdinalEncoder": (texts_by(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), forest()),
        "MinMaxScaler": (numbers_by(MinMaxScaler()), logistic()), "MaxAbsScaler": (numbers_by(MaxAbsScaler()), logistic()),
        "RobustScaler": (numbers_by(RobustScaler()), logistic()), "Normalizer": (numbers_by(StandardScaler(), Normalizer()), logistic()),
        "Normalizer('l1'), trees": (numbers_by(StandardScaler(), Normalizer("l1")), forest()), "Binarizer": (numbers_by(Binarizer(threshold=10)), logistic()),
        "KBinsDiscretizer('onehot-dense')": (numbers_by(KBinsDiscretizer(4, encode="onehot-dense", quantile_method="averaged_inverted_cdf")), logistic()),
        "KBinsDiscretizer('ordinal')": (numbers_by(KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")), forest()),
        "PowerTransformer": (numbers_by(PowerTransformer()), logistic()), "QuantileTransformer": (numbers_by(QuantileTransformer(n_quantiles=20)), logistic()),
        "QuantileTransformer, trees": (numbers_by(QuantileTransformer(n_quantiles=100)), forest()),
        "QuantileTransformer() (1,000 quantiles)": (numbers_by(QuantileTransformer()), logistic()),
        "QuantileTransformer(output_distribution='normal')": (numbers_by(QuantileTransformer(n_quantiles=20, output_distribution="normal")), logistic()),
        "PolynomialFeatures(2)": (features(number=make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), PolynomialFeatures(2))), logistic()),
        "PCA, LogisticRegression": (make_pipeline(scaled, PCA(8, **seeded)), logistic()), "PCA, RandomForest": (make_pipeline(scaled, PCA(8, **seeded)), forest()),
        "TruncatedSVD": (make_pipeline(scaled, TruncatedSVD(8, **seeded)), logistic()), "SelectKBest": (make_pipeline(scaled, SelectKBest(k=20)), logistic()),
        "VarianceThreshold": (make_pipeline(scaled, VarianceThreshold(0.01)), forest()), "KNNImputer": (features(number=KNNImputer(n_neighbors=2)), logistic()),
        "SimpleImputer(add_indicator=True)": (features(number=SimpleImputer(strategy="median", add_indicator=True)), logistic()),
        "no imputation, HistGradientBoosting": (features(number="passthrough"), HistGradientBoostingClassifier(max_iter=20, **seeded)),
        "no imputation, XGBClassifier": (features(number="passthrough"), xgboost.XGBClassifier(n_estimators=20, max_depth=4, **seeded)),
        "no imputation, LGBMClassifier": (features(number="passthrough"), lightgbm.LGBMClassifier(**quiet))}
    for name, (steps, model) in prepared.items():
        yield "steps before the model", name, steps, model
    exec(re.search(r"^```python\n((?:(?!^```).)*def convert_indicators.*?)^```", DOCUMENT.read_text(), re.M | re.S).group(1), {})
    for name, model in (("LogisticRegression", logistic()), ("RandomForest", forest())):
        yield "steps before the model", f"SimpleImputer(add_indicator=True), {name}, with the converter below", features(
            number=SimpleImputer(strategy="median", add_indicator=True)), model


def rows_to_score(rng, data, numbers, texts, count=200):
    rows = data.iloc[rng.integers(0, len(data), count)].reset_index(drop=True).copy()
    for column in numbers:
        rows.loc[rng.random(count) < 0.05, column] = numpy.nan
    for column in texts:
        rows.loc[rng.random(count) < 0.05, column] = ""
        rows.loc[rng.random(count) < 0.01, column] = "Nobody has heard of it"
    rows[numbers] = rows[numbers].astype(numpy.float32).astype(numpy.float64)
    return rows


def ours(model, rows, *arguments):
    def attributes(row):
        return {key: None if value == "" or value != value else value for key, value in row.items()}
    text = "".join(json.dumps({"id": i, "attributes": attributes(row)}) + "\n" for i, row in enumerate(rows.to_dict("records")))
    environment = {**os.environ, "SCHEMAS_DIR": str(ROOT / "schemas")}
    return subprocess.run([BIN / "scorer", "score", "--unchecked", "--model", model, *arguments], env=environment, input=text, capture_output=True,
                          text=True, timeout=300)


def theirs(model, rows, table_of=None):
    """The share of class 1 of each row, NaN where onnxruntime refuses it."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def run(part):
        if table_of:
            feeds = {session.get_inputs()[0].name: part[table_of].to_numpy(numpy.float32)}
        else:
            kinds = {"tensor(string)": object, "tensor(float)": numpy.float32}
            feeds = {given.name: part[given.name].to_numpy(kinds[given.type]).reshape(-1, 1) for given in session.get_inputs()}
        shares = session.run(None, feeds)[1]
        return numpy.array([list(share.values()) for share in shares] if isinstance(shares, list) else shares)[:, 1]

    try:
        return run(rows)
    except IndexError:
        return numpy.full(len(rows), numpy.nan)  # one number a row
    except Exception:
        answers = []
        for i in range(len(rows)):
            try:
                answers.append(run(rows.iloc[i:i + 1])[0])
            except Exception:
                answers.append(numpy.nan)
        return numpy.array(answers, numpy.float64)


def compare(name, path, rows, expected, *arguments, most=None, noise=0):
    """(the table's word, whether it is good)"""
    done = ours(path, rows, *arguments)
    if done.returncode:
        message = done.stderr.strip().split(".onnx: ")[-1]
        good = done.returncode == 1 and done.stderr.count("\n") == 1
        check(f"{name}: refused in one line", good, message[:220])
        check(f"{name}: in the estimator's words", re.search(r"no probabilities|no probability|predict_proba|train |use ", message), message[:220])
        found = re.search(r"operator ([\w.]+)", message)
        return "refused: " + ("it has no probabilities" if re.search("no probabilities|the probabilities of two classes", message) else
                              "the exporter leaves out its indicators" if "left some out" in message else found.group(1) if found else "its form")
    mine = numpy.array([json.loads(line).get("probability", numpy.nan) for line in done.stdout.splitlines()], numpy.float64)
    none = numpy.isnan(expected)
    most = most or (3e-6 if "Polynomial" in name or name in ("BernoulliNB", "GaussianNB") else 1e-6)  # sums of hundreds of floats, in another order
    worst = (numpy.abs(mine - expected) - noise)[~none].max() if len(mine) == len(rows) and not none.all() else numpy.nan
    check(f"{name}: as onnxruntime within {most:g}, and no score where it fails", worst <= most and (numpy.isnan(mine) == none).all(),
          f"worst {worst:.2g}, spread {numpy.nanstd(expected):.2f}, without a score {numpy.isnan(mine).sum()} and {none.sum()}")
    return "accepted"


def try_pipelines(folder, data, target, numbers, texts):
    rng = numpy.random.default_rng(SEED)
    rows = rows_to_score(rng, data, numbers, texts)
    for number, (group, name, steps, model) in enumerate(estimators(numbers, texts)):
        if ONLY not in name:
            continue
        path = folder / f"{number}.onnx"
        pipeline = Pipeline([("features", steps), ("model", model)])
        try:
            pipeline.fit(data, target, **FIT.get(name, {}))
            types = [(column, (StringTensorType if column in texts else FloatTensorType)([None, 1])) for column in data]
            path.write_bytes(to_onnx(pipeline, initial_types=types, options={id(model): {"nocl": False}} if isinstance(model, LinearSVC) else {id(pipeline): {"zipmap": False}},
                                     target_opset={"": 15, "ai.onnx.ml": 2 if "Hist" in name else 3}).SerializeToString())
            expected = theirs(path, rows)
        except Exception as failure:
            print(f"# {name}: not exported: {type(failure).__name__}: {str(failure).splitlines()[0][:150]}", flush=True)
            yield group, name, "not exported"
            continue
        yield group, name, compare(name, path, rows, expected)


def written(rows):
    lines, before = ["| estimator or step | |", "|---|---|"], None
    for group, name, word in rows:
        if group != before:
            lines.append(f"| **{group}** | |")
        before = group
        lines.append(f"| `{name}` | {word} |")
    return "\n".join(lines) + "\n"


def check_document(rows):
    begin, end = "<!-- estimators: tests/system/test_estimators.py writes this table with WRITE=1 -->\n", "<!-- end of estimators -->\n"
    text = DOCUMENT.read_text()
    head, _, rest = text.partition(begin)
    before, _, tail = rest.partition(end)
    if os.environ.get("WRITE"):
        DOCUMENT.write_text(head + begin + written(rows) + end + tail)
    else:
        check("docs/MODELS.md has this table: WRITE=1 writes it", before == written(rows))


def main():
    print(f"# SEED={SEED}")
    data, target, numbers, texts = table()
    with tempfile.TemporaryDirectory(prefix="estimators-") as name:
        rows = list(try_pipelines(Path(name), data, target, numbers, texts))
    check("at least 60 are tried", len(rows) >= 60 or ONLY, len(rows))
    print(f"# accepted: {sum(word == 'accepted' for _, _, word in rows)} of {len(rows)}")
    if not ONLY:
        check_document(rows)
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
