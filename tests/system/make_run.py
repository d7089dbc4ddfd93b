"""`make run` as a user calls it, what its summary says, and what it leaves behind."""
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from lab import BIN, ROOT

SUMMARY = ("Events:", "Dead letters by code:", "Events per second:", "Latency per event:", "most at risk", "http://127.0.0.1:")
LISTENERS = []


def start_run(lab, log, **env):
    """Under way: a process group of its own, as a terminal gives it one; stdout and stderr together in `log`."""
    with open(log, "wb") as out:
        return subprocess.Popen(["make", "--no-print-directory", f"BUILD={BIN.parent}", "run", *(f"{k}={v}" for k, v in env.items())],
                                cwd=ROOT, env=lab.env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def make_run(lab, seconds=300, **env):
    """To its end: (exit status, what it said); no status where it had to be ended after so many seconds."""
    log = lab.dir / "make-run.out"
    run = start_run(lab, log, ONCE=1, **env)
    try:
        status = run.wait(seconds)
    except subprocess.TimeoutExpired:
        status = None
        os.killpg(run.pid, signal.SIGTERM)
        run.wait(60)
    return status, log.read_text(errors="replace")


def numbers(out):
    """The summary's line of events: name → number."""
    line = next((line for line in out.splitlines() if line.startswith("Events:  ")), "")
    return {name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+)", line)}


def most_at_risk(out):
    return [line for line in out.splitlines() if re.match(r"\s*\d+  employee ", line)]


def left_behind():
    """Processes and directories of a run."""
    found = [str(path) for path in Path("/tmp").glob("attrition-run.*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(b"/tmp/attrition-run." in word for word in words):
            found.append(b" ".join(words).decode())
    return found


def silent_port():
    """Of a listener that never answers, as long as the test runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    LISTENERS.append(listener)
    return listener.getsockname()[1]


def check_ended_well(lab, what, status, out, scored):
    if not lab.equal(f"{what}: exit status", status, 0):
        print("\n".join("#   " + line for line in out.splitlines()[-25:]))
    found = numbers(out)
    lab.equal(f"{what}: events scored", found.get("scored"), scored)
    lab.equal(f"{what}: events unaccounted for", found.get("unaccounted for"), 0)
    lab.check(f"{what}: rows in predictions", re.search(rf"Rows in predictions:\s+{scored}$", out, re.M), scored)
