"""Statistics over several runs: means with confidence intervals, and percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special


@dataclass(frozen=True)
class Mean:
    """A mean over runs, and half the width of its 95 % confidence interval (Student's t; infinite for one run)."""

    value: float
    half: float

    def text(self, digits: int = 3) -> str:
        """The mean, rounded, with its ±. The ± is left out if it rounds to 0 or is infinite."""
        half = f"{self.half:.{digits}f}"
        known = self.half < float("inf") and float(half) > 0
        return f"{self.value:.{digits}f} ±{half}" if known else f"{self.value:.{digits}f}"


def mean(values: Sequence[float]) -> Mean:
    """The mean of `values`, one for each run."""
    if len(values) < 2:
        return Mean(values[0], float("inf"))
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Mean(float(np.mean(values)), float(special.stdtrit(len(values) - 1, 0.975)) * spread)


def percentiles(runs: Sequence[Sequence[NDArray[np.float64]]], *asked: float) -> list[Mean] | None:
    """For each percentile in `asked`, its mean over the runs. None if no run has a value.

    Each run gives several arrays of values, which are pooled. A run without values is skipped.
    """
    together = (np.concatenate([*values, np.zeros(0)]) for values in runs)
    found = [np.percentile(values, asked) for values in together if values.size]
    return [mean([float(each[k]) for each in found]) for k in range(len(asked))] if found else None
