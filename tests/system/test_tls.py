#!/usr/bin/env python3
"""Identity and encryption end to end, on real servers: Kafka through SASL_SSL, PostgreSQL through verify-full with SCRAM, MLflow and a
schema registry through TLS with Basic, every secret from a file. Then each of them with a certificate of a stranger, of another host and
of yesterday, a wrong password, a port that speaks otherwise, and without a right: one clear line within 10 s, no storm, no secret."""
import re

from lab import BIN, VENV, Lab
from mlflow_server import start_server
from tls_servers import PASSWORD, Servers, fault, quiet


def main_job(lab, servers):
    # Without a warning: those of a machine that is slow for a while are not meant.
    slow = {"KAFKA_SESSION_TIMEOUT_MS": 60000, "SCHEMA_REGISTRY_TIMEOUT": "60s"}
    settings = {**servers.to_kafka(user="scorer"), **servers.to_postgres(), **servers.to_mlflow(), **servers.to_registry(), **slow}
    lab.env.update({key: str(value) for key, value in servers.to_mlflow().items()})
    lab.model()
    scorer = lab.scorer("main", **settings)
    lab.ready(scorer, 90)
    sent = lab.run(BIN / "producer", "generate", "--count", 2000, "--seed", 3, env={key: str(value) for key, value in {**servers.to_kafka(user="producer"), **servers.to_registry(), "SCHEMA_REGISTRY_TIMEOUT": "60s"}.items()})
    lab.equal("the producer sends through TLS", sent[0], 0)
    stored = lambda: lab.number(servers.socket, "select count(*) from attrition.predictions")
    lab.wait("2,000 employees go from Kafka to PostgreSQL, all of it through TLS", lambda: stored() == 2000, 60, scorer)
    lab.equal("PostgreSQL has encrypted sessions alone", lab.sql(servers.socket, "select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'owner'"), [["t"]])
    lab.check("the registry was asked through TLS", len(servers.registry_seen["good"]) > 0, len(servers.registry_seen["good"]))
    lab.equal("it ends in order", scorer.end(), 0)
    quiet(lab, "the main job", scorer)
    # On a busy machine the first answer may take longer than the scorer waits silently for.
    worrying = [line for line in scorer.text().splitlines() if re.search(" (warn|error) ", line) and "none has answered yet" not in line]
    lab.check("no warning and no error", not worrying, worrying[:3])


def scram(lab, servers):
    """Debian's librdkafka cannot (see the faults); the newer one that the tests' Python client brings can."""
    from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{servers.plain}"})
    for made in admin.alter_user_scram_credentials([UserScramCredentialUpsertion("owner", info, PASSWORD.encode())]).values():
        made.result(30)
    newer = next((VENV / "lib").glob("python*/site-packages/confluent_kafka.libs/librdkafka-*.so*"))
    scorer = lab.scorer("scram", **{**servers.to_kafka(KAFKA_SASL_MECHANISM="SCRAM-SHA-512"), "ROLES": "score,http", "LD_PRELOAD": newer, "GROUP_ID": "scram"})
    lab.ready(scorer, 60)
    quiet(lab, "SCRAM through a newer librdkafka", scorer)
    scorer.end()


def kafka_faults(lab, s):
    role = {"ROLES": "score"}
    for what, settings, patterns in (
            ("Kafka, certificate of a stranger", s.to_kafka(KAFKA_SSL_CA_LOCATION=s.stranger.file), ("signed by nobody this host trusts", "KAFKA_SSL_CA_LOCATION")),
            ("Kafka, certificate of another host", s.to_kafka("elsewhere"), ("certificate is for another host",)),
            ("Kafka, certificate of yesterday", s.to_kafka("expired"), ("certificate has expired",)),
            ("Kafka, wrong password", s.to_kafka(password="wrong"), ("user or password is wrong", "KAFKA_SASL_PASSWORD")),
            ("Kafka, a mechanism it lacks", s.to_kafka(KAFKA_SASL_MECHANISM="SCRAM-SHA-256"), ("KAFKA_SASL_MECHANISM",)),
            ("Kafka, SCRAM that Kafka 4 does not take from an old librdkafka", s.to_kafka(KAFKA_SASL_MECHANISM="SCRAM-SHA-512"), ("user or password is wrong",)),
            ("Kafka, without TLS to its TLS port", s.to_kafka(KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT"), ("speaks another protocol", "KAFKA_SECURITY_PROTOCOL")),
            ("Kafka, TLS to a port without", s.to_kafka(port=s.plain), ("no TLS is spoken there", "KAFKA_SECURITY_PROTOCOL")),
            ("Kafka, without a right", s.to_kafka(user="clerk"), ("employee-events", "authorization failed", "ACL"))):
        fault(lab, what, {**settings, **role}, *patterns)


def postgres_faults(lab, s):
    base = {**s.to_kafka(), "ROLES": "sink"}
    fault(lab, "PostgreSQL, certificate of a stranger", {**base, **s.to_postgres("stranger", s.stranger)}, "PostgreSQL", "signed by nobody this host trusts", "sslrootcert")
    fault(lab, "PostgreSQL, wrong password", {**base, **s.to_postgres("mistaken", password="battery-staple")}, "PostgreSQL", "password authentication failed")
    fault(lab, "PostgreSQL, without a right", {**base, **s.to_postgres("clerk", user="clerk")}, "PostgreSQL", "permission denied", "attrition_writer")
    s.postgres_certificate("expired")
    fault(lab, "PostgreSQL, certificate of yesterday", {**base, **s.to_postgres()}, "PostgreSQL", "certificate has expired")
    s.postgres_certificate("elsewhere")
    fault(lab, "PostgreSQL, certificate of another host", {**base, **s.to_postgres()}, "PostgreSQL", "elsewhere.example", "does not match host name")
    lab.sql(s.socket, "alter system set ssl = off")
    s.reload_postgres()
    fault(lab, "PostgreSQL, TLS to a server without", {**base, **s.to_postgres()}, "PostgreSQL", "does not support SSL")


def http_faults(lab, s, name, settings, variable):
    for what, more, patterns in (
            ("certificate of a stranger", dict(authority=s.stranger), ("signed by nobody this host trusts",)),
            ("certificate of another host", dict(which="elsewhere"), ("certificate is for another host",)),
            ("certificate of yesterday", dict(which="expired"), ("certificate has expired",)),
            ("wrong password", dict(password="wrong"), ("401", variable)),
            ("without TLS to its TLS port", dict(scheme="http"), ("https",)),
            ("TLS to a port without", dict(which="plain"), ("no TLS is spoken there",))):
        fault(lab, f"{name}, {what}", {**s.to_kafka(), "ROLES": "score", **settings(**more)}, *patterns)


with Lab() as lab:
    servers = Servers(lab)
    servers.kafka()
    servers.postgres()
    registry = lab.registry()
    start_server(lab)
    servers.mlflow, servers.mlflow_seen = servers.behind_tls(lab.mlflow.http)
    host, _, path = registry.split("://")[1].partition("/")
    servers.registry, servers.registry_seen = servers.behind_tls(host)
    servers.registry_path = f"/{path}"
    servers.mlflow["plain"], servers.registry["plain"] = lab.mlflow.http.split(":")[1], host.split(":")[1]
    main_job(lab, servers)
    scram(lab, servers)
    kafka_faults(lab, servers)
    postgres_faults(lab, servers)
    http_faults(lab, servers, "MLflow", lambda **more: {**servers.to_mlflow(**more), "MODEL_CACHE_DIR": lab.dir / "none"}, "MLFLOW_TRACKING_PASSWORD")
    http_faults(lab, servers, "registry", servers.to_registry, "SCHEMA_REGISTRY")
