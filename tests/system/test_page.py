#!/usr/bin/env python3
"""The page in a real browser: form, result, reasons, faults, what-if, and the stream's view while events are scored; without
serious findings of the accessibility checker, in light and dark and on a phone. PICTURES=DIR keeps screenshots."""
import json
import os
import shutil
import sys

from lab import BIN, Lab
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

LOOKS = (("light", 1280), ("dark", 1280), ("light", 390))
TOKEN = "a token of this test"
WEIGHT_MAX = 150 * 1024


def browser_path():
    path = shutil.which("chromium")
    if not path:
        sys.exit("not ok - there is no chromium: deploy/bootstrap test installs it")
    return path


def picture(page, name):
    if os.environ.get("PICTURES"):
        page.screenshot(path=f"{os.environ['PICTURES']}/{name}.png", full_page=True)


def accessible(lab, page, what):
    found = [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in Axe().run(page).response["violations"]
             if fault["impact"] in ("serious", "critical")]
    lab.equal(f"{what}: serious findings of the accessibility checker", found, [])


def number(text):
    return float(text.replace(",", "").split()[0])


class Visit:
    """One page open at the scorer, with what it asked for and what went wrong in it."""

    def __init__(self, browser, scorer, scheme="light", width=1280):
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.errors, self.hosts = [], set()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.goto(f"http://{scorer.http}/")

    def weight(self):
        """Bytes of the page's own files."""
        return self.page.evaluate("""() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .filter((entry) => entry.initiatorType !== "fetch").reduce((sum, entry) => sum + entry.decodedBodySize, 0)""")

    def give_token(self):
        self.page.wait_for_selector("#token:not([hidden])")
        self.page.fill("#token-value", TOKEN)
        self.page.click("#token button")
        self.page.wait_for_selector("#fields fieldset")

    def text(self, selector):
        return self.page.inner_text(selector)

    def wait_text(self, selector, part):
        self.page.wait_for_function("([s, t]) => document.querySelector(s).innerText.includes(t)", arg=[selector, part])


def form(lab, visit, columns):
    page = visit.page
    labels = page.locator("#fields .field").count()
    lab.equal("a control for each of the schema's columns", labels, len(columns))
    page.select_option("#sample", index=1)
    page.wait_for_selector("#result-body:not([hidden])")
    lab.check("a sample shows a result at once, not logged", "not logged" in visit.text("#stamp"), visit.text("#answer"))
    lab.check("with reasons", page.locator("#reasons .reason").count() > 3, page.locator("#reasons .reason").count())
    picture(page, "result")

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
    picture(page, "fault")
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
    page.wait_for_function("() => !document.querySelector('.field[data-bad]') && !document.querySelector('#result').hasAttribute('data-stale')")


def keyboard(lab, visit):
    page = visit.page
    page.focus("#tab-employee")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#view-stream:not([hidden])")
    lab.equal("the arrow key changes the view", page.evaluate("document.activeElement.id"), "tab-stream")


def stream(lab, visit, kafka, employees):
    page = visit.page
    page.wait_for_selector(".tile")
    lab.must(BIN / "producer", "backfill", employees, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    tile = "document.querySelectorAll('.tile b')[1].innerText"
    page.wait_for_function(f"() => {tile} === '2,000'", timeout=40000)
    lab.equal("the view counts what the producer sent", number(page.evaluate(tile)), 2000)
    page.wait_for_function("() => document.querySelectorAll('.card svg.chart').length === 3")
    lab.check("lag, risks, latency and the model are shown", page.locator(".card").count() >= 6, page.locator(".card h2").all_inner_texts())
    picture(page, "stream")


with Lab(STATE_TOPIC="none") as lab, sync_playwright() as playwright:
    columns = [field["name"] for field in json.loads((BIN.parents[1] / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]]
    kafka = lab.embedded_broker()
    lab.model()
    scorer = lab.scorer("scorer", "--roles=score,http", KAFKA_BOOTSTRAP_SERVERS=kafka, DELIVERY="at-least-once", HTTP_TOKEN=TOKEN,
                        KAFKA_FETCH_WAIT_MAX_MS="10")
    lab.ready(scorer)
    try:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
    except Error as failure:
        sys.exit(f"not ok - chromium does not start: {failure}")

    visit = Visit(browser, scorer)
    visit.give_token()
    form(lab, visit, columns)
    faults(lab, visit)
    keyboard(lab, visit)
    stream(lab, visit, kafka, lab.employees(2000))
    lab.equal("the page asks nobody else", visit.hosts, {scorer.http})
    lab.check(f"its files weigh at most {WEIGHT_MAX} bytes", 20000 < visit.weight() <= WEIGHT_MAX, visit.weight())
    lab.equal("no script failed", visit.errors, [])
    visit.page.close()

    for scheme, width in LOOKS:
        visit = Visit(browser, scorer, scheme, width)
        visit.give_token()
        visit.page.select_option("#sample", index=1)
        visit.page.wait_for_selector("#result-body:not([hidden])")
        visit.page.fill("#field-Age", "300")
        visit.page.wait_for_selector(".field[data-bad]")
        accessible(lab, visit.page, f"{scheme}, {width} wide, the form")
        overflow = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        lab.equal("nothing is cut at the side", overflow, 0)
        picture(visit.page, f"form-{scheme}-{width}")
        visit.page.click("#tab-stream")
        visit.page.wait_for_selector(".card")
        accessible(lab, visit.page, f"{scheme}, {width} wide, the stream")
        picture(visit.page, f"stream-{scheme}-{width}")
        visit.page.close()
    browser.close()
