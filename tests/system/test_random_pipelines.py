#!/usr/bin/env python3
"""Random scikit-learn, LightGBM and XGBoost pipelines, exported and scored: what is accepted equals onnxruntime on every row, and has no score
where that fails; what is refused is refused in one line. COUNT pipelines (20), the first by SEED (1): 500 by hand. SEED=N COUNT=1 repeats one.
BIN, VENV and SHARED as in test_estimators.py."""
import os
import sys
import tempfile
from pathlib import Path

import test_estimators as exports  # first: it goes on in the environment that has the exporters
import lightgbm
import numpy
import xgboost
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (AdaBoostClassifier, BaggingClassifier, ExtraTreesClassifier, GradientBoostingClassifier,
                              HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (Binarizer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder,
                                   PolynomialFeatures, PowerTransformer, RobustScaler, StandardScaler)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

COUNT, SEED = int(os.environ.get("COUNT", 20)), int(os.environ.get("SEED", 1))
# Sums of hundreds of floats in another order, and what is made of their small differences.
FLOATS = {1e-6: (), 1e-5: (PolynomialFeatures, GaussianNB, BernoulliNB, LinearDiscriminantAnalysis, PCA, TruncatedSVD, MLPClassifier, SVC)}


def choose(rng, *options):
    return options[rng.integers(len(options))]


def scalers(rng):
    kinds = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, Normalizer, PowerTransformer)
    steps = [choose(rng, *kinds)() for _ in range(rng.integers(0, 3))]
    last = rng.random()
    if last < 0.1:
        steps.append(KBinsDiscretizer(int(rng.integers(2, 6)), encode=choose(rng, "onehot-dense", "ordinal"), quantile_method="averaged_inverted_cdf"))
    elif last < 0.2:
        steps.append(Binarizer(threshold=float(rng.normal())))
    elif last < 0.3:
        steps.append(PolynomialFeatures(2, interaction_only=bool(rng.integers(2)), include_bias=bool(rng.integers(2))))
    return steps


def encoder(rng):
    unknown = choose(rng, "ignore", "error", "ordinal", "drop")
    if unknown == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return OneHotEncoder(handle_unknown="error" if unknown == "error" else "ignore", drop="if_binary" if unknown == "drop" else None, sparse_output=False)


def simple(rng, seed):
    """A model of its own."""
    depth, count = int(rng.integers(1, 7)), int(rng.integers(2, 15))
    quiet = {"verbosity": -1, "n_jobs": 1, "random_state": seed, "n_estimators": count}
    return choose(rng, LogisticRegression(C=float(rng.uniform(0.05, 5)), max_iter=300), LinearDiscriminantAnalysis(), GaussianNB(), BernoulliNB(),
                  MLPClassifier((int(rng.integers(2, 20)),), activation=choose(rng, "relu", "tanh", "logistic"), max_iter=30, random_state=seed),
                  DecisionTreeClassifier(max_depth=depth, random_state=seed), RandomForestClassifier(count, max_depth=depth, random_state=seed),
                  ExtraTreesClassifier(count, max_depth=depth, random_state=seed),
                  GradientBoostingClassifier(n_estimators=count, max_depth=depth, loss=choose(rng, "log_loss", "exponential"), random_state=seed),
                  HistGradientBoostingClassifier(max_iter=count, max_depth=depth + 1, random_state=seed),
                  lightgbm.LGBMClassifier(num_leaves=int(rng.integers(3, 20)), min_child_samples=5, **quiet),
                  xgboost.XGBClassifier(n_estimators=count, max_depth=depth, random_state=seed, n_jobs=1), SVC(probability=True, random_state=seed))


def model(rng, seed):
    kind = rng.integers(10)
    if kind == 0:
        base = choose(rng, LinearSVC(), SVC(), simple(rng, seed))
        return CalibratedClassifierCV(base, method=choose(rng, "sigmoid", "isotonic"), cv=2, ensemble=bool(rng.integers(2)))
    if kind == 1:
        members = [(str(n), simple(rng, seed + n)) for n in range(rng.integers(2, 4))]
        return VotingClassifier(members, voting="soft", weights=rng.integers(1, 4, len(members)), flatten_transform=False)
    if kind == 2:
        return BaggingClassifier(choose(rng, DecisionTreeClassifier(max_depth=3), LogisticRegression(max_iter=300)), int(rng.integers(2, 6)),
                                 max_features=float(rng.uniform(0.4, 1)), random_state=seed)
    if kind == 3:
        return StackingClassifier([("a", simple(rng, seed)), ("b", simple(rng, seed + 1))], final_estimator=simple(rng, seed + 2), cv=2,
                                  passthrough=bool(rng.integers(2)))
    if kind == 4:
        return AdaBoostClassifier(DecisionTreeClassifier(max_depth=int(rng.integers(1, 4))), n_estimators=int(rng.integers(2, 8)), random_state=seed)
    return simple(rng, seed)


def pipeline(rng, seed, numbers, texts):
    last = model(rng, seed)
    gaps = isinstance(last, (HistGradientBoostingClassifier, lightgbm.LGBMClassifier, xgboost.XGBClassifier)) and rng.random() < 0.4
    number = "passthrough" if gaps else make_pipeline(SimpleImputer(strategy=choose(rng, "mean", "median", "most_frequent")), *scalers(rng))
    steps = [("numbers", number, numbers)]
    if texts:
        steps.append(("texts", make_pipeline(SimpleImputer(missing_values="", strategy="most_frequent"), encoder(rng)), texts))
    after = [] if gaps else choose(rng, [], [], [], [PCA(2, random_state=seed)], [TruncatedSVD(2, random_state=seed)], [SelectKBest(k=3)])
    return Pipeline([("features", make_pipeline(ColumnTransformer(steps), *after)), ("model", last)])


def parts_of(estimator):
    """All estimators in it."""
    return [estimator, *(part for value in estimator.get_params(deep=True).values() if hasattr(value, "fit") for part in [value])]


def noise_of(rng, path, rows, expected, numbers):
    """What onnxruntime itself makes of inputs that are one rounding away: some files multiply that by thousands."""
    most = numpy.zeros(len(rows))
    for _ in range(4):
        moved = rows.copy()
        moved[numbers] = (moved[numbers].to_numpy() * (1 + rng.choice((-1, 0, 1), (len(rows), len(numbers))) * 2.0 ** -23)).astype(numpy.float32)
        most = numpy.fmax(most, numpy.abs(exports.theirs(path, moved) - expected))
    return 30 * numpy.nan_to_num(most) if most.max() > 1e-6 else 0


def tried(folder, seed, data, target, numbers, texts):
    """What became of the pipeline of this seed."""
    rng = numpy.random.default_rng(seed)
    some = sorted(rng.choice(len(numbers), rng.integers(3, len(numbers)), replace=False))
    others = sorted(rng.choice(len(texts), rng.integers(0, len(texts)), replace=False))
    numbers, texts = [numbers[i] for i in some], [texts[i] for i in others]
    data, path = data[numbers + texts], folder / f"{seed}.onnx"
    made, chosen = pipeline(rng, seed, numbers, texts), rng.choice(len(data), 400, replace=False)
    rows = exports.rows_to_score(rng, data, numbers, texts, 60)
    types = [(column, (StringTensorType if column in texts else FloatTensorType)([None, 1])) for column in data]
    try:
        made.fit(data.iloc[chosen], target[chosen])
        path.write_bytes(to_onnx(made, initial_types=types, options={id(made): {"zipmap": bool(rng.integers(2))}},
                                 target_opset={"": int(rng.integers(13, 22)), "ai.onnx.ml": int(rng.integers(2, 4))}).SerializeToString())
        expected = exports.theirs(path, rows)
    except Exception as failure:
        print(f"# {seed}: not exported: {type(failure).__name__}: {str(failure).splitlines()[0][:120] if str(failure) else ''}", flush=True)
        return "not exported"
    parts = parts_of(made)
    most = max(bound for bound, kinds in FLOATS.items() if not kinds or any(isinstance(part, kinds) for part in parts))
    name = f"SEED={seed}: {type(made[-1]).__name__}"
    noise = noise_of(rng, path, rows, expected, numbers) if most > 1e-6 else 0
    return exports.compare(name, path, rows, expected, most=most, noise=noise).partition(":")[0]


def main():
    data, target, numbers, texts = exports.table()
    found = {}
    with tempfile.TemporaryDirectory(prefix="pipelines-") as name:
        for seed in range(SEED, SEED + COUNT):
            word = tried(Path(name), seed, data, target, numbers, texts)
            found[word] = found.get(word, 0) + 1
    exports.check("most are accepted", found.get("accepted", 0) * 2 > COUNT or COUNT < 10, found)
    sys.exit(exports.failures != 0)


main()
