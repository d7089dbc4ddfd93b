#!/usr/bin/env python3
"""Clients that mean no good: heavy requests, slow, silent, pipelining and lying ones, guessed tokens, foreign hosts; and that `scorer
check` refuses what `scorer run` refuses. Without Kafka and PostgreSQL: what-ifs need neither."""
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

from lab import BIN, Lab, free_port

JSON = {"Content-Type": "application/json"}
HEAVY = json.dumps([{"attributes": {"Age": 18 + i, "DailyRate": 500 + i, "MonthlyIncome": 5000 + i}} for i in range(10)])
NOBODY = "127.0.0.1:1"


def ask(address, method, path, body=None, headers=JSON, seconds=60):
    """(status, headers, text); status 0: closed without an answer."""
    client = http.client.HTTPConnection(address, timeout=seconds)
    try:
        client.request(method, path, body=body, headers=headers)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    except (OSError, http.client.HTTPException) as failure:
        return 0, {}, str(failure)
    finally:
        client.close()


def connect(address, data=b""):
    host, port = address.split(":")
    client = socket.create_connection((host, int(port)), timeout=60)
    client.sendall(data)
    return client


def bearer(token):
    return {**JSON, "Authorization": f"Bearer {token}"}


class Heavy:
    """Requests side by side that keep every thread of the service computing, one after the other until `join` or until nobody answers."""

    def __init__(self, address, count):
        self.address, self.answers, self.over = address, [], False
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        answer = None
        while answer is None or (answer[0] and not self.over):
            answer = ask(self.address, "POST", "/predict?log=false&counterfactual=true", HEAVY)
            self.answers.append(answer)

    def join(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        return sorted(answer[0] for answer in self.answers)


def start(lab, name, **env):
    scorer = lab.scorer(name, "--roles=http", KAFKA_BOOTSTRAP_SERVERS=NOBODY, **env)
    lab.need(f"{name} answers", lambda: scorer.get("/health/live")[0] == 200, 60, scorer)
    return scorer


def in_flight(scorer):
    return scorer.counter("http_in_flight")


def cpu_seconds(process):
    """What it has used: where it only waits for a processor, none."""
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def predict_statuses(scorer):
    return re.findall(r"route=/predict status=(\d+) ", scorer.text())


def heavy_work(lab):
    scorer = start(lab, "heavy", HTTP_PROBES_LISTEN=f"127.0.0.1:{(port := free_port())}")
    probes = f"127.0.0.1:{port}"
    heavy = Heavy(scorer.http, 16)
    lab.wait("probes are answered while 16 heavy requests are under way", lambda: in_flight(scorer) >= 9, 20, scorer)
    lab.equal("at the port of their own too", ask(probes, "GET", "/health/live")[0], 200)
    lab.equal("which answers nothing else", ask(probes, "POST", "/predict", HEAVY)[0], 404)
    statuses = heavy.join()
    lab.check("all of them are answered, or refused for being too much at once", set(statuses) <= {200, 503} and 200 in statuses, statuses)
    lab.equal("more than 20 counterfactuals are refused", ask(scorer.http, "POST", "/predict?log=false&counterfactual=true", json.dumps(json.loads(HEAVY) * 3))[0], 422)
    request = f"POST /predict?log=false&counterfactual=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(HEAVY)}\r\n\r\n{HEAVY}"
    logged = len(statuses) + 1
    lab.wait("each of these is logged", lambda: len(predict_statuses(scorer)) == logged, 10, scorer)
    for attempt in range(4):  # where the test stood still until they were answered, once more
        clients = [connect(scorer.http, request.encode()) for _ in range(16)]
        lab.wait("16 more are under way, or done", lambda: in_flight(scorer) >= 9 or len(predict_statuses(scorer)) >= logged + 16, 20, scorer)
        for client in clients:
            client.close()
        lab.wait("they are given up when their clients leave", lambda: in_flight(scorer) == 1, 20, scorer)
        lab.wait("and logged so", lambda: len(predict_statuses(scorer)) >= logged + 8, 10, scorer)
        found = set(predict_statuses(scorer)[logged:]) - {"200"}
        logged = len(predict_statuses(scorer))
        if found == {"0"}:
            break
    lab.equal("as not answered, none as 503", found, {"0"})
    heavy = Heavy(scorer.http, 16)
    lab.wait("16 more", lambda: in_flight(scorer) >= 9, 20, scorer)
    began = time.monotonic()
    lab.equal("TERM ends it", scorer.end(20), 0)
    took = time.monotonic() - began
    statuses = heavy.join()
    lab.check("soon", took < 15, f"{took:.1f} s")
    lab.check("those under way hear why", 503 in statuses and any("shutting down" in answer[2] for answer in heavy.answers), statuses)


def slow_clients(lab):
    scorer = start(lab, "slow")
    clients = []
    for i in range(700):
        clients.append(connect(scorer.http, (b"", b"POST /pre", b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: ")[i % 3]))
        if i % 100 == 99:
            lab.equal(f"with {i + 1} slow connections a probe is answered", scorer.get("/health/live")[0], 200)
    lab.equal("and a prediction", ask(scorer.http, "POST", "/predict?log=false", '{"attributes":{"Age":41}}')[0], 200)
    for client in clients:
        client.close()
    half_open = connect(scorer.http, b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    half_open.shutdown(socket.SHUT_WR)
    lab.equal("a body that stops short is cut off", half_open.recv(100), b"")
    pipeline = b"".join(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" for _ in range(50)) + b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    client, got = connect(scorer.http, pipeline), b""
    while piece := client.recv(65536):
        got += piece
    lab.equal("pipelined requests are answered in order", re.findall(rb"HTTP/1.1 (\d+)", got), [b"200"] * 50 + [b"404"])
    smuggled = b"5\n{}   \n0\n\nGET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client, got = connect(scorer.http, b"POST /predict?log=false HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled), b""
    while piece := client.recv(65536):
        got += piece
    lab.equal("nothing is answered behind a chunked body", len(re.findall(rb"HTTP/1.1 \d", got)), 1)
    lab.equal("it ends in time", scorer.end(20), 0)


def bodies(lab):
    """What was found by a second attack."""
    scorer = start(lab, "bodies")
    names = json.dumps({"employee_id": "1", "attributes": {f"a{i}": 1 for i in range(60000)}})
    before = cpu_seconds(scorer)
    lab.equal("60,000 unknown fields are refused", ask(scorer.http, "POST", "/events", names)[0], 422)
    used = cpu_seconds(scorer) - before
    lab.check("without reading the body once for each", used < 5, f"{used:.1f} s of a processor")
    status, _, text = ask(scorer.http, "POST", "/events", '{"employee_id":"1","attributes":{"Age":41}}\0\n', {"Content-Type": "application/x-ndjson"})
    lab.equal("a NUL is no blank", (status, "malformed" in text), (422, True))
    for path, code in (("/health/live%00", 404), ("/%00", 404), ("/health%2flive", 200), ("/schema%", 404)):
        lab.equal(f"GET {path}", ask(scorer.http, "GET", path)[0], code)
    lab.equal("a NUL in a parameter", ask(scorer.http, "POST", "/predict?log=false%00", '{"attributes":{"Age":41}}')[0], 422)
    lab.equal("it ends in time", scorer.end(20), 0)


def tokens(lab):
    path = lab.dir / "tokens"
    line = lambda scopes, token, name: f"{scopes} {hashlib.sha256(token.encode()).hexdigest()} {name}\n"
    path.write_text("# who may do what\n" + line("score", "scores", "desk") + line("operate", "operates", "ops"))
    scorer = start(lab, "tokens", HTTP_TOKENS_FILE=path, HTTP_TOKEN="everything", METRICS_TOKEN="true")
    rows = (("none", None, 401, 401, 401), ("unknown", "guess", 401, 401, 401), ("scores", "scores", 200, 403, 200),
            ("operates", "operates", 403, 200, 200), ("HTTP_TOKEN", "everything", 200, 200, 200))
    body = '{"attributes":{"Age":41}}'
    for name, token, predict, metrics, schema in rows:
        headers = bearer(token) if token else JSON
        found = (ask(scorer.http, "POST", "/predict?log=false", body, headers)[0], ask(scorer.http, "GET", "/metrics", None, headers)[0],
                 ask(scorer.http, "GET", "/schema", None, headers)[0])
        lab.equal(f"token {name}: predict, metrics, schema", found, (predict, metrics, schema))
    lab.equal("probes need none", scorer.get("/health/live")[0], 200)
    # A request is logged once it has ended, which may be after its client has read the answer.
    lab.wait("the log has who and from where", lambda: re.search(r"route=/predict status=200 .*address=127\.0\.0\.1 token=desk", scorer.text()), 10, scorer)
    lab.wait("refusals on quiet routes are logged",
             lambda: re.search(r"route=/metrics status=403 .*token=desk", scorer.text()) and "route=/metrics status=401" in scorer.text(), 10, scorer)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:  # one after the other they may come no faster than they are allowed to
        codes = list(pool.map(lambda i: ask(scorer.http, "GET", "/stream", None, bearer(f"guess-{i}"))[0], range(60)))
    lab.check("guesses are limited", set(codes) == {401, 429}, {code: codes.count(code) for code in set(codes)})
    lab.equal("who has a token is not locked out", ask(scorer.http, "GET", "/stream", None, bearer("operates"))[0], 200)
    path.write_text(line("score", "fresh", "desk"))
    os.kill(scorer.popen.pid, signal.SIGHUP)
    lab.wait("SIGHUP: a new token works", lambda: ask(scorer.http, "GET", "/schema", None, bearer("fresh"))[0] == 200, 10, scorer)
    time.sleep(1.1)
    lab.equal("an old one does not", ask(scorer.http, "GET", "/schema", None, bearer("scores"))[0], 401)
    path.write_text("nonsense\n")
    os.kill(scorer.popen.pid, signal.SIGHUP)
    lab.wait("a bad file is reported", lambda: "the tokens read before stay in use" in scorer.text(), 10, scorer)
    lab.equal("and changes nothing", ask(scorer.http, "GET", "/schema", None, bearer("fresh"))[0], 200)
    lab.check("no token in the log", not re.search("guess-|everything|operates|fresh", scorer.text()))
    lab.equal("it ends in time", scorer.end(20), 0)


def hosts(lab):
    scorer = start(lab, "hosts", HTTP_HOSTS="hr.example")
    for host, code in (("localhost", 200), (scorer.http, 200), ("hr.example:80", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421)):
        for path in ("/health", "/metrics", "/schema", "/"):
            status = ask(scorer.http, "GET", path, None, {"Host": host})[0]
            lab.check(f"{path} under {host}", status == code or (path == "/health" and code == 200 and status == 503), status)
    lab.equal("it ends in time", scorer.end(20), 0)


def check_is_run(lab):
    """Each of these ends `run`; `check` must say so too, in the same words."""
    taken = socket.create_server(("127.0.0.1", 0))
    bad = lab.dir / "bad-tokens"
    bad.write_text("score abc\n")
    rows = (
        ("an address without a token", "HTTP_TOKEN", {"HTTP_LISTEN": f"0.0.0.0:{free_port()}"}),
        ("a short token", "16 characters", {"HTTP_LISTEN": f"0.0.0.0:{free_port()}", "HTTP_TOKEN": "short"}),
        ("a taken port", "cannot listen at", {"HTTP_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"}),
        ("a taken port for probes", "--http-probes-listen", {"HTTP_PROBES_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"}),
        ("no address", "ADDRESS:PORT", {"HTTP_LISTEN": "here"}),
        ("a bad file of tokens", "line 1", {"HTTP_TOKENS_FILE": bad}),
        ("no such file", "no-such-file", {"HTTP_TOKENS_FILE": lab.dir / "no-such-file"}),
        ("metrics with a token, without any", "--metrics-token", {"METRICS_TOKEN": "true"}),
        ("a bad STREAM_URL", "--stream-url", {"STREAM_URL": "ftp://x"}),
        ("a property that Kafka's client lacks", "no.such", {}, "-X", "no.such=1"),
    )
    for what, text, env, *arguments in rows:
        env = {"HTTP_LISTEN": f"127.0.0.1:{free_port()}", "KAFKA_BOOTSTRAP_SERVERS": NOBODY, **{key: str(value) for key, value in env.items()}}
        run = lab.run(BIN / "scorer", "run", "--roles=http", *arguments, env=env, seconds=30)
        checked = lab.run(BIN / "scorer", "check", "--roles=http", *arguments, env=env, seconds=60)
        message = next((line.split(" run: ", 1)[-1] for line in run[2].splitlines() if text in line), None)
        lab.check(f"{what}: run refuses", run[0] in (1, 2) and message, message or run[2][-200:])
        lab.check(f"{what}: check does, with the same words", checked[0] == 1 and message and message in checked[1], message or checked[1][-300:])
    taken.close()


with Lab() as lab:
    data = lab.dir / "train.csv"
    lab.must(BIN / "producer", "generate", "--count", 2000, "--seed", 1, "--out", data)
    lab.must(BIN / "trainer", "train", data, "--model", "random-forest", "--promote")
    heavy_work(lab)
    slow_clients(lab)
    bodies(lab)
    tokens(lab)
    hosts(lab)
    check_is_run(lab)
