"""An engine of uncork as a process to be measured. The answer is JSON on standard output.

`worker.py explicit|reduced|reference|kernel INSTANCE safety|all`
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from functools import partial
from typing import Any

from uncork.core.system import System
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import properties


def decide(engine: str, name: str, asked: str) -> dict[str, Any]:
    """Runs a whole check, from the name of an instance to the verdicts. Returns the answer."""
    if engine == "reference":
        from uncork.engines.reference import check
    elif engine == "reduced":
        from uncork.engines import REDUCTIONS
        from uncork.engines.explicit import check as explicit

        check = partial(explicit, reductions=REDUCTIONS)
    else:
        from uncork.engines.explicit import check
    instance = from_name(name)
    system = instance.system
    found = [p for p in properties(instance.machine, system) if asked == "all" or p.row == "safety"]
    outcome = check(system, found)
    verdicts = Counter(type(verdict).__name__.lower() for _, verdict in outcome.verdicts)
    says = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return {"states": outcome.states, "transitions": outcome.transitions, "depth": outcome.depth, "says": says}


def kernel(name: str) -> dict[str, Any]:
    """Runs and times the search alone, after everything is loaded and compiled. Returns the answer."""
    from uncork.engines import Budget, quiet
    from uncork.engines.explicit.explore import code, explore

    system = from_name(name).system
    nothing = System("nothing", system.variables, ())
    explore(nothing, code(nothing, []), Budget(), quiet)
    native = code(system, [])
    wall, cpu = time.perf_counter(), time.process_time()
    graph = explore(system, native, Budget(), quiet)
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "states": graph.count,
        "transitions": len(graph.targets),
        "depth": graph.depth,
        "says": "",
    }


if __name__ == "__main__":
    _, engine, name, asked = sys.argv
    print(json.dumps(kernel(name) if engine == "kernel" else decide(engine, name, asked)))
