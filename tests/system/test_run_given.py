#!/usr/bin/env python3
"""`make run` with what a user has already: servers that do not answer, a Kafka without topics, an MLflow server whose alias is somebody
else's, a model with large contributions; and what it prints for looking further. It leaves all of it as it was."""
# Runs alone: `make run` listens where users expect it, and must leave no directory behind.
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
import warnings
from decimal import ROUND_HALF_EVEN, Decimal

from lab import BIN, Lab, ibm_table
from make_run import check_ended_well, left_behind, make_run, most_at_risk, numbers, silent_port, start_run
from mlflow_server import QUIET, start_server

warnings.filterwarnings("ignore")
os.environ.update(QUIET)
IN_SECONDS = 60  # with make's own look at packages and programs, on a machine that does other things too
PARTITIONS = 6
WEIGHTS = {"Age": (1.5, 36.5), "YearsAtCompany": (-12.0, 7.5), "MonthlyIncome": (0.0625, 6502.5)}  # weight, mean of training: no value is one


def check_refusals(lab):
    """What was given and cannot be used: one clear message, in seconds, and nothing is started or trained."""
    silent = f"127.0.0.1:{silent_port()}"
    for what, env, *patterns in (
            ("a broker that is not there", {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "no broker answers", "127.0.0.1:1", "embedded broker"),
            ("a broker that is silent", {"KAFKA_BOOTSTRAP_SERVERS": silent}, "no broker answers", silent, "embedded broker"),
            ("a broker without an address", {"KAFKA_BOOTSTRAP_SERVERS": "kafka.invalid:9092"}, "no broker answers", "kafka.invalid", "embedded broker"),
            ("a broker and an MLflow server that are silent", {"KAFKA_BOOTSTRAP_SERVERS": silent, "MLFLOW_TRACKING_URI": f"http://{silent}"}, "no broker answers"),
            ("a database that is not there", {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "DATABASE_URL", "refused"),
            ("a model that is not there", {"MODEL_URI": "models:/sk@champion"}, "models:/sk@champion cannot be used"),
            ("a version that is not there", {"MODEL_URI": "models:/sk/7"}, "MODEL_URI=models:/sk/7 cannot be used"),
            ("an MLflow server that is silent", {"MLFLOW_TRACKING_URI": f"http://{silent}"}, "cannot be used .see above.: train"),
    ):
        began = time.monotonic()
        status, out = make_run(lab, IN_SECONDS, **env)
        lab.check(f"{what}: it fails, in seconds", status, f"status {status} after {time.monotonic() - began:.1f} s")
        lab.one_line(f"{what}: one clear line", out, *patterns)
        lab.equal(f"{what}: lines of its own", len(re.findall(r"^run: ", out, re.M)), 1)
        lab.check(f"{what}: nothing is trained or started", "training" not in out and "Scorer:" not in out)


# --- a Kafka without topics ---

def without_topics(lab):
    """A broker that makes none by itself."""
    return lab.kafka(topics=("somebody-elses",))


def sizes(kafka):
    from confluent_kafka.admin import AdminClient
    found = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=120).topics
    return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("_")}


def documented_order(lab, kafka):
    """README's steps, one too early: each names the command that makes the topics; after it all of them work."""
    lab.env.update(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=lab.postgres())
    people = lab.employees(500)
    lab.model()
    status, _, err = lab.run(BIN / "producer", "backfill", people, seconds=IN_SECONDS)
    lab.equal("no topics: the producer ends with status 1", status, 1)
    lab.one_line("… and names what makes them", err, "employee-events does not exist", "scorer check --create-topics")
    early = lab.scorer("early")
    lab.wait("no topics: the scorer ends by itself", lambda: not early.alive(), IN_SECONDS)
    lab.equal("… with status 1", early.popen.poll(), 1)
    lab.one_line("… and names what makes them", early.text(), "error", "employee-events does not exist", "scorer check --create-topics")
    status, out, _ = lab.run(BIN / "scorer", "check", seconds=IN_SECONDS)
    lab.equal("check alone: status 1, nothing is made", (status, sizes(kafka)), (1, {"somebody-elses": 4}))
    lab.one_line("… and names what makes them", out, "wrong", "employee-events does not exist", "scorer check --create-topics")

    status, out, _ = lab.run(BIN / "scorer", "check", "--create-topics", "--partitions", PARTITIONS, seconds=IN_SECONDS)
    lab.equal("check --create-topics: exit status", status, 0)
    lab.one_line("… the input topic is made", out, rf"employee-events, {PARTITIONS} partitions, made just now")
    names = ("attrition-alerts", "attrition-outcomes", "attrition-predictions", "attrition-scorer-state", "employee-events", "employee-events-dlq")
    lab.equal("… all topics, with as many partitions", sizes(kafka), {"somebody-elses": 4, **dict.fromkeys(names, PARTITIONS)})
    scorer = lab.scorer()
    lab.ready(scorer)
    status, out, err = lab.run(BIN / "producer", "backfill", "--wait", people)
    lab.equal("backfill --wait: exit status", status, 0)
    lab.equal("… scored, unaccounted for", [numbers(out).get(name) for name in ("scored", "unaccounted for")], [500, 0])
    lab.equal("the scorer ends with status 0", scorer.end(), 0)
    lab.env.pop("KAFKA_BOOTSTRAP_SERVERS")
    lab.env.pop("DATABASE_URL")


# --- a model with large contributions, somebody's database, a run that stays ---

def large_contributions(lab):
    """A file whose reasons are far above 10: the sums of each are known from the table."""
    import onnx
    names = list(WEIGHTS)
    make, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    inputs = [info(name, onnx.TensorProto.FLOAT, [None, 1]) for name in names]
    weights = [weight for weight, _ in WEIGHTS.values()]
    nodes = [make("Concat", names, ["X"], axis=-1),
             make("LinearClassifier", ["X"], ["label", "shares"], domain="ai.onnx.ml", coefficients=[-w for w in weights] + weights, intercepts=[0.0, 0.0],
                  post_transform="LOGISTIC", classlabels_strings=["No", "Yes"])]
    graph = onnx.helper.make_graph(nodes, "g", inputs, [info("label", onnx.TensorProto.STRING, [None]), info("shares", onnx.TensorProto.FLOAT, [None, 2])])
    model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 15), onnx.helper.make_opsetid("ai.onnx.ml", 3)])
    reference = {"kind": "linear", "columns": {name: mean for name, (_, mean) in WEIGHTS.items()}}
    onnx.helper.set_model_props(model, {"attrition.reference": json.dumps(reference)})
    path = lab.dir / "large.onnx"
    onnx.save(model, str(path))
    return path


def printed(feature, value):
    """As a contribution is to be printed."""
    weight, mean = (Decimal(number) for number in WEIGHTS[feature])
    return f"{(weight * (value - mean)).quantize(Decimal('0.01'), ROUND_HALF_EVEN):+}"


def check_contributions(lab, out):
    """Every contribution of the ten most at risk, from the value that stands beside it."""
    lines = most_at_risk(out)
    labels = {"Age": "Age", "Years at the company": "YearsAtCompany", "Monthly income": "MonthlyIncome"}
    found = [(labels[label], Decimal(value), text) for line in lines for label, value, text in
             re.findall(r"(Age|Years at the company|Monthly income): (\d+) \(([^)]*)\)", line)]
    lab.equal("large contributions: ten employees with three each", (len(lines), len(found)), (10, 30))
    lab.equal("… that are not what they should be", [(f, v, text) for f, v, text in found if text != printed(f, v)], [])
    large = [text for *_, text in found if abs(Decimal(text)) >= 10]
    lab.check("… ten and more among them, a hundred and more", large and any(abs(Decimal(text)) >= 100 for text in large), sorted(large)[:5])
    lab.check("… and nothing is #", "#" not in "".join(lines))


def answers(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def addresses(out):
    """In what stands below the summary: servers and files of the run."""
    below = out.split("\nSummary\n")[1]
    return re.findall(r"127\.0\.0\.1:\d+", below), re.findall(r"/tmp/attrition-run\.\w+[^ '\"&]*", below)


def gone(lab, what, out):
    servers, files = addresses(out)
    lab.equal(f"{what}: addresses at its end of what is gone", [one for one in servers if not answers(one)] + [one for one in files if not os.path.exists(one)], [])


def until(lab, what, log, run, text, seconds=240):
    lab.need(what, lambda: text in log.read_text(errors="replace") or run.poll() is not None, seconds)
    return log.read_text(errors="replace")


def check_staying(lab, model):
    """Without ONCE: what is printed works, until Ctrl-C."""
    log = lab.dir / "staying.out"
    run = start_run(lab, log, MODEL_URI=model)
    out = until(lab, "a run that stays says so", log, run, "Running until Ctrl-C", 300)
    check_contributions(lab, out)
    gone(lab, "a run that stays", out)
    pages = re.findall(r"http://127\.0\.0\.1:\d+/\w*", out.split("To look further")[1])
    lab.check("a run that stays: page, health and counters answer", len(pages) == 3 and all(urllib.request.urlopen(page, timeout=120).status == 200 for page in pages), pages)
    for query in re.findall(r"^  (psql .*)$", out, re.M):
        status, rows, err = lab.run("bash", "-c", query)
        lab.check("a run that stays: its query answers", status == 0 and rows, err or rows.splitlines()[0])
    command = re.search(r"Send more with: (.*) FILE\.csv$", out, re.M)[1]
    status, said, _ = lab.run("bash", "-c", f"{command} --wait {lab.employees(100)}")
    lab.equal("a run that stays: what sends more works", (status, numbers(said).get("scored")), (0, 100))
    os.killpg(run.pid, signal.SIGINT)
    lab.check("Ctrl-C ends it", run.wait(IN_SECONDS), run.returncode)
    lab.check("… and no address is printed after it", not re.search(r"127\.0\.0\.1", log.read_text().split("Running until Ctrl-C")[1].split("\n", 1)[1]))


def check_missing(lab, model):
    """Rows that the database does not take: status 1, and as all ends, no address of it, without ONCE too."""
    url = lab.postgres("pg-locked")
    log = lab.dir / "missing.out"
    run = start_run(lab, log, MODEL_URI=model, DATABASE_URL=url, STALL_LIMIT=3, RATE=1000)  # time to take the lock
    until(lab, "a database that will take no rows: the scorer is ready", log, run, "Scorer:      ready")
    lock = subprocess.Popen(["psql", "-Xqc", "begin; lock attrition.predictions in exclusive mode; select pg_sleep(300)", url], stdout=subprocess.DEVNULL, env=lab.env)
    try:
        status = run.wait(300)
    finally:
        lock.terminate()
        lock.wait()
    out = log.read_text(errors="replace")
    lab.check("… it ends with another status than 0", status, status)
    lab.equal("… and with the numbers", (numbers(out).get("sent"), numbers(out).get("unaccounted for", 0) > 0), (5000, True))
    lab.one_line("… what stood still", out, "nothing moved for 3 s", "5000 events sent")
    lab.check("… it says how to look at what the database has", "sql/psql -c" in out)
    lab.equal("… and no address of its own", re.findall(r"http://\S+|embedded broker at", out.split("\nSummary\n")[1].split("the last lines of the scorer's log")[0]), [])


# --- an MLflow server with somebody's alias ---

def logged_by_python(lab, url):
    """A scikit-learn pipeline under models:/sk@champion, as its owner made it."""
    import mlflow
    import numpy
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    mlflow.set_tracking_uri(url)
    random = numpy.random.default_rng(1)
    table = pandas.DataFrame({"Age": random.uniform(18, 60, 200), "MonthlyIncome": random.uniform(1000, 20000, 200)})
    labels = numpy.where(table["Age"] + random.normal(0, 9, 200) < 32, "Yes", "No")
    from sklearn.compose import ColumnTransformer
    model = make_pipeline(ColumnTransformer([("numbers", StandardScaler(), list(table))]), LogisticRegression()).fit(table, labels)
    file = to_onnx(model, initial_types=[(name, DoubleTensorType([None, 1])) for name in table], options={"zipmap": False})
    mlflow.set_experiment("by-python")
    with mlflow.start_run():
        mlflow.onnx.log_model(file, name="model", registered_model_name="sk")
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("sk", "champion", "1")
    return client


def everything(client):
    """Models with their aliases and versions, and all runs."""
    models = {model.name: (dict(model.aliases), sorted(version.version for version in client.search_model_versions(f"name='{model.name}'")))
              for model in client.search_registered_models()}
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return models, sorted(run.info.run_id for run in client.search_runs(experiments))


def check_alias(lab, client, table):
    """The alias stays where its owner put it, and nothing is trained, whatever data are sent."""
    wanted = everything(client)
    lab.equal("the server before", {name: ({alias: str(version) for alias, version in aliases.items()}, len(versions)) for name, (aliases, versions) in wanted[0].items()},
              {"sk": ({"champion": "1"}, 1)})
    employees = len(table.read_text(encoding="utf-8-sig").splitlines()) - 1
    status, out = make_run(lab, MODEL_URI="models:/sk@champion", DATA=table)
    check_ended_well(lab, "models:/sk@champion, labelled data", status, out, employees)
    lab.one_line("… it says that nothing is trained over it", out, "models:/sk@champion as it is", "MODEL_URI given")
    lab.one_line("… its model has scored", out, "At risk", "by model sk version 1$")
    gone(lab, "models:/sk@champion, labelled data", out)
    lab.check("… nothing was trained", "training" not in out.lower().replace("trained", ""), "")
    lab.equal("… aliases, versions and runs are as they were", everything(client), wanted)
    for what, env in (("an alias that nobody has", {"MODEL_URI": "models:/sk@nobody"}), ("a model that is not there", {"MODEL_URI": "models:/other@champion"}),
                      ("no model named, none of the default name there", {})):
        status, out = make_run(lab, IN_SECONDS, DATA=table, **env)
        lab.check(f"{what}: it fails, in seconds", status, status)
        lab.one_line(f"{what}: one clear line", out, "^run: " + env.get("MODEL_URI", "models:/attrition@production"), "cannot be used", "train or promote")
        lab.equal(f"{what}: aliases, versions and runs are as they were", everything(client), wanted)


with Lab() as lab:
    before = left_behind()
    check_refusals(lab)
    kafka = without_topics(lab)
    documented_order(lab, kafka)
    lab.stop_kafka()
    model = large_contributions(lab)
    check_staying(lab, model)
    check_missing(lab, model)
    lab.env["MLFLOW_TRACKING_URI"] = start_server(lab)
    check_alias(lab, logged_by_python(lab, lab.env["MLFLOW_TRACKING_URI"]), ibm_table())
    lab.equal("processes and directories left behind", [name for name in left_behind() if name not in before], [])
