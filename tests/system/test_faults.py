#!/usr/bin/env python3
"""Faults on purpose under load (faults.py), and no event is lost, doubled or out of order, in the topics and in PostgreSQL. Short
by default, with a seed that is always the same; `make campaign` runs it seed after seed.

FAULTS_SEED (1): the first seed; FAULTS_INJECTIONS (8): how many a seed; FAULTS_SECONDS (none): go on with further seeds for so
long; FAULTS_RATE (800): events a second; FAULTS_KINDS: these injections only, by commas; FAULTS_PATIENCE (60): how many seconds
the loops may take to move on after an injection; FAULTS_SETTINGS: further settings of the scorers, NAME=VALUE by commas."""
import os
import time
from collections import Counter

from faults import Run, Servers
from lab import Lab


def setting(name, fallback):
    return int(os.environ.get(name) or fallback)


FIRST, INJECTIONS, RATE = setting("FAULTS_SEED", 1), setting("FAULTS_INJECTIONS", 8), setting("FAULTS_RATE", 800)
SECONDS, KINDS = setting("FAULTS_SECONDS", 0), tuple(filter(None, (os.environ.get("FAULTS_KINDS") or "").split(",")))
SETTINGS = dict(word.split("=", 1) for word in (os.environ.get("FAULTS_SETTINGS") or "").split(",") if word)


def run_seed(lab, servers, seed):
    """The injections by kind."""
    began, run = time.monotonic(), Run(lab, servers, seed, RATE, env=SETTINGS)
    try:
        run.inject(INJECTIONS, SECONDS or 3600, KINDS)
        faults, events = run.finish()
        told = f"{sum(run.done.values())} injections, {sum(events.values())} events, {time.monotonic() - began:.0f} s"
        kept = lab.equal(f"seed {seed}: lost, doubled, out of order, altered ({told})", str(faults), "none")
        kept &= lab.equal(f"seed {seed}: stalls and crashes", "; ".join(run.problems) or "none", "none")
        kept &= bool(lab.audit(run.scorers["a"], FAULT_POINT="").get("clean"))
        print(f"# seed {seed}: {dict(run.done)}; not come about: {dict(run.missed)}; events {dict(events)}; ended by themselves "
              f"(status: times) {dict(run.ended)}", flush=True)
        if not kept:
            print(f"# again with: FAULTS_SEED={seed} FAULTS_INJECTIONS={INJECTIONS} FAULTS_RATE={RATE}; logs in {run.keep_logs()}", flush=True)
        return run.done
    finally:
        run.close()


with Lab() as lab:
    began, done, seeds = time.monotonic(), Counter(), 0
    lab.model()
    servers = Servers(lab)
    while not seeds or time.monotonic() - began < SECONDS:
        done += run_seed(lab, servers, FIRST + seeds)
        seeds += 1
    lab.check("injections", sum(done.values()) > 0, f"{sum(done.values())} over {seeds} seeds in {time.monotonic() - began:.0f} s: {dict(done)}")
