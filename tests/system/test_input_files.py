#!/usr/bin/env python3
"""Files of the field through the programs: what people reported of programs like these (SHARED/reports), and the same table in
every form, encoding and compression. Each is sent as it is, or refused by line or by name, with the way out."""
import bz2
import csv
import gzip
import io
import json
import os
import pathlib
import subprocess
import zipfile

import fastavro
from lab import BIN, Lab, schema

REPORTS = pathlib.Path(os.environ["SHARED"]) / "reports"


class Sent:
    """One backfill: how it ended, what it said, and the events that reached the topic."""

    count = 0

    def __init__(self, lab, *arguments, **keywords):
        Sent.count += 1
        topic = f"input-{Sent.count}"
        self.status, self.out, self.err = lab.run(BIN / "producer", "backfill", *arguments, "--input-topic", topic, **keywords)
        self.events = {}
        for message in lab.consume(lab.kafka_address, topic, "read_uncommitted", 3) if "acknowledged 0" not in self.out and self.out else []:
            event = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schema("employee_event.avsc"), None)
            self.events[event["employee_id"]] = event


def rejected(lab, path):
    reasons = pathlib.Path(f"{path}.rejects.txt")
    return reasons.read_text() if reasons.exists() else ""


def case(lab, name):
    """A copy of the case's input: rejects are written beside it."""
    path = lab.dir / f"{name}.csv"
    path.write_bytes((REPORTS / name / "in.csv").read_bytes())
    return path


def reports(lab):
    path = case(lab, "csv_bom_middle_noheader")
    sent = Sent(lab, path)
    lab.equal("joined files: ids", sorted(sent.events), [f"E000000{n}" for n in range(1, 7)])

    path = case(lab, "csv_dates_sap")
    sent = Sent(lab, path)
    lab.equal("dates: only ISO 8601 is sent", sorted(sent.events), ["E0000006", "E0000007"])
    lab.check("dates: none in 1970", all(event["occurred_at"].year == 2025 for event in sent.events.values()))
    for line in (2, 3, 4, 5, 6, 9):
        lab.one_line(f"dates: line {line} is refused by column", rejected(lab, path), rf":{line}: column occurred_at \(32\): wrong_type")

    path = case(lab, "csv_excel_text_id")
    sent = Sent(lab, path)
    lab.equal("spreadsheet's ids: what can be read is sent", sorted(sent.events), ["0000123", "0000124"])
    lab.one_line("… with a warning by line", sent.err, r"warn .*csv_excel_text_id.csv:2: the id is written as a spreadsheet's text")
    lab.one_line("… 1.23457E+11 is refused", rejected(lab, path), r":3: .*bad_id.*shortened")
    lab.one_line("… #REF! is refused", rejected(lab, path), r":5: .*bad_id.*spreadsheet's error")

    path = case(lab, "csv_na_tokens")
    sent = Sent(lab, path)
    lab.equal("missing values without the option: refused, status 1", (sent.status, len(sent.events), len(rejected(lab, path).splitlines())), (1, 0, 8))
    sent = Sent(lab, path, "--null-values", "NA,NULL,NaN,#N/A,-,None")
    lab.equal("missing values with it: all sent", (sent.status, len(sent.events)), (0, 8))
    lab.equal("… and missing", [sent.events["E0000001"]["attributes"]["MonthlyIncome"], sent.events["E0000007"]["attributes"]["Department"]], [None, None])
    status, out, _ = lab.run(BIN / "trainer", "describe", path, "--null-values", "NA,NULL,NaN,#N/A,-,None")
    lab.one_line("the trainer takes the option too", out, "violations of the schema: none")

    path = case(lab, "csv_semicolon")
    sent = Sent(lab, path)
    lab.equal("semicolons: the comma alone is refused", (sent.status, len(sent.events)), (1, 0))
    lab.one_line("… by column, with the option", rejected(lab, path), r":2: column DistanceFromHome \(6\): wrong_type: .*--decimal-comma")
    lab.one_line("… and the delimiter is said", sent.err, 'delimiter ";"')
    sent = Sent(lab, path, "--decimal-comma")
    lab.equal("semicolons with --decimal-comma: sent", (sent.status, len(sent.events)), (0, 4))
    lab.equal("… 12,0 is 12", {event["attributes"]["DistanceFromHome"] for event in sent.events.values()}, {12})
    _, _, err = lab.run(BIN / "trainer", "train", path, "--model", "logistic-regression-l2", "--folds", 2, "--out", lab.dir / "x.onnx")
    lab.one_line("… the trainer says the delimiter", err, 'delimiter ";"')

    status, out, err = lab.run(BIN / "scorer", "decode", "--writer-schema", REPORTS / "avro_double_income/writer.avsc", REPORTS / "avro_double_income/in.hex")
    lab.one_line("a double where an int is: named with both types", out + err, r"unresolvable.*attributes\.MonthlyIncome.*double")
    second = json.loads(out.splitlines()[1])
    lab.equal("… and the line without a value decodes", (second["employee_id"], second["attributes"]["MonthlyIncome"]), ("7001", None))
    writer = fastavro.parse_schema(json.loads((REPORTS / "avro_double_income/writer.avsc").read_text()))
    event = fastavro.schemaless_reader(io.BytesIO(bytes.fromhex((REPORTS / "avro_double_income/in.hex").read_text().split()[1])), writer, None)
    path = lab.dir / "double.avro"
    with open(path, "wb") as file:
        fastavro.writer(file, writer, [{**event, "employee_id": str(n), "attributes": {**event["attributes"], "MonthlyIncome": value}} for n, value in enumerate((None, 5200.5, 5200.0))])
    sent = Sent(lab, path)
    lab.equal("an Avro file with such doubles: 5200.0 is 5200", {id: event["attributes"]["MonthlyIncome"] for id, event in sent.events.items()}, {"0": None, "2": 5200})
    lab.one_line("… and 5200.5 is refused by record and field", rejected(lab, path), r"double.avro:2: .*MonthlyIncome.*wrong_type")


def avro(path, rows, kind="event", codec="null"):
    if kind == "event":
        with open(path, "wb") as file:
            fastavro.writer(file, schema("employee_event.avsc"), rows, codec=codec, sync_interval=2000)
        return path
    fields = [{"name": "EmployeeNumber", "type": ["null", "long"]}, {"name": "Age", "type": "double"},
              {"name": "Department", "type": {"type": "enum", "name": "D", "symbols": ["Sales", "Other"]}},
              {"name": "MonthlyIncome", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
              {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
              {"name": "tags", "type": {"type": "array", "items": "string"}}]
    with open(path, "wb") as file:
        fastavro.writer(file, {"type": "record", "name": "T", "fields": fields}, rows, codec=codec)
    return path


def forms(lab):
    """1,000 employees in every form: the same events arrive."""
    table = lab.employees(1000)
    text = table.read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    plain = Sent(lab, table)
    lab.equal("a CSV: all sent", (plain.status, len(plain.events)), (0, 1000))
    wanted = {id: event["attributes"] for id, event in plain.events.items()}

    def same(what, name, content, *arguments, **keywords):
        path = lab.dir / name
        path.write_bytes(content)
        sent = Sent(lab, path, *arguments, **keywords)
        lab.check(what, sent.status == 0 and {id: event["attributes"] for id, event in sent.events.items()} == wanted,
                  f"{len(sent.events)} events, status {sent.status} {sent.err[-300:] if sent.status else ''}")
        return sent

    semicolons = io.StringIO()
    csv.writer(semicolons, delimiter=";", lineterminator="\r\n").writerows(csv.reader(io.StringIO(text)))
    numeric = {column: isinstance(value, (int, float)) for column, value in next(iter(wanted.values())).items()}
    records = [{key: float(value) if numeric.get(key) and value else value or None for key, value in row.items()} for row in rows]
    same("UTF-16 with a mark", "u16.csv", text.encode("utf-16"))
    same("UTF-16 without one", "u16be.csv", text.encode("utf-16-be"))
    same("Windows-1252 by name", "cp.csv", text.encode("cp1252"), "--encoding", "windows-1252")
    same("semicolons and CR LF", "semi.csv", semicolons.getvalue().encode())
    same("sep= and a title", "sep.csv", b"sep=;\r\nStaff of May\r\n\r\n" + semicolons.getvalue().encode())
    same("tabs in CR alone", "tab.txt", text.replace(",", "\t").replace("\n", "\r").encode())
    same("gzip of two members", "t.csv.gz", gzip.compress(text[:20000].encode()) + gzip.compress(text[20000:].encode()))
    zstd = subprocess.run(["zstd", "-q", "-c"], input=text.encode(), capture_output=True, check=False) if os.path.exists("/usr/bin/zstd") else None
    if zstd:
        same("Zstandard", "t.csv.zst", zstd.stdout)
        same("Zstandard of several cores (pzstd)", "p.csv.zst", b"\x50\x2a\x4d\x18\4\0\0\0size" + zstd.stdout)
    same("JSON Lines", "t.jsonl", "".join(json.dumps(record) + "\n" for record in records).encode())
    same("a JSON array on one line", "t1.json", json.dumps(records).encode())
    same("a JSON array of many lines", "t2.json", json.dumps(records, indent=2).encode())
    same("a JSON array in UTF-16, compressed", "t3.json.gz", gzip.compress(json.dumps(records).encode("utf-16")))
    for codec in ("null", "deflate"):
        path = avro(lab.dir / f"{codec}.avro", plain.events.values(), codec=codec)
        sent = Sent(lab, path)
        lab.check(f"an Avro file of events, codec {codec}: the same events, ids and times", sent.status == 0 and sent.events == plain.events,
                  f"{len(sent.events)} events {sent.err[-300:]}")
    both = Sent(lab, table, lab.dir / "t1.json", "-", input=text)
    lab.equal("many files and standard input", (both.status, "read 3000, sent 3000" in both.out), (0, True))


def tables_of_avro(lab):
    import datetime
    import decimal
    at = datetime.datetime(2025, 3, 4, tzinfo=datetime.timezone.utc)
    row = {"Age": 41.0, "Department": "Sales", "MonthlyIncome": decimal.Decimal("5000.00"), "occurred_at": at, "tags": ["a", "b"]}
    rows = [{**row, "EmployeeNumber": 1}, {**row, "EmployeeNumber": 2, "Age": 41.5}, {**row, "EmployeeNumber": 3, "Department": "Other"}]
    path = avro(lab.dir / "flat.avro", rows, kind="table")
    sent = Sent(lab, path)
    lab.equal("an Avro table: what fits is sent", (sent.status, list(sent.events)), (0, ["1"]))
    event = sent.events["1"]
    lab.equal("… with its values", (event["occurred_at"], event["attributes"]["MonthlyIncome"], event["attributes"]["Age"]), (at, 5000, 41))
    lab.one_line("… the rest by record and field", rejected(lab, path), r"flat.avro:2: field Age: wrong_type")
    lab.one_line("… unknown fields are said once", sent.err, "column tags .*unknown_field")
    fixed = pathlib.Path(f"{path}.rejects").read_text().replace("41.5", "42").replace("Other", "Sales")
    (lab.dir / "flat.avro.rejects").write_text(fixed)
    again = Sent(lab, lab.dir / "flat.avro.rejects")
    lab.equal("its rejects can be fixed and fed again", (again.status, sorted(again.events)), (0, ["2", "3"]))
    whole = avro(lab.dir / "cut.avro", [{**row, "EmployeeNumber": n} for n in range(5000)], kind="table").read_bytes()
    (lab.dir / "cut.avro").write_bytes(whole[:-100])
    sent = Sent(lab, lab.dir / "cut.avro")
    lab.equal("a cut Avro file: status 1", sent.status, 1)
    lab.one_line("… and says so", sent.err, "cut.avro: the file was cut")
    (lab.dir / "joined.avro").write_bytes(whole + whole)
    sent = Sent(lab, lab.dir / "joined.avro")
    lab.equal("two Avro files joined: the first is read, status 1", (sent.status, len(sent.events)), (1, 5000))
    lab.one_line("… and says so", sent.err, "another Avro file begins here")
    moments = {"type": "record", "name": "M", "fields": [{"name": "EmployeeNumber", "type": "string"}, {"name": "Age", "type": "int"}, {"name": "occurred_at", "type": "long"}]}
    numbers = [20250304, 45720, 1741046400, 0, 1741046400000]
    with open(lab.dir / "longs.avro", "wb") as file:
        fastavro.writer(file, moments, [{"EmployeeNumber": f"E{n}", "Age": 41, "occurred_at": number} for n, number in enumerate(numbers)])
    sent = Sent(lab, lab.dir / "longs.avro")
    lab.equal("a plain long that would be a time in 1970 is refused", [(id, event["occurred_at"].year) for id, event in sent.events.items()], [("E4", 2025)])
    lab.equal("… for its unit", rejected(lab, lab.dir / "longs.avro").count("has no unit"), 4)


def refused_by_name(lab):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    table = lab.employees(50).read_bytes()
    for name, content, *patterns in (("book.csv", packed.getvalue(), "workbook", "save the sheet as CSV"),
                                     ("t.parquet", b"PAR1" + bytes(100) + b"PAR1", "Parquet", "convert"),
                                     ("t.csv.bz2", bz2.compress(table), "bzip2", "bzcat"),
                                     ("old.csv", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), r"\.xls"),
                                     ("page.xls", b"<html><table><tr><td>Age</td></tr></table></html>", "HTML"),
                                     ("twice.csv.gz", gzip.compress(gzip.compress(table)), "compressed twice", "zcat"),
                                     ("t.csv.Z", b"\x1f\x9d\x90" + bytes(30), "zcat"),
                                     ("secret.csv", b"-----BEGIN PGP MESSAGE-----\n", "encrypted", "gpg -d"),
                                     ("cut.csv.gz", gzip.compress(table)[:-20], "gzip data ends too early"),
                                     ("other.csv", b"Name:First\nA:B\n", "none of the columns is known", "--delimiter"),
                                     ("array.json", b'[{"Age": 41}, {"Age"', "not closed")):
        path = lab.dir / name
        path.write_bytes(content)
        sent = Sent(lab, path)
        lab.equal(f"{name}: status 1", sent.status, 1)
        lab.one_line(f"{name}: says what it is and what to do", sent.err, "error", *patterns)


def said(lab):
    """Rows that are sent as they are, though they look wrong; and what a person should do about a whole file."""
    for name, content, *patterns in (("ids.csv", "EmployeeNumber,Age\nNULL,41\n123.00,41\nMar-25,41\n", "ids.csv:2: the id is a word for what is missing",
                                      "ids.csv:3: the id ends in .0", "ids.csv:4: the id is a date"),
                                     ("ids.jsonl", '{"EmployeeNumber":"E1 ","Age":41}\n', "ids.jsonl:1: the id begins or ends with a blank"),
                                     ("one.json", '{\n"EmployeeNumber": "E1",\n"Age": 41}\n', "one.json:1: an object that goes on in the next line")):
        path = lab.dir / name
        path.write_text(content)
        err = lab.run(BIN / "producer", "backfill", "--dry-run", path)[2]
        for pattern in patterns:
            lab.one_line(f"{name}: it is said", err, f"warn .*{pattern}")


def queries(lab):
    """The rows of a table in PostgreSQL, with its own names and types."""
    url = lab.postgres()
    lab.sql(url, """create table hr (emp_no bigint, age int, pay numeric(9,2), dept text, hired date, note text);
        insert into hr select n, 20 + n % 40, 3000 + n, case when n = 7 then 'Nowhere' else 'Sales' end, '2025-03-04', null
        from generate_series(1, 20000) n""")
    select = """select emp_no as "EmployeeNumber", age as "Age", pay as "MonthlyIncome", dept as "Department", hired::timestamptz
        as occurred_at, note from hr"""
    env = {"SOURCE_DATABASE_URL": url}
    sent = Sent(lab, "--from-query", select, "--rejects-file", lab.dir / "query.rejects", env=env)
    lab.equal("a query: all rows but one are sent", (sent.status, len(sent.events)), (0, 19999))
    lab.equal("… with values and times", [sent.events["12"]["attributes"]["MonthlyIncome"], sent.events["12"]["occurred_at"].isoformat()],
              [3012, "2025-03-04T00:00:00+00:00"])
    lab.one_line("… the rest by row and column", sent.err, r"query:7: column Department \(4\): unknown_category")
    lab.equal("… and kept as CSV", (lab.dir / "query.rejects").read_text().splitlines()[0], "EmployeeNumber,Age,MonthlyIncome,Department,occurred_at,note")
    for what, query, pattern in (("one that writes", "delete from hr returning age as \"Age\"", "read-only"), ("no SELECT", "set timezone to 'UTC'", "give a SELECT"),
                                 ("two statements", "select 1; select 2", "multiple commands"), ("a wrong one", "select from nowhere", "nowhere"),
                                 ("unknown columns", "select age from hr", "none of its columns is known"),
                                 ("one that fails later", 'select 1 / (15000 - emp_no) as "Age" from hr', "division by zero")):
        sent = Sent(lab, "--from-query", query, "--rejects-file", lab.dir / "q.rejects", env=env)
        lab.equal(f"a query, {what}: status 1", sent.status, 1)
        lab.one_line(f"a query, {what}: says why", sent.err, "error", pattern)
    lab.equal("nothing was deleted", lab.number(url, "select count(*) from hr"), 20000)
    status, _, err = lab.run(BIN / "producer", "backfill", "--from-query", "select 1")
    lab.equal("a query without SOURCE_DATABASE_URL: status 2", (status, "SOURCE_DATABASE_URL" in err), (2, True))
    sent = Sent(lab, "--from-query", select, env={"SOURCE_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/x"})
    lab.check("a database that is not there: status 1, no password", sent.status == 1 and "secret" not in sent.err, sent.err[-200:])


def usage(lab):
    for arguments, pattern in ((("--delimiter", "ab"), "one character"), (("--encoding", "martian"), "encoding martian is not known"),
                               (("--format", "xml"), "csv, jsonl or avro"), (("--null-values", ",".join(map(str, range(40)))), "more than 32")):
        status, _, err = lab.run(BIN / "producer", "backfill", lab.employees(50), *arguments)
        lab.equal(f"{arguments[0]}: status 2", status, 2)
        lab.one_line(f"{arguments[0]}: says why", err, pattern)


with Lab() as lab:
    lab.kafka_address = lab.embedded_broker()
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = lab.kafka_address
    usage(lab)
    reports(lab)
    forms(lab)
    tables_of_avro(lab)
    refused_by_name(lab)
    said(lab)
    queries(lab)
