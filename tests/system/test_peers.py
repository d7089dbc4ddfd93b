#!/usr/bin/env python3
"""Other people's programs on the same topics, tables and models: kcat, Confluent's Python client with fastavro, psql with
the README's own query, onnxruntime on the file that our trainer wrote."""
import json
import re

from lab import BIN, ROOT, Lab, decode_prediction, encode_event, golden


def event(number, attributes):
    return {"event_id": f"peer-{number}", "event_type": "SNAPSHOT", "employee_id": f"P{number}",
            "occurred_at": 1_700_000_000_000 + number, "attributes": attributes}


def readme_query(marker):
    """The fenced SQL after the line that holds the marker."""
    text = (ROOT / "README.md").read_text()
    found = re.search(re.escape(marker) + r".*?```sql\n(.*?)```", text, re.S)
    return found[1] if found else None


def cases_with_attributes():
    return [json.loads(line) for line in golden("cases.jsonl").read_text().splitlines()]


def onnxruntime_probabilities(path, cases):
    import numpy
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {}
    for tensor in session.get_inputs():
        values = [case["input"].get(tensor.name) for case in cases]
        if "string" in tensor.type:
            column = numpy.array(["" if value is None else str(value) for value in values], dtype=object)
        else:
            kind = numpy.float64 if "double" in tensor.type else numpy.float32
            column = numpy.array([numpy.nan if value is None else value for value in values], dtype=kind)
        feeds[tensor.name] = column.reshape(-1, 1)
    outputs = session.run(None, feeds)
    for output in outputs:
        if isinstance(output, numpy.ndarray) and output.ndim == 2 and output.shape[1] == 2:
            return [float(row[1]) for row in output]
    labels = [sorted(row) for row in outputs[-1]][0]
    return [float(row[labels[-1]]) for row in outputs[-1]]


def check_kcat(lab, kafka, database, scorer, attributes):
    """kcat puts an event made by fastavro, and reads the prediction and its key."""
    path = lab.dir / "event.bin"
    path.write_bytes(encode_event(event(1, attributes)))
    before = scorer.counter("sink_predictions_total")
    lab.must("kcat", "-b", kafka, "-t", "employee-events", "-P", "-k", "P1", path)
    lab.need("an event sent by kcat is scored and stored", lambda: scorer.counter("sink_predictions_total") == before + 1, 30, scorer)
    keys = lab.must("kcat", "-b", kafka, "-t", "attrition-predictions", "-C", "-e", "-q", "-f", "%k %S\\n").split()
    lab.equal("kcat reads the prediction's key", keys[0:1], ["P1"])
    lab.must("kcat", "-b", kafka, "-t", "employee-events", "-P", "-K", ":", "-Z", input="P1:\n")
    lab.need("a null value sent by kcat is an erasure", lambda: lab.number(
        database, "select count(*) from attrition.erasures where receipt = attrition.receipt('P1')") == 1, 30, scorer)
    lab.must("kcat", "-b", kafka, "-t", "employee-events", "-P", "-k", "P1", input="no frame at all")
    lab.need("text sent by kcat is a dead letter", lambda: lab.number(
        database, "select count(*) from attrition.dead_letters where code = 'bad_frame'") == 1, 30, scorer)
    headers = lab.must("kcat", "-b", kafka, "-t", "employee-events-dlq", "-C", "-e", "-q", "-f", "%h\\n")
    lab.one_line("kcat reads the dead letter's headers", headers, "attrition.error.code=bad_frame", "__connect.errors.topic=employee-events")


def check_python(lab, kafka, scorer, cases):
    """Confluent's client with fastavro produces and decodes."""
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    before = scorer.counter("events_scored_total")
    for number, case in enumerate(cases, 1000):
        producer.produce("employee-events", encode_event(event(number, case["input"])), key=f"P{number}")
    lab.equal("Python's messages left undelivered", producer.flush(120), 0)
    lab.need("events encoded by fastavro are scored", lambda: scorer.counter("events_scored_total") == before + len(cases), 60, scorer)
    lab.need("and committed", lambda: scorer.counter("events_in_flight") == 0, 30, scorer)
    found = {}
    for message in lab.consume(kafka, "attrition-predictions"):
        if message.value() is not None:
            prediction = decode_prediction(message.value())
            found[prediction["event_id"]] = (message.key().decode(), prediction)
    pairs = [(case, *found[f"peer-{number}"]) for number, case in enumerate(cases, 1000) if f"peer-{number}" in found]
    lab.equal("predictions decoded by fastavro with schemas/prediction.avsc", len(pairs), len(cases))
    lab.equal("… keys are the employees' ids", sum(key == p["employee_id"] for _, key, p in pairs), len(cases))
    lab.equal("… attributes as they were sent", sum(p["attributes"] == case["input"] for case, _, p in pairs), len(cases))
    lab.check("… margin = base + Σ contributions, of all features", all(abs(p["margin"] - p["base"] - sum(
        r["contribution"] for r in p["reasons"])) < 1e-9 for _, _, p in pairs), f"REASONS=100, {len(pairs)} predictions")
    lab.check("… reasons by magnitude, the largest first", all(
        [abs(r["contribution"]) for r in p["reasons"]] == sorted((abs(r["contribution"]) for r in p["reasons"]), reverse=True) for _, _, p in pairs))
    lab.check("… Yes exactly from the threshold on", all((p["prediction"] == "Yes") == (p["probability"] >= p["threshold"]) for _, _, p in pairs))
    return [p["probability"] for _, _, p in pairs]


def check_onnxruntime(lab, cases, streamed):
    shown = lab.must(BIN / "registry", "show", "attrition")
    path = re.search(r"^file: (.*)$", shown, re.M)[1]
    lines = "".join(json.dumps({"id": case["id"], "attributes": case["input"]}) + "\n" for case in cases)
    answers = [json.loads(line) for line in lab.must(BIN / "scorer", "score", "--unchecked", "--model", path, input=lines).splitlines()]
    lab.equal("answers of scorer score", [len(answers), sum("error" in a for a in answers)], [len(cases), 0])
    theirs = onnxruntime_probabilities(ROOT / path, cases)
    worst = max(abs(a["probability"] - p) for a, p in zip(answers, theirs))
    lab.check("scorer score and onnxruntime agree to 1e-12 on our file", worst <= 1e-12, f"{len(cases)} cases, largest difference {worst:.2g}")
    by_id = {case["id"]: p for case, p in zip(cases, theirs)}
    checked = [case for case in cases if case["kind"] in ("full", "blanked")][:len(streamed)]
    worst = max(abs(by_id[case["id"]] - p) for case, p in zip(checked, streamed))
    lab.check("… and so does the stream", worst <= 1e-12, f"{len(streamed)} events, largest difference {worst:.2g}")


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model(golden("train.csv"))
    cases = cases_with_attributes()
    plain = [case for case in cases if case["kind"] in ("full", "blanked")]
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, REASONS=100)
    lab.ready(scorer)
    check_kcat(lab, kafka, database, scorer, plain[0]["input"])
    streamed = check_python(lab, kafka, scorer, plain)
    check_onnxruntime(lab, cases, streamed)
    lab.need("every prediction has its row, but for the employee who was erased", lambda: lab.number(
        database, "select count(*) from attrition.predictions") == len(plain), 30, scorer)
    query = readme_query("most at risk in Sales")
    lab.check("the README has the query", query is not None)
    rows = lab.sql(database, query)
    lab.check("psql answers who is most at risk in Sales and why", rows and all(len(row) >= 3 and row[-1] for row in rows), rows[:1])
    in_sales = max(p for case, p in zip(plain, streamed) if case["input"]["Department"] == "Sales")
    lab.equal("… the first is the highest of Sales", rows[0][1], f"{100 * in_sales:.1f} %")
    lab.equal("the scorer drains and ends with status 0", scorer.end(), 0)
    lab.audit(scorer)
