#!/usr/bin/env python3
"""The trainer against scikit-learn's figures, through the programs alone: train on golden/train.csv, score golden/cases.jsonl,
compare probabilities and coefficients; what is registered, what is refused, and that the same input gives the same bytes.

BIN: the programs' directory (default build/bin); SHARED: the directory that holds golden/ (default ../shared)."""
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BIN", ROOT / "build/bin")).resolve()
GOLDEN = Path(os.environ.get("SHARED", ROOT / "../shared")).resolve() / "golden"
TRAIN = GOLDEN / "train.csv"
failures = 0


def check(what, good, shown=""):
    global failures
    failures += not good
    print(f"{'ok' if good else 'not ok'} - {what}{f': {shown}' if shown != '' else ''}", flush=True)


def run(program, *args, cwd, text=""):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "MODEL_"))}
    environment["SCHEMAS_DIR"] = str(ROOT / "schemas")
    return subprocess.run([BIN / program, *map(str, args)], cwd=cwd, env=environment, input=text, capture_output=True, text=True, timeout=300)


def train(kind, folder, *args, data=TRAIN):
    return run("trainer", "train", data, "--model", kind, *args, cwd=folder)


def score(model, cases, folder, *args):
    text = "".join(json.dumps({"id": case["id"], "attributes": case["input"]}) + "\n" for case in cases)
    done = run("scorer", "score", "--model", model, "--unchecked", *args, cwd=folder, text=text)
    if done.returncode:
        sys.exit(f"not ok - scorer score ended with {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare_probabilities(folder, cases):
    for kind, column, bound, params in (("logistic-regression-l2", "lr_l2", 1e-9, ("--param", "C=1")),
                                        ("logistic-regression", "lr_none_exact", 1e-6, ())):
        model = folder / f"{column}.onnx"
        done = train(kind, folder, *params, "--out", model)
        if done.returncode:
            check(f"{kind} trains", False, done.stderr.strip())
            continue
        answers = score(model, cases, folder)
        pairs = [(answer["probability"], case["p"][column]) for answer, case in zip(answers, cases) if case["p"][column] is not None]
        worst = max(abs(mine - theirs) for mine, theirs in pairs)
        check(f"{kind} gives {column} of {len(pairs)} cases within {bound:g}", len(pairs) > 600 and worst <= bound, f"worst {worst:.2g}")
        check(f"{kind}: every case is answered in order", [a["id"] for a in answers] == [c["id"] for c in cases])


def compare_coefficients(folder, cases):
    """A number's contribution is coefficient × (value − mean) / scale: so reasons show the coefficients."""
    fitted = json.loads((GOLDEN / "model_lr_l2.json").read_text())
    coefficients = dict(zip(fitted["features"], fitted["coef"]))
    worst, seen = 0, set()
    for answer, case in zip(score(folder / "lr_l2.onnx", cases, folder, "--reasons", 1000), cases):
        contributions = {reason["feature"]: reason["contribution"] for reason in answer["reasons"]}
        for column in fitted["numeric"]:
            name, value = column["name"], case["input"][column["name"]]
            standard = ((column["median"] if value is None else value) - column["mean"]) / column["scale"]
            if name in contributions and 0.1 < abs(standard) < 100:
                worst = max(worst, abs(contributions[name] / standard - coefficients["num__" + name]))
                seen.add(name)
    check(f"coefficients of {len(seen)} numeric columns within 1e-9", worst <= 1e-9 and len(seen) == len(fitted["numeric"]), f"worst {worst:.2g}")
    explained = score(folder / "lr_l2.onnx", cases[:200], folder, "--reasons", 1000)
    worst = max(abs(a["base"] + math.fsum(r["contribution"] for r in a["reasons"]) - a["margin"]) for a in explained)
    check("base and contributions add up to the margin", worst <= 1e-12, f"worst {worst:.2g}")


def check_registering(folder):
    first, second = train("logistic-regression-l2", folder), train("logistic-regression-l2", folder)
    check("training registers a version", first.returncode == 0 and "version 1" in first.stdout, first.stderr.strip())
    check("the first version takes the alias, the second leaves it", "alias production -> version 1" in first.stdout and "stays at version 1" in second.stdout)
    check("always-No stands beside the model", 'always "No"' in first.stdout)
    shown = run("registry", "show", "attrition", "--alias", "production", cwd=folder)
    values = dict(line.split(": ", 1) for line in shown.stdout.splitlines())
    check("the version knows its data", values.get("tag.data.sha256") == hashlib.sha256(TRAIN.read_bytes()).hexdigest(), values.get("tag.data.sha256", shown.stderr.strip()))
    files = sorted(folder.glob("mlruns/*/*/artifacts/model/model.onnx"))
    check("the same table and seed give the same bytes", len(files) == 2 and files[0].read_bytes() == files[1].read_bytes())
    promoted = run("registry", "promote", "attrition", "2", "--alias", "production", cwd=folder)
    shown = run("registry", "show", "attrition", cwd=folder)
    check("promote moves the alias", promoted.returncode == 0 and "version: 2\n" in shown.stdout, promoted.stderr.strip())
    (folder / "mlruns/models/attrition/aliases/production").write_text("x")
    repaired = run("registry", "promote", "attrition", "2", "--alias", "production", cwd=folder)
    check("promote repairs an alias that holds no version, as its message says", repaired.returncode == 0 and "production is version 2 now" in repaired.stdout and "holds no version" in repaired.stderr, repaired.stderr.strip())
    required = run("registry", "promote", "attrition", "1", "--require", "flips<=", cwd=folder)
    check("a requirement that is none is a usage error", required.returncode == 2, required.stderr.strip())
    third = train("logistic-regression-l2", folder, "--promote", "--seed", "1")
    check("--promote moves the alias", "alias production -> version 3" in third.stdout)
    (folder / "mlruns").rename(folder / "moved")
    listed = run("registry", "list", "--tracking-uri", folder / "moved", cwd=folder)
    check("a store that was moved is read", listed.returncode == 0 and "gone" not in listed.stdout and listed.stdout.count("attrition") == 3)


def table(folder, name, change):
    """train.csv, changed as text: one line a row."""
    place = folder / name
    place.write_text("\n".join(change(TRAIN.read_text().splitlines())) + "\n")
    return place


def with_cell(lines, row, column, text):
    fields = lines[row].split(",")
    fields[lines[0].split(",").index(column)] = text
    return [*lines[:row], ",".join(fields), *lines[row + 1:]]


def check_refusals(folder):
    refusals = (
        ("an empty file", lambda lines: [], "empty"),
        ("a header alone", lambda lines: lines[:1], "no rows"),
        ("no target column", lambda lines: [line.split(",", 1)[1] for line in lines], "Attrition"),
        ("a missing feature", lambda lines: [line.rsplit(",", 1)[0] for line in lines], "YearsWithCurrManager"),
        ("one class only", lambda lines: lines[:1] + [line for line in lines[1:] if line.startswith("No")], "both classes"),
        ("a number out of range", lambda lines: with_cell(lines, 4, "Age", "150"), ":5: Age"),
        ("text for a number", lambda lines: with_cell(lines, 5, "DailyRate", "lots"), ":6: DailyRate"),
        ("an unknown category", lambda lines: with_cell(lines, 6, "JobRole", "Astronaut"), ":7: JobRole"),
        ("NaN", lambda lines: with_cell(lines, 7, "HourlyRate", "NaN"), ":8: HourlyRate"),
        ("an unknown label", lambda lines: with_cell(lines, 8, "Attrition", "Maybe"), ":9: Attrition"),
        ("a short row", lambda lines: [*lines[:9], lines[9].rsplit(",", 3)[0], *lines[10:]], ":10: "),
    )
    for what, change, named in refusals:
        done = train("logistic-regression-l2", folder, "--out", folder / "refused.onnx", data=table(folder, "bad.csv", change))
        check(f"{what} is refused", done.returncode == 1 and named in done.stderr, done.stderr.strip().splitlines()[-1] if done.stderr else "")
    check("nothing is written when a table is refused", not (folder / "refused.onnx").exists())
    os.mkfifo(folder / "pipe")
    done = train("logistic-regression-l2", folder, "--out", folder / "pipe")
    check("what is no regular file is not replaced", done.returncode == 1 and (folder / "pipe").is_fifo(), done.stderr.strip())
    weak = [train("logistic-regression-l2", folder, "--param", f"C={c}", "--out", folder / "weak.onnx").returncode for c in ("1e-9", "1e6", "1e9", "1e12")]
    check("penalties from overwhelming to none that counts all end", weak == [0] * 4, weak)
    leak = table(folder, "leak.csv", lambda lines: [lines[0]] + [with_cell([lines[0], line], 1, "DailyRate", "1" if line.startswith("Yes") else "2")[1] for line in lines[1:]])
    done = train("logistic-regression", folder, "--out", folder / "leak.onnx", data=leak)
    check("a column that gives the label away ends the fit without a penalty", done.returncode == 1 and "gives the label away" in done.stderr, done.stderr.strip().splitlines()[-1] if done.stderr else "")
    for what, args, status, named in (("no such file", (folder / "none.csv",), 1, "none.csv"), ("no table", (), 2, "DATA"),
                                      ("an unknown parameter", (TRAIN, "--param", "depth=3"), 2, "depth"), ("C=0", (TRAIN, "--param", "C=0"), 2, "above 0"),
                                      ("a tracking server", (TRAIN, "--tracking-uri", "http://127.0.0.1:1"), 1, "127.0.0.1:1")):
        done = run("trainer", "train", *args, "--model", "logistic-regression-l2", cwd=folder)
        check(f"{what}: status {status} and one line", done.returncode == status and named in done.stderr, done.stderr.strip())


def main():
    if not TRAIN.exists():
        sys.exit(f"not ok - {TRAIN} is missing: set SHARED to the directory that holds golden/")
    cases = [json.loads(line) for line in (GOLDEN / "cases.jsonl").read_text().splitlines()]
    with tempfile.TemporaryDirectory(prefix="train-parity-") as name:
        folder = Path(name)
        compare_probabilities(folder, cases)
        compare_coefficients(folder, cases)
        check_registering(folder)
        check_refusals(folder)
    sys.exit(failures != 0)


main()
