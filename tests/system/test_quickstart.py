#!/usr/bin/env python3
"""docs/QUICKSTART.md as it stands there, in the order of the roles that build on each other, against a real Kafka and PostgreSQL."""
import json
import os
import re

from lab import BIN, ROOT, Lab

TEXT = (ROOT / "docs/QUICKSTART.md").read_text()


def block(role):
    language, body = re.search(rf"^```(sh|sql) {role}\n(.*?)^```", TEXT, re.M | re.S).groups()
    return body


def shell(lab, role, env):
    directory = lab.dir / "here"
    directory.mkdir(exist_ok=True)
    status, out, err = lab.run("bash", "-ec", f"set -o pipefail; cd {directory}\n" + block(role).replace("sql/migrate", str(ROOT / "sql/migrate")), env=env, seconds=240)
    lab.check(f"{role}: each command ends well", status == 0, (out + err).strip()[-400:])
    return out


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": database, "SCHEMAS_DIR": str(ROOT / "schemas"), "PATH": f"{BIN}:{os.environ['PATH']}", "MLFLOW_TRACKING_URI": str(lab.dir / "mlruns"),
           "HTTP_LISTEN": "127.0.0.1:0"}
    out = shell(lab, "scientist", env)
    lab.check("scientist: the run is compared, and its version is what a scorer would load", "logistic-regression-l2" in out and "kind: linear" in out)
    shell(lab, "publisher", env)
    out = shell(lab, "operator", env)
    lab.equal("operator: the event has its row", lab.number(database, "SELECT count(*) FROM attrition.predictions WHERE employee_id = '1042'"), 1)
    prediction = json.loads(shell(lab, "consumer", env).splitlines()[0])
    lab.check("consumer: one line, with answer, risk and reasons", 0 < prediction["probability"] < 1 and len(prediction["reasons"]) == 3 and prediction["prediction"] in ("No", "Yes"))
    lab.sql(database, "CREATE ROLE reader LOGIN; GRANT attrition_analyst TO reader")
    rows = lab.sql(database.replace("user=postgres", "user=reader"), block("analyst"))
    lab.check("analyst: the employee is found", any("1042" in row for row in rows), rows[:1])
