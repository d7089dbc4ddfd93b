"""The examples of docs/PUBLISHING.md and docs/CONSUMING.md, run as they stand there."""
import os
import re
import sys

from lab import BIN, ROOT

JARS = os.environ.get("BROKER_JARS", str(ROOT / "build/kafka/jars"))
PUBLISHING, CONSUMING = ((ROOT / "docs" / name).read_text() for name in ("PUBLISHING.md", "CONSUMING.md"))


def blocks(text, heading, language):
    part = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    return re.findall(rf"^```{language}\n(.*?)^```", part, re.M | re.S)


class Guide:
    """Its programs, with the addresses in their environment."""

    def __init__(self, lab, scorer, **environment):
        self.lab, self.scorer = lab, scorer
        self.env = {**environment, "PATH": f"{BIN}:{os.environ['PATH']}", "SCHEMAS_DIR": str(ROOT / "schemas")}

    def run(self, what, *command, **more):
        status, out, err = self.lab.run(*command, env=self.env, **more)
        self.lab.check(f"runs as printed: {what}", status == 0, (err or out).strip()[-300:])
        return out

    def python(self, text, heading):
        found = blocks(text, heading, "python")
        self.lab.check(f"{heading} has one program", len(found) == 1)
        return self.run(heading, sys.executable, "-c", found[0])

    def shell(self, text, heading):
        return "".join(self.run(heading, "bash", "-ec", "set -o pipefail\n" + block.replace("127.0.0.1:8080", self.scorer.http))
                       for block in blocks(text, heading, "sh"))

    def java(self):
        (self.lab.dir / "Publish.java").write_text(blocks(PUBLISHING, "Java", "java")[0])
        self.run("Java", "java", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", self.lab.dir / "Publish.java")
