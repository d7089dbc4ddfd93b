#!/usr/bin/env python3
"""The flip test: of a planted table in which women alone leave, and of the same without that column, with counts known in advance; of files of every kind
on the real table beside onnxruntime, which scores the changed rows; in the run's artifacts, the card, the pages and the metrics."""
import csv
import json
import random

from lab import BIN, ROOT, Lab, ibm_table

import numpy as np
import onnxruntime
import pandas as pd

KINDS = ("logistic-regression-l2", "random-forest", "gradient-boosting")


def schema():
    fields = json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"]
    return next(field for field in fields if field["name"] == "attributes")["type"]["fields"]


GROUPS = {field["name"]: field for field in schema() if field.get("group")}


def planted(lab):
    """The real people; whoever is a woman leaves, one in twenty the other way round."""
    rows, chance = list(csv.DictReader(open(ibm_table(), encoding="utf-8-sig"))), random.Random(5)
    for row in rows:
        row["Attrition"] = "Yes" if (row["Gender"] == "Female") != (chance.random() < 0.05) else "No"
    path = lab.dir / "planted.csv"
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path, sum(row["Gender"] == "Female" for row in rows), sum(row["Gender"] == "Male" for row in rows)


def artifacts(root):
    return {path.name: path.read_text() for path in root.glob("*/*/artifacts/*.*") if path.suffix in (".md", ".json", ".html")}


def totals(document):
    return {flip["column"]: (flip["count"], flip["up"], flip["down"]) for flip in document["flips"] if not flip["group"] and not flip["to"]}


def train(lab, name, *more):
    root = lab.dir / name
    out = lab.must(BIN / "trainer", "train", *more, env={"MLFLOW_TRACKING_URI": str(root)})
    metrics = {path.name: float(path.read_text().split()[1]) for path in root.glob("*/*/metrics/*")}
    return out, artifacts(root), metrics


def known(lab):
    path, women, men = planted(lab)
    out, files, metrics = train(lab, "planted", path, "--model", "logistic-regression-l2", "--threshold", "0.5")
    document = json.loads(files["evaluation.json"])
    lab.equal("every woman's decision flips down, every man's up", totals(document)["Gender"], (women + men, men, women))
    pairs = {(flip["group"], flip["to"]): (flip["count"], flip["up"], flip["down"]) for flip in document["flips"] if flip["column"] == "Gender" and flip["group"]}
    lab.equal("by group, and by the value that they are given", pairs, {("Female", None): (women, 0, women), ("Female", "Male"): (women, 0, women), ("Male", None): (men, men, 0), ("Male", "Female"): (men, men, 0)})
    lab.equal("the metric is the largest share", metrics["flip_test"], 1.0)
    lab.check("no other attribute of groups flips as many", all(up + down < 0.05 * count for name, (count, up, down) in totals(document).items() if name != "Gender"), totals(document))
    lab.one_line("it is printed", out, f"Gender \\(all\\) +{women + men} +{men} up +{women} down +100.0 %")
    lab.one_line("it is in the card", files["model_card.md"], f"^\\| Gender: Female \\| {women} \\| 0 \\| {women} \\|$")
    lab.check("and in the page", f"<td>Gender: all</td>\n<td>{women + men}</td>\n<td>{men}</td>\n<td>{women}</td>" in files["report.html"])
    lab.check("card and page say that the model knows these rows", all("1470 rows that the model was fitted to" in files[name] for name in ("model_card.md", "report.html")))
    out, files, _ = train(lab, "without", path, "--model", "logistic-regression-l2", "--threshold", "0.5", "--exclude", "Gender")
    lab.equal("a column that the model does not have flips nothing", totals(json.loads(files["evaluation.json"]))["Gender"], (women + men, 0, 0))
    _, files, metrics = train(lab, "held", path, "--model", "random-forest", "--param", "n_estimators=20", "--test-size", "0.3", "--threshold", "0.5", "--exclude", "Gender", "--exclude", "Age", "--exclude", "MaritalStatus")
    document = json.loads(files["evaluation.json"])
    lab.equal("rows that were held out are those assessed", {count for count, _, _ in totals(document).values()}, {document["held_out"]["count"]})
    lab.one_line("the card says so", files["model_card.md"], "441 rows held out of all fitting")
    lab.equal("without all of them nothing flips", (metrics["flip_test"], [flip for flip in document["flips"] if flip["up"] + flip["down"]]), (0.0, []))


def group_of(field, value):
    """A number of its band, or the value."""
    return sum(value >= band for band in field["bands"]) if field.get("bands") else value


def counted(session, inputs, frame, threshold):
    """{column: {(group, to): (up, down)}} by onnxruntime."""
    score = lambda table: np.asarray(session.run(["probabilities"], {i.name: table[[i.name]].to_numpy(object if "string" in i.type else np.float32 if "float" in i.type else float)
                                                                    for i in inputs})[0], dtype=float)[:, 1] >= threshold
    before, found = score(frame), {}
    for name, field in GROUPS.items():
        groups = frame[name].map(lambda value: group_of(field, value))
        pairs, ever = {}, np.zeros(len(frame), bool)
        for to in sorted(set(groups)):
            values = sorted(frame[name][groups == to])
            after = score(frame.assign(**{name: values[(len(values) - 1) // 2]}))
            flipped = (after != before) & (groups != to).to_numpy()
            ever |= flipped
            for group in sorted(set(groups)):
                here = flipped & (groups == group).to_numpy()
                if here.any():
                    pairs[group, to] = (int((here & ~before).sum()), int((here & before).sum()))
        found[name] = pairs, (len(frame), int((ever & ~before).sum()), int((ever & before).sum()))
    return found


def beside(lab):
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig")
    for kind in KINDS:
        path = lab.dir / f"{kind}.onnx"
        lab.must(BIN / "trainer", "train", ibm_table(), "--model", kind, "--threshold", "0.3", "--out", path, *(("--param", "n_estimators=50") if kind != KINDS[0] else ()))
        document = json.loads(lab.must(BIN / "trainer", "evaluate", path, ibm_table(), "--json", "--permutations", 0))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        theirs = counted(session, session.get_inputs(), frame, document["threshold"])
        lab.equal(f"{kind}: the columns that make groups", list(totals(document)), list(GROUPS))
        for name, (pairs, total) in theirs.items():
            ours = [(flip["up"], flip["down"]) for flip in document["flips"] if flip["column"] == name and flip["to"]]
            lab.equal(f"{kind}, {name}: all, as onnxruntime's", totals(document)[name], total)
            lab.equal(f"{kind}, {name}: pairs of groups", sorted(ours), sorted(pairs.values()))
        threads = json.loads(lab.must(BIN / "trainer", "evaluate", path, ibm_table(), "--json", "--permutations", 0, "--threads", 3))
        lab.check(f"{kind}: other threads, the same figures", threads == document)


with Lab() as lab:
    known(lab)
    beside(lab)
