#!/usr/bin/env python3
"""From the prediction log back to a model: `trainer table` right at each point in time, `registry promote --replay`, `trainer retrain`."""
import csv
import io
import json
import random
import re
import subprocess

from lab import BIN, ROOT, Lab

COLUMNS = "event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel, " \
          "source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers"
schema = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
record = next(f for f in schema["fields"] if f["name"] == "attributes")["type"]
FIELDS = {f["name"]: next(t for t in f["type"] if t != "null") for f in record["fields"]}
offset = 0


def people(lab, count, seed):
    """Attributes of synthetic employees, as JSON has them, and the labels they come with."""
    path = lab.employees(count, seed)
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig")))
    return [{name: (r[name] if kind == "string" else int(r[name]) if kind in ("int", "long") else float(r[name])) if r[name] else None for name, kind in FIELDS.items()} for r in rows], \
        [r["Attrition"] == "Yes" for r in rows]


def log(lab, url, rows):
    """rows: (employee, occurred_at, scored_at, attributes, {column: SQL})."""
    global offset
    lines = []
    for employee, occurred, scored, attributes, *rest in rows:
        offset += 1
        values = {"event_id": f"'{employee}-{offset}'", "employee_id": f"'{employee}'", "occurred_at": f"'{occurred}+00'", "scored_at": f"'{scored}+00'", "prediction": "'No'", "probability": "0.1",
                  "threshold": "0.5", "margin": "0", "base": "0", "latency_us": "9", "model_name": "'attrition'", "model_version": "'1'", "channel": "'STREAM'", "source_topic": "'in'",
                  "source_partition": "0", "source_offset": str(offset), "cluster_id": "'c'", "output_topic": "'out'", "output_partition": "0", "output_offset": str(offset),
                  "input": "'" + json.dumps(attributes).replace("'", "''") + "'", "reasons": "'[]'", "challengers": "'[]'"} | (rest[0] if rest else {})
        lines.append("(" + ", ".join(values[c] for c in COLUMNS.split(", ")) + ")")
    file = lab.dir / "rows.sql"
    file.write_text(f"INSERT INTO attrition.predictions ({COLUMNS}) VALUES\n" + ",\n".join(lines) + ";\n")
    lab.must("psql", "-Xqv", "ON_ERROR_STOP=1", "-f", file, url)


def leave(lab, url, exits):
    """exits: (employee, time)."""
    global offset
    lines = []
    for employee, at in exits:
        offset += 1
        lines.append(f"('x-{offset}', '{employee}', '{at}+00', 'TERMINATED', 'c', 'outcomes', 0, {offset}, '{{}}')")
    file = lab.dir / "exits.sql"
    file.write_text('INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input) VALUES\n' + ",\n".join(lines) + ";\n")
    lab.must("psql", "-Xqv", "ON_ERROR_STOP=1", "-f", file, url)


def run(lab, url, *command):
    environment = lab.env | {"DATABASE_URL": url, "SCHEMAS_DIR": str(ROOT / "schemas")}
    return subprocess.run([str(c) for c in command], env=environment, cwd=lab.dir, capture_output=True, text=True, timeout=300)


def table(lab, url, *args):
    return run(lab, url, BIN / "trainer", "table", *args)


def read(text):
    return {row["EmployeeNumber"]: row for row in csv.DictReader(io.StringIO(text))}


def equals(row, attributes):
    def value(name):
        return None if row[name] == "" else row[name] if FIELDS[name] == "string" else float(row[name])
    return all(value(name) == attributes.get(name) for name in FIELDS)


def point_in_time(lab, url):
    given, _ = people(lab, 30, 3)
    older = {k: v for k, v in given[11].items() if k != "Age"} | {"Shoe": 43}
    log(lab, url, [
        ("p1", "2024-12-01", "2024-12-01", given[1]), ("p1", "2024-12-01", "2024-12-01", given[1]),     # the same twice
        ("p2", "2024-12-01", "2024-12-01", given[2]),
        ("p3", "2024-12-01", "2024-12-01", given[3]),
        ("p4", "2024-03-01", "2024-03-01", given[4]), ("p4", "2024-11-01", "2024-11-01", given[24]),    # rehired
        ("p5", "2024-12-01", "2024-12-01", given[5]), ("p5", "2025-02-01", "2025-02-01", given[25]),    # changed after the date
        ("p6", "2025-01-05", "2025-01-05", given[6]),
        ("p7", "2024-12-01", "2024-12-01", given[7]), ("p7", "2025-02-01", "2024-12-20", given[27]),    # takes effect after the date
        ("p8", "2024-11-01", "2024-11-02", given[8]), ("p8", "2024-10-01", "2024-12-05", given[28]),    # an older event, scored late
        ("p9", "2024-12-01", "2024-12-01", given[9]),
        ("p10", "2024-12-01", "2024-12-01", given[10] | {"JobRole": "Astronaut"}),
        ("p11", "2024-12-01", "2024-12-01", older),
        ("p12", "2023-06-01", "2023-06-01", given[12]),
        ("p14", "2024-12-01", "2024-12-01", given[14]),
        ("p15", "2024-12-01", "2024-12-01", given[15], {"model_version": "'2'"}),
        ("p16", "2024-12-01", "2024-12-01", given[16], {"channel": "'HTTP'"}),
        ("p17", "2024-06-01", "2024-06-01", given[17]),
        ('a "quoted", id', "2024-12-01", "2024-12-01", given[18] | {"MonthlyIncome": None}),
        ("p19", "2024-12-01", "2024-12-01", given[19], {"employee_id": "NULL"}),                        # pseudonymised
    ])
    leave(lab, url, [("p2", "2025-03-01"), ("p3", "2024-12-15"), ("p4", "2024-06-01"), ("p13", "2025-02-01"), ("p14", "2025-09-01"), ("p17", "2024-05-01")])
    lab.sql(url, "INSERT INTO attrition.erasures (employee_id, cluster_id, output_partition, output_offset) VALUES ('p9', 'c', 0, 100000)")
    done = table(lab, url, "--as-of", "2025-01-01", "--horizon", "180d")
    rows = read(done.stdout)
    lab.equal("the header is what train reads", done.stdout.splitlines()[0].split(","), ["EmployeeNumber", *FIELDS, "Attrition"])
    lab.equal("who is in the table, in order", list(rows), ['a "quoted", id', "p1", "p11", "p12", "p14", "p15", "p17", "p2", "p4", "p5", "p7", "p8"])
    lab.equal("only an exit within the horizon is one", [name for name, row in rows.items() if row["Attrition"] == "Yes"], ["p2"])
    wanted = {"p1": given[1], "p2": given[2], "p4": given[24], "p5": given[5], "p7": given[7], "p8": given[8], "p12": given[12], "p14": given[14], "p15": given[15], "p17": given[17],
              "p11": older, 'a "quoted", id': given[18] | {"MonthlyIncome": None}}
    lab.equal("each record is as it was scored by the date", [name for name, attributes in wanted.items() if not equals(rows[name], attributes)], [])
    lab.check("what was left out is counted", "12 rows, 1 of them left within the horizon, by 2 model versions; left out: 1 had left before, 0 censored" in done.stderr and
              "1 to be erased, 1 refused by the schema" in done.stderr, done.stderr)
    for what, words in (("the refused one's fault", "JobRole"), ("attributes of another schema", "1 records have attributes that the schema no longer has"),
                        ("a gap in the log", "2 records are from more than a horizon before"), ("exits of nobody", "1 exits within the horizon are of people without a record")):
        lab.check(f"said: {what}", words in done.stderr, done.stderr)
    day = lab.sql(url, "SELECT (now() - interval '30 days')::date")[0][0]
    both = table(lab, url, "--as-of", day, "--as-of", "2025-01-01", "--out", lab.dir / "both.csv")
    lab.check("a date whose horizon has not passed gives no row and is said", both.returncode == 0 and (lab.dir / "both.csv").read_text() == done.stdout and "0 rows" in both.stderr and
              "12 censored" in both.stderr, both.stderr)
    lab.equal("the table is for its owner alone", (lab.dir / "both.csv").stat().st_mode & 0o777, 0o600)
    for what, args, status, words in (("no date", ("--as-of", "soon"), 1, "give a day or a time"), ("before the log", ("--as-of", "2001-01-01"), 1, "no row is left"),
                                      ("a horizon of nothing", ("--horizon", "0s"), 2, "--horizon"), ("an option of train", ("--calibrate", "sigmoid"), 2, "--calibrate")):
        failed = table(lab, url, *args)
        lab.check(f"{what}: status {status}, one line, nothing on standard output", failed.returncode == status and words in failed.stderr and not failed.stdout, failed.stderr)
    nowhere = table(lab, "postgresql://nobody:secret@127.0.0.1:1/x", "--as-of", "2025-01-01")
    lab.check("no database: one line without the password", nowhere.returncode == 1 and nowhere.stderr.count("\n") == 1 and "secret" not in nowhere.stderr, nowhere.stderr)
    none = table(lab, url, "--as-of", day, "--horizon", "36500d")
    lab.equal("all censored: no table", (none.returncode, none.stdout), (1, ""))
    lab.sql(url, "TRUNCATE attrition.predictions, attrition.outcomes, attrition.erasures")


def score(lab, version, inputs):
    done = lab.must(BIN / "scorer", "score", "--model", f"models:/attrition/{version}", "--reasons", "1", input="".join(json.dumps(i) + "\n" for i in inputs))
    return [json.loads(line) for line in done.splitlines()]


def promote(lab, url, version, *args):
    return run(lab, url, BIN / "registry", "promote", "attrition", version, *args)


def replayed(lab, url):
    lab.model()
    lab.must(BIN / "trainer", "train", lab.dir / "train.csv", "--model", "logistic-regression-l2", "--exclude", "OverTime", "--threshold", "0.3")
    given, _ = people(lab, 3000, 4)
    log(lab, url, [(f"r{n}", "2025-01-01", f"2025-01-{1 + n // 300:02d} {n % 300 // 60:02d}:{n % 60:02d}:00", a) for n, a in enumerate(given)] + [("odd", "2025-01-20", "2025-01-20", given[0] | {"Age": 900})])
    thresholds = [float(next(line for line in lab.must(BIN / "registry", "verify", f"models:/attrition/{v}").splitlines() if line.startswith("threshold")).split()[1]) for v in (1, 2)]
    sides = [score(lab, v, given[301:]) for v in (1, 2)]
    risks = [[a["probability"] for a in side] for side in sides]
    calls = [[p >= t for p in side] for side, t in zip(risks, thresholds)]
    count = len(given) - 301
    up, down = sum(b and not a for a, b in zip(*calls)), sum(a and not b for a, b in zip(*calls))
    done = promote(lab, url, 2, "--replay", count + 1, "--require", "flips<=0", "--require", "rows>=10")
    out = done.stdout
    lab.check("the last N are replayed, and who is refused is counted", f"replay of the last {count + 1} inputs: {count} compared, 1 refused by the schema" in out, out)
    lab.check("decisions that flip", f"decisions that flip: {(up + down) / count:.4f} ({up} to Yes, {down} to No)" in out, out)
    lab.check("shares flagged", f"{sum(calls[0]) / count:.4f}" in out and f"{sum(calls[1]) / count:.4f}" in out)
    lab.check("risks", all(f"{sum(r) / count:.4f}" in out for r in risks) and f"changes by {sum(abs(a - b) for a, b in zip(*risks)) / count:.4f} in the mean" in out)
    for side in calls:
        rates = [sum(c for c, a in zip(side, given[301:]) if a["Gender"] == g) / sum(a["Gender"] == g for a in given[301:]) for g in ("Female", "Male")]
        lab.check("the impact ratio of a group attribute", any("Gender" in line and f"{min(rates) / max(rates):.4f}" in line for line in out.splitlines()), rates)
    changed = sum(a["reasons"][0]["feature"] != b["reasons"][0]["feature"] for a, b in zip(*sides)) / count
    lab.check("reasons that change", f"first reason is another attribute: {changed:.4f} of {count} inputs" in out, changed)
    lab.check("80 columns", max(map(len, out[out.index("replay of"):].splitlines())) <= 80)
    lab.check("a demand that is not met: status 1, each is said, and the alias stays", done.returncode == 1 and "flips <= 0; found" in out and "not met" in out and
              "rows >= 10; found 2699: met" in out and "the alias stays" in done.stderr and "version: 1" in lab.must(BIN / "registry", "show", "attrition"), done.stderr)
    for what, args, words in (("a name that is none", ("--replay", "10", "--require", "flops<=1"), "flips_down"), ("no number", ("--replay", "10", "--require", "flips<=x"), "give NAME"),
                              ("no replay", ("--require", "flips<=1"), "add --replay N")):
        failed = promote(lab, url, 2, *args)
        lab.check(f"{what}: usage", failed.returncode == 2 and words in failed.stderr, failed.stderr)
    lost = promote(lab, "postgresql://127.0.0.1:1/x", 2, "--replay", "10")
    lab.check("no database: status 1, and the alias stays", lost.returncode == 1 and "version: 1" in lab.must(BIN / "registry", "show", "attrition"), lost.stderr)
    moved = promote(lab, url, 2, "--replay", "100", "--require", "flips<=1", "--require", "unscored<=0")
    lab.check("demands that are met: it moves", moved.returncode == 0 and "version: 2" in lab.must(BIN / "registry", "show", "attrition"), moved.stderr)
    first = promote(lab, url, 1, "--alias", "canary", "--replay", "100", "--require", "flips<=1")
    lab.check("nothing in use: what compares is not known, so not met", first.returncode == 1 and "not known" in first.stdout, first.stdout)
    lab.sql(url, "TRUNCATE attrition.predictions")
    empty = promote(lab, url, 1, "--replay", "10")
    lab.check("an empty log is said", empty.returncode == 1 and "holds no input" in empty.stderr, empty.stderr)


def show(lab, alias="production"):
    status, out, _ = lab.run(BIN / "registry", "show", "attrition", "--alias", alias)
    return next(line.split()[1] for line in out.splitlines() if line.startswith("version:")) if status == 0 else None


def retrained(lab, url):
    """Two periods of a company in which overtime has come to mean nothing and distance everything: the challenger finds it, the version in use does not."""
    given, _ = people(lab, 800, 5)
    drawn = random.Random(7)
    dates = ("2024-01-01", "2024-09-01", "2025-06-01")
    exits = []
    for at in dates:
        log(lab, url, [(f"{at}-{n}", at, at, a | {"StockOptionLevel": 0}) for n, a in enumerate(given)])
        exits += [(f"{at}-{n}", f"{int(at[:4])}-{int(at[5:7]) + 2:02d}-01") for n, a in enumerate(given) if drawn.random() < 1 / (1 + 2.718281828 ** (2.5 - 0.25 * (a["DistanceFromHome"] - 9)))]
    leave(lab, url, exits)
    asked = [word for at in dates for word in ("--as-of", at)]
    command = (BIN / "trainer", "retrain", "--model", "logistic-regression-l2", "--exclude", "StockOptionLevel")
    before = show(lab)
    done = run(lab, url, *command, *asked, "--calibrate", "sigmoid")
    lab.check("a challenger is registered from the log", done.returncode == 0 and show(lab, "challenger") == "3" and "alias challenger -> version 3" in done.stdout, done.stderr)
    lab.equal("the version in use stays", show(lab), before)
    lab.check("both are assessed by the same later rows", re.search(r"the same (\d+) rows of the later period, beside version 2 in use", done.stdout) is not None, done.stdout)
    lab.equal("which are those of the last date", re.search(r"the same (\d+) rows", done.stdout)[1], re.search(rf"as of {dates[2]}: (\d+) rows", done.stderr)[1])
    run_dir = next(p.parents[1] for p in (lab.dir / "mlruns").glob("*/*/metrics/in_use_roc_auc"))
    figures = {name: float((run_dir / "metrics" / name).read_text().split()[1]) for name in ("test_roc_auc", "in_use_roc_auc", "roc_auc")}
    lab.check("the drift that was planted is learned, and not known to the version in use", figures["test_roc_auc"] > figures["in_use_roc_auc"] + 0.15, figures)
    lab.equal("the run says where its data is from", (run_dir / "tags/data.name").read_text(), "prediction log as of 2024-01-01, 2024-09-01, assessed as of 2025-06-01")
    lab.equal("the table that was written for it is gone", list(lab.dir.glob("attrition-log-*")), [])
    # The same figures by hand: the tables of the dates, the model that was registered.
    for name, when in (("later.csv", dates[2:]), ("earlier.csv", dates[:2])):
        lab.equal(f"{name} is written", table(lab, url, *[w for at in when for w in ("--as-of", at)], "--out", lab.dir / name).returncode, 0)
    by_hand = json.loads(lab.must(BIN / "trainer", "evaluate", "models:/attrition/2", lab.dir / "later.csv", "--json"))["held_out"]["metrics"]
    lab.check("the figures of the version in use are those of `evaluate`", abs(by_hand["roc_auc"] - figures["in_use_roc_auc"]) < 1e-12, by_hand)
    again = json.loads(lab.must(BIN / "trainer", "evaluate", "models:/attrition/3", lab.dir / "later.csv", "--json"))["held_out"]["metrics"]
    lab.check("and those of the challenger", abs(again["roc_auc"] - figures["test_roc_auc"]) < 1e-12, again)
    failed = (("a leaking column", ("--as-of", dates[1], "--as-of", dates[2]), 1, "gives the label away"), ("one date", ("--as-of", dates[0]), 1, "two dates or more"),
              ("labels that know of the later period", ("--as-of", "2025-05-01", *asked), 1, "would know of the later"), ("the alias in use", (*asked, "--challenger-alias", "production"), 1, "never moves"),
              ("held-out rows of its own", (*asked, "--test-size", "0.2"), 2, "--test-size"), ("to promote", (*asked, "--promote"), 2, "--promote"),
              ("a horizon that has not passed", (*asked, "--as-of", lab.sql(url, "SELECT current_date")[0][0]), 1, "no row is left of the later period"))
    lab.sql(url, "UPDATE attrition.predictions SET input = input || jsonb_build_object('MonthlyRate', CASE WHEN employee_id IN (SELECT employee_id FROM attrition.outcomes) THEN 26000 ELSE 3000 END)")
    for what, args, status, words in failed:
        refused = run(lab, url, *command, *args)
        lab.check(f"refused: {what}", refused.returncode == status and words in refused.stderr and show(lab, "challenger") == "3" and show(lab) == before, refused.stderr)


with Lab() as lab:
    url = lab.postgres()
    point_in_time(lab, url)
    replayed(lab, url)
    retrained(lab, url)
