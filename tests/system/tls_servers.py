"""Real servers behind TLS and passwords for the tests of identity: Kafka with a listener for each certificate, PostgreSQL, and proxies in
front of MLflow and a schema registry; what a scorer needs to reach them; and how a fault must look in its log."""
import re
import shutil
import time

from lab import ROOT, TOPICS, free_port
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
        """One broker: a listener for the test itself, one with each certificate, MUTUAL that wants the client's, and BEARER."""
        lab, self.plain, controller = self.lab, free_port(), free_port()
        self.brokers = {name: free_port() for name in (*self.certificates, "mutual", "bearer")}
        listeners = ",".join(f"{name.upper()}://127.0.0.1:{port}" for name, port in self.brokers.items())
        users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
        properties = [f"listeners=PLAINTEXT://127.0.0.1:{self.plain},CONTROLLER://127.0.0.1:{controller},{listeners}",
                      f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.plain},{listeners}",
                      f"controller.quorum.voters=1@127.0.0.1:{controller}", "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
                      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT," + ",".join(f"{name.upper()}:{'SSL' if name == 'mutual' else 'SASL_SSL'}" for name in self.brokers),
                      "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS;User:owner", r"ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/"]
        for name, path in self.certificates.items():
            module = "org.apache.kafka.common.security"
            properties += [f"listener.name.{name}.ssl.keystore.type=PEM", f"listener.name.{name}.ssl.keystore.location={path}.pem",
                           f"listener.name.{name}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required {users};",
                           f"listener.name.{name}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;"]
        for name in ("mutual", "bearer"):
            properties += [f"listener.name.{name}.ssl.keystore.type=PEM", f"listener.name.{name}.ssl.keystore.location={self.certificates['good']}.pem"]
        properties += ["listener.name.mutual.ssl.client.auth=required", "listener.name.mutual.ssl.truststore.type=PEM",
                       f"listener.name.mutual.ssl.truststore.location={self.ours.file}", "listener.name.bearer.sasl.enabled.mechanisms=OAUTHBEARER",
                       f"listener.name.bearer.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";",
                       f"listener.name.bearer.oauthbearer.sasl.server.callback.handler.class={module}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"]
        directory, broker = lab.dir / "kafka", ROOT / "deploy/kafka/broker"
        self.properties = properties
        lab.endings.append(lambda: lab.run(broker, "stop", directory, *lab.wipe()))
        lab.must(broker, "start", directory, self.plain, *properties)
        lab.create_topics(f"127.0.0.1:{self.plain}", (*TOPICS, "attrition-scorer-state", "attrition-alerts"))
        self.grant()

    def restart_kafka(self, password):
        """With another password of everybody."""
        self.lab.stop_kafka()
        changed = [line.replace(f'="{PASSWORD}"', f'="{password}"') for line in self.properties]
        self.lab.must(ROOT / "deploy/kafka/broker", "start", self.lab.dir / "kafka", self.plain, *changed)

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
        self.reload_postgres()

    def reload_postgres(self):
        before = self.lab.sql(self.socket, "select pg_conf_load_time()")
        self.lab.sql(self.socket, "select pg_reload_conf()")
        self.lab.need("PostgreSQL has read its settings", lambda: self.lab.sql(self.socket, "select pg_conf_load_time()") != before, 20)

    def behind_tls(self, upstream, password=PASSWORD):
        ports = {name: free_port() for name in self.certificates}
        return ports, {name: proxy(port, self.certificates[name], upstream, "owner", password) for name, port in ports.items()}

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


def quiet(lab, what, scorer, most=12):
    text = scorer.text()
    lab.check(f"{what}: no storm", len(text.splitlines()) <= most, f"{len(text.splitlines())} lines")
    lab.check(f"{what}: no secret", PASSWORD not in text and "battery-staple" not in text)


def fault(lab, what, settings, *patterns):
    """A scorer with this fault says so in one line of these words within 10 s; then it waits or ends, which may be a line of its own."""
    scorer = lab.scorer(re.sub(r"\W+", "-", what), **settings)
    found = lambda: [line for line in scorer.text().splitlines() if re.search(" (warn|error) ", line) and all(re.search(p, line, re.I) for p in patterns)]
    lab.wait(f"{what}: it says so", found, 10)
    time.sleep(1.5)  # a storm would show
    # What is known at the start, that a certificate in a file has expired, is a line of its own; a busy broker's late answer another.
    lines = [line for line in scorer.text().splitlines() if re.search(" (warn|error) (?!certificates)", line) and "none has answered yet" not in line]
    kinds = [line.split()[1] for line in lines]
    lab.check(f"{what}: one line", kinds in (["warn"], ["error"], ["warn", "error"]), "".join(f"\n#   {line[25:330]}" for line in lines))
    quiet(lab, what, scorer)
    scorer.kill()
