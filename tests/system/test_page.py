#!/usr/bin/env python3
"""The page's form in a real browser: result, reasons, faults, what-if, and the stream's view while events are scored; without
serious findings of the accessibility checker, in light and dark and on a phone."""
import json
import math

from browser import LOOKS, Visit, launch
from lab import BIN, TOPICS, Lab
from playwright.sync_api import sync_playwright

TOKEN = "a token of this test"
WEIGHT_MAX = 150 * 1024


def number(text):
    return float(text.replace(",", "").split()[0])


def give_token(lab, visit):
    page = visit.page
    page.wait_for_selector("#token:not([hidden])")
    page.fill("#token-value", "a wrong one")
    page.click("#token button")
    visit.wait_text("#token-error", "does not know this token")
    page.fill("#token-value", TOKEN)
    page.click("#token button")
    page.wait_for_selector("#fields fieldset")


def form(lab, visit, columns):
    page = visit.page
    labels = page.locator("#fields .field").count()
    lab.equal("a control for each of the schema's columns", labels, len(columns))
    page.wait_for_selector("#result-body:not([hidden])")
    lab.check("the sample that is chosen at the start shows a result at once, not logged", "not logged" in visit.text("#stamp"), visit.text("#answer"))
    lab.check("with reasons", page.locator("#reasons .reason").count() > 3, page.locator("#reasons .reason").count())
    visit.picture("result")

    before = visit.text("#answer")
    page.select_option("#field-OverTime", label="Yes" if page.input_value("#field-OverTime") != '"Yes"' else "No")
    page.wait_for_function("before => document.querySelector('#answer').innerText !== before", arg=before)
    lab.check("a changed control moves the score", True, f"{before} → {visit.text('#answer')}")
    lab.check("and shows from where", "→" in visit.text("#change"), visit.text("#change"))

    page.click("#predict")
    visit.wait_text("#stamp", "logged as event")
    lab.check("the button logs", True, visit.text("#stamp"))


def faults(lab, visit):
    page = visit.page
    page.fill("#field-Age", "300")
    page.wait_for_selector(".field[data-bad]")
    lab.equal("a value out of range is shown beside its field", page.locator(".field[data-bad] .error").all_inner_texts(), ["outside 18 to 100"])
    lab.equal("for screen readers too", page.get_attribute("#field-Age", "aria-invalid"), "true")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'field-Age'")
    visit.picture("fault")
    page.click("#paste-open")
    page.fill("#paste-text", '{"Age": 41, ')
    page.click("#paste-use")
    visit.wait_text("#paste-error", "no JSON object")
    page.fill("#paste-text", '{"employee_id": "77", "attributes": {"Age": 41, "Aeg": 3, "Department": "Astronomy"}}')
    page.click("#paste-use")
    visit.wait_text("#form-errors", "Aeg")
    lab.check("pasted: an unknown field and an unknown category are named",
              page.locator(".field[data-bad]").count() == 1 and page.input_value("#employee-id") == "77", visit.text("#form-errors"))
    page.fill("#paste-text", '{"Age": 41, "Department": "Sales"}')
    page.click("#paste-use")
    page.wait_for_function("() => !document.querySelector('.field[data-bad]') && !document.querySelector('#summary').hasAttribute('data-stale')")


def keyboard(lab, visit):
    page = visit.page
    page.focus("#go-stream")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tiles .tile")
    lab.equal("the address is the page's own", page.evaluate("location.hash"), "#/stream")
    page.go_back()
    page.wait_for_selector("#fields fieldset")
    page.go_forward()
    page.wait_for_selector("#tiles .tile")
    page.reload()
    page.wait_for_selector("#tiles .tile")
    lab.equal("back, forward and reload keep it", (page.evaluate("location.hash"), page.get_attribute("#go-stream", "aria-current")), ("#/stream", "page"))
    page.evaluate("location.hash = '#/nonsense/%'")
    visit.wait_text("main", "leads nowhere")
    page.go_back()


def records(lab, page):
    """What the view and the service say of current records and alerts."""
    pairs = lambda of, name, value: page.evaluate(f"() => Object.fromEntries([...document.querySelectorAll('{of}')].map((row) => [row.querySelector('{name}').innerText, row.querySelector('{value}').innerText]))")
    tiles = pairs("#tiles .tile", "span", "b")
    lab.equal("current records, and partitions whose records are being read", (tiles.get("current records"), tiles.get("partitions being restored")), ("2,000", "0"))
    found = page.evaluate("(token) => fetch('/stream', { headers: { Authorization: `Bearer ${token}` } }).then((answer) => answer.json())", TOKEN)
    lab.equal("the service says the same of records", {name: found["state"][name] for name in ("topic", "employees", "partitions_restoring")},
              {"topic": "attrition-scorer-state", "employees": 2000, "partitions_restoring": 0})
    risk, alerts = found["risk"], found["alerts"]
    at_risk = sum(risk["counts"][math.ceil(risk["bins"] * risk["threshold"]):])
    lab.check("alerts by kind: one of each employee at risk, the first", alerts["FIRST"] >= at_risk > 0 and alerts == {"FIRST": alerts["FIRST"], "CROSSED_UP": 0, "CROSSED_DOWN": 0, "MOVED": 0}, (at_risk, alerts))
    shown = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('.card')]
        .filter((card) => card.querySelector('h2').innerText === 'Alerts').flatMap((card) => [...card.querySelectorAll('tbody tr')]).map((row) => [row.cells[0].innerText, row.cells[1].innerText]))""")
    lab.equal("the view shows them", {name: number(count) for name, count in shown.items()}, dict(zip(("first score: at risk", "now at risk", "no longer at risk", "risk has moved"), (alerts[kind] for kind in ("FIRST", "CROSSED_UP", "CROSSED_DOWN", "MOVED")))))


def stream(lab, visit, kafka, employees):
    page = visit.page
    page.wait_for_selector("#tiles .tile")
    lab.must(BIN / "producer", "backfill", employees, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    tile = "document.querySelectorAll('#tiles .tile b')[1].innerText"
    page.wait_for_function(f"() => {tile} === '2,000'")
    lab.equal("the view counts what the producer sent", number(page.evaluate(tile)), 2000)
    page.wait_for_function("() => document.querySelectorAll('.card .chart svg').length === 3")
    records(lab, page)
    lab.check("lag, risks, latency and the model are shown", page.locator(".card").count() >= 6, page.locator(".card h2").all_inner_texts())
    visit.picture("stream")


with Lab() as lab, sync_playwright() as playwright:
    columns = [field["name"] for field in json.loads((BIN.parents[1] / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]]
    kafka = lab.embedded_broker(topics=(*TOPICS, "attrition-scorer-state", "attrition-alerts"))
    lab.model()
    scorer = lab.scorer("scorer", "--roles=score,http", KAFKA_BOOTSTRAP_SERVERS=kafka, DELIVERY="at-least-once", HTTP_TOKEN=TOKEN,
                        KAFKA_FETCH_WAIT_MAX_MS="10", HTTP_LOG_TIMEOUT="60s")
    lab.ready(scorer)
    browser = launch(playwright)

    visit = Visit(browser, scorer, at="#/what-if")
    give_token(lab, visit)
    form(lab, visit, columns)
    faults(lab, visit)
    keyboard(lab, visit)
    stream(lab, visit, kafka, lab.employees(2000))
    lab.check("no latency in hundreds of thousands of µs", "µs" not in visit.text() and " ms" in visit.text())
    lab.equal("the page asks nobody else", visit.hosts, {scorer.http})
    lab.check(f"its files weigh at most {WEIGHT_MAX} bytes", 20000 < visit.weight() <= WEIGHT_MAX, visit.weight())
    lab.equal("no script failed", visit.errors, [])
    visit.close()

    for scheme, width in LOOKS:
        visit = Visit(browser, scorer, scheme, width, TOKEN, at="#/what-if")
        visit.page.wait_for_selector("#result-body:not([hidden])")
        visit.page.fill("#field-Age", "300")
        visit.page.wait_for_selector(".field[data-bad]")
        visit.accessible(lab, f"{scheme}, {width} wide, the form")
        shown = visit.page.evaluate("() => { const { top, bottom } = document.querySelector('#summary').getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; }")
        lab.check("the result is in view", shown)
        visit.picture(f"form-{scheme}-{width}")
        visit.page.click("#go-stream")
        visit.page.wait_for_selector("#cards .card svg")
        visit.accessible(lab, f"{scheme}, {width} wide, the stream")
        visit.picture(f"stream-{scheme}-{width}")
        visit.close()
    browser.close()
