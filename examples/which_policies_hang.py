"""Tells which EventIdx policies hang on a device, how they hang, and what the live ones cost.

    python examples/which_policies_hang.py propolis-2026                 # every policy
    python examples/which_policies_hang.py propolis-2026 tail tail-1     # some

Decides every policy at two small sizes, prints the shortest run to the first hang, and simulates the live policies with
queues of 64 entries. A notebook would have the same lines.
"""

from __future__ import annotations

import sys

from uncork import api
from uncork_nvme.policies import POLICIES

SIZES = ("n1-sq3-cq3", "n1-sq4-cq3")
GUEST = "linux"


def main(device: str = "propolis-2026", *policies: str) -> None:
    """Print a line for each policy, and one run."""
    live, hang = [], None
    for policy in policies or POLICIES:
        results = api.check(*(f"{device}/{GUEST}/{policy}/{size}" for size in SIZES), rows=["safety", "uncorked"])
        words = [type(row.verdict).__name__.lower() for result in results for row in result.rows]
        print(f"{policy:20} {'live' if set(words) == {'proved'} else 'refuted'}")
        if "refuted" in words:
            hang = hang or next(found for result in results if (found := api.trace(result.instance)))
        else:
            live.append(policy)
    if hang:
        print(f"\n{hang.instance.name} hangs after {hang.run.stem} steps. The last of them:")
        print("\n".join(hang.run.steps[-5:]))
    print("\nCQ doorbells per completion, with queues of 64 entries:")
    for policy in live:
        found = api.measure(f"{device}/{GUEST}/{policy}/n1-sq64-cq64/submit_batch=1", milliseconds=1, runs=2)
        rings = found.flow.cq_doorbells if found.flow else None
        print(f"{policy:20} {f'{rings.value:.3f}' if rings else 'stuck'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
