#!/usr/bin/env python3
"""`make run ONCE=1` as a user calls it: from nothing, again, with the real table, with bad rows planted, with bad input.
Its own registry and its own build directory's programs; everything it started is gone afterwards."""
# Runs alone: `make run` listens where users expect it, and must leave no directory behind.
import csv
import gzip
import re
import shutil

from lab import BIN, ROOT, Lab, ibm_table
from make_run import SUMMARY, check_ended_well, left_behind, make_run, most_at_risk, numbers

# physical line, column, new text, code expected
PLANTED = (
    (5, "Age", "150", "out_of_range"),
    (10, "JobRole", "Astronaut", "unknown_category"),
    (20, "MonthlyIncome", "lots", "wrong_type"),
    (40, "DailyRate", "NaN", "not_finite"),
    (50, "YearsInCurrentRole", "70", "rule"),
)
SHORT_LINE = 30


def registry_alias(lab):
    out = lab.must(BIN / "registry", "show", "attrition", "--alias", "production")
    return re.search(r"version:? (\d+)", out)[1]


def check_own_registry(lab, table):
    """In ./mlruns, and there alone, the alias moves to a model of the data; not tried where somebody has one."""
    if (ROOT / "mlruns").exists():
        print(f"# {ROOT}/mlruns exists: not touched, and the model of make run's own is not tried")
        return
    given = lab.env.pop("MLFLOW_TRACKING_URI")
    try:
        lab.must(BIN / "trainer", "train", lab.employees(1000), "--model", "logistic-regression-l2")
        status, out = make_run(lab, DATA=table)
        lab.equal("make run's own registry: exit status", status, 0)
        lab.one_line("… it says that another model is trained", out, "trained on other data", "promoting", "./mlruns")
        lab.equal("… the alias has moved", registry_alias(lab), "2")
    finally:
        shutil.rmtree(ROOT / "mlruns", ignore_errors=True)
        lab.env["MLFLOW_TRACKING_URI"] = given


def check_run(lab, what, status, out, scored, **rest):
    check_ended_well(lab, what, status, out, scored)
    lab.equal(f"{what}: dead letters, ignored", [numbers(out).get(name) for name in ("dead letters", "ignored")], [0, 0])
    lab.equal(f"{what}: what the summary lacks", [part for part in SUMMARY if part not in out], [])
    ten = most_at_risk(out)
    lab.equal(f"{what}: employees most at risk, each with reasons in words",
              sum(bool(re.search(r"(raised|lowered) by [A-Z][\w -]+: .+ \([+-]\d+\.\d\d\)", line)) for line in ten), 10)
    for name, wanted in rest.items():
        lab.equal(f"{what}: {name}", re.findall(rf"(\d+) {name}", out)[-1:], [str(wanted)])
    return ten


def check_state(lab, what, out, employees, again=False):
    """Each has a record; whoever is at risk an alert that is the first, but for those of a run before."""
    lab.one_line(f"{what}: current records", out, rf"^Current records: +{employees} employees, 0 partitions being restored$")
    at_risk = re.search(r"At risk \(prediction Yes\): (\d+) of", out)[1]
    lab.one_line(f"{what}: alerts by kind", out, r"^Alerts by kind: +" + ("none" if again else f"{at_risk} FIRST") + "$")


def plant(table, path):
    lines = table.read_bytes().split(b"\r\n")
    header = lines[0].decode("utf-8-sig").split(",")
    for number, column, text, _ in PLANTED:
        cells = lines[number - 1].decode().split(",")
        cells[header.index(column)] = text
        lines[number - 1] = ",".join(cells).encode()
    lines[SHORT_LINE - 1] = b",".join(lines[SHORT_LINE - 1].split(b",")[:5])
    path.write_bytes(b"\r\n".join(lines))


with Lab() as lab:
    before = left_behind()
    status, out = make_run(lab)
    check_run(lab, "from nothing", status, out, 5000)
    check_state(lab, "from nothing", out, 5000)
    lab.one_line("it says that a model is trained, and on what", out, "No model is registered", "training", "synthetic")
    lab.one_line("it says that delivery is at-least-once", out, "at-least-once")
    status, out = make_run(lab, STATE_TOPIC="none")
    check_run(lab, "again, without current records", status, out, 5000)
    lab.check("again: the model is kept", "training" not in out)
    lab.check("again: nothing is said of records and alerts", "Current records:" not in out and "Alerts by kind:" not in out)

    table = ibm_table()
    employees = len(list(csv.reader(table.open(encoding="utf-8-sig")))) - 1
    status, out = make_run(lab, DATA=table)
    check_run(lab, "real table, a registry that was given", status, out, employees)
    lab.one_line("… it says that nothing is trained over its model", out, "trained on other data", "MLFLOW_TRACKING_URI given")
    lab.equal("… its alias stays", registry_alias(lab), "1")
    lab.env["MLFLOW_TRACKING_URI"] = str(lab.dir / "for the table")
    packed = lab.dir / "packed.csv.gz"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    status, out = make_run(lab, DATA=packed)
    ten = check_run(lab, "real table", status, out, employees)
    lab.one_line("real table: it says that a model is trained on it", out, "No model is registered", "training one on", packed.name)
    print("\n".join("# " + line for line in ten[:3]))

    planted = lab.dir / "planted.csv"
    plant(table, planted)
    status, out = make_run(lab, DATA=planted)
    check_run(lab, "planted", status, out, employees - len(PLANTED) - 1, **{"rejected before sending": len(PLANTED) + 1})
    for number, column, _, code in PLANTED:
        lab.one_line(f"planted: line {number} is reported with column and reason", out, rf"\b{number}\b", column, code)
    lab.one_line(f"planted: line {SHORT_LINE} is reported as too short", out, rf"^\S+:{SHORT_LINE}: ", "malformed|field")

    (lab.dir / "empty.csv").touch()
    (lab.dir / "words.txt").write_text("hello\nworld\n")
    kafka = lab.kafka(topics=("somebody-elses",))  # those of make run are missing: it makes them
    for what, again in (("a Kafka that was given", False), ("… again, its topics full of the first run", True)):
        status, out = make_run(lab, KAFKA_BOOTSTRAP_SERVERS=kafka)
        check_run(lab, what, status, out, 5000)
        check_state(lab, what, out, 5000, again)
        lab.one_line(f"{what}: delivery", out, re.escape(kafka), "exactly-once")

    for what, data, pattern in (
            ("a file that does not exist", lab.dir / "none.csv", "no such file"),
            ("a directory", lab.dir, "not a file"),
            ("an empty file", lab.dir / "empty.csv", "empty"),
            ("a file that is no table", lab.dir / "words.txt", "no row of it could be sent"),
    ):
        status, out = make_run(lab, DATA=data)
        lab.check(f"{what}: it fails", status != 0, status)
        lab.one_line(f"{what}: one clear line", out, "DATA=", pattern)

    check_own_registry(lab, table)
    lab.env["MLFLOW_TRACKING_URI"] = str(lab.dir / "no-models")
    unlabelled = lab.dir / "unlabelled.csv"
    rows = list(csv.reader(table.open(encoding="utf-8-sig")))
    label = rows[0].index("Attrition")
    unlabelled.write_text("".join(",".join(row[:label] + row[label + 1:]) + "\n" for row in rows))
    status, out = make_run(lab, DATA=unlabelled)
    check_run(lab, "unlabelled data and no model", status, out, employees)
    lab.one_line("unlabelled data and no model: it says what the model was trained on", out, "synthetic employees", "no column Attrition")
    lab.equal("processes and directories left behind", [name for name in left_behind() if name not in before], [])
