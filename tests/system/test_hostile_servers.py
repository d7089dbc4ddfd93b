#!/usr/bin/env python3
"""Servers that mean no good, in the place of MLflow and of the schema registry: endless bodies, headers and interim answers, a length of
an exabyte, redirects, one byte a second, nonsense, nesting, texts with escapes. Each gives one clear line and no storm, memory stays
small, no credential goes elsewhere, nothing foreign reaches the log, and TERM ends it at once."""
import re
import socket
import threading
import time

from lab import Lab, free_port

TOKEN = "the-token-of-nobody-else"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def endless(client, head, piece):
    client.sendall(head)
    while True:
        client.sendall(piece)


def slow(client, _):
    for byte in JSON + b"Content-Length: 1000\r\n\r\n" + b" " * 1000:
        client.sendall(bytes([byte]))
        time.sleep(1)


def body(text):
    data = text if isinstance(text, bytes) else text.encode()
    return lambda client, _: client.sendall(JSON + f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)


class Hostile:
    """One port; the last byte of what is sent back is the mode's choice."""

    def __init__(self, answer, elsewhere=0):
        self.answer, self.elsewhere, self.seen, self.asked = answer, elsewhere, b"", 0
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        try:
            with client:
                self.seen += client.recv(65536)
                self.answer(client, self)
        except OSError:
            pass


def redirect(client, hostile):
    client.sendall(f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{hostile.elsewhere}/stolen\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


MODES = {
    "an endless body": lambda client, _: endless(client, JSON + b"\r\n", b" " * 65536),
    "an endless chunked body": lambda client, _: endless(client, JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "endless headers": lambda client, _: endless(client, b"HTTP/1.1 200 OK\r\n", b"X-Y: " + b"z" * 60000 + b"\r\n"),
    "endless interim answers": lambda client, _: endless(client, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a length of an exabyte": lambda client, _: client.sendall(JSON + b"Content-Length: 1152921504606846976\r\n\r\n{"),
    "a redirect": redirect,
    "one byte a second": slow,
    "nesting": body("[" * 1000000),
    "an object of nonsense": body('{"model_version": [], "schema": {"a": 1}, "id": "x", "registered_model": null}'),
    "a million lists": body('{"model_version":[' + "[]," * 3500000 + '0],"schema":"[]"}'),
    "escapes": body('{"error_code": "\\u001b[31mRED\\u202e", "message": "\\u009b31m\\u0007\\n2026 info run: all is well"}'),
    "no HTTP": lambda client, _: client.sendall(b"\x1b]0;owned\x07\x9b31m SSH-2.0-x\r\n\r\n"),
    "silence": lambda client, _: time.sleep(60),
}


def silent_at_start(lab, role):
    """With the default time-out: said within 10 s, and TERM is heard meanwhile."""
    hostile = Hostile(MODES["silence"])
    scorer = lab.scorer(f"silent {role}", f"--roles={role}", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", MODEL_CACHE_DIR=lab.dir / "no-models", MLFLOW_TRACKING_URI=f"http://127.0.0.1:{hostile.port}")
    lab.wait(f"{role}, silence at the start: it says so", lambda: f"http://127.0.0.1:{hostile.port} takes longer than 5 s" in scorer.text(), 10, scorer)
    began = time.monotonic()
    lab.equal(f"{role}, silence at the start: TERM ends it", scorer.end(40), 0)
    lab.check(f"{role}, silence at the start: soon", time.monotonic() - began < 20, f"{time.monotonic() - began:.1f} s")
    lab.equal(f"{role}, silence at the start: one line of worry", len(re.findall(" (?:warn|error) (?!kafka)", scorer.text())), 1 if role == "score" else 2)
    hostile.server.close()


def resident(scorer):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{scorer.popen.pid}/status").read())[1]) // 1024


def meet(lab, server, what, answer):
    elsewhere = Hostile(lambda *_: None)
    hostile = Hostile(answer, elsewhere.port)
    settings = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "MODEL_CACHE_DIR": lab.dir / "no-models", "MODEL_POLL_INTERVAL": "1s"}
    if server == "MLflow":
        settings |= {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{hostile.port}", "MLFLOW_TRACKING_TOKEN": TOKEN, "TRACKING_TIMEOUT": "3s"}
    else:
        settings |= {"SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{hostile.port}", "SCHEMA_REGISTRY_TOKEN": TOKEN, "SCHEMA_REGISTRY_TIMEOUT": "3s"}
    scorer = lab.scorer(re.sub(r"\W+", "-", f"{server} {what}"), "--roles=http", **settings)
    name = f"{server}, {what}"
    worried = lambda: [line for line in scorer.text().splitlines() if re.search(r" (warn|error) (?!kafka)", line) and str(hostile.port) in line]
    lab.wait(f"{name}: it says so", worried, 30, scorer)
    time.sleep(2)
    lines = worried()
    lab.check(f"{name}: one line", 1 <= len(lines) <= 2, "".join(f"\n#   {line[25:330]}" for line in lines[:4]))
    lab.check(f"{name}: no storm of requests", hostile.asked <= 30, hostile.asked)
    lab.check(f"{name}: memory stays small", resident(scorer) < 120, f"{resident(scorer)} MiB")
    lab.check(f"{name}: the credential goes nowhere else", not elsewhere.asked and TOKEN.encode() in hostile.seen and TOKEN not in scorer.text())
    foreign = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", scorer.text()) or re.search("^2026 info", scorer.text(), re.M)
    lab.check(f"{name}: nothing foreign in the log", not foreign, repr(foreign))
    began = time.monotonic()
    lab.equal(f"{name}: it ends", scorer.end(40), 0)
    lab.check(f"{name}: soon", time.monotonic() - began < 20, f"{time.monotonic() - began:.1f} s")
    hostile.server.close()
    elsewhere.server.close()


with Lab() as lab:
    lab.model()
    silent_at_start(lab, "score")
    silent_at_start(lab, "http")
    for what, answer in MODES.items():
        meet(lab, "MLflow", what, answer)
        meet(lab, "registry", what, answer)
