#!/usr/bin/env python3
"""How long GET /employees, /employees/{id}, /alerts, /groups and /model/quality take, on employees and predictions planted by SQL.
usage: read_api.py [EMPLOYEES [MONTHS]]     100000 employees, 12 predictions of each, TIMES (100) requests of a kind; and what maintain() takes, and 50 readers at once."""
import concurrent.futures
import http.client
import os
import pathlib
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
from lab import Lab  # noqa: E402

TIMES = int(os.environ.get("TIMES", 100))
EMPLOYEES, MONTHS = (int(word) for word in (sys.argv[1:] + ["100000", "12"][len(sys.argv) - 1:]))
COLUMNS = "event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel, " \
          "source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers"
PARTITIONS = """DO $$ DECLARE month timestamptz; BEGIN
    FOR month IN SELECT generate_series(date_trunc('month', now(), 'UTC') - interval '{months} months', date_trunc('month', now(), 'UTC') - interval '1 month', '1 month') LOOP
        EXECUTE format('CREATE TABLE attrition.%I PARTITION OF attrition.predictions FOR VALUES FROM (%L) TO (%L)', 'predictions_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'), month, month + interval '1 month');
    END LOOP; END $$"""
# An employee's attributes follow from the number; the risk moves a little from month to month.
ROW = f"""INSERT INTO attrition.predictions ({COLUMNS}) SELECT 'v-$ago-' || n, 'employee-' || n, at, at, CASE WHEN r >= 0.3 THEN 'Yes' ELSE 'No' END, r, 0.3, ln(r / (1 - r)), -1.6, 9, 'attrition', CASE WHEN $ago > 5 THEN '1' ELSE '2' END,
    'STREAM', 'in', n % 4, $ago * -1000000 + n + 100000000, 'c', 'out', n % 4, $ago * -1000000 + n + 100000000, jsonb_build_object('Age', 20 + n % 43, 'BusinessTravel', 'Travel_Rarely', 'DailyRate', 100 + n % 1400,
    'Department', (ARRAY['Human Resources', 'Research & Development', 'Sales'])[1 + n % 3], 'DistanceFromHome', n % 30, 'Education', 1 + n % 5, 'EducationField', 'Medical', 'EnvironmentSatisfaction', 1 + n % 4, 'Gender',
    (ARRAY['Female', 'Male'])[1 + n % 2], 'HourlyRate', 30 + n % 70, 'JobInvolvement', 1 + n % 4, 'JobLevel', 1 + n % 5, 'JobRole', (ARRAY['Sales Executive', 'Research Scientist', 'Manager', 'Laboratory Technician'])[1 + n / 3 % 4],
    'JobSatisfaction', 1 + (n + $ago) % 4, 'MaritalStatus', 'Married', 'MonthlyIncome', 2000 + n % 17000, 'MonthlyRate', 2000 + n % 25000, 'NumCompaniesWorked', n % 9, 'OverTime', (ARRAY['No', 'Yes'])[1 + (n / 7 + $ago) % 2],
    'PercentSalaryHike', 11 + n % 14, 'PerformanceRating', 3, 'RelationshipSatisfaction', 1 + n % 4, 'StockOptionLevel', n % 4, 'TotalWorkingYears', n % 40, 'TrainingTimesLastYear', n % 6, 'WorkLifeBalance', 1 + n % 4,
    'YearsAtCompany', n % 35, 'YearsInCurrentRole', n % 15, 'YearsSinceLastPromotion', n % 10, 'YearsWithCurrManager', n % 12),
    '[{{"feature": "OverTime", "contribution": 0.9}}, {{"feature": "Age", "contribution": -0.4}}, {{"feature": "JobSatisfaction", "contribution": 0.2}}]', '[]'
    FROM (SELECT n, 0.01 + 0.9 * (abs(sin(n + $ago / 9.0)) ^ 3) AS r, date_trunc('month', now(), 'UTC') - interval '$ago months' + n % 25 * interval '1 day' + n % 86400 * interval '1 second' AS at FROM generate_series(1, $employees) AS n) AS x"""
MORE = """INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions WHERE event_id LIKE 'v-0-%';
    INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
    SELECT 'x-' || n, 'employee-' || n, now() - n % 300 * interval '1 day', 'TERMINATED', 'c', 'outcomes', 0, n, '{}' FROM generate_series(1, $employees, 11) AS n;
    INSERT INTO attrition.alerts (event_id, employee_id, occurred_at, kind, before_prediction, before_probability, before_margin, before_threshold, before_model_name, before_model_version, after_prediction,
        after_probability, after_margin, after_threshold, after_model_name, after_model_version, drivers, model_change, cause, source_topic, source_partition, source_offset, cluster_id, topic, partition, "offset", received_at)
    SELECT 'alert-' || n, 'employee-' || 1 + n % $employees, now(), 'CROSSED_UP', 'No', 0.2, -0.6, 0.3, 'attrition', '1', 'Yes', 0.9, 1.6, 0.3, 'attrition', '1',
        '[{"feature": "OverTime", "before": "No", "after": "Yes", "contribution_before": -0.3, "contribution_after": 0.9}]', 0, 'RECORD', 'in', 0, n, 'c', 'alerts', 0, n, now() - n * interval '10 seconds' FROM generate_series(1, $employees) AS n"""


def sql(lab, url, statement):
    """As long as it takes."""
    return lab.must("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", statement, url, seconds=3600).splitlines()


def plant(lab, url):
    began = time.monotonic()
    sql(lab, url, PARTITIONS.format(months=MONTHS))
    for ago in range(MONTHS - 1, -1, -1):
        sql(lab, url, ROW.replace("$ago", str(ago)).replace("$employees", str(EMPLOYEES)))
    sql(lab, url, MORE.replace("$employees", str(EMPLOYEES)))
    sql(lab, url, "VACUUM ANALYZE")
    size = sql(lab, url, "SELECT pg_size_pretty(pg_database_size(current_database()))")[0]
    print(f"{EMPLOYEES} employees, {EMPLOYEES * MONTHS} predictions, {size}, planted in {time.monotonic() - began:.0f} s", flush=True)


def one(scorer, path, accept):
    client = http.client.HTTPConnection(scorer.http, timeout=60)
    began = time.monotonic()
    client.request("GET", path, headers={"Accept": accept})
    answer = client.getresponse()
    bytes = len(answer.read())
    client.close()
    return answer.status, (time.monotonic() - began) * 1000, bytes


def measure(scorer, name, path, times=TIMES, at_once=1, accept="application/json"):
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda n: one(scorer, path(n), accept), range(times)))
    took = sorted(ms for _, ms, _ in found)
    print(f"{name:34} p50 {took[len(took) // 2]:7.1f} ms  p99 {took[int(len(took) * 0.99)]:7.1f} ms  {found[0][2] / 1024:7.1f} KB  {sorted({status for status, _, _ in found})}", flush=True)


employees = lambda **query: lambda n: "/employees?" + urllib.parse.urlencode({name: str(value).replace("$n", str(n)) for name, value in query.items()})


with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    broker = lab.embedded_broker()
    url = lab.postgres("pg", "-c", "max_wal_size=4GB", "-c", "shared_buffers=512MB")
    plant(lab, url)
    scorer = lab.scorer("scorer", "--roles=http", KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=url, DATABASE_READ_URL=url, DELIVERY="at-least-once")
    lab.ready(scorer)
    began = time.monotonic()
    sql(lab, url, "SELECT attrition.refresh_groups()")
    print(f"groups computed in {time.monotonic() - began:.1f} s", flush=True)
    for part in ("performance", "calibration", "drift", "fairness"):
        began = time.monotonic()
        sql(lab, url, f"SELECT attrition.compute_figures('{part}')")
        print(f"{part} computed in {time.monotonic() - began:.1f} s", flush=True)
    measure(scorer, "/employees, first page, trends", employees(trend="true"))
    measure(scorer, "/employees at risk, 1 (overview)", employees(where="flagged=true", limit=1))
    measure(scorer, "/employees, one department", employees(where="Department=Sales", trend="true"))
    measure(scorer, "/employees, an age", employees(where="Age=30..39", sort="-Age"))
    measure(scorer, "/employees, sorted by income", employees(sort="MonthlyIncome"))
    measure(scorer, "/employees, a search", employees(q="ee-$n"))
    measure(scorer, "/employees, a search for one", employees(q="employee-77$n"))
    measure(scorer, "/employees, CSV of 1000", employees(limit=1000), min(TIMES, 20), accept="text/csv")
    measure(scorer, "/employees/{id}", lambda n: f"/employees/employee-{1 + n * 7}")
    measure(scorer, "/alerts", lambda n: "/alerts?limit=200")
    measure(scorer, "/groups, one attribute", lambda n: "/groups?by=Department")
    measure(scorer, "/groups, two attributes", lambda n: "/groups?by=JobRole,JobLevel")
    measure(scorer, "/model/quality", lambda n: "/model/quality?part=performance")
    measure(scorer, "/employees, 50 readers at once", employees(trend="true"), 4 * TIMES, 50)
