"""`scorer report --month`: the page of a planted month says what was planted, in figures counted here; of an empty month that it is empty; hostile
names stay text; in a real browser it asks for nothing, runs nothing and fits a phone."""
import csv
import datetime
import html
import json
import random
import re
import shutil
import sys

from lab import BIN, Lab, ibm_table
from playwright.sync_api import sync_playwright

HOSTILE = "<script>alert('x')</script>&\"ü😀"
ROW = """INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version,
    channel, source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
    SELECT 'ev' || place, 'e' || person, at, at, CASE WHEN risk >= 0.5 THEN 'Yes' ELSE 'No' END, risk, 0.5, ln(risk / (1 - risk)), 0, 1500, model, version,
    'STREAM', 'in', 0, place, 'c', 'out', 0, place, input, '[]', '[]' FROM public.planted"""


def month_before(day, months):
    count = day.year * 12 + day.month - 1 - months
    return datetime.datetime(count // 12, count % 12 + 1, 1, tzinfo=datetime.timezone.utc)


NOW = datetime.datetime.now(datetime.timezone.utc)
MONTH, COHORT = month_before(NOW, 1), month_before(NOW, 10)
TEXT = f"{MONTH:%Y-%m}"


def people():
    rows = list(csv.DictReader(open(ibm_table(), encoding="utf-8-sig")))
    left_out = ("Attrition", "EmployeeCount", "EmployeeNumber", "Over18", "StandardHours")
    return [{name: int(text) if re.fullmatch(r"-?\d+", text) else text for name, text in row.items() if name not in left_out} for row in rows]


def planted_rows():
    """(person, when, risk, model, version, input): a cohort of ten months ago of whom half of the flagged left; last month's 800, women flagged less
    than half as often as men (by their last score), on the 20th with more than twice the income; 100 of them scored again by a new version."""
    chance, staff, rows = random.Random(3), people(), []
    for person in range(400):
        rows.append((f"old{person}", COHORT + datetime.timedelta(days=3), 0.6 if person % 4 == 0 else 0.1, "attrition", "1", chance.choice(staff)))
    for person in range(800):
        day, who = person // 40, dict(chance.choice(staff), Gender="Female" if person % 2 else "Male")
        if day == 19:
            who["MonthlyIncome"] = int(who["MonthlyIncome"] * 2.2)
        flagged = person % 10 in ((1,) if person % 2 else (0, 2))
        who["JobRole"] = HOSTILE if person % 50 == 0 else who["JobRole"]
        rows.append((person, MONTH + datetime.timedelta(days=day, minutes=person), 0.8 if flagged else 0.15, "attrition", "1", who))
    for person in range(0, 100):
        rows.append((person, MONTH + datetime.timedelta(days=24, minutes=person), 0.7 if person % 4 == 0 else 0.2, HOSTILE, "2", rows[400 + person][5]))
    return rows


def plant(lab, url):
    rows = planted_rows()
    file = lab.dir / "rows.csv"
    with open(file, "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows((place, person, at.isoformat(), risk, model, version, json.dumps(who)) for place, (person, at, risk, model, version, who) in enumerate(rows))
    lab.sql(url, "CREATE TABLE public.planted (place integer, person text, at timestamptz, risk double precision, model text, version text, input jsonb)")
    lab.must("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-c", f"\\copy public.planted FROM '{file}' WITH (FORMAT csv)", url)
    lab.sql(url, ROW)
    reference = next((lab.dir / "mlruns").rglob("drift_reference.json")).read_text().replace("'", "''")
    lab.sql(url, f"SELECT attrition.store_reference('attrition', '1', '{reference}')")
    lab.sql(url, f"""INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
        SELECT 'exit' || n, 'eold' || n, '{COHORT + datetime.timedelta(days=90)}'::timestamptz, 'TERMINATED', 'c', 'outcomes', 0, n, '{{}}'::jsonb FROM generate_series(0, 399, 8) AS n
        UNION ALL SELECT 'exit-now' || n, 'e' || n, '{MONTH + datetime.timedelta(days=27)}', 'TERMINATED', 'c', 'outcomes', 0, 1000 + n, '{{}}' FROM generate_series(700, 706) AS n""")
    lab.sql(url, f"""INSERT INTO attrition.dead_letters (stage, code, field, message, cluster_id, received_at)
        SELECT 'score', 'out_of_range', 'Age', 'm', 'c', '{MONTH + datetime.timedelta(days=5)}'::timestamptz FROM generate_series(1, 9)
        UNION ALL SELECT 'score', 'malformed', NULL, 'm', 'c', '{MONTH + datetime.timedelta(days=6)}' FROM generate_series(1, 2)""")
    lab.sql(url, f"""INSERT INTO attrition.erasures (employee_id, cluster_id, output_topic, output_partition, output_offset, received_at, erased_at, method, predictions, latest_predictions, outcomes, alerts, dead_letters)
        SELECT CASE WHEN n = 4 THEN 'held' END, 'c', 'out', 0, 100000 + n, '{MONTH + datetime.timedelta(days=8)}', CASE WHEN n < 4 THEN '{MONTH + datetime.timedelta(days=8)}'::timestamptz END,
        CASE WHEN n < 4 THEN 'delete' END, CASE WHEN n < 4 THEN 5 END, 1, 0, 0, 0 FROM generate_series(1, 4) AS n""")


def report(lab, url, month, *more, status=0, **env):
    code, out, err = lab.run(BIN / "scorer", "report", "--month", month, *more, env={"DATABASE_URL": url, **env})
    lab.check(f"report of {month} ends with status {status}", code == status, "" if code == status else err)
    return out, err


def row_of(page, first):
    """The cells of the table row that begins so."""
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.S):
        cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
        if cells and cells[0] == first:
            return cells
    return None


def says(lab, page):
    cards = {html.unescape(label): (html.unescape(figure), html.unescape(remark)) for label, figure, remark in
             re.findall(r"<h3>([^<]*)</h3>\n<p class=\"figure\">([^<]*)</p>\n<p class=\"soft\">([^<]*)</p>", page)}
    lab.equal("predictions", cards["Predictions"], ("900", "of 800 people"))
    lab.equal("flagged", cards["Flagged"], (f"{100 * 265 / 900:.1f} %", f"265 predictions; mean risk {(240 * .8 + 560 * .15 + 25 * .7 + 75 * .2) / 900:.3f}"))
    lab.equal("exits, dead letters, requests", (cards["Exits"][0], cards["Dead letters"][0], cards["Requests to erase"]), ("7", "11", ("4", "1 of them not done")))
    lab.equal("latency", cards["Latency"][0], "1.5 ms")
    lab.one_line("drift is found", page, "2 of 31 drifted on at least one day")
    lab.equal("of that attribute, on one day, since then", row_of(page, "MonthlyIncome")[5:], ["1", f"{TEXT}-20"])
    lab.one_line("an unfair group is found", page, "1 of \\d+ below four fifths")
    cells = row_of(page, "Gender: Female")
    lab.equal("with its ratio", (cells[1], cells[2], cells[3][:4], cells[4]), ("400", "17.5 %", "0.42", "Male"))
    lab.equal("the realised cohort", row_of(page, f"{COHORT:%Y-%m}")[1:6], ["1", "400", "90.0", "50", "0.60 (0.50 to 0.70)"])
    lab.equal("its precision, recall and AUC", [row_of(page, f"{COHORT:%Y-%m}")[n] for n in (6, 8, 10)], ["0.50 (0.40 to 0.60)", "1.00", "0.929"])
    lab.equal("the change of model", (row_of(page, f"attrition 1 → {HOSTILE} 2") or [])[1:2], ["100"])
    lab.equal("dead letters by code", row_of(page, "out_of_range")[1:4], ["Age", "score", "9"])
    lab.equal("erasures", (row_of(page, "delete")[1:3], row_of(page, "not done")[1]), (["3", "15"], "1"))
    lab.check("pictures", page.count("<svg") == 6, page.count("<svg"))
    lab.check("hostile names are text", HOSTILE.split("&")[0] not in page and html.escape("<script>") in page and "NaN" not in page and "nan" not in re.findall(r"<svg.*?</svg>", page, re.S)[0])


def in_browser(lab, file, shots):
    path = shutil.which("chromium")
    if not path:
        sys.exit("not ok - there is no chromium: deploy/bootstrap test installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width, scheme in ((1200, "light"), (390, "dark")):
            asked, errors = [], []
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("dialog", lambda dialog: errors.append(dialog.message))
            page.goto(f"file://{file}")
            lab.equal(f"{width} pixels: asks for nothing else, no error", (len(asked), errors), (1, []))
            lab.check(f"{width} pixels: no script", page.locator("script").count() == 0)
            wide = page.evaluate("document.documentElement.scrollWidth")
            lab.check(f"{width} pixels: it fits", wide <= width, wide)
            cut = page.evaluate("""() => [...document.querySelectorAll('svg')].flatMap(svg => { const box = svg.getBoundingClientRect();
                return [...svg.querySelectorAll('text')].filter(text => { const at = text.getBoundingClientRect();
                    return at.left < box.left - 1 || at.right > box.right + 1 || at.bottom > box.bottom + 1; }).map(text => text.textContent); })""")
            lab.equal(f"{width} pixels: texts that a picture's edge cuts", cut, [])
            if shots:
                page.screenshot(path=f"{shots}-{width}.png", full_page=True)
        browser.close()


def refused(lab, url):
    for month, why in (("2026-13", "is no month"), ("26-11", "is no month"), ("2026-11-01", "is no month"), ("x'; DROP", "is no month"), (f"{NOW.year + 1}-01", "has not begun")):
        out, err = report(lab, url, month, status=2)
        lab.check(f"… and says why: {why}", why in err and not out, err.strip()[-120:])
    status, _, err = lab.run(BIN / "scorer", "report", env={"DATABASE_URL": url})
    lab.check("no month is a usage error", status == 2 and "--month" in err, err.strip()[-120:])
    _, err = report(lab, url.replace("attrition?", "nowhere?"), TEXT, status=1)
    lab.check("a database that is not there is said", "PostgreSQL: connecting" in err, err.strip()[-160:])
    lab.sql(url, "CREATE DATABASE bare")
    _, err = report(lab, url.replace("/attrition?", "/bare?"), TEXT, status=1)
    lab.check("so is one that is not migrated", "run sql/migrate" in err, err.strip()[-160:])


def once(lab):
    """What a picture and its table share."""
    asked = [line for line in open(f"{lab.dir}/pg.log", encoding="utf-8", errors="replace") if "execute <unnamed>" in line]
    for view in ("expected_performance AS", "realised_performance AS", "drift_against_training AS", "predicted_against_actual", "scored_days"):
        lab.equal(f"statements that read {view.split()[0]}", sum(f"attrition.{view} " in line for line in asked), 1)


STEPS = """INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version,
    channel, source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
    SELECT 'step' || event, 's' || person, '{month}'::timestamptz + occurred * interval '1 day', '{month}'::timestamptz + scored * interval '1 day', CASE WHEN risk >= 0.5 THEN 'Yes' ELSE 'No' END, risk,
    0.5, ln(risk / (1 - risk)), 0, 9, 'attrition', version, 'STREAM', 'in', 0, event, 'c', 'out', 0, 100000 + row_number() OVER (), '{{}}', '[]', '[]'
    FROM (VALUES {rows}) AS v (event, person, occurred, scored, risk, version)"""


def changes(lab, url):
    """Whose model changed, where events come late, again, or long after the one before."""
    month = month_before(NOW, 3)
    rows = [(1, 1, -60, -60, .2, 1), (2, 1, 2, 2, .5, 2),                   # the one before is of two months before
            (3, 2, 2, 2, .2, 1), (4, 2, 1, 3, .9, 2), (5, 2, 4, 4, .3, 1),  # the other version's came too late to stand
            (6, 3, 2, 2, .2, 1), (7, 3, 1, 3, .9, 2), (8, 3, 4, 4, .4, 2),  # likewise, and then it changed
            (9, 4, 2, 2, .2, 1), (10, 4, 3, 3, .1, 2), (10, 4, 3, 5, .1, 2),  # scored twice
            (11, 5, 2, 2, .7, 2),                                           # nothing before
            (12, 6, 9, -9, .2, 1), (13, 6, 8, 8, .8, 2)]                    # the one before is of a later event
    lab.sql(url, STEPS.format(month=month, rows=", ".join(f"({e}, {p}, {o}, {s}, {r}::double precision, '{v}')" for e, p, o, s, r, v in rows)))
    out, _ = report(lab, url, f"{month:%Y-%m}")
    lab.equal("three people's model changed", row_of(out, "attrition 1 → attrition 2"), ["attrition 1 → attrition 2", "3", "0.1333", "0.2000", "0.5187", "0.0000", "1", "0"])
    lab.check("and nobody's back", row_of(out, "attrition 2 → attrition 1") is None)


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def plan_of(lab, url, query, *options):
    text = lab.sql(url + "&options=" + "%20".join(f"-c%20{option}%3Doff" for option in options), f"EXPLAIN (VERBOSE, FORMAT JSON) {query}")[0][0]
    return list(nodes(json.loads(text)[0]["Plan"]))


def plans(lab, url):
    """What a month's report costs grows no faster than the month: a person's prediction before is one look, and wide columns are not sorted."""
    steps = plan_of(lab, url, "SELECT * FROM attrition.prediction_steps", "enable_sort", "enable_seqscan", "enable_bitmapscan")
    lab.equal("what stood before comes from an index in order of events: sorts", sum(node["Node Type"].endswith("Sort") for node in steps), 0)
    people = plan_of(lab, url, "SELECT cohort, employee_id, input FROM attrition.predicted_against_actual")
    sorted_columns = [column for node in people if node["Node Type"].endswith("Sort") for column in node["Output"]]
    lab.check("a month's rows are sorted without their attributes", sorted_columns and not any("input" in column for column in sorted_columns), sorted_columns)
    counted = plan_of(lab, url, "SELECT cohort, count(*) FROM attrition.predicted_against_actual GROUP BY cohort")
    lab.equal("which are not read where nobody asks for them", [column for node in counted for column in node.get("Output", ()) if "input" in column], [])


def views_of_migration_35(lab, url):
    for view in ("expected_performance", "realised_performance"):
        lab.check(f"{view}: an attribute's value is read once", "OFFSET 0" in lab.sql(url, f"SELECT pg_get_viewdef('attrition.{view}'::regclass)")[0][0])
    bounds = [[node[kind] for node in plan_of(lab, url, f"SELECT * FROM attrition.{view}") for kind in ("Filter", "One-Time Filter", "Join Filter", "Index Cond")
               if "attrition.horizon()" in node.get(kind, "") and "now()" in node[kind]] for view in ("expected_performance", "realised_performance")]
    lab.check("months are bounded by the horizon where performance is realised, there alone", not bounds[0] and bounds[1], bounds)


def others(lab, url):
    out, _ = report(lab, url, "1999-02")
    lab.check("an empty month has a page that says so", "Nothing of 1999-02 is in this database" in out and out.rstrip().endswith("</html>") and "<table" not in out, len(out))
    days = lab.sql(url, f"SELECT count(*), min(day) = '{MONTH}', max(day) < '{month_before(NOW, 0)}' FROM attrition.counted_days")
    lab.equal("the month's days that are over have been counted by the report, and no others", days, [[str((month_before(NOW, 0) - MONTH).days), "t", "t"]])
    lab.sql(url, "TRUNCATE attrition.counted_days, attrition.day_values, attrition.counted_offsets")
    out, _ = report(lab, url + "&options=-c%20default_transaction_read_only%3Don", TEXT)
    lab.one_line("where nothing may be written it is of the rows", out, "2 of 31 drifted on at least one day")
    lab.equal("and nothing is counted", lab.number(url, "SELECT count(*) FROM attrition.counted_days"), 0)
    out, _ = report(lab, url, f"{NOW:%Y-%m}")
    lab.check("this month's says that it is not over", "The month is not over" in out or NOW.day > 27)
    lab.sql(url, f"INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, \"offset\", input) VALUES ('x', 'x', '2001-05-03', 'TERMINATED', 'c', 'o', 0, 5000, '{{}}')")
    out, _ = report(lab, url, "2001-05")
    lab.check("a month of one exit has all sections, without figures", all(part in out for part in ("Fairness", "No predictions.", "Nothing to compare with")) and "Nothing of 2001-05" not in out)
    lab.sql(url, "CREATE ROLE reader LOGIN IN ROLE attrition_analyst")
    _, err = report(lab, url.replace("user=postgres", "user=reader"), TEXT, "--output", lab.dir / "reader.html")
    lab.check("an analyst's rights are enough", (lab.dir / "reader.html").exists() and not err, err[-200:])


with Lab() as lab:
    lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2")
    url = lab.postgres("pg", "-c", "log_statement=all")
    plant(lab, url)
    report(lab, url, TEXT, "--output", lab.dir / "page.html")
    page = (lab.dir / "page.html").read_text()
    says(lab, page)
    once(lab)
    plans(lab, url)
    views_of_migration_35(lab, url)
    in_browser(lab, lab.dir / "page.html", None if len(sys.argv) < 2 else sys.argv[1])
    refused(lab, url)
    others(lab, url)
    changes(lab, url)
