"""What each file of tests may cost, in seconds of a processor, and how many random examples a test has.

`make test` warns of files that take more than twice what they may.

A test that decides, proves or compares all there is belongs in make check-deep, with a spread of it here. Where a file
gets new tests that are worth it, raise its budget with them, and see that make test takes no longer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

OVERDRAFT = 2
"""How many times its budget a file may take before that is told: a busy machine is slower by as much."""

OTHERS = 5
"""The budget of a file that is not in the table."""

BUDGETS = {
    "prove/test_proof.py": 75,
    "whole/test_docs.py": 70,
    "export/test_export_tla.py": 50,
    "validate/test_validate.py": 45,
    "validate/test_moves.py": 14,
    "validate/test_end.py": 9,
    "pages/test_changed_logs.py": 9,
    "whole/test_own_devices.py": 56,
    "engines/symbolic/test_symbolic.py": 50,
    "check/test_check.py": 35,
    "properties/test_verdicts.py": 46,
    "whole/test_downstream.py": 30,
    "conform/test_harness.py": 25,
    "properties/test_mutants.py": 48,
    "model/test_lifecycle.py": 35,
    "sweep/test_sweep.py": 30,
    "engines/explicit/test_reductions.py": 38,
    "engines/explicit/test_flow.py": 30,
    "whole/test_hostile_processes.py": 42,
    "model/test_choices.py": 22,
    "design/test_repair.py": 29,
    "verify/test_proof_certificate.py": 15,
    "whole/test_benchmarks.py": 25,
    "whole/test_api.py": 25,
    "explore/test_explore.py": 20,
    "prove/test_serving.py": 15,
    "prove/test_prove.py": 12,
    "prove/test_buffered.py": 12,
    "prove/test_own_designs.py": 20,
    "whole/test_hostile_files.py": 18,
    "core/test_expr.py": 17,
    "model/test_memory.py": 21,
    "conform/test_conform.py": 20,
    "cost/test_cost.py": 15,
    "measure/test_measure.py": 15,
    "export/test_export.py": 15,
    "engines/explicit/test_certificate.py": 15,
    "whole/test_hostile_options.py": 14,
    "pages/test_counterexamples.py": 14,
    "engines/explicit/test_graph.py": 14,
    "museum/test_museum.py": 17,
    "engines/test_engines.py": 12,
    "pages/test_repairs.py": 12,
    "decide/test_agreement.py": 12,
    "model/test_causes.py": 16,
    "model/test_orders.py": 8,
    "model/test_arm.py": 17,
    "report/test_html.py": 10,
    "design/test_frontier.py": 9,
    "check/test_watch.py": 8,
    "engines/explicit/test_cost_fairness.py": 8,
    "check/test_outputs.py": 8,
    "engines/test_compiling.py": 6,
    "trace/test_trace.py": 6,
    "properties/test_field.py": 10,
}


def examples(number: int) -> int:
    """So many in a hundred as hypothesis's profile says: some of them in make test, all in make check-deep."""
    return max(number * settings().max_examples // 100, 1)


def spread(every: Iterable[Any], one_in: int) -> list[Any]:
    """Parameters of a test: one in so many of them in make test, all in make check-deep."""
    deep = [pytest.mark.deep]
    rows = [each if isinstance(each, tuple) else (each,) for each in every]
    return [pytest.param(*row, marks=deep if number % one_in else []) for number, row in enumerate(rows)]
