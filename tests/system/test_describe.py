#!/usr/bin/env python3
"""What `trainer describe` measures, beside pandas and scipy: quantiles, outliers, missing values, duplicates, and every pair of features, on the real
table, on one with missing and foreign values, and on one so large that pairs are measured on a sample; two tables compared; rows as they are. Needs no
server."""
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


def stability_index(now, before):
    """PSI over categories, or over bins between the deciles of the other table; missing is a bin; half a row is added to each. And what it exceeds in one
    of 10,000 cases by chance: the quantile of chi-squared, of which the program has Wilson and Hilferty's form."""
    if not pd.api.types.is_numeric_dtype(before):
        bins = sorted(set(now.dropna()) | set(before.dropna()))
        counts = [np.array([values.isna().sum()] + [(values == value).sum() for value in bins]) for values in (now, before)]
    else:
        edges = np.unique(before.quantile(np.arange(1, 10) / 10))
        counts = [np.bincount(np.where(values.isna(), 0, np.digitize(values, edges) + 1), minlength=len(edges) + 2) for values in (now, before)]
    used = counts[0] + counts[1] > 0
    a, b = ((count[used] + 0.5) / (count.sum() + used.sum() / 2) for count in counts)
    chance = stats.chi2.ppf(1 - 1e-4, used.sum() - 1) * (1 / len(now) + 1 / len(before)) if used.sum() > 1 else 0
    return ((a - b) * np.log(a / b)).sum(), chance


def against(lab, kinds):
    """Two halves of the table, the second with a shifted number, missing values, a category that is new, one that is gone, and more leavers."""
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig")
    before, now = frame.iloc[:700].copy(), frame.iloc[700:].copy()
    now["MonthlyIncome"] = (now["MonthlyIncome"] * 1.6).round()
    now.loc[now.index[:300], "Age"] = np.nan
    now["MaritalStatus"] = now["MaritalStatus"].replace("Single", "Unverheiratet, für immer")
    now.loc[now.index[:200], "Attrition"] = "Yes"
    paths = write(lab, "now.csv", now), write(lab, "before.csv", before)
    answer = describe(lab, paths[0], "--against", paths[1])
    columns = {column["name"]: column for column in answer["against"]["columns"]}
    lab.equal("against: every feature", set(columns), set(kinds))
    wanted = {name: stability_index(now[name], before[name]) for name in kinds}
    off = max((abs(columns[name]["psi"] - psi), name) for name, (psi, _) in wanted.items())
    lab.check(f"against: PSI as numpy's within {CLOSE:g}", off[0] <= CLOSE, off)
    off = max((abs(columns[name]["psi_by_chance"] / chance - 1), name) for name, (_, chance) in wanted.items())
    lab.check("against: what chance makes of it, within 8 % (one degree of freedom)", off[0] <= 0.08, off)
    off = max((abs(columns[name]["ks"] - stats.ks_2samp(now[name].dropna(), before[name].dropna()).statistic), name)
              for name, kind in kinds.items() if kind != "nominal")
    lab.check(f"against: Kolmogorov and Smirnov's distance as scipy's within {CLOSE:g}", off[0] <= CLOSE, off)
    lab.equal("against: the largest PSI first", [column["psi"] for column in answer["against"]["columns"]],
              sorted((column["psi"] for column in columns.values()), reverse=True))
    lab.equal("against: what has shifted", {name for name, column in columns.items() if column["shifted"]}, {"Age", "MaritalStatus", "MonthlyIncome"})
    marital = columns["MaritalStatus"]
    lab.equal("against: categories", (marital["new_categories"], marital["vanished_categories"]), (["Unverheiratet, für immer"], ["Single"]))
    lab.equal("against: shares of missing values", (columns["Age"]["missing_share"], columns["Age"]["missing_share_before"]), (300 / len(now), 0))
    shares = [(table["Attrition"] == "Yes").mean() for table in (now, before)]
    lab.equal("against: labels", (answer["against"]["label_share"], answer["against"]["label_share_before"], answer["against"]["label_shifted"]),
              (*shares, True))
    out = lab.must(BIN / "trainer", "describe", paths[0], "--against", paths[1], "--out", lab.dir / "against.html")
    head = out[:out.index("\nagainst ")]
    for line in (rf"^Yes: {100 * shares[0]:.1f} % of the labels, in \S+ {100 * shares[1]:.1f} %$", r"^MonthlyIncome: distributed otherwise than in \S+before.csv: PSI",
                 rf"^Age: no value in {30000 / len(now):.1f} % of the rows, in \S+ in 0.0 %$", r"^MaritalStatus: 1 category not in \S+: Unverheiratet, für immer$",
                 r"^MaritalStatus: 1 category only in \S+: Single$"):
        lab.one_line("against: an alert at the top", head, line)
    lab.equal("against: no line above 100 columns below the alerts", [line for line in out[len(head):].splitlines() if len(line) > 100], [])
    page = (lab.dir / "against.html").read_text()
    lab.check("against: the page has it", "Against another table" in page and "1 gone: Single" in page)
    same = describe(lab, paths[0], "--against", paths[0])["against"]
    lab.equal("against itself: nothing", [(column["psi"], column.get("ks", 0), column["shifted"]) for column in same["columns"]], [(0, 0, False)] * len(kinds))
    lacking = write(lab, "lacking.csv", before.drop(columns=["Age", "Attrition"]))
    lacked = describe(lab, paths[0], "--against", lacking)
    lab.equal("against a table without a column and labels", [lacked["against"]["columns"][-1]["psi"], lacked["against"]["label_share_before"]], [None, None])
    lab.one_line("it is an alert", "\n".join(lacked["alerts"]), "^Age: not in .*lacking.csv")
    status, _, err = lab.run(BIN / "trainer", "describe", paths[0], "--against", lab.dir / "nowhere.csv")
    lab.check("a table that is not there is named", status == 1 and "--against: cannot read" in err, err)


def sample(lab, kinds):
    frame = pd.read_csv(ibm_table(), encoding="utf-8-sig").head(100)
    frame.loc[20, "Gender"] = np.nan
    path = write(lab, "sample.csv", frame)
    lab.equal("no rows unless they are asked for", describe(lab, path)["sample_rows"], [])
    rows = describe(lab, path, "--sample-rows", "5")["sample_rows"]
    wanted = frame.loc[::20, list(kinds) + ["Attrition"]].astype(object).where(frame.loc[::20].notna(), None).to_dict("records")
    lab.equal("rows as they are, spread over the file, without the identifier", rows, wanted)
    lab.equal("no more than there are", len(describe(lab, write(lab, "three.csv", frame.head(3)), "--sample-rows", "20")["sample_rows"]), 3)
    out = lab.must(BIN / "trainer", "describe", path, "--sample-rows", "2", "--out", lab.dir / "sample.html")
    lab.one_line("the terminal has them", out, rf"^JobRole +{frame.loc[0, 'JobRole'][:14]}.*{frame.loc[50, 'JobRole'][:14]}")
    lab.check("so has the page", (lab.dir / "sample.html").read_text().count(">row ") == 2)


with Lab(STATE_TOPIC="none") as lab:
    kinds = schema_kinds()
    real(lab, kinds)
    dirty(lab, kinds)
    outliers(lab, kinds)
    large(lab, kinds)
    against(lab, kinds)
    sample(lab, kinds)
