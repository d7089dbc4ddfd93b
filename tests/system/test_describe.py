#!/usr/bin/env python3
"""What `trainer describe` measures, beside pandas and scipy: quantiles, outliers, missing values, duplicates, and every pair of features, on the real
table, on one with missing and foreign values, and on one so large that pairs are measured on a sample. Needs no server."""
import csv
import json

from lab import BIN, ROOT, Lab, ibm_table

import numpy as np
import pandas as pd
from scipy import stats

CLOSE = 1e-9


def schema_kinds():
    schema = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
    fields = next(f for f in schema["fields"] if f["name"] == "attributes")["type"]["fields"]
    return {f["name"]: f["kind"] for f in fields}


def corrected_v(left, right):
    """Bergsma 2013, on scipy's chi-square."""
    counts = pd.crosstab(left, right).to_numpy()
    rows, (r, k) = counts.sum(), counts.shape
    if r < 2 or k < 2:
        return None
    phi = max(0, stats.chi2_contingency(counts, correction=False)[0] / rows - (r - 1) * (k - 1) / (rows - 1))
    r, k = r - (r - 1) ** 2 / (rows - 1), k - (k - 1) ** 2 / (rows - 1)
    return (phi / (min(r, k) - 1)) ** 0.5


def correlation_ratio(categories, numbers):
    means = numbers.groupby(categories).transform("mean")
    return (((means - numbers.mean()) ** 2).sum() / ((numbers - numbers.mean()) ** 2).sum()) ** 0.5


def expected_pair(frame, kinds, a, b):
    both = frame[[a, b]].dropna()
    left, right = both[a], both[b]
    if left.nunique() < 2 or right.nunique() < 2:
        return None
    nominal = [kinds[a] == "nominal", kinds[b] == "nominal"]
    if all(nominal):
        return {"cramers_v": corrected_v(left, right)}
    if any(nominal):
        return {"correlation_ratio": correlation_ratio(*((left, right) if nominal[0] else (right, left)))}
    return {"pearson": stats.pearsonr(left, right)[0], "spearman": stats.spearmanr(left, right)[0]}


def describe(lab, path, *arguments):
    return json.loads(lab.must(BIN / "trainer", "describe", path, "--json", *arguments))


def write(lab, name, frame):
    path = lab.dir / name
    frame.to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL)
    return path


def compare_pairs(lab, what, answer, frame, kinds):
    names = [name for name in kinds if name in frame]
    wanted = {(a, b): expected_pair(frame, kinds, a, b) for i, a in enumerate(names) for b in names[i + 1:]}
    wanted = {pair: value for pair, value in wanted.items() if value}
    found = {(pair["left"], pair["right"]): pair for pair in answer["pairs"]}
    lab.equal(f"{what}: pairs", set(found), set(wanted))
    off = max((abs(found[pair][key] - value), pair, key) for pair, measures in wanted.items() for key, value in measures.items())
    lab.check(f"{what}: {len(wanted)} pairs as scipy and pandas within {CLOSE:g}", off[0] <= CLOSE, off)
    strengths = [max(abs(pair.get(key) or 0) for key in ("pearson", "spearman", "cramers_v", "correlation_ratio")) for pair in answer["pairs"]]
    lab.equal(f"{what}: the strongest first", strengths, sorted(strengths, reverse=True))
    return found, strengths


def compare_columns(lab, what, answer, frame, kinds):
    columns = {column["name"]: column for column in answer["columns"]}
    worst, outliers = 0, []
    for name in (name for name, kind in kinds.items() if kind != "nominal" and name in frame):
        values, column = frame[name].dropna(), columns[name]
        for got, wanted in zip(column["quantiles"] + [column["mean"], column["standard_deviation"]],
                               [*values.quantile([0.05, 0.25, 0.5, 0.75, 0.95]), values.mean(), values.std(ddof=0)]):
            worst = max(worst, abs(got - wanted) / max(1, abs(wanted)))
        low, high = values.quantile(0.25), values.quantile(0.75)
        reach = 1.5 * (high - low)
        outliers.append((column["outliers"], int(((values < low - reach) | (values > high + reach)).sum()) if reach else 0))
    lab.check(f"{what}: quantiles, mean and deviation as pandas within {CLOSE:g}", worst <= CLOSE, worst)
    lab.equal(f"{what}: outliers by Tukey's fences", [got for got, _ in outliers], [wanted for _, wanted in outliers])
    lab.equal(f"{what}: missing", [columns[name]["missing"] for name in kinds], [int(frame[name].isna().sum()) for name in kinds])


def real(lab, kinds):
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig")
    answer = describe(lab, ibm_table())
    compare_columns(lab, "real", answer, frame, kinds)
    found, strengths = compare_pairs(lab, "real", answer, frame, kinds)
    lab.equal("real: alerts are the pairs from 0.8 on", len(answer["alerts"]), sum(strength >= 0.8 for strength in strengths))
    out = lab.must(BIN / "trainer", "describe", ibm_table())
    head = out[:out.index("feature  ")]
    lab.one_line("the strongest pair stands at the top", head, rf"JobLevel and MonthlyIncome|MonthlyIncome and JobLevel", "Pearson 0.95, Spearman 0.92")
    lab.equal("real: no duplicates", answer["duplicates"], 0)


def dirty(lab, kinds):
    """Missing values that come together, rows twice, a far outlier, categories nobody has heard of, a column in the other direction."""
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig")
    rng = np.random.default_rng(3)
    numbers = [name for name, kind in kinds.items() if kind == "numeric"][:4]
    texts = [name for name, kind in kinds.items() if kind == "nominal"][:2]
    frame[numbers] = frame[numbers].astype(float)
    gone = rng.random(len(frame)) < 0.3
    frame.loc[gone, numbers[:2] + texts[:1]] = np.nan
    frame.loc[rng.random(len(frame)) < 0.1, texts[1]] = np.nan
    frame = pd.concat([frame, frame.iloc[:25]], ignore_index=True)
    path = write(lab, "dirty.csv", frame)
    answer = describe(lab, path)
    compare_columns(lab, "dirty", answer, frame, kinds)
    compare_pairs(lab, "dirty", answer, frame, kinds)
    lab.equal("dirty: duplicates", answer["duplicates"], 25)
    sets = frame[list(kinds)].isna().apply(lambda row: tuple(name for name in kinds if row[name]), axis=1).value_counts()
    lab.equal("dirty: missing together", {tuple(entry["features"]): entry["rows"] for entry in answer["missing_together"]}, sets.to_dict())
    alerts = "\n".join(answer["alerts"])
    lab.one_line("dirty: duplicates are an alert", alerts, "^25 rows are equal to one before")
    lab.one_line("dirty: so are identifiers", alerts, "EmployeeNumber: 50 rows have an identifier")
    lab.one_line("dirty: and missing values", alerts, rf"^{numbers[0]}: no value in {100 * frame[numbers[0]].isna().mean():.1f} %")


def outliers(lab, kinds):
    """One huge number leaves the picture of the others as it is."""
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig")
    frame["MonthlyIncome"] = frame["MonthlyIncome"].astype(float)
    frame.loc[5, "MonthlyIncome"] = 19999
    plain = lab.must(BIN / "trainer", "describe", write(lab, "plain.csv", frame))
    frame.loc[5, "MonthlyRate"] = 9e7
    far = lab.must(BIN / "trainer", "describe", write(lab, "far.csv", frame))
    lab.check("a number outside the schema's range is a violation", "MonthlyRate" in far and "MonthlyRate: out_of_range" in far, "")
    lab.check("and the picture is the same", [line.split()[-3] for line in plain.splitlines() if line.startswith("MonthlyRate ")] ==
              [line.split()[-3] for line in far.splitlines() if line.startswith("MonthlyRate ")])


def large(lab, kinds):
    """Pairs of more than 100,000 rows are measured on as many, each as likely: near the figures of all."""
    frame = pd.concat([pd.read_csv(ibm_table(), encoding="utf-8-sig")] * 100, ignore_index=True)
    answer = describe(lab, write(lab, "large.csv", frame))
    lab.equal("large: rows that pairs are measured on", answer["pair_rows"], 100000)
    found = {(pair["left"], pair["right"]): pair for pair in answer["pairs"]}
    off = max(abs(pair["pearson"] - frame[a].corr(frame[b])) for (a, b), pair in found.items() if "pearson" in pair)
    lab.check("large: the sample's correlations are near all rows'", off < 0.01, off)
    lab.equal("large: duplicates", answer["duplicates"], 99 * 1470)


with Lab(STATE_TOPIC="none") as lab:
    kinds = schema_kinds()
    real(lab, kinds)
    dirty(lab, kinds)
    outliers(lab, kinds)
    large(lab, kinds)
