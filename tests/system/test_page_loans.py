#!/usr/bin/env python3
"""A service of another domain, from end to end: the schema of a bank's loans, a model trained on a table of loans, events through
Kafka into PostgreSQL, and every page: its words are the schema's, no word is of employment, and each number is one that the
service's own answers hold."""
import csv
import datetime
import io
import json
import math
import random
import re
import shutil
import time
import urllib.error
import urllib.request

from browser import Visit, launch
from lab import BIN, ROOT, Lab
from playwright.sync_api import sync_playwright

WORDS = {"one": "borrower", "many": "borrowers", "group": "branch", "groups": "branches", "event": "default", "events": "defaults", "risk": "default risk"}
BRANCHES, PURPOSES, GRADES = ["North", "South", "Harbour"], ["car", "home", "studies"], ["A", "B", "C", "D", "E"]
OTHER_DOMAIN = re.compile(r"\b(employ\w*|attrition\w*|departments?|salar\w+|hire[sd]?|teams?|staff\w*|exits?|leavers?|has left|jobs?|overtime|turnover|workforce|colleagues?|hr)\b", re.I)
CONTRACT = {"employee_id", "employees"}  # names that every schema's answers have
TOPICS = {"INPUT_TOPIC": "loan-events", "OUTPUT_TOPIC": "loan-predictions", "DLQ_TOPIC": "loan-events-dlq", "OUTCOME_TOPIC": "loan-outcomes", "STATE_TOPIC": "loan-records", "ALERT_TOPIC": "loan-alerts"}
PAGES = ("overview", "people", "people?where=Branch%3DNorth&sort=-Amount", "person/L1", "person/L9", "person/nobody", "teams", "teams?by=Branch,Income", "what-if", "what-if?id=L1", "stream", "dead-letters", "model", "nowhere")
COUNT = 900


def column(name, kind, label, type="double", **more):
    return {"name": name, "type": ["null", type], "default": None, "kind": kind, "label": label, "doc": f"{label}, as the application has it.", "section": "Loan", **more}


COLUMNS = [column("Amount", "numeric", "Amount", range=[100, 1000000]), column("Rate", "numeric", "Interest rate in percent", range=[0, 40]), column("Months", "numeric", "Months to run", "int", range=[1, 480]),
           column("Income", "numeric", "Income a year", range=[0, 10000000], section="Borrower", group=True, bands=[30000, 60000]), column("Late", "numeric", "Late payments last year", "int", range=[0, 12], section="Borrower"),
           column("Purpose", "nominal", "Purpose", "string", values=PURPOSES), column("Branch", "nominal", "Branch", "string", values=BRANCHES, unit=True), column("Grade", "ordinal", "Grade", "int", range=[1, 5], value_labels=GRADES, unit=True)]


def write_schemas(place):
    """The shipped envelopes with the columns, label and words of loans."""
    shutil.copytree(ROOT / "schemas", place)
    (place / "ids.json").write_text(json.dumps({kind: [rows[-1]] for kind, rows in json.loads((place / "ids.json").read_text()).items() if kind != "doc"}))
    (place / "samples.json").write_text(json.dumps([{"name": "A car, 12,000 over 4 years", "attributes": {"Amount": 12000, "Rate": 7.5, "Months": 48, "Income": 41000, "Late": 1, "Purpose": "car", "Branch": "South", "Grade": 3}}]))
    for name in ("employee_event", "prediction", "employee_state", "alert"):
        text = (place / f"{name}.avsc").read_text().replace('"symbols": ["No", "Yes"]', '"symbols": ["repaid", "defaulted"]')
        schema = json.loads(text)
        for field in schema["fields"] if name != "alert" else ():
            types = field["type"] if isinstance(field["type"], list) else [field["type"]]
            for attributes in (type for type in types if field["name"] == "attributes" and isinstance(type, dict)):
                attributes["fields"] = COLUMNS if name == "employee_event" else [{key: column[key] for key in ("name", "type", "default")} for column in COLUMNS]
                if name == "employee_event":
                    attributes.update(target={"name": "Outcome", "label": "Outcome", "values": ["repaid", "defaulted"]}, id={"name": "LoanNumber"}, words=WORDS, rules=[], ignored=[])
        (place / f"{name}.avsc").write_text(json.dumps(schema))
    return place


def loan(chance, n):
    income = round(chance.lognormvariate(10.6, 0.5))
    return {"LoanNumber": f"L{n}", "Amount": round(chance.lognormvariate(9.5, 0.8)) + 100, "Rate": round(chance.uniform(2, 18), 2), "Months": chance.choice([12, 24, 48, 60, 120]), "Income": income if n % 11 else "",
            "Late": chance.choice([0, 0, 0, 1, 2, 4]), "Purpose": chance.choice(PURPOSES), "Branch": BRANCHES[n % 3], "Grade": chance.randint(1, 5)}


def outcome(chance, row):
    margin = -3.2 + 0.7 * row["Late"] + 0.35 * row["Grade"] + 0.5 * (row["Amount"] > 20000) + (0.4 if row["Branch"] == "Harbour" else 0)
    return "defaulted" if chance.random() < 1 / (1 + math.exp(-margin)) else "repaid"


def write_table(path, rows):
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def send(lab, url):
    """Two events of each of the first twenty, one of all others; one that is refused, and one loan that defaulted."""
    chance = random.Random(2)
    at = lambda days: (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [{**loan(chance, n), "occurred_at": at(40), "event_type": "SNAPSHOT"} for n in range(1, COUNT + 1)]
    rows[0].update(Late=0, Grade=1, Amount=5000, Branch="North")
    worse = [{**row, "Late": 9, "Grade": 5, "occurred_at": at(2), "event_type": "CHANGED"} for row in rows[:20]]
    lost = [{**rows[8], "occurred_at": at(1), "event_type": "TERMINATED"}]
    wrong = [{**rows[9], "Rate": 99, "occurred_at": at(1), "event_type": "CHANGED"}]
    for name, part in (("first", rows), ("then", worse), ("last", lost + wrong)):
        lab.must(BIN / "producer", "backfill", write_table(lab.dir / f"{name}.csv", part), "--no-validate")
        stored = "SELECT (SELECT count(*) FROM attrition.predictions) + (SELECT count(*) FROM attrition.outcomes) + (SELECT count(*) FROM attrition.dead_letters)"
        wanted = {"first": COUNT, "then": COUNT + 20, "last": COUNT + 22}[name]
        lab.need(f"{name}: stored", lambda: lab.number(url, stored) == wanted, 90)


EVERY_TEXT = """() => [document.title, ...[...document.querySelectorAll("body *")].flatMap((node) => [
    ...[...node.childNodes].filter((child) => child.nodeType === 3 && !node.closest("script, style, noscript, template")).map((child) => child.data),
    ...["aria-label", "title", "placeholder", "alt"].map((name) => node.getAttribute(name))])].filter((text) => text && text.trim())"""
NO_NUMBER = re.compile(r"\b(NaN|undefined|null|Infinity|\[object|\d+\.\d{5,})")


def walk(lab, visit):
    """Every page; its texts, seen and unseen."""
    texts = {}
    for number, name in enumerate(PAGES):
        visit.open(f"?{number}#/{name}")  # a load of its own
        visit.page.wait_for_selector("main h1")
        if name.startswith("what-if"):
            visit.page.wait_for_selector("#result-body:not([hidden])")
        visit.settled()
        texts[name] = visit.page.evaluate(EVERY_TEXT)
        visit.picture(f"loans-{re.sub('[^a-z0-9]+', '-', name.lower())}")
        lab.equal(f"{name}: no word of employment", sorted({text for text in texts[name] if OTHER_DOMAIN.search(text.replace("employee_id", ""))}), [])
        lab.equal(f"{name}: no number that is none", [text for text in texts[name] if NO_NUMBER.search(text)], [])
    return {name: "\n".join(parts) for name, parts in texts.items()}


def get(scorer, path, accept="application/json", tries=10):
    request = urllib.request.Request(f"http://{scorer.http}{path}", headers={"Accept": accept, "X-Purpose": "a test"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            text = answer.read().decode()
            return json.loads(text) if accept == "application/json" else text
    except urllib.error.HTTPError as refused:
        if refused.code != 503 or not tries:
            raise
        time.sleep(int(refused.headers["Retry-After"]))  # PostgreSQL has not answered within 8 s, or computes yet
        return get(scorer, path, accept, tries - 1)


def numbers(lab, scorer, texts):
    """What the pages say against the service's answers."""
    shown = lambda value, digits=0: f"{round(value, digits):,}".replace(".0", "") if digits else f"{math.floor(value + 0.5):,}"
    flagged = get(scorer, "/employees?where=flagged=true&limit=1")["total"]
    everybody = get(scorer, "/employees?limit=1")["total"]
    groups = get(scorer, "/groups?by=Branch")
    lab.check("how many are at risk", 0 < flagged < everybody and f"{flagged:,}\nborrowers at risk now" in texts["overview"], f"{flagged} of {everybody}")
    lab.check("all are listed but the loan that defaulted", everybody == COUNT - 1 and f"{everybody:,} borrowers" in texts["people"], everybody)
    lab.equal("each branch with its size and what is expected", [group["members"]["Branch"] for group in groups["groups"] if f"\n{group['members']['Branch']}\n{group['employees']:,}\n{group['expected_exits']:,}\n" not in texts["teams"]], [])
    lab.check("the expected defaults are their sum", f"{sum(group['expected_exits'] for group in groups['groups']):,}\nexpected defaults in" in texts["overview"])
    one = get(scorer, "/employees/L1")
    lab.check("a borrower: the risk, and what moved it", all(part in texts["person/L1"] for part in (f"{shown(100 * one['risk'], 1)} %", "Late payments last year: 0 → 9", "Grade: A → E")) and one["flagged"], texts["person/L1"][:500])
    lab.check("alerts by kind, in words", re.search(r"now at risk\n[1-9]", texts["stream"]) and "CROSSED_UP" not in texts["stream"])
    lab.check("the form with the present record says the same", f"Default risk {shown(100 * one['risk'], 1)} %: at risk" in texts["what-if?id=L1"])
    lab.check("one that defaulted has no page of a current borrower", "no longer a current borrower" in texts["person/L9"])
    lab.check("the dead letter", "out_of_range" in texts["dead-letters"] and "Rate" in texts["dead-letters"])
    lab.check("its own words", all(word in "\n".join(texts.values()) for word in ("Borrowers", "Branches", "Default risk", "Interest rate in percent", "expected defaults")))


def answers(lab, scorer):
    """What programs read: names are the contract's, texts are of no domain."""
    found = []

    def look(value, path):
        if isinstance(value, dict):
            for key, child in value.items():
                look(child, f"{path}/{key}")
        elif isinstance(value, list):
            for child in value:
                look(child, path)
        elif isinstance(value, str) and path.rsplit("/", 1)[-1] in ("summary", "description", "detail", "text", "doc", "label", "message") and OTHER_DOMAIN.search(re.sub(r"\b(employee_id|attrition-scorer)\b", "", value)):
            found.append(f"{path}: {value}")

    look(get(scorer, "/openapi.json"), "openapi")
    for path in ("/schema", "/stream", "/health", "/model", "/model/quality?part=drift", "/model/quality?part=performance", "/employees?limit=3", "/alerts", "/dead-letters"):
        look(get(scorer, path), path)
    lab.equal("texts of the API are of no domain", found, [])
    docs = re.sub(r"<(code|pre|summary|h2|dt)[ >].*?</\1>|<td>(employee_id|employees)</td>", " ", get(scorer, "/docs", "text/html"), flags=re.S)
    lab.equal("nor are those of /docs", [match[0] for match in OTHER_DOMAIN.finditer(re.sub(r"<[^>]*>|employee_id|/employees\S*|Employee(Page|History)", " ", docs))], [])
    for path in ("/employees", "/groups?by=Branch", "/alerts"):
        heads = next(csv.reader(io.StringIO(get(scorer, path, "text/csv"))))
        lab.equal(f"CSV of {path}: columns' names", [head for head in heads if head not in CONTRACT | {"expected_exits", "realised_exits"} and OTHER_DOMAIN.search(head.replace("_", " "))], [])
    alerts = get(scorer, "/alerts")["alerts"]
    lab.equal("alerts have the label of loans", sorted({alert["after"]["decision"] for alert in alerts}), ["defaulted"])


with Lab() as lab, sync_playwright() as playwright:
    url = lab.postgres()
    lab.env.update(TOPICS, SCHEMAS_DIR=str(write_schemas(lab.dir / "schemas")), MODEL_NAME="loans", MLFLOW_EXPERIMENT_NAME="loans", MODEL_URI="models:/loans@production", GROUP_ID="loans", SCORER=str(BIN / "scorer"))
    lab.must(ROOT / "sql/migrate", url)
    chance = random.Random(1)
    table = [{**row, "Outcome": outcome(chance, row)} for row in (loan(chance, n) for n in range(3000))]
    lab.model(write_table(lab.dir / "table.csv", table))
    lab.must(BIN / "trainer", "train", lab.dir / "table.csv", "--model", "random-forest")
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = lab.kafka(topics=[topic for name, topic in TOPICS.items()])
    scorer = lab.scorer("scorer", "--roles=score,sink,http", DATABASE_URL=url, DATABASE_READ_URL=url)
    lab.ready(scorer, 90)
    send(lab, url)
    browser = launch(playwright)
    for path in ("/groups?by=Branch", "/groups?by=Branch,Income", "/model/quality?part=drift", "/model/quality?part=performance"):
        get(scorer, path)  # so that the pages show no figures that are being computed
    visit = Visit(browser, scorer, purpose="a test")
    numbers(lab, scorer, walk(lab, visit))
    answers(lab, scorer)
    lab.equal("no script failed", visit.errors, [])
    visit.close()
    lab.audit(scorer)
    browser.close()
