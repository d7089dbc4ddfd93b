#!/usr/bin/env python3
"""What GET /employees costs PostgreSQL among 20,000 employees, by the plans it logs: a page is read from an index that has its order and
goes no further than the page. And what pages hold while rows change under them."""
import json
import re
import threading
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from lab import Lab

EMPLOYEES = 20000
ROWS = """INSERT INTO attrition.latest_predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel,
    source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
    SELECT 'v-' || n, 'e' || n, timestamptz '2026-01-01' + n % 5000 * interval '1.000001 seconds', timestamptz '2026-02-01' + n % 7000 * interval '1.000001 seconds', 'No', round(abs(sin(n))::numeric, 2), 0.5, 0, 0, 9,
        'attrition', '1', 'STREAM', 'in', 0, n, 'c', 'out', 0, n, jsonb_build_object('Age', CASE WHEN n % 7 > 0 THEN 20 + n % 40 END, 'Department', CASE WHEN n % 11 > 0 THEN
        (ARRAY['Human Resources', 'Research & Development', 'Sales'])[1 + n % 3] END, 'DailyRate', n % 1400, 'MonthlyIncome', n), '[{"feature": "Age", "contribution": 0.9}]', '[]' FROM generate_series(1, $employees) AS n;
    ANALYZE attrition.latest_predictions"""
ID = 'employee_id COLLATE "C"'
AGE = "(input ->> 'Age')::float8"
DEPARTMENT = "input ->> 'Department' COLLATE \"C\""
ALWAYS = {"risk": f"probability DESC, {ID} DESC", "-risk": f"probability, {ID}", "employee_id": ID, "-employee_id": f"{ID} DESC", "scored_at": f"scored_at, {ID}", "-scored_at": f"scored_at DESC, {ID} DESC"}
ON_DEMAND = {"occurred_at": f"occurred_at, {ID}", "-occurred_at": f"occurred_at DESC, {ID} DESC", "Age": f"{AGE} NULLS LAST, {ID}", "-Age": f"{AGE} DESC NULLS LAST, {ID} DESC",
             "Department": f"{DEPARTMENT} NULLS LAST, {ID}", "-Department": f"{DEPARTMENT} DESC NULLS LAST, {ID} DESC"}


def page_of(scorer, **parameters):
    with urllib.request.urlopen(f"http://{scorer.http}/employees?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
        return json.loads(answer.read())


def walk(scorer, **parameters):
    """Ids of all pages, in order."""
    page = page_of(scorer, **parameters)
    ids = [employee["employee_id"] for employee in page["employees"]]
    while page["next"]:
        page = page_of(scorer, **parameters, cursor=page["next"])
        ids += [employee["employee_id"] for employee in page["employees"]]
    return ids


def plans_of(lab, act):
    """The plans of the statements that ask for a page while `act` runs."""
    log = lab.dir / "pg.log"
    before = log.stat().st_size
    act()
    with log.open("rb") as file:
        file.seek(before)
        return [plan for plan in re.split(r"^\S+ \S+ \S+ \[\d+\] ", file.read().decode(), flags=re.M) if "plan:" in plan and "WITH p AS" in plan]


def scanned(plan):
    """Rows that the scans for the page have looked at, and whether it was sorted."""
    page = plan.split("CTE p", 1)[1].split("->  Nested Loop")[0]
    page = page[:page.index("\n          ->") if "\n          ->" in page else len(page)]
    rows = [int(rows) for rows in re.findall(r" on latest_predictions l(?:_\d+)? .*actual .*?rows=(\d+)", page)]
    return sum(rows) + sum(int(rows) for rows in re.findall(r"Rows Removed by Filter: (\d+)", page)), "Sort Key" in page


def read_pages(lab, scorer, what, most, **parameters):
    def pages():
        page_of(scorer, **parameters, cursor=page_of(scorer, **parameters)["next"])
    found = [scanned(plan) for plan in plans_of(lab, pages)]
    lab.check(f"{what}: the first page and the next look at {most} rows at most, and sort none", len(found) == 2 and all(0 < rows <= most and not is_sorted for rows, is_sorted in found), found)


def orders(lab, scorer, url, sorts):
    for sort, order in sorts.items():
        found = walk(scorer, limit=1000, sort=sort)
        lab.check(f"sort={sort}: everybody once, in order", found == [row[0] for row in lab.sql(url, f"SELECT employee_id FROM attrition.latest_predictions ORDER BY {order}")], len(found))


def changing(lab, scorer, url):
    """One employee in ten changes all the time. Each other is on one page once, in order."""
    changes = threading.Event()
    def change():
        turn = 0
        while not changes.is_set():
            turn += 1
            lab.sql(url, f"UPDATE attrition.latest_predictions SET probability = abs(sin(source_offset + {turn})), scored_at = scored_at + interval '1 second', input = input || jsonb_build_object('Age', {20 + turn % 40}) WHERE source_offset % 10 = 0 AND source_offset % 4 = {turn % 2 * 2}")
    pool = ThreadPoolExecutor(1)
    changing = pool.submit(change)
    try:
        for sort in ("risk", "-scored_at", "Age", "-Department"):
            order = (ALWAYS | ON_DEMAND)[sort]
            found = [id for id in walk(scorer, limit=1000, sort=sort) if int(id[1:]) % 10]
            wanted = [row[0] for row in lab.sql(url, f"SELECT employee_id FROM attrition.latest_predictions WHERE source_offset % 10 > 0 ORDER BY {order}")]
            lab.check(f"sort={sort} while rows change: each other once, in order", found == wanted, (len(found), len(wanted)))
    finally:
        changes.set()
    changing.result()  # its error, if it had one
    lab.check("rows did change", lab.number(url, "SELECT count(*) FROM attrition.latest_predictions WHERE probability::numeric <> round(probability::numeric, 2)") > 0)


with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    broker = lab.embedded_broker()
    url = lab.postgres("pg", "-c", "session_preload_libraries=auto_explain", "-c", "auto_explain.log_min_duration=0", "-c", "auto_explain.log_analyze=on", "-c", "log_line_prefix=%m [%p] ")
    lab.sql(url, ROWS.replace("$employees", str(EMPLOYEES)))
    lab.sql(url, "VACUUM attrition.latest_predictions")
    scorer = lab.scorer("scorer", "--roles=http", KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=url, DELIVERY="at-least-once")
    lab.ready(scorer)
    for sort in ALWAYS:
        read_pages(lab, scorer, f"sort={sort}", 51, sort=sort)
    read_pages(lab, scorer, "those flagged", 51, where="flagged=true")
    read_pages(lab, scorer, "with trends", 51, trend="true")
    read_pages(lab, scorer, "one department", 400, where="Department=Sales")
    read_pages(lab, scorer, "a search", 600, q="E1")
    for name in ("occurred_at", "Age", "Department"):
        lab.sql(url, f"SELECT attrition.index_sort('{name}')")
    for sort in ON_DEMAND:
        read_pages(lab, scorer, f"sort={sort}, once index_sort was asked for it", 51, sort=sort)
    status, _, words = lab.run("psql", "-Xqc", "SELECT attrition.index_sort('Agee')", url)
    lab.check("index_sort of no attribute is refused, and says where the names are", status and "Agee is no attribute" in words and "schema_columns" in words, words[:200])
    orders(lab, scorer, url, ALWAYS | ON_DEMAND)
    changing(lab, scorer, url)
