#!/usr/bin/env python3
"""What is left of a person after an erasure. A script that has all of the person's records from Kafka searches every table and view for anything in
them, and joins what is pseudonymised with every other table; Kafka itself after compaction and retention; legal holds; who may erase; upgrades from every earlier version with a person in place."""
import json
import os
import re

from lab import ROOT, TOPICS, Lab, decode_prediction, encode_event
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

STATE = os.environ.get("STATE_TOPIC") or "attrition-scorer-state"
EMPLOYEES, VICTIM = 60, 7
NAME = f"person-{VICTIM}"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def event(employee, number, kind="SNAPSHOT", **more):
    attributes = {**EMPTY, "Age": 20 + number % 40, "Department": "Sales", "OverTime": "Yes", "MonthlyIncome": 3000 + number % 997, "JobRole": "Sales Executive", **more}
    return encode_event({"event_id": f"{employee}-event-{number}", "event_type": kind, "employee_id": employee,
                         "occurred_at": 1_700_000_000_123 + 7_919 * number, "attributes": attributes})


def send(kafka, records):
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True})
    for key, value in records:
        producer.produce("employee-events", key=key, value=value, headers={"traceparent": TRACE.replace("4736", key[-2:].rjust(4, "0").replace("-", "0"))})
        producer.poll(0)
    producer.flush(30)


def run_scorer(lab, name, **settings):
    scorer = lab.scorer(name, "--exit-at-end", **settings)
    lab.need(f"{name}: everything is done", lambda: not scorer.alive(), 90, scorer)
    lab.equal(f"{name}: ends with status 0", scorer.popen.poll(), 0)
    return scorer


def relations_of(lab, database, kinds):
    return [row[0] for row in lab.sql(database, "select c.relname from pg_class c where c.relnamespace = 'attrition'::regnamespace "
                                      f"and c.relkind = any (string_to_array('{kinds}', null)) and not c.relispartition order by 1")]


def dump(lab, database, kinds="rpv"):
    """Every row of every table and view as JSON."""
    rows = []
    for table in relations_of(lab, database, kinds):
        rows += [(table, row[0]) for row in lab.sql(database, f"select to_jsonb(t) from attrition.{table} t")]
    return rows


def marks_of(lab, kafka):
    """What the person's records in Kafka hold that could be known again: name, ids, trace, exact times and numbers; and their places."""
    marks = {NAME, TRACE.replace("4736", NAME[-2:].rjust(4, "0").replace("-", "0")).split("-")[1], NAME.encode().hex()}
    places = set()
    for topic in (*TOPICS, "attrition-alerts"):
        for message in lab.consume(kafka, topic):
            if message.key() == NAME.encode() and message.value() is not None:
                places.add((topic, message.partition(), message.offset()))
                if topic == "attrition-predictions":
                    found = decode_prediction(message.value())
                    marks |= {found["event_id"], repr(found["margin"]), repr(found["probability"])}
    return marks, places


def places_of(row):
    """(topic, partition, offset) by which a row could be joined with Kafka."""
    return {(row.get(f"{name[:-9]}topic"), value, row.get(f"{name[:-9]}offset")) for name, value in row.items() if name.endswith("partition")}


def check_search(lab, database, marks, places):
    rows = dump(lab, database)
    found = [(table, mark) for table, row in rows for mark in marks if mark in row]
    lab.equal(f"none of {len(marks)} marks is in any of {len(rows)} rows of {len(relations_of(lab, database, 'rpv'))} tables and views", found, [])
    lab.equal(f"nor does any lead to one of {len(places)} places", [(table, place) for table, row in rows for place in places_of(json.loads(row)) & places], [])
    lab.check("… which the rows of others do", any(places_of(json.loads(row)) & {(topic, partition, offset + 1) for topic, partition, offset in places} for _, row in rows))
    export = lab.sql(database, f"select attrition.export_employee('{NAME}')")[0][0]
    lab.check("the export has the receipt alone", [name for name, rows in json.loads(export).items() if rows and name not in ("employee_id", "exported_at")] == ["erasures"]
              and not any(mark in export for mark in marks - {NAME}), export)
    pseudonyms = [json.loads(row) for table, row in rows if table == "predictions" and json.loads(row)["employee_id"] is None]
    lab.equal("two rows of the person are left, without place, trace and values", [
        {name: row[name] for name in ("source_offset", "source_topic", "output_topic", "output_partition", "output_offset", "traceparent", "input", "reasons")} for row in pseudonyms],
        2 * [{"source_offset": None, "source_topic": None, "output_topic": None, "output_partition": None, "output_offset": None, "traceparent": None, "input": {}, "reasons": []}])
    others = [json.loads(row) for table, row in dump(lab, database, "rp") if table != "predictions" or json.loads(row)["employee_id"] is not None]
    exact = {value for row in others for name, value in row.items() if isinstance(value, (str, float)) and re.search("_at$|margin|probability|event_id", name)}
    joined = [(name, value) for row in pseudonyms for name, value in row.items() if re.search("_at$|margin|probability|event_id", name) and value in exact]
    lab.equal("what is left of the person joins with no other row by time, number or id", joined, [])
    lab.check("times are days and months", all("T00:00:00" in row["scored_at"] and re.match(r"\d{4}-\d\d-01T00:00:00", row["occurred_at"]) for row in pseudonyms), pseudonyms)


def check_person(lab, kafka, database, settings):
    everyone = [f"person-{n}" for n in range(EMPLOYEES)]
    send(kafka, [(name, event(name, number * 100 + n)) for number in (1, 2) for n, name in enumerate(everyone)])
    send(kafka, [(NAME, b"no frame"), (NAME, event(NAME, 900, "TERMINATED"))])
    run_scorer(lab, "before", **settings)
    of = lambda table: lab.number(database, f"select count(*) from attrition.{table} where employee_id = '{NAME}'")
    lab.check("the person is in every table", min(of("predictions"), of("outcomes"), of("alerts")) > 0)
    decision = lab.sql(database, f"select event_id from attrition.predictions where employee_id = '{NAME}' limit 1")[0][0]
    lab.sql(database, f"set role attrition_eraser; select attrition.review('{decision}', true, '{NAME} was asked')")
    export = json.loads(lab.sql(database, f"select attrition.export_employee('{NAME}')")[0][0])
    lab.equal("the export has all rows", [len(export[part]) for part in ("predictions", "outcomes", "alerts", "dead_letters", "erasures", "reviews")],
              [of("predictions"), of("outcomes"), of("alerts"), 1, 0, 1])
    statistics = lambda: lab.sql(database, "select model_version, predictions, round(share_at_risk, 9), round(mean_probability::numeric, 4) from attrition.model_usage")
    before = statistics()
    marks, places = marks_of(lab, kafka)
    lab.check("there is something to search for", len(marks) >= 7 and len(places) >= 4, f"{marks} {places}")
    send(kafka, [(NAME, None), (NAME, event(NAME, 901, "TERMINATED"))])
    scorer = run_scorer(lab, "erasing", **settings)
    check_after = dump(lab, database)
    lab.equal("of the person only the outcome after the request is there", {table for table, row in check_after if f'"{NAME}"' in row}, {"outcomes", "outcomes_once"})
    lab.audit(scorer)
    lab.sql(database, "delete from attrition.outcomes") # it came after the request, and names the person rightly
    check_search(lab, database, marks, places)
    lab.equal("how many were decided, and how, has not changed", statistics(), before)
    lab.equal("the receipt", lab.sql(database, "select employee_id is null, method, predictions, outcomes, dead_letters, reviews from attrition.erasures"), [["t", "pseudonymise", "2", "1", "1", "1"]])
    lab.equal("it is found by who knows the id", lab.number(database, f"select count(*) from attrition.erasures where receipt = attrition.receipt('{NAME}')"), 1)


def check_kafka(lab, kafka, settings):
    """After compaction of the current records, whose segments are closed by records of others, and retention of the rest no topic names the person."""
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = [topic for topic in admin.list_topics(timeout=30).topics if not topic.startswith("_")]

    def configure(names, **values):
        entries = [ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET) for name, value in values.items()]
        for answer in admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]).values():
            answer.result(30)
    naming = lambda names: {topic for topic in names for message in lab.consume(kafka, topic, "read_uncommitted")
                            if NAME.encode() in (message.key() or b"") + (message.value() or b"")}
    lab.equal("every topic names the person", naming(topics), set(topics))
    configure([STATE], segment_ms="300", min_cleanable_dirty_ratio="0.001", max_compaction_lag_ms="300", delete_retention_ms="100")
    others = [f"person-{n}" for n in range(EMPLOYEES) if n != VICTIM]
    for n in range(8):
        send(kafka, [(NAME, None)] * (not n) + [(name, event(name, 2000 + 100 * n)) for name in others])
        run_scorer(lab, f"later-{n}", **settings)
        if not naming([STATE]):
            break
    configure([topic for topic in topics if topic != STATE], segment_ms="300", retention_ms="1000")
    lab.wait("after compaction and retention no record of any topic names the person", lambda: not naming(topics), 60)


def fails(lab, database, sql, *patterns):
    status, out, err = lab.run("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", sql, database)
    lab.check(f"{sql.split(';')[-1].strip()[:100]}: refused", status != 0 and all(pattern in err for pattern in patterns), err)


def insert(lab, database, name, offset, table="predictions"):
    lab.sql(database, f"insert into attrition.{table} (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, "
            "model_version, channel, cluster_id, output_topic, output_partition, output_offset, source_topic, source_partition, source_offset, input, reasons, challengers, traceparent) "
            f"values ('{name}-{offset}', '{name}', now(), now(), 'No', 0.25, 0.5, -1, 0, 5, 'm', '1', 'STREAM', 'c', 'o', 0, {offset}, 'in', 0, {offset}, '{{\"A\": 1}}', '[]', '[]', 't')")


def request(lab, database, name, offset, role=""):
    lab.sql(database, f"{role} insert into attrition.erasures (employee_id, cluster_id, output_topic, output_partition, output_offset, source_topic, source_partition, source_offset) "
            f"values ('{name}', 'c', 'o', 0, {offset}, 'in', 0, {offset})")


def check_holds(lab, database):
    count = lambda: lab.sql(database, "select (select count(*) from attrition.predictions where employee_id = 'held'), (select count(*) from attrition.latest_predictions where "
                            "employee_id = 'held'), (select count(*) from attrition.erasures where employee_id = 'held' and erased_at is null)")[0]
    for offset in (1, 2):
        insert(lab, database, "held", offset)
    insert(lab, database, "held", 2, "latest_predictions")
    lab.sql(database, "set role attrition_eraser; select attrition.legal_hold('held', 'case 12')")
    request(lab, database, "held", 10)
    lab.equal("under hold nothing is erased", lab.number(database, "select attrition.erase_requested('delete')"), 0)
    lab.equal("… and the request stays open", count(), ["2", "1", "1"])
    fails(lab, database, "set role attrition_eraser; select attrition.erase_employee('held')", "under legal hold", "legal_release")
    insert(lab, database, "held", 12)
    lab.equal("the release completes it", lab.number(database, "set role attrition_eraser; select attrition.legal_release('held')"), 1)
    lab.equal("… up to the request", count(), ["1", "0", "0"])
    lab.equal("nobody is named by what is left of the hold", lab.sql(database, "select employee_id is null, reason from attrition.legal_holds"), [["t", "case 12"]])
    fails(lab, database, "select attrition.legal_release('held')", "not under legal hold")
    fails(lab, database, "select attrition.legal_hold('held', '')", "give the employee id and the reason")
    lab.sql(database, "select attrition.legal_hold('late', 'case 13')")
    request(lab, database, "late", 20)
    lab.sql(database, "select attrition.legal_release('late'), attrition.legal_hold('late', 'case 14'); insert into attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, "
            "topic, partition, \"offset\", input, source_topic, source_partition, source_offset) values ('x', 'late', now(), 'TERMINATED', 'c', 'out', 0, 1, '{}', 'in', 0, 15)")
    held = lambda: lab.number(database, "select count(*) from attrition.outcomes where employee_id = 'late'")
    lab.equal("a row that comes late is stored under a hold", held(), 1)
    lab.sql(database, "select attrition.legal_release('late')")
    lab.equal("… and goes with it", (held(), lab.number(database, "select outcomes from attrition.erasures where receipt = attrition.receipt('late')")), (0, 1))


def check_rights(lab, database):
    insert(lab, database, "safe", 30)
    writer = "set role attrition_writer;"
    ask = "insert into attrition.erasures (employee_id, cluster_id, output_topic, output_partition, output_offset) values ('safe', 'c', 'o', 0, 40)"
    fails(lab, database, f"{writer} {ask}", "moves sink_offsets past its record")
    fails(lab, database, f"{writer} select attrition.erase_employee('safe')", "permission denied")
    fails(lab, database, f"{writer} delete from attrition.predictions where employee_id = 'safe'", "permission denied")
    move = "begin; insert into attrition.sink_offsets (cluster_id, group_id, topic, partition, next_offset) values ('c', 'g', 'o', 0, 40);"
    fails(lab, database, f"{writer} {move} {ask}", "moves sink_offsets past its record")
    lab.equal("the writer has erased nobody", lab.number(database, f"{writer} select attrition.erase_requested()"), 0)
    lab.sql(database, f"{writer} {move.replace('40', '41')} {ask}; select attrition.erase_requested(); commit")
    lab.equal("as the sink does it, with the position, it may", lab.number(database, "select count(*) from attrition.predictions where employee_id = 'safe'"), 0)
    fails(lab, database, f"{writer} {ask}", "moves sink_offsets past its record")
    fails(lab, database, f"{writer} select * from attrition.receipt_secret", "permission denied")
    insert(lab, database, "safe", 30)
    again = "begin; delete from attrition.sink_offsets where cluster_id = 'c' and topic = 'o'; set local role attrition_writer;"
    lab.sql(database, f"{again} {move.replace('40', '41').replace('begin;', '')} {ask}; select attrition.erase_requested(); commit")
    lab.equal("a request that is read again is done again", lab.number(database, "select count(*) from attrition.predictions where employee_id = 'safe'"), 0)
    lab.sql(database, "select attrition.legal_hold('named', 'case 15'); select attrition.legal_release('named'); select attrition.erase_employee('named')")
    lab.equal("a hold that was released before names nobody after an erasure", lab.number(database, "select count(*) from attrition.legal_holds where employee_id = 'named'"), 0)
    for what in ("key from attrition.dead_letters", "value from attrition.dead_letters", "headers from attrition.dead_letters", "* from attrition.dead_letters",
                 "* from attrition.receipt_secret", "* from attrition.legal_holds", "attrition.receipt('a')", "attrition.export_employee('a')"):
        fails(lab, database, f"set role attrition_analyst; select {what}", "permission denied")
    lab.sql(database, "set role attrition_analyst; select code, field, message from attrition.dead_letters; select * from attrition.dead_letter_summary; select * from attrition.data_quality; "
            "select * from attrition.drift_against_training; select * from attrition.reviews_of_decisions")


def check_reviews(lab, database):
    """Who may review, what is refused, and that an erasure takes what it reaches, also where retention has taken the decision before."""
    eraser, words = "set role attrition_eraser;", "attrition.review('seen-1', false, 'as it should be')"
    for offset in (1, 2):
        insert(lab, database, "seen", offset)
    lab.sql(database, f"{eraser} select {words}, attrition.review('seen-2', null, 'asked for more')")
    for role in ("writer", "analyst"):
        fails(lab, database, f"set role attrition_{role}; select {words}", "permission denied")
    fails(lab, database, f"{eraser} insert into attrition.reviews (event_id, scored_at, reason) values ('seen-1', now(), 'r')", "permission denied")
    fails(lab, database, f"{eraser} select attrition.erase_employee_until_21('seen')", "permission denied")
    fails(lab, database, "select attrition.review('seen-3', true, 'r')", "no such decision", "event_id of a row")
    fails(lab, database, "select attrition.review('seen-1', true, '')", "give the event id of the decision and the reason")
    insert(lab, database, "other", 1)
    lab.sql(database, "update attrition.predictions set event_id = 'seen-1' where employee_id = 'other'")
    fails(lab, database, f"select {words}", "of several employees", "employee id too")
    lab.sql(database, "select attrition.review('seen-1', true, 'the other', 'other')")
    shown = lambda: lab.sql(database, "select event_id, employee_id, coalesce(overridden::text, '-'), is_last, decision from attrition.reviews_of_decisions order by review_id")
    lab.equal("each beside its decision", shown(), [["seen-1", "seen", "false", "t", "No"], ["seen-2", "seen", "-", "t", "No"], ["seen-1", "other", "true", "t", "No"]])
    request(lab, database, "seen", 1)
    lab.sql(database, "select attrition.erase_requested('delete')")
    lab.equal("an erasure takes what it reaches", [row[0] for row in shown() if row[1] == "seen"], ["seen-2"])
    lab.equal("… and counts it", lab.number(database, "select reviews from attrition.erasures where receipt = attrition.receipt('seen')"), 1)
    lab.sql(database, "delete from attrition.predictions where employee_id = 'seen'") # as retention does
    lab.equal("without its decision it stays", [row[3:] for row in shown() if row[1] == "seen"], [["t", ""]])
    request(lab, database, "seen", 10)
    lab.sql(database, "select attrition.erase_requested('delete'); select attrition.erase_employee('other')")
    lab.equal("and goes with an erasure", shown(), [])


def check_more_retention(lab, database):
    """Tables without attributes: each by its own column, and a hold counts where somebody is named."""
    lab.sql(database, "truncate attrition.retention, attrition.legal_holds, attrition.access_log, attrition.day_values; select attrition.legal_hold('held', 'case')")
    lab.sql(database, "insert into attrition.access_log (at, token, address, request_id, request, employees) select now() - interval '2 years', 't', 'a', 'r', '/', string_to_array(names, ' ') from (values ('a held'), ('a b')) as n (names); "
            "insert into attrition.reviews (event_id, employee_id, scored_at, reviewed_at, reason) select 'e', name, now(), now() - interval '2 years', 'r' from (values ('held'), ('a')) as n (name); "
            "insert into attrition.day_values (day, channel, model_name, model_version, attribute, is_score, events, missing) select date_trunc('day', now(), 'UTC') - n * interval '1 year', 'STREAM', 'm', '1', 'A', false, 9, 0 from generate_series(0, 3) as n; "
            "set session_replication_role = replica; insert into attrition.access_log (at, token, address, request_id, request, employees) select now() - interval '2 years', 't', 'a', 'r', '/', array[attrition.receipt(name)] from (values ('held'), ('b')) as n (name); reset session_replication_role; "
            "select attrition.retain(name, '*', '1 year') from (values ('access_log'), ('reviews'), ('day_values')) as t (name)")
    removed = lab.sql(database, "set role attrition_owner; select table_name, removed from attrition.apply_retention()")
    lab.equal("what went is reported, by table", removed, [["access_log", "2"], ["day_values", "3"], ["reviews", "1"]])
    lab.equal("not what names somebody under hold", lab.sql(database, "select (select string_agg(replace(replace(array_to_string(employees, ' '), attrition.receipt('a'), 'a'), attrition.receipt('held'), 'its receipt'), ';' order by id) from attrition.access_log), (select string_agg(employee_id, ' ') from attrition.reviews)"), [["a held;its receipt", "held"]])


def old(lab, database, name, age, place="EU"):
    """A prediction and an alert of that age."""
    insert(lab, database, name, 100)
    lab.sql(database, f"update attrition.predictions set scored_at = now() - interval '{age}', input = '{{\"Place\": \"{place}\"}}' where employee_id = '{name}'; "
            "insert into attrition.alerts (event_id, employee_id, occurred_at, kind, after_prediction, after_probability, after_margin, after_threshold, after_model_name, after_model_version, "
            f"model_change, cause, cluster_id, topic, partition, \"offset\", received_at) values ('x', '{name}', now(), 'FIRST', 'No', 0, 0, 0, 'm', '1', 0, 'RECORD', 'c', 'a', 0, 1, now() - interval '{age}')")


def check_retention(lab, database):
    """By table and place; a month that nobody needs is dropped whole; a hold keeps what would go. All of it as the owner, who is no superuser."""
    owner = "set role attrition_owner;"
    who = lambda table: lab.sql(database, f"select coalesce(string_agg(employee_id, ' ' order by employee_id), '') from attrition.{table}")[0][0]
    lab.sql(database, "truncate attrition.predictions, attrition.alerts, attrition.erasures")
    lab.sql(database, f"{owner} create table attrition.predictions_2020_01 partition of attrition.predictions for values from ('2020-01-01 00:00+00') to ('2020-02-01 00:00+00'); "
            "create table attrition.predictions_2020_02 partition of attrition.predictions for values from ('2020-02-01 00:00+00') to ('2020-03-01 00:00+00')")
    for name, age, place in (("eu-old", "200 days", "EU"), ("eu-new", "100 days", "EU"), ("ca-old", "5 years", "California"), ("ca-new", "3 years", "California"),
                             ("held-old", "5 years", "California"), ("none-old", "8 months", "")):
        old(lab, database, name, age, place)
    for name, day in (("january", "2020-01-15"), ("held-february", "2020-02-15")):
        insert(lab, database, name, 100)
        lab.sql(database, f"update attrition.predictions set scored_at = '{day} 12:00+00' where employee_id = '{name}'")
    lab.sql(database, "select attrition.legal_hold('held-old', 'case'), attrition.legal_hold('held-february', 'case')")
    lab.equal("without rules nothing goes", lab.sql(database, f"{owner} select * from attrition.apply_retention()"), [])
    fails(lab, database, f"{owner} select attrition.retain('predictions', 'EU', '6 months')", "no attribute says the jurisdiction")
    fails(lab, database, f"{owner} select attrition.retain('sink_offsets', '*', '6 months')", "no table sink_offsets", "alerts, day_values, dead_letters")
    fails(lab, database, f"{owner} select attrition.retain('alerts', 'EU', '6 months')", "have no jurisdiction, give *")
    fails(lab, database, "set role attrition_writer; select attrition.retain('alerts', '*', '1 day')", "permission denied")
    lab.sql(database, f"{owner} update attrition.settings set value = 'Place' where name = 'jurisdiction'; select attrition.retain('predictions', 'EU', '6 months'), "
            "attrition.retain('predictions', 'California', '4 years'), attrition.retain('predictions', '*', '1 year'), attrition.retain('alerts', '*', '1 year')")
    report = lab.sql(database, f"{owner} select table_name, jurisdiction, removed, partitions from attrition.apply_retention()")
    lab.equal("what went is reported", report, [["alerts", "*", "2", ""], ["predictions", "*", "1", "{predictions_2020_01}"], ["predictions", "*", "0", ""],
                                                 ["predictions", "California", "1", ""], ["predictions", "EU", "1", ""]])
    lab.equal("by place, and nobody under hold", who("predictions"), "ca-new eu-new held-february held-old none-old")
    lab.equal("alerts have one rule for all", who("alerts"), "eu-new eu-old held-old none-old")
    lab.sql(database, "select attrition.legal_release('held-old'), attrition.legal_release('held-february')")
    lines = [row[0] for row in lab.sql(database, f"{owner} select * from attrition.maintain()")]
    lab.check("what was held goes after the release, and a line says each", "retention: 1 rows of predictions (*) removed, with partitions predictions_2020_02" in lines, lines)
    lab.equal("… and is gone", who("predictions"), "ca-new eu-new none-old")


def check_upgrades(lab, database):
    """A person pseudonymised halfway by each version that could, and a receipt with the name: after the upgrade neither leads back."""
    files = sorted((ROOT / "sql").glob("0*.sql"))
    for last in range(5, len(files)): # before 5 nothing could be stored
        old = lab.dir / f"sql-{last}"
        old.mkdir()
        for file in (*files[:last], ROOT / "sql/migrate", ROOT / "sql/psql"):
            (old / file.name).write_bytes(file.read_bytes())
            (old / file.name).chmod(0o755)
        lab.sql(database, f"create database upgrade_{last}")
        url = database.replace("/attrition?", f"/upgrade_{last}?") if "/attrition?" in database else re.sub(r"(//[^/]*/)\w+", rf"\g<1>upgrade_{last}", database)
        lab.must(old / "migrate", url, env={"SCORER": "none"})
        if last >= 16: # the version does it itself
            insert(lab, url, "gone", 3)
            request(lab, url, "gone", 50)
            lab.sql(url, "select attrition.erase_requested('pseudonymise'); insert into attrition.erasures (employee_id, cluster_id, output_partition, output_offset) values ('waits', 'd', 0, 50)")
        elif last >= 6:
            lab.sql(url, "insert into attrition.erasures (employee_id, cluster_id, output_partition, output_offset) values ('gone', 'c', 0, 50), ('waits', 'd', 0, 50); update attrition.erasures set erased_at = now(), "
                    "method = 'pseudonymise' where employee_id = 'gone'")
            trace = ", traceparent" if last >= 7 else ""
            lab.sql(url, "insert into attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel, "
                    f"cluster_id, output_partition, output_offset, input, reasons, challengers{trace}) select 'erased-7', null, now(), now(), 'No', 0.123456, 0.5, -1, 0, 5, 'm', '1', 'STREAM', 'c', 0, 3, '{{\"A\": 1}}', '[]', '[]'"
                    + (", 'trace'" if trace else ""))
        lab.must(ROOT / "sql/migrate", url, env={"SCORER": "none"})
        if last >= 6:
            left = lab.sql(url, "select output_offset is null, traceparent is null, input, probability from attrition.predictions")
            lab.equal(f"from migration {last}: what was pseudonymised halfway is so wholly", left, [["t", "t", "{}", "0.25" if last >= 16 else "0.123"]])
            lab.equal(f"from migration {last}: receipts name nobody, requests do", lab.sql(url, "select coalesce(employee_id, '-'), receipt is not null from attrition.erasures order by 1"), [["-", "t"], ["waits", "t"]])
        lab.sql(database, f"drop database upgrade_{last}")
    lab.check("upgrades from each version from 5 on", True)


with Lab() as lab:
    fields = json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]
    EMPTY = {field["name"]: None for field in fields}
    lab.model()
    kafka, database = lab.kafka("kafka", "log.cleaner.backoff.ms=200", "log.retention.check.interval.ms=300"), lab.postgres()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, ERASURE="pseudonymise", INSTANCE_ID="forgetting", ROLES="score,sink")
    check_person(lab, kafka, database, settings)
    check_kafka(lab, kafka, settings)
    lab.sql(database, "truncate attrition.predictions, attrition.latest_predictions, attrition.erasures")
    check_holds(lab, database)
    check_rights(lab, database)
    check_reviews(lab, database)
    check_retention(lab, database)
    check_more_retention(lab, database)
    check_upgrades(lab, database)
