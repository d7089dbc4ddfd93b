#!/usr/bin/env python3
"""200 readers at once and a PostgreSQL that is killed, while events come: scoring goes on as if nothing was, readers read what is
wrong, the open pages say so and recover by themselves, and nothing is lost."""
import collections
import http.client
import json
import threading
import time

from lab import BIN, ROOT, TOPICS, Lab
from browser import Visit, launch  # after lab, which goes on in the tests' own environment
from playwright.sync_api import sync_playwright
from servers import kill_postgres

READERS, RATE, EMPLOYEES = 200, 50, 600
PATHS = ("/employees?limit=20", "/employees?where=Department=Sales&trend=true", "/alerts?limit=5", "/employees/E0000001", "/groups?by=Department", "/model/quality?part=drift")


class Readers:
    """Each asks, reads the whole answer and asks again; what came back is counted by status, with one answer of each."""

    def __init__(self, scorer):
        self.scorer, self.lock, self.ending = scorer, threading.Lock(), threading.Event()
        self.seen, self.details = collections.Counter(), {}
        self.threads = [threading.Thread(target=self.read, args=(n,), daemon=True) for n in range(READERS)]
        for thread in self.threads:
            thread.start()

    def read(self, n):
        while not self.ending.is_set():
            status, text = self.once(PATHS[n % len(PATHS)])
            with self.lock:
                self.seen[status] += 1
                self.details[status] = text
            self.ending.wait(1)

    def once(self, path):
        client = http.client.HTTPConnection(self.scorer.http, timeout=60)
        try:
            client.request("GET", path, headers={"X-Purpose": "a test"})
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as failure:
            return 0, str(failure)
        finally:
            client.close()

    def take(self):
        with self.lock:
            seen, self.seen = self.seen, collections.Counter()
        return seen

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(90)
        return all(not thread.is_alive() for thread in self.threads)


def outage(lab, scorer, readers, visits):
    people, stream = visits
    lab.need("readers are answered", lambda: readers.seen[200] > READERS, 90)
    lab.equal("with 200, or 503 where they are too many", [status for status in readers.take() if status not in (200, 503)], [])
    kill_postgres(lab)
    people.page.reload()
    people.wait_text("main", "PostgreSQL is unavailable")
    lab.check("the page of people says what is wrong and that it asks again", "Not available at the moment" in people.text() and "Asked again in" in people.text(), people.text()[-200:])
    stream.wait_text("#tiles", "unavailable")
    lab.check("the page of the stream shows it too", "unavailable" in stream.text("#tiles"), stream.text("#tiles")[-60:].replace("\n", " "))
    readers.take()
    before, stored = scorer.counter("events_scored_total"), scorer.counter("sink_predictions_total")
    lab.wait("events are scored meanwhile", lambda: scorer.counter("events_scored_total") >= before + 3 * RATE, 60)
    lab.equal("and none is stored", scorer.counter("sink_predictions_total"), stored)
    lab.equal("the service is ready, and degraded", (scorer.get("/health/ready")[0], json.loads(scorer.get("/health")[1])["status"]), (200, "degraded"))
    during = readers.take()
    lab.equal("readers get 503 alone", list(during), [503])
    lab.check("which says what is wrong", "PostgreSQL" in readers.details[503] or "busy" in readers.details[503], (during[503], readers.details[503]))
    lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg", "-c", "fsync=off")
    people.page.wait_for_selector("tbody tr")
    lab.check("the page of people recovers by itself", "Not available" not in people.text())
    stream.page.wait_for_function("() => !document.querySelector('#tiles').innerText.includes('unavailable')")
    readers.take()
    lab.need("so do the readers", lambda: readers.seen[200] > READERS, 90)


with Lab() as lab, sync_playwright() as playwright:
    lab.model()
    url, kafka = lab.postgres(), lab.kafka(topics=(*TOPICS, "attrition-alerts"))
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = kafka
    scorer = lab.scorer("scorer", "--roles=score,sink,http", DATABASE_URL=url, DATABASE_READ_URL=url)
    lab.ready(scorer, 90)
    lab.must(BIN / "producer", "generate", "--count", EMPLOYEES, "--seed", 3)
    lab.need("there is somebody to look at", lambda: lab.number(url, "SELECT count(*) FROM attrition.latest_predictions") == EMPLOYEES, 60)
    lab.sql(url, "SELECT * FROM attrition.maintain()")
    browser = launch(playwright)
    visits = [Visit(browser, scorer, purpose="a test", at=at) for at in ("#/people", "#/stream")]
    visits[0].page.wait_for_selector("tbody tr")
    visits[1].page.wait_for_selector("#tiles .tile")
    producer = lab.start("producer", [BIN / "producer", "generate", "--count", 1000000, "--seed", 4, "--rate", RATE])
    readers = Readers(scorer)
    outage(lab, scorer, readers, visits)
    lab.check("every reader was answered", readers.end())
    lab.check("the producer was never held up", producer.alive())
    producer.end()
    scored = lambda: (scorer.counter("events_scored_total"), scorer.counter("events_lag"), scorer.counter("events_in_flight"))
    lab.wait("all events are scored", lambda: scored()[1:] == (0, 0), 60)
    lab.wait("each has its row", lambda: lab.number(url, "SELECT count(*) FROM attrition.predictions") == scored()[0], 120)
    lab.equal("no script failed", [error for visit in visits for error in visit.errors], [])
    browser.close()
    lab.equal("no dead letters", scorer.counter("events_dead_lettered_total"), 0)
    lab.audit(scorer)
