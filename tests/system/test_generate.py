#!/usr/bin/env python3
"""`producer generate`: every form of file is one that `producer backfill` reads whole, the same seed gives the same bytes, what is planted
is there, and the scorer merges a life of partial events without a dead letter."""
import csv
import io
import re

from lab import BIN, Lab

FORMS = ("csv", "jsonl", "json", "avro", "csv.gz", "jsonl.zst", "avro.gz")


def generate(lab, *words):
    return lab.run(BIN / "producer", "generate", *words)


def rows_of(lab, *words):
    return list(csv.DictReader(io.StringIO(lab.must(BIN / "producer", "generate", "--out", "-", *words))))


def counts_of(pattern, text):
    """{code: count} of "3 (malformed)" or "malformed 3"."""
    found = {}
    for number, code in re.findall(pattern, text):
        code, number = code.split() if not number else (code, number)
        found[code] = found.get(code, 0) + int(number)
    return {code: number for code, number in found.items() if number}


def share(rows, column, value):
    return sum(row[column] == value for row in rows) / len(rows)


with Lab() as lab:
    kafka = lab.kafka()
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = kafka
    for life in ((), ("--life", "400d")):
        found = set()
        for form in FORMS:
            path = lab.dir / f"people{len(life)}.{form}"
            lab.must(BIN / "producer", "generate", "--count", 300, "--seed", 9, *life, "--out", path)
            status, out, err = lab.run(BIN / "producer", "backfill", "--dry-run", path)
            found.add((status, out.split(",")[1], out.split(",")[2]))
        lab.check(f"{' '.join(life) or 'one event each'}: backfill reads all of every form", len(found) == 1 and {(0, " rejected 0")} ==
                  {(status, rejected) for status, _, rejected in found}, found)
    again = lab.dir / "again.avro"
    lab.must(BIN / "producer", "generate", "--count", 300, "--seed", 9, "--life", "400d", "--out", again)
    lab.check("the same seed gives the same bytes", again.read_bytes() == (lab.dir / "people2.avro").read_bytes())

    partial = ("--count", 300, "--seed", 9, "--life", "400d", "--changes", "partial")
    reports = []
    for form in ("jsonl", "avro"):
        lab.must(BIN / "producer", "generate", *partial, "--out", lab.dir / f"partial.{form}")
        status, out, err = lab.run(BIN / "producer", "backfill", "--dry-run", lab.dir / f"partial.{form}")
        reports.append((status, out.split(",")[1:3]))
    lab.check("partial events: an Avro file is read like JSON Lines", reports[0] == reports[1] and reports[0][0] == 0 and " rejected 0" in reports[0][1], reports)

    # Poison in files: backfill refuses as many under each code as generate says.
    for life in ((), ("--life", "200d")):
        for form in ("csv", "jsonl", "json.gz", "avro"):
            path = lab.dir / f"poison{len(life)}.{form}"
            _, _, err = generate(lab, "--count", 500, *life, "--poison", "0.2", "--out", path)
            _, out, _ = lab.run(BIN / "producer", "backfill", "--dry-run", path)
            spoilt, refused = counts_of(r"(\d+) \((\w+)\)", err.split("poisoned")[-1]), counts_of(r"()(\w+ \d+)", out[out.find("("):out.find(")")])
            lab.check(f"poison in {path.name}: refused by code as it was made", spoilt == refused and sum(spoilt.values()) > 50, (spoilt, refused))
    lab.one_line("poison that a file cannot have: said", generate(lab, "--count", 5, "--poison", "1", "--out", lab.dir / "p.avro")[2],
                 "left out: malformed .it would end the whole file.*bad_frame.*no frame.*key_mismatch.*no key")

    plain, biased = rows_of(lab, "--count", 20000), rows_of(lab, "--count", 20000, "--bias", "Gender=Female:1.2")
    leave = [[share([row for row in rows if row["Gender"] == gender], "Attrition", "Yes") for gender in ("Female", "Male")] for rows in (plain, biased)]
    lab.check("--bias: the group leaves more often, nobody else does", leave[1][0] > leave[0][0] + 0.1 and leave[1][1] == leave[0][1], leave)
    drifted = rows_of(lab, "--count", 2000, "--life", "730d", "--start", "2024-01-01", "--drift", "OverTime=Yes:0.9@2025-01-01")
    halves = [[row for row in drifted if row["event_type"] == "HIRED" and (row["occurred_at"] >= "2025") == late] for late in (False, True)]
    overtime = [share(rows, "OverTime", "Yes") for rows in halves]
    lab.check("--drift: from its time on", overtime[0] < 0.4 and overtime[1] > 0.8, overtime)
    hours = {int(row["occurred_at"][11:13]) for row in rows_of(lab, "--count", 50, "--life", "300d", "--arrival", "daily")}
    lab.equal("--arrival daily: within ten hours", hours, set(range(8, 18)))

    for words, says in ((("--life", "30d", "--changes", "partial", "--out", "x.csv"), "backfill reads what has changed"),
                        (("--changes", "partial"), "needs --life"), (("--life", "30d", "--start", "2999-01-01"), "in the future"),
                        (("--poison", "0.1", "--poison-codes", "limit"), "no poison is refused under it"),
                        (("--poison-codes", "out_of_range"), "needs --poison"),
                        (("--poison", "1", "--poison-codes", "out_of_range,bad_frame", "--out", "x.csv"), "bad_frame: .*cannot have it: .*no frame"),
                        (("--poison", "1", "--poison-codes", "malformed", "--out", "x.avro"), "malformed: .*it would end the whole file"),
                        (("--out", "x", "--format", "parquet"), "generate writes"), (("--out", "x.parquet"), "no parquet"), (("--format", "jsonl"), "--out")):
        status, out, err = generate(lab, *words)
        lab.equal(f"{' '.join(words)}: usage", status, 2)
        lab.one_line(f"{' '.join(words)}: why", err, says)
    upper = lab.dir / "UPPER.JSONL"
    status, out, err = generate(lab, "--count", 1, "--rate", 5, "--arrival", "daily", "--out", upper)
    lab.check("an ending in capitals counts", upper.read_text().startswith("{"))
    for pattern in ("--rate is for events that are sent: it changes nothing", "--arrival needs --life"):
        lab.one_line("an option without effect is named", err, pattern)
    status, out, err = generate(lab, "--count", 100, "--out", "/dev/full")
    lab.equal("a full disk: exit status", status, 1)
    lab.one_line("a full disk: one line", err, "cannot write /dev/full")

    lab.model()
    lab.env["STATE_TOPIC"] = "attrition-state"
    lab.must(BIN / "scorer", "check", "--create-topics", env={"ROLES": "score"})
    status, out, err = generate(lab, "--count", 200, "--life", "365d", "--changes", "partial")
    lab.equal("partial events are sent: exit status", status, 0)
    scorer = lab.scorer("partial", "--exit-at-end", ROLES="score")
    lab.equal("the scorer handles them", scorer.popen.wait(90), 0)
    lab.audit(scorer)
    lab.equal("no dead letter: each can be merged, and is valid then", len(lab.consume(kafka, "employee-events-dlq")), 0)
    ends = [len(lab.consume(kafka, topic)) for topic in ("employee-events", "attrition-predictions", "attrition-outcomes")]
    lab.check("every event is scored, or an outcome", ends[0] == ends[1] + ends[2] > 800 and ends[2] > 20, ends)
    status, out, err = generate(lab, "--count", 400, "--poison", "0.5", "--poison-codes", "out_of_range,key_mismatch")
    kinds = {line for line in out.splitlines() if line.startswith("poisoned")}
    lab.one_line("--poison-codes: these kinds alone", "\n".join(kinds), "truncated 0 .*out-of-range [1-9].*unknown-category 0.*key-mismatch [1-9]")
