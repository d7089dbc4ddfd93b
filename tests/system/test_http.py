#!/usr/bin/env python3
"""The HTTP service on real servers: every status with its body, hostile requests, Open Inference Protocol V2, what is logged, and
health that says the truth while Kafka, PostgreSQL and the registry's directory are unavailable in turn."""
import http.client
import json
import re
import shlex
import socket
import time
import urllib.request

from lab import ROOT, Lab, decode_prediction, free_port

JSON = {"Content-Type": "application/json"}


def ask(scorer, method, path, body=None, headers=JSON, seconds=40):
    """(status, headers, parsed body or text)"""
    client = http.client.HTTPConnection(scorer.http, timeout=seconds)
    client.request(method, path, body=json.dumps(body) if isinstance(body, (dict, list)) else body, headers=headers)
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
    return answer.status, answer.headers, json.loads(text) if is_json and text else text


def raw(scorer, data, seconds=60, chunk=b"", times=0):
    """Bytes as they are; what comes back, or b"" where the connection is closed without an answer."""
    host, port = scorer.http.split(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=seconds) as client:
        try:
            client.sendall(data)
            for _ in range(times):
                client.sendall(chunk)
        except OSError:
            pass
        try:
            while piece := client.recv(65536):
                got += piece
        except OSError:
            pass
    return got


def status_of(answer):
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0


def faults_of(answer):
    return {(tuple(fault["loc"]), fault["type"]) for fault in answer[2]["detail"]}


def predictions(lab, scorer, broker):
    fine = {"employee_id": "e-1", "attributes": {"Age": 41, "OverTime": "Yes", "JobLevel": None}}
    code, headers, one = ask(scorer, "POST", "/predict", fine, {**JSON, "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    lab.equal("an employee is scored", code, 200)
    lab.equal("the answer's members", sorted(one), ["base", "event_id", "latency_us", "margin", "model", "prediction", "probability", "reasons", "threshold"])
    lab.check("it has an id for the request", headers["X-Request-Id"])
    lab.equal("a given event id stays", ask(scorer, "POST", "/predict?reasons=30", {**fine, "event_id": "mine"})[2]["event_id"], "mine")
    full = ask(scorer, "POST", "/predict?reasons=30&log=false", fine)[2]
    lab.check("margin = base + all reasons", abs(full["margin"] - full["base"] - sum(r["contribution"] for r in full["reasons"])) < 1e-9)
    many = ask(scorer, "POST", "/predict", {"instances": [{"attributes": {"Age": age}} for age in (20, 40, 60)]})
    lab.equal("a list is answered in order", (many[0], len(many[2]["predictions"])), (200, 3))
    bare = ask(scorer, "POST", "/predict?log=false", [{"attributes": {"Age": age}} for age in (20, 40, 60)])
    lab.equal("a bare list is the same", [p["probability"] for p in bare[2]["predictions"]], [p["probability"] for p in many[2]["predictions"]])
    messages = [(m, decode_prediction(m.value())) for m in lab.consume(broker, "attrition-predictions")]
    lab.equal("five are logged, no what-if", len(messages), 5)
    message, record = next((m, r) for m, r in messages if r["event_id"] == one["event_id"])
    lab.equal("as the answer said, over HTTP", (record["channel"], record["source"], record["probability"], record["employee_id"], message.key()),
              ("HTTP", None, one["probability"], "e-1", b"e-1"))
    trace = dict(message.headers() or [])["traceparent"].decode()
    lab.check("the trace goes on in the record", re.fullmatch("00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01", trace) and "b7ad6b7169203331" not in trace, trace)


def faults(lab, scorer):
    bad = {"employee_id": 7, "event_id": "", "bogus": 1,
           "attributes": {"Age": 411, "OverTime": "Yos", "Aeg": 2, "JobLevel": "3", "DailyRate": 1.5, "YearsInCurrentRole": 5, "YearsAtCompany": 2}}
    answer = ask(scorer, "POST", "/predict?log=maybe&x=1", bad)
    at = ("body", "attributes")
    lab.equal("every fault at once", (answer[0], faults_of(answer)), (422, {
        (("query", "log"), "wrong_type"), (("query", "x"), "unknown_field"), (("body", "employee_id"), "wrong_type"), (("body", "event_id"), "bad_id"),
        (("body", "bogus"), "unknown_field"), ((*at, "Age"), "out_of_range"), ((*at, "OverTime"), "unknown_category"), ((*at, "Aeg"), "unknown_field"),
        ((*at, "JobLevel"), "wrong_type"), ((*at, "DailyRate"), "wrong_type"), ((*at, "YearsInCurrentRole"), "rule")}))
    for what, body, loc, kind in (
            ("numbers beyond double", '{"attributes":{"Age":1e999}}', (*at, "Age"), "not_finite"),
            ("integers beyond 64 bits", '{"attributes":{"Age":123456789012345678901234567890}}', (*at, "Age"), "out_of_range"),
            ("NaN", '{"attributes":{"Age":NaN}}', (*at, "Age"), "not_finite"),
            ("no number for an id", '{"employee_id":1e999,"attributes":{"Age":41}}', ("body", "employee_id"), "wrong_type"),
            ("no attributes", "{}", at, "missing_required"),
            ("attributes of another kind", '{"attributes":[]}', at, "wrong_type"),
            ("a body that is no object", "3", ("body",), "wrong_type"),
            ("an empty list", '{"instances":[]}', ("body", "instances"), "missing_required"),
            ("a partial event", '{"changed":["Age"],"attributes":{"Age":41}}', ("body", "changed"), "partial"),
            ("a fault in a list", '[{"attributes":{"Age":41}},{"attributes":{"Age":1}}]', ("body", 1, "attributes", "Age"), "out_of_range"),
            ("a long list", json.dumps([{"attributes": {"Age": 41}}] * 1001), ("body",), "limit")):
        answer = ask(scorer, "POST", "/predict?log=false", body)
        lab.equal(f"422: {what}", (answer[0], (loc, kind) in faults_of(answer)), (422, True))


def refusals(lab, scorer):
    post = lambda body, **headers: ask(scorer, "POST", "/predict?log=false", body, headers or JSON)
    for what, code, answer in (
            ("not JSON", 400, post("{")), ("nothing", 400, post("")), ("duplicate key", 400, post('{"attributes":{"Age":1,"Age":2}}')),
            ("nested deeply", 400, post("[" * 100000)), ("a lone surrogate", 400, post('{"employee_id":"\\ud800","attributes":{"Age":41}}')),
            ("not UTF-8", 400, post(b'{"employee_id":"\xff","attributes":{"Age":41}}')),
            ("no content type", 415, ask(scorer, "POST", "/predict", b"{}", {})),
            ("another content type", 415, ask(scorer, "POST", "/predict", b"{}", {"Content-Type": "text/plain"})),
            ("a compressed body", 415, ask(scorer, "POST", "/predict", b"{}", {**JSON, "Content-Encoding": "gzip"})),
            ("nowhere", 404, ask(scorer, "GET", "/nowhere")), ("another method", 405, ask(scorer, "GET", "/predict")),
            ("more than 1 MiB", 413, post(b" " * ((1 << 20) + 1)))):
        lab.equal(f"{code}: {what}", (answer[0], list(answer[2])), (code, ["detail"]))
    lab.equal("405 names the methods", ask(scorer, "DELETE", "/predict")[1]["Allow"], "POST")
    lab.equal("1 MiB of blanks around is fine", post('{"attributes":{"Age":41}}'.ljust(1 << 20))[0], 200)


def abuse(lab, scorer):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    before = memory(scorer)
    huge = raw(scorer, head + b"Content-Length: 100000000\r\nConnection: close\r\n\r\n", chunk=b" " * 1000000, times=100)
    lab.equal("100 MB are refused", status_of(huge), 413)
    lab.check("and not kept", memory(scorer) - before < 20_000, f"{memory(scorer) - before} kB more")
    lab.equal("so are 100 GB, unread", status_of(raw(scorer, head + b"Content-Length: 100000000000\r\n\r\n")), 413)
    lab.equal("nobody is asked to send what is refused", status_of(raw(scorer, head + b"Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n")), 413)
    for what, data in (("endless headers", b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000), ("no HTTP at all", b"\0\1\2\r\n\r\n"),
                       ("an impossible length", head + b"Content-Length: -5\r\n\r\n"), ("a huge length", head + b"Content-Length: 99999999999999999999999\r\n\r\n")):
        code = status_of(raw(scorer, data))
        lab.check(f"{what}: refused or cut off", code == 0 or 400 <= code < 500, code)
    hostile = ask(scorer, "POST", "/predict?log=false", {"attributes": {"Age": 41}}, {**JSON, "X-Request-Id": "a\" b{}", "traceparent": "00-zz", "Origin": "http://evil"})
    lab.equal("hostile headers do not come back", (hostile[0], re.fullmatch("[0-9a-f]{16}", hostile[1]["X-Request-Id"]) is not None, hostile[1]["Access-Control-Allow-Origin"]), (200, True, None))
    clients = []
    for i in range(600):
        client = socket.socket()
        client.settimeout(30)
        client.connect((scorer.http.split(":")[0], int(scorer.http.split(":")[1])))
        client.sendall(b"POST /pre" if i % 2 else b"")
        clients.append(client)
    for client in clients:
        client.close()
    lab.wait("after 600 half-open connections it answers", lambda: scorer.get("/health/live")[0] == 200, 10, scorer)


def memory(scorer):
    """Resident, in kB."""
    with open(f"/proc/{scorer.popen.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def protocol_v2(lab, scorer, broker):
    version = ask(scorer, "GET", "/health")[2]["model"]["version"]
    lab.equal("V2: live and ready", (ask(scorer, "GET", "/v2/health/live")[2], ask(scorer, "GET", "/v2/health/ready")[2]), ({"live": True}, {"ready": True}))
    model = ask(scorer, "GET", "/v2/models/attrition")[2]
    lab.equal("V2: metadata", (model["versions"], len(model["inputs"]), [o["name"] for o in model["outputs"]]), ([version], 30, ["probability", "prediction", "reasons"]))
    lab.equal("V2: the version is ready", ask(scorer, "GET", f"/v2/models/attrition/versions/{version}/ready")[2], {"name": "attrition", "ready": True})
    lab.equal("V2: another is not there", ask(scorer, "GET", "/v2/models/attrition/versions/999/ready")[0], 404)
    kserve = {"inputs": [{"name": "Age", "shape": [2], "datatype": "INT64", "data": [41, 33]}, {"name": "OverTime", "shape": [2], "datatype": "BYTES", "data": ["Yes", "No"]}]}
    triton = {"id": "r-1", "inputs": [{"name": "Age", "shape": [2, 1], "datatype": "FP64", "data": [[41.0], [33.0]]},
                                      {"name": "OverTime", "shape": [2, 1], "datatype": "BYTES", "data": ["Yes", "No"]}],
              "outputs": [{"name": "probability", "parameters": {"binary_data": False}}, {"name": "reasons"}], "parameters": {"employee_id": ["v2-a", "v2-b"]}}
    first, second = ask(scorer, "POST", "/v2/models/attrition/infer", kserve), ask(scorer, "POST", f"/v2/models/attrition/versions/{version}/infer", triton)
    lab.equal("V2: KServe's form", (first[0], [(o["name"], o["datatype"], o["shape"]) for o in first[2]["outputs"]]),
              (200, [("probability", "FP64", [2]), ("prediction", "BYTES", [2]), ("reasons", "BYTES", [2])]))
    lab.equal("V2: Triton's form", (second[0], second[2]["id"], [o["name"] for o in second[2]["outputs"]], second[2]["outputs"][0]["data"]),
              (200, "r-1", ["probability", "reasons"], first[2]["outputs"][0]["data"]))
    alone = ask(scorer, "POST", "/predict?log=false", {"attributes": {"Age": 41, "OverTime": "Yes"}})[2]
    lab.equal("V2: the same numbers as /predict", (first[2]["outputs"][0]["data"][0], json.loads(first[2]["outputs"][2]["data"][0])), (alone["probability"], alone["reasons"]))
    logged = [decode_prediction(m.value())["employee_id"] for m in lab.consume(broker, "attrition-predictions")]
    lab.equal("V2: only rows with an employee's id are logged", sorted(e for e in logged if e and e.startswith("v2-")), ["v2-a", "v2-b"])
    for what, wanted in (("named", {"outputs": [{"name": "probability", "parameters": {"binary_data": True}}]}), ("all", {"parameters": {"binary_data_output": True}})):
        answer = ask(scorer, "POST", "/v2/models/attrition/infer", {**kserve, **wanted})
        lab.equal(f"V2: binary outputs, {what}, are answered in JSON", (answer[0], answer[2]["outputs"][0]["data"]), (200, first[2]["outputs"][0]["data"]))
    lab.equal("V2: no Content-Type is JSON", ask(scorer, "POST", "/v2/models/attrition/infer", kserve, {})[0], 200)
    for what, code, answer in (("no such path", 404, ask(scorer, "GET", "/v2/models/attrition/config")), ("no such method", 405, ask(scorer, "POST", "/v2", {})),
                               ("another type", 415, ask(scorer, "POST", "/v2/models/attrition/infer", kserve, {"Content-Type": "application/octet-stream"})),
                               ("no JSON", 400, ask(scorer, "POST", "/v2/models/attrition/infer", b"{"))):
        lab.equal(f"V2: {what}", (answer[0], answer[2].get("error")), (code, answer[2]["detail"]))
    tensor = {**kserve["inputs"][0], "parameters": {"binary_data_size": 16}}
    for what, code, body in (("binary inputs", 400, {"inputs": [tensor]}), ("unknown inputs", 400, {"inputs": [{"name": "Aeg", "shape": [1], "datatype": "INT64", "data": [1]}]}),
                             ("unequal rows", 400, {"inputs": [kserve["inputs"][0], {**kserve["inputs"][1], "shape": [1], "data": ["No"]}]}),
                             ("values out of range", 422, {"inputs": [{"name": "Age", "shape": [1], "datatype": "INT64", "data": [411]}]})):
        answer = ask(scorer, "POST", "/v2/models/attrition/infer", body)
        lab.equal(f"V2: {what}", (answer[0], "error" in answer[2]), (code, True))


def guarded(lab, broker):
    scorer = lab.scorer("guarded", "--roles=http", KAFKA_BOOTSTRAP_SERVERS=broker, HTTP_TOKEN="s3cret", HTTP_RATE=5, HTTP_CORS_ORIGINS="https://hr.example")
    lab.need("a service of its own is ready", lambda: scorer.get("/health/ready")[0] == 200, 30, scorer)
    answer = ask(scorer, "GET", "/schema")
    lab.equal("401 without a token", (answer[0], answer[1]["WWW-Authenticate"]), (401, "Bearer"))
    lab.equal("200 with it", ask(scorer, "GET", "/schema", headers={"Authorization": "Bearer s3cret"})[0], 200)
    preflight = ask(scorer, "OPTIONS", "/predict", headers={"Origin": "https://hr.example", "Access-Control-Request-Method": "POST"})
    lab.equal("a browser of a listed origin may ask", (preflight[0], preflight[1]["Access-Control-Allow-Origin"]), (204, "https://hr.example"))
    twelve = lambda: [ask(scorer, "GET", "/schema", headers={"Authorization": "Bearer s3cret"}) for _ in range(12)]  # a slow client keeps to the rate
    lab.wait("429 beyond the rate", lambda: any(a[0] == 429 and a[1]["Retry-After"] for a in twelve()), 20, scorer)
    lab.check("probes are free", all(scorer.get("/health/live")[0] == 200 for _ in range(20)))
    lab.equal("it ends in time", scorer.end(), 0)
    lab.check("no token and no value in the log", "s3cret" not in scorer.text())


def readme(lab, scorer):
    """The curl lines of the README as they are printed."""
    text = (ROOT / "README.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.replace("\\\n", " ").splitlines() if line.startswith("curl ")]
    lab.check("the README has curl lines", len(lines) >= 4, len(lines))
    for line in lines:
        status, out, err = lab.run("bash", "-c", line.replace("127.0.0.1:8080", scorer.http))
        lab.check(shlex.split(line)[-1], status == 0 and out and '"detail"' not in out, (out or err)[:120])


def health(lab, scorer, broker_port):
    said = lambda: ask(scorer, "GET", "/health")
    lab.wait("health: ok", lambda: (said()[0], said()[2]["status"]) == (200, "ok"), 20, scorer)
    lab.must(ROOT / "deploy/private-postgres", "stop", lab.dir / "pg")
    lab.wait("health: degraded without PostgreSQL", lambda: (said()[0], said()[2]["status"], said()[2]["postgresql"]["up"]) == (200, "degraded", False), 40, scorer)
    lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg")
    lab.wait("health: ok again", lambda: said()[2]["status"] == "ok", 40, scorer)
    store, away = lab.dir / "mlruns", lab.dir / "mlruns.away"
    store.rename(away)
    lab.wait("health: the model's problem is reported", lambda: said()[2]["model"]["problem"], 20, scorer)
    lab.equal("and the model stays", ask(scorer, "POST", "/predict?log=false", {"attributes": {"Age": 41}})[0], 200)
    away.rename(store)
    lab.wait("health: no problem any more", lambda: said()[2]["model"]["problem"] is None, 20, scorer)
    lab.stop_kafka()
    began = time.monotonic()
    answer = ask(scorer, "POST", "/predict", {"attributes": {"Age": 41}})
    lab.check("503 without Kafka, in time", answer[0] == 503 and answer[1]["Retry-After"] and time.monotonic() - began < 30, f"{answer[0]} after {time.monotonic() - began:.1f} s")
    lab.wait("health: unavailable without Kafka", lambda: (said()[0], said()[2]["status"]) == (503, "unavailable"), 40, scorer)
    lab.equal("liveness needs nobody", scorer.get("/health/live")[0], 200)
    lab.equal("readiness does", scorer.get("/health/ready")[0], 503)
    lab.equal("a what-if needs no Kafka", ask(scorer, "POST", "/predict?log=false", {"attributes": {"Age": 41}})[0], 200)
    lab.must(ROOT / "deploy/kafka/broker", "start", lab.dir / "kafka", broker_port)
    lab.wait("Kafka is back: logged again", lambda: ask(scorer, "POST", "/predict", {"attributes": {"Age": 41}})[0] == 200, 60, scorer)


with Lab() as lab:
    lab.model()
    broker, database = lab.kafka(), lab.postgres()
    # Without Kafka one request waits for HTTP_LOG_TIMEOUT: longer than a session of 10 s, and a member whose session is over may be fenced, which is status 1.
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=database, MODEL_POLL_INTERVAL="200ms", HTTP_LOG_TIMEOUT="10s",
                        KAFKA_SESSION_TIMEOUT_MS=60000)
    lab.ready(scorer)
    predictions(lab, scorer, broker)
    faults(lab, scorer)
    refusals(lab, scorer)
    protocol_v2(lab, scorer, broker)
    readme(lab, scorer)
    abuse(lab, scorer)
    guarded(lab, broker)
    stream = ask(scorer, "GET", "/stream")[2]
    lab.check("the stream's numbers are this process's", stream["source"] == "process" and stream["http"]["requests"] > 30 and len(stream["lag"]) == 4, stream["http"])
    counted = scorer.counter("http_requests_total")
    lab.check("requests are counted by route and status", counted > 30 and 'route="/predict",status="422"' in scorer.get("/metrics")[1], counted)
    health(lab, scorer, broker.split(":")[1])
    lab.equal("it ends in time", scorer.end(), 0)
    lab.audit(scorer)
