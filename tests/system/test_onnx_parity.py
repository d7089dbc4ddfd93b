#!/usr/bin/env python3
"""Our scoring against onnxruntime's on the same files: the trainer's own on random rows (missing, unknown and extreme values
among them), and linear models, forests and boosters that skl2onnx and onnxmltools wrote.

BIN: the programs' directory; VENV: Python with onnxruntime; SHARED: the directory that holds golden/ (default ../shared)."""
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BIN", ROOT / "build/bin")).resolve()
VENV = Path(os.environ.get("VENV", ROOT / "build/venv"))
GOLDEN = Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "golden"
failures = 0

# onnxruntime is installed there alone.
if Path(sys.prefix).resolve() != VENV.resolve():
    if not (VENV / "bin/python").exists():
        sys.exit(f"not ok - no Python environment in {VENV}: make test-system makes it")
    os.execv(VENV / "bin/python", [VENV / "bin/python", *sys.argv])

import numpy
import onnxruntime


def check(what, good, shown=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {what}{f': {shown}' if shown != '' else ''}", flush=True)


def score(model, rows, *args, unchecked=True):
    text = "".join(json.dumps({"id": i, "attributes": row}) + "\n" for i, row in enumerate(rows))
    environment = {**os.environ, "SCHEMAS_DIR": str(ROOT / "schemas")}
    return subprocess.run([BIN / "scorer", "score", *(["--unchecked"] if unchecked else []), "--model", model, *args], env=environment, input=text,
                          capture_output=True, text=True, timeout=300)


def random_rows(cases, texts, count):
    values = {column: sorted({case[column] for case in cases if case[column] is not None}) for column in cases[0]}
    extremes = [0, -0.0, 1e30, -1e30, 1e-300, 5e-324, 1e15, 123456.789]

    def cell(column):
        kind = random.random()
        if kind < 0.1:
            return None
        if column in texts:
            return random.choice(values[column]) if kind < 0.9 else f"unheard of {random.randrange(1000)}"
        return random.choice(extremes) if kind < 0.104 else random.choice(values[column])

    return [{column: cell(column) for column in values} for _ in range(count)]


def runtime_probabilities(model, rows):
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    feeds = {}
    for given in session.get_inputs():
        text = given.type == "tensor(string)"
        column = [("" if text else numpy.nan) if row[given.name] is None else row[given.name] for row in rows]
        feeds[given.name] = numpy.array(column, object if text else numpy.float64).reshape(-1, 1)
    return session.run(["probabilities"], feeds)[0][:, 1]


def check_own_file(folder, cases):
    model = folder / "own.onnx"
    done = subprocess.run([BIN / "trainer", "train", GOLDEN / "train.csv", "--model", "logistic-regression-l2", "--out", model],
                          cwd=ROOT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        check("the trainer writes a file", False, done.stderr.strip())
        return
    texts = {column for case in cases for column, value in case.items() if isinstance(value, str)}
    rows = random_rows(cases, texts, 20000)
    answers = [json.loads(line) for line in score(model, rows, "--reasons", "1000").stdout.splitlines()]
    theirs = runtime_probabilities(model, rows)
    check("every row is answered", len(answers) == len(rows) and all("probability" in a for a in answers))
    worst = max(abs(a["probability"] - p) for a, p in zip(answers, theirs))
    undecided = sum(0.001 < p < 0.999 for p in theirs)
    check("onnxruntime agrees on our file within 1e-12", worst <= 1e-12 and undecided > 1000, f"worst {worst:.2g}, {undecided} undecided")
    # Of two terms of 1e28 and opposite sign, rounding leaves more than 1e-12 of their small sum: so the largest term is the scale.
    gaps = [abs(a["base"] + sum(r["contribution"] for r in a["reasons"]) - a["margin"]) /
            max(1, abs(a["margin"]), abs(a["reasons"][0]["contribution"])) for a in answers]
    check("margin = base + reasons within 1e-12", max(gaps) <= 1e-12, f"worst {max(gaps):.2g}")


def check_foreign_files(cases):
    rows = [case["input"] for case in cases]
    for model in sorted((GOLDEN / "onnx").glob("*.onnx")):
        done = score(model, rows)
        if done.returncode:
            check(f"{model.name} loads", False, done.stderr.strip())
            continue
        mine = {case["id"]: json.loads(line)["probability"] for case, line in zip(cases, done.stdout.splitlines())}
        with open(model.with_suffix(".csv"), encoding="utf-8") as file:
            pairs = [(mine.get(row["id"], -1), float(row["p_onnxruntime"] or row["p_sklearn"])) for row in csv.DictReader(file)]
        worst = max(abs(a - b) for a, b in pairs)
        # A forest of doubles still gives its probabilities in floats.
        bound = 1e-12 if model.name.startswith("lr_") and "f64" in model.name else 1e-6
        check(f"{model.name} within {bound:g}", len(pairs) == len(cases) and worst <= bound, f"worst {worst:.2g}")


def check_counterfactuals(rows):
    """What is proposed, put into the row and scored, gives the other prediction with the probability reported, and passes validation."""
    for name in ("lr_l2_f64_where", "rf30_f32", "xgb60_unscaled_f32"):
        model = GOLDEN / f"onnx/{name}.onnx"
        answers = [json.loads(line) for line in score(model, rows, "--counterfactual", unchecked=False).stdout.splitlines()]
        turned = [(row, answer) for row, answer in zip(rows, answers) if answer.get("counterfactual")]
        changed = [{**row, answer["counterfactual"]["feature"]: answer["counterfactual"]["value"]} for row, answer in turned]
        again = [json.loads(line) for line in score(model, changed, unchecked=False).stdout.splitlines()]
        good = len(answers) == len(rows) and turned and all(
            new.get("prediction", old["prediction"]) != old["prediction"] and new["probability"] == old["counterfactual"]["probability"]
            for (_, old), new in zip(turned, again))
        check(f"counterfactuals of {name} turn the prediction", good, f"{len(turned)} of {len(rows)} rows have one")


def main():
    if not (GOLDEN / "cases.jsonl").exists():
        sys.exit(f"not ok - {GOLDEN}/cases.jsonl is missing: set SHARED to the directory that holds golden/")
    random.seed(7)
    cases = [json.loads(line) for line in (GOLDEN / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory(prefix="onnx-parity-") as name:
        check_own_file(Path(name), [case["input"] for case in cases if case["kind"] in ("full", "blanked")])
    check_foreign_files(cases)
    check_counterfactuals([case["input"] for case in cases if case["kind"] == "full"][:100])
    sys.exit(failures != 0)


main()
