#!/usr/bin/env python3
"""Beside train.sh: scikit-learn's or LightGBM's wall and CPU time on the same table. train_rival.py TABLE cv|forest|boosting MODEL [TREES]"""
import sys
import time

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

path, what, model = sys.argv[1:4]
frame = pd.read_csv(path, encoding="utf-8-sig")
labels = (frame["Attrition"] == "Yes").astype(int)
frame = frame.drop(columns=[c for c in frame if c in ("Attrition", "EmployeeNumber", "EmployeeCount", "Over18", "StandardHours")])
numbers = [c for c in frame if frame[c].dtype.kind in "if"]
texts = [c for c in frame if c not in numbers]
if what == "boosting":
    import lightgbm
    frame[texts] = frame[texts].astype("category")
    wall, cpu = time.perf_counter(), time.process_time()
    lightgbm.train({"objective": "binary", "learning_rate": 0.1, "num_leaves": 31, "min_sum_hessian_in_leaf": 1, "min_data_in_leaf": 1, "lambda_l2": 1,
                    "verbosity": -1}, lightgbm.Dataset(frame, labels), int(sys.argv[4]))
    print(f"{time.perf_counter() - wall:.2f} {time.process_time() - cpu:.2f}")
    sys.exit()
models = {"logistic-regression": lambda: LogisticRegression(C=np.inf, max_iter=2000), "logistic-regression-l2": lambda: LogisticRegression(max_iter=1000),
          "random-forest": lambda: RandomForestClassifier(int(sys.argv[4]) if len(sys.argv) > 4 else 100, n_jobs=-1, max_depth=16)}
whole = make_pipeline(ColumnTransformer([("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
                                         ("t", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)), texts)]),
                      models[model]())
wall, cpu = time.perf_counter(), time.process_time()
if what == "cv":
    cross_validate(whole, frame, labels, cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=5, random_state=0), scoring="roc_auc")
else:
    whole.fit(frame, labels)
print(f"{time.perf_counter() - wall:.2f} {time.process_time() - cpu:.2f}")
