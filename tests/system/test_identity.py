#!/usr/bin/env python3
"""Who we are, proved by certificates and bearer tokens: Kafka with a client's certificate (mTLS) and with OAUTHBEARER, PostgreSQL with a
client's certificate. And what fails of it: a certificate of a stranger, of yesterday, none at all, one without its key, a right that is
withdrawn in the middle of work: one clear line within 10 s, no storm, no secret."""
import re
import signal
import time

from lab import BIN, Lab
from tls import DAY, NOW
from tls_servers import Servers, fault, quiet


class Identities(Servers):
    def __init__(self, lab):
        super().__init__(lab)
        self.clients = {"scorer": self.ours.server("client-scorer", "scorer"), "producer": self.ours.server("client-producer", "producer"),
                        "owner": self.ours.server("client-owner", "owner"), "stranger": self.stranger.server("client-stranger", "scorer"),
                        "yesterday": self.ours.server("client-yesterday", "scorer", ends=NOW - DAY / 2),
                        "soon": self.ours.server("client-soon", "scorer", ends=NOW + 10 * DAY)}

    def mutual(self, client="scorer", key=None):
        settings = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.brokers['mutual']}", "KAFKA_SECURITY_PROTOCOL": "SSL",
                    "KAFKA_SSL_CA_LOCATION": self.ours.file}
        if client:
            settings |= {"KAFKA_SSL_CERTIFICATE_LOCATION": f"{self.clients[client]}.crt", "KAFKA_SSL_KEY_LOCATION": f"{self.clients[key or client]}.key"}
        return settings

    def bearer(self, principal):
        return {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.brokers['bearer']}", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
                "KAFKA_SSL_CA_LOCATION": self.ours.file, "KAFKA_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT": "true",
                "KAFKA_SASL_OAUTHBEARER_CONFIG": f"principal={principal} scope=work lifeSeconds=30"}

    def certified(self, name, client="owner"):
        """PostgreSQL without a password: by the client's certificate."""
        path = self.clients.get(client)
        own = f"&sslcert={path}.crt&sslkey={path}.key" if path else "&sslcert=/none"
        return {"DATABASE_URL_FILE": self.secret(name, f"postgresql://owner@127.0.0.1:{self.port}/attrition?sslmode=verify-full&sslrootcert={self.ours.file}{own}")}

    def postgres(self):
        super().postgres()
        data = self.lab.dir / "pg/data"
        file = data / "pg_hba.conf"
        file.write_text("hostssl all owner 127.0.0.1/32 cert\n" + file.read_text())
        (data / "clients.crt").write_bytes(self.ours.file.read_bytes())
        (data / "clients.crt").chmod(0o644)
        self.lab.sql(self.socket, "alter system set ssl_ca_file = 'clients.crt'")
        self.reload_postgres()


def environment(settings):
    return {key: str(value) for key, value in settings.items()}


def work(lab, s, what, scorer, producer, seed):
    """300 employees from end to end."""
    before = lab.number(s.socket, "select count(*) from attrition.predictions")
    run = lab.scorer(re.sub(r"\W+", "-", what), **scorer)
    lab.ready(run, 90)
    sent = lab.run(BIN / "producer", "generate", "--count", 300, "--seed", seed, env=environment(producer))
    lab.equal(f"{what}: the producer sends", (sent[0], sent[2][-300:] if sent[0] else ""), (0, ""))
    lab.wait(f"{what}: 300 employees reach PostgreSQL", lambda: lab.number(s.socket, "select count(*) from attrition.predictions") == before + 300, 60, run)
    return run


def mutual(lab, s):
    run = work(lab, s, "mutual TLS", {**s.mutual(), **s.certified("mutual-url")}, s.mutual("producer"), 11)
    lab.equal("PostgreSQL knows the client by its certificate", lab.sql(s.socket, "select distinct client_dn from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'owner'"), [["/CN=owner"]])
    lab.equal("mutual TLS: it ends in order", run.end(), 0)
    quiet(lab, "mutual TLS", run)
    role = {"ROLES": "score"}
    for what, settings, patterns in (
            ("Kafka, our certificate by a stranger", s.mutual("stranger"), ("does not trust our certificate", "KAFKA_SSL_CERTIFICATE_LOCATION")),
            ("Kafka, our certificate of yesterday", s.mutual("yesterday"), ("does not trust our certificate", "expired", "KAFKA_SSL_CERTIFICATE_LOCATION")),
            ("Kafka, no certificate of ours", s.mutual(None), ("asks for a certificate of ours", "KAFKA_SSL_CERTIFICATE_LOCATION"))):
        fault(lab, what, {**settings, **role}, *patterns)
    ended = lab.run(BIN / "scorer", "run", env=environment({**s.mutual("scorer", "owner"), **role}))
    lab.check("Kafka, the key of another certificate: refused at start", ended[0] == 1 and "key values mismatch" in ended[2] and "KAFKA_SSL" in ended[2], ended[2][-300:])
    base = {**s.to_kafka(), "ROLES": "sink"}
    fault(lab, "PostgreSQL, our certificate by a stranger", {**base, **s.certified("by-stranger", "stranger")}, "PostgreSQL", "does not trust our certificate", "signed by nobody")
    fault(lab, "PostgreSQL, our certificate of yesterday", {**base, **s.certified("of-yesterday", "yesterday")}, "PostgreSQL", "does not trust our certificate", "it has expired")
    fault(lab, "PostgreSQL, no certificate of ours", {**base, **s.certified("without", None)}, "PostgreSQL", "client certificate")


def dates(lab, s):
    """A certificate of ours that ends in ten days: said at start, by check, by a metric; after its renewal that a restart takes the new one."""
    settings, name = {**s.mutual("soon"), "ROLES": "score"}, "KAFKA_SSL_CERTIFICATE_LOCATION"
    run = lab.scorer("soon", **settings)
    lab.ready(run, 90)
    said = lambda words: [line for line in run.text().splitlines() if f" warn certificates: {name}: " in line and words in line]
    lab.check("a certificate that ends soon: one line", len(said("")) == 1 and len(said("client-soon.crt expires in 9 days, on ")) == 1, run.text()[-400:])
    left = re.search(rf'attrition_certificate_expiry_seconds{{setting="{name}"}} (\d+)', run.get("/metrics")[1])
    lab.check("… and a metric", left and 9 < int(left[1]) / 86400 < 10, left and left[1])
    found = lab.run(BIN / "scorer", "check", env=environment({**settings, "HTTP_LISTEN": "127.0.0.1:0"}))
    lab.one_line("… and a line of check", found[1], "^warn +certificates +" + name, "client-soon.crt")
    s.ours.server("client-soon", "scorer")
    run.popen.send_signal(signal.SIGHUP)
    lab.wait("… renewed, after HUP: it says that a restart takes it", lambda: len(said("the file has a later one; restart to take it")) == 1, 20, run)
    lab.equal("… and ends in order", run.end(), 0)


def bearer(lab, s):
    """Tokens of 30 s are renewed by the client itself, also while it commits."""
    run = work(lab, s, "OAUTHBEARER", {**s.bearer("scorer"), **s.certified("bearer-url")}, s.bearer("producer"), 12)
    lab.equal("OAUTHBEARER: it ends in order", run.end(), 0)
    quiet(lab, "OAUTHBEARER", run)
    fault(lab, "Kafka, a bearer without a right", {**s.bearer("clerk"), "ROLES": "score"}, "employee-events", "authorization failed", "ACL")
    settings = s.bearer("scorer")
    settings["KAFKA_SASL_OAUTHBEARER_CONFIG"] = "principal=scorer scope=work nonsense"
    fault(lab, "Kafka, a bearer's settings that are none", {**settings, "ROLES": "score"}, "nonsense", "KAFKA_SASL")


def withdrawn(lab, s):
    """A right that is withdrawn while the scorer works: each ends in one line that names it."""
    from confluent_kafka.admin import AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{s.plain}"})
    both = {**s.mutual(), **s.certified("withdrawn-url"), "ROLES": "score,sink,http"}
    for what, kind, name, operation, patterns in (
            ("READ of the input", ResourceType.TOPIC, "employee-events", AclOperation.READ, ("employee-events", "ACL")),
            ("WRITE of the output", ResourceType.TOPIC, "attrition-predictions", AclOperation.WRITE, ("operation Write|right to write",)),
            ("READ of the group", ResourceType.GROUP, "attrition-scorer", AclOperation.READ, ("group authorization failed", "ACL")),
            ("WRITE of the transactional id", ResourceType.TRANSACTIONAL_ID, "attrition-scorer", AclOperation.WRITE, ("transactional id", "ACL")),
            ("READ of the sink's group", ResourceType.GROUP, "attrition-scorer-sink", AclOperation.READ, ("Kafka denies group attrition-scorer-sink", "grant READ")),
            ("READ of the sink's topic", ResourceType.TOPIC, "employee-events-dlq", AclOperation.READ, ("Kafka denies employee-events-dlq to group attrition-scorer-sink", "grant READ")),
            ("WRITE of the state topic", ResourceType.TOPIC, "attrition-scorer-state", AclOperation.WRITE, ("attrition-scorer-state|topic authorization failed|right to write",))):
        run = lab.scorer(re.sub(r"\W+", "-", "without " + what), **(both if "sink" in what else {**s.mutual(), "ROLES": "score"}))
        lab.ready(run, 90)
        sender = lab.start(f"sender-{operation}-{kind}", [BIN / "producer", "generate", "--count", 20000, "--rate", 50], environment(s.mutual("producer")))
        lab.wait("it works", lambda: run.counter("events_scored_total") > 50, 30, run)
        pattern = ResourcePatternType.PREFIXED if kind == ResourceType.TRANSACTIONAL_ID else ResourcePatternType.LITERAL
        wanted = AclBindingFilter(kind, name, pattern, "User:scorer", "*", operation, AclPermissionType.ALLOW)
        for gone in admin.delete_acls([wanted]).values():
            lab.equal(f"{what} is withdrawn", len(gone.result(30)), 1)
        worried = lambda: [line for line in run.text().splitlines() if re.search(" (warn|error) ", line)]
        named = lambda: [line for line in worried() if all(re.search(p, line, re.I) for p in patterns)]
        lab.wait(f"{what}, withdrawn: it says so", named, 20)
        time.sleep(3)  # a storm would show
        lab.wait(f"{what}, withdrawn: what else runs is drained", lambda: not run.alive(), 30)
        lab.check(f"{what}, withdrawn: it ends, after one more try at most, without a storm", not run.alive() and len(worried()) <= 6, "".join(f"\n#   {line[25:400]}" for line in worried()))
        lab.equal(f"{what}, withdrawn: status", run.popen.poll(), 1)
        sender.end(5)
        run.kill()
        s.grant()
    rest = lab.scorer("with all rights again", **both)
    lab.ready(rest, 90)
    lab.wait("with all rights again: everything is scored and stored", lambda: rest.counter("events_lag") == 0 == rest.counter("sink_lag") and rest.counter("sink_predictions_total") > 0, 90, rest)
    lab.equal("it ends in order", rest.end(), 0)
    lab.audit(rest, KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{s.plain}", KAFKA_SECURITY_PROTOCOL="PLAINTEXT", DATABASE_URL_FILE=s.secret("audit-url", s.socket))


with Lab() as lab:
    servers = Identities(lab)
    servers.kafka()
    servers.postgres()
    lab.model()
    mutual(lab, servers)
    dates(lab, servers)
    bearer(lab, servers)
    withdrawn(lab, servers)
