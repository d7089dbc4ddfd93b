#!/usr/bin/env python3
"""What is built, and what is said on a machine without the tools: the programs are hardened, and a program that is not fails
the check; a build without headers names the command that installs them; packages wait for another apt."""
import os
import subprocess

from lab import BIN, ROOT, Lab

SOURCE = "#include <stdio.h>\n#include <string.h>\nint main(int c, char **v) { char b[64]; strcpy(b, v[c - 1]); return puts(b) < 0; }\n"
PLAIN = ["-no-pie", "-fno-stack-protector", "-fcf-protection=none", "-Wl,-z,execstack", "-Wl,-z,norelro", "-Wl,-z,lazy"]
HARD = ["-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-fcf-protection",
        "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,ibt", "-Wl,-z,shstk"]
# What is taken away from a hardened program, and the words that must name it.
LACKS = {"-no-pie": "PIE", "-Wl,-z,norelro": "relro", "-Wl,-z,lazy": "-z now", "-Wl,-z,execstack": "noexecstack",
         "-fno-stack-protector": "stack protector", "-U_FORTIFY_SOURCE": "FORTIFY", "-fcf-protection=none": "fcf-protection"}


def check(program):
    done = subprocess.run([ROOT / "deploy/lint-hardening", *program], capture_output=True, text=True)
    return done.returncode, done.stderr.strip().splitlines()


def hardening(lab):
    programs = [BIN / name for name in ("scorer", "producer", "trainer", "registry", "embedded-broker")]
    lab.equal("every program is hardened", check(programs), (0, []))
    source, program = lab.dir / "probe.c", lab.dir / "probe"
    source.write_text(SOURCE)

    def lines(flags):
        lab.must("cc", *flags, "-o", program, source)
        return check([program])

    lab.equal("a hardened probe passes", lines(HARD), (0, []))
    status, faults = lines(PLAIN)
    lab.equal("a plain one has every fault", (status, len(faults)), (1, 7))
    for flag, word in LACKS.items():
        without = [f for f in HARD if f not in ("-D_FORTIFY_SOURCE=2",) or flag != "-U_FORTIFY_SOURCE"]
        without = [f for f in without if flag != "-fcf-protection=none" or f not in ("-Wl,-z,ibt", "-Wl,-z,shstk")]
        status, faults = lines([*without, flag])
        lab.check(f"{flag}: the one fault is named", status == 1 and len(faults) == 1 and word in faults[0], faults)


def bare_machine(lab):
    """A compiler that finds no header stands in for a machine without any."""
    compiler = lab.dir / "cc"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    status, out, err = lab.run("make", f"CC={compiler}", f"BUILD={lab.dir}/none")
    lab.check("make on a bare machine names what to run", status == 2 and "deploy/bootstrap build" in err and len((out + err).splitlines()) == 1, (out + err).strip())
    lab.equal("make help needs nothing", lab.run("make", "help", f"CC={compiler}", f"BUILD={lab.dir}/none")[0], 0)


APT = """#!/bin/sh
echo "$*" >>{log}
[ "$(wc -l <{log})" -gt {refusals} ] && exit 0
echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)'
exit 100
"""


def another_apt(lab):
    """apt's lock is held, as in a cloud machine's first minutes: it waits and says so, once; and not for ever."""
    tools = lab.dir / "tools"
    tools.mkdir()
    log = lab.dir / "apt.calls"
    for name, text in (("dpkg-query", "#!/bin/sh\n"), ("apt-cache", "#!/bin/sh\necho '  Candidate: 1'\n"), ("id", "#!/bin/sh\necho 0\n"),
                       ("apt-get", APT.format(log=log, refusals=2))):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    status, out, err = lab.run(ROOT / "deploy/bootstrap", "bench", env=path)
    lab.equal("bootstrap waits for another apt", (status, len(log.read_text().splitlines())), (0, 3))
    lab.equal("… and says so once", [line[:28] for line in err.splitlines()], ["Another apt is at work here;"])
    log.unlink()
    (tools / "apt-get").write_text(APT.format(log=log, refusals=99))
    status, out, err = lab.run(ROOT / "deploy/bootstrap", "bench", env={**path, "BOOTSTRAP_LOCK_WAIT": "1"})
    lab.check("… not for ever, and then apt's own words are shown", status == 1 and "held by process 812" in err, err.strip().splitlines()[-1:])


with Lab() as lab:
    bare_machine(lab)
    another_apt(lab)
    hardening(lab)
