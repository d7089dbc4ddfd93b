#!/usr/bin/env python3
"""Permutation importance and partial dependence beside scikit-learn: of the folds' models (fitted again by scikit-learn), and of a file of every kind,
which onnxruntime runs for scikit-learn's permutation_importance."""
import csv
import json

from lab import BIN, ROOT, Lab, ibm_table

import numpy as np
import onnxruntime
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

KINDS = ("logistic-regression", "logistic-regression-l2", "random-forest", "gradient-boosting")
TIMES = 8


def load():
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig")
    schema = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
    fields = next(f for f in schema["fields"] if f["name"] == "attributes")["type"]["fields"]
    return frame[[f["name"] for f in fields]], (frame["Attrition"] == "Yes").to_numpy(int), [f["name"] for f in fields if f["kind"] == "nominal"]


class File(ClassifierMixin, BaseEstimator):
    """A model file as an estimator."""

    def __init__(self, path=None):
        self.path = path
        self.classes_ = np.array([0, 1])

    def fit(self, *_):
        return self

    def predict_proba(self, frame):
        if not hasattr(self, "session"):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        inputs = {i.name: frame[[i.name]].to_numpy(str if "string" in i.type else float) for i in self.session.get_inputs()}
        inputs = {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in inputs.items()}
        return np.asarray(self.session.run(["probabilities"], inputs)[0], dtype=float)


def agree(lab, what, ours, theirs, times, columns):
    """Means of two samples of shuffles: within 5 standard errors of their difference, for every column."""
    off = {}
    for item in ours:
        place = columns.index(item["column"])
        error = ((item["deviation"] ** 2 + theirs["std"][place] ** 2) / times) ** 0.5
        off[item["column"]] = abs(item["roc_auc_drop"] - theirs["mean"][place]) / max(error, 1e-4)
    worst = max(off, key=off.get)
    lab.check(f"{what}: {len(off)} columns, as scikit-learn's", len(off) == len(columns) and off[worst] <= 5, f"{worst} is off by {off[worst]:.2f} standard errors")


def evaluation(lab, model, *more):
    return json.loads(lab.must(BIN / "trainer", "evaluate", model, ibm_table(), "--json", "--permutations", TIMES, *more))


def files(lab, frame, labels):
    for kind in KINDS:
        path = lab.dir / f"{kind}.onnx"
        lab.must(BIN / "trainer", "train", ibm_table(), "--model", kind, "--out", path)
        ours, model = evaluation(lab, path), File(str(path))
        theirs = permutation_importance(model, frame, labels, scoring="roc_auc", n_repeats=TIMES, random_state=1)
        agree(lab, kind, ours["permutation_importance"], {"mean": theirs.importances_mean, "std": theirs.importances_std}, TIMES, list(frame.columns))
        drops = [item["roc_auc_drop"] for item in ours["permutation_importance"]]
        lab.check(f"{kind}: the largest first", drops == sorted(drops, reverse=True) and ours["permutations"] == TIMES)
        spread = {item["column"]: item["deviation"] for item in ours["permutation_importance"]}
        first = list(frame.columns).index(ours["permutation_importance"][0]["column"])
        ratio = spread[frame.columns[first]] / theirs.importances_std[first]
        lab.check(f"{kind}: the spread is one shuffle's, not the mean's", 0.4 < ratio < 2.5, f"{ratio:.2f}")
        lab.check(f"{kind}: other threads, the same figures", evaluation(lab, path, "--threads", 3) == ours)
        dependence(lab, kind, ours, model, frame)


def dependence(lab, kind, ours, model, frame):
    some, worst, points = frame.iloc[[k * len(frame) // 1000 for k in range(1000)]], 0, 0
    for item in ours["partial_dependence"]:
        for point in item["points"]:
            changed = some.assign(**{item["column"]: point["value"]})
            worst = max(worst, abs(model.predict_proba(changed)[:, 1].mean() - point["probability"]))
            points += 1
    asked = [item["column"] for item in ours["partial_dependence"]] == [item["column"] for item in ours["permutation_importance"]][:8]
    lab.check(f"{kind}: partial dependence of the first 8 columns, {points} means", asked and points > 30 and worst <= 1e-6, f"worst {worst:.2g}")


def folds(lab, frame, labels, nominal):
    """Each fold's model sees its own held-out rows."""
    lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--permutations", TIMES, "--folds-out", lab.dir / "folds.csv")
    ours = json.loads(next((lab.dir / "mlruns").glob("*/*/artifacts/evaluation.json")).read_text())
    fold = np.zeros(len(labels), int)
    for line in csv.DictReader((lab.dir / "folds.csv").open()):
        fold[int(line["row"])] = int(line["fold"])
    numbers = [c for c in frame.columns if c not in nominal]
    drops = []
    for f in range(5):
        held = fold == f
        model = make_pipeline(ColumnTransformer([("n", StandardScaler(), numbers), ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), nominal)]),
                              LogisticRegression(C=1, solver="newton-cholesky", tol=1e-12, max_iter=300)).fit(frame[~held], labels[~held])
        drops.append(permutation_importance(model, frame[held], labels[held], scoring="roc_auc", n_repeats=TIMES, random_state=f).importances)
    all_drops = np.concatenate(drops, axis=1)
    # Folds differ by more than shuffles do: the mean's error is that within folds, which both samples share.
    within = np.sqrt(np.mean([d.var(axis=1) for d in drops], axis=0) * 2 / all_drops.shape[1])
    off = {i["column"]: abs(i["roc_auc_drop"] - all_drops.mean(axis=1)[list(frame.columns).index(i["column"])]) / max(within[list(frame.columns).index(i["column"])], 1e-4)
           for i in ours["permutation_importance"]}
    worst = max(off, key=off.get)
    lab.check("folds: means as scikit-learn's on the same folds", len(off) == len(frame.columns) and off[worst] <= 5, f"{worst} is off by {off[worst]:.2f} standard errors")
    ratios = [i["deviation"] / all_drops.std(axis=1)[list(frame.columns).index(i["column"])] for i in ours["permutation_importance"]]
    lab.check("folds: deviations too", 0.6 < np.median(ratios) < 1.6 and ours["permutations"] == 5 * TIMES, f"median of the ratios {np.median(ratios):.3f}")


def left_out(lab):
    root = lab.dir / "left"
    lab.must(BIN / "trainer", "train", ibm_table(), "--model", "random-forest", "--param", "n_estimators=10", "--exclude", "Age", env={"MLFLOW_TRACKING_URI": str(root)})
    ours = json.loads(next(root.glob("*/*/artifacts/evaluation.json")).read_text())
    lab.check("an excluded column is not shuffled", "Age" not in {i["column"] for i in ours["permutation_importance"]} and len(ours["permutation_importance"]) == 29)
    out = lab.must(BIN / "trainer", "train", ibm_table(), "--model", "random-forest", "--param", "n_estimators=10", "--permutations", 0, "--out", lab.dir / "x.onnx")
    lab.check("--permutations 0: none", "shuffled" not in out)
    out = lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--folds", 0, "--test-size", "0.3", "--threshold", "0.5", "--out", lab.dir / "x.onnx")
    lab.one_line("held-out rows without folds", out, r"shuffled \(mean of 5, deviation\): OverTime 0\.0")
    status, _, err = lab.run(BIN / "trainer", "train", ibm_table(), "--model", "random-forest", "--permutations", "-1")
    lab.equal("fewer than none: a usage error", (status, "0 to 100" in err), (2, True))


def main():
    with Lab() as lab:
        frame, labels, nominal = load()
        files(lab, frame, labels)
        folds(lab, frame, labels, nominal)
        left_out(lab)


main()
