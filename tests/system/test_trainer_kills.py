#!/usr/bin/env python3
"""The trainer killed at random moments, fifty times in a directory and a few times on a real MLflow server: the registry never
shows a half-written version, an alias never points at one, and the next training goes on as if nothing had been."""
import os
import random
import re
import threading
import time
import warnings

from lab import BIN, Lab
from mlflow_server import QUIET, await_server, start_server

warnings.filterwarnings("ignore")
os.environ.update(QUIET)
KILLS, SERVER_KILLS = 50, 8
TRAIN = ("train", "--model", "logistic-regression-l2", "--promote")


def train(lab, data):
    lab.must(BIN / "trainer", *TRAIN, data)


class Killer:
    """Kills at a random moment of a run, which takes as long as the last ones that came to their end."""

    def __init__(self, lab, data, chance):
        self.lab, self.data, self.chance, self.killed = lab, data, chance, 0
        began = time.monotonic()
        train(lab, data)
        self.usual = time.monotonic() - began

    def once(self, earliest):
        process = self.lab.start("trainer", [BIN / "trainer", *TRAIN, self.data])
        self.lab.processes.pop()
        began = time.monotonic()
        deadline = began + self.usual * self.chance.uniform(earliest, 1.2)
        while process.alive() and time.monotonic() < deadline:
            time.sleep(0.0005)
        if not process.alive():
            self.usual = (self.usual + time.monotonic() - began) / 2
        process.kill()
        self.killed += process.popen.returncode == -9


def listed(out):
    """Version → its aliases, as `registry list` prints them."""
    rows = [line.split() for line in out.splitlines()[1:]]
    return {int(row[1]): row[2] for row in rows if row[0] == "attrition"}


class Watcher:
    """Reads the store all the time while trainers are killed: what a scorer's poll would see."""

    def __init__(self, lab):
        self.lab, self.looks, self.faults, self.over = lab, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.02):
            status, out, err = self.lab.run(BIN / "registry", "list")
            shown, _, complaint = self.lab.run(BIN / "registry", "show", "attrition")
            self.looks += 1
            if status or shown or "gone" in out:
                self.faults.append((err + complaint + out)[-400:])

    def end(self):
        self.over.set()
        self.thread.join()


def whole(lab, version):
    """What is wrong with a version as show and verify see it; nothing is wrong: None."""
    status, out, err = lab.run(BIN / "registry", "show", "attrition", version)
    if status or "run_status: FINISHED" not in out or not re.search(r"^tag\.model\.sha256: \w{64}$", out, re.M):
        return err or out
    status, out, err = lab.run(BIN / "registry", "verify", f"models:/attrition/{version}")
    return None if status == 0 and "golden_rows: 20" in out else err or out


def state(lab, seen):
    """After a kill: every version that was not seen before is whole, the alias points at one of them. A list of faults."""
    status, out, err = lab.run(BIN / "registry", "list")
    versions = listed(out)
    faults = [err] if status or not set(seen) <= set(versions) else []
    faults += [fault for version in versions if version not in seen for fault in [whole(lab, version)] if fault]
    holders = [version for version, aliases in versions.items() if "production" in aliases]
    if len(holders) != 1:
        faults.append(f"the alias is held by {holders}")
    seen.update(versions)
    return faults


def kills_in_directory(lab, data, chance):
    seen, faults, killer = {}, [], Killer(lab, data, chance)
    watcher = Watcher(lab)
    while killer.killed < KILLS and not faults:
        killer.once(0)
        faults += state(lab, seen)
    watcher.end()
    lab.equal("killed in mid-run", killer.killed, KILLS)
    lab.check(f"after each, every version is whole and the alias points at one ({len(seen)} versions)", not faults, faults[:1] or "")
    lab.check("nobody who looked meanwhile saw half of one", watcher.looks > 10 and not watcher.faults,
              watcher.faults[:1] or f"{watcher.looks} looks")
    train(lab, data)
    newest = max(listed(lab.must(BIN / "registry", "list")))
    lab.equal("the next training is the next version", newest, max(seen) + 1)
    lab.equal("and clears what the killed left", sorted(os.listdir(lab.dir / "mlruns/.new.trash")), [])


def opened_by_mlflow(lab):
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow
    store = str(lab.dir / "mlruns")
    client = mlflow.MlflowClient(store, store)
    versions = client.search_model_versions("name='attrition'", max_results=1000)
    lab.equal("MLflow's own store sees the same versions", sorted(int(version.version) for version in versions),
              sorted(listed(lab.must(BIN / "registry", "list"))))
    runs = client.search_runs([client.get_experiment_by_name("attrition").experiment_id], max_results=1000)
    lab.check("and only finished runs", runs and all(run.info.status == "FINISHED" for run in runs), f"{len(runs)} runs")
    lab.check("every version has its run", {version.run_id for version in versions} <= {run.info.run_id for run in runs})


def versions_on_server(client):
    from mlflow.exceptions import MlflowException
    try:
        versions = client.search_model_versions("name='attrition'")
    except MlflowException:
        return {}
    return {int(version.version): version for version in versions}


def kills_on_server(lab, data, chance, url):
    """Whatever the server shows as READY can be fetched and verified; so can what the alias points at."""
    import mlflow
    await_server(lab)
    lab.env.update(MLFLOW_TRACKING_URI=url, XDG_CACHE_HOME=str(lab.dir / "cache"), KEEP_DIR=str(lab.dir / "kept"))
    mlflow.set_tracking_uri(url)
    client = mlflow.MlflowClient(url, url)
    seen, faults, killer = {}, [], Killer(lab, data, chance)
    while killer.killed < SERVER_KILLS and not faults:
        killer.once(0.3)
        for number, version in versions_on_server(client).items():
            if number not in seen and version.status == "READY":
                faults += [fault for fault in [whole(lab, number)] if fault]
            seen[number] = version.status
        holder = int(client.get_model_version_by_alias("attrition", "production").version)
        if seen.get(holder) != "READY":
            faults.append(f"the alias points at version {holder}: {seen.get(holder)}")
    lab.equal("killed in mid-run beside a server", killer.killed, SERVER_KILLS)
    lab.check(f"what it shows as ready is whole ({len(seen)} versions)", not faults, faults[:1] or sorted(set(seen.values())))
    train(lab, data)
    lab.equal("the next training is the next version", max(versions_on_server(client)), max(seen) + 1)


def main():
    with Lab() as lab:
        seed = random.randrange(1 << 32)
        print(f"# seed {seed}", flush=True)
        chance = random.Random(seed)
        url = start_server(lab, wait=False)
        data = lab.employees(150)
        kills_in_directory(lab, data, chance)
        opened_by_mlflow(lab)
        kills_on_server(lab, data, chance, url)


main()
