#!/usr/bin/env python3
"""docs/OPERATIONS.md holds what it says: each alert has its section and each section its alert; options, metrics and files that it names
are there; its SQL runs on a migrated database. Of all documents: links lead to files and headings, programs have the subcommands and options that
are named, commands are for any shell of POSIX."""
import re

from lab import BIN, ROOT, Lab
import yaml  # after lab, which goes on in the tests' own environment

TEXT = (ROOT / "docs/OPERATIONS.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")]


def anchors(text):
    """As GitHub makes them of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.M)}


def check_runbook(lab):
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
    lab.equal("each alert names its section", {rule["alert"]: rule["annotations"].get("runbook") for rule in rules},
              {rule["alert"]: f"docs/OPERATIONS.md#{rule['alert'].lower()}" for rule in rules})
    lab.equal("a section for each alert, an alert for each section", re.findall(r"^### (Attrition\w+)$", TEXT, re.M), [rule["alert"] for rule in rules])
    for section in re.split(r"^### ", TEXT, flags=re.M)[1:]:
        name, _, body = section.partition("\n")
        lab.check(f"{name}: begins with how to look", body.startswith("Look: "), body[:40])


def check_names(lab):
    known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", (ROOT / "docs/CONFIGURATION.md").read_text()))
    used = set(re.findall(r"`([A-Z]+_[A-Z0-9_]+)[`=]", TEXT))
    lab.equal("options that there are", {name for name in used if name not in known and not name.startswith("KAFKA_")}, set())
    metrics = set(re.findall(r"`(attrition_\w+)", (ROOT / "docs/METRICS.md").read_text()))
    roles = {"attrition_owner", "attrition_writer", "attrition_analyst", "attrition_eraser"}
    lab.equal("metrics that there are", set(re.findall(r"\b(attrition_\w+)", TEXT)) - metrics - roles, set())
    lab.equal("files that there are", [path for path in re.findall(r"`((?:tests|deploy|docs|sql)/[\w./-]+)`", TEXT) if not (ROOT / path).exists()], [])


def commands_of(text):
    """(program, subcommand, its words) in blocks for a shell and in code within a line."""
    blocks = re.findall(r"^```(?:sh)?[^\n]*\n(.*?)^```", text, re.M | re.S) + re.findall(r"`([^`\n]+)`", text)
    for block in blocks:
        yield from re.findall(r"(?:^|[\s|(/])(?:attrition-|build/bin/)?(scorer|producer|trainer|registry) ([a-z]+)\b([^|;#\n]*)", block.replace("\\\n", " "))


def check_programs(lab):
    """Of all documents but the history."""
    used = {(file.name, *command) for file in DOCUMENTS if file.name != "CHANGELOG.md" for command in commands_of(file.read_text())}
    helps = {pair: lab.run(BIN / pair[0], pair[1], "--help")[1] for pair in {(program, command) for _, program, command, _ in used}}
    lab.check("documents name subcommands", len(helps) > 20, len(helps))
    lab.equal("subcommands that there are", sorted(pair for pair, text in helps.items() if f"{pair[0]} {pair[1]}" not in text), [])
    lab.equal("options that there are", sorted((name, program, command, option) for name, program, command, words in used
                                               for option in re.findall(r"(?<![\w-])--[a-z-]+", words) if option not in helps[program, command]), [])


def check_shells(lab):
    """What is to be copied is for any shell of POSIX."""
    blocks = [(file.name, block) for file in DOCUMENTS for block in re.findall(r"^```sh[^\n]*\n(.*?)^```", file.read_text(), re.M | re.S)]
    lab.check("documents have commands", len(blocks) > 30, len(blocks))
    lab.equal("commands that a shell of POSIX can read", [name for name, block in blocks if lab.run("sh", "-n", input=block)[0]], [])


def check_sql(lab, database):
    statements = re.findall(r"`(SELECT [^`]+)`", TEXT)
    lab.check("there is SQL to run", len(statements) >= 4, len(statements))
    for statement in statements:
        status, out, err = lab.run("psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", statement, database)
        lab.check(f"runs: {statement[:60]}", status == 0, err.strip())


def check_links(lab):
    faults = []
    for file in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
            path, _, anchor = target.partition("#")
            there = file.parent / path if path else file
            if not re.match(r"\w+:", target) and (not there.exists() or anchor and anchor not in anchors(there.read_text())):
                faults.append(f"{file.relative_to(ROOT)}: {target}")
    lab.equal("links lead to files and headings", faults, [])


with Lab() as lab:
    check_runbook(lab)
    check_names(lab)
    check_programs(lab)
    check_shells(lab)
    check_links(lab)
    check_sql(lab, lab.postgres())
