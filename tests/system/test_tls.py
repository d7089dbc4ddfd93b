#!/usr/bin/env python3
"""Identity and encryption end to end, on real servers: Kafka through SASL_SSL, PostgreSQL through verify-full with SCRAM, MLflow and a
schema registry through TLS with Basic, every secret from a file. Then each of them with a certificate of a stranger, of another host and
of yesterday, a wrong password, a port that speaks otherwise, and without a right: one clear line within 10 s, no storm, no secret."""
import re
import shutil
import time

from lab import BIN, ROOT, TOPICS, VENV, Lab, free_port
from mlflow_server import start_server
from tls import DAY, NOW, Authority, proxy

PASSWORD = "correct-horse"
USERS = ("owner", "scorer", "producer", "clerk")  # the clerk has no right to anything


class Servers:
    def __init__(self, lab):
        self.lab = lab
        self.ours, self.stranger = Authority(lab.dir, "ours"), Authority(lab.dir, "stranger")
        self.certificates = {"good": self.ours.server("good"), "expired": self.ours.server("expired", ends=NOW - DAY / 2),
                             "elsewhere": self.ours.server("elsewhere", "elsewhere.example")}
        self.secret("password", PASSWORD)
        self.secret("wrong", "battery-staple")

    def secret(self, name, text):
        path = self.lab.dir / f"{name}.secret"
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def kafka(self):
        """One broker: a listener for the test itself, and one with each certificate."""
        lab, self.plain, controller = self.lab, free_port(), free_port()
        self.brokers = {name: free_port() for name in self.certificates}
        listeners = ",".join(f"{name.upper()}://127.0.0.1:{port}" for name, port in self.brokers.items())
        users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
        properties = [f"listeners=PLAINTEXT://127.0.0.1:{self.plain},CONTROLLER://127.0.0.1:{controller},{listeners}",
                      f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.plain},{listeners}",
                      f"controller.quorum.voters=1@127.0.0.1:{controller}", "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
                      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT," + ",".join(f"{name.upper()}:SASL_SSL" for name in self.brokers),
                      "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS;User:owner"]
        for name, path in self.certificates.items():
            module = "org.apache.kafka.common.security"
            properties += [f"listener.name.{name}.ssl.keystore.type=PEM", f"listener.name.{name}.ssl.keystore.location={path}.pem",
                           f"listener.name.{name}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required {users};",
                           f"listener.name.{name}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;"]
        directory, broker = lab.dir / "kafka", ROOT / "deploy/kafka/broker"
        lab.endings.append(lambda: lab.run(broker, "stop", directory, *lab.wipe()))
        lab.must(broker, "start", directory, self.plain, *properties)
        lab.create_topics(f"127.0.0.1:{self.plain}", (*TOPICS, "attrition-scorer-state", "attrition-alerts"))
        self.grant()

    def grant(self):
        """To the users named like a program: what SECURITY.md's list has for it."""
        from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType
        user, wanted = None, {}
        for program, resource, operations in re.findall(r"^\|([^|]*)\| ((?:topics?|group|transactional ids|cluster)[^|]*) \| ([A-Z_, ]+) \|$", (ROOT / "SECURITY.md").read_text(), re.M):
            user = program.split()[0].rstrip(",") if program.strip() else user
            kind = {"t": ResourceType.TOPIC, "g": ResourceType.GROUP, "c": ResourceType.BROKER}[resource[0]]
            pattern = ResourcePatternType.LITERAL
            if resource.startswith("transactional"):
                kind, pattern = ResourceType.TRANSACTIONAL_ID, ResourcePatternType.PREFIXED
            for name in re.findall("`([^`]+)`(?! of)", resource.split(" (not with")[0]) or ["kafka-cluster"]:
                for operation in operations.split(", "):
                    wanted[kind, name, user, operation] = AclBinding(kind, name, pattern, f"User:{user}", "*", AclOperation[operation], AclPermissionType.ALLOW)
        self.lab.check("SECURITY.md lists rights for the scorer and the producer", len(wanted) > 20, len(wanted))
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.plain}"})
        for made in admin.create_acls(list(wanted.values())).values():
            made.result(30)

    def postgres(self):
        lab, self.port = self.lab, free_port()
        self.socket = lab.postgres("pg", "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}")
        lab.sql(self.socket, f"create role clerk login password '{PASSWORD}'; create role owner login password '{PASSWORD}'; grant attrition_writer to owner")
        self.postgres_certificate("good")

    def postgres_certificate(self, name):
        data = self.lab.dir / "pg/data"
        for suffix in (".key", ".crt"):
            shutil.copy(self.certificates[name].with_suffix(suffix), data / f"{name}{suffix}")
            shutil.chown(data / f"{name}{suffix}", data.owner(), data.group())
            (data / f"{name}{suffix}").chmod(0o600)
        for setting in (f"ssl_cert_file = '{name}.crt'", f"ssl_key_file = '{name}.key'", "ssl = on"):
            self.lab.sql(self.socket, f"alter system set {setting}")
        self.lab.sql(self.socket, "select pg_reload_conf()")
        time.sleep(0.3)

    def behind_tls(self, upstream):
        ports = {name: free_port() for name in self.certificates}
        return ports, {name: proxy(port, self.certificates[name], upstream, "owner", PASSWORD) for name, port in ports.items()}

    # --- settings ---

    def to_kafka(self, listener="good", port=None, password="password", user="owner", **more):
        return {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port or self.brokers[listener]}", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD_FILE": self.lab.dir / f"{password}.secret",
                "KAFKA_SSL_CA_LOCATION": self.ours.file, **more}

    def to_postgres(self, name="url", authority=None, password=PASSWORD, user="owner", port=None):
        url = f"postgresql://{user}:{password}@127.0.0.1:{port or self.port}/attrition?sslmode=verify-full&sslrootcert={(authority or self.ours).file}"
        return {"DATABASE_URL_FILE": self.secret(name, url)}

    def to_mlflow(self, which="good", password="password", scheme="https", authority=None):
        return {"MLFLOW_TRACKING_URI": f"{scheme}://127.0.0.1:{self.mlflow[which]}", "MLFLOW_TRACKING_USERNAME": "owner",
                "MLFLOW_TRACKING_PASSWORD_FILE": self.lab.dir / f"{password}.secret",
                "MLFLOW_TRACKING_SERVER_CERT_PATH": (authority or self.ours).file, "MODEL_CACHE_DIR": self.lab.dir / "models"}

    def to_registry(self, which="good", password="password", scheme="https", authority=None):
        return {"SCHEMA_REGISTRY_URL": f"{scheme}://127.0.0.1:{self.registry[which]}{self.registry_path}", "SCHEMA_REGISTRY_USERNAME": "owner",
                "SCHEMA_REGISTRY_PASSWORD_FILE": self.lab.dir / f"{password}.secret", "SCHEMA_REGISTRY_CA_LOCATION": (authority or self.ours).file}


def main_job(lab, servers):
    settings = {**servers.to_kafka(user="scorer"), **servers.to_postgres(), **servers.to_mlflow(), **servers.to_registry()}
    lab.env.update({key: str(value) for key, value in servers.to_mlflow().items()})
    lab.model()
    scorer = lab.scorer("main", **settings)
    lab.ready(scorer, 90)
    sent = lab.run(BIN / "producer", "generate", "--count", 2000, "--seed", 3, env={key: str(value) for key, value in {**servers.to_kafka(user="producer"), **servers.to_registry()}.items()})
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


def quiet(lab, what, scorer, most=12):
    text = scorer.text()
    lab.check(f"{what}: no storm", len(text.splitlines()) <= most, f"{len(text.splitlines())} lines")
    lab.check(f"{what}: no secret", PASSWORD not in text and "battery-staple" not in text)


def fault(lab, what, settings, *patterns):
    """A scorer with this fault says so in one line of these words within 10 s; then it has ended or waits."""
    scorer = lab.scorer(re.sub(r"\W+", "-", what), **settings)
    found = lambda: [line for line in scorer.text().splitlines() if re.search(" (warn|error) ", line) and all(re.search(p, line, re.I) for p in patterns)]
    lab.wait(f"{what}: it says so", found, 10)
    time.sleep(1.5)  # a storm would show
    lines = [line for line in scorer.text().splitlines() if re.search(" (warn|error) ", line)]
    lab.check(f"{what}: one line", len(lines) == 1, "".join(f"\n#   {line[25:330]}" for line in lines))
    quiet(lab, what, scorer)
    scorer.kill()


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
    lab.sql(s.socket, "select pg_reload_conf()")
    time.sleep(0.3)
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
