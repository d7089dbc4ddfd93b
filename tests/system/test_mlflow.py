#!/usr/bin/env python3
"""A real MLflow server and our programs: what the trainer logs is seen and loaded from Python, what Python logs is promoted and
scored by us, a server that becomes unavailable in mid-run, a scorer that follows its alias through an outage, and our directory as MLflow's own
file store."""
import http.server
import json
import os
import threading
import urllib.error
import urllib.request
import warnings
from pathlib import Path

from lab import BIN, ROOT, VENV, Lab
from mlflow_server import QUIET, start_server, stop_server

warnings.filterwarnings("ignore")
os.environ.update(QUIET)


class CutOff(http.server.ThreadingHTTPServer):
    """Passes so many requests on, then closes every connection."""
    daemon_threads = True

    def __init__(self, to, most):
        super().__init__(("127.0.0.1", 0), CutOffHandler)
        self.to, self.left = to, most
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class CutOffHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def pass_on(self):
        self.server.left -= 1
        if self.server.left < 0:
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        kind = {"Content-Type": self.headers["Content-Type"]} if self.headers["Content-Type"] else {}
        request = urllib.request.Request(self.server.to + self.path, body, kind, method=self.command)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as refused:
            answer = refused
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on


def train(lab, data, *more, **env):
    return lab.run(BIN / "trainer", "train", data, "--model", "logistic-regression-l2", *more, env=env)


def seen_from_python(lab, client):
    import mlflow
    version = client.get_model_version_by_alias("attrition", "production")
    run = client.get_run(version.run_id)
    lab.equal("the run is finished", run.info.status, "FINISHED")
    lab.check("its metrics are there", 0.5 < run.data.metrics["roc_auc"] <= 1, run.data.metrics["roc_auc"])
    folds = client.get_metric_history(version.run_id, "fold_roc_auc")
    lab.equal("every fold is a step", sorted({fold.step for fold in folds}), list(range(len(folds))))
    lab.check("its artifacts are there", {"model/MLmodel", "model/model.onnx"} <=
              {item.path for item in client.list_artifacts(version.run_id, "model")})
    loaded = mlflow.onnx.load_model("models:/attrition@production")
    lab.check("mlflow.onnx loads it", len(loaded.graph.node) > 0, f"{len(loaded.graph.node)} nodes")
    return version, loaded


def predicts(lab, loaded, employee):
    """pyfunc with a dict of arrays beside `scorer score` on the same employee."""
    import mlflow
    import numpy
    arrays = {}
    for graph_input in loaded.graph.input:
        value, text = employee[graph_input.name], graph_input.type.tensor_type.elem_type == 8
        arrays[graph_input.name] = numpy.array([[value]], dtype=object if text else
                                               numpy.float64 if graph_input.type.tensor_type.elem_type == 11 else numpy.float32)
    answer = mlflow.pyfunc.load_model("models:/attrition@production").predict(arrays)
    python = [numpy.asarray(value).ravel()[-1] for value in answer.values() if numpy.asarray(value).dtype.kind == "f"][-1]
    ours = json.loads(lab.must(BIN / "scorer", "score", input=json.dumps(employee) + "\n"))
    lab.check("pyfunc and the scorer give the same", abs(python - ours["probability"]) < 1e-9, f"{python} {ours['probability']}")


def described(lab, employee):
    """The signature, a DataFrame as input, and nothing to complain about when it is loaded."""
    import logging
    import mlflow
    import pandas
    complaints = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: complaints.append(record.getMessage())
    logging.getLogger("mlflow").addHandler(handler)
    info = mlflow.models.get_model_info("models:/attrition@production")
    model = mlflow.pyfunc.load_model("models:/attrition@production")
    lab.check("pyfunc loads it without a warning", not complaints, complaints or "")
    inputs = {column.name: str(column.type) for column in info.signature.inputs.inputs}
    lab.check("get_model_info knows the inputs by name and type", (inputs["Age"], inputs["OverTime"]) == ("float64", "object")
              and len(info.signature.outputs.inputs) == 2, f"{len(inputs)} inputs")
    frame = model.predict(pandas.DataFrame([employee, employee]))
    ours = json.loads(lab.must(BIN / "scorer", "score", input=json.dumps(employee) + "\n"))["probability"]
    lab.check("pyfunc takes a DataFrame", abs(frame["probabilities"][1][1] - ours) < 1e-9, f"{frame['probabilities'][1]} {ours}")
    files = {path.name for path in Path(mlflow.artifacts.download_artifacts("models:/attrition@production")).iterdir()}
    lab.check("packages and golden rows lie beside it", {"requirements.txt", "conda.yaml", "python_env.yaml", "golden.json"} <= files)


def from_python(lab, client, employee):
    """A scikit-learn pipeline, logged, registered and promoted by Python's side of MLflow, then by ours."""
    import mlflow
    import numpy
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    import pandas
    columns = ["Age", "MonthlyIncome"]
    random = numpy.random.default_rng(1)
    table = pandas.DataFrame({"Age": random.uniform(18, 60, 200), "MonthlyIncome": random.uniform(1000, 20000, 200)})
    labels = numpy.where(table["Age"] + random.normal(0, 9, 200) < 32, "Yes", "No")
    model = make_pipeline(ColumnTransformer([("numbers", StandardScaler(), columns)]), LogisticRegression()).fit(table, labels)
    file = to_onnx(model, initial_types=[(name, DoubleTensorType([None, 1])) for name in columns], options={"zipmap": False})
    mlflow.set_experiment("by-python")
    with mlflow.start_run():
        mlflow.onnx.log_model(file, name="model", registered_model_name="python")
    lab.must(BIN / "registry", "promote", "python", "1", "--alias", "production")
    lab.equal("Python sees our alias", str(client.get_model_version_by_alias("python", "production").version), "1")
    scored = json.loads(lab.must(BIN / "scorer", "score", "--model", "models:/python@production", input=json.dumps(employee) + "\n"))
    wanted = model.predict_proba(pandas.DataFrame([{name: float(employee[name]) for name in columns}]))[0, 1]
    lab.check("a model logged by Python is scored", abs(scored["probability"] - wanted) < 1e-6, f"{scored['probability']} {wanted}")


def down_in_mid_run(lab, client, data, url):
    """Cut off while logging, while sending files, and while registering."""
    for most in (3, 7, 16):
        before = len(client.search_model_versions("name='attrition'"))
        cut = CutOff(url, most)
        status, _, err = train(lab, data, "--promote", MLFLOW_TRACKING_URI=cut.url)
        cut.shutdown()
        cut.server_close()
        lab.equal(f"cut off after {most} requests: status 1", status, 1)
        lab.one_line("and the run is kept", err, "kept", "registry sync")
        out = lab.must(BIN / "registry", "sync")
        lab.check("sync sends it once", out.count("kept run") == 1 and "no kept runs" in lab.must(BIN / "registry", "sync"), out)
        versions = client.search_model_versions("name='attrition'")
        lab.equal("one version more", len(versions), before + 1)
        running = client.search_runs(client.get_experiment_by_name("attrition").experiment_id, "attributes.status != 'FINISHED'")
        lab.equal("no run is left half", len(running), 0)


def moves(lab):
    lab.must(BIN / "registry", "promote", "attrition", "1")
    out = lab.must(BIN / "registry", "rollback", "attrition")
    lab.one_line("rollback goes to the version before", out, "version 4 now")
    lab.one_line("the history says who", lab.must(BIN / "registry", "show", "attrition"), "history.production", "rollback")
    status, _, err = lab.run(BIN / "registry", "promote", "attrition", "99")
    lab.check("a missing version is refused", status == 1 and "no version 99" in err, err.strip())


def model_of(scorer):
    body = scorer.get("/health")[1]
    return json.loads(body)["model"] if body.startswith("{") else {}


def in_use(scorer, version):
    return lambda: model_of(scorer).get("version") == version


def scores(lab, scorer, employee, what):
    """Over HTTP, without the log."""
    request = urllib.request.Request(f"http://{scorer.http}/predict?log=false", json.dumps({"attributes": employee}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        found = json.loads(answer.read())
    return lab.check(what, 0 < found["probability"] < 1, f"version {found['model']['version']}: {found['probability']}")


def daemon(lab, client, employee, url):
    """A scorer that runs on: an alias moved in Python, the server unavailable and back, a start from the cache."""
    broker = lab.embedded_broker()
    settings = {"KAFKA_BOOTSTRAP_SERVERS": broker, "DELIVERY": "at-least-once", "MODEL_POLL_INTERVAL": "200ms"}
    client.set_registered_model_alias("attrition", "production", "1")
    scorer = lab.scorer("follower", "--roles=http", **settings)
    lab.need("a scorer runs on what the server has", in_use(scorer, "1"), 30, scorer)
    client.set_registered_model_alias("attrition", "production", "2")
    lab.wait("it follows an alias that Python moved", in_use(scorer, "2"), 20, scorer)
    stop_server(lab)
    lab.wait("a server that is unavailable shows in /health", lambda: model_of(scorer).get("problem"), 30, scorer)
    lab.check("and the model stays in use", in_use(scorer, "2")(), model_of(scorer).get("problem"))
    scores(lab, scorer, employee, "it scores on")
    late = lab.scorer("late", "--roles=http", **settings)
    lab.wait("another starts from this host's cache", in_use(late, "2"), 40, late)
    lab.check("and says so", model_of(late).get("problem") and "the last this host had" in late.text(), model_of(late).get("problem"))
    scores(lab, late, employee, "it scores too")
    start_server(lab, url.rsplit(":", 1)[1], "mlflow-again")
    client.set_registered_model_alias("attrition", "production", "1")
    for process in (scorer, late):
        lab.wait(f"the server is back: {process.name} picks up", in_use(process, "1"), 30, process)
        lab.wait("with nothing to complain about", lambda: not model_of(process).get("problem"), 20, process)
        lab.equal("and ends in order", process.end(), 0)


def file_layout(lab, data):
    """Our directory opened, and migrated, by MLflow."""
    from mlflow.tracking import MlflowClient
    store = lab.dir / "layout"
    for more in ((), ("--param", "C=0.1")):
        train(lab, data, *more, MLFLOW_TRACKING_URI=str(store))
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    target = f"sqlite:///{lab.dir}/migrated.sqlite"
    lab.must(VENV / "bin/mlflow", "migrate-filestore", "--source", store, "--target", target, env=QUIET, seconds=200)

    def contents(uri):
        client = MlflowClient(uri, uri)
        experiment = client.get_experiment_by_name("attrition")
        runs = {run.info.run_id: (run.data.params, run.data.metrics, run.data.tags) for run in client.search_runs([experiment.experiment_id])}
        versions = sorted((str(version.version), version.run_id, sorted(version.tags.items()))
                          for version in client.search_model_versions("name='attrition'"))
        return runs, versions, str(client.get_model_version_by_alias("attrition", "production").version)

    ours, migrated = contents(str(store)), contents(target)
    lab.equal("MLflow opens the directory: runs, versions", (len(ours[0]), len(ours[1])), (2, 2))
    lab.check("and migrates it without a loss", ours == migrated)


def main():
    with Lab(STATE_TOPIC="none") as lab:
        lab.env.update(XDG_CACHE_HOME=str(lab.dir / "cache"), KEEP_DIR=str(lab.dir / "kept"))
        data = lab.employees(600)
        lines = data.read_text().splitlines()
        names, values = lines[0].split(","), lines[1].split(",")
        known = {field["name"]: field["type"] for field in
                 next(field for field in json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"]
                      if field["name"] == "attributes")["type"]["fields"]}
        employee = {name: value if '"string"' in json.dumps(known[name]) or "enum" in json.dumps(known[name]) else int(float(value))
                    for name, value in zip(names, values) if name in known}
        url = start_server(lab)
        lab.env["MLFLOW_TRACKING_URI"] = url
        status, _, err = train(lab, data)
        lab.check("the trainer registers over REST", status == 0, err.strip())
        import mlflow
        mlflow.set_tracking_uri(url)
        client = mlflow.MlflowClient(url, url)
        _, loaded = seen_from_python(lab, client)
        predicts(lab, loaded, employee)
        described(lab, employee)
        from_python(lab, client, employee)
        down_in_mid_run(lab, client, data, url)
        moves(lab)
        daemon(lab, client, employee, url)
        file_layout(lab, data)


main()
