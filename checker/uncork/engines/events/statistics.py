"""What several runs say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class Mean:
    """A mean over runs, and half the width of its 95 % confidence interval (Student's t; infinite for one run)."""

    value: float
    half: float

    def __str__(self) -> str:
        return f"{self.value:.3f}" if self.half < 0.0005 else f"{self.value:.3f} ±{self.half:.3f}"


def mean(values: Sequence[float]) -> Mean:
    """The mean of one value a run."""
    if len(values) < 2:
        return Mean(values[0], float("inf"))
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Mean(float(np.mean(values)), float(stats.t.ppf(0.975, len(values) - 1)) * spread)


def percentiles(values: Sequence[NDArray[np.float64]]) -> tuple[float, float, float, float] | None:
    """The percentiles 50, 95, 99 and 100 of all values together; None if there are none."""
    together = np.concatenate([*values, np.zeros(0)])
    if not together.size:
        return None
    p50, p95, p99, most = (float(each) for each in np.percentile(together, [50, 95, 99, 100]))
    return p50, p95, p99, most
