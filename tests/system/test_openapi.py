#!/usr/bin/env python3
"""The service against its own description: schemathesis makes requests from /openapi.json, sound ones and unsound ones, and
every answer must be one that the description names, in the form it names. A prediction is logged to the broker in memory."""
import json
import urllib.request

from lab import VENV, Lab

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,negative_data_rejection"

with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    broker = lab.embedded_broker()
    database = lab.postgres()
    scorer = lab.scorer("scorer", "--roles=score,http", KAFKA_BOOTSTRAP_SERVERS=broker, DELIVERY="at-least-once", DATABASE_URL=database, HTTP_ACCESS_LOG="false")
    lab.ready(scorer)
    described = json.loads(urllib.request.urlopen(f"http://{scorer.http}/openapi.json").read())
    operations = sum(len(path) for path in described["paths"].values())
    lab.check("the description names every operation", operations >= 22, operations)
    status, out, err = lab.run("env", "-C", lab.dir, VENV / "bin/schemathesis", "run", f"http://{scorer.http}/openapi.json", "--checks", CHECKS, "--max-examples", 20,
                               "--phases", "examples,coverage,fuzzing", "--seed", 7, "--no-color", seconds=300)
    for line in (out + err).splitlines()[-60 if status else -14:]:
        print("#   " + line)
    lab.equal("schemathesis finds nothing", status, 0)
    lab.check("the service is alive and ready", scorer.get("/health/ready")[0] == 200)
