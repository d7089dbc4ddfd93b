#!/usr/bin/env python3
"""trainer train --search: the rounds of successive halving as runs nested in the one they end in, figures that the same parameters get without a
search, a search that is killed and goes on, in a directory and on a real MLflow server, and what is refused."""
import math
import os
import re
import shutil
import signal
import subprocess
import time
import warnings

from lab import BIN, Lab, ibm_table
from mlflow_server import QUIET, await_server, start_server

warnings.filterwarnings("ignore")
os.environ.update(QUIET)
TRIALS = 10
LINE = re.compile(r"trial (\d+), round (\d+) of 2, (\d+) rows: log_loss ([\d.]+), roc_auc [\d.]+ with (.*?)( \(recorded before\))?$", re.M)


def search(lab, *more, status=0, env=None, kind="logistic-regression-l2"):
    code, out, err = lab.run(BIN / "trainer", "train", ibm_table(), "--model", kind, "--search", TRIALS, *more, env=env)
    lab.equal(f"{kind} {' '.join(map(str, more))}: status", code, status)
    return out, err


def read_dir(place):
    return {path.name: path.read_text() for path in place.iterdir()} if place.exists() else {}


def metas(root):
    """Of the runs that have their place: what is being built is below a name that starts with a dot."""
    return list(root.glob("[0-9]*/*/meta.yaml"))


def runs_of(root):
    """By id: tags, parameters, metrics; those that are finished are the ones to be seen."""
    return {place.parent.name: (read_dir(place.parent / "tags"), read_dir(place.parent / "params"),
                                {name: float(text.split()[1]) for name, text in read_dir(place.parent / "metrics").items() if not name.startswith("fold_")})
            for place in metas(root)}


def nested(runs):
    return {run: what for run, what in runs.items() if "mlflow.parentRunId" in what[0]}


def rounds(lab):
    """Ten trials by log loss: ten, then the best four and the one as given."""
    root = lab.dir / "whole"
    out, err = search(lab, env={"MLFLOW_TRACKING_URI": str(root)})
    lines = [(int(t), int(r), int(n), float(loss), drawn) for t, r, n, loss, drawn, _ in LINE.findall(err)]
    first, last = ([line for line in lines if line[1] == r] for r in (1, 2))
    best = {line[0] for line in sorted(first, key=lambda line: (line[3], line[0]))[:math.ceil(TRIALS / 3)]}
    lab.equal("first round: every trial, on a third of the rows", ([line[0] for line in first], {line[2] for line in first}), (list(range(TRIALS)), {490}))
    lab.equal("last round: the best, and trial 0, on all rows", ({line[0] for line in last}, {line[2] for line in last}), (best | {0}, {1470}))
    drawn = [float(line[4].removeprefix("C=")) for line in first]
    lab.check("C as given, then other values, of the stated space", drawn[0] == 1 and len(set(drawn)) == TRIALS and all(1e-3 <= c <= 100 for c in drawn), drawn)
    chosen = min(last, key=lambda line: line[3])
    lab.one_line("the least log loss of the last round is chosen", out, rf"trial {chosen[0]} of 10 was chosen: .*{re.escape(chosen[4])}$")

    runs = runs_of(root)
    children, parents = nested(runs), [run for run in runs if run not in nested(runs)]
    lab.equal("a run a trial and round, nested in the one run", (len(children), {tags["mlflow.parentRunId"] for tags, _, _ in children.values()}),
              (len(lines), set(parents)))
    lab.equal("their places in the search", sorted((int(t["search.trial"]), int(t["search.round"])) for t, _, _ in children.values()), sorted(line[:2] for line in lines))
    lab.equal("the run has what was chosen", (runs[parents[0]][1]["C"], runs[parents[0]][1]["search"]), (chosen[4].removeprefix("C="), str(TRIALS)))
    card = next(root.glob("*/*/artifacts/model_card.md")).read_text()
    page = next(root.glob("*/*/artifacts/report.html")).read_text()
    lab.check("card and page show every trial", all(f"| {line[4]} |" in card and f">{line[4]}<" in page for line in first))
    lab.equal("compare shows the run, not its trials", len(lab.must(BIN / "trainer", "compare", env={"MLFLOW_TRACKING_URI": str(root)}).splitlines()), 2)
    return runs, chosen


def same_without(lab, runs, chosen):
    """A trial's figures are those of a training with its parameters; its folds are those of the next seed."""
    root = lab.dir / "plain"
    for number in (chosen[0], 0):
        tags, params, metrics = next(r for r in nested(runs).values() if (r[0]["search.trial"], r[0]["search.round"]) == (str(number), "2"))
        lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--param", f"C={params['C']}", "--seed", 1,
                 env={"MLFLOW_TRACKING_URI": str(root / str(number))})
        theirs = next(iter(runs_of(root / str(number)).values()))[2]
        off = max(abs(theirs[name] - value) for name, value in metrics.items())
        lab.check(f"trial {number}: {len(metrics)} metrics as without a search", len(metrics) == 10 and off <= 1e-12, off)


def experiments(lab):
    """The same search in two experiments: two runs with trials of their own, each the run of its version."""
    root = lab.dir / "experiments"
    env = {"MLFLOW_TRACKING_URI": str(root)}
    for name in ("a", "b"):
        lab.must(BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--search", 3, "--experiment", name, env=env)
    runs = runs_of(root)
    parents = [run for run in runs if run not in nested(runs)]
    versions = [re.search(r"^run_id: \W?(\w+)", meta.read_text(), re.M)[1] for meta in root.glob("models/*/version-*/meta.yaml")]
    lab.equal("two experiments, two runs, each of a version", (len(runs), sorted(versions)), (2 * (len(nested(runs)) // 2 + 1), sorted(parents)))
    lab.equal("trials are nested in their experiment's run", {place.parents[1].name: (place / "mlflow.parentRunId").read_text() for place in root.glob("*/*/tags")
              if (place / "mlflow.parentRunId").exists()}, {next(root.glob(f"*/{run}")).parent.name: run for run in parents})


def trees(lab):
    """A trial's count of trees is found in each of its fits: it has none to show."""
    root = lab.dir / "trees"
    lab.must(BIN / "trainer", "train", ibm_table(), "--model", "gradient-boosting", "--param", "learning_rate=0.3", "--search", 1, env={"MLFLOW_TRACKING_URI": str(root)})
    runs = runs_of(root)
    shown = {"trial" if run in nested(runs) else "run": params["n_estimators"] for run, (_, params, _) in runs.items()}
    lab.check("boosting: a trial's n_estimators is auto, the run's a number", shown["trial"] == "auto" and int(shown["run"]) > 0, shown)


def killed(lab, whole):
    """In a directory: it goes on after the trials that are there, and ends in the same model."""
    root = lab.dir / "killed"
    env = {**os.environ, **lab.env, "MLFLOW_TRACKING_URI": str(root)}
    for _ in range(5):  # this process may have stood still until the search had ended
        shutil.rmtree(root, ignore_errors=True)
        process = subprocess.Popen([BIN / "trainer", "train", ibm_table(), "--model", "logistic-regression-l2", "--search", str(TRIALS)], env=env, cwd=lab.dir,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(runs_of(root)) < 3 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = runs_of(root)
        if len(before) < 14:
            break
    lab.check("killed between trials", 3 <= len(before) < 14 and len(nested(before)) == len(before), len(before))
    code, _, err = lab.run(BIN / "trainer", "compare", env={"MLFLOW_TRACKING_URI": str(root)})
    lab.equal("compare of trials alone", (code, "no runs but trials of a search that has not ended" in err), (1, True))
    for option, value in (("--null-values", "NA"), ("--repeats", 2)):
        other = lab.dir / f"killed{option}"
        shutil.copytree(root, other)
        _, err = search(lab, option, value, env={"MLFLOW_TRACKING_URI": str(other)})
        lab.check(f"with {option} it is another search", "recorded before" not in err and len(LINE.findall(err)) == len(nested(whole)), err[-200:])
    _, err = search(lab, env={"MLFLOW_TRACKING_URI": str(root)})
    after = runs_of(root)
    lab.equal("those recorded are read back, no others", sum(bool(line[5]) for line in LINE.findall(err)), len(before))
    figures = lambda runs: sorted((t["search.trial"], t["search.round"], p["C"], sorted(m.items())) for t, p, m in nested(runs).values())
    lab.equal("the same trials with the same figures, once each", figures(after), figures(whole))
    lab.equal("the same model file", *({t["model.sha256"] for t, _, _ in runs.values() if "model.sha256" in t} for runs in (after, whole)))
    shutil.rmtree(root / "models")
    _, err = search(lab, env={"MLFLOW_TRACKING_URI": str(root)})
    version = next(root.glob("models/*/version-1/meta.yaml")).read_text()
    lab.equal("killed before it was registered: it goes on with that", (sum(bool(line[5]) for line in LINE.findall(err)), set(runs_of(root)) == set(after),
              [run in version for run in after if run not in nested(after)]), (len(nested(after)), True, [True]))
    _, err = search(lab, env={"MLFLOW_TRACKING_URI": str(root)})
    lab.check("the same command after the end searches again", "recorded before" not in err and len(runs_of(root)) == 2 * len(after), len(runs_of(root)))
    for meta in metas(root):
        meta.write_text(meta.read_text().replace("lifecycle_stage: active", "lifecycle_stage: deleted"))
    _, err = search(lab, env={"MLFLOW_TRACKING_URI": str(root)})
    lab.check("after its runs were deleted too", "recorded before" not in err and len(runs_of(root)) == 3 * len(after), len(runs_of(root)))


def on_server(lab, url):
    import mlflow
    client = mlflow.MlflowClient(url, url)
    lab.env.update(XDG_CACHE_HOME=str(lab.dir / "cache"), KEEP_DIR=str(lab.dir / "kept"))
    env = {**os.environ, **lab.env, "MLFLOW_TRACKING_URI": url}
    listed = lambda: [run for e in client.search_experiments() for run in client.search_runs([e.experiment_id])]
    process = subprocess.Popen([BIN / "trainer", "train", ibm_table(), "--model", "random-forest", "--param", "n_estimators=20", "--search", str(TRIALS)], env=env, cwd=lab.dir,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(listed()) < 4 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {run.info.run_id for run in listed() if run.info.status == "FINISHED"}
    _, err = search(lab, "--param", "n_estimators=20", env={"MLFLOW_TRACKING_URI": url}, kind="random-forest")
    runs = listed()
    parent = client.get_run(client.get_model_version_by_alias("attrition", "production").run_id)
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    lab.check("server: what was finished is read back", 0 < len(done) <= err.count("(recorded before)") < 12, f"{len(done)} {err.count('(recorded before)')}")
    lab.equal("server: one run and its trials, all finished, none doubled", (len(runs), {run.info.status for run in runs},
              len({(run.data.tags["search.trial"], run.data.tags["search.round"]) for run in children})), (len(children) + 1, {"FINISHED"}, len(children)))
    best = min((run for run in children if run.data.tags["search.round"] == "2"), key=lambda run: run.data.metrics["log_loss"])
    lab.equal("server: the best was chosen", {name: parent.data.params[name] for name in ("max_depth", "max_features", "min_samples_leaf")},
              {name: best.data.params[name] for name in ("max_depth", "max_features", "min_samples_leaf")})


def failed_on_server(lab, url):
    """The fit fails after the trials: the run says so; the same command fails again, in the same run."""
    import mlflow
    client = mlflow.MlflowClient(url, url)
    for _ in range(2):
        _, err = search(lab, "--param", "max_iter=1", "--experiment", "fails", status=1, env={"MLFLOW_TRACKING_URI": url})
        lab.one_line("server: no optimum is found", err, "no optimum found within 1 iterations")
    runs = client.search_runs([client.get_experiment_by_name("fails").experiment_id])
    lab.equal("server: a search that failed", [run.info.status for run in runs if "mlflow.parentRunId" not in run.data.tags], ["FAILED"])


def refusals(lab):
    for args, status, named in ((("--search", 0), 2, r"--search must be an integer \(1 to 1000\), not '0'"), (("--search", "many"), 2, "1 to 1000"),
                                (("--search", 5, "--model", "logistic-regression"), 1, "logistic-regression has nothing to search"),
                                (("--search", 5, "--param", "C=1"), 1, "nothing to search that --param does not give"),
                                (("--search", 5, "--model", "forest"), 2, "give logistic-regression, .*random-forest or gradient-boosting"),
                                (("--search", 5, "--tag", "search.key=1"), 2, "another key")):
        code, _, err = lab.run(BIN / "trainer", "train", ibm_table(), *(() if "--model" in args else ("--model", "logistic-regression-l2")), *args, "--out", "x.onnx")
        lab.equal(f"{' '.join(map(str, args))}: status", code, status)
        lab.one_line(f"{' '.join(map(str, args))}: says why", err, named)
    code, _, err = lab.run(BIN / "trainer", "retrain", "--model", "random-forest", "--search", 5)
    lab.equal("retrain has no search", code, 2)


def main():
    with Lab() as lab:
        url = start_server(lab, wait=False)
        runs, chosen = rounds(lab)
        same_without(lab, runs, chosen)
        experiments(lab)
        trees(lab)
        killed(lab, runs)
        refusals(lab)
        await_server(lab)
        on_server(lab, url)
        failed_on_server(lab, url)


main()
