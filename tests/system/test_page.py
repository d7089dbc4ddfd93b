#!/usr/bin/env python3
"""The page's form in a real browser: result, reasons, faults, what-if, and the stream's view while events are scored; without
serious findings of the accessibility checker, in light and dark and on a phone."""
import json

from browser import LOOKS, Visit, launch
from lab import BIN, Lab
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


def stream(lab, visit, kafka, employees):
    page = visit.page
    page.wait_for_selector("#tiles .tile")
    lab.must(BIN / "producer", "backfill", employees, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    tile = "document.querySelectorAll('#tiles .tile b')[1].innerText"
    page.wait_for_function(f"() => {tile} === '2,000'")
    lab.equal("the view counts what the producer sent", number(page.evaluate(tile)), 2000)
    page.wait_for_function("() => document.querySelectorAll('.card .chart svg').length === 3")
    lab.check("lag, risks, latency and the model are shown", page.locator(".card").count() >= 6, page.locator(".card h2").all_inner_texts())
    visit.picture("stream")


with Lab(STATE_TOPIC="none") as lab, sync_playwright() as playwright:
    columns = [field["name"] for field in json.loads((BIN.parents[1] / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]]
    kafka = lab.embedded_broker()
    lab.model()
    scorer = lab.scorer("scorer", "--roles=score,http", KAFKA_BOOTSTRAP_SERVERS=kafka, DELIVERY="at-least-once", HTTP_TOKEN=TOKEN,
                        KAFKA_FETCH_WAIT_MAX_MS="10")
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
