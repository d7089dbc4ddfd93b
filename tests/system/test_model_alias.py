#!/usr/bin/env python3
"""GET /model, POST /model/promote and /model/rollback, on a directory and on an MLflow server: the alias moves when the version can
serve and nobody was faster, the stream follows, and the registry and the log say who."""
import concurrent.futures
import hashlib
import http.client
import json
import re

from lab import BIN, Lab
from mlflow_server import start_server, stop_server

TOKENS = {"operate": "t0ken-of-operate", "people": "t0ken-of-people"}


def ask(scorer, method, path, body=None, token="operate", type="application/json"):
    """(status, JSON)"""
    client = http.client.HTTPConnection(scorer.http, timeout=120)
    headers = {"Authorization": "Bearer " + TOKENS[token]} if token else {}
    client.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), {**headers, **({"Content-Type": type} if body is not None else {})})
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return answer.status, json.loads(text)


promote = lambda scorer, version, replaces, **more: ask(scorer, "POST", "/model/promote", {"version": version, "replaces": replaces}, **more)
rollback = lambda scorer, replaces: ask(scorer, "POST", "/model/rollback", {"replaces": replaces})
in_use = lambda scorer: ask(scorer, "GET", "/stream")[1]["model"]["version"]


def train(lab):
    """Two models that differ."""
    data, files = lab.dir / "train.csv", []
    lab.must(BIN / "producer", "generate", "--count", 1000, "--seed", 1, "--out", data)
    for strength in ("0.001", "10"):
        files.append(lab.dir / f"model-{strength}.onnx")
        lab.must(BIN / "trainer", "train", data, "--model", "logistic-regression-l2", "--param", f"C={strength}", "--out", files[-1])
    return files


def register(lab, files):
    """Versions 1, 2 and 3; production is 1."""
    for file in (*files, files[0]):
        lab.must(BIN / "registry", "import", file, "--name", "attrition")
    lab.must(BIN / "registry", "promote", "attrition", 1, "--alias", "production")


def start(lab, name, broker, **env):
    tokens = lab.dir / "tokens"
    tokens.write_text("".join(f"{scope} {hashlib.sha256(token.encode()).hexdigest()} {scope}-desk\n" for scope, token in TOKENS.items()))
    scorer = lab.scorer(name, "--roles=score,http", KAFKA_BOOTSTRAP_SERVERS=broker, DELIVERY="at-least-once", HTTP_TOKENS_FILE=tokens, MODEL_POLL="1h", GROUP_ID=name, **env)
    lab.ready(scorer, 120)
    return scorer


def moves(lab, scorer, where):
    status, model = ask(scorer, "GET", "/model")
    lab.equal(f"{where}: what there is", (status, model["name"], model["alias"], model["version"], model["before"], [v["version"] for v in model["versions"]]), (200, "attrition", "production", "1", None, ["3", "2", "1"]))
    lab.equal(f"{where}: promoted", promote(scorer, "2", "1"), (200, {"name": "attrition", "alias": "production", "version": "2", "before": "1"}))
    lab.wait(f"{where}: the stream follows at once", lambda: in_use(scorer) == "2", 20)
    lab.equal(f"{where}: somebody was faster", promote(scorer, "1", "1"), (409, {"detail": "attrition@production points at version 2, not at version 1: look again"}))
    lab.equal(f"{where}: it is there already", promote(scorer, "2", "2")[0], 409)
    lab.equal(f"{where}: no such version", promote(scorer, "9", "2")[0], 404)
    status, model = ask(scorer, "GET", "/model")
    lab.equal(f"{where}: where it points, pointed, and who moved it", (model["version"], model["before"], model["history"][0]["from"], model["history"][0]["by"], model["history"][0]["rollback"]), ("2", "1", "1", "operate-desk over HTTP", False))
    lab.check(f"{where}: the log says who", re.search(r"attrition@production is version 2 now, before: version 1; promoted by token operate-desk, request [0-9a-f]+", scorer.text()))
    lab.equal(f"{where}: rolled back", rollback(scorer, "2"), (200, {"name": "attrition", "alias": "production", "version": "1", "before": "2"}))
    lab.wait(f"{where}: the stream follows back", lambda: in_use(scorer) == "1", 20)
    lab.equal(f"{where}: nothing was before", rollback(scorer, "1")[0], 409)
    lab.equal(f"{where}: registry and scorer agree", (lab.must(BIN / "registry", "show", "attrition").split("version: ")[1].split()[0], ask(scorer, "GET", "/model")[1]["history"][0]["rollback"]), ("1", True))


def races(lab, scorer):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = [each.result()[0] for each in [pool.submit(promote, scorer, version, "1") for version in ("2", "3") * 3]]
    now = ask(scorer, "GET", "/model")[1]["version"]
    lab.check("of six that replace version 1 one wins", sorted(answers) == [200] + [409] * 5 and now in "23", (answers, now))
    lab.equal("and the others see whose version it is", promote(scorer, "1", now)[0], 200)


def cannot_serve(lab, scorer):
    shown = lab.must(BIN / "registry", "show", "attrition", 3)
    file = lab.dir / "model.onnx"
    file = type(file)(re.search(r"(/\S+\.onnx)", shown)[1])
    sound = file.read_bytes()
    file.write_bytes(b"no model at all")
    status, answer = promote(scorer, "3", "1")
    lab.check("a version that does not load is not promoted", status == 409 and "cannot serve, so the alias stays" in answer["detail"], (status, answer))
    file.unlink()
    lab.equal("nor one whose file is gone", (promote(scorer, "3", "1")[0], ask(scorer, "GET", "/model")[1]["version"]), (404, "1"))
    lab.equal("and it is said", [version["gone"] for version in ask(scorer, "GET", "/model")[1]["versions"]], [True, False, False])
    file.write_bytes(sound)


def refusals(lab, scorer):
    for path, method in (("/model", "GET"), ("/model/promote", "POST"), ("/model/rollback", "POST")):
        body = None if method == "GET" else {"version": "2", "replaces": "1"}
        lab.equal(f"{path}: scopes", [ask(scorer, method, path, body, token)[0] for token in (None, "people")], [401, 403])
    lab.equal("a page from elsewhere can send no JSON unasked: 415", [promote(scorer, "2", "1", type=type)[0] for type in ("text/plain", "application/x-www-form-urlencoded")], [415, 415])
    lab.equal("no GET moves anything", [ask(scorer, "GET", path)[0] for path in ("/model/promote", "/model/rollback", "/model?version=2")], [405, 405, 400])
    for what, body, place in (("not JSON", "{", None), ("a list", [], "body"), ("nothing", {}, "replaces"), ("no version", {"replaces": "1"}, "version"), ("a number", {"version": 2, "replaces": "1"}, "version"),
                              ("an alias", {"version": "production", "replaces": "1"}, "version"), ("a path", {"version": "../2", "replaces": "1"}, "version"), ("zero", {"version": "0", "replaces": "1"}, "version"),
                              ("a long number", {"version": "1" * 40, "replaces": "1"}, "version"), ("another alias", {"version": "2", "replaces": "1", "alias": "shadow"}, "alias"), ("another model", {"version": "2", "replaces": "1", "name": "x"}, "name")):
        status, answer = ask(scorer, "POST", "/model/promote", body)
        lab.check(f"{what}: refused", status == (422 if place else 400) and (not place or place in answer["detail"][0]["loc"]), (status, answer))
    lab.equal("a rollback takes no version", ask(scorer, "POST", "/model/rollback", {"version": "2", "replaces": "1"})[0], 422)
    lab.equal("and nothing has moved", (ask(scorer, "GET", "/model")[1]["version"], in_use(scorer)), ("1", "1"))


with Lab(STATE_TOPIC="none", ALERT_TOPIC="none") as lab:
    broker = lab.embedded_broker()
    files = train(lab)
    register(lab, files)
    scorer = start(lab, "scorer", broker)
    refusals(lab, scorer)
    moves(lab, scorer, "directory")
    cannot_serve(lab, scorer)
    races(lab, scorer)
    pinned = start(lab, "pinned", broker, MODEL_URI="models:/attrition/2")
    lab.equal("a pinned model has no alias to move", [ask(pinned, "GET", "/model")[0], promote(pinned, "1", "2")[0], rollback(pinned, "2")[0]], [409, 409, 409])
    for process in (scorer, pinned):
        lab.equal(f"{process.name} ends well", process.end(), 0)
    lab.env["MLFLOW_TRACKING_URI"] = start_server(lab)
    register(lab, files)
    remote = start(lab, "remote", broker)
    moves(lab, remote, "MLflow")
    stop_server(lab)
    status, answer = promote(remote, "2", "1")
    lab.check("without the server: 503, and the model in use stays", status == 503 and in_use(remote) == "1", (status, answer))
    lab.equal("and it ends in time", remote.end(20), 0)
