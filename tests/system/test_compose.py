#!/usr/bin/env python3
"""docker-compose.yml without Docker: the services of this project are run as plain processes, installed as the image has them, with
the commands and the environment that the file gives them; only names of hosts become addresses on loopback. Real Kafka,
PostgreSQL and MLflow. One employee is asked for at the page's service; employees sent to Kafka end in PostgreSQL."""
import json
import os
import re
import urllib.request

from lab import BIN, ROOT, Lab, free_port
import yaml  # after lab, which goes on in the tests' own environment
from mlflow_server import start_server

TOKEN = "a token of this test"


class Topology:
    def __init__(self, lab):
        self.lab = lab
        self.services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        self.tree = lab.dir / "image"
        lab.must("make", "--no-print-directory", f"BUILD={BIN.parent}", f"DESTDIR={self.tree}", "PREFIX=/usr", "install")
        database = lab.postgres()
        self.addresses = {"kafka:9092": lab.kafka(), "http://mlflow:5000": start_server(lab),
                          "postgresql://postgres:${POSTGRES_PASSWORD}@postgres/attrition": database}

    def environment(self, name):
        ports = self.__dict__.setdefault("ports", {"scorer": free_port(), "page": free_port()})
        env = {"PATH": f"{self.tree}/usr/bin:{os.environ['PATH']}", "STATE_DIR": str(self.lab.dir), "LOG_FORMAT": "json"}
        for key, value in self.services[name].get("environment", {}).items():
            for wanted, address in self.addresses.items():
                value = value.replace(wanted, address)
            value = value.replace("0.0.0.0:8080", f"127.0.0.1:{ports.get(name)}").replace("scorer:8080", f"127.0.0.1:{ports['scorer']}").replace("${HTTP_TOKEN:?set HTTP_TOKEN to a secret of your own}", TOKEN)
            env[key] = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        return env

    def command(self, name):
        service = self.services[name]
        words = [word.replace("$$", "$") for word in service.get("entrypoint", ["attrition-scorer", "run"]) + service.get("command", [])]
        return [word.replace("/usr/share", f"{self.tree}/usr/share") for word in words]

    def once(self, name):
        directory = self.lab.dir / name
        directory.mkdir()
        return self.lab.run("env", "-C", directory, *self.command(name), env=self.environment(name))

    def start(self, name):
        return self.lab.start(name, self.command(name), self.environment(name))


def ask(service, path, body, token=TOKEN):
    request = urllib.request.Request(f"http://{service.http}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


with Lab() as lab:
    topology = Topology(lab)
    for name in ("migrate", "model"):
        status, out, err = topology.once(name)
        lab.check(f"{name} ends well", status == 0, (out + err).strip().splitlines()[-1][:200] if status else "")
        if name == "model":
            again = lab.run(*topology.command(name), env=topology.environment(name))
            lab.check("and trains nothing when it runs again", again[0] == 0 and "version 2" not in again[1] + again[2], again[0])
    scorer, page = topology.start("scorer"), topology.start("page")
    lab.ready(page)
    lab.ready(scorer)
    lab.equal("the scorer without the role http serves metrics and no page", (scorer.get("/metrics")[0], scorer.get("/")[0]), (200, 401))
    lab.equal("the page is served", page.get("/")[0], 200)

    answer = ask(page, "/predict", {"employee_id": "one", "attributes": {"Age": 41, "OverTime": "Yes"}})
    lab.check("the page's service predicts and logs", 0 < answer["probability"] < 1, answer["probability"])
    lab.must(BIN / "producer", "backfill", lab.employees(300), env={"KAFKA_BOOTSTRAP_SERVERS": topology.addresses["kafka:9092"]})
    database = list(topology.addresses.values())[2]
    count = "SELECT count(*) FROM attrition.predictions WHERE channel = "
    lab.wait("300 employees are scored into PostgreSQL", lambda: lab.number(database, f"{count}'STREAM'") == 300, 40, scorer)
    lab.wait("and so is the one over HTTP", lambda: lab.number(database, f"{count}'HTTP'") == 1, 20, scorer)
    def stream():
        request = urllib.request.Request(f"http://{page.http}/stream", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["events"]["scored"]

    lab.wait("the page's service shows the scorer's stream", lambda: stream() == 300, 20, page)
    for process in (page, scorer):
        lab.equal(f"{process.name} ends in order", process.end(), 0)
