"""A real MLflow server for the tests that need one."""
import os
import signal

from lab import VENV, free_port

QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true",
         "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def start_server(lab, port=None, name="mlflow", wait=True):
    """Its URL; with the port of one that was ended, it goes on with that one's data. lab.mlflow is the process."""
    port = port or free_port()
    server = lab.start(name, [VENV / "bin/mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", 1,
                              "--backend-store-uri", f"sqlite:///{lab.dir}/mlflow.sqlite", "--serve-artifacts",
                              "--artifacts-destination", lab.dir / "artifacts"],
                       {**QUIET, "PATH": f"{VENV}/bin:{os.environ['PATH']}"})
    server.http = f"127.0.0.1:{port}"
    lab.mlflow = server
    if wait:
        await_server(lab)
    return f"http://{server.http}"


def await_server(lab):
    lab.need("the MLflow server answers", lambda: lab.mlflow.get("/health", 2)[0] == 200, 240, lab.mlflow)


def stop_server(lab):
    """At once, with its workers."""
    os.killpg(lab.mlflow.popen.pid, signal.SIGKILL)
    lab.mlflow.popen.wait()
    lab.need("the MLflow server is gone", lambda: lab.mlflow.get("/health", 2)[0] == 0, 20)
