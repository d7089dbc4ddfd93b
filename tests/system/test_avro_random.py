#!/usr/bin/env python3
"""`scorer decode` against fastavro on random pairs of schemas: types of every kind and their evolutions (reordered, dropped,
added, renamed and promoted parts, unions and enums that grew or shrank), random data in every legal form, and damaged bytes,
which must be refused or decode to what fastavro makes of them. SEED=N repeats a run, PAIRS=N makes it longer.

Left out is what the libraries disagree about: several numbers in one union, branches of both strings and bytes."""
import io
import json
import os
import random
import struct

from lab import BIN, Lab

import fastavro
from fastavro.read import SchemaResolutionError

SEED = int(os.environ.get("SEED") or random.randrange(10**6))
PAIRS = int(os.environ.get("PAIRS", 300))
GOOD, DAMAGED = 30, 30  # data of each pair
DEEP = 7
NUMBERS = ("int", "long", "float", "double")
PRIMITIVES = ("null", "boolean", "bytes", "string", *NUMBERS)
PROMOTED = {"int": NUMBERS[1:], "long": NUMBERS[2:], "float": NUMBERS[3:], "string": ("bytes",), "bytes": ("string",)}
LOGICAL = {"int": "date", "long": "timestamp-millis", "string": "uuid"}
TEXTS = ("", "a", "Research & Development", "\0", '"\\\n\x7f', "é€😀", "x" * 70)
rng = random.Random(SEED)


def chance(share):
    return rng.random() < share


def name_new(count=[0]):
    count[0] += 1
    return rng.choice(("one.", "one.two.")) + f"N{count[0]}"  # a name without a namespace would take the one around it


def short(name):
    return name.rpartition(".")[2]


class Writer:
    """A random schema, and random data of it as bytes."""

    def __init__(self):
        self.named = {}
        self.open = []
        self.schema = self.record(0) if chance(0.8) else self.type(0)

    def type(self, depth, kinds=("primitive",) * 8 + ("record", "record", "enum", "fixed", "array", "map", "union", "union", "again")):
        kind = rng.choice(kinds) if depth < 4 else "primitive"
        return getattr(self, kind)(depth + 1)

    def primitive(self, _):
        kind = rng.choice(PRIMITIVES)
        return {"type": kind, "logicalType": LOGICAL[kind]} if kind in LOGICAL and chance(0.1) else kind

    def define(self, kind, **parts):
        name = name_new()
        self.named[name] = {"type": kind, "name": name, **parts}
        return self.named[name]

    def record(self, depth):
        made = self.define("record", fields=[])
        self.open.append(made["name"])
        for f in range(rng.choice((0, 1, 2, 3, 5, 12))):
            made["fields"].append({"name": f"f{f}", "type": self.type(depth)})
        self.open.pop()
        return made

    def enum(self, _):
        return self.define("enum", symbols=[f"S{s}" for s in range(rng.choice((1, 2, 5, 70)))])

    def fixed(self, _):
        return self.define("fixed", size=rng.choice((0, 1, 3, 16)))

    def array(self, depth):
        return {"type": "array", "items": self.type(depth)}

    def map(self, depth):
        return {"type": "map", "values": self.type(depth)}

    def union(self, depth):
        kinds = [kind for kind in ("record", "enum", "fixed", "array", "map") if depth < 4 and chance(0.2)]
        kinds += ["null"] * chance(0.6) + ["boolean"] * chance(0.2)
        kinds += [rng.choice(NUMBERS)] * chance(0.5) + [rng.choice(("string", "bytes"))] * chance(0.5)
        rng.shuffle(kinds)
        return [kind if kind in PRIMITIVES else self.type(depth, (kind,)) for kind in kinds or ["int"]]

    def again(self, _):
        """A type that was defined before; one that is being defined only where its data can end."""
        name = rng.choice(list(self.named) or ["int"])
        return rng.choice((["null", name], {"type": "array", "items": name})) if name in self.open else name

    def datum(self, kind, depth=0):
        if isinstance(kind, list):
            end = depth > DEEP and "null" in kind
            branch = kind.index("null") if end else rng.randrange(len(kind))
            return varint(branch) + self.datum(kind[branch], depth)
        kind = self.named.get(kind, kind) if isinstance(kind, str) else kind
        word = kind if isinstance(kind, str) else kind["type"]
        return getattr(self, "datum_" + word, self.datum_leaf)(kind, word, depth + 1)

    def datum_leaf(self, _, word, __):
        if word == "null":
            return b""
        if word == "boolean":
            return rng.choice((b"\0", b"\1"))
        if word in ("int", "long"):
            bits = rng.randrange(1, 32 if word == "int" else 64)
            return varint(rng.choice((rng.randrange(-(1 << bits), 1 << bits), -(1 << bits), (1 << bits) - 1)))
        if word == "float":
            return rng.choice((rng.randbytes(4), struct.pack("<f", rng.choice((-0.0, 1.5, 1e30, float("inf"))))))
        if word == "double":
            return rng.choice((rng.randbytes(8), struct.pack("<d", rng.choice((-0.0, 0.1, 1e300, float("nan"))))))
        text = rng.choice(TEXTS).encode()
        return varint(len(text)) + text

    def datum_record(self, kind, _, depth):
        return b"".join(self.datum(field["type"], depth) for field in kind["fields"])

    def datum_enum(self, kind, *_):
        return varint(rng.randrange(len(kind["symbols"])))

    def datum_fixed(self, kind, *_):
        return rng.randbytes(kind["size"])

    def datum_array(self, kind, _, depth):
        made = b""
        for _ in range(0 if depth > DEEP else rng.choice((0, 1, 1, 2))):
            count = rng.randrange(1, 4)
            items = b"".join(self.item(kind, depth) for _ in range(count))
            made += rng.choice((varint(count), varint(-count) + varint(len(items)))) + items
        return made + b"\0"

    datum_map = datum_array

    def item(self, kind, depth):
        if kind["type"] == "array":
            return self.datum(kind["items"], depth)
        key = f"k{rng.randrange(1 << 40)}".encode()  # fastavro keeps one of two equal keys
        return varint(len(key)) + key + self.datum(kind["values"], depth)


class Reader:
    """An evolution of a writer's schema that it can be resolved with."""

    def __init__(self, writer):
        self.writer, self.names, self.text_as_bytes = writer, {}, False
        self.schema = self.type(writer.schema, True)

    def type(self, kind, may_be_union):
        if isinstance(kind, list):
            return self.union(kind)
        if may_be_union and chance(0.1):
            plain = self.type(kind, False)
            return [plain] if plain == "null" or isinstance(plain, list) else rng.sample(("null", plain), 2)
        if isinstance(kind, str) and kind in self.writer.named:
            return self.names.get(kind) or self.type(self.writer.named[kind], False)
        word = kind if isinstance(kind, str) else kind["type"]
        if word in PRIMITIVES:
            promoted = word in PROMOTED and chance(0.25)
            self.text_as_bytes |= promoted and word == "string"
            return rng.choice(PROMOTED[word]) if promoted else kind
        if word in ("array", "map"):
            key = "items" if word == "array" else "values"
            return {"type": word, key: self.type(kind[key], True)}
        return self.names.get(kind["name"]) or getattr(self, word)(kind, self.name(kind))

    def name(self, kind):
        """Of a named type: as it was, or another with an alias."""
        renamed = chance(0.15)
        name = self.names[kind["name"]] = name_new() if renamed else kind["name"]
        return {"type": kind["type"], "name": name, **({"aliases": [kind["name"]]} if renamed else {})}

    def union(self, branches):
        kept = [branch for branch in branches if chance(0.85)] or [rng.choice(branches)]
        rng.shuffle(kept)
        made = [self.type(branch, False) for branch in kept]
        if len(made) == 1 and chance(0.5):
            return made[0]
        return made + [extra for extra in ("null", "boolean") if extra not in made and chance(0.2)]

    def record(self, kind, made):
        made["fields"] = []
        fields = [field for field in kind["fields"] if chance(0.8)]
        if chance(0.3):
            rng.shuffle(fields)
        for field in fields:
            renamed = {"name": field["name"] + "_new", "aliases": ["x", field["name"]]} if chance(0.15) else {"name": field["name"]}
            made["fields"].append({**renamed, "type": self.type(field["type"], True)})
        for n in range(rng.choice((0, 0, 0, 1, 2))):
            made["fields"].insert(rng.randrange(len(made["fields"]) + 1), {"name": f"added{n}", **self.default()})
        return made

    def enum(self, kind, made):
        made["symbols"] = [symbol for symbol in kind["symbols"] if chance(0.9)] + ["OTHER"]
        rng.shuffle(made["symbols"])
        return {**made, "default": rng.choice(made["symbols"])} if chance(0.5) else made

    def fixed(self, kind, made):
        return {**made, "size": kind["size"]}

    def default(self):
        name = name_new()
        record = {"type": "record", "name": name, "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "string"]}]}
        kind, value = rng.choice((
            ("null", None), ("boolean", True), ("int", -3), ("long", 2**62), ("float", 0.1), ("double", 2), ("bytes", "\u00ff\0a"),
            ("string", "\u00ff\"\0"), (["null", "int"], None), (["int", "null"], 7), ({"type": "array", "items": "long"}, [1, 2]),
            ({"type": "map", "values": ["null", "int"]}, {"": None}), (record, {"a": 1, "b": None}), ({"type": "array", "items": record}, []),
            ({"type": "enum", "name": name, "symbols": ["A", "B"]}, "B"), ({"type": "fixed", "name": name, "size": 2}, "\u0080z")))
        return {"type": kind, "default": value}


def varint(number):
    raw = ((number << 1) ^ (number >> 63)) & (1 << 64) - 1
    made = bytearray()
    while raw >= 0x80:
        made.append(raw & 0x7F | 0x80)
        raw >>= 7
    made.append(raw)
    if len(made) < 5 and chance(0.02):  # longer than need be
        made[-1] |= 0x80
        made.append(0)
    return bytes(made)


def damage(datum):
    made = bytearray(datum)
    for _ in range(rng.choice((1, 1, 2, 5))):
        way, at = rng.randrange(5), rng.randrange(len(made) + 1)
        if way == 0 and made:
            made[at - 1] ^= 1 << rng.randrange(8)
        elif way == 1 and made:
            made[at - 1] = rng.choice((0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF))
        elif way == 2:
            made[at:at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
        elif way == 3:
            del made[at:]
        else:
            made[at:at] = varint(rng.choice((2**31, -2**31, 2**63 - 1, -2**63, -1, -2)))
    return bytes(made)


def bare(kind):
    """Without logical types: fastavro would interpret them."""
    if isinstance(kind, list):
        return [bare(part) for part in kind]
    return {key: bare(part) if key != "default" else part for key, part in kind.items() if key != "logicalType"} if isinstance(kind, dict) else kind


def double_of(value):
    return float({"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}.get(value, value))


def half_way(single, double):
    """Is the double in the middle between this float and the next one? fastavro promotes a long by way of a double: one that lies
    just beside the middle is rounded onto it first, and from there to the wrong side."""
    near, = struct.unpack("<f", struct.pack("<f", double))
    return near != double and abs(near - double) == abs(single - double)


class Reference:
    def __init__(self, writer, reader):
        self.named = {}
        self.writer, self.reader = (fastavro.parse_schema(bare(schema)) for schema in (writer, reader))
        self.collect(reader)

    def collect(self, kind):
        if isinstance(kind, list):
            for part in kind:
                self.collect(part)
        elif isinstance(kind, dict):
            if "name" in kind and kind.get("type") in ("record", "enum", "fixed"):
                self.named[kind["name"]] = kind
            for part in kind.values():
                self.collect(part)

    def read(self, datum):
        """The datum as fastavro sees it, or the name of why it does not."""
        source = io.BytesIO(datum)
        try:
            value = fastavro.schemaless_reader(source, self.writer, self.reader)
        except SchemaResolutionError:
            return "unresolvable", None
        except Exception as failure:
            return repr(failure), None
        return ("left over", None) if source.read() else ("decoded", value)

    def same(self, kind, ours, theirs):
        if isinstance(kind, list):
            if ours is None:
                return "null" in kind and theirs is None
            (tag, value), = ours.items()
            branch = [part for part in kind if (part if isinstance(part, str) else part.get("name", part["type"])) == tag]
            return len(branch) == 1 and self.same(branch[0], value, theirs)
        kind = self.named.get(kind, kind) if isinstance(kind, str) else kind
        word = kind if isinstance(kind, str) else kind["type"]
        if word == "record":
            return ours.keys() == theirs.keys() and all(self.same(f["type"], ours[f["name"]], theirs[f["name"]]) for f in kind["fields"])
        if word == "array":
            return len(ours) == len(theirs) and all(self.same(kind["items"], a, b) for a, b in zip(ours, theirs))
        if word == "map":
            return ours.keys() == theirs.keys() and all(self.same(kind["values"], ours[key], theirs[key]) for key in ours)
        if word in ("float", "double"):
            a, b = double_of(ours), double_of(theirs)
            code = "<f" if word == "float" else "<d"
            return a != a and b != b or struct.pack(code, a) == struct.pack(code, b) or word == "float" and half_way(a, b)
        theirs = theirs.decode("latin-1") if isinstance(theirs, bytes) else theirs
        return type(ours) is type(theirs) and ours == theirs


def main():
    answers, wrong = {}, []
    with Lab() as lab:
        files = lab.dir / "writer.avsc", lab.dir / "reader.avsc"
        for pair in range(PAIRS):
            writer = Writer()
            reader = Reader(writer)
            reference = Reference(writer.schema, reader.schema)
            for file, schema in zip(files, (writer.schema, reader.schema)):
                file.write_text(json.dumps(schema))
            good = [writer.datum(writer.schema) for _ in range(GOOD)]
            data = good + [damage(rng.choice(good)) for _ in range(DAMAGED)]
            status, out, err = lab.run(BIN / "scorer", "decode", "--writer-schema", files[0], "--reader-schema", files[1],
                                       input="".join(datum.hex() + "\n" for datum in data))
            lines = out.split("\n")[:-1]
            if status or len(lines) != len(data):
                results = {reference.read(datum)[0] for datum in good}
                if status != 1 or "decoded" in results:
                    wrong.append((pair, f"status {status}, {len(lines)} of {len(data)} lines, fastavro: {results}", err))
                answers["refused as a whole"] = answers.get("refused as a whole", 0) + 1
                continue
            for n, (datum, line) in enumerate(zip(data, lines)):
                answer = json.loads(line)
                code = answer["error"]["code"] if isinstance(answer, dict) and answer.keys() == {"error"} else "decoded"
                answers[code] = answers.get(code, 0) + 1
                if n >= GOOD and code in ("malformed", "unresolvable", "limit"):
                    continue
                result, value = reference.read(datum)
                if result.startswith("TypeError") or reader.text_as_bytes and result.startswith("UnicodeDecodeError"):
                    # Its own fault where a record becomes a union; and it wants UTF-8 of what is bytes to the reader.
                    answers["not by fastavro"] = answers.get("not by fastavro", 0) + 1
                    continue
                if result != code or (code == "decoded" and not reference.same(reader.schema, answer, value)):
                    wrong.append((pair, datum.hex(), line[:300], result, repr(value)[:300]))
                    if os.environ.get("KEEP"):
                        for file in files:
                            (lab.dir.parent / f"{os.environ['KEEP']}-{pair}-{file.name}").write_text(file.read_text())
        for fault in wrong[:10]:
            print("#", *fault)
        lab.check(f"{PAIRS} random pairs of schemas with {PAIRS * (GOOD + DAMAGED)} data, seed {SEED}", not wrong, f"{len(wrong)} differ; {answers}")


main()
