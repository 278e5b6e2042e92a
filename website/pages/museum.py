"""Makes docs/museum.md, docs/field.md and the tables of verdicts of other pages: what `make museum` checks."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.gate import as_json
from uncork.museum.check import Exhibit, check
from uncork.museum.show import proved, refuted
from uncork.render import story
from uncork_nvme.catalogue import DEVICES, GUESTS, POLLS
from uncork_nvme.choices import YES
from uncork_nvme.instance import Instance
from uncork_nvme.museum import BUGS
from uncork_properties import expected, matrix
from uncork_properties.catalogue import properties
from uncork_properties.expected import Expected

from pages import DOCS, RECORDED, readme
from pages.sheets import SHEETS

_HEAD = """# The museum

Every bug of a real device or driver is a small variant of the machine. `uncork museum` refutes the variant, and proves
the fix at the same sizes: safety, `uncorked` and `drains`. `28+0` is a run of 28 steps that ends in no loop. A verdict
is about the model. Each section says what was assumed; [real devices and guests](field.md) has the assumptions about
devices. `make museum-pages` writes this page.

| bug | variant | refuted in | fix | verdict |
|---|---|---|---|---|
"""

_LACKING = """## Bugs that the machine cannot show

Each needs a part that the machine does not have.

"""


def page(exhibits: Sequence[Exhibit]) -> str:
    """The museum in Markdown."""
    rows = "".join(
        f"| [{each.bug.name}](#{each.bug.name.replace('.', '')}) | `{each.shown.variant.name}` | "
        f"`{each.shown.refutes}` {refuted(each)} | `{each.shown.fix.name}` | {proved(each)} |\n"
        for each in exhibits
    )
    lacking = "".join(
        f"- **{bug.name}**: {bug.happened} {bug.mended} ({bug.where}) It needs {bug.needs}.\n"
        for bug in BUGS
        if bug.shown is None
    )
    sections = "".join(_section(each) for each in exhibits)
    return f"{_HEAD}{rows}\n{sections}{_LACKING}{lacking}"


def _section(each: Exhibit) -> str:
    bug, shown, checked = each.bug, each.shown, each.variants[0]
    row = next(row for row in checked.rows if row.property == shown.refutes)
    assert isinstance(row.verdict, Refuted)
    system, trace = checked.instance.system, row.verdict.trace
    prop = next(p for p in properties(checked.instance.machine, system) if p.name == row.name)
    steps = "".join(f"{line.number}. {line.actor}: {line.did}\n" for line in story.lines(system, trace))
    ending = story.ending(trace)
    return (
        f"## {bug.name}\n\n{bug.happened}\n\n- Where: {bug.where}\n- The variant: `{shown.variant.name}`\n"
        f"- The fix: {bug.mended} `{shown.fix.name}`: {proved(each)}.\n"
        + (f"- Assumed: {shown.assumes}\n" if shown.assumes else "")
        + f"\n`uncork trace {checked.instance.name} --property {shown.refutes}` shows the run: "
        f"{story.headline(prop, trace)}\n\n<details><summary>{len(trace.steps)} steps</summary>\n\n{steps}"
        + (f"\n{ending}.\n" if ending else "")
        + "\n</details>\n\n"
    )


# -- real devices and guests -------------------------------------------------------------------------------------------
_FIELD = """# Real devices and guests

The table has every device of the catalogue, with its own policy and every guest: one SQ of three entries on a CQ of
three. `n2`: two SQs of two entries on a CQ of two. **HANGS k**: a run of k steps ends with an SQ that stays corked, or
with queues that never drain. *starves k*: only progress fails. live: everything is proved.
`uncork check --expect properties/uncork_properties/recorded/field.csv` checks the table.
[What each model was compared with](checked.md) has each source, event by event, and where the model differs.
`make museum-pages` writes this page.

"""


def field_page(recorded: Mapping[str, Expected]) -> str:
    """The page of devices and guests in Markdown: the verdicts, then each device's source, meaning and assumptions."""
    shapes = matrix.FIELD
    columns = [(guest, shape) for shape in shapes for guest in matrix.field_guests(shape.sqs)]
    heads = [guest + (f", n{shape.sqs}" if shape.sqs > 1 else "") for guest, shape in columns]
    rows, about, stated = [], [], dict[str, str]()
    for device in DEVICES.values():
        names = [Instance(device.name, guest, device.policy, *shape).name for guest, shape in columns]
        rows.append([device.name, *(readme.marked(expected.word(recorded[name].verdicts)) for name in names)])
        polls = f" {POLLS.format(device.name)}" if device.choices.get("poll") == YES else ""
        first = stated.setdefault(device.assumes, device.name)
        assumed = device.assumes if first == device.name else f"as of {first}."
        about.append(
            f"- **{device.name}** ({device.source}; `{device.policy}`): {device.doc}{polls}"
            + (f" Assumed: {assumed}\n" if device.assumes else "\n")
        )
    guests = [
        f"- **{guest.name}** ({guest.source}): {guest.doc}{f' Assumed: {guest.assumes}' if guest.assumes else ''}\n"
        for guest in GUESTS.values()
    ]
    table = readme.markdown(["device", *heads], rows)
    return f"{_FIELD}{table}\n## Devices\n\n{''.join(about)}\n## Guests\n\n{''.join(guests)}"


def known() -> dict[str, Expected]:
    """The recorded verdicts of every instance, by its name."""
    return {name: each for name, (_, each) in expected.recorded().items()}


def generate(docs: Path, recorded: Path) -> None:
    """Decides every instance, and writes pages and expectations; raises `SystemExit` for an unexpected exhibit."""
    exhibits = list(check(BUGS))
    for finding in [finding for each in exhibits for finding in each.findings]:
        sys.exit(f"{finding.instance}: {finding.message}")
    (docs / "museum.md").write_text(page(exhibits))
    _record(recorded / "field.csv", list(matrix.field()))
    for sheet in SHEETS:
        _record(recorded / f"{sheet.name}.csv", list(sheet.instances()))
    (docs / "field.md").write_text(field_page(known()))  # after every file is recorded: an instance may stand in two
    for sheet in SHEETS:
        path = docs / sheet.page
        path.write_text(sheet.updated(path.read_text()))


def _record(path: Path, instances: Sequence[Instance]) -> None:
    found = [row for checked in many.check(instances) for row in as_json(checked)]
    path.write_text(expected.dumps(expected.lines(found)))


def make() -> None:
    """Writes both pages, the recorded verdicts, and the tables of other pages."""
    generate(DOCS, RECORDED)
