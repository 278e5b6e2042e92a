"""The hot loop: whose clock runs out first takes its step, and all clocks are looked at again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from uncork.engines.explicit.kernel import call

_NEVER = np.inf


@njit(cache=True, nogil=True)
def run(
    look: int,
    steps: Any,
    state: Any,
    seen: Any,
    due: Any,
    outcomes: Any,
    means: Any,
    exponential: Any,
    since: Any,
    until: Any,
    begun: Any,
    latencies: Any,
    used: Any,
    taken: Any,
    sums: Any,
    clock: Any,
    warm: float,
    end: float,
    most: int,
) -> int:
    """Takes up to `most` steps; gives how many it took, or -1 - k where action k would leave a variable's sort.

    `clock[0]` is the time. `due` is when each clock runs out. From `warm` on `taken` counts the actions, `sums`
    adds up the averages by time, and `latencies` (spans x room, `used` of each) are those that ended. `begun` of a span
    is -2 outside it, -1 inside it before it opens, else when it opened. Randomness is numba's own, seeded by `seed`.
    """
    clocks, actions, spans = means.size, steps.size, begun.size
    clock_words, action_words = (clocks + 63) // 64, (actions + 63) // 64
    averages = sums.size
    call(look, state.ctypes.data, seen.ctypes.data, 0)
    for count in range(most):
        now = clock[0]
        for c in range(clocks):
            if (seen[c >> 6] >> (c & 63)) & 1:
                if due[c] == _NEVER:
                    due[c] = now + (np.random.exponential(means[c]) if exponential[c] else means[c])
            else:
                due[c] = _NEVER
        first = np.argmin(due)
        if due[first] >= end:  # also where no clock runs
            _add(sums, seen, clock_words + action_words, averages, max(now, warm), end)
            clock[0] = end
            return count
        _add(sums, seen, clock_words + action_words, averages, max(now, warm), due[first])
        now = due[first]
        clock[0], due[first] = now, _NEVER
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
                if begun[s] >= warm and used[s] < latencies.shape[1]:
                    latencies[s, used[s]] = now - begun[s]
                    used[s] += 1
                begun[s] = -2.0
            if since[s, chosen]:
                begun[s] = -1.0
            if begun[s] == -1.0 and seen[clock_words + action_words + averages + s]:
                begun[s] = now
    return most


@njit(cache=True, nogil=True)
def _add(sums: Any, seen: Any, place: int, averages: int, since: float, to: float) -> None:
    if to > since:
        for k in range(averages):
            sums[k] += seen[place + k] * (to - since)


@njit(cache=True, nogil=True)
def seed(value: int) -> None:
    """Seeds the random numbers of `run`."""
    np.random.seed(value)
