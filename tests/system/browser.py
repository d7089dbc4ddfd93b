"""The page in a real browser: a visit, its faults, pictures and the accessibility checker. PICTURES=DIR keeps screenshots."""
import os
import shutil
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error

LOOKS = (("light", 1280), ("dark", 1280), ("light", 390))
WAIT_MS = 90000


def launch(playwright):
    path = shutil.which("chromium")
    if not path:
        sys.exit("not ok - there is no chromium: deploy/bootstrap test installs it")
    try:
        return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
    except Error as failure:
        sys.exit(f"not ok - chromium does not start: {failure}")


class Visit:
    """One page open at the scorer, with what it asked for and what went wrong in it."""

    def __init__(self, browser, scorer, scheme="light", width=1280, token=None, purpose=None, at="", zone=None):
        self.scorer = scorer
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id=zone)
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.errors, self.hosts = [], set()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        for name, value in (("token", token), ("purpose", purpose)):
            if value:
                self.page.add_init_script(f"sessionStorage.getItem('attrition-{name}') ?? sessionStorage.setItem('attrition-{name}', '{value}')")
        self.open(at)

    def open(self, at):
        self.page.goto(f"http://{self.scorer.http}/{at}")

    def close(self):
        self.context.close()

    def weight(self):
        """Bytes of the page's own files."""
        return self.page.evaluate("""() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .filter((entry) => entry.initiatorType !== "fetch").reduce((sum, entry) => sum + entry.decodedBodySize, 0)""")

    def text(self, selector="main"):
        return self.page.inner_text(selector)

    def wait_text(self, selector, part):
        self.page.wait_for_function("([s, t]) => document.querySelector(s)?.innerText.includes(t)", arg=[selector, part])

    def settled(self):
        """Nothing is loading any more."""
        self.page.wait_for_function("() => document.querySelector('main').children.length > 0 && !document.querySelector('[aria-busy]')")

    def picture(self, name):
        if os.environ.get("PICTURES"):
            self.page.screenshot(path=f"{os.environ['PICTURES']}/{name}.png", full_page=True)

    def accessible(self, lab, what):
        found = [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in Axe().run(self.page).response["violations"]
                 if fault["impact"] in ("serious", "critical")]
        lab.equal(f"{what}: serious findings of the accessibility checker", found, [])
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        lab.equal(f"{what}: nothing is cut at the side", overflow, 0)
        wide = self.page.evaluate("[...document.querySelectorAll('.table')].filter((table) => table.scrollWidth > table.clientWidth).map((table) => table.ariaLabel)")
        lab.equal(f"{what}: no table is wider than its place", wide, [])
