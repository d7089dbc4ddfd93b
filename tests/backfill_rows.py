#!/usr/bin/env python3
"""So many generated rows (BACKFILL_ROWS, 10000000) through producer and scorer on a real Kafka: rows read = scored + rejected +
dead letters, as the programs print it; the producer's memory does not grow; `scorer audit` is clean at the end.

Half of the rows are a CSV in a pipe, every thousandth out of range (`backfill --wait`); the other half are events, some of them
poisoned (`generate --wait`)."""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "system"))
from lab import BIN, Lab

ROWS = int(os.environ.get("BACKFILL_ROWS") or 10_000_000)
PEAK_MIB = 128


def numbers(out):
    """Of the summary: rows read and rejected, and the line of events."""
    read, rejected = map(int, re.search(r"Rows read: +(\d+), of which (\d+) rejected", out).groups())
    events = next(line for line in out.splitlines() if line.startswith("Events:  "))
    return {"read": read, "rejected": rejected, **{name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+)", events)}}


def run_watched(lab, what, source, *words):
    """Its numbers; one check of its status and of what it took of memory at most."""
    began, peak = time.monotonic(), 0
    with open(lab.dir / "out", "w+") as out, open(lab.dir / "err", "w") as err:
        producer = subprocess.Popen([BIN / "producer", *words], env=lab.env, stdin=source, stdout=out, stderr=err)
        lab.endings.append(lambda: producer.poll() is None and producer.kill())
        while producer.poll() is None:
            found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{producer.pid}/status").read_text())
            peak = max(peak, int(found[1]) if found else 0)
            time.sleep(0.2)
        out.seek(0)
        text = out.read()
    lab.equal(f"{what}: exit status", producer.returncode, 0)
    print("# " + "\n# ".join(text.splitlines()[:12]) + f"\n# {time.monotonic() - began:.0f} s, {peak / 1024:.0f} MiB at most", flush=True)
    lab.check(f"{what}: memory", 0 < peak < PEAK_MIB * 1024, f"{peak / 1024:.0f} MiB")
    found = numbers(text)
    lab.equal(f"{what}: read = scored + rejected + dead letters", found["scored"] + found["rejected"] + found["dead letters"], found["read"])
    lab.equal(f"{what}: unaccounted for", found["unaccounted for"], 0)
    return found


with Lab() as lab:
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = lab.kafka()
    lab.model()
    scorer = lab.scorer(ROLES="score,http", KAFKA_COMPRESSION_TYPE="lz4")
    lab.ready(scorer)
    rows = subprocess.Popen(["bash", "-c", f"{BIN}/producer generate --count {ROWS // 2} --out - | sed '1000~1000s/,[0-9]*,/,400,/'"],
                            env=lab.env, stdout=subprocess.PIPE)
    lab.endings.append(lambda: rows.poll() is None and rows.kill())
    tables = run_watched(lab, "rows of a pipe", rows.stdout, "backfill", "-", "--wait")
    lab.equal("rows of a pipe: rejected", (tables["read"], tables["rejected"]), (ROWS // 2, ROWS // 2 // 1000))
    events = run_watched(lab, "generated events", subprocess.DEVNULL, "generate", "--count", str(ROWS - ROWS // 2), "--seed", "9", "--poison", "0.001",
                         "--wait")
    lab.check("generated events: some are dead letters", events["dead letters"] > ROWS // 4000, events["dead letters"])
    lab.equal("the scorer's own counts", [scorer.counter(f"events_{name}_total") for name in ("scored", "dead_lettered")],
              [tables[name] + events[name] for name in ("scored", "dead letters")])
    lab.audit(scorer, seconds=3600)
