"""Logistic regression that learns from one example at a time, in plain Python.

Each feature's weight is in the feature's own units, so that a score is `sigmoid(bias + sum of weight * value)` and
nothing else. How far a weight moves depends on the feature's power, its exponentially weighted mean square: income in
cents and a flag of 0 or 1 then learn at the same pace.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

from baton import Range

Value = Annotated[float, Range(-1e6, 1e6)]
Count = Annotated[int, Range(0, None)]

MOST_FEATURES = 256
"""Of one model, whatever its arguments say."""
MOST_WEIGHT = 1e6
TINY = 1e-12


@dataclass
class Feature:
    weight: float = 0.0
    power: Annotated[float, Range(0, None)] | None = None
    """None: not known yet, as for features that 1.0.0 has learned."""
    seen: Count = 0
    """Examples that had it, since its power is known."""


@dataclass
class Model:
    bias: float = 0.0
    features: dict[str, Feature] = field(default_factory=dict)
    observed: Count = 0
    positives: Count | None = 0
    """None: not known, since 1.0.0 did not count them."""
    loss: Annotated[float, Range(0, None)] | None = None
    """Exponentially weighted log loss of what was predicted before each label was seen; None before the first."""


@dataclass
class Settings:
    """What an actor may be started with; all of it can be left out."""

    rate: Annotated[float, Range(0.0001, 1)] = 0.5
    decay: Annotated[float, Range(0.5, 0.9999)] = 0.99
    max_features: Annotated[int, Range(1, MOST_FEATURES)] = 64
    alarm: Annotated[float, Range(0.01, 20)] = 1.0
    watcher: str | None = None


def predict(model: Model, example: dict[str, float]) -> float:
    """The probability that the label is 1. What the model has never seen counts nothing."""
    total = model.bias
    for name, value in example.items():
        feature = model.features.get(name)
        if feature is not None:
            total += feature.weight * value
    return _sigmoid(total)


def learn(model: Model, example: dict[str, float], label: int, settings: Settings) -> float:
    """Moves the model towards an example, and gives the score that it had before."""
    before = predict(model, example)
    loss = -math.log(max(before if label else 1.0 - before, TINY))
    model.loss = loss if model.loss is None else _blend(model.loss, loss, settings.decay)
    model.observed += 1
    if model.positives is not None:
        model.positives += label

    step = settings.rate * (label - before) / (len(example) + 1)
    model.bias = _bounded(model.bias + step)
    for name, value in example.items():
        feature = model.features.setdefault(name, Feature())
        square = value * value
        feature.power = square if feature.power is None else _blend(feature.power, square, settings.decay)
        feature.seen += 1
        if feature.power > TINY:
            feature.weight = _bounded(feature.weight + step * value / feature.power)
    return before


def importance(feature: Feature) -> float:
    """How much a feature moves scores: its weight times how large its values usually are."""
    return abs(feature.weight) * math.sqrt(1.0 if feature.power is None else feature.power)


def _blend(old: float, new: float, decay: float) -> float:
    return decay * old + (1.0 - decay) * new


def _bounded(weight: float) -> float:
    return max(-MOST_WEIGHT, min(MOST_WEIGHT, weight))


def _sigmoid(total: float) -> float:
    if total >= 0:
        return 1.0 / (1.0 + math.exp(-min(total, 700.0)))
    power = math.exp(max(total, -700.0))
    return power / (1.0 + power)
