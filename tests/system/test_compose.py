#!/usr/bin/env python3
"""docker-compose.yml without Docker: the services of this project are run as plain processes, installed as the image has them, with
the commands and the environment that the file gives them; only names of hosts become addresses on loopback. Real Kafka,
PostgreSQL and MLflow. One employee is asked for at the page's service; employees sent to Kafka end in PostgreSQL."""
import json
import os
import re
import urllib.error
import urllib.request

from lab import BIN, ROOT, Lab, free_port
import yaml  # after lab, which goes on in the tests' own environment
from mlflow_server import start_server


class Topology:
    def __init__(self, lab):
        self.lab = lab
        self.services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
        self.tree = lab.dir / "image"
        lab.must("make", "--no-print-directory", f"BUILD={BIN.parent}", f"DESTDIR={self.tree}", "PREFIX=/usr", "install")
        self.secrets = lab.dir / "secrets"
        lab.must(ROOT / "deploy/compose-secrets", self.secrets)
        self.token = (self.secrets / "http_token").read_text().strip()
        self.database = lab.postgres()
        self.set_address("owner_url", self.database)
        for user in ("scorer", "analyst", "care"):
            self.set_address(f"{user}_url", self.database.replace("user=postgres", f"user={user}"))
        self.addresses = {"kafka:9092": lab.kafka(), "http://mlflow:5000": start_server(lab), "/run/secrets": str(self.secrets), "/var/lib/attrition": str(lab.dir)}

    def set_address(self, name, address):
        """The file as it was drawn, but for the host."""
        lines = (self.secrets / name).read_text().splitlines()
        self.lab.check(f"{name}: a user and a password of its own", len(lines) == 1 and re.fullmatch(r"postgresql://\w+:[0-9a-f]{32}@postgres/attrition", lines[0]))
        (self.secrets / name).write_text(address + "\n")

    def environment(self, name):
        ports = self.__dict__.setdefault("ports", {"scorer": free_port(), "page": free_port()})
        env = {"PATH": f"{self.tree}/usr/bin:{os.environ['PATH']}", "STATE_DIR": str(self.lab.dir), "LOG_FORMAT": "json",
               "HTTP_LOG_TIMEOUT": "60s", "KAFKA_SESSION_TIMEOUT_MS": "60000"}  # a busy machine is not the subject
        for key, value in self.services[name].get("environment", {}).items():
            for wanted, address in self.addresses.items():
                value = value.replace(wanted, address)
            value = value.replace("0.0.0.0:8080", f"127.0.0.1:{ports.get(name)}").replace("scorer:8080", f"127.0.0.1:{ports['scorer']}")
            env[key] = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        return env

    def command(self, name):
        service = self.services[name]
        words = [word.replace("$$", "$") for word in service.get("entrypoint", ["attrition-scorer", "run"]) + service.get("command", [])]
        own = {"/usr/share": f"{self.tree}/usr/share", "/run/secrets": str(self.secrets), "/tmp/employees.csv": str(self.lab.dir / "employees.csv")}
        for path, here in own.items():
            words = [word.replace(path, here) for word in words]
        return words

    def once(self, name):
        directory = self.lab.dir / name
        directory.mkdir()
        return self.lab.run("env", "-C", directory, *self.command(name), env=self.environment(name))

    def start(self, name):
        return self.lab.start(name, self.command(name), self.environment(name))


def ask(service, path, body, token):
    request = urllib.request.Request(f"http://{service.http}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def confined(lab, services):
    """What a service that is taken over can do; the exceptions are named."""
    for name, service in services.items():
        lab.check(f"{name}: no capabilities, no new ones, bounded", service.get("cap_drop") == ["ALL"] and service.get("security_opt") == ["no-new-privileges:true"]
                  and service.get("pids_limit") and service.get("mem_limit"))
    # Apache's image of Kafka writes its configuration when it starts.
    lab.equal("all but Kafka's image are read-only", [name for name, service in services.items() if not service.get("read_only")], ["kafka", "topics"])
    lab.equal("capabilities back", [name for name, service in services.items() if "cap_add" in service], ["postgres"])
    text = (ROOT / "docker-compose.yml").read_text()
    images = [image for service in services.values() for image in (service.get("image"), *service.get("build", {}).get("args", [])) if image]
    lab.equal("images can be given by digest, and none is the latest", [image for image in images if not re.search(r"\$\{\w+:-[\w./-]+:(?!latest)[\w.-]+\}$", image)], [])
    lab.equal("each image has a variable of its own", len({re.search(r"\{(\w+)", image)[1] for image in images}), len(set(images)))
    lab.equal("no secret in an environment or a default", re.findall(r"(?im)^ *(?!secrets:)\w*(?:password|token|secret)\w*: (?!/run/secrets/|\{file:).*$", text), [])
    lab.equal("ports are this host's alone", [p for s in services.values() for p in s.get("ports", []) if not p.startswith("127.0.0.1:")], [])


with Lab() as lab:
    topology = Topology(lab)
    confined(lab, topology.services)
    for name in ("migrate", "model"):
        status, out, err = topology.once(name)
        lab.check(f"{name} ends well", status == 0, (out + err).strip().splitlines()[-1][:200] if status else "")
        if name == "model":
            again = lab.run(*topology.command(name), env=topology.environment(name))
            lab.check("and trains nothing when it runs again", again[0] == 0 and "version 2" not in again[1] + again[2], again[0])
    care = topology.start("care")
    lab.wait("the daily care is done, as no administrator", lambda: "groups: computed" in care.text(), 90, care)
    retrain = topology.start("retrain")
    lab.wait("retraining says why there is nothing to train on yet, and goes on", lambda: "nothing was registered" in retrain.text(), 60, retrain)
    lab.one_line("in the trainer's words", retrain.text(), "no row is left to train on")
    lab.equal("it is alive", retrain.alive(), True)
    lab.equal("and ends when it is asked to", retrain.end() is not None, True)
    scorer, page = topology.start("scorer"), topology.start("page")
    lab.ready(page)
    lab.ready(scorer)
    lab.equal("the scorer without the role http serves metrics and no page", (scorer.get("/metrics")[0], scorer.get("/")[0]), (200, 401))
    lab.equal("the page is served", page.get("/")[0], 200)

    answer = ask(page, "/predict", {"employee_id": "one", "attributes": {"Age": 41, "OverTime": "Yes"}}, topology.token)
    lab.check("the page's service predicts and logs", 0 < answer["probability"] < 1, answer["probability"])
    lab.must(BIN / "producer", "backfill", lab.employees(300), env={"KAFKA_BOOTSTRAP_SERVERS": topology.addresses["kafka:9092"]})
    database = topology.database
    count = "SELECT count(*) FROM attrition.predictions WHERE channel = "
    lab.wait("300 employees are scored into PostgreSQL", lambda: lab.number(database, f"{count}'STREAM'") == 300, 40, scorer)
    lab.wait("and so is the one over HTTP", lambda: lab.number(database, f"{count}'HTTP'") == 1, 20, scorer)
    def people():
        request = urllib.request.Request(f"http://{page.http}/employees?limit=5", headers={"Authorization": f"Bearer {topology.token}", "X-Purpose": "test"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return len(json.load(answer)["employees"])

    lab.equal("the page's service shows people", people(), 5)
    lab.equal("and logs who asked", lab.number(database, "SELECT count(*) FROM attrition.access_log"), 1)

    def stream():
        request = urllib.request.Request(f"http://{page.http}/stream", headers={"Authorization": f"Bearer {topology.token}"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["events"]["scored"]
        except urllib.error.HTTPError:
            return None  # the scorer has not answered the page's service within 2 s

    lab.wait("the page's service shows the scorer's stream", lambda: stream() == 300, 20, page)
    lab.equal("the scorer's user is a writer, and no administrator", lab.sql(database, "SELECT DISTINCT usename, rolsuper, pg_has_role(usename, 'attrition_owner', 'MEMBER') "
              "FROM pg_stat_activity JOIN pg_roles ON rolname = usename WHERE application_name = 'attrition-sink'"), [["scorer", "f", "f"]])
    for process in (page, scorer):
        lab.equal(f"{process.name} ends in order", process.end(), 0)
