#!/usr/bin/env python3
"""Faults on purpose, seed after seed (test_faults.py, each with servers of its own), some side by side: most of a run is waiting.

CAMPAIGN_SEED: the first; CAMPAIGN_SECONDS (3600): no seed is begun later; CAMPAIGN_LANES (3): how many at once; FAULTS_…: as in
test_faults.py. Seeds take turns in what they run on: one broker, one behind a relay, three behind relays (CAMPAIGN_SHAPES=2: the third
alone), and every other one keeps current records (FAULTS_STATE: 1 for all, 0 for none). Ends with the sums, and with the command for each
seed that found a fault. Status 1: a fault; 3: no fault, but some seeds could not be decided, because the surroundings failed twice (a
port, a server, a machine that stands still)."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import lab  # runs this with the right interpreter

SHAPES = ({}, {"FAULTS_RELAY": "1"}, {"FAULTS_RELAY": "1", "FAULTS_BROKERS": "3"})
OK, FAULT, BROKEN = 0, 1, 3
LOGS = Path(os.environ.get("LOGS") or lab.ROOT / "build/test-logs")


def setting(name, fallback):
    return int(os.environ.get(name) or fallback)


class Seed:
    """One process; its output goes to a log of its own."""

    def __init__(self, number, shape, attempt=1):
        self.number, self.shape, self.attempt, self.began = number, shape, attempt, time.monotonic()
        self.log = LOGS / f"campaign-{number}.log"
        env = {**os.environ, "FAULTS_LAST": os.environ.get("FAULTS_LAST") or "1", **shape, "FAULTS_SEED": str(number), "FAULTS_ATTEMPTS": "1"}
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([sys.executable, lab.ROOT / "tests/system/test_faults.py"], env=env, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=subprocess.STDOUT)

    def over(self, longest):
        if self.process.poll() is None and time.monotonic() - self.began > longest:
            self.process.terminate()  # it ends its servers
            try:
                self.process.wait(180)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.poll() is not None

    def text(self):
        return self.log.read_text(errors="replace")

    def result(self):
        found = re.search(r"^# result (.*)$", self.text(), re.M)
        return json.loads(found[1]) if found else {}


class Campaign:
    def __init__(self):
        self.next, self.lanes, self.until = setting("CAMPAIGN_SEED", 1), setting("CAMPAIGN_LANES", 3), time.monotonic() + setting("CAMPAIGN_SECONDS", 3600)
        self.longest = 600 + 60 * setting("FAULTS_INJECTIONS", 8)
        self.shapes = [int(word) for word in (os.environ.get("CAMPAIGN_SHAPES") or "0,1,2").split(",")]
        self.running, self.decided, self.again, self.broken = [], [], [], []
        self.injections, self.missed, self.events, self.found = Counter(), Counter(), Counter(), Counter()
        self.alerts, self.repeats = 0, Counter()
        self.audits_clean, self.began = 0, time.monotonic()

    def begin(self):
        seed = Seed(self.next, SHAPES[self.shapes[self.next % len(self.shapes)]])
        self.running.append(seed)
        self.next += 1

    def take(self, seed):
        """What a seed that is over has to say."""
        status, result = seed.process.returncode, seed.result()
        if status == BROKEN and seed.attempt == 1:
            self.running.append(Seed(seed.number, seed.shape, attempt=2))
            return "broken, once more"
        if status == BROKEN:
            self.broken.append(seed.number)
            return "broken"
        self.decided.append(seed.number)
        self.injections.update(result.get("injections", {}))
        self.missed.update(result.get("missed", {}))
        self.events.update(result.get("events", {}))
        self.found.update(result.get("faults", {}))
        self.alerts += result.get("alerts", 0)
        self.repeats.update(result.get("repeats", {}))
        self.found["stalls and crashes"] += result.get("problems", 0)
        self.audits_clean += result.get("audit") is not None and not any(result["audit"].values())
        if status == OK:
            return "ok"
        command = re.search(r"^# again with: (.*)$", seed.text(), re.M)
        self.again.append(command[1] if command else f"no result, see {seed.log}")
        return "FAULT"

    def report(self, seed, decision):
        lines = [line for line in seed.text().splitlines() if re.match(r"not ok|# broken", line)]
        print(f"{decision}: seed {seed.number} {seed.shape or ''} {sum(seed.result().get('injections', {}).values())} injections, "
              f"{time.monotonic() - seed.began:.0f} s, {seed.log}", *(f"    {line[:300]}" for line in lines if decision != "ok"), sep="\n", flush=True)

    def run(self):
        while self.running or time.monotonic() < self.until:
            while len(self.running) < self.lanes and time.monotonic() < self.until:
                self.begin()
            for seed in [seed for seed in self.running if seed.over(self.longest)]:
                self.running.remove(seed)
                self.report(seed, self.take(seed))
            time.sleep(0.5)

    def sum_up(self):
        found = {kind: count for kind, count in self.found.items() if count}
        print(f"{sum(self.injections.values())} injections over {len(self.decided)} seeds in {time.monotonic() - self.began:.0f} s, "
              f"{sum(self.events.values())} events: {dict(self.events)}")
        for kind, count in self.injections.most_common():
            print(f"    {count:5} {kind}" + (f" ({self.missed[kind]} more did not come about)" if self.missed[kind] else ""))
        print(f"    lost {found.get('missing', 0)}, doubled {found.get('doubled', 0)}, out of order {found.get('out of order', 0)}, "
              f"all that was found: {found or 'nothing'}; audits clean: {self.audits_clean} of {len(self.decided)}")
        print(f"    alerts {self.alerts}; repeats {dict(self.repeats) or 'none'}")
        print(f"    seeds: {' '.join(map(str, self.decided))}" + (f"; not decided: {self.broken}" if self.broken else ""))
        for command in self.again:
            print(f"    again with: {command}")
        return FAULT if self.again else BROKEN if self.broken or not self.decided else OK


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
LOGS.mkdir(parents=True, exist_ok=True)
campaign = Campaign()
try:
    campaign.run()
finally:
    for left in campaign.running:
        left.over(0)
sys.exit(campaign.sum_up())
