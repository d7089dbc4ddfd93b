#!/usr/bin/env python3
"""Models while the stream runs: the alias moved 200 times under load, a corrupt and a missing version among them, with challengers
beside; no request fails, no prediction has another model's stamp, memory stays flat. Traces go on from events to predictions."""
import collections
import http.client
import itertools
import json
import math
import re
import threading
import time

from lab import BIN, ROOT, Lab, decode_prediction, encode_event

MOVES, LOADS, FAILURES = 200, 50, 20
VERSIONS = ("2", "1", "3", "2", "4", "1", "2", "3", "4", "1")
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FAMILIES = (("logistic-regression-l2", "--param", "C=0.001"), ("logistic-regression-l2", "--param", "C=10"))


def resident_kb(process):
    status = open(f"/proc/{process.popen.pid}/status").read()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def make_versions(lab):
    """Versions 1 and 2 that differ, 3 with a corrupt file, 4 without one; champion 1, challenger 2."""
    data = lab.dir / "train.csv"
    lab.must(BIN / "producer", "generate", "--count", 2000, "--seed", 1, "--out", data)
    files = []
    for at, family in enumerate(FAMILIES):
        files.append(lab.dir / f"model-{at + 1}.onnx")
        lab.must(BIN / "trainer", "train", data, "--model", *family, "--out", files[-1])
    for file in (*files, *files):
        lab.must(BIN / "registry", "import", file, "--name", "attrition")
    for version, corrupt in (("3", True), ("4", False)):
        for file in model_files(lab, version):
            if corrupt:
                file.write_bytes(b"no model at all")
            else:
                file.unlink()
    alias_file = lab.dir / "mlruns/models/attrition/aliases"
    lab.must(BIN / "registry", "promote", "attrition", 1, "--alias", "production")
    lab.must(BIN / "registry", "promote", "attrition", 2, "--alias", "shadow")
    return files, alias_file


def model_files(lab, version):
    """The .onnx file that `registry show` names for a version."""
    shown = lab.must(BIN / "registry", "show", "attrition", version)
    found = re.search(r"(/\S+\.onnx)", shown)
    if not found:
        raise RuntimeError(f"registry show names no file: {shown}")
    return [type(lab.dir)(found[1])]


def move(aliases, alias, version):
    """As `registry promote` does, without its check: what anybody with MLflow's client may do."""
    beside = aliases / f".{alias}.new"
    beside.write_text(str(version))
    beside.rename(aliases / alias)


def expected(lab, files, attributes):
    """What each version says of the employee, by the scoring command."""
    said = {}
    for version, file in enumerate(files, 1):
        line = lab.must(BIN / "scorer", "score", "--model", file, input=json.dumps(attributes) + "\n")
        said[str(version)] = json.loads(line)["probability"]
    return said


def requests(address, body, stop, answers, failures):
    client = http.client.HTTPConnection(address, timeout=120)
    while not stop.is_set():
        try:
            client.request("POST", "/predict?log=false", body=body, headers={"Content-Type": "application/json"})
            answer = client.getresponse()
            text = answer.read()
            if answer.status != 200:
                failures.append((answer.status, text[:200]))
                continue
            one = json.loads(text)
            answers.append((one["model"]["version"], one["probability"], one["model"]["alias"]))
        except (OSError, http.client.HTTPException) as failure:
            failures.append(repr(failure))
            client.close()
        time.sleep(0.002)


def events(broker, attributes, stop, sent):
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 5})
    while not stop.is_set():
        for _ in range(20):
            sent.append(f"event-{len(sent)}")
            event = {"event_id": sent[-1], "event_type": "SNAPSHOT", "employee_id": "e-1", "occurred_at": 1700000000000, "attributes": attributes}
            producer.produce("employee-events", encode_event(event), key=b"e-1", headers=[("traceparent", TRACE)] if len(sent) % 2 else None)
        producer.poll(0)
        stop.wait(0.02)
    producer.flush(120)


def move_under_load(lab, scorer, aliases, seconds=16):
    """200 moves; the model in use is always version 1 or 2."""
    settled = 0
    for turn in range(MOVES):
        move(aliases, "production", VERSIONS[turn % len(VERSIONS)])
        time.sleep(seconds / MOVES)
        if turn == MOVES // 4:
            settled = resident_kb(scorer)
    return settled, resident_kb(scorer)


def check_loads(lab, scorer, aliases):
    """The alias goes on moving where a busy machine has let the scorer see few of the moves."""
    further, counts = itertools.cycle(VERSIONS), []

    def are_enough():
        counts[:] = scorer.counter("model_loads_total"), scorer.counter("model_load_failures_total")
        if counts[0] > LOADS and counts[1] > FAILURES:
            return True
        move(aliases, "production", next(further))
        return False
    lab.wait("models were swapped and loads failed, visibly", are_enough, 60, scorer)
    print(f"#   {counts[0]} loads, {counts[1]} failures")


def check_stamps(lab, what, answers, said):
    wrong = [one for one in answers if not math.isclose(one[1], said[one[0]], abs_tol=1e-9)]
    counts = collections.Counter(one[0] for one in answers)
    lab.check(f"{what}: both versions answered, and each answer is its version's", not wrong and set(counts) == {"1", "2"}, f"{dict(counts)} {wrong[:2]}")


with Lab(STATE_TOPIC="none") as lab:
    files, aliases = make_versions(lab)
    row = {"Age": 41, "OverTime": "Yes", "JobLevel": 2, "MonthlyIncome": 4000}
    names = [field["name"] for field in json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]]
    attributes = {name: row.get(name) for name in names}
    said = expected(lab, files, attributes)
    lab.check("the two versions differ", abs(said["1"] - said["2"]) > 1e-6, said)
    broker, database = lab.kafka(), lab.postgres()
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=database, MODEL_POLL_INTERVAL="20ms",
                        CHALLENGER_URIS="models:/attrition@shadow,models:/attrition/3")
    lab.ready(scorer)
    stop, answers, failures, sent = threading.Event(), [], [], []
    body = json.dumps({"attributes": attributes})
    threads = [threading.Thread(target=requests, args=(scorer.http, body, stop, answers, failures)) for _ in range(2)]
    threads.append(threading.Thread(target=events, args=(broker, attributes, stop, sent)))
    for thread in threads:
        thread.start()
    settled, after = move_under_load(lab, scorer, aliases)
    check_loads(lab, scorer, aliases)
    stop.set()
    for thread in threads:
        thread.join()
    lab.equal("no request failed", failures[:3], [])
    check_stamps(lab, "requests", answers, said)
    lab.check("memory is flat", after < settled + 8192, f"{settled} → {after} KB resident")
    move(aliases, "production", "2")
    lab.wait("a move back is taken at once", lambda: json.loads(scorer.get("/health")[1])["model"]["version"] == "2", 5)

    lab.wait("every event is scored", lambda: scorer.counter("events_scored_total") == len(sent), 30, scorer)
    messages = lab.consume(broker, "attrition-predictions")
    records = [decode_prediction(message.value()) for message in messages]
    lab.equal("each event has one prediction", len({one["event_id"] for one in records}), len(sent))
    check_stamps(lab, "stream", [(one["model"]["version"], one["probability"]) for one in records], said)
    lab.check("each has the challenger that could be loaded, and no other",
              all([c["model"] for c in one["challengers"]] == ["attrition/2"] for one in records)
              and all(math.isclose(one["challengers"][0]["probability"], said["2"], abs_tol=1e-9) for one in records), records[0]["challengers"])
    traced = [message.headers() for message in messages if message.headers()]
    lab.check("the trace of an event goes on in its prediction", len(traced) == (len(sent) + 1) // 2 and all(("traceparent", TRACE) in one for one in traced), len(traced))
    shown = json.loads(scorer.get("/stream")[1])["challengers"]
    lab.check("the stream shows both challengers, one with its problem",
              [one["model"] for one in shown] == ["attrition/2", None] and shown[0]["scored"] == len(sent) and shown[1]["problem"], shown)
    lab.wait("the sink has them all", lambda: lab.number(database, "SELECT count(*) FROM attrition.predictions") == len(sent), 30, scorer)
    compared = lab.sql(database, "SELECT model_version, challenger, predictions, agreement FROM attrition.challenger_comparison ORDER BY 1")
    lab.check("the view compares them by version in use", [one[:2] for one in compared] == [["1", "attrition/2"], ["2", "attrition/2"]] and float(compared[1][3]) == 1, compared)
    lab.equal("traces are in the database", lab.number(database, f"SELECT count(*) FROM attrition.predictions WHERE traceparent = '{TRACE.decode()}'"), len(traced))
    lab.equal("it drains and ends with status 0", scorer.end(), 0)
    lab.audit(scorer)
