#!/usr/bin/env python3
"""Secrets are replaced while the scorer works: Kafka's user and password, the database's, MLflow's and the HTTP tokens. First a server
takes the old one away: one clear line within 10 s, no storm, nothing lost. Then the file has the new one and the scorer gets SIGHUP: it
goes on by itself. Two HTTP tokens are good at once. A bad file changes nothing. No secret in any log, and every event has one end."""
import os
import re
import signal
import time
import urllib.error
import urllib.request

from lab import BIN, Lab
from mlflow_server import start_server
from tls_servers import PASSWORD, Servers, quiet

NEW = "purple-monkey"
TOKENS = ("first-token-of-desk", "second-token-of-desk")


def asked(scorer, token):
    request = urllib.request.Request(f"http://{scorer.http}/schema", headers={"Authorization": f"Bearer {token}"})
    try:
        return urllib.request.urlopen(request, timeout=120).status
    except urllib.error.HTTPError as refused:
        return refused.code


def hup(scorer):
    os.kill(scorer.popen.pid, signal.SIGHUP)


def worried(scorer, since, *patterns):
    return [line for line in scorer.text()[since:].splitlines() if re.search(" (warn|error) ", line) and all(re.search(p, line, re.I) for p in patterns)]


def send(lab, servers, password, seed):
    sent = lab.run(BIN / "producer", "generate", "--count", 300, "--seed", seed, env={key: str(value) for key, value in servers.to_kafka(user="producer", password=password).items()})
    lab.equal("the producer sends 300 employees", (sent[0], sent[2][-300:] if sent[0] else ""), (0, ""))


def stored(lab, servers, count, scorer):
    found = lambda: lab.number(servers.socket, "select count(*) from attrition.predictions")
    lab.wait(f"PostgreSQL has {count}", lambda: found() == count, 60, scorer)


def rotate_http(lab, servers, scorer):
    lab.equal("HTTP: the first token is good, the second is not yet", [asked(scorer, token) for token in TOKENS], [200, 401])
    servers.secret("token", "\n".join(reversed(TOKENS)))
    hup(scorer)
    lab.wait("HTTP: then both are", lambda: [asked(scorer, token) for token in TOKENS] == [200, 200], 10, scorer)
    lab.check("the log names the variable", "read again, and changed: HTTP_TOKEN_FILE" in scorer.text())
    servers.secret("token", TOKENS[1])
    hup(scorer)
    lab.wait("HTTP: then only the second is", lambda: [asked(scorer, token) for token in TOKENS] == [401, 200], 10, scorer)
    servers.secret("token", "")
    hup(scorer)
    lab.wait("HTTP: an empty file is reported", lambda: worried(scorer, 0, "HTTP_TOKEN_FILE", "empty", "stays in use"), 10, scorer)
    lab.equal("and changes nothing", asked(scorer, TOKENS[1]), 200)
    servers.secret("token", TOKENS[1])


def rotate_postgres(lab, servers, scorer):
    since = len(scorer.text())
    lab.sql(servers.socket, f"alter role owner password '{NEW}'")
    lab.sql(servers.socket, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'owner'")
    send(lab, servers, "password", 5)
    lab.wait("PostgreSQL: the old password is refused, in one line", lambda: worried(scorer, since, "password authentication failed"), 10, scorer)
    time.sleep(3)
    lab.check("PostgreSQL: no storm", len(worried(scorer, since)) <= 2, "".join(f"\n#   {line[:300]}" for line in worried(scorer, since)))
    servers.to_postgres(password=NEW)
    hup(scorer)
    stored(lab, servers, 600, scorer)


def rotate_kafka(lab, servers, scorer):
    since = len(scorer.text())
    servers.restart_kafka(NEW)
    lab.wait("Kafka: the old password is refused, in one line", lambda: worried(scorer, since, "user or password is wrong", "KAFKA_SASL_PASSWORD"), 30, scorer)
    time.sleep(3)
    lab.check("Kafka: no storm", len(worried(scorer, since)) <= 4, "".join(f"\n#   {line[:300]}" for line in worried(scorer, since)))
    servers.secret("password", NEW)
    hup(scorer)
    lab.wait("Kafka: it answers again", lambda: "a broker answers again" in scorer.text()[since:], 30, scorer)
    send(lab, servers, "password", 6)
    stored(lab, servers, 900, scorer)


def rotate_mlflow(lab, servers, scorer):
    """Its password was the file that Kafka's is in, so it has changed already."""
    servers.mlflow_passwords[:] = [NEW]
    since, seen = len(scorer.text()), len(servers.mlflow_seen["good"])
    hup(scorer)
    lab.wait("MLflow: it was asked", lambda: len(servers.mlflow_seen["good"]) > seen, 20, scorer)
    time.sleep(3)  # a refusal would be logged
    lab.equal("MLflow: it takes the new password", worried(scorer, since, "401|MLFLOW"), [])


with Lab() as lab:
    servers = Servers(lab)
    servers.kafka()
    servers.postgres()
    start_server(lab)
    servers.mlflow_passwords = [PASSWORD]
    servers.mlflow, servers.mlflow_seen = servers.behind_tls(lab.mlflow.http, servers.mlflow_passwords)
    lab.env.update({key: str(value) for key, value in servers.to_mlflow().items()})
    lab.model()
    settings = {**servers.to_kafka(user="scorer"), **servers.to_postgres(), **servers.to_mlflow(), "HTTP_TOKEN_FILE": servers.secret("token", TOKENS[0]),
                "KAFKA_SESSION_TIMEOUT_MS": 240000}  # a member that is refused for longer than that ends, to be restarted
    scorer = lab.scorer("rotation", **settings)
    lab.ready(scorer, 90)
    send(lab, servers, "password", 4)
    stored(lab, servers, 300, scorer)
    rotate_http(lab, servers, scorer)
    rotate_postgres(lab, servers, scorer)
    rotate_kafka(lab, servers, scorer)
    rotate_mlflow(lab, servers, scorer)
    lab.equal("it ends in order", scorer.end(), 0)
    quiet(lab, "rotation", scorer, 60)
    lab.check("no new secret either", not any(secret in scorer.text() for secret in (NEW, *TOKENS)))
    servers.secret("url", servers.socket)  # the auditor may read all
    lab.audit(scorer, KAFKA_SASL_USERNAME="owner")
