#!/usr/bin/env python3
"""bench: requests a second and latency of POST /predict?log=false, beside a FastAPI + scikit-learn service of the same contract
(predict_rival.py) on the same table and bodies, one thread and one process, measured in turns by wrk. Aims: at least 20 times the requests,
at most 1/20 of the p99. SECONDS (4) a turn, ROUNDS (2), CONNECTIONS (8)."""
import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from lab import BIN, ROOT, VENV, Lab, free_port  # noqa: E402

SECONDS, ROUNDS, CONNECTIONS = (int(os.environ.get(name, default)) for name, default in (("SECONDS", 4), ("ROUNDS", 2), ("CONNECTIONS", 8)))
UNITS = {"us": 1, "ms": 1000, "s": 1000000}
SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
local bad = 0
function response(status) if status ~= 200 then bad = bad + 1; print("status " .. status) end end
"""


def measure(lab, address, script, seconds=SECONDS):
    """(requests a second, p50 in µs, p99 in µs)"""
    out = lab.must("wrk", "--latency", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, f"http://{address}/predict?log=false")
    if "Non-2xx" in out or "Socket errors" in out or "status " in out:
        raise RuntimeError(f"not every request was answered with 200: {out[-400:]}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    p50, p99 = (float(found[1]) * UNITS[found[2]] for found in (re.search(rf"\s{share}%\s+([\d.]+)(us|ms|s)", out) for share in (50, 99)))
    return rate, p50, p99


with Lab() as lab:
    data = lab.dir / "train.csv"
    lab.must(BIN / "producer", "generate", "--count", 2000, "--seed", 1, "--out", data)
    lab.must(BIN / "trainer", "train", data, "--model", "logistic-regression-l2", "--promote")
    fields = json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]
    import pandas
    row = json.loads(pandas.read_csv(data).iloc[0].to_json())
    body = {"employee_id": "e-1", "attributes": {field["name"]: row[field["name"]] for field in fields}}
    script = lab.dir / "predict.lua"
    script.write_text(SCRIPT % json.dumps(body))
    ours = lab.scorer("ours", "--roles=http", HTTP_THREADS=1, LOG_LEVEL="error", HTTP_ACCESS_LOG="false", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    address = f"127.0.0.1:{free_port()}"
    rival = lab.start("rival", [VENV / "bin/python", "-m", "uvicorn", "--app-dir", ROOT / "tests/bench", "--port", address.split(":")[1],
                                "--log-level", "error", "--no-access-log", "predict_rival:app"], {"TRAIN": str(data), "HTTP_LISTEN": address, "OMP_NUM_THREADS": "1"})
    for process in (ours, rival):
        lab.need(f"{process.name} answers", lambda: process.get("/openapi.json")[0] == 200, 60, process)
        measure(lab, process.http, script, 1)
    best = {}
    for _ in range(ROUNDS):
        for process in (rival, ours):
            best.setdefault(process.name, []).append(measure(lab, process.http, script))
            time.sleep(0.2)
    middle = {name: [sorted(column)[len(column) // 2] for column in zip(*turns)] for name, turns in best.items()}
    for name, (rate, p50, p99) in middle.items():
        print(f"{name:6} {rate:10.0f} requests/s   p50 {p50:9.0f} µs   p99 {p99:9.0f} µs   ({CONNECTIONS} connections)")
    rate, p99 = middle["ours"][0] / middle["rival"][0], middle["rival"][2] / middle["ours"][2]
    print(f"ratio  {rate:.1f} times the requests (aim 20), p99 {p99:.1f} times shorter (aim 20)")
