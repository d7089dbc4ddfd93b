"""The database's views: each question of docs/DATABASE.md on data with known answers; schemas of other domains."""
import json
import re
import shutil

from lab import BIN, ROOT, Lab

VIEWS = ("current_employees", "risk_by_group", "movers", "crossings", "employee_history", "outcomes_once", "predicted_against_actual",
         "realised_performance", "expected_performance", "expected_against_realised", "drift_against_training", "impact_ratio", "missed_ratio", "data_quality", "dead_letter_summary", "reviews_of_decisions")
ADDED = "event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel, " \
        "source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers"
# $scored, $risk, $margin, $version, $input of n; offsets grow with `at`.
ROW = f"""INSERT INTO attrition.predictions ({ADDED})
    SELECT $id || '-' || $at, $id, $scored, $scored, CASE WHEN $risk >= 0.5 THEN 'Yes' ELSE 'No' END, $risk, 0.5, $margin, 0, 9, 'attrition', '$version', 'STREAM',
        'in', 0, $at * 10000 + n, 'c', 'out', 0, $at * 10000 + n, $input, '[{{"feature": "OverTime", "contribution": 0.9}}]', '[]'
    FROM generate_series($from, $to) AS n"""
PERSON = """jsonb_build_object('Age', 25 + n / 20 % 30, 'Gender', (ARRAY['Female', 'Male'])[1 + n / 10 % 2], 'Department',
    CASE WHEN n <= 3 THEN 'Human Resources' WHEN n % 3 = 0 THEN 'Sales' ELSE 'Research & Development' END,
    'JobRole', 'Sales Executive', 'JobLevel', 1 + n % 2, 'OverTime', 'No', 'MonthlyIncome', CASE WHEN n % 4 = 0 THEN NULL ELSE 5000 END)"""


def questions():
    text = (ROOT / "docs/DATABASE.md").read_text()
    return dict(re.findall(r"^### `(\w+)`\n.*?```sql\n(.*?)```", text, re.M | re.S))


def every_block():
    return re.findall(r"^```sql\n(.*?)```", (ROOT / "docs/DATABASE.md").read_text(), re.M | re.S)


def insert(lab, url, at, scored, risk, many=(1, 1), id="'e' || n", margin="0", version="1", input=PERSON):
    text = ROW
    for name, value in {"id": id, "at": at, "scored": scored, "risk": risk, "margin": margin, "version": version, "input": input,
                        "from": many[0], "to": many[1]}.items():
        text = re.sub(rf"\${name}\b", lambda _: str(value), text)
    lab.sql(url, text)


def leave(lab, url, employees, days, event="'exit-' || n", received="now()"):
    lab.sql(url, f"""INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input, received_at)
        SELECT {event}, 'e' || n, {COHORT} + interval '{days} days', 'TERMINATED', 'c', 'outcomes', 0, n, '{{}}', {received} FROM {employees}""")


COHORT = "date_trunc('month', now() - interval '10 months', 'UTC') + interval '3 days'"


def plant(lab, url):
    """Ten months ago 3000 people: one in five left after 100 days, half of them flagged, and as many flagged who stayed."""
    for month in range(1, 12):
        lab.sql(url, f"""DO $$ DECLARE m timestamp := date_trunc('month', now() AT TIME ZONE 'UTC' - interval '{month} months'); BEGIN
            EXECUTE format('CREATE TABLE attrition.predictions_%s PARTITION OF attrition.predictions FOR VALUES FROM (%L) TO (%L)', to_char(m, 'YYYY_MM'),
            m AT TIME ZONE 'UTC', (m + interval '1 month') AT TIME ZONE 'UTC'); END $$""")
    insert(lab, url, 1, COHORT, "CASE n % 10 WHEN 0 THEN 0.8 WHEN 5 THEN 0.3 WHEN 1 THEN 0.7 ELSE 0.1 END", (1, 3000))
    exits = "generate_series(5, 3000, 5) AS n"
    leave(lab, url, exits, 100)
    leave(lab, url, "generate_series(5, 250, 5) AS n", 100, "'exit-' || n")                            # stored twice
    leave(lab, url, "generate_series(5, 100, 5) AS n", 90, "'corrected-' || n", "now() + interval '1 minute'")  # a backdated correction
    insert(lab, url, 2, f"{COHORT} + interval '160 days'", "0.2", (1, 10), "'e' || n * 5")                 # rehired …
    leave(lab, url, "generate_series(5, 50, 5) AS n", 175, "'again-' || n")                                # … and left again
    insert(lab, url, 3, "now() - interval '40 days'", "0.2", (1, 1000))
    lab.sql(url, f"UPDATE attrition.predictions SET occurred_at = {COHORT} WHERE event_id LIKE 'e%0-3' OR event_id LIKE 'e%5-3'")  # 200 of them had left
    # Now: 2000 others; women flagged twice as often.
    insert(lab, url, 4, "now()", "CASE WHEN n % 10 < (CASE WHEN n / 10 % 2 = 0 THEN 4 ELSE 2 END) THEN 0.9 ELSE 0.1 END", (1, 2000), "'now-' || n")
    for at, days, risk, margin, version, overtime in ((5, 20, 0.1, -2, 1, "No"), (6, 5, 0.9, 2, 1, "Yes")):
        insert(lab, url, at, f"now() - interval '{days} days'", risk, id="'mover-1'", margin=margin, version=version, input=f"{PERSON} || '{{\"OverTime\": \"{overtime}\"}}'")
    insert(lab, url, 7, "now() - interval '20 days'", 0.5, id="'mover-2'", margin=0)
    insert(lab, url, 8, "now() - interval '5 days'", 0.6, id="'mover-2'", margin=0.4, version=2)
    for at, margin, version in ((9, 0, 1), (10, 0.25, 2)):
        insert(lab, url, at, f"now() - interval '{30 - at} days'", 0.5 + margin, id="'mover-3'", margin=margin, version=version, input=f"{PERSON} || '{{\"Age\": {at + 30}}}'")
    lab.sql(url, """INSERT INTO attrition.alerts (event_id, employee_id, occurred_at, kind, after_prediction, after_probability, after_margin, after_threshold, after_model_name,
        after_model_version, drivers, model_change, cause, source_topic, source_partition, source_offset, cluster_id, topic, partition, "offset") VALUES ('mover-3-10', 'mover-3', now(), 'MOVED',
        'Yes', 0.75, 0.25, 0.5, 'attrition', '2', '[{"feature": "Age", "before": 39, "after": 40, "contribution_before": 0.1, "contribution_after": 0.25}]', 0.125, 'BOTH', 'in', 0, 100001, 'c', 'alerts', 0, 1)""")
    for who, parts in (("mover-4", '{"record": 0.5, "model": 0.25}'), ("mover-5", '{"record": 0.5, "model": 0.125}')):  # the second is of another change
        for at, margin, version in ((12, 0, 1), (13, 0.75, 2)):
            insert(lab, url, at, f"now() - interval '{30 - at} days'", 0.5 + margin / 5, id=f"'{who}'", margin=margin, version=version, input=f"{PERSON} || '{{\"Age\": {at + 30}}}'")
        lab.sql(url, f"UPDATE attrition.predictions SET change = '{parts}' WHERE event_id = '{who}-13'")
    insert(lab, url, 11, "now() - interval '4 days'", 0.9, id="'mover-1'", input=PERSON)  # an event of long ago that is scored late
    lab.sql(url, "UPDATE attrition.predictions SET occurred_at = now() - interval '1 year' WHERE event_id = 'mover-1-11'")
    lab.sql(url, f"""INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions WHERE scored_at > now() - interval '2 hours'
        OR employee_id IN ('e5', 'e10') AND scored_at < {COHORT} + interval '1 day'""")
    lab.sql(url, "SELECT attrition.review('mover-1-6', NULL, 'who knows her?'), attrition.review('mover-1-6', true, 'on parental leave'), attrition.review('mover-4-13', false, 'as it is')")
    lab.sql(url, """INSERT INTO attrition.dead_letters (stage, code, field, message, cluster_id, received_at)
        SELECT 'score', CASE WHEN n < 4 THEN 'missing_required' ELSE 'out_of_range' END, 'Age', 'm', 'c', now() FROM generate_series(1, 10) AS n""")


def found(lab, url):
    lab.equal("one month is old enough to be checked", lab.number(url, "SELECT attrition.check_performance()"), 1)
    ask = {view: lab.sql(url, query) for view, query in questions().items()}
    lab.equal("every view has its question", [view for view in VIEWS if view not in ask], [])
    lab.equal("nobody who has left is current", lab.sql(url, "SELECT count(*), count(*) FILTER (WHERE employee_id LIKE 'e%') FROM attrition.current_employees"), [["2000", "0"]])
    lab.equal("those most at risk are found, with reasons", {(row[1], row[2], row[5]) for row in ask["current_employees"]}, {("0.90", "OverTime", "Sales Executive")})
    lab.equal("… as the table of latest predictions has them", {(row[1], row[2].split("=")[0]) for row in lab.sql(url, every_block()[0])}, {("0.90", "OverTime")})
    reasons = [{"feature": "A", "contribution": 12345.678}, {"feature": "B", "contribution": -1000.125}, {"feature": "C", "contribution": 0.004}]
    lab.equal("why: contributions of any size", lab.sql(url, f"SELECT attrition.why('{json.dumps(reasons)}', '{{\"A\": 7}}')"), [["A=7 (+12345.68), B=missing (-1000.13), C=missing (+0.00)"]])
    lab.equal("columns are typed", lab.sql(url, """SELECT pg_typeof("Age"), pg_typeof("JobRole"), pg_typeof("MonthlyIncome") FROM attrition.current_employees LIMIT 1"""), [["integer", "text", "integer"]])
    groups = {(row[0], row[1]): row[2] for row in lab.sql(url, "SELECT attribute, member, employees FROM attrition.risk_by_group")}
    lab.equal("groups are counted", (groups["Gender", "Female"], groups["Gender", "Male"], groups["JobLevel", "1"]), ("1000", "1000", "1000"))
    lab.check("bands are named", {("Age", name) in groups for name in ("under 30", "30 to 39", "40 to 49", "50 and over")} == {True})
    lab.equal("a group of three and what would give it away are withheld", [member for attribute, member in groups if attribute == "Department"], ["Research & Development"])
    lab.equal("a unit has its view", lab.sql(url, "SELECT department FROM attrition.risk_by_department"), [["Research & Development"]])
    lab.equal("movers are found, and by what", ask["movers"], [["mover-1", "0.80", "4", "0"], ["mover-3", "0.25", "0.125", "0.125"], ["mover-4", "0.15", "0.5", "0.25"], ["mover-5", "0.15", "", ""], ["mover-2", "0.10", "0", "0.4"]])
    lab.equal("a crossing is found", [(row[1], row[2], row[3]) for row in ask["crossings"]], [("mover-1", "No", "Yes")])
    lab.equal("an employee's history", [row[1:] for row in ask["employee_history"]], [["", "", "", "", "0.10", "", ""], ["OverTime", "No", "Yes", "0.10", "0.90", "4.00", "0.00"]])
    lab.equal("an alert's drivers are in it", lab.sql(url, "SELECT attribute, contribution_change FROM attrition.employee_history WHERE employee_id = 'mover-3' AND attribute IS NOT NULL"), [["Age", "0.15"]])
    lab.equal("exits count once per employment", lab.sql(url, "SELECT count(*), count(DISTINCT employee_id), max(employment) FROM attrition.outcomes_once"), [["610", "600", "2"]])
    lab.equal("the correction says when", lab.sql(url, f"SELECT exited_at = {COHORT} + interval '90 days', records FROM attrition.outcomes_once WHERE employee_id = 'e5' AND employment = 1"), [["t", "3"]])
    lab.equal("exits by month are all of them", sum(int(row[1]) for row in ask["outcomes_once"]), 610)
    lab.equal("those who were missed are found", {row[1] for row in ask["predicted_against_actual"]}, {"0.3"})
    figures = lab.sql(url, """SELECT employees, exits, round(expected_exits), precision, recall, auc, round(calibration::numeric, 6), lift, round(precision_low::numeric, 4), round(precision_high::numeric, 4),
        auc_low < auc AND auc < auc_high AND auc_high - auc_low < 0.05 FROM attrition.realised_performance WHERE attribute = 'all'""")
    lab.equal("realised performance", figures, [["3000", "600", "750", "0.5", "0.5", "0.9375", "0.800000", "5", "0.4601", "0.5399", "t"]])
    expected = lab.sql(url, """SELECT employees, round(expected_exits), round(expected_hits), round(precision::numeric, 6), round(recall::numeric, 6), round(auc::numeric, 6), round(lift::numeric, 6),
        round(precision_high::numeric - precision::numeric, 4), is_enough FROM attrition.expected_performance WHERE attribute = 'all' AND cohort = date_trunc('month', now() - interval '10 months', 'UTC')""")
    lab.equal("expected performance", expected, [["3000", "750", "450", "0.750000", "0.600000", "0.806667", "3.200000", "0.0344", "t"]])
    lab.equal("… and that they were contradicted", [row[1:] for row in ask["expected_against_realised"]], [["1", "uncalibrated", "600", "750", "0.938", "0.807"]])
    lab.equal("… by group", [(row[0], row[1]) for row in ask["expected_performance"]], [("Female", "1500"), ("Male", "1500"), ("all", "3000")])
    lab.equal("by group", [(row[0], row[1]) for row in ask["realised_performance"]], [("Female", "1500"), ("Male", "1500"), ("all", "3000")])
    lab.equal("who is there and whose horizon has not passed is censored", lab.sql(url, "SELECT outcome, count(*) FROM attrition.predicted_against_actual WHERE scored_at BETWEEN now() - interval '45 days' AND now() - interval '35 days' GROUP BY 1"), [["censored", "800"]])
    lab.equal("reviews and overrides", ask["reviews_of_decisions"], [["attrition", "1", "1", "1", "0"], ["attrition", "2", "1", "0", "1"]])
    lab.equal("data quality of today", lab.sql(url, """SELECT events - refused > 1000, missing, imputed, refused FROM attrition.data_quality
        WHERE attribute = 'Age' AND day = (SELECT max(day) FROM attrition.data_quality)"""), [["t", "3", "0", "10"]])
    lab.equal("and in all", lab.sql(url, "SELECT sum(events), sum(imputed), sum(refused) FROM attrition.data_quality WHERE attribute = 'MonthlyIncome'"), [["6021", "1502", "0"]])
    lab.equal("the missing attribute is found first", ask["data_quality"][0][0], "MonthlyIncome")
    lab.equal("dead letters by code and field", [(row[1], row[2], row[3]) for row in ask["dead_letter_summary"]], [("out_of_range", "Age", "7"), ("missing_required", "Age", "3")])


def dashboard(lab, url):
    """Grafana's: every query answers, as an analyst, and none names a column of the data."""
    board = json.loads((ROOT / "deploy/grafana/hr.json").read_text())
    queries = {"attribute": board["templating"]["list"][0]["query"], **{panel["title"]: panel["targets"][0]["rawSql"] for panel in board["panels"]}}
    ask = lambda sql: lab.sql(url, "SET ROLE attrition_analyst; " + re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '1 year' AND now()", sql.replace("${attribute}", "Gender")))
    empty = {title for title, sql in queries.items() if not ask(sql)}
    lab.equal(f"of {len(queries)} queries of the dashboard those without an answer: there is no reference to have drifted from", empty, {"Drift against training"})
    names = {row[0] for row in lab.sql(url, "SELECT name FROM attrition.schema_columns")}
    lab.equal("columns of the data that it names", {name for name in names for sql in queries.values() if re.search(rf"\b{name}\b", sql)}, set())


def bias(lab, url):
    planted = lab.sql(url, questions()["impact_ratio"])
    lab.equal("the planted bias is found", [(row[1], row[2], row[4]) for row in planted if row[0] == "Gender"], [("Male", "Female", "0.50")])
    lab.check("with an interval around it", all(float(row[5]) < 0.5 < float(row[6]) < 0.65 for row in planted if row[0] == "Gender"))
    lab.check("and in pairs", {row[1].split(" × ")[1] for row in planted if row[0] == "Age × Gender"} == {"Male"})
    lab.equal("none of one attribute where none was planted", [row for row in planted if row[0] == "Age"], [])
    lab.equal("of those who left no group was missed more often", lab.sql(url, questions()["missed_ratio"]), [])
    lab.sql(url, "UPDATE attrition.predictions SET probability = 0.3 WHERE employee_id LIKE 'e%' AND event_id LIKE '%-1' AND probability = 0.8 AND input ->> 'Gender' = 'Male' AND (input ->> 'Age')::integer % 2 = 0")
    missed = lab.sql(url, questions()["missed_ratio"])
    lab.equal("men who left and were missed are found", [row[1:6] for row in missed if row[0] == "Gender"], [["Male", "Female", "300", "225", "0.50"]])
    lab.sql(url, "UPDATE attrition.latest_predictions SET probability = CASE WHEN substr(event_id, 5, length(event_id) - 6)::integer % 10 < 3 THEN 0.9 ELSE 0.1 END")
    lab.equal("none at all where none was planted", lab.sql(url, questions()["impact_ratio"]), [])
    lab.sql(url, "UPDATE attrition.latest_predictions SET probability = 0.1")
    lab.equal("nor where nobody is flagged", lab.sql(url, "SELECT DISTINCT disparate FROM attrition.impact_ratio"), [[""]])


def pruned(lab, url):
    def touched(query, alias="p"):
        plan = lab.must("psql", "-XqtA", "-c", "SET plan_cache_mode = auto", "-c", f"EXPLAIN (ANALYZE, COSTS OFF) {query}", url)
        lines = [line for line in plan.splitlines() if re.search(rf" on predictions_(\d{{4}}_\d{{2}}|default) {alias}(_\d+)? ", line)]
        return sorted({re.search(r"predictions_(\w+)", line)[1] for line in lines if "never executed" not in line})
    month = lab.sql(url, "SELECT to_char(date_trunc('month', now() - interval '10 months', 'UTC') AT TIME ZONE 'UTC', 'YYYY_MM')")[0][0]
    lab.equal("data_quality reads its days' months", touched(f"SELECT * FROM attrition.data_quality WHERE day = {COHORT}"), [month])
    for view in ("predicted_against_actual", "realised_performance", "expected_performance"):
        lab.equal(f"{view} reads its cohort's month", touched(f"SELECT * FROM attrition.{view} WHERE cohort = date_trunc('month', {COHORT}, 'UTC')", "r"), [month])
    for view in ("movers", "crossings", "employee_history"):
        lab.equal(f"{view} reads its months", touched(f"SELECT * FROM attrition.{view} WHERE scored_at >= {COHORT} AND scored_at < {COHORT} + interval '1 day'"), [month])


def described(lab, url):
    bare = """SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'attrition'::regnamespace AND c.relkind IN ('r', 'p', 'v')
        AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"""
    lab.equal("every column has a comment", lab.sql(url, bare), [])
    mine = url.replace("/attrition?", "/other?")
    lab.sql(url, "CREATE DATABASE other")
    return mine, bare


def schemas_of(lab, name, columns):
    """The shipped schemas with other attributes."""
    place = lab.dir / name
    place.mkdir()
    for file in ("employee_event.avsc", "prediction.avsc"):
        record = json.loads((ROOT / "schemas" / file).read_text())
        field = next(field for field in record["fields"] if field["name"] == "attributes")
        kept = ("name", "type", "default") if file.startswith("pred") else None
        field["type"]["fields"] = [{key: value for key, value in column.items() if not kept or key in kept} for column in columns]
        field["type"].pop("rules", None)
        (place / file).write_text(json.dumps(record))
    (place / "ids.json").write_text(json.dumps({"event": [{"id": 1, "file": "employee_event.avsc"}], "prediction": [{"id": 2, "file": "prediction.avsc"}]}))
    return place


def number(name, **more):
    return {"name": name, "type": ["null", "double"], "default": None, "kind": "numeric", "label": "Loan's \"amount\" \\ :x 😀", "doc": "It's 'quoted'.", **more}


def other_domains(lab, url, bare):
    migrate = lambda place: lab.must(ROOT / "sql/migrate", url, env={"SCHEMAS_DIR": str(place), "SCORER": str(BIN / "scorer")})
    columns = lambda: lab.number(url, "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'attrition' AND table_name = 'current_employees'")
    views = lambda: [row[0] for row in lab.sql(url, "SELECT viewname FROM pg_views WHERE schemaname = 'attrition' AND viewname LIKE 'risk\\_by\\_%' ORDER BY 1")]
    lab.must(ROOT / "sql/migrate", url, env={"SCORER": "none"})
    lab.equal("without the program the view of a department is as it was", views(), ["risk_by_department", "risk_by_group"])
    migrate(schemas_of(lab, "one", [number("Amount")]))
    lab.equal("a schema of one column", (columns(), views()), (14, ["risk_by_group"]))
    lab.equal("no groups, no nonsense", lab.sql(url, "SELECT * FROM attrition.impact_ratio UNION ALL SELECT * FROM attrition.impact_ratio"), [])
    lab.equal("quotes are kept", lab.sql(url, "SELECT label, doc FROM attrition.schema_columns"), [["Loan's \"amount\" \\ :x 😀", "It's 'quoted'."]])
    lab.sql(url, "GRANT SELECT ON attrition.current_employees TO pg_monitor WITH GRANT OPTION")
    purpose = {"name": "Purpose", "type": ["null", "string"], "default": None, "kind": "nominal", "values": ["it's a \"car\"", "home"], "unit": True, "group": True}
    many = [purpose, number("risk"), number("group", group=True, bands=[1.5, 3]), number("N" + "x" * 79)] + [number(f"c{n}") for n in range(296)]
    place = schemas_of(lab, "many", many)
    changed = migrate(place)
    lab.equal("a schema of 300 columns", (columns(), views()), (313, ["risk_by_group", "risk_by_purpose"]))
    lab.check("rights stay", lab.sql(url, "SELECT has_table_privilege('pg_monitor', 'attrition.current_employees', 'SELECT WITH GRANT OPTION')") == [["t"]])
    lab.check("a second run changes nothing", "view" in changed and "view" not in migrate(place))
    row = json.dumps({"Purpose": "it's a \"car\"", "risk": 0.25, "group": 2, "N" + "x" * 79: 7, "c295": 3.5, "c0": "no number"}).replace("'", "''")
    insert(lab, url, 1, "now()", "0.9", (1, 12), input=f"'{row}'::jsonb")
    lab.sql(url, "INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions")
    lab.equal("values are read, whatever their columns' names", lab.sql(url, """SELECT DISTINCT "Purpose", risk, attribute_2, attribute_4, c295, c0 FROM attrition.current_employees"""), [["it's a \"car\"", "0.9", "0.25", "7", "3.5", ""]])
    lab.equal("groups of another domain", lab.sql(url, "SELECT attribute, member, employees FROM attrition.risk_by_group ORDER BY 1"), [["Purpose", "it's a \"car\"", "12"], ["group", "1.5 to under 3", "12"]])
    lab.equal("every column has a comment there too", lab.sql(url, bare), [])
    lab.sql(url, "CREATE VIEW public.mine AS SELECT \"Purpose\" FROM attrition.current_employees")
    status, _, err = lab.run(ROOT / "sql/migrate", url, env={"SCHEMAS_DIR": str(lab.dir / "one"), "SCORER": str(BIN / "scorer")})
    lab.check("a view that stands on one stops the change, by its name", status != 0 and "view public.mine depends on" in err, err[-300:].replace("\n", " "))
    lab.equal("and nothing is changed", (columns(), views()), (313, ["risk_by_group", "risk_by_purpose"]))
    broken = lab.dir / "broken"
    shutil.copytree(lab.dir / "one", broken)
    (broken / "ids.json").write_text("{")
    status, _, err = lab.run(ROOT / "sql/migrate", url, env={"SCHEMAS_DIR": str(broken), "SCORER": str(BIN / "scorer")})
    lab.check("broken schemas are said before anything is applied", status != 0 and "nothing was applied" in err and "ids.json" in err, err.replace("\n", " ")[-200:])


def managed(lab, url):
    """No superuser, no extension: the owner of a database alone."""
    lab.sql(url, "CREATE ROLE plain LOGIN")
    lab.sql(url, "CREATE DATABASE plain OWNER plain")
    mine = url.replace("/attrition?", "/plain?").replace("user=postgres", "user=plain")
    lab.must(ROOT / "sql/migrate", mine, env={"SCORER": str(BIN / "scorer")})
    blocks = every_block()
    lab.check("the document's questions are among its SQL", set(questions().values()) < set(blocks))
    for block in blocks:
        lab.sql(mine, block)
    lab.check(f"the owner of a database alone can run all SQL of the document, {len(blocks)} blocks", True)
    lab.equal("what is to stay for how long is as the document says", lab.sql(mine, "SELECT table_name, jurisdiction, keep FROM attrition.retention ORDER BY 1, 2"),
              [["dead_letters", "*", "90 days"], ["predictions", "*", "4 years"], ["predictions", "DE", "6 mons"]])


with Lab() as lab:
    url = lab.postgres()
    lab.must(ROOT / "sql/migrate", url, env={"SCORER": str(BIN / "scorer")})
    plant(lab, url)
    found(lab, url)
    pruned(lab, url)
    dashboard(lab, url)
    bias(lab, url)
    other_domains(lab, *described(lab, url))
    managed(lab, url)
