"""Prints the output of `uncork list` and `uncork show`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from uncork_nvme.catalogue import DEVICES, GUESTS, POLLS, find_device, find_guest
from uncork_nvme.choices import describe
from uncork_nvme.device import Device, Guest
from uncork_nvme.formulas import is_formula
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.museum import BUGS, Bug
from uncork_nvme.names import of_file
from uncork_nvme.own import policy as own
from uncork_nvme.own.policy import Own
from uncork_nvme.policies import POLICIES, Policy
from uncork_properties.catalogue import ROWS, covers
from uncork_properties.matrix import instances

from uncork.core.expr import text as expression
from uncork.core.sorts import did_you_mean
from uncork.core.system import Action
from uncork.render.terminal.text import Page, table


def listing(kind: str | None) -> None:
    """Prints all entries of a kind; for None, of all kinds but instances."""
    to = Page()
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
            to.show(table(name, ["name", "what it is"], known.items()))


def explain(name: str | None) -> None:
    """Prints what a name stands for. Raises `InstanceError` for an unknown name."""
    choices = {each[0]: each for each in describe()}
    steps, bugs = _steps(), {bug.name: bug for bug in BUGS}
    if name is None:
        _show_choices(list(choices.values()))
    elif name in DEVICES:
        _show_device(name)
    elif name in GUESTS:
        _show_guest(name)
    elif name in ROWS:
        Page().say(f"{name}: {ROWS[name]}")
        _show_covers()
    elif name in choices:
        _show_choices([choices[name]])
        _show_actions(steps.get(name, []))  # a choice such as notify is a step too
    elif name in POLICIES:
        _show_policy(find_policy(name))
    elif of_file(name):
        {
            "policy": lambda: _show_policy(find_policy(name)),
            "device": lambda: _show_device(name),
            "guest": lambda: _show_guest(name),
        }[own.kind(name)]()
    elif name in steps:
        _show_actions(steps[name])
    elif name in bugs:
        _show_bug(bugs[name])
    elif name.count("/") >= 3:
        _show_instance(from_name(name))
    elif is_formula(name):
        _show_policy(find_policy(name))
    else:
        known = [*POLICIES, *DEVICES, *GUESTS, *ROWS, *choices, *steps, *bugs]
        raise InstanceError(
            f"nothing is called {name!r}{did_you_mean(name, known)}" if len(name) > 2 else f"nothing is called {name!r}"
        )


def _example(device: str = "arm-recheck", guest: str = "linux") -> Instance:
    return Instance(device, guest, find_device(device).policy, 1, 3, 3)


def _steps() -> dict[str, list[Action]]:
    """Returns the steps of every device and of the guest, by name, on a small example."""
    found: dict[str, list[Action]] = {}
    for device in DEVICES:
        for action in _example(device).system.actions:
            known = found.setdefault(action.family, [])
            if action.name not in [each.name for each in known]:
                known.append(action)
    return found


def _show_choices(choices: Sequence[tuple[str, list[str], str]]) -> None:
    rows = [[name, "\n".join(values), meaning] for name, values, meaning in choices]
    Page().show(table(None, ["choice", "values", "meaning (the first value is the default)"], rows))
    if len(rows) > 1:
        Page().say("Override one with --set name=value. Explain anything else with: uncork show NAME")


def _show_device(name: str) -> None:
    device, to = find_device(name), Page()
    to.say(f"{name}: {device.doc}")
    to.say(f"Source: {device.source or '(none is named)'}. Its own policy: {device.policy}.")
    _say_of(to, device)
    to.show(table(None, ["choice", "value"], [(k, str(v)) for k, v in device.choices.items()]))
    example = _example(name)
    to.say(f"Its steps, on {example.name}:")
    guest_actors = ("submitter", "consumer")
    _show_actions([a for a in example.system.actions if not a.actor.startswith(guest_actors)])


def _say_of(to: Page, entry: Device | Guest) -> None:
    if entry.assumes:
        to.say(f"Assumed: {entry.assumes}")
    if entry.choices.get("poll") == "yes":
        to.say(POLLS.format(entry.name))


def _show_guest(name: str) -> None:
    guest, to = find_guest(name), Page()
    to.say(f"{name}: {guest.doc}")
    to.say(f"Source: {guest.source or '(none is named)'}.")
    _say_of(to, guest)
    to.show(table(None, ["choice", "value"], [(k, str(v)) for k, v in guest.choices.items()]))
    example = _example(guest=name)
    to.say(f"Its steps, on {example.name}:")
    _show_actions([a for a in example.system.actions if a.actor.startswith(("submitter", "consumer"))])


def _show_policy(policy: Policy) -> None:
    to = Page()
    to.say(f"{policy.name}: {policy.doc or '(it has no docstring)'}")
    if policy.source:
        to.say(f"Source: {policy.source}.")
    to.say("At a cork (on devices that arm there): " + ("the same formula." if policy.at_cork else "left alone."))
    if not is_formula(policy.name) or policy.name in POLICIES:
        to.say()
        formula = policy.formula
        source = formula.told.source if isinstance(formula, Own) else inspect.getsource(formula)
        to.say(source.rstrip(), whole=True)


def _show_bug(bug: Bug) -> None:
    to = Page()
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


def _show_covers() -> None:
    example = _example()
    names = ", ".join(cover.name for cover in covers(example.machine, example.system))
    Page().say(f"Every check also verifies that some run: {names}.")


def _show_instance(instance: Instance) -> None:
    to = Page()
    to.say(instance.name, "bold")
    to.show(table(None, ["choice", "value"], [(k, str(v)) for k, v in instance.choices.items().items()]))
    rows = [(v.name, str(v.sort), v.doc) for v in instance.system.variables]
    to.show(table("variables", ["name", "values", "meaning"], rows))
    _show_actions(instance.system.actions)


def _show_actions(actions: Sequence[Action]) -> None:
    to = Page()
    for action in actions:
        to.say()
        to.say(f"{action.name}  by {action.actor}, fairness: {action.fairness.value}", "bold")
        to.say(f"  {action.doc}")
        to.say(f"  when {expression(action.guard)}", "dim")
        for name, value in action.updates.items():
            to.say(f"  {name}' = {expression(value)}", "dim")
