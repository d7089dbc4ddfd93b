#!/usr/bin/env python3
"""Faults on purpose under load (faults.py), and no event is lost, doubled or out of order, in the topics and in PostgreSQL. One seed,
short, always the same by default; `make campaign` (campaign.py) runs many.

FAULTS_SEED (1); FAULTS_INJECTIONS (8): how many; FAULTS_RATE (800): events a second; FAULTS_KINDS: these injections only, by commas,
or all but those with a minus before them; FAULTS_BROKERS (1): 3 for a cluster; FAULTS_RELAY (0): 1 puts a relay between scorers and brokers,
for bad networks; FAULTS_STATE: 1 for current records, 0 for none (seeds of odd numbers have them); FAULTS_LAST (0): 1 for a last act
(last_acts.py), or its name; FAULTS_PATIENCE (60): how many seconds the loops may take to move on after an injection; FAULTS_SETTINGS:
further settings of the scorers, NAME=VALUE by commas: with DELIVERY=at-least-once the same end of an event once more is counted, and
another end is a fault.

Exit status 3: the surroundings failed (a port was taken, a server did not start, the machine stood still, Kafka does not end a transaction
of the traffic), nothing is known of the scorer. FAULTS_ATTEMPTS (2): how often the seed is begun until they do not."""
import json
import os
import subprocess
import sys
import time

from faults import Run
from injections import INJECTIONS
from lab import Lab  # first: it brings the right interpreter
from last_acts import last_act
from servers import Broken, Servers
from confluent_kafka import KafkaException

SETTINGS = {"FAULTS_SEED": "1", "FAULTS_INJECTIONS": "8", "FAULTS_RATE": "800", "FAULTS_KINDS": "", "FAULTS_BROKERS": "1", "FAULTS_RELAY": "0",
            "FAULTS_LAST": "0", "FAULTS_STATE": "", "FAULTS_SETTINGS": "", "FAULTS_ATTEMPTS": "2"}


def setting(name):
    return os.environ.get(name) or SETTINGS[name]


def again():
    """The command that does the same once more."""
    given = [f"{name}='{setting(name)}'" for name in SETTINGS if setting(name) != SETTINGS[name]]
    return " ".join([*given, "tests/system/test_faults.py"])


def check(lab, run):
    began, seed = time.monotonic(), run.seed
    run.inject(INJECTIONS, int(setting("FAULTS_INJECTIONS")), tuple(filter(None, setting("FAULTS_KINDS").split(","))))
    faults, events = run.finish()
    seen = f"{sum(run.done.values())} injections, {sum(events.values())} events, {time.monotonic() - began:.0f} s"
    lab.equal(f"seed {seed}: lost, doubled, out of order, altered ({seen})", str(faults), "none")
    if run.kept:
        print(f"# current records of {len(run.kept.model.records)} employees, {len(run.kept.model.moves)} changes, {run.kept.due} alerts", flush=True)
    if run.repeats:
        print(f"# repeats: {dict(run.repeated) or 'none'}", flush=True)
    lab.equal(f"seed {seed}: stalls and crashes", "; ".join(run.problems) or "none", "none")
    audit = lab.audit(run.scorers["a"], FAILPOINT="", LD_PRELOAD="")
    act, wrong = None, None
    if setting("FAULTS_LAST") != "0" and not lab.failures:
        act, wrong = last_act(run, setting("FAULTS_LAST") if setting("FAULTS_LAST") != "1" else None)
        lab.equal(f"seed {seed}: last, {act}", wrong, None)
        run.done[act] += 1
    print("# result " + json.dumps({"seed": seed, "injections": run.done, "missed": run.missed, "events": events, "ended": run.ended,
                                    "alerts": run.kept.due if run.kept else 0, "repeats": run.repeated,
                                    "faults": faults.counts, "problems": len(run.problems), "audit": audit.get("faults")}), flush=True)


def begin(lab):
    """Nothing is on trial yet: whatever fails here is the surroundings' fault."""
    try:
        lab.model()
        servers = Servers(lab, int(setting("FAULTS_BROKERS")), setting("FAULTS_RELAY") != "0")
        return Run(lab, servers, int(setting("FAULTS_SEED")), int(setting("FAULTS_RATE")),
                   env=dict(word.split("=", 1) for word in setting("FAULTS_SETTINGS").split(",") if word),
                   kept=int(setting("FAULTS_STATE")) if setting("FAULTS_STATE") else None)
    except (KafkaException, RuntimeError, subprocess.TimeoutExpired) as failure:
        raise Broken(f"at the beginning: {failure}") from failure


def run_seed(lab):
    run = begin(lab)
    try:
        check(lab, run)
    finally:
        if lab.failures or sys.exc_info()[0]:
            print(f"# again with: {again()}; logs in {run.keep_logs()}", flush=True)
        run.close()


def attempt():
    """What of the surroundings failed, or None."""
    with Lab() as lab:
        try:
            run_seed(lab)
        except (Broken, subprocess.TimeoutExpired) as failure:
            print(f"# broken: {failure}", flush=True)
            return failure
        lab.check("injections", True, setting("FAULTS_INJECTIONS"))
    return None


for _ in range(int(setting("FAULTS_ATTEMPTS"))):
    broken = attempt()
    if not isinstance(broken, Broken):  # a program that does not end in its time is not begun once more
        break
if broken:
    print(f"not ok - the surroundings failed, nothing is known of the scorer: {broken}")
    sys.exit(3)
