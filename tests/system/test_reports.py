#!/usr/bin/env python3
"""What the trainer says of data and models: describe on the real table, on unlabelled and on bad ones; the card, page, pictures
and drift reference of a run beside the run's own metrics; the pages in a real browser."""
import csv
import json
import re
import shutil
import sys
import xml.dom.minidom

from lab import BIN, Lab, ibm_table
from playwright.sync_api import sync_playwright

PLOTS = {"roc", "precision_recall", "calibration", "thresholds", "importance", "permutation", "partial_dependence", "confusion"}


def describe_real(lab):
    page = lab.dir / "describe.html"
    out = lab.must(BIN / "trainer", "describe", ibm_table(), "--out", page)
    lab.one_line("rows and features", out, "1470 rows", "30 features")
    lab.one_line("the label's classes", out, "237 Yes", "1233 No")
    for name in ("EmployeeCount", "Over18", "StandardHours"):
        lab.one_line(f"{name} is named as constant", out, name, "constant")
    lab.one_line("the identifier is named", out, "EmployeeNumber", "identifier", "another value in each row")
    lab.equal("columns of the widest line", max(map(len, out.splitlines())) <= 100, True)
    lab.one_line("no violation", out, "violations of the schema: none")

    rows = list(csv.DictReader(open(ibm_table(), encoding="utf-8-sig")))
    stay, leave = ([float(row["Age"]) for row in rows if row["Attrition"] == label] for label in ("No", "Yes"))
    auc = sum((b > a) + (a == b) / 2 for a in stay for b in leave) / len(stay) / len(leave)
    lab.one_line("Age's AUC counted pair by pair", out, r"^Age ", rf"AUC {auc:.2f}$")
    chi = 0
    for value in {row["OverTime"] for row in rows}:
        here = [row["Attrition"] for row in rows if row["OverTime"] == value]
        for label, size in (("No", len(stay)), ("Yes", len(leave))):
            wanted = len(here) * size / len(rows)
            chi += (here.count(label) - wanted) ** 2 / wanted
    lab.one_line("OverTime's Cramér's V from its table", out, r"^OverTime ", rf"V {(chi / len(rows)) ** 0.5:.2f}$")
    return page


def describe_bad(lab):
    rows = list(csv.reader(open(ibm_table(), encoding="utf-8-sig")))
    header, age, label = rows[0], rows[0].index("Age"), rows[0].index("Attrition")

    def table(name, rows):
        path = lab.dir / name
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    def refused(what, path, *patterns):
        status, _, err = lab.run(BIN / "trainer", "describe", path)
        lab.check(f"{what}: status 1", status == 1, status)
        lab.one_line(f"{what}: says why", err, *patterns)

    def changed(row, column, value):
        return [*row[:column], value, *row[column + 1:]]

    unlabelled = lab.must(BIN / "trainer", "describe", table("u.csv", [row[:label] + row[label + 1:] for row in rows[:100]]))
    lab.one_line("an unlabelled table is described, and said to be one", unlabelled, "unlabelled")
    lab.check("without association", "AUC 0" not in unlabelled)
    one = table("one.csv", [header] + [changed(row, age, "") for row in rows[1:] if row[label] == "No"])
    out = lab.must(BIN / "trainer", "describe", one)
    lab.one_line("one class", out, "one class only")
    lab.one_line("a column without a value", out, "^Age: no value in any row")
    bad = table("bad.csv", rows[:4] + [changed(rows[4], age, "old"), changed(rows[5], age, "999"),
                                       changed(rows[6], header.index("Department"), "Nowhere"),
                                       changed(rows[7], header.index("YearsAtCompany"), "80"), rows[8][:5], ["x" * 2_000_000]])
    out = lab.must(BIN / "trainer", "describe", bad)
    lab.one_line("a text for a number, by line", out, "1  Age: wrong_type: line 5$")
    lab.one_line("out of range, by line", out, "1  Age: out_of_range: line 6$")
    lab.one_line("an unknown category, by line", out, "1  Department: unknown_category: line 7$")
    lab.one_line("a broken rule, by line", out, "rule: YearsAtCompany at most TotalWorkingYears: line 8$")
    lab.one_line("a short row, by line", out, "number of fields", "line 9$")
    lab.one_line("a huge line", out, "not CSV: line 10$")
    refused("a header alone", table("h.csv", [header]), "no rows below the header")
    refused("an empty file", table("e.csv", []), "empty")
    refused("unknown columns", table("x.csv", [["a", "b"], ["1", "2"]]), "none of the schema's 30 features")
    junk = lab.dir / "junk.csv"
    junk.write_bytes(bytes(range(256)) * 200)
    refused("binary junk", junk, "header")


def trained(lab):
    """A run's metrics and artifacts, by the file layout."""
    lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--test-size", "0.2")
    artifacts = next((lab.dir / "mlruns").glob("*/*/artifacts"))
    metrics = {file.name: float(file.read_text().split()[1]) for file in (artifacts.parent / "metrics").iterdir()}
    return artifacts, metrics


def card(lab, artifacts, metrics):
    text = (artifacts / "model_card.md").read_text()
    figures = text.split("## Figures")[1].split("\n## ")[0]
    rows = {row[0]: row[1:] for row in re.findall(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", figures, re.M)}
    lab.equal("measures in the card", len(rows), 8)
    for name, (value, low, high, _) in rows.items():
        wanted = [f"{metrics[key]:.4f}" for key in (name, name + "_low", name + "_high")]
        lab.equal(f"{name} in card and run", [value, low, high], wanted)
    held_out = text.split("## Held-out rows")[1].split("\n## ")[0]
    lab.check("held-out roc_auc in card and run", f"| roc_auc | {metrics['test_roc_auc']:.4f} |" in held_out)
    lab.check("always No beside them", float(rows["accuracy"][3]) > 0.83 and float(rows["recall"][3]) == 0, rows["accuracy"])
    lab.check("data, groups and threshold", all(part in text for part in ("rows: 1470", "(Yes): 237", "Gender: Female", "impact ratio", "max-f1")))


def drift(lab, artifacts):
    reference = json.loads((artifacts / "drift_reference.json").read_text())
    lab.equal("rows of the reference", (reference["rows"], len(reference["columns"])), (1470, 30))
    sums = [column["missing"]["share"] + sum(bar["share"] for bar in column.get("bins", column.get("categories")))
            for column in reference["columns"]]
    lab.check("each column's shares add up to 1", all(abs(total - 1) < 1e-9 for total in sums), f"{min(sums)} to {max(sums)}")
    gender = {column["name"]: column for column in reference["columns"]}["Gender"]["categories"]
    lab.equal("counts by category", {bar["value"]: bar["count"] for bar in gender}, {"Female": 588, "Male": 882})


def pictures(lab, artifacts):
    files = sorted((artifacts / "plots").glob("*.svg"))
    lab.equal("pictures", {file.stem for file in files}, PLOTS)
    for file in files:
        text = file.read_text()
        root = xml.dom.minidom.parseString(text).documentElement
        outside = re.findall(r"(?:href|src|url\()[^>]*", text)
        lab.check(f"{file.name} is XML that stands alone", root.tagName == "svg" and not outside and "<script" not in text, outside)


def in_browser(lab, pages):
    path = shutil.which("chromium")
    if not path:
        sys.exit("not ok - there is no chromium: deploy/bootstrap test installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for file, least in pages:
            asked, errors = [], []
            page = browser.new_page(viewport={"width": 390, "height": 800})
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"file://{file}")
            lab.check(f"{file.name}: pictures", page.locator("svg").count() >= least, page.locator("svg").count())
            lab.equal(f"{file.name}: asks for nothing else, no error", (len(asked), errors), (1, []))
            cut = page.evaluate("""() => [...document.querySelectorAll('svg')].flatMap(svg => { const box = svg.getBoundingClientRect();
                return [...svg.querySelectorAll('text')].filter(text => { const at = text.getBoundingClientRect();
                    return at.left < box.left - 1 || at.right > box.right + 1 || at.bottom > box.bottom + 1; }).map(text => text.textContent); })""")
            lab.equal(f"{file.name}: texts that a picture's edge cuts", cut, [])
            wide = page.evaluate("document.documentElement.scrollWidth")
            lab.check(f"{file.name}: fits a phone", wide <= 390, wide)
        browser.close()


with Lab(STATE_TOPIC="none") as lab:
    described = describe_real(lab)
    describe_bad(lab)
    artifacts, metrics = trained(lab)
    card(lab, artifacts, metrics)
    drift(lab, artifacts)
    pictures(lab, artifacts)
    in_browser(lab, [(described, 30), (artifacts / "report.html", 6)])
