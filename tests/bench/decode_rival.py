"""The rival of tests/bench/decode.c: fastavro on the same bytes. DIRECTORY holds the schemas and the events that decode.c made;
prints ns per event of the same schema, then of the older one, each the best of some repeats."""
import io
import json
import struct
import sys
import time
from pathlib import Path

import fastavro

REPEATS = 15


def schema_of(directory, name):
    return fastavro.parse_schema(json.loads((directory / name).read_text()))


def values_of(path):
    data, values, at = path.read_bytes(), [], 0
    while at < len(data):
        (size,) = struct.unpack_from("=I", data, at)
        values.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return values


def measure(values, writer, reader):
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter_ns()
        for value in values:
            fastavro.schemaless_reader(io.BytesIO(value), writer, reader)
        best = min(best, (time.perf_counter_ns() - start) / len(values))
    return best


def check(same, older):
    """Both are the same event, but for the column that the older schema lacks: the last one."""
    last = list(same["attributes"])[-1]
    same["attributes"][last] = None
    if same != older:
        sys.exit(f"fastavro reads the older event as {older}, the same one as {same}")


def main():
    directory = Path(sys.argv[1])
    shipped, reader, older = (schema_of(directory, name) for name in ("shipped.avsc", "employee_event.avsc", "older.avsc"))
    same_values, older_values = values_of(directory / "same.bin"), values_of(directory / "older.bin")
    check(
        fastavro.schemaless_reader(io.BytesIO(same_values[0]), shipped, None),
        fastavro.schemaless_reader(io.BytesIO(older_values[0]), older, reader),
    )
    print(measure(same_values, shipped, None), measure(older_values, older, reader))


if __name__ == "__main__":
    main()
