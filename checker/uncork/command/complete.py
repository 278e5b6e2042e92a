"""What the shell completes: names of devices, guests, policies, choices, instances and bugs.

Each function is for the `shell_complete` of an option or argument. What it needs is imported when it is called: every
command imports this module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

Item: TypeAlias = CompletionItem[str]
Completes: TypeAlias = Callable[[click.Context, click.Parameter, str], list[Item]]
_FILE = (".", "/", "~")
"""How the name of a file may begin that is not only a name."""


def _names(known: Callable[[], Mapping[str, str]], *, apart: str = "", file: bool = False) -> Completes:
    """A completion by the first letters of names, each with its meaning.

    Several values may be joined by `apart`; the last one is completed. If `file`, it may be the name of a file, too.
    """

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[Item]:
        before, joined, last = incomplete.rpartition(apart) if apart else ("", "", incomplete)
        if file and _is_file(last):
            return [] if joined else [CompletionItem(incomplete, type="file")]
        found = [
            CompletionItem(before + joined + name, help=meaning.partition(". ")[0] or None)
            for name, meaning in known().items()
            if name.startswith(last)
        ]
        return found if found or joined or not file else [CompletionItem(incomplete, type="file")]

    return complete


def _is_file(word: str) -> bool:
    return word.startswith(_FILE) or (os.sep in word and os.path.isdir(word.partition(os.sep)[0]))


# -- what there is -----------------------------------------------------------------------------------------------------
def _devices() -> dict[str, str]:
    from uncork_nvme.catalogue import DEVICES

    return {name: each.doc for name, each in DEVICES.items()}


def _guests() -> dict[str, str]:
    from uncork_nvme.catalogue import GUESTS

    return {name: each.doc for name, each in GUESTS.items()}


def _policies() -> dict[str, str]:
    from uncork_nvme.policies import POLICIES

    return {name: each.doc for name, each in POLICIES.items()}


def _choices() -> dict[str, str]:
    from uncork_nvme.choices import describe

    return {f"{name}=": meaning for name, _, meaning in describe()}


def _values(choice: str) -> list[str]:
    from uncork_nvme.choices import describe

    return [value for name, values, _ in describe() if name == choice for value in values if " " not in value]


def _bugs() -> dict[str, str]:
    from uncork_nvme.museum import BUGS

    return {bug.name: bug.happened for bug in BUGS}


def _rows() -> dict[str, str]:
    from uncork_properties.catalogue import ROWS

    return ROWS


def _loads() -> dict[str, str]:
    from uncork_properties.load import LOADS

    return {name: each.doc for name, each in LOADS.items()}


def _stored() -> dict[str, str]:
    """The instances of which verdicts are recorded; of the default matrix first."""
    from importlib.resources import files

    folder = files("uncork_properties").joinpath("recorded")
    sheets = sorted((each for each in folder.iterdir() if each.name.endswith(".csv")), key=lambda each: each.name)
    first = sorted(sheets, key=lambda each: each.name != "expected.csv")
    return {name: "" for sheet in first for name in _instances(sheet.read_text(encoding="utf-8"))}


def _instances(sheet: str) -> Iterable[str]:
    """The names of the instances in a sheet of verdicts; none of another file."""
    import csv

    lines = csv.reader(sheet.splitlines())
    if next(lines, [])[:7] == ["device", "guest", "policy", "sqs", "sq_size", "cq_size", "overrides"]:
        for device, guest, policy, sqs, sq, cq, overrides, *_ in lines:
            changed = "/" + overrides.replace(";", ",") if overrides else ""
            yield f"{device}/{guest}/{policy}/n{sqs}-sq{sq}-cq{cq}{changed}"


devices = _names(lambda: {**_devices()}, file=True)
several_devices = _names(lambda: {**_devices(), "all": "Every device of the catalogue."}, apart=",", file=True)
several_guests = _names(lambda: {**_guests(), "all": "Every guest of the catalogue."}, apart=",", file=True)
policies = _names(_policies, file=True)
several_policies = _names(_policies, apart=",", file=True)
rows = _names(_rows, apart=",")
loads = _names(_loads, apart=",")
bugs = _names(_bugs)
instances = _names(_stored)
instances_or_files = _names(_stored, file=True)
events = _names(lambda: dict.fromkeys(_values("events"), ""), apart="+")
designs = _names(lambda: {**_policies(), **_choices(), **_stored()}, file=True)
subjects = _names(
    lambda: {**_devices(), **_guests(), **_policies(), **_rows(), **{k.rstrip("="): v for k, v in _choices().items()},
             **_bugs(), **_stored()},
    file=True,
)  # fmt: skip
components = _names(lambda: {**_devices(), **_guests(), **_policies(), **_stored()}, file=True)


def overrides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Item]:
    """Completes the name of a choice up to its `=`, and behind that the values."""
    name, equals, value = incomplete.partition("=")
    if not equals:
        return _names(_choices)(ctx, param, incomplete)
    before, joined, last = value.rpartition("+")
    return [CompletionItem(f"{name}={before}{joined}{each}") for each in _values(name) if each.startswith(last)]


# -- bash --------------------------------------------------------------------------------------------------------------
@add_completion_class
class Bash(BashComplete):
    """Bash, which takes `=` and `:` for words of their own, and replaces only what follows them.

    Nothing stands between a name and its value, so after `=` no blank is added.
    """

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace"
    )
    _cut = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Returns the words before the one to complete, and that word, joined again at `=` and `:`."""
        at = int(os.environ["COMP_CWORD"])
        given = split_arg_string(os.environ["COMP_WORDS"])[: at + 1]
        words, goes_on = list[str](), False
        for word in [*given, *[""] * (at + 1 - len(given))]:
            mark = bool(word) and set(word) <= {"=", ":"}
            if words and (mark or goes_on):
                words[-1] += word
            else:
                words.append(word)
            goes_on = mark
        last = words[-1]
        self._cut = last[: max(last.rfind("="), last.rfind(":")) + 1]
        return words[1:-1], last

    def format_completion(self, item: Item) -> str:
        """Returns a line for the shell, without what stands in the line before the last `=` or `:`."""
        return f"{item.type},{item.value.removeprefix(self._cut)}"
