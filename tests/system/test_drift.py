"""Drift against training: the reference that training writes into the model file comes into the database with the first predictions of
its version; a planted shift is found, of that attribute and on that day alone, by figures computed here once more; none where none is."""
import bisect
import csv
import json
import math
import random
import re

from lab import BIN, ROOT, Lab, ibm_table

DAYS, PEOPLE = 12, 400
PLANTED = {3: "MonthlyIncome", 5: "Department", 7: "score", 9: "Age"}  # days ago: whose distribution is another


def trained(lab):
    lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--promote")
    return json.loads(next((lab.dir / "mlruns").rglob("drift_reference.json")).read_text())


def reference_in_file(lab, reference):
    import onnx
    model = next((lab.dir / "mlruns").rglob("model.onnx"))
    in_file = {prop.key: prop.value for prop in onnx.load(str(model)).metadata_props}
    lab.check("the model file has the reference of its run", json.loads(in_file["attrition.distributions"]) == reference)
    broken = onnx.load(str(model))
    next(prop for prop in broken.metadata_props if prop.key == "attrition.distributions").value = '{"columns": [{"name": "Age", "kind": "numeric", "bins": [{"low": 9, "count": -1}]}]}'
    onnx.save(broken, str(lab.dir / "broken.onnx"))


def stored(lab, url, reference):
    broker = lab.embedded_broker()
    common = dict(KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=url, DELIVERY="at-least-once", STATE_TOPIC="none")
    lab.must(BIN / "producer", "generate", "--count", 300, "--seed", 5, env={"KAFKA_BOOTSTRAP_SERVERS": broker})
    scorer = lab.scorer("scorer", **common)
    lab.need("predictions and their model's reference are stored", lambda: lab.number(url, "SELECT count(*) FROM attrition.predictions") == 300
             and lab.number(url, "SELECT count(*) FROM attrition.training_references"), 90, scorer)
    lab.equal("as training wrote it", json.loads(lab.sql(url, "SELECT reference FROM attrition.training_references WHERE model_name = 'attrition' AND model_version = '1'")[0][0]) == reference, True)
    lab.equal("each attribute and the score has a row", lab.sql(url, "SELECT count(*), count(*) FILTER (WHERE is_score), min(events), max(events) FROM attrition.drift_against_training"), [["31", "1", "300", "300"]])
    lab.equal("the scorer ends with status 0", scorer.end(), 0)
    lab.must(BIN / "producer", "generate", "--count", 10, "--seed", 6, env={"KAFKA_BOOTSTRAP_SERVERS": broker})
    other = lab.scorer("broken", MODEL_URI=lab.dir / "broken.onnx", **common)
    lab.need("a reference that is none does not stop the records", lambda: lab.number(url, "SELECT count(*) FROM attrition.predictions") == 310, 90, other)
    lab.need("it is said", lambda: "training reference of broken version 0 is not stored" in other.text(), 30, other)
    lab.equal("that scorer ends with status 0", other.end(), 0)
    lab.equal("nothing of it is in the view", lab.sql(url, "SELECT DISTINCT model_name FROM attrition.drift_against_training"), [["attrition"]])
    lab.sql(url, "TRUNCATE attrition.predictions")


def of_scores(reference, chance):
    """A score as the reference has them."""
    bins = reference["score"]["bins"]
    found = chance.choices(bins, [one["count"] for one in bins])[0]
    return found["low"] + (found["high"] - found["low"]) * chance.random()


def value_of(text):
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def plant(lab, url, reference):
    """People of the training table, drawn again each day."""
    chance = random.Random(11)
    names = [column["name"] for column in reference["columns"]]
    people = [{name: value_of(row[name]) for name in names} for row in csv.DictReader(open(ibm_table(), encoding="utf-8-sig"))]
    days = {}
    for ago in range(1, DAYS + 1):
        for n in range(PEOPLE):
            person, score = dict(chance.choice(people)), of_scores(reference, chance)
            if PLANTED.get(ago) == "MonthlyIncome":
                person["MonthlyIncome"] = int(person["MonthlyIncome"] * 1.6)
            if PLANTED.get(ago) == "Department":
                person["Department"] = "Sales" if n % 3 else "Research & Development"
            if PLANTED.get(ago) == "score":
                score = math.sqrt(score)
            if PLANTED.get(ago) == "Age" and n % 5 < 2:
                person["Age"] = None
            days.setdefault(ago, []).append((person, score))
    rows = lab.dir / "rows.tsv"
    rows.write_text("".join(f"{ago}\t{n}\t{score!r}\t{json.dumps(person)}\n" for ago, found in days.items() for n, (person, score) in enumerate(found)))
    lab.sql(url, "CREATE TABLE public.planted (ago integer, n integer, score double precision, input jsonb)")
    lab.must("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", f"\\copy public.planted FROM '{rows}'", url)
    lab.sql(url, """INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version,
        channel, source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
        SELECT ago || '-' || n, 'e' || n, now(), date_trunc('day', now(), 'UTC') - ago * interval '1 day' + n * interval '1 minute', 'No', score, 0.5, 0, 0, 9, 'attrition', '1',
        'STREAM', 'in', 0, ago * 1000 + n, 'c', 'out', 0, ago * 1000 + n, input, '[]', '[]' FROM public.planted""")
    return days


def index_of(column, values):
    """PSI, once more."""
    bins = column.get("bins") or column["categories"]
    counts, live = [column["missing"]["count"]] + [one["count"] for one in bins] + [0], [0] * (len(bins) + 2)
    for value in values:
        if value is None:
            place = 0
        elif "bins" in column:
            place = max(1, bisect.bisect_right([one["low"] for one in bins], value))
        else:
            place = next((n for n, one in enumerate(bins, 1) if one["value"] == value), len(bins) + 1)
        live[place] += 1
    kept = [(count, times) for count, times in zip(counts, live) if count or times]
    share = lambda n, total: (n + 0.5) / (total + len(kept) / 2)
    pairs = [(share(times, sum(live)), share(count, sum(counts))) for count, times in kept]
    return sum((a - e) * math.log(a / e) for a, e in pairs)


def question():
    return re.search(r"^### `drift_against_training`\n.*?```sql\n(.*?)```", (ROOT / "docs/DATABASE.md").read_text(), re.M | re.S)[1]


def found(lab, url, reference, days):
    day = "date_trunc('day', now(), 'UTC') - {} * interval '1 day'"
    ago = "(extract(epoch FROM date_trunc('day', now(), 'UTC') - day) / 86400)::integer"
    rows = lab.sql(url, f"SELECT {ago}, attribute, psi, distance, has_drifted, missing_share, psi_by_chance FROM attrition.drift_against_training")
    lab.equal("days and attributes", len(rows), DAYS * 31)
    lab.equal("what was planted is found, on its day alone", {(int(row[0]), row[1]) for row in rows if row[4] == "t"}, set(PLANTED.items()))
    figures = {(int(row[0]), row[1]): row for row in rows}
    columns = {column["name"]: column for column in reference["columns"]} | {"score": reference["score"]}
    worst = max(abs(index_of(columns[name], [score if name == "score" else person[name] for person, score in days[at]]) - float(row[2])) for (at, name), row in figures.items())
    lab.check("each index is as computed here", worst < 1e-9, f"{worst:.2g}")
    most = max(float(row[2]) for key, row in figures.items() if PLANTED.get(key[0]) != key[1])
    lab.check("the largest of the others is small", most < 0.12, most)
    moved = 0.6 * sum(int(row["MonthlyIncome"]) for row in csv.DictReader(open(ibm_table(), encoding="utf-8-sig"))) / 1470 / columns["MonthlyIncome"]["deviation"]
    distance = float(figures[3, "MonthlyIncome"][3])
    lab.check("the distance is the mean change in standard deviations", abs(distance - moved) < 0.15, f"{distance:.3f}, planted {moved:.3f}")
    most = max((float(row[3]), key) for key, row in figures.items() if row[3] and PLANTED.get(key[0]) != key[1])
    lab.check("small where nothing was planted", most[0] < 0.3, most)
    lab.equal("missing values are counted", float(figures[9, "Age"][5]), 0.4)
    lab.equal("a category has no distance", {figures[at, "Gender"][3] for at in days}, {""})
    lab.equal("the question of the documents", {row[1] for row in lab.sql(url, question())} <= set(PLANTED.values()), True)
    lab.equal("one day's rows are read", days_read(lab, url, f"WHERE day = {day.format(3)}"), 1)


def figures(lab, url):
    return lab.sql(url, "SELECT day, model_version, attribute, is_score, events, round(psi::numeric, 12), round(psi_by_chance::numeric, 12), round(distance::numeric, 12), missing_share, "
                   "training_missing_share, has_drifted FROM attrition.drift_against_training ORDER BY day, attribute, is_score, model_name, model_version")


def days_read(lab, url, where=""):
    plan = lab.must("psql", "-XqtA", "-c", f"EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM attrition.drift_against_training {where}", url)
    return sum(int(loops) for loops in re.findall(r"Function Scan on values_of_rows .*?loops=(\d+)", plan))


def quality_read(lab, url):
    plan = lab.must("psql", "-XqtA", "-c", "EXPLAIN (ANALYZE, COSTS OFF) SELECT * FROM attrition.data_quality", url)
    return sum(int(rows) * int(loops) for rows, loops in re.findall(r" on predictions_\w+ p\w* .*?\(actual .*? rows=(\d+) loops=(\d+)", plan))


DAY_AGO = "date_trunc('day', now(), 'UTC') - {} * interval '1 day'"


def store_late(lab, url, ago, **other):
    """The day's rows once more, as later records."""
    columns = ", ".join(f"{name} = '{value}'" for name, value in {"output_offset": 0, **other}.items()).replace("output_offset = '0'", "output_offset = output_offset + 1000000")
    lab.sql(url, f"""CREATE TABLE public.late AS SELECT * FROM public.kept WHERE event_id LIKE '{ago}-%'; UPDATE public.late SET {columns};
        INSERT INTO attrition.predictions SELECT * FROM public.late; DROP TABLE public.late""")


def furthest(lab, url, reference, query, events):
    """How far the indices that the query gives are from those of these events."""
    columns = {column["name"]: column for column in reference["columns"]} | ({"score": reference["score"]} if "score" in reference else {})
    rows = lab.sql(url, query)
    lab.equal("each attribute has an index", {row[0] for row in rows}, set(columns))
    return max(abs(index_of(columns[name], [score if name == "score" else person[name] for person, score in events]) - float(psi)) for name, psi in rows)


def counted(lab, url, reference, days):
    """A day that is over is counted once; then its figures are those of its rows, whatever becomes of the rows."""
    quality = "SELECT * FROM attrition.data_quality ORDER BY day, attribute"
    from_rows, of_data = figures(lab, url), lab.sql(url, quality)
    number = lab.number(url, "SELECT attrition.count_days()")
    lab.check("days are counted", number >= DAYS, number)
    lab.check("the same figures", figures(lab, url) == from_rows)
    lab.check("the same quality of data", lab.sql(url, quality) == of_data)
    lab.equal("and of rows today's alone are read", (days_read(lab, url), quality_read(lab, url)), (1, 0))
    lab.equal("nothing is counted again", lab.number(url, "SELECT attrition.count_days()"), 0)
    lab.sql(url, "CREATE TABLE public.kept AS SELECT * FROM attrition.predictions; SELECT attrition.erase_employee('e' || n) FROM generate_series(0, 9) AS n")
    lab.sql(url, "SELECT attrition.count_days()")
    lab.check("an erasure leaves the figures", figures(lab, url) == from_rows)
    lab.sql(url, "INSERT INTO attrition.predictions SELECT * FROM public.kept WHERE event_id LIKE '2-%'")
    lab.sql(url, "SELECT attrition.count_days()")
    lab.check("records that are stored again are not counted again", figures(lab, url) == from_rows)
    store_late(lab, url, 2)
    lab.sql(url, "SELECT attrition.count_days()")
    events = lambda ago: {int(row[0]) for row in lab.sql(url, f"SELECT events FROM attrition.drift_against_training WHERE day = date_trunc('day', now(), 'UTC') - {ago} * interval '1 day'")}
    lab.equal("rows that were stored late are added to all that were counted", (events(2), events(3)), ({2 * PEOPLE}, {PEOPLE}))
    far = furthest(lab, url, reference, f"SELECT attribute, psi FROM attrition.drift_against_training WHERE day = {DAY_AGO.format(2)}", days[2] * 2)
    lab.check("their index is that of both", far < 1e-9, f"{far:.2g}")
    other = json.loads(json.dumps(reference))
    other["columns"] = [column for column in other["columns"] if column["name"] != "Age"]
    store = lambda text: lab.sql(url, "SELECT attrition.store_reference('attrition', '1', '{}')".format(json.dumps(text).replace("'", "''")))
    store(other)
    lab.check("another reference has the rows read again", days_read(lab, url) > 1 and {row[2] for row in figures(lab, url)} == {column["name"] for column in other["columns"]} | {"score"})
    store(reference)
    lab.sql(url, "SELECT attrition.count_days()")
    lab.equal("and counted again", (days_read(lab, url), events(3)), (1, {PEOPLE - 10}))
    lab.sql(url, "UPDATE attrition.settings SET value = '401' WHERE name = 'minimum_group'; TRUNCATE attrition.day_values, attrition.counted_days; SELECT attrition.count_days()")
    lab.equal("of few events there is no more than how many", {(row[0], row[1]) for row in lab.sql(url, "SELECT count(*) FILTER (WHERE psi IS NULL), count(*) FILTER (WHERE psi IS NOT NULL) FROM attrition.day_values GROUP BY day")},
              {("31", "0"), ("0", "31")})
    lab.sql(url, """UPDATE attrition.settings SET value = '5' WHERE name = 'minimum_group'; TRUNCATE attrition.day_values, attrition.counted_days, attrition.predictions;
        INSERT INTO attrition.predictions SELECT * FROM public.kept""")


LOAN = {"columns": [
    {"name": "Amount €", "kind": "numeric", "missing": {"count": 1}, "deviation": 10.0, "quantiles": [5.0, 15.0], "bins": [{"low": 0, "count": 60}, {"low": 10, "count": 39}]},
    {"name": "the 'purpose'", "kind": "nominal", "missing": {"count": 0}, "categories": [{"value": "car", "count": 50}, {"value": "house", "count": 50}]}]}


def merged(lab, url, reference, days):
    """Bins of days add up: of several days, of another version on a counted day, of another domain; and where migration 27 has counted."""
    text = lambda value: json.dumps(value).replace("'", "''")
    lab.sql(url, f"SELECT attrition.store_reference('attrition', '2', '{text(reference)}'), attrition.store_reference('loans', '1', '{text(LOAN)}')")
    lab.equal("an analyst may have days counted", lab.number(url, "SET ROLE attrition_analyst; SELECT attrition.count_due_days()") >= DAYS, True)
    before = figures(lab, url)
    span = f"attrition.drift_between({DAY_AGO.format(6)}, {DAY_AGO.format(3)})"
    events = days[6] + days[5] + days[4]
    far = furthest(lab, url, reference, f"SELECT attribute, psi FROM {span}", events)
    lab.check("the index of three days is that of their events", far < 1e-9, f"{far:.2g}")
    lab.equal("their events", lab.sql(url, f"SELECT DISTINCT days, events FROM {span}"), [["3", str(3 * PEOPLE)]])
    store_late(lab, url, 4, model_version="2")
    store_late(lab, url, 5, model_name="loans", input=text({"Amount €": 12.5, "the 'purpose'": "boat"}), cluster_id="other")
    lab.sql(url, "SELECT attrition.count_days()")
    now = figures(lab, url)
    lab.check("the first version's figures stay", [row for row in now if row[1] == "1" and row[4] == str(PEOPLE) and row in before] == before)
    lab.equal("the second's are those of the same rows", [row[2:] for row in now if row[1] == "2"], [row[2:] for row in before if row[0] == next(r[0] for r in now if r[1] == "2")])
    far = furthest(lab, url, LOAN, f"SELECT attribute, psi FROM {span} WHERE model_name = 'loans'", [({"Amount €": 12.5, "the 'purpose'": "boat"}, 0)] * PEOPLE)
    lab.check("another domain's index", far < 1e-9, f"{far:.2g}")
    lab.equal("today's rows alone are read", (days_read(lab, url), quality_read(lab, url)), (1, 0))
    lab.sql(url, "UPDATE attrition.day_values SET bins = NULL; TRUNCATE attrition.counted_offsets; SELECT attrition.erase_employee('e3')")
    lab.sql(url, f"DELETE FROM attrition.predictions WHERE event_id LIKE '7-%' AND source_offset % 2 = 0; SELECT attrition.count_days({DAY_AGO.format(DAYS)})")
    lab.check("days that migration 27 counted keep their figures", figures(lab, url) == now)
    lab.sql(url, "SELECT attrition.store_reference('attrition', '1', reference) FROM attrition.training_references WHERE model_name = 'attrition' AND model_version = '2'")
    lab.sql(url, """TRUNCATE attrition.day_values, attrition.counted_days, attrition.counted_offsets, attrition.predictions;
        INSERT INTO attrition.predictions SELECT * FROM public.kept""")


def few(lab, url):
    """Chance alone raises nothing."""
    lab.sql(url, "DELETE FROM attrition.predictions WHERE source_offset % 1000 >= 12")
    rows = lab.sql(url, "SELECT count(*) FILTER (WHERE psi > 0.25), count(*) FILTER (WHERE has_drifted) FROM attrition.drift_against_training")[0]
    lab.check("with 12 people a day indices are large by chance, and nothing is said to drift that was not planted", int(rows[0]) > 50 and int(rows[1]) <= len(PLANTED), rows)


def strange(lab, url):
    """Values that the training table did not have, or that are of another kind, are a bin of their own."""
    lab.sql(url, """UPDATE attrition.predictions SET input = input || '{"Department": "Sales & \\"Söhne\\" 😀", "Age": "old", "OverTime": 3, "Unknown": 1}'""")
    rows = lab.sql(url, "SELECT DISTINCT attribute, psi > 2 FROM attrition.drift_against_training WHERE attribute IN ('Department', 'Age', 'OverTime', 'Unknown') ORDER BY 1")
    lab.equal("another kind of value", rows, [["Age", "t"], ["Department", "t"], ["OverTime", "t"]])
    for bad in ('{}', '[]', '{"columns": []}', '{"columns": [{"name": "x", "kind": "nominal", "categories": []}]}', '{"columns": [{"name": "x", "kind": "numeric", "bins": [{"low": "a", "count": 1}]}]}',
                '{"columns": [{"name": "x", "kind": "numeric", "bins": [{"low": 2, "count": 1}, {"low": 1, "count": 1}], "quantiles": []}]}'):
        status, _, err = lab.run("psql", "-Xqt", "-v", "ON_ERROR_STOP=1", "-c", f"SELECT attrition.store_reference('m', '1', '{bad}')", url)
        lab.check(f"refused: {bad[:50]}", status != 0 and "ERROR" in err, err.splitlines()[0] if err else "")


with Lab() as lab:
    url = lab.postgres()
    reference = trained(lab)
    reference_in_file(lab, reference)
    stored(lab, url, reference)
    days = plant(lab, url, reference)
    found(lab, url, reference, days)
    counted(lab, url, reference, days)
    merged(lab, url, reference, days)
    few(lab, url)
    strange(lab, url)
