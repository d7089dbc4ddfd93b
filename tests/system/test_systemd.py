#!/usr/bin/env python3
"""systemd's units without systemd: `make install` into a directory; systemd-analyze finds no fault in the units and little exposure;
users and directories are made; and the three roles run as plain processes with the commands, variables and files of settings that the
units give them, real Kafka and PostgreSQL behind them, until TERM."""
import re
import shutil
import signal

from lab import BIN, ROOT, Lab, free_port

ROLES = ("score", "sink", "http")
EXPOSURE = 20  # systemd-analyze's tenths: 2.0


def tool(name):
    return shutil.which(name) or f"/usr/bin/{name}"


class Host:
    """What `make install` leaves, and what systemd would put for its specifiers."""

    def __init__(self, lab):
        self.lab, self.prefix, self.etc = lab, lab.dir / "usr", lab.dir / "etc"
        lab.must("make", "--no-print-directory", "-s", f"BUILD={BIN.parent}", f"PREFIX={self.prefix}", f"SYSCONFDIR={self.etc}", "install")
        self.units = self.prefix / "lib/systemd/system"
        self.ports = {role: free_port() for role in ROLES}
        for directory in ("state/attrition-scorer", *(f"run/attrition-scorer-{role}" for role in ROLES)):
            (lab.dir / directory).mkdir(parents=True)

    def lines(self, unit, key):
        return re.findall(rf"^{key}=(.*)$", (self.units / unit).read_text(), re.M)

    def filled(self, text, role):
        for specifier, value in {"%i": role, "%l": "host", "%t": self.lab.dir / "run", "%C": self.lab.dir / "cache", "%S": self.lab.dir / "state", "%d": self.etc / "attrition-scorer/secrets"}.items():
            text = text.replace(specifier, str(value))
        return text

    def environment(self, role):
        env = dict(line.split("=", 1) for line in self.lines("attrition-scorer@.service", "Environment"))
        for file in self.lines("attrition-scorer@.service", "EnvironmentFile"):
            text = open(self.filled(file.lstrip("-"), role)).read()
            env.update(re.findall(r"^(\w+)=(.*)$", text, re.M))
        return {name: self.here(self.filled(value, role)) for name, value in env.items()}

    def here(self, value):
        for port, role in (("8080", "http"), ("8081", "score"), ("8082", "sink")):
            value = value.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[role]}")
        return value.replace("localhost:9092", getattr(self, "kafka", "")).replace("/var/lib/", f"{self.lab.dir}/state/")

    def command(self, unit, role=""):
        return self.filled(self.lines(unit, "ExecStart")[0], role).split()


def check_units(lab, host):
    units = sorted(host.units.glob("attrition-*"))
    lab.equal("units", [unit.name for unit in units], ["attrition-maintain.service", "attrition-maintain.timer", "attrition-scorer@.service"])
    for unit in units:
        status, out, err = lab.run(tool("systemd-analyze"), "verify", "--man=no", unit)
        lab.check(f"{unit.name}: no fault", status == 0 and str(unit) not in err and not any(name in err for name in ("attrition",)), (out + err).strip()[-300:])
        if unit.suffix == ".service":
            status, out, err = lab.run(tool("systemd-analyze"), "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", unit)
            lab.check(f"{unit.name}: exposure of at most 2.0", status == 0, (re.findall(r"Overall.*", out) or [err])[0])
    root = lab.dir / "root"
    (root / "etc").mkdir(parents=True)
    lab.must(tool("systemd-sysusers"), f"--root={root}", host.prefix / "lib/sysusers.d/attrition-scorer.conf")
    user = (root / "etc/passwd").read_text().split(":")
    lab.equal("the user has no shell and lives where its models are", (user[0], user[5], user[6].strip()), ("attrition", "/var/lib/attrition-scorer", "/usr/sbin/nologin"))
    conf = (host.prefix / "lib/tmpfiles.d/attrition-scorer.conf").read_text()
    lab.check("secrets are for root and the group", re.search(r"^d \S+/secrets 0750 root attrition -$", conf, re.M), conf)


def check_settings(lab, host):
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/CONFIGURATION.md").read_text()))
    for file in sorted((host.etc / "attrition-scorer").glob("*.env")):
        names = re.findall(r"^#?([A-Z]\w+)=", file.read_text(), re.M)
        lab.equal(f"{file.name} names variables that there are", [name for name in names if name not in known and not name.startswith("KAFKA_")], [])
        file.write_text(file.read_text() + "# mine\n")
    host.lab.must("make", "--no-print-directory", "-s", f"BUILD={BIN.parent}", f"PREFIX={host.prefix}", f"SYSCONFDIR={host.etc}", "install-config")
    lab.equal("files of settings that are there stay", [f.name for f in (host.etc / "attrition-scorer").glob("*.env") if "# mine" not in f.read_text()], [])


def run_roles(lab, host, database):
    secrets = host.etc / "attrition-scorer/secrets"
    secrets.mkdir()
    for name in ("database_url", "owner_url"):
        (secrets / name).write_text(database + "\n")
        (secrets / name).chmod(0o640)
    started = {}
    for role in ROLES:
        started[role] = lab.start(role, host.command("attrition-scorer@.service", role), host.environment(role))
    for scorer in started.values():
        lab.ready(scorer)
    lab.must(BIN / "producer", "backfill", lab.employees(200), env={"KAFKA_BOOTSTRAP_SERVERS": host.kafka})
    lab.wait("200 employees go through score and sink", lambda: lab.number(database, "SELECT count(*) FROM attrition.predictions") == 200, 40, started["sink"])
    (secrets / "database_url").write_text(f"{database} connect_timeout=9\n")
    started["sink"].popen.send_signal(signal.SIGHUP)  # ExecReload
    lab.wait("reload has the files of secrets read again", lambda: "read again, and changed: DATABASE_URL_FILE" in started["sink"].text(), 10, started["sink"])
    lab.equal("role and identity are the unit's", started["score"].env["INSTANCE_ID"], "host-score")
    for role, scorer in started.items():
        lab.equal(f"{role}: TERM ends it with status 0", scorer.end(), 0)
    status, out, err = lab.run(*host.command("attrition-scorer@.service", "score"), env={**host.environment("score"), "WORKERS": "many"})
    lab.equal("wrong settings end with the status that is not restarted", [str(status)], host.lines("attrition-scorer@.service", "RestartPreventExitStatus"))


def maintain(lab, host):
    words = [*host.command("attrition-maintain.service")[:-2], "SELECT attrition.maintain()"]
    env = {name: host.filled(value, "") for name, value in (line.split("=", 1) for line in host.lines("attrition-maintain.service", "Environment"))}
    status, out, err = lab.run(*words, env=env)
    lab.check("the daily care runs as the unit says", status == 0 and "groups: computed" in out, (out + err).strip())


with Lab() as lab:
    host = Host(lab)
    check_units(lab, host)
    check_settings(lab, host)
    database, host.kafka = lab.postgres(), lab.kafka()
    lab.env["MLFLOW_TRACKING_URI"] = host.here("/var/lib/attrition-scorer/mlruns")
    lab.model()
    run_roles(lab, host, database)
    maintain(lab, host)
