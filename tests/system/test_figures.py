#!/usr/bin/env python3
"""Groups and figures that take longer than a request has: computed once for all who ask, while other routes are answered; what is kept is
shown meanwhile. A computation that fails, is killed with PostgreSQL, or is under way when the service ends."""
import concurrent.futures
import http.client
import json
import re
import time

from lab import ROOT, Lab
from servers import kill_postgres  # after lab, which goes on in the tests' own environment

ASKERS = 8
SLOW_S = 20  # longer than a request waits
PAUSE_S = 10  # after a failure
# Each beginning is counted, whatever becomes of its transaction.
SLOW = """CREATE SEQUENCE public.begun; CREATE TABLE public.pace (seconds double precision, fails boolean); INSERT INTO public.pace VALUES (0, false);
    GRANT ALL ON public.begun, public.pace TO PUBLIC;
    ALTER FUNCTION attrition.refresh_groups() RENAME TO refresh_groups_itself;
    CREATE FUNCTION attrition.refresh_groups() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        PERFORM nextval('public.begun');
        PERFORM pg_sleep(seconds) FROM public.pace;
        IF (SELECT fails FROM public.pace) THEN RAISE EXCEPTION 'no luck today'; END IF;
        RETURN attrition.refresh_groups_itself();
    END $$;
    ALTER FUNCTION attrition.calibration_figures() RENAME TO calibration_figures_itself;
    CREATE FUNCTION attrition.calibration_figures() RETURNS json LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_sleep(seconds) FROM public.pace;
        RETURN attrition.calibration_figures_itself();
    END $$"""
PEOPLE = """INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel,
        source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
    SELECT 'v-' || n, 'e' || n, now() - interval '1 day', now() - interval '1 hour', 'No', n / 100.0, 0.5, 0, 0, 9, 'attrition', '1', 'STREAM', 'in', 0, n, 'c', 'out', 0, n,
        jsonb_build_object('Department', (ARRAY['Human Resources', 'Research & Development', 'Sales'])[1 + n % 3]), '[]', '[]' FROM generate_series(1, 99) AS n;
    INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions"""
FORGET = "DELETE FROM attrition.groups_computed"


def ask(scorer, path="/groups?by=Department"):
    """(status, JSON, Retry-After, seconds that it took)"""
    began = time.monotonic()
    client = http.client.HTTPConnection(scorer.http, timeout=60)
    client.request("GET", path, headers={"X-Purpose": "a test"})
    answer = client.getresponse()
    return answer.status, json.loads(answer.read()), answer.headers["Retry-After"], time.monotonic() - began


class Figures:
    def __init__(self, lab, url):
        self.lab, self.url = lab, url

    def pace(self, seconds, fails=False):
        self.lab.sql(self.url, f"UPDATE public.pace SET seconds = {seconds}, fails = {fails}")

    def begun(self):
        """How often since `reset`."""
        return self.lab.number(self.url, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM public.begun")

    def reset(self):
        self.lab.sql(self.url, "ALTER SEQUENCE public.begun RESTART")

    def computing(self):
        return self.lab.number(self.url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'attrition-http' AND wait_event = 'PgSleep'")


def is_current(scorer):
    status, groups, *_ = ask(scorer)
    return status == 200 and groups["is_current"]


def missing(lab, scorer, figures):
    figures.pace(SLOW_S)
    with concurrent.futures.ThreadPoolExecutor(ASKERS + 1) as pool:
        asked = [pool.submit(ask, scorer) for _ in range(ASKERS)]
        lab.need("it is computed", figures.computing, 20, scorer)
        others = [ask(scorer, "/employees?limit=5") for _ in range(10)]
        answers = [answer.result() for answer in asked]
    lab.check("nothing is kept: 503 that says it is being computed, to all", all(status == 503 and "being computed" in body["detail"] and retry for status, body, retry, _ in answers), answers[0])
    lab.check("each in time", max(answer[-1] for answer in answers) < SLOW_S, [round(answer[-1], 1) for answer in answers])
    lab.check("other readers are answered meanwhile", all(answer[0] == 200 and answer[-1] < SLOW_S for answer in others), [round(answer[-1], 2) for answer in others])
    lab.wait("then 200", lambda: is_current(scorer), 90, scorer)
    lab.equal("computed once for all", figures.begun(), 1)


def stale(lab, scorer, figures):
    lab.sql(figures.url, "UPDATE attrition.groups_computed SET day = day - 2")
    figures.reset()
    with concurrent.futures.ThreadPoolExecutor(ASKERS) as pool:
        answers = list(pool.map(lambda _: ask(scorer), range(ASKERS)))
    lab.equal("kept ones are shown, and it is said that they are", {(status, body.get("is_current"), len(body.get("groups", ()))) for status, body, *_ in answers}, {(200, False, 3)})
    lab.check("each soon", max(answer[-1] for answer in answers) < SLOW_S, [round(answer[-1], 1) for answer in answers])
    lab.wait("then those of today", lambda: is_current(scorer), 90, scorer)
    lab.equal("computed once", figures.begun(), 1)


def quality(lab, scorer, figures):
    path = "/model/quality?part=calibration"
    status, body, retry, seconds = ask(scorer, path)
    lab.check("a part of the model's quality: the same", status == 503 and "being computed" in body["detail"] and retry and seconds < SLOW_S, (status, body, seconds))
    lab.wait("… then 200", lambda: ask(scorer, path)[0] == 200, 90, scorer)
    lab.sql(figures.url, "UPDATE attrition.daily_figures SET computed_at = computed_at - interval '1 hour'")
    lab.wait("those of before are shown, and it is said that they are", lambda: (answer := ask(scorer, path))[0] == 200 and answer[1]["is_current"] is False, 30, scorer)
    figures.pace(0)
    lab.wait("then those of now", lambda: ask(scorer, path)[1].get("is_current") is True, 90, scorer)


def failing(lab, scorer, figures):
    figures.pace(0, fails=True)
    lab.sql(figures.url, FORGET)
    figures.reset()
    said = lambda: re.findall(r"computing the groups of the day: .*", scorer.text())
    began = time.monotonic()
    answers = [ask(scorer) for _ in range(20)]
    lab.check("a computation that fails: 503 that says so", all(status == 503 and "could not be computed" in body["detail"] and "log" in body["detail"] and retry for status, body, retry, _ in answers), answers[0])
    lab.check("it is not begun at each question", 1 <= figures.begun() <= 1 + (time.monotonic() - began) // PAUSE_S, (figures.begun(), round(time.monotonic() - began, 1)))
    lab.wait("the log says why", lambda: said() and all("no luck today" in line and "P0001" in line for line in said()), 10, scorer)
    lab.wait("it is begun again after a pause", lambda: ask(scorer) and figures.begun() >= 2, 40, scorer)
    lab.check("of ten seconds", time.monotonic() - began >= PAUSE_S, round(time.monotonic() - began, 1))
    lab.wait("a line for each failure", lambda: len(said()) == figures.begun(), 10, scorer)
    figures.pace(0)
    lab.wait("and 200 once it succeeds", lambda: is_current(scorer), 90, scorer)


def killed(lab, scorer, figures):
    figures.pace(60)
    lab.sql(figures.url, FORGET)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, scorer)
        lab.need("it is computed", figures.computing, 20, scorer)
        kill_postgres(lab)
        lab.equal("PostgreSQL killed meanwhile: 503", asked.result()[0], 503)
    lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg", "-c", "fsync=off")
    figures.pace(0)
    lab.wait("it recovers by itself", lambda: is_current(scorer), 60, scorer)
    lab.equal("the log says it once", len(re.findall("is unavailable while computing the groups of the day", scorer.text())), 1)


def ending(lab, scorer, figures):
    figures.pace(60)
    lab.sql(figures.url, FORGET)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, scorer)
        lab.need("it is computed", figures.computing, 20, scorer)
        began = time.monotonic()
        lab.equal("TERM while it is computed", scorer.end(50), 0)
        lab.check("in time", time.monotonic() - began < 45, round(time.monotonic() - began, 1))
        lab.equal("who waited gets 503", asked.result()[0], 503)
    lab.wait("PostgreSQL goes on with nothing", lambda: not figures.computing(), 10)


with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    broker = lab.embedded_broker()
    url = lab.postgres()
    for text in ("CREATE USER api_writer IN ROLE attrition_writer", PEOPLE, SLOW):
        lab.sql(url, text)
    figures = Figures(lab, url)
    scorer = lab.scorer("scorer", "--roles=http", KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=url.replace("user=postgres", "user=api_writer"), DATABASE_READ_URL=url, DELIVERY="at-least-once")
    lab.ready(scorer)
    missing(lab, scorer, figures)
    stale(lab, scorer, figures)
    quality(lab, scorer, figures)
    failing(lab, scorer, figures)
    killed(lab, scorer, figures)
    ending(lab, scorer, figures)
