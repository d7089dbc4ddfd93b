#!/usr/bin/env python3
"""`--wait` against a real Kafka and a scorer: every event sent is followed to its prediction, dead letter or outcome, others' events are not
counted, a scorer that is missing ends it with status 1, Ctrl-C too."""
import re
import signal
import subprocess

from lab import BIN, Lab


def summary(out):
    line = next((line for line in out.splitlines() if line.startswith("Events:  ")), "")
    return {name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+)", line)}


with Lab() as lab:
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = lab.kafka()
    lab.model()
    people = lab.employees(3000)
    bad = people.read_text().splitlines()
    bad[10] = bad[10].replace(",", ",x", 1)
    people.write_text("\n".join(bad) + "\n")

    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", "--wait-timeout", "2s", people)
    lab.equal("without a scorer: exit status", status, 1)
    lab.one_line("without a scorer: what is missing", err, "2999 of 2999 events have no end yet", "scorer running")
    lab.one_line("without a scorer: places", err, r"employee-events \[\d\] offset \d+: no prediction")
    lab.equal("without a scorer: unaccounted for", summary(out).get("unaccounted for"), 2999)

    scorer = lab.scorer(ROLES="score,http")
    lab.ready(scorer)
    lab.wait("the first events are scored", lambda: scorer.counter("events_scored_total") == 2999)
    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", people)
    found = summary(out)
    lab.equal("backfill --wait: exit status", status, 0)
    lab.equal("backfill --wait: sent, scored, unaccounted for", [found.get(name) for name in ("sent", "scored", "unaccounted for")], [2999, 2999, 0])
    lab.one_line("backfill --wait: rows", out, "Rows read: +3000, of which 1 rejected")
    lab.one_line("backfill --wait: at risk", out, r"At risk .*: [1-9]\d* of 2999", "attrition version 1")

    status, out, err = lab.run(BIN / "producer", "generate", "--count", "10", "--seed", "6", "--wait", "-X", "message.max.bytes=20000000")
    lab.equal("generate --wait where records may be larger than what is fetched ahead", (status, summary(out).get("scored")), (0, 10))

    other = subprocess.Popen([BIN / "producer", "generate", "--count", "4000", "--rate", "2000"], env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status, out, err = lab.run(BIN / "producer", "generate", "--count", "3000", "--poison", "0.1", "--seed", "5", "--wait")
    other.wait(300)
    found = summary(out)
    lab.equal("generate --wait beside another producer: exit status", status, 0)
    lab.equal("… sent = scored + dead letters", (found.get("sent"), found.get("unaccounted for")), (found["scored"] + found["dead letters"], 0))
    lab.check("… dead letters", found["dead letters"] > 200, found["dead letters"])
    lab.one_line("… their codes", out, "Dead letters by code:", r"malformed \d+", r"bad_frame \d+")

    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", "--event-type", "TERMINATED", people)
    lab.equal("outcomes: exit status, outcomes", (status, summary(out).get("outcomes")), (0, 2999))
    leavers = lab.dir / "leavers.jsonl"
    leavers.write_text('{"employee_id":"1","event_type":"TERMINATED"}\n{"op":"d","before":{"EmployeeNumber":2},"source":{"ts_ms":1700000000000}}\n')
    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", leavers)
    lab.equal("leavers without attributes: exit status, outcomes, dead letters", (status, summary(out).get("outcomes"), summary(out).get("dead letters")), (0, 2, 0))

    scorer.end()
    producer = subprocess.Popen([BIN / "producer", "backfill", "--wait", people], env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    producer.stdout.readline()  # all is sent
    producer.send_signal(signal.SIGINT)
    out, err = producer.communicate(timeout=300)
    lab.equal("Ctrl-C while it waits: exit status", producer.returncode, 1)
    lab.one_line("Ctrl-C while it waits: what is missing", err, "stopped", "of 2999 events have no end yet")
