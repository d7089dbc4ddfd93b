#!/usr/bin/env python3
"""What is built, and what is said on a machine without the tools: the programs are hardened, and a program that is not fails
the check; a build without headers names the command that installs them; packages wait for another apt."""
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


with Lab() as lab:
    hardening(lab)
