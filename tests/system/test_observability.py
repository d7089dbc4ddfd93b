#!/usr/bin/env python3
"""What operators look at: promtool accepts metrics, alerts and their tests; a real Prometheus scrapes a scorer, and every
query of the dashboard and of the alerts answers with data; docker-compose.yml and the workflow are well-formed."""
import json
import re
import shutil
import sys
import urllib.parse
import urllib.request

from lab import BIN, ROOT, Lab, free_port
import yaml  # after lab, which goes on in the tests' own environment
from tls import Authority

DEPLOY = ROOT / "deploy"


def tool(name):
    path = shutil.which(name)
    if not path:
        sys.exit(f"not ok - there is no {name}: deploy/bootstrap test installs it")
    return path


def dashboard_queries():
    dashboard = json.loads((DEPLOY / "grafana/attrition.json").read_text())
    return {f"{panel['title']}: {target['legendFormat'] or 'all'}": target["expr"].replace("$instance", ".*")
            for panel in dashboard["panels"] for target in panel["targets"]}


def alert_series():
    """The series each alert reads: its comparison is left out, since a healthy scorer gives it nothing."""
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    return {f"{rule['alert']}, {name}": name for rule in rules for name in re.findall(r"\battrition_\w+|\bup\{[^}]*\}", rule["expr"])}


def ask(prometheus, query):
    address = f"http://{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(address, timeout=120) as answer:
        return json.load(answer)["data"]["result"]


with Lab() as lab:
    promtool = tool("promtool")
    for what, *words in (("the configuration", "check", "config", "--syntax-only", DEPLOY / "prometheus/prometheus.yml"),
                         ("the alerts", "check", "rules", DEPLOY / "prometheus/alerts.yml"),
                         ("the alerts' tests", "test", "rules", DEPLOY / "prometheus/alerts_test.yml")):
        status, out, err = lab.run(promtool, *words)
        lab.check(f"promtool accepts {what}", status == 0, (out + err).strip().splitlines()[-1])

    ends = dashboard_queries()
    lab.equal("the panel of ends has each end", [name for name in ("scored", "dead letters", "erased", "outcomes", "ignored", "returned")
                                                if f"Events a second: {name}" not in ends], [])

    kafka, database = lab.embedded_broker(), lab.postgres()
    lab.model()
    lab.sql(database, "INSERT INTO attrition.performance_checks SELECT '2026-01-01', 'attrition', v, 900, 90, 60, .6, .7, 30, 3e-7, 1e-4, true, now() FROM (VALUES ('1'), ('2')) AS m (v)")
    scorer = lab.scorer("scorer", KAFKA_BOOTSTRAP_SERVERS=kafka, DELIVERY="at-least-once", DATABASE_URL=database, KAFKA_FETCH_WAIT_MAX_MS="10",
                        MLFLOW_TRACKING_SERVER_CERT_PATH=Authority(lab.dir, "tracking").file)
    lab.ready(scorer)
    employees = lab.dir / "poisoned"
    produce = [BIN / "producer", "generate", "--count", 500, "--poison", "0.05"]
    lab.must(*produce, "--seed", 3, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    lab.need("events are scored and written", lambda: scorer.counter("sink_predictions_total") > 400, 60, scorer)
    lab.check("some became dead letters", scorer.counter("events_dead_lettered_total") > 0, scorer.counter("events_dead_lettered_total"))

    lab.wait("the sink looks up which versions turned out otherwise", lambda: scorer.counter("performance_contradicted") == 2, 30, scorer)
    status, metrics = scorer.get("/metrics")
    status, out, err = lab.run(promtool, "check", "metrics", input=metrics)
    lab.check("promtool accepts the metrics", status == 0, (out + err).strip())

    config = lab.dir / "prometheus.yml"
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [
        {"job_name": "attrition", "static_configs": [{"targets": [scorer.http]}]}]}))
    address = f"127.0.0.1:{free_port()}"
    prometheus = lab.start("prometheus", [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={lab.dir / 'tsdb'}",
                                          f"--web.listen-address={address}"])

    def scraped():
        try:
            return len(ask(address, "rate(attrition_events_received_total[1m])")) == 1
        except OSError:
            return False

    lab.need("Prometheus has scraped it twice", scraped, 60, prometheus)
    lab.must(*produce, "--seed", 4, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    lab.wait("and sees dead letters by code", lambda: ask(address, "sum by (code) (rate(attrition_dead_letters_total[5m])) > 0"), 30, prometheus)
    for what, queries in (("the dashboard", dashboard_queries()), ("the alerts", alert_series())):
        # A scrape that takes longer than a second fails, and until the next one nothing has data.
        empty = lambda: {name: query for name, query in queries.items() if not ask(address, query)}
        if not lab.wait(f"{len(queries)} queries of {what}: each has data", lambda: not empty(), 10, prometheus):
            print(f"# without data: {empty()}")

    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    named = {name for service in compose["services"].values() for name in service.get("depends_on", {})}
    lab.equal("services that others wait for and that do not exist", named - set(compose["services"]), set())
    lab.equal("the roles of the composed services", [compose["services"][name]["environment"]["ROLES"] for name in ("scorer", "page")],
              ["score,sink", "http"])
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    publish = workflow["jobs"]["publish"]
    pushed, = (n for n, step in enumerate(publish["steps"]) if step.get("with", {}).get("push"))
    tags = publish["steps"][pushed]["with"]["tags"].splitlines()
    lab.check("the workflow tests before it publishes latest, version and commit", "test" in publish["needs"] and len(tags) == 3, tags)
    lab.equal("the image is scanned before it is pushed, and signed after", [number < pushed for number, step in enumerate(publish["steps"])
                                                                            if re.search("debsecan|cosign sign", step.get("run", ""))], [True, False])
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    lab.equal("actions are named by commit", [step["uses"] for step in steps if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", "a@" + 40 * "0"))], [])
    lab.equal("no job has a right by default, or keeps its token in the checkout", (workflow["permissions"], [name for name, job in workflow["jobs"].items() if "permissions" not in job],
              [step for step in steps if "checkout" in step.get("uses", "") and step["with"]["persist-credentials"] is not False]), ({}, [], []))
