#!/usr/bin/env python3
"""Our gradient boosting beside LightGBM and XGBoost with the same settings on the same folds: the real table, and a generated one whose
label hangs on interactions, with missing values; its file in onnxruntime; its reasons; what it refuses.

BIN: the programs' directory; VENV: Python with lightgbm and xgboost; SHARED: the directory that holds data/."""
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BIN", ROOT / "build/bin")).resolve()
VENV = Path(os.environ.get("VENV", ROOT / "build/venv"))
TABLE = Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "data/ibm_hr_attrition.csv"
failures = 0

if Path(sys.prefix).resolve() != VENV.resolve():
    if not (VENV / "bin/python").exists():
        sys.exit(f"not ok - no Python environment in {VENV}: make test-system makes it")
    os.execv(VENV / "bin/python", [VENV / "bin/python", *sys.argv])

import lightgbm
import numpy as np
import onnxruntime
import pandas as pd
import xgboost
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

SCHEMA = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
FIELDS = next(f for f in SCHEMA["fields"] if f["name"] == "attributes")["type"]["fields"]
SAME = [x for p in ("learning_rate=0.1", "max_depth=4", "max_leaves=16", "subsample=1", "colsample_bytree=1") for x in ("--param", p)]  # as the rivals below
NOMINAL = {f["name"]: f["values"] for f in FIELDS if f["kind"] == "nominal"}


def check(what, good, shown=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {what}{f': {shown}' if shown != '' else ''}", flush=True)


def run(folder, program, *args, text=None):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "MODEL_", "TRAINER_"))} | {"SCHEMAS_DIR": str(ROOT / "schemas")}
    return subprocess.run([BIN / program, *map(str, args)], cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=600)


def train(folder, data, *args):
    done = run(folder, "trainer", "train", data, "--model", "gradient-boosting", *args)
    if done.returncode:
        check(f"{' '.join(map(str, args))} trains", False, done.stderr.strip())
    return done


def load(path):
    frame = pd.read_csv(path, encoding="utf-8-sig")
    labels = (frame["Attrition"] == "Yes").to_numpy(int)
    return frame[[f["name"] for f in FIELDS]], labels


def coded(frame):
    return frame.assign(**{name: pd.Categorical(frame[name], categories=values) for name, values in NOMINAL.items()})


def lightgbm_fit(frame, labels, trees):
    settings = {"objective": "binary", "learning_rate": 0.1, "max_depth": 4, "num_leaves": 16, "min_sum_hessian_in_leaf": 1, "min_data_in_leaf": 1,
                "min_data_in_bin": 1, "lambda_l2": 1, "verbosity": -1, "num_threads": 1, "seed": 1}
    return lightgbm.train(settings, lightgbm.Dataset(frame, labels), trees).predict


def xgboost_fit(frame, labels, trees):
    settings = {"objective": "binary:logistic", "learning_rate": 0.1, "max_depth": 4, "min_child_weight": 1, "reg_lambda": 1, "tree_method": "hist",
                "nthread": 1, "seed": 1}
    model = xgboost.train(settings, xgboost.DMatrix(frame, labels, enable_categorical=True), trees)
    return lambda rows: model.predict(xgboost.DMatrix(rows, enable_categorical=True))


def measures(labels, p):
    return np.array([roc_auc_score(labels, p), average_precision_score(labels, p), -log_loss(labels, np.clip(p, 1e-7, 1 - 1e-7))])


def compare(folder, what, table, trees, repeats, slack):
    """The mean over the folds may be below each rival's by no more than `slack`, in AUC, average precision and log loss."""
    frame, labels = load(table)
    train(folder, table, "--experiment", what, "--repeats", repeats, "--folds-out", "folds.csv", *SAME, "--param", f"n_estimators={trees}")
    ours = json.loads(next((folder / "mlruns").glob(f"*/*/artifacts/evaluation.json")).read_text())
    subprocess.run(["rm", "-r", folder / "mlruns"], check=True)
    folds = {}
    for line in csv.DictReader((folder / "folds.csv").open()):
        folds.setdefault(int(line["repeat"]), np.zeros(len(labels), int))[int(line["row"])] = int(line["fold"])
    ours = np.mean([[m["metrics"]["roc_auc"], m["metrics"]["pr_auc"], -m["metrics"]["log_loss"]] for m in ours["by_fold"]], axis=0)
    data = coded(frame)
    for name, fit in (("LightGBM", lightgbm_fit), ("XGBoost", xgboost_fit)):
        theirs = np.mean([measures(labels[of == fold], fit(data[of != fold], labels[of != fold], trees)(data[of == fold]))
                          for of in folds.values() for fold in range(5)], axis=0)
        check(f"{what}: AUC, average precision and log loss as {name}'s or better", (ours >= theirs - slack).all(),
              " ".join(f"{a:.4f}/{b:.4f}" for a, b in zip(ours, theirs)))


def make_interactions(folder, rows):
    """What people are comes from the generator; whether they leave, from products and thresholds of it. A tenth of four columns is missing."""
    run(folder, "producer", "generate", "--count", rows, "--seed", 5, "--out", "drawn.csv")
    frame = pd.read_csv(folder / "drawn.csv")
    random = np.random.default_rng(7)
    over, age, far = frame["OverTime"] == "Yes", frame["Age"] / 40 - 1, frame["DistanceFromHome"] / 15 - 1
    logit = (-2.2 + 2 * np.where(over, -age, age) + 1.5 * far * (frame["JobLevel"] - 2) + np.where(frame["JobRole"].str.len() % 3 == 0, 1.5, -0.5) *
             np.where(frame["MaritalStatus"] == "Single", 1, -1))
    frame["Attrition"] = np.where(random.random(rows) < 1 / (1 + np.exp(-logit)), "Yes", "No")
    for name in ("Age", "DistanceFromHome", "JobRole", "TotalWorkingYears"):
        frame.loc[random.random(rows) < 0.1, name] = np.nan
    frame.to_csv(folder / "interactions.csv", index=False)
    return folder / "interactions.csv"


def score(folder, model, frame, *args):
    rows = "".join(json.dumps({k: (None if v != v else v) for k, v in row.items()}) + "\n" for row in frame.to_dict("records"))
    done = run(folder, "scorer", "score", "--model", model, *args, text=rows)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_file(folder, table, *args):
    for threads in (1, 2):
        train(folder, table, "--folds", 0, "--test-size", 0.1, "--threshold", 0.5, "--threads", threads, "--out", f"boost{threads}.onnx", *args)
    same = (folder / "boost1.onnx").read_bytes() == (folder / "boost2.onnx").read_bytes()
    check(f"the same seed gives the same file, whatever the threads {' '.join(args)}", same)
    session = onnxruntime.InferenceSession(folder / "boost1.onnx", providers=["CPUExecutionProvider"])
    frame = load(table)[0].head(500)
    feeds = {c: frame[[c]].fillna("").to_numpy(object) if c in NOMINAL else frame[[c]].to_numpy(np.float64) for c in frame}
    theirs = session.run(["probabilities"], feeds)[0][:, 1]
    ours = score(folder, "boost1.onnx", frame, "--reasons", 100)
    worst = max(abs(a["probability"] - float(b)) for a, b in zip(ours, theirs))
    check("onnxruntime scores it alike, missing values included", len(ours) == 500 and worst <= 1e-6, f"worst {worst:.2g}")
    off = max(abs(a["base"] + sum(r["contribution"] for r in a["reasons"]) - a["margin"]) for a in ours)
    check("its reasons add up to the margin", all(a["reasons"] for a in ours) and off <= 1e-9, f"worst {off:.2g}")


def check_monotone(folder, table):
    train(folder, table, "--folds", 0, "--test-size", 0.1, "--threshold", 0.5, "--param", "monotone_constraints=Age:-1,DistanceFromHome:1", "--out", "monotone.onnx")
    rows = load(table)[0].head(60)
    for name, values, way in (("Age", range(18, 61), -1), ("DistanceFromHome", range(1, 30), 1)):
        risks = np.array([[a["probability"] for a in score(folder, "monotone.onnx", rows.assign(**{name: value}), "--unchecked")] for value in list(values)[::4]])
        check(f"the risk is monotone in {name}", (way * np.diff(risks, axis=0) >= 0).all() and np.ptp(risks) > 0.05)


def check_refusals(folder, table):
    for param, status, named in (("learning_rate=0", 2, "above 0"), ("max_bin=256", 2, "255"), ("n_estimators=none", 2, "auto"), ("C=1", 2, "no such parameter"),
                                 ("monotone_constraints=Gender:1", 1, "Gender"), ("monotone_constraints=Age", 1, "Age")):
        done = run(folder, "trainer", "train", table, "--model", "gradient-boosting", "--param", param)
        check(f"{param}: status {status} and one line", done.returncode == status and named in done.stderr, done.stderr.strip())


def main():
    if not TABLE.exists():
        sys.exit(f"not ok - {TABLE} is missing: set SHARED to the directory that holds data/")
    with tempfile.TemporaryDirectory(prefix="boosting-") as name:
        folder = Path(name)
        interactions = make_interactions(folder, 6000)
        check_file(folder, interactions)
        check_file(folder, interactions, "--param", "subsample=0.7", "--param", "colsample_bytree=0.6", "--param", "class_weight=balanced", "--param", "n_estimators=80")
        check_monotone(folder, TABLE)
        check_refusals(folder, TABLE)
        compare(folder, "real table", TABLE, 60, 4, np.array([0.01, 0.02, 0.01]))
        compare(folder, "interactions", interactions, 150, 1, np.array([0.005, 0.01, 0.005]))
    sys.exit(failures != 0)


main()
