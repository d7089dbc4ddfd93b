#!/usr/bin/env python3
"""Secrets stay where they belong: no password in the arguments of a process, whatever form the connection has."""
import os
import signal
import subprocess

from lab import BIN, ROOT, Lab

# Stands in for psql: what everybody sees, and what only its user does.
PSQL = """#!/bin/sh
printf '[%s]' "$@"
printf ' %s' "${PGPASSWORD-none}"
"""
# DATABASE_URL → the connection in psql's arguments, PGPASSWORD
CONNECTIONS = [
    ("postgresql://me:s%3Ac%40r%25et@h:5/db?sslmode=require", "postgresql://me@h:5/db?sslmode=require", "s:c@r%et"),
    ("postgres://me@h/db?password=x%20y&sslmode=verify-full", "postgres://me@h/db?sslmode=verify-full", "x y"),
    ("postgresql://me:x?y@h/d", "postgresql://me@h/d", "x?y"),
    ("postgresql://me:a:b@h,i:3/db?host=/x", "postgresql://me@h,i:3/db?host=/x", "a:b"),
    ("host=h password='a b\\'c' user = me", "host=h user = me", "a b'c"),
    ("password=a\\ b dbname=x", "dbname=x", "a b"),
    ("postgresql:///db?host=/s&user=p", "postgresql:///db?host=/s&user=p", "none"),
    ("attrition", "attrition", "none"),
]


def psql_arguments(lab):
    fake = lab.dir / "bin"
    fake.mkdir()
    (fake / "psql").write_text(PSQL)
    (fake / "psql").chmod(0o755)
    path = {"PATH": f"{fake}:{os.environ['PATH']}"}
    secret = lab.dir / "url"
    for given, shown, password in CONNECTIONS:
        wanted = (0, f"[--dbname={shown}][-c][select 1] {password}", "")
        lab.equal(f"{shown}: from DATABASE_URL", lab.run(ROOT / "sql/psql", "-c", "select 1", env={**path, "DATABASE_URL": given}), wanted)
        secret.write_text(given + "\n")
        lab.equal("… from the file", lab.run(ROOT / "sql/psql", "-c", "select 1", env={**path, "DATABASE_URL_FILE": secret}), wanted)
    lab.equal("without either: libpq's own", lab.run(ROOT / "sql/psql", env=path)[1], "[] none")
    for what, env in (("both variables", {"DATABASE_URL": "a", "DATABASE_URL_FILE": secret}), ("a missing file", {"DATABASE_URL_FILE": "/none"}),
                      ("a key's password", {"DATABASE_URL": "postgresql://h/d?sslpassword=x"}),
                      *((f"a password that {how}", {"DATABASE_URL": f"postgresql://{rest}"}) for how, rest in
                        (("ends at a slash", "me:hush/x@h/d"), ("has an at sign", "me:x@hush@h/d"),
                         ("looks like a port", "me:54/hush@h/d"), ("has no host behind it", "me:hush")))):
        status, out, err = lab.run(ROOT / "sql/psql", env={**path, **env})
        lab.check(f"{what}: one line, and no psql", (status, out, len(err.splitlines())) == (2, "", 1) and "hush" not in err, err.strip())


def migrate(lab):
    """The real one, from a file, and with a password in the argument, which it warns of."""
    url = lab.postgres()
    secret = lab.dir / "real-url"
    secret.write_text(url + "&password=correct-horse\n")
    secret.chmod(0o600)
    out = lab.must(ROOT / "sql/migrate", env={"DATABASE_URL_FILE": secret})
    lab.check("sql/migrate takes DATABASE_URL_FILE", "nothing to do" in out, out.strip())
    status, out, err = lab.run(ROOT / "sql/migrate", url + "&password=correct-horse")
    lab.check("a password in the argument is warned of", status == 0 and "DATABASE_URL_FILE" in err and "correct-horse" not in out + err, err.strip())


def has_reader(fifo):
    """Whether a program has opened it. It has this end then, and waits for what never comes."""
    try:
        os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        return True
    except OSError:
        return False


def dumps_core(lab, env, *command, runs=lambda: True):
    """Whether the kernel wrote its memory down when it ended as by a fault of its own, once `runs` says that it is where it shall be."""
    directory = lab.dir / "cores"
    directory.mkdir(exist_ok=True)
    child = subprocess.Popen(["bash", "-c", 'ulimit -c unlimited; exec "$@"', "bash", *map(str, command)], cwd=directory, env={**lab.env, **env}, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    lab.need(f"{command[0]} runs", lambda: os.readlink(f"/proc/{child.pid}/exe").endswith(os.path.basename(command[0])), 20)
    lab.need("… and is where it waits", runs, 20)
    child.send_signal(signal.SIGSEGV)
    return os.WCOREDUMP(os.waitpid(child.pid, 0)[1])


def core_dumps(lab):
    fifo = lab.dir / "fifo"
    scorer = (BIN / "scorer", "score", "--model", fifo)  # waits there for its model
    os.mkfifo(fifo)
    lab.equal("a scorer that crashes leaves no core", dumps_core(lab, {}, *scorer, runs=lambda: has_reader(fifo)), False)
    if dumps_core(lab, {}, "/bin/sleep", "999"):  # where this machine writes any
        lab.equal("… unless it is asked to", dumps_core(lab, {"CORE_DUMPS": "true"}, *scorer, runs=lambda: has_reader(fifo)), True)


with Lab(STATE_TOPIC="none") as lab:
    psql_arguments(lab)
    core_dumps(lab)
    migrate(lab)
