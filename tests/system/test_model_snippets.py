#!/usr/bin/env python3
"""The Python of docs/MODELS.md, run as it stands there: the models it writes are imported with golden rows and background, verified, and
scored beside onnxruntime, with reasons that add up to the margin; and bad input to `registry import` is refused in one line."""
import json
import math
import os
import re
import shutil

from lab import BIN, ROOT, Lab, golden  # first: it goes on in the environment that has the rest

import numpy
import onnxruntime

NAMES = ("logistic", "forest", "boosting", "indicators", "xgboost", "lightgbm")


def run_snippets(folder):
    """The namespace that the blocks leave behind."""
    text, before, space = (ROOT / "docs/MODELS.md").read_text(), os.getcwd(), {"__name__": "snippets"}
    os.chdir(folder)
    try:
        for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
            exec(compile(block, "docs/MODELS.md", "exec"), space)
    finally:
        os.chdir(before)
    return space


def check_model(lab, folder, env, space, name):
    path, table, texts = folder / f"{name}.onnx", space["table"], space["texts"]
    status, out, err = lab.run(BIN / "registry", "import", path, "--name", name, "--golden", folder / f"{name}.jsonl", "--background",
                   folder / "employees.csv", "--alias", "production", env=env)
    lab.check(f"{name}: import prints the version", status == 0 and out == "1\n", err.strip()[-200:])
    shown = lab.run(BIN / "registry", "verify", f"models:/{name}@production", env=env)[1]
    lab.check(f"{name}: verify has 20 golden rows and the same contract", "golden_rows: 20\n" in shown and "contract_registered: the same" in shown
              and "reasons: by" in shown, shown[:80].replace("\n", " "))
    rows = table.iloc[100:300]
    feeds = {column: rows[[column]].to_numpy(object if column in texts else numpy.float32) for column in rows}
    expected = onnxruntime.InferenceSession(str(path)).run(None, feeds)[1][:, 1]
    lines = "".join(json.dumps({key: None if value == "" or value != value else value for key, value in row.items()}) + "\n"
                    for row in rows.to_dict("records"))
    _, scored, _ = lab.run(BIN / "scorer", "score", "--unchecked", "--model", f"models:/{name}@production", "--reasons", "99", env=env, input=lines)
    answers = [json.loads(line) for line in scored.splitlines()]
    worst = max(abs(answer["probability"] - share) for answer, share in zip(answers, expected)) if len(answers) == len(expected) else math.inf
    gap = max((abs(answer["margin"] - answer["base"] - math.fsum(reason["contribution"] for reason in answer["reasons"])) for answer in answers),
              default=math.inf)
    lab.check(f"{name}: as onnxruntime, and base + sum = margin", worst <= 1e-6 and gap <= 1e-9 and all(answer["reasons"] for answer in answers),
              f"{worst:.2g}, {gap:.2g}")


def check_refusals(lab, folder, env, space):
    model, rows = folder / "logistic.onnx", (folder / "logistic.jsonl").read_text().splitlines()
    header, first, *_ = (folder / "employees.csv").read_text().splitlines()
    made = {"cut.onnx": model.read_bytes()[:900], "text.onnx": b"not a model at all\n", "empty.onnx": b"",
            "wrong.jsonl": json.dumps({**json.loads(rows[0]), "probability": 0.987}).encode(),
            "name.jsonl": b'{"attributes":{"Shoe":44},"probability":0.1}\n', "broken.jsonl": b'{"attributes":\n',
            "unknown.csv": f"Shoe,{header}\n44,{first}\n".encode(), "none.csv": header.encode() + b"\n", "nothing.csv": b"",
            "bad.csv": f"{header}\n{first}\n{first.replace(first.split(',')[1], 'old', 1)}\n".encode()}
    for name, content in made.items():
        (folder / name).write_bytes(content)
    for what, status, pattern, *words in (
            ("a truncated file", 1, "cut.onnx", folder / "cut.onnx"),
            ("no ONNX", 1, "ONNX", folder / "text.onnx"),
            ("an empty file", 1, "empty", folder / "empty.onnx"),
            ("no file", 1, "gone.onnx", folder / "gone.onnx"),
            ("a golden row that differs", 1, "wrong.jsonl line 1", model, "--golden", folder / "wrong.jsonl"),
            ("golden rows of this file, one of which differs", 1, "this very file", model, "--golden", folder / "wrong.jsonl", "--golden-from", "file"),
            ("golden rows of a source that differs", 1, "of 1 rows differ", model, "--golden", folder / "wrong.jsonl"),
            ("columns of a table for a file without one", 1, "leave it out", model, "--columns", "Age,OverTime"),
            ("the class of those who stay as the risk", 1, "--positive-label", model, "--positive-label", "0", "--background",
             folder / "employees.csv"),
            ("a golden row with another column", 1, "Shoe", model, "--golden", folder / "name.jsonl"),
            ("a golden line that is no JSON", 1, "broken.jsonl line 1", model, "--golden", folder / "broken.jsonl"),
            ("a background with another column", 1, "Shoe", model, "--background", folder / "unknown.csv"),
            ("a background without rows", 1, "no rows", model, "--background", folder / "none.csv"),
            ("an empty background", 1, "no rows", model, "--background", folder / "nothing.csv"),
            ("a background with a bad value", 1, "line 3", model, "--background", folder / "bad.csv"),
            ("a label the model lacks", 1, "Perhaps", model, "--positive-label", "Perhaps"),
            ("a name with a slash", 2, "name", model, "--name", "a/b"),
            ("a registry that is a file", 1, "employees.csv", model, "--tracking-uri", folder / "employees.csv")):
        found, out, err = lab.run(BIN / "registry", "import", *words, env={**env, "MLFLOW_TRACKING_URI": str(folder / "refused")})
        lab.check(f"refused in one line: {what}", found == status and out == "" and err.count("\n") == 1 and re.search(pattern, err),
                  err.strip()[-200:])
    lab.check("nothing was registered by what was refused", not list(folder.glob("refused/models/*/version-*")))


def check_contract(lab, folder, env):
    schemas = folder / "schemas"
    shutil.copytree(ROOT / "schemas", schemas)
    for name in ("employee_event.avsc", "employee_state.avsc", "prediction.avsc"):
        text = (schemas / name).read_text()
        at = text.index('"int"', text.index('"DailyRate"'))
        (schemas / name).write_text(text[:at] + '"double"' + text[at + 5:])
    status, _, err = lab.run(BIN / "scorer", "score", "--model", "models:/forest/1", env={**env, "SCHEMAS_DIR": str(schemas)}, input="{}\n")
    lab.check("a changed contract is refused with its column", status == 1 and "DailyRate double numeric float" in err, err.strip()[-200:])


with Lab(STATE_TOPIC="none") as lab:
    folder = lab.dir / "models"
    folder.mkdir()
    shutil.copy(golden("train.csv"), folder / "employees.csv")
    env = {"MLFLOW_TRACKING_URI": str(folder / "mlruns"), "SCHEMAS_DIR": str(ROOT / "schemas")}
    space = run_snippets(folder)
    for name in NAMES:
        check_model(lab, folder, env, space, name)
    check_refusals(lab, folder, env, space)
    check_contract(lab, folder, env)
