#!/usr/bin/env python3
"""`producer rescore` on a real Kafka: a new model is promoted and everyone has one prediction of it; who left or was erased meanwhile stays
gone; filters; a run that is killed; and `backfill --partial`, whose rows it finds in the records."""
import json
import re
import signal
import subprocess
import time

from lab import BIN, TOPICS, Lab, decode_prediction, encode_event
from confluent_kafka import Producer  # after lab, which goes on in the tests' own environment
from current_records import NAMES, alerts_of

STATE, PEOPLE = "attrition-state", 300


def predictions(lab, kafka, prefix=""):
    found = [decode_prediction(message.value()) for message in lab.consume(kafka, TOPICS[1]) if message.value() is not None]
    return [prediction for prediction in found if prediction["event_id"].startswith(prefix)]


def runs(found):
    """By run: the employees that it has had scored again, each as often as it was."""
    by_run = {}
    for prediction in found:
        by_run.setdefault(prediction["event_id"].split("/")[1], []).append(prediction["employee_id"])
    return by_run


def summary(out):
    line = next((line for line in out.splitlines() if line.startswith("Events:  ")), "")
    return {name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+)", line)}


def state_of(lab, kafka):
    """Employees with a current record, and whom the topic knows only as gone."""
    keys = {}
    for message in lab.consume(kafka, STATE):
        if message.key() != b"\x01position":
            keys[message.key().decode()] = message.value()
    return keys


def send(kafka, events):
    """(key, event or None)…, at once."""
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "linger.ms": 5})
    for key, event in events:
        producer.produce(TOPICS[0], key=key, value=event and encode_event(event))
    assert producer.flush(120) == 0


def event(employee, kind, at, changed=None, **attributes):
    return {"event_id": f"{kind}-{employee}", "event_type": kind, "employee_id": employee, "occurred_at": at, "changed": changed,
            "attributes": {**dict.fromkeys(NAMES), **attributes}}


def rescore(lab, *arguments):
    status, out, err = lab.run(BIN / "producer", "rescore", *arguments)
    return status, summary(out), out + err


def check_backfills(lab, table, partial):
    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", table)
    lab.equal("whole records: exit status, scored", (status, summary(out).get("scored")), (0, PEOPLE))
    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", "--partial", partial)
    lab.equal("--partial: exit status, scored, dead letters", (status, summary(out).get("scored"), summary(out).get("dead letters")), (0, 50, 0))
    nobody = lab.dir / "nobody.csv"
    nobody.write_text("Age,OverTime\n41,Yes\n")
    status, out, err = lab.run(BIN / "producer", "backfill", nobody)
    lab.equal("rows without ids while records are kept: exit status", status, 1)
    lab.one_line("rows without ids: the message", err, "nobody.csv:2: column employee_id", "missing_required", "--no-ids")
    status, out, err = lab.run(BIN / "producer", "backfill", "--dry-run", "--no-ids", nobody)
    lab.equal("--no-ids: exit status", status, 0)
    status, out, err = lab.run(BIN / "producer", "backfill", "--partial", "--event-type", "HIRED", partial)
    lab.equal("--partial with another type: exit status", status, 2)


def check_usage(lab):
    for arguments, says in ((("--where", "OverTime=Perhaps"), "not one of its categories"), (("--where", "EmployeeNumber=1"), "no such attribute"),
                            (("--where", "OverTime"), "FIELD=VALUE"), (("--scored-before", "soon"), "a time such as"),
                            (("--state-topic", "none"), "nobody to score again"), (("people.csv",), "takes no arguments")):
        status, out, err = lab.run(BIN / "producer", "rescore", *arguments)
        lab.check(f"usage: {' '.join(arguments)}", status == 2 and says in err, err.strip())
    status, out, err = lab.run(BIN / "producer", "rescore", "--state-topic", "nothing")
    lab.check("a topic that is not there: status 1, what to do", status == 1 and "no topic nothing of current records" in err, err.strip())


def check_new_model(lab, kafka):
    status, found, text = rescore(lab, "--wait")
    lab.equal("everyone: exit status, sent, scored, ignored, unaccounted for", (status, *(found.get(n) for n in ("sent", "scored", "ignored", "unaccounted for"))),
              (0, PEOPLE, PEOPLE, 0, 0))
    again = predictions(lab, kafka, "rescore/")
    lab.equal("one new prediction each, of the new model", (len(again), len({p["employee_id"] for p in again}), {p["model"]["version"] for p in again}), (PEOPLE, PEOPLE, {"2"}))
    latest = {p["employee_id"]: p for p in predictions(lab, kafka) if not p["event_id"].startswith("rescore/")}
    wrong = [p["employee_id"] for p in again if (p["attributes"], p["occurred_at"]) != (latest[p["employee_id"]]["attributes"], latest[p["employee_id"]]["occurred_at"])]
    lab.equal("with the record's attributes and time", wrong, [])
    lab.check("partial rows among them", sum(latest[p["employee_id"]]["event_id"] == p["event_id"] for p in again) == 0)
    lab.equal("event ids", [p["event_id"] for p in again if not re.fullmatch(r"rescore/\d{8}T\d{9}Z/[0-3]-\d+", p["event_id"])], [])


def check_alerts(lab, kafka, database):
    """Who was said to be at risk before the run and is not now, or the other way, has one alert; nobody's record has changed."""
    found = predictions(lab, kafka)
    before = [p for p in found if not p["event_id"].startswith("rescore/")]
    again = {p["employee_id"]: p for p in found if p["event_id"].startswith("rescore/")}
    said = {p["employee_id"]: p["prediction"] for p in reversed(before)}  # the first one's
    last = {p["employee_id"]: p for p in before}
    alerts = alerts_of(lab, kafka)
    said.update({a["employee_id"]: a["after"]["prediction"] for a in alerts if not a["event_id"].startswith("rescore/")})
    mine = [a for a in alerts if a["event_id"].startswith("rescore/")]
    crossed = sorted(who for who, p in again.items() if said[who] != p["prediction"])
    kinds = {a["employee_id"]: a["kind"] for a in mine}
    lab.equal("alerts: who crosses has one, nobody has two", (len(crossed) > 3, [who for who in crossed if kinds.get(who) != f"CROSSED_{'UP' if said[who] == 'No' else 'DOWN'}"],
              sorted(who for who, kind in kinds.items() if kind != "MOVED") == crossed, len(kinds)), (True, [], True, len(mine)))
    lab.equal("alerts: the model alone is their cause", {(a["cause"], str(a["drivers"]), a["before"]["model"]["version"], a["after"]["model"]["version"]) for a in mine}, {("MODEL", "[]", "1", "2")})
    margins = lambda side: {name: side[name] for name in ("prediction", "probability", "margin", "threshold")}
    lab.equal("alerts: before and after are the predictions", [a["employee_id"] for a in mine if (margins(a["before"]), margins(a["after"])) != (
        margins(last[a["employee_id"]]), margins(again[a["employee_id"]]))], [])
    worst = max(abs(a["model_change"] - (a["after"]["margin"] - a["before"]["margin"])) for a in mine)
    lab.check("alerts: the model's change is that of the margin", worst <= 1e-12 and all(a["model_change"] for a in mine), f"{len(mine)} alerts, {len(crossed)} crossed; worst {worst:.2g}")
    lab.wait("alerts: each has a row", lambda: lab.number(database, "SELECT count(*) FROM attrition.alerts_once WHERE cause = 'MODEL'") == len(mine))


def check_latest(lab, what, database, gone, count):
    listed = ", ".join(f"'{who}'" for who in gone)
    found = lambda: lab.sql(database, f"""SELECT count(*), count(*) FILTER (WHERE employee_id IN ({listed})), count(*) FILTER (WHERE model_version <> '2')
        FROM attrition.latest_predictions""")[0]
    lab.wait(f"{what}: latest_predictions holds the others, nobody of these, all of the new model", lambda: found() == [str(count), "0", "0"])


def check_filters(lab, partial):
    """The partial file has set OverTime, which the records show."""
    wanted = [line.split(",") for line in partial.read_text().splitlines()[1:]]
    status, found, text = rescore(lab, "--dry-run", "--where", "OverTime=Yes", "--where", "JobLevel=5", "--where", "JobLevel=4")
    lab.check("filters: a dry run counts", status == 0 and re.search(r"would be sent (\d+)", text), text.strip()[-300:])
    count = int(re.search(r"would be sent (\d+)", text).group(1))
    lab.check("filters: OverTime=Yes of two levels are some of them", 0 < count < PEOPLE / 2, count)
    status, found, text = rescore(lab, "--dry-run", "--where", "HourlyRate=")
    lab.equal("filters: an empty value finds whoever has none", int(re.search(r"would be sent (\d+)", text).group(1)), sum(rate == "" for _, _, rate in wanted))
    status, found, text = rescore(lab, "--dry-run", "--scored-before", "1h")
    lab.equal("filters: nobody was scored an hour ago", int(re.search(r"would be sent (\d+)", text).group(1)), 0)


def check_gone(lab, kafka, database, start_scorer):
    """The scorer is down: what is sent now comes before the run's events, and is not in the records that the run reads."""
    start = time.time()
    left, erased, changed, hired = (sorted(state_of(lab, kafka))[n:n + 5] for n in (0, 5, 10, 15))
    send(kafka, [(p, event(p, "TERMINATED", int(start * 1000))) for p in left] + [(p, None) for p in erased]
         + [(p, event(p, "CHANGED", int(start * 1000), ["Age"], Age=55)) for p in changed]
         + [(p, event(p, "TERMINATED", int(start * 1000))) for p in hired] + [(p, event(p, "HIRED", int(start * 1000) + 1, Age=33)) for p in hired])
    run = subprocess.Popen([BIN / "producer", "rescore", "--wait"], env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run.stdout.readline()  # all is sent
    scorer = start_scorer()
    out, err = run.communicate(timeout=300)
    found = summary(out)
    lab.equal("gone meanwhile: exit status, sent, scored, ignored, dead letters", (run.returncode, *(found.get(n) for n in ("sent", "scored", "ignored", "dead letters"))),
              (0, PEOPLE, PEOPLE - 10, 10, 0))
    name = re.search(r"as run (\S+)", err).group(1)
    mine = {p["employee_id"]: p for p in predictions(lab, kafka, f"rescore/{name}/")}
    lab.equal("who has left or was erased has no prediction", [p for p in left + erased if p in mine], [])
    lab.equal("whoever changed meanwhile is scored as he is now", [(mine[p]["attributes"]["Age"], int(mine[p]["occurred_at"].timestamp() * 1000)) for p in changed], [(55, int(start * 1000))] * 5)
    lab.equal("whoever was hired again, too", [mine[p]["attributes"]["Age"] for p in hired], [33] * 5)
    state = state_of(lab, kafka)
    lab.equal("and the records hold no erased one", [p for p in erased if state[p] is not None], [])
    check_latest(lab, "gone meanwhile", database, left + erased, PEOPLE - 10)
    lab.equal("gone meanwhile: no alert either", [a["event_id"] for a in alerts_of(lab, kafka) if a["event_id"].startswith(f"rescore/{name}/") and a["employee_id"] in left + erased], [])
    return scorer


def check_leavers(lab, kafka, database):
    left = [p for p, value in sorted(state_of(lab, kafka).items()) if value is not None][20:30]
    send(kafka, [(p, event(p, "TERMINATED", int(time.time() * 1000))) for p in left])
    lab.wait("terminations are outcomes", lambda: len(lab.consume(kafka, TOPICS[3])) >= 20)
    status, found, text = rescore(lab, "--wait")
    lab.equal("who has left is not asked for: exit status, sent, scored", (status, found.get("sent"), found.get("scored")), (0, PEOPLE - 20, PEOPLE - 20))
    check_latest(lab, "left since", database, left, PEOPLE - 20)


def check_killed(lab, kafka):
    """What a run had scored stays, and the next one has everyone scored; or, by time, the rest alone."""
    began = len(predictions(lab, kafka, "rescore/"))
    run = subprocess.Popen([BIN / "producer", "rescore", "--rate", "8"], env=lab.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = run.stderr.readline()
    lab.wait("a slow run is on its way", lambda: len(predictions(lab, kafka, "rescore/")) > began + 20)
    run.send_signal(signal.SIGKILL)
    run.wait()
    name = re.search(r"as run (\S+)", log + run.stderr.read()).group(1)
    since = f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:{name[11:13]}:{name[13:15]}.{name[15:18]}Z"
    lab.wait("nothing of it is under way", lambda: len(predictions(lab, kafka, f"rescore/{name}/")) == sent(lab, kafka, name))
    done = len(runs(predictions(lab, kafka, "rescore/"))[name])
    status, found, text = rescore(lab, "--wait", "--scored-before", since)
    lab.equal("after kill -9, by time: the rest alone", (status, found.get("sent"), found.get("scored")), (0, PEOPLE - 20 - done, PEOPLE - 20 - done))
    lab.check("and the log says that a run was stopped", "a rescore before this one was stopped after" in text, text[:300])
    by_run = runs(predictions(lab, kafka, "rescore/"))
    last = sorted(by_run)[-1]
    lab.equal("together everyone once", (len(set(by_run[name]) & set(by_run[last])), len(by_run[name] + by_run[last])), (0, PEOPLE - 20))


def sent(lab, kafka, name):
    """How many events of this run are committed to the input, which holds the id in its frame's first field."""
    return sum(f"rescore/{name}/".encode() in (message.value() or b"") for message in lab.consume(kafka, TOPICS[0]))


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    lab.env.update(KAFKA_BOOTSTRAP_SERVERS=kafka, STATE_TOPIC=STATE)
    lab.run(BIN / "scorer", "check", "--create-topics")
    table = lab.employees(PEOPLE)
    header, *rows = (line.split(",") for line in table.read_text().splitlines())
    columns = [header.index(name) for name in ("EmployeeNumber", "OverTime")]
    partial = lab.dir / "partial.csv"
    partial.write_text("EmployeeNumber,OverTime,HourlyRate\n" + "".join(f"{row[columns[0]]},{'No' if row[columns[1]] == 'Yes' else 'Yes'},{n % 3 or ''}\n" for n, row in enumerate(rows[:50])))

    def start():
        start.count = getattr(start, "count", 0) + 1
        return lab.scorer(f"scorer-{start.count}", ROLES="score,sink,http", DATABASE_URL=database, MODEL_POLL_INTERVAL="100ms", KAFKA_AUTO_OFFSET_RESET="earliest", INSTANCE_ID="one",
                          KAFKA_SESSION_TIMEOUT_MS=60000)
    scorer = start()
    lab.ready(scorer)
    check_usage(lab)
    check_backfills(lab, table, partial)
    lab.model(lab.employees(1500, 7))
    lab.wait("version 2 is in use", lambda: json.loads(scorer.get("/health")[1]).get("model", {}).get("version") == "2")
    check_new_model(lab, kafka)
    check_alerts(lab, kafka, database)
    check_filters(lab, partial)
    scorer.end()
    scorer = check_gone(lab, kafka, database, start)
    check_leavers(lab, kafka, database)
    check_killed(lab, kafka)
    lab.audit(scorer)
