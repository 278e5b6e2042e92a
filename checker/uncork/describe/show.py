"""Prints the output of `uncork list` and `uncork show`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence

from uncork_nvme.catalogue import DEVICES, GUESTS, POLLS
from uncork_nvme.choices import YES, Choices, describe
from uncork_nvme.formulas import is_formula
from uncork_nvme.instance import Instance, InstanceError, find_policy
from uncork_nvme.museum import BUGS, Bug
from uncork_nvme.own.policy import Own
from uncork_nvme.policies import POLICIES, Policy
from uncork_properties.catalogue import ROWS, covers
from uncork_properties.matrix import instances

from uncork.core.expr import text as expression
from uncork.core.sorts import did_you_mean
from uncork.core.system import Action
from uncork.describe.program import Part
from uncork.describe.subject import Subject, subject
from uncork.render.terminal.text import Page, Text, table


def listing(kind: str | None, to: Page | None = None) -> None:
    """Prints all entries of a kind; for None, of all kinds but instances."""
    to = to or Page()
    if kind == "instances":
        for instance in instances():
            to.say(instance.name, whole=True)
        return
    kinds = {
        "policies": {name: policy.doc for name, policy in POLICIES.items()},
        "devices": {name: device.doc for name, device in DEVICES.items()},
        "guests": {name: guest.doc for name, guest in GUESTS.items()},
        "properties": ROWS,
    }
    for name, known in kinds.items():
        if kind in (None, name):
            _lines(to, name, known)
            to.say()
    to.fold("uncork show NAME explains one.", "dim")


def _lines(to: Page, title: str, known: Mapping[str, str]) -> None:
    """Prints a line for every entry: its name, and as much of its first sentences as fits."""
    to.fold(title, "bold")
    indent = max(map(len, known)) + 4
    for name, said in known.items():
        to.line(Text(f"  {name:{indent - 4}}  {_first(said, to.width - indent)}".rstrip()))


def _first(said: str, width: int) -> str:
    """Returns the first sentences, if they fit and fill most of a width; else as many words as fit."""
    if len(said) <= width:
        return said
    ends = [found.start() + 1 for found in re.finditer(r"\. ", said) if width // 2 <= found.start() < width]
    if ends:
        return said[: ends[-1]]
    words = said[: width - 3].rpartition(" ")[0].rstrip(" ,;:.")
    return f"{words} ..." if words else ""


def explain(name: str | None, *, steps: bool = False, to: Page | None = None) -> None:
    """Prints what a name stands for; with `steps` also guards and updates. Raises `InstanceError` for another name."""
    to = to or Page()
    choices = {each[0]: each for each in describe()}
    bugs = {bug.name: bug for bug in BUGS}
    if name is None:
        _show_choices(to, list(choices.values()))
    elif found := subject(name):
        if found.kind == "policy":
            _show_policy(to, find_policy(name))
        else:
            _show_subject(to, found, steps=steps)
    elif name in ROWS:
        to.say(f"{name}: {ROWS[name]}")
        _show_covers(to)
    elif name in choices:
        _show_choices(to, [choices[name]])
        _show_actions(to, _steps().get(name, []))  # a choice such as notify is a step too
    elif actions := _steps().get(name):
        _show_actions(to, actions)
    elif name in bugs:
        _show_bug(to, bugs[name])
    else:
        known = [*POLICIES, *DEVICES, *GUESTS, *ROWS, *choices, *_steps(), *bugs]
        raise InstanceError(
            f"nothing is called {name!r}{did_you_mean(name, known)}" if len(name) > 2 else f"nothing is called {name!r}"
        )


def _example(device: str = "arm-recheck") -> Instance:
    return Instance(device, "linux", DEVICES[device].policy, 1, 3, 3)


def _steps() -> dict[str, list[Action]]:
    """Returns the steps of every device and of the guest, by name, on a small example."""
    found: dict[str, list[Action]] = {}
    for device in DEVICES:
        for action in _example(device).system.actions:
            known = found.setdefault(action.family, [])
            if action.name not in [each.name for each in known]:
                known.append(action)
    return found


def _show_choices(to: Page, choices: Sequence[tuple[str, list[str], str]]) -> None:
    rows = [[name, "\n".join(values), meaning] for name, values, meaning in choices]
    to.show(table(None, ["choice", "values", "meaning (the first value is the default)"], rows))
    if len(rows) > 1:
        to.say("Override one with --set name=value. Explain anything else with: uncork show NAME")


def _show_subject(to: Page, found: Subject, *, steps: bool) -> None:
    """Prints a device, guest, design or instance: its program; with `steps` also all that is known of it."""
    entry, instance = found.entry, found.instance
    to.say(f"{found.name}: {entry.doc}" if entry else found.name, "" if entry else "bold")
    if entry and entry.choices.get("poll") == YES:
        to.say(POLLS.format(entry.name))
    to.say()
    show_program(to, found.program)
    to.say()
    if entry:
        to.say(f"Source: {entry.source or '(none is named)'}.")
    if not steps:
        to.say(f"Its settings: {settings(found)}.")
        sizes = "" if found.kind == "instance" else f"Steps as on {instance.name}. "
        assumed = ", updates and what is assumed" if entry and entry.assumes else " and updates"
        to.say(f"{sizes}Guards{assumed}: uncork show {found.name} --steps")
        return
    if entry and entry.assumes:
        to.say(f"Assumed: {entry.assumes}")
    chosen = entry.choices if entry else instance.choices.items()
    to.show(table(None, ["choice", "value"], [(k, str(v)) for k, v in chosen.items()]))
    if not entry:
        rows = [(v.name, str(v.sort), v.doc) for v in instance.system.variables]
        to.show(table("variables", ["name", "values", "meaning"], rows))
    _show_actions(to, [each for outcomes in instance.system.duties.values() for each in outcomes if found.has(each)])


def settings(found: Subject) -> str:
    """The policy, and the choices that are not the defaults."""
    usual = Choices().items()
    chosen = found.entry.choices if found.entry else found.instance.choices.items()
    said = [f"{name}={value}" for name, value in chosen.items() if value != usual[name]]
    policy = [] if found.kind == "guest" else [f"policy {found.instance.policy}"]
    return ", ".join([*policy, *said]) or "the defaults"


def show_program(to: Page, parts: Sequence[Part]) -> None:
    """Prints programs: a line an outcome of a step. The lines of a step have its position and its function once."""
    for part in parts:
        to.say(part.actor + (f" ({part.held})" if part.held else ""), "bold")
        rows, last = [], ("", "")
        for line in part.lines:
            before = "" if (line.step, line.before) == last else line.before
            rows.append((before, f"-> {line.after}" if line.after else "", line.does, line.read_in))
            last = line.step, line.before
        to.steps(rows)


def _show_policy(to: Page, policy: Policy) -> None:
    to.say(f"{policy.name}: {policy.doc or '(it has no docstring)'}")
    if policy.source:
        to.say(f"Source: {policy.source}.")
    to.say("At a cork (on devices that arm there): " + ("the same formula." if policy.at_cork else "left alone."))
    if not is_formula(policy.name) or policy.name in POLICIES:
        to.say()
        formula = policy.formula
        source = formula.told.source if isinstance(formula, Own) else inspect.getsource(formula)
        to.say(source.rstrip(), whole=True)


def _show_bug(to: Page, bug: Bug) -> None:
    to.say(f"{bug.name}, a bug of the museum: {bug.happened}")
    to.say(f"Source: {bug.where}")
    to.say(f"Mended: {bug.mended}")
    if bug.shown is None:
        to.say(f"Not shown: it needs {bug.needs}.")
        return
    sizes = bug.shown.shapes[0]
    if bug.shown.assumes:
        to.say(f"Assumed: {bug.shown.assumes}")
    to.say(f"uncork trace {bug.shown.variant.at(*sizes).name} --property {bug.shown.refutes}", whole=True)
    to.say(f"uncork museum {bug.name} checks it, and that {bug.shown.fix.name} is live.", whole=True)


def _show_covers(to: Page) -> None:
    example = _example()
    names = ", ".join(cover.name for cover in covers(example.machine, example.system))
    to.say(f"Every check also verifies that some run: {names}.")


def _show_actions(to: Page, actions: Sequence[Action]) -> None:
    for action in actions:
        to.say()
        to.say(f"{action.name}  by {action.actor.strip()}, fairness: {action.fairness.value}", "bold")
        to.say(action.doc, indent=2)
        to.pairs([("when", expression(action.guard)), *((f"{n}' =", expression(v)) for n, v in action.updates.items())])
