"""The hot loop of a simulation: the clock that runs out first takes its step, then every clock is checked again."""

from __future__ import annotations

from typing import Any

import numpy as np

from uncork.engines.compiling import with_numba
from uncork.engines.intrinsics import call

_NEVER = np.inf


@with_numba
def run(
    look: int,
    steps: Any,
    state: Any,
    seen: Any,
    due: Any,
    outcomes: Any,
    means: Any,
    shapes: Any,
    apart: Any,
    burst: Any,
    arrival: Any,
    left: Any,
    since: Any,
    until: Any,
    begun: Any,
    latencies: Any,
    ended: Any,
    worst: Any,
    taken: Any,
    sums: Any,
    clock: Any,
    warm: float,
    end: float,
    most: int,
) -> int:
    """Takes at most `most` steps and returns how many; or -1 - k if action k would take a variable out of its range.

    - `clock[0]` is the time now. `clock[1]` is the first time at which no clock ran, or infinite.
    - `due` is the time at which each clock runs out. The duration of a clock has a gamma distribution with its mean and
      shape; shape 0 makes the duration constant. Clocks that run out at the same time do so in random order.
    - A clock with arrivals (`burst` > 0) starts no earlier than its `arrival`. `left` occasions remain at that moment;
      after them, `burst` more arrive after an exponential time with the mean `apart`.
    - `taken` counts the actions and `sums` integrates the averages over time, both from `warm` on.
    - `begun` of a span is -2 outside the span, -1 inside it before it opens, and otherwise the time when it opened.
      `ended` counts the spans that ended, `latencies` (spans x room) is a uniform sample of their latencies, and
      `worst` is the longest.

    The random numbers are numba's, seeded by `seed`.
    """
    clocks, actions, spans = means.size, steps.size, begun.size
    clock_words, action_words = (clocks + 63) // 64, (actions + 63) // 64
    averages = sums.size
    call(look, state.ctypes.data, seen.ctypes.data, 0)
    for count in range(most):
        now = clock[0]
        first, among = -1, 0
        for c in range(clocks):
            if not (seen[c >> 6] >> (c & 63)) & 1:
                due[c] = _NEVER
                continue
            if due[c] == _NEVER:
                due[c] = (max(now, arrival[c]) if burst[c] else now) + _time(means[c], shapes[c])
            if first < 0 or due[c] < due[first]:
                first, among = c, 1
            elif due[c] == due[first]:
                among += 1
                if np.random.randint(0, among) == 0:
                    first = c
        if first < 0:
            clock[1] = min(clock[1], now)
        if first < 0 or due[first] >= end:
            _add(sums, seen, clock_words + action_words, averages, max(now, warm), end)
            clock[0] = end
            return count
        _add(sums, seen, clock_words + action_words, averages, max(now, warm), due[first])
        now = due[first]
        clock[0], due[first] = now, _NEVER
        if burst[first]:
            left[first] -= 1
            if left[first] <= 0:
                left[first] = burst[first]
                arrival[first] += np.random.exponential(apart[first])
        chosen, among = -1, 0
        for k in range(outcomes.shape[1]):
            action = outcomes[first, k]
            if action >= 0 and (seen[clock_words + (action >> 6)] >> (action & 63)) & 1:
                among += 1
                if among == 1 or np.random.randint(0, among) == 0:
                    chosen = action
        if call(steps[chosen], state.ctypes.data, 0, 0):
            return -1 - chosen
        if now >= warm:
            taken[chosen] += 1
        call(look, state.ctypes.data, seen.ctypes.data, 0)
        for s in range(spans):
            if until[s, chosen]:
                if begun[s] >= warm:
                    place = ended[s] if ended[s] < latencies.shape[1] else np.random.randint(0, ended[s] + 1)
                    if place < latencies.shape[1]:
                        latencies[s, place] = now - begun[s]
                    ended[s] += 1
                    worst[s] = max(worst[s], now - begun[s])
                begun[s] = -2.0
            if since[s, chosen] and begun[s] == -2.0:
                begun[s] = -1.0
            if begun[s] == -1.0 and seen[clock_words + action_words + averages + s]:
                begun[s] = now
    return most


@with_numba
def _time(mean: float, shape: float) -> float:
    if shape == 0:
        return mean
    if shape == 1:
        return np.random.exponential(mean)
    return np.random.gamma(shape, mean / shape)


@with_numba
def _add(sums: Any, seen: Any, place: int, averages: int, since: float, to: float) -> None:
    if to > since:
        for k in range(averages):
            sums[k] += seen[place + k] * (to - since)


@with_numba
def seed(value: int) -> None:
    """Seeds the random numbers that `run` draws."""
    np.random.seed(value)
