#!/usr/bin/env python3
"""Every kind of model beside scikit-learn on identical folds of the real table, probabilities after training with other weights and
penalties, a forest's file in onnxruntime, and the runs side by side.

BIN: the programs' directory; VENV: Python with scikit-learn; SHARED: the directory that holds data/."""
import csv
import json
import os
import shutil
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

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (accuracy_score, average_precision_score, brier_score_loss, f1_score, log_loss, precision_score, recall_score,
                             roc_auc_score)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def check(what, good, shown=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {what}{f': {shown}' if shown != '' else ''}", flush=True)


def run(folder, program, *args, text=None):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "MODEL_", "TRAINER_"))} | {"SCHEMAS_DIR": str(ROOT / "schemas")}
    return subprocess.run([BIN / program, *map(str, args)], cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=300)


def train(folder, kind, *args, data=TABLE):
    done = run(folder, "trainer", "train", data, "--model", kind, *args)
    if done.returncode:
        check(f"{kind} {' '.join(map(str, args))} trains", False, done.stderr.strip())
    return done


def load():
    frame = pd.read_csv(TABLE, encoding="utf-8-sig")
    labels = (frame["Attrition"] == "Yes").to_numpy(int)
    schema = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
    fields = next(f for f in schema["fields"] if f["name"] == "attributes")["type"]["fields"]
    nominal = [f["name"] for f in fields if f["kind"] == "nominal"]
    return frame[[f["name"] for f in fields]], labels, nominal


def pipeline(frame, nominal, model):
    numbers = [c for c in frame.columns if c not in nominal]
    return make_pipeline(ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("c", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)), nominal)]), model)


def linear(**params):
    return LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=500, **params)


def read_folds(path, rows):
    folds = {}
    for line in csv.DictReader(path.open()):
        folds.setdefault(int(line["repeat"]), np.zeros(rows, int))[int(line["row"])] = int(line["fold"])
    return folds


def measures(labels, p):
    called = p >= 0.5
    return {"accuracy": accuracy_score(labels, called), "precision": precision_score(labels, called, zero_division=0), "recall": recall_score(labels, called),
            "f1": f1_score(labels, called), "roc_auc": roc_auc_score(labels, p), "pr_auc": average_precision_score(labels, p),
            "log_loss": log_loss(labels, p), "brier": brier_score_loss(labels, p)}


def compare_folds(folder, frame, labels, nominal):
    train(folder, "logistic-regression-l2", "--threshold", "0.5", "--repeats", 2, "--folds-out", "folds.csv")
    ours = json.loads(next(folder.glob("mlruns/*/*/artifacts/evaluation.json")).read_text())
    folds, worst = read_folds(folder / "folds.csv", len(labels)), 0
    sizes = [np.bincount(labels[of == f]) for of in folds.values() for f in range(5)]
    check("folds are stratified", len(folds) == 2 and all(abs(s - sizes[0]).max() <= 1 for s in sizes))
    for place in ours["by_fold"]:
        held = folds[place["repeat"]] == place["fold"]
        p = pipeline(frame, nominal, linear(C=1)).fit(frame[~held], labels[~held]).predict_proba(frame[held])[:, 1]
        for name, value in measures(labels[held], p).items():
            worst = max(worst, abs(value - place["metrics"][name]))
    check("L2: every metric of every fold within 1e-6 of scikit-learn", len(ours["by_fold"]) == 10 and worst <= 1e-6, f"worst {worst:.2g}")
    return folds[0]


def compare_forests(folder, frame, labels, nominal):
    """The mean over five seeds: of folds, rows and features alike, since the generators differ."""
    ours, theirs = [], []
    for seed in range(5):
        train(folder, "random-forest", "--seed", seed, "--experiment", f"forest{seed}", "--folds-out", "forest.csv", "--repeats", 1)
        lines = run(folder, "trainer", "compare", "--experiment", f"forest{seed}", "--json").stdout.splitlines()
        ours.append(json.loads(lines[0])["value"])
        folds = read_folds(folder / "forest.csv", len(labels))[0]
        for fold in range(5):
            held = folds == fold
            model = pipeline(frame, nominal, RandomForestClassifier(100, random_state=seed, n_jobs=2)).fit(frame[~held], labels[~held])
            theirs.append(roc_auc_score(labels[held], model.predict_proba(frame[held])[:, 1]))
    off = abs(np.mean(ours) - np.mean(theirs))
    check("forest: mean AUC over five seeds within 0.01 of scikit-learn", off <= 0.01, f"{np.mean(ours):.4f} beside {np.mean(theirs):.4f}")


def score(folder, model, frame, *args):
    rows = "".join(json.dumps({k: (None if v != v else v) for k, v in row.items()}) + "\n" for row in frame.to_dict("records"))
    done = run(folder, "scorer", "score", "--model", model, *args, text=rows)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare_weights(folder, frame, labels, nominal):
    for params in ({"C": 0.3}, {"class_weight": "balanced"}, {"C": 0.3, "class_weight": "balanced"}):
        train(folder, "logistic-regression-l2", *[x for k, v in params.items() for x in ("--param", f"{k}={v}")], "--out", "weights.onnx")
        theirs = pipeline(frame, nominal, linear(**params)).fit(frame, labels).predict_proba(frame)[:, 1]
        ours = [row["probability"] for row in score(folder, "weights.onnx", frame)]
        worst = max(abs(a - b) for a, b in zip(ours, theirs)) if len(ours) == len(theirs) else 1
        check(f"probabilities with {params} within 1e-9 of scikit-learn", worst <= 1e-9, f"worst {worst:.2g}")


def check_forest_file(folder, frame, nominal):
    for threads in (1, 2):
        train(folder, "random-forest", "--threads", threads, "--out", f"forest{threads}.onnx", "--param", "class_weight=balanced_subsample", "--param", "n_estimators=60")
    check("the same seed gives the same forest, whatever the threads", (folder / "forest1.onnx").read_bytes() == (folder / "forest2.onnx").read_bytes())
    ensemble = next(node for node in onnx.load(folder / "forest1.onnx").graph.node if node.op_type == "TreeEnsemble")
    branches = len(next(a for a in ensemble.attribute if a.name == "nodes_truenodeids").ints)
    size = ((folder / "forest1.onnx").stat().st_size - 60000) / branches
    check("a forest's file takes 40 bytes a branch at most, covers included", branches > 1000 and size <= 40, f"{size:.1f} of {branches} branches")
    session = onnxruntime.InferenceSession(folder / "forest1.onnx", providers=["CPUExecutionProvider"])
    rows = frame.head(300)
    feeds = {c: rows[[c]].to_numpy(object if c in nominal else np.float64) for c in frame.columns}
    theirs = session.run(["probabilities"], feeds)[0][:, 1]
    ours = score(folder, "forest1.onnx", rows, "--reasons", 100)
    worst = max(abs(a["probability"] - float(b)) for a, b in zip(ours, theirs))
    check("onnxruntime scores the forest alike", len(ours) == 300 and worst <= 1e-6, f"worst {worst:.2g}")
    off = max(abs(a["base"] + sum(r["contribution"] for r in a["reasons"]) - a["margin"]) for a in ours)
    check("its reasons add up to the margin", all(a["reasons"] for a in ours) and off <= 1e-12, f"worst {off:.2g}")


def check_calibration(folder, frame, nominal):
    """The calibrated file is the plain one behind a sigmoid of its raw score, in onnxruntime too; the report has both reliabilities."""
    rows = frame.head(200)
    feeds = {c: rows[[c]].to_numpy(object if c in nominal else np.float64) for c in frame.columns}
    for kind, params in (("logistic-regression-l2", ("class_weight=balanced", "C=auto")), ("random-forest", ("n_estimators=60",)), ("gradient-boosting", ("class_weight=balanced",))):
        args = [x for p in params for x in ("--param", p)]
        train(folder, kind, *args, "--out", "plain.onnx")
        train(folder, kind, *args, "--calibrate", "sigmoid", "--experiment", f"calibrated-{kind}")
        run_folder = next((folder / "mlruns").glob("*/*/artifacts/model/model.onnx")).parents[1]
        plain, calibrated = score(folder, "plain.onnx", rows), score(folder, run_folder / "model/model.onnx", rows, "--reasons", 100)
        raw, margin = np.array([a["margin"] for a in plain]), np.array([a["margin"] for a in calibrated])
        line = np.polyfit(raw, margin, 1)
        off = np.abs(np.polyval(line, raw) - margin).max()
        check(f"{kind}: calibrated by a line of the raw score", line[0] > 0.3 and off <= 1e-5, f"{line} off {off:.2g}")
        session = onnxruntime.InferenceSession(run_folder / "model/model.onnx", providers=["CPUExecutionProvider"])
        worst = np.abs(session.run(["probabilities"], feeds)[0][:, 1] - [a["probability"] for a in calibrated]).max()
        off = max(abs(a["base"] + sum(r["contribution"] for r in a["reasons"]) - a["margin"]) for a in calibrated)
        check(f"{kind}: onnxruntime gives the calibrated probability, and reasons add up to its log-odds", worst <= 1e-6 and off <= 1e-9, f"{worst:.2g} {off:.2g}")
        found = json.loads((run_folder / "evaluation.json").read_text())["validation"]
        before, after = found["uncalibrated"], found["calibration"]
        check(f"{kind}: reliability before and after", after["expected_error"] < before["expected_error"] and 0.8 < after["slope"] < 1.25 and abs(after["intercept"]) < 0.4 and
              "Before it was calibrated" in (run_folder / "model_card.md").read_text() and "before calibration" in (run_folder / "plots/calibration.svg").read_text(),
              f"{before['expected_error']:.3f} to {after['expected_error']:.3f}, slope {after['slope']:.2f}")
        subprocess.run(["rm", "-r", folder / "mlruns"], check=True)


def calibration_folds(labels, seed):
    """The folds of a calibration, as trainer/fold.c deals rows of one id each: SplitMix64, a class shuffled after the other."""
    most = 2**64 - 1

    def mix(state):
        state = (state + 0x9E3779B97F4A7C15) & most
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & most
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & most
        return state, z ^ (z >> 31)

    state = mix((mix(seed)[1] ^ (6000011 * 0xD1342543DE82EF95 + 1)) & most)[1]
    folds, dealt = np.zeros(len(labels), int), 0
    for label in (0, 1):
        places = [r for r in range(len(labels)) if labels[r] == label]
        for left in range(len(places), 1, -1):
            state, drawn = mix(state)
            while drawn < 2**64 % left:
                state, drawn = mix(state)
            other = drawn % left
            places[left - 1], places[other] = places[other], places[left - 1]
        for place in places:
            folds[place] = dealt % 5
            dealt += 1
    return folds


def check_isotonic(folder, frame, labels, nominal):
    """The calibrated file is scikit-learn's IsotonicRegression of predictions for rows that no fit saw, on the same folds; onnxruntime agrees."""
    table = pd.read_csv(TABLE, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    folds = calibration_folds(labels, 0)
    feeds = {c: frame[[c]].to_numpy(object if c in nominal else np.float64) for c in frame.columns}
    for kind, params, step, close in (("logistic-regression-l2", ("class_weight=balanced",), 0, 1e-9), ("random-forest", ("n_estimators=40",), 1e-4, 1e-3),
                                      ("gradient-boosting", ("n_estimators=60",), 1e-4, 1e-3)):
        quick = ["--folds", "2", "--seed", "0", *(x for p in params for x in ("--param", p))]
        unseen = np.zeros(len(labels))
        for fold in range(5):
            table[folds != fold].to_csv(folder / "part.csv", index=False)
            train(folder, kind, *quick, "--out", "part.onnx", data="part.csv")
            unseen[folds == fold] = [a["probability"] for a in score(folder, "part.onnx", frame[folds == fold])]
        train(folder, kind, *quick, "--out", "plain.onnx")
        train(folder, kind, *quick, "--calibrate", "isotonic", "--out", "isotonic.onnx")
        for coarser in (1, 2, 4, 8, 16, 32) if step else (1,):
            scores = np.round(unseen / (step * coarser)) * (step * coarser) if step else unseen
            regression = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
            if not step or (np.diff(regression.y_thresholds_) / np.diff(regression.X_thresholds_)).max() <= 500:
                break
        wanted = regression.predict([a["probability"] for a in score(folder, "plain.onnx", frame)])
        ours = score(folder, "isotonic.onnx", frame, "--reasons", 3)
        worst = np.abs(wanted - [a["probability"] for a in ours]).max()
        check(f"{kind}: calibrated as scikit-learn's IsotonicRegression on the same folds", worst <= close and len({a["probability"] for a in ours}) > 20, f"worst {worst:.2g}")
        session = onnxruntime.InferenceSession(folder / "isotonic.onnx", providers=["CPUExecutionProvider"])
        found, theirs = session.run(None, feeds)
        worst = np.abs(theirs[:, 1] - [a["probability"] for a in ours]).max()
        check(f"{kind}: onnxruntime gives the same, and labels by it", worst <= close and np.abs(theirs.sum(axis=1) - 1).max() <= 1e-12 and
              list(found) == ["Yes" if p[1] > p[0] else "No" for p in theirs], f"worst {worst:.2g}")
        check(f"{kind}: no reasons, and the margin is the probability", not any(a["reasons"] for a in ours) and all(a["margin"] == a["probability"] for a in ours))
    train(folder, "logistic-regression-l2", "--calibrate", "isotonic", "--experiment", "isotonic")
    place = next((folder / "mlruns").glob("*/*/artifacts/evaluation.json")).parents[1]
    found = json.loads((place / "artifacts/evaluation.json").read_text())["validation"]
    check("isotonic: the run says so, the report why there are no reasons, and both reliabilities", (place / "params/calibrate").read_text() == "isotonic" and
          "no reasons" in (place / "artifacts/model_card.md").read_text() and found["uncalibrated"]["bins"] and found["calibration"]["bins"])
    subprocess.run(["rm", "-r", folder / "mlruns"], check=True)


def check_run(folder):
    """A column out of the model and in its groups; a run's name, description and tags."""
    train(folder, "gradient-boosting", "--param", "n_estimators=20", "--exclude", "Gender", "--exclude", "MaritalStatus", "--run-name", 'first: "try"', "--description", "one line",
          "--tag", "team=people", "--tag", "ticket no=A=1")
    place = next((folder / "mlruns").glob("*/*/artifacts/evaluation.json")).parents[1]
    tags = {name: (place / "tags" / name).read_text() for name in ("team", "ticket no", "mlflow.note.content", "mlflow.runName")}
    check("tags, description and name of the run", tags == {"team": "people", "ticket no": "A=1", "mlflow.note.content": "one line", "mlflow.runName": 'first: "try"'}, tags)
    inputs = {i.name for i in onnxruntime.InferenceSession(place / "artifacts/model/model.onnx", providers=["CPUExecutionProvider"]).get_inputs()}
    groups = {g["column"] for g in json.loads((place / "artifacts/evaluation.json").read_text())["validation"]["groups"]}
    check("excluded columns are no inputs, and groups all the same", len(inputs) > 20 and not inputs & {"Gender", "MaritalStatus"} and "Gender" in groups)
    check("Python's packages: what ai.onnx.ml 2 asks for", "onnxruntime>=1.14\n" in (place / "artifacts/model/requirements.txt").read_text())
    train(folder, "random-forest", "--param", "n_estimators=5")
    asked = [path.read_text() for path in (folder / "mlruns").glob("*/*/artifacts/model/requirements.txt")]
    check("and what ai.onnx.ml 5 asks for", sorted("onnxruntime>=1.21\n" in text for text in asked) == [False, True], asked)
    check("the run and the card say what was excluded", (place / "params/exclude").read_text() == "Gender, MaritalStatus" and
          "kept out of the model: Gender, MaritalStatus" in (place / "artifacts/model_card.md").read_text())
    subprocess.run(["rm", "-r", folder / "mlruns"], check=True)
    for args, status, named in ((("--exclude", "Shoe"), 1, "Shoe"), (("--tag", "x"), 2, "KEY=VALUE"), (("--tag", "../a=1"), 2, "KEY=VALUE"), (("--tag", "mlflow.user=x"), 2, "another key"),
                                (("--tag", "a=1", "--tag", "a=2"), 2, "twice"), (("--run-name", ""), 2, "--run-name")):
        done = run(folder, "trainer", "train", TABLE, "--model", "random-forest", *args)
        check(f"{' '.join(args)}: status {status} and one line", done.returncode == status and named in done.stderr, done.stderr.strip())


def check_findings(folder):
    """What spoils a model is said before it is fitted; the real table has none of it. Rows of one id stay together in each fold."""
    clean = train(folder, "logistic-regression-l2", "--out", "clean.onnx")
    check("the real table: nothing to warn of", " warn " not in clean.stderr, clean.stderr.strip())
    table = pd.read_csv(TABLE, encoding="utf-8-sig")
    table["DailyRate"] = np.where(table["Attrition"] == "Yes", 1400, 200) + np.arange(len(table)) % 50
    table["EducationField"] = np.where(table["Attrition"] == "Yes", "Medical", "Other")
    table.loc[table["Attrition"] == "No", "DistanceFromHome"] = np.nan
    table["PerformanceRating"] = 3
    table["MonthlyRate"] = np.arange(len(table)) + 3000
    table["EmployeeNumber"] = np.arange(len(table)) // 2
    twin = table.iloc[[10, 11]].assign(Attrition=["Yes" if a == "No" else "No" for a in table.iloc[[10, 11]]["Attrition"]])
    pd.concat([table, twin]).to_csv(folder / "bad.csv", index=False)
    done = train(folder, "logistic-regression-l2", "--folds-out", "bad-folds.csv", "--out", "bad.onnx", data="bad.csv")
    lines = [line for line in done.stderr.splitlines() if " warn " in line]
    for what, words in (("a leaking number", "DailyRate alone ranks the label with an AUC of 0.99"), ("a leaking category", "EducationField alone"),
                        ("a column that leaks by being there", "DistanceFromHome alone"), ("a constant", "PerformanceRating has one value"),
                        ("an identifier", "MonthlyRate has another value in nearly every row"), ("repeated ids", "735 ids are in several rows (1472 rows)"),
                        ("contradicting rows", "4 rows have the features of another row with the other label, first in lines 12 and 1472")):
        check(f"said before training: {what}", sum(words in line for line in lines) == 1, "" if any(words in line for line in lines) else lines)
    folds = read_folds(folder / "bad-folds.csv", len(table) + 2)[0]
    ids = np.append(table["EmployeeNumber"], twin["EmployeeNumber"])
    check("rows of one id are in one fold", all(len(set(folds[ids == i])) == 1 for i in set(ids)) and len(set(folds)) == 5)
    quiet = train(folder, "logistic-regression-l2", "--exclude", "DailyRate", "--out", "bad.onnx", data="bad.csv")
    check("an excluded column is not warned of", "DailyRate" not in quiet.stderr)


def check_bad_tables(folder):
    """Two rows are no leak, and what to do about them is said; a column of more categories than a scorer loads is named before anything is fitted."""
    table = pd.read_csv(TABLE, encoding="utf-8-sig")
    table.groupby("Attrition").head(1).to_csv(folder / "two.csv", index=False)
    done = run(folder, "trainer", "train", "two.csv", "--model", "random-forest", "--out", "two.onnx")
    check("a row of each class: two of each are needed, and nothing leaks", done.returncode == 1 and "(--folds 0)" in done.stderr and "alone ranks" not in done.stderr,
          done.stderr.strip()[-300:])
    many = pd.concat([table] * 4, ignore_index=True)
    many["Department"] = [f"Department {i}" for i in range(len(many))]
    many.to_csv(folder / "many.csv", index=False)
    shutil.copytree(ROOT / "schemas", folder / "wide-schemas")

    def widen(node):
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            widen(child)
        if isinstance(node, dict) and node.get("name") == "MonthlyIncome":
            node["type"] = ["null", "double"]
            node.pop("range", None)
        if isinstance(node, dict) and node.get("name") == "Department" and "values" in node:
            node["values"] += list(many["Department"])

    for name in ("employee_event.avsc", "employee_state.avsc", "prediction.avsc"):
        schema = json.loads((ROOT / "schemas" / name).read_text())
        widen(schema)
        (folder / "wide-schemas" / name).write_text(json.dumps(schema))
    done = run(folder, "trainer", "train", "many.csv", "--model", "gradient-boosting", "--schemas-dir", "wide-schemas", "--out", "many.onnx")
    check("more categories than a scorer loads", done.returncode == 1 and 'column "Department" has 5880 categories' in done.stderr and "--exclude Department" in done.stderr,
          done.stderr.strip()[-300:])
    table["MonthlyIncome"] = table["MonthlyIncome"].astype(float)
    table.loc[5, "MonthlyIncome"] = 1e300
    table.to_csv(folder / "huge.csv", index=False)
    done = run(folder, "trainer", "train", "huge.csv", "--model", "random-forest", "--schemas-dir", "wide-schemas", "--out", "huge.onnx")
    check("a number whose square is infinite", done.returncode == 1 and 'huge.csv:7: column "MonthlyIncome" has a number beyond 1e+150' in done.stderr, done.stderr.strip()[-300:])


def check_commands(folder):
    for kind in ("logistic-regression", "logistic-regression-l2", "random-forest"):
        train(folder, kind, "--experiment", "three", "--threshold", "cost=5:1")
    shown = run(folder, "trainer", "compare", "--experiment", "three")
    check("compare shows the three, the best first", [line.split()[1] for line in shown.stdout.splitlines()[1:]][2:] == ["random-forest"], shown.stderr.strip())
    lines = [json.loads(line) for line in run(folder, "trainer", "compare", "--experiment", "three", "--sort", "log_loss", "--json").stdout.splitlines()]
    check("lower is better for log loss, and differences on the same folds have intervals",
          lines[0]["value"] < lines[2]["value"] and lines[2]["difference_low"] < lines[2]["difference"] < lines[2]["difference_high"])
    chosen = run(folder, "trainer", "train", TABLE, "--model", "logistic-regression-l2", "--param", "C=auto", "--test-size", "0.2", "--out", "auto.onnx")
    check("C is chosen, and held-out rows evaluate the model", "was chosen" in chosen.stdout and "rows held out" in chosen.stdout, chosen.stderr.strip())
    evaluated = run(folder, "trainer", "evaluate", "auto.onnx", TABLE, "--json")
    check("evaluate reads a file, by group", evaluated.returncode == 0 and len(json.loads(evaluated.stdout)["held_out"]["groups"]) == 6, evaluated.stderr.strip())
    for what, args, status, named in (("a rule for evaluate", ("evaluate", "auto.onnx", TABLE, "--threshold", "max-f1"), 1, "flatters"),
                                      ("no such experiment", ("compare", "--experiment", "none"), 1, "none"),
                                      ("an unknown metric", ("compare", "--experiment", "three", "--sort", "auk"), 1, "auk"),
                                      ("max_features=0", ("train", TABLE, "--model", "random-forest", "--param", "max_features=0"), 2, "max_features"),
                                      ("more features than there are", ("train", TABLE, "--model", "random-forest", "--param", "max_features=999"), 1, "max_features"),
                                      ("no folds and no rule", ("train", TABLE, "--model", "random-forest", "--folds", "0"), 2, "--test-size"),
                                      ("C for a forest", ("train", TABLE, "--model", "random-forest", "--param", "C=1"), 2, "n_estimators")):
        done = run(folder, "trainer", *args)
        check(f"{what}: status {status} and one line", done.returncode == status and named in done.stderr, done.stderr.strip())


def main():
    if not TABLE.exists():
        sys.exit(f"not ok - {TABLE} is missing: set SHARED to the directory that holds data/")
    frame, labels, nominal = load()
    with tempfile.TemporaryDirectory(prefix="train-models-") as name:
        folder = Path(name)
        compare_folds(folder, frame, labels, nominal)
        compare_weights(folder, frame, labels, nominal)
        check_forest_file(folder, frame, nominal)
        subprocess.run(["rm", "-r", folder / "mlruns"], check=True)
        check_run(folder)
        check_findings(folder)
        check_bad_tables(folder)
        check_calibration(folder, frame, nominal)
        check_isotonic(folder, frame, labels, nominal)
        check_commands(folder)
        compare_forests(folder, frame, labels, nominal)
    sys.exit(failures != 0)


main()
