"""The rival of tests/bench/predict.py: the same contract as POST /predict, in FastAPI, pydantic and scikit-learn. TRAIN is the table it is
fitted on at start; served by uvicorn. It validates from the same schema, answers with the same members, and logs nothing."""
import json
import os
import time
import uuid
from pathlib import Path
from typing import Literal, Optional

import numpy
import pandas
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, create_model
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROOT = Path(__file__).resolve().parents[2]
FIELDS = json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]
REASONS = 3


def annotation(field):
    if field["kind"] == "nominal":
        return Optional[Literal[tuple(field["values"])]], None
    low, high = field.get("range", (None, None))
    return Optional[int], Field(None, ge=low, le=high, strict=True)


Attributes = create_model("Attributes", __config__=ConfigDict(extra="forbid"), **{field["name"]: annotation(field) for field in FIELDS})


class Ask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    employee_id: Optional[str] = Field(None, min_length=1, max_length=256)
    event_id: Optional[str] = Field(None, min_length=1, max_length=256)
    attributes: Attributes


def fit(path):
    table = pandas.read_csv(path)
    texts = [field["name"] for field in FIELDS if field["kind"] == "nominal"]
    numbers = [field["name"] for field in FIELDS if field["kind"] != "nominal"]
    prepare = make_column_transformer((make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
                                      (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), texts),
                                      sparse_threshold=0)
    model = make_pipeline(prepare, LogisticRegression(max_iter=1000)).fit(table[numbers + texts], table["Attrition"] == "Yes")
    encoded = model[0].transform(table[numbers + texts])
    widths = [1] * len(numbers) + [len(values) for values in model[0].named_transformers_["pipeline-2"][1].categories_]
    return model, numbers + texts, encoded.mean(axis=0), numpy.repeat(numpy.arange(len(widths)), widths)


MODEL, NAMES, MEAN, FEATURE_OF = fit(os.environ["TRAIN"])
WEIGHTS, INTERCEPT = MODEL[1].coef_[0], float(MODEL[1].intercept_[0])
BASE = INTERCEPT + float(WEIGHTS @ MEAN)
app = FastAPI()


@app.post("/predict")
async def predict(ask: Ask, log: bool = True):
    began = time.perf_counter()
    given = ask.attributes.model_dump()
    encoded = MODEL[0].transform(pandas.DataFrame([given], columns=NAMES).fillna(numpy.nan))[0]
    margin = INTERCEPT + float(WEIGHTS @ encoded)
    probability = 1 / (1 + numpy.exp(-margin))
    shares = numpy.bincount(FEATURE_OF, WEIGHTS * (encoded - MEAN))
    order = numpy.argsort(-numpy.abs(shares))[:REASONS]
    return {"event_id": ask.event_id or str(uuid.uuid4()), "prediction": "Yes" if probability >= 0.5 else "No", "probability": float(probability),
            "threshold": 0.5, "margin": margin, "base": BASE,
            "reasons": [{"feature": NAMES[at], "contribution": float(shares[at])} for at in order],
            "model": {"name": "rival", "version": "1", "alias": None, "run_id": None},
            "latency_us": int((time.perf_counter() - began) * 1e6)}
