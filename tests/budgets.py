"""What each file of tests may cost, in seconds of a processor, and how many random examples a test has.

`make test` warns of files that take more than twice what they may.

A test that decides, proves or compares all there is belongs in make check-deep, with a spread of it here. Where a file
gets new tests that are worth it, raise its budget with them, and see that make test takes no longer.
"""

from __future__ import annotations

from hypothesis import settings

OVERDRAFT = 2
"""How many times its budget a file may take before that is told: a busy machine is slower by as much."""

OTHERS = 5
"""The budget of a file that is not in the table."""

BUDGETS = {
    "test_proof.py": 130,
    "test_downstream.py": 45,
    "test_docs.py": 100,
    "test_command.py": 90,
    "test_export_tla.py": 75,
    "test_symbolic.py": 75,
    "test_validate.py": 65,
    "test_verdicts.py": 60,
    "test_museum.py": 50,
    "test_repair.py": 50,
    "test_mutants.py": 45,
    "test_lifecycle.py": 45,
    "test_flow.py": 30,
    "test_sweep.py": 40,
    "test_reductions.py": 38,
    "test_hostile_processes.py": 35,
    "test_benchmarks.py": 25,
    "test_compiling.py": 20,
    "test_api.py": 25,
    "test_explore.py": 20,
    "test_hostile_files.py": 18,
    "test_expr.py": 17,
    "test_conform.py": 16,
    "test_cost.py": 15,
    "test_measure.py": 15,
    "test_export.py": 15,
    "test_certificate.py": 15,
    "test_hostile_options.py": 14,
    "test_engines.py": 12,
    "test_html.py": 10,
    "test_memory.py": 8,
    "test_watch.py": 8,
    "test_cost_fairness.py": 8,
    "test_outputs.py": 8,
}


def examples(number: int) -> int:
    """So many in a hundred as hypothesis's profile says: some of them in make test, all in make check-deep."""
    return max(number * settings().max_examples // 100, 1)
