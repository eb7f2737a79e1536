"""The layout of 1.0.0. Never to be changed: states that it wrote are read through it."""

from dataclasses import dataclass


@dataclass
class ModelV1:
    bias: float
    weights: dict[str, float]
    observed: int
