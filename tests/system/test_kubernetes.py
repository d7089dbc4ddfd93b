#!/usr/bin/env python3
"""deploy/kubernetes without a cluster: what its files say of each pod is held against the Pod Security Standard "restricted", the options that
there are, the commands that are installed and each other. `make manifests` renders them and validates them by the API's schemas."""
import re

from lab import BIN, ROOT, Lab
import yaml  # after lab, which goes on in the tests' own environment

HOME = ROOT / "deploy/kubernetes"
OPTIONS = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/CONFIGURATION.md").read_text()))


def documents():
    return [(file.relative_to(HOME), document) for file in sorted(HOME.rglob("*.yaml")) for document in yaml.safe_load_all(file.read_text())
            if isinstance(document, dict) and document["kind"] not in ("Kustomization", "Component")]


def merged(under, over):
    """As kustomize lays one over the other: objects by name, lists of what has names by them."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: merged(under.get(key), value) for key, value in over.items()}}
    if isinstance(under, list) and isinstance(over, list) and all("name" in item for item in under + over):
        names = {item["name"]: item for item in under}
        return list({**names, **{item["name"]: merged(names.get(item["name"]), item) for item in over}}.values())
    return over


def pods(found):
    """(name, the pod's spec)."""
    common = next(document for file, document in found if file.name == "common.yaml")["spec"]["template"]["spec"]
    for file, document in found:
        if document["kind"] == "StatefulSet" and file.name != "common.yaml":
            yield document["metadata"]["name"], merged(common, document["spec"]["template"]["spec"])
        elif document["kind"] == "Job":
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]
        elif document["kind"] == "CronJob":
            yield document["metadata"]["name"], document["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def restricted(lab, name, spec):
    container, = spec["containers"]
    security = container["securityContext"]
    lab.check(f"{name}: restricted", spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
              and not security["allowPrivilegeEscalation"] and security["capabilities"] == {"drop": ["ALL"]} and not {"hostNetwork", "hostPID", "hostIPC"} & set(spec))
    lab.check(f"{name}: writes only where a volume is, asks no API, has bounds", security["readOnlyRootFilesystem"] and not spec["automountServiceAccountToken"]
              and container["resources"]["limits"]["memory"] and all(volume.keys() & {"emptyDir", "secret", "persistentVolumeClaim"} for volume in spec["volumes"]))
    mounted, volumes = {mount["name"] for mount in container["volumeMounts"]}, {volume["name"] for volume in spec["volumes"]}
    lab.equal(f"{name}: each volume is mounted", mounted, volumes)
    names = {variable["name"] for variable in container.get("env", [])}
    lab.equal(f"{name}: options that there are", {option for option in names if option not in OPTIONS}, set())
    lab.equal(f"{name}: no secret is a value", [v["name"] for v in container.get("env", []) if re.search("(PASSWORD|TOKEN|DATABASE_URL|READ_URL)$", v["name"])], [])


def program(lab, name, container):
    """What it runs is there, and takes these words."""
    command = container.get("command", ["attrition-scorer"]) + container.get("args", [])
    if command[0].startswith("/usr/share/attrition-scorer/"):
        return lab.check(f"{name}: {command[0]} is shipped", (ROOT / command[0].removeprefix("/usr/share/attrition-scorer/")).exists())
    options = [word for word in command[2:] if word.startswith("--")]
    status, out, _ = lab.run(BIN / command[0].removeprefix("attrition-"), command[1], "--help")
    lab.equal(f"{name}: {command[1]} has these options", (status, [option for option in options if option.split("=")[0] not in out]), (0, []))


def settings(lab):
    for file in sorted(HOME.rglob("settings.env")):
        names = re.findall(r"^(\w+)=", file.read_text(), re.M)
        lab.equal(f"{file.relative_to(HOME)} names options that there are", [name for name in names if name not in OPTIONS and not name.startswith("KAFKA_")], [])


with Lab() as lab:
    found = documents()
    specs = dict(pods(found))
    lab.equal("pods", sorted(specs), [f"attrition-{name}" for name in ("backfill", "http", "maintain", "migrate", "retrain", "score", "sink")])
    for name, spec in specs.items():
        restricted(lab, name, spec)
        program(lab, name, spec["containers"][0])
    settings(lab)
    for role in ("score", "sink", "http"):
        container, = specs[f"attrition-{role}"]["containers"]
        lab.equal(f"{role}: its role", container["args"], ["run", f"--roles={role}"])
        lab.equal(f"{role}: probes", {kind: container[kind]["httpGet"]["path"] for kind in ("livenessProbe", "readinessProbe", "startupProbe")},
                  {"livenessProbe": "/health/live", "readinessProbe": "/health/ready", "startupProbe": "/health/live"})
        lab.check(f"{role}: its identity is the pod's", any(v["name"] == "INSTANCE_ID" and v["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name" for v in container["env"]))
        bound, limit = next((v["value"] for v in container["env"] if v["name"] == "MEMORY_LIMIT"), "0MiB"), container["resources"]["limits"]["memory"]
        lab.check(f"{role}: MEMORY_LIMIT is below the container's", int(bound[:-3]) < {"512Mi": 512, "1Gi": 1024}[limit], (bound, limit))
    drain = next(row for row in (ROOT / "docs/CONFIGURATION.md").read_text().splitlines() if "`DRAIN_DEADLINE`" in row)
    seconds = int(re.search(r"`(\d+)s`", drain)[1])
    lab.check("pods have longer to end than DRAIN_DEADLINE", all(spec["terminationGracePeriodSeconds"] > seconds for name, spec in specs.items() if name[10:] in ("score", "sink", "http")))
    kinds = [(document["kind"], document["metadata"]["name"]) for _, document in found]
    for role in ("score", "sink", "http"):
        lab.check(f"{role} has a service of its name and a disruption budget", ("Service", f"attrition-{role}") in kinds and ("PodDisruptionBudget", f"attrition-{role}") in kinds)
    for _, scaled in ((f, d) for f, d in found if d["kind"] == "ScaledObject"):
        trigger = scaled["spec"]["triggers"][0]["metadata"]
        lab.check(f"{scaled['metadata']['name']}: lag of a group that there is, never more pods than partitions", trigger["allowIdleConsumers"] == "false"
                  and trigger["consumerGroup"] in ("attrition-scorer", "attrition-scorer-sink") and all(isinstance(v, str) for v in trigger.values()), trigger)
    text = (HOME / "README.md").read_text()
    lab.equal("README names files that there are", [path for path in re.findall(r"`((?:overlays|components|base)/[\w./-]*)`", text) if not (HOME / path).exists()], [])
    lab.equal("README describes each secret", [name for name in {volume["secret"]["secretName"] for spec in specs.values() for volume in spec["volumes"] if "secret" in volume}
                                               if f"`{name}`" not in text], [])
