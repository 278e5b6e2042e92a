"""Makes docs/museum.md, docs/field.md and the tables of verdicts of other pages: what `make museum` checks."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from uncork.core.causes.cause import cause
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.gate import as_json
from uncork.museum.check import Exhibit, check
from uncork.museum.show import proved, refuted
from uncork.render import story
from uncork.report.sources import pieces
from uncork_nvme.catalogue import DEVICES, GUESTS, POLLS
from uncork_nvme.choices import YES
from uncork_nvme.instance import Instance
from uncork_nvme.museum import BUGS, Bug
from uncork_properties import expected, matrix
from uncork_properties.catalogue import properties
from uncork_properties.expected import Expected

from pages import DOCS, RECORDED, readme
from pages.sheets import SHEETS

_HEAD = """# The museum

**{shown} bugs of real devices and drivers: each is a small variant of the machine that the checker refutes, with a fix
that it proves.** They go wrong in these ways:

{kinds}
`uncork museum` checks variant and fix at the same sizes; a fix has safety, `uncorked` and `drains`. `28+0` is a run of
28 steps that ends in no loop. A verdict is about the model, with what is *assumed*; [real devices and guests](field.md)
has what is assumed of devices. `make museum-pages` writes this page.

`uncork museum --device path/to/file.py:mine` checks your own device where these fixes are proved: with the guest, the
events, the memory and the sizes of each. Name bugs to check their circumstances only.

"""
KINDS = {
    "EventIdx stands where the guest's move does not pass it": (
        *("propolis-1026", "qemu-7.1", "openvmm-1582", "propolis-1043"),
    ),
    "No worker looks once more, or the wake-up goes elsewhere": (
        *("qemu-review-2022", "qemu-suppress-db", "spdk-4bcab9fb", "propolis-972", "propolis-resume", "qemu-2388"),
        *("spdk-2410", "spdk-0a153e8a", "usnvmemu-ring", "spdk-64db53f1", "propolis-1156", "qemu-2388-v1"),
        *("nvmet-mdev-pci-event", "nvmet-mdev-pci-poller", "nvmet-mdev-pci-39130d69"),
    ),
    "CQ slots are miscounted, or not counted": (
        *("spdk-6e1d0b50", "linux-nvme-2026", "propolis-983", "openvmm-3474", "rocm-xio-68", "femu-6f998742"),
        "usnvmemu-cq",
    ),
    "Two threads wait for each other's lock": ("propolis-3be416e2",),
    "A load passes a store": ("linux-2018", "spdk-7188bb99", "device-fence", "usnvmemu-fence"),
    "An entry is seen before it is whole": (
        *("spdk-93db90f7", "spdk-1828", "linux-b69e2ef2", "libvfn-9e4191a0", "openvmm-506", "nvmet-mdev-pci-28387e1a"),
        "femu-04ce8b1a",
    ),
    "A queue or a buffer begins anew, and something of before stays": (
        *("linux-58847f12", "spdk-1795", "config-at-nonzero", "openvmm-config", "openvmm-cached"),
        *("spdk-36dfcca2", "spdk-0537f914", "openvmm-cached-cq", "nvmevirt-58"),
    ),
    "Guest and device disagree whether a buffer is in use, or how its words are written": (
        *("spdk-2147", "qemu-admin", "linux-0f0d2c87", "linux-e8fd41bb", "linux-06c59d42", "openvmm-reset"),
        *("usnvmemu-config", "qemu-ea3c76f1"),
    ),
}
"""The names of the bugs that are shown, by how the wake-up is lost."""

_LACKING = """## Bugs that the machine cannot show

"""


def page(exhibits: Sequence[Exhibit]) -> str:
    """The museum in Markdown."""
    kinds = "".join(f"- **{kind}**: {', '.join(map(_link, names))}.\n" for kind, names in KINDS.items())
    head = _HEAD.format(shown=sum(bug.shown is not None for bug in BUGS), kinds=kinds)
    lacking = [
        f"- **{bug.name}**: {bug.happened} {bug.mended} ({_linked(bug.where)}) It needs {bug.needs}.\n"
        for bug in BUGS
        if bug.shown is None
    ]
    folded = readme.fold(f"{len(lacking)} bugs, each with the part that the machine does not have", "".join(lacking))
    return f"{head}{''.join(map(_section, exhibits))}{_LACKING}{folded}"


def _link(name: str) -> str:
    return f"[{name}](#{name.replace('.', '')})"


def _linked(prose: str) -> str:
    """A source with links to what it names."""
    return "".join(
        f"[{text.removeprefix('https://').removeprefix('github.com/')}]({address})" if address else text
        for text, address in pieces(prose)
    )


def _section(each: Exhibit) -> str:
    checked = each.variants[0]
    row = next(row for row in checked.rows if row.property == each.shown.refutes)
    assert isinstance(row.verdict, Refuted)
    system, trace = checked.instance.system, row.verdict.trace
    prop = next(p for p in properties(checked.instance.machine, system) if p.name == row.name)
    steps = [f"{line.number}. {line.actor}: {line.did}\n" for line in story.lines(system, trace)]
    run = f"`uncork trace {checked.instance.name} --property {each.shown.refutes}`: {story.headline(prop, trace)}"
    why = cause(system, prop, trace).text
    return entry(each.bug, refuted(each), proved(each), why, run, steps, story.ending(trace))


def entry(bug: Bug, how: str, where: str, why: str, run: str, steps: Sequence[str], ending: str) -> str:
    """A bug that is shown: what happened, the fix, the verdicts, the cause, and the steps of a run in a fold."""
    assert bug.shown is not None
    return (
        f"## {bug.name}\n\n{bug.happened} **Fix**: {bug.mended}"
        + (f" *Assumed*: {bug.shown.assumes}" if bug.shown.assumes else "")
        + f" (Source: {_linked(bug.where)}.)\n\n`{bug.shown.variant.name}`: `{bug.shown.refutes}` refuted {how}.\n"
        f"`{bug.shown.fix.name}`: {where}.\n\n**Cause**, in the run below: {why}\n\n"
        + readme.fold(f"{len(steps)} steps", f"{run}\n\n{''.join(steps)}" + (f"\n{ending}.\n" if ending else ""))
        + "\n"
    )


# -- real devices and guests -------------------------------------------------------------------------------------------
_FIELD = """# Real devices and guests

**With one SQ, only Propolis before #1026, QEMU 7.1, OpenVMM before #1582 and nvmet-mdev-pci hang, and only with guests
that ring when EventIdx is *passed*.** Guests that ring when EventIdx is just reached (spdk, libvfn), or that have no
doorbell buffer (mmio-only), show no hang. With two SQs on one CQ every Propolis hangs; today's QEMU, OpenVMM, older
nvmet-mdev-pci (by its poller) and the design `hand-over` are live; in the other devices one SQ may starve another.
usnvmemu posts into a full CQ.

Each device has its own policy; one SQ of three entries on a CQ of three, or (`n2`) two SQs of two entries on a CQ of
two. **HANGS k**: a run of k steps ends with an SQ that stays corked or asleep, or with queues that never drain.
**UNSAFE k**: it ends with a CQE posted into a full CQ. *starves k*: only progress fails. live: everything is proved.

"""
_AFTER = """
`uncork check --expect properties/uncork_properties/recorded/field.csv` checks the table, and `make museum-pages` writes
this page. [What each model was compared with](checked.md) has each source event by event.
"""


def field_page(recorded: Mapping[str, Expected]) -> str:
    """The page of devices and guests in Markdown: the verdicts, then each device's source, meaning and assumptions."""
    shapes = matrix.FIELD
    columns = [(guest, shape) for shape in shapes for guest in matrix.field_guests(shape.sqs)]
    heads = [guest + (f" (n{shape.sqs})" if shape.sqs > 1 else "") for guest, shape in columns]
    rows, about, stated = [], [], dict[str, str]()
    for device in DEVICES.values():
        names = [Instance(device.name, guest, device.policy, *shape).name for guest, shape in columns]
        rows.append([device.name, *(readme.marked(expected.word(recorded[name].verdicts)) for name in names)])
        polls = f" {POLLS.format(device.name)}" if device.choices.get("poll") == YES else ""
        first = stated.setdefault(device.assumes, device.name)
        assumed = device.assumes if first == device.name or not device.assumes else f"as of {first}."
        about.append(_about(f"{device.name}** (`{device.policy}`)", device.source, f"{device.doc}{polls}", assumed))
    guests = [_about(f"{guest.name}**", guest.source, guest.doc, guest.assumes) for guest in GUESTS.values()]
    table = readme.markdown(*readme.merged(["device", *heads], rows))
    what = "what each is, what is assumed, its source"
    folds = (
        readme.fold(f"{len(about)} devices: {what}", "".join(about)),
        readme.fold(f"{len(guests)} guests: {what}", "".join(guests)),
    )
    return "\n".join([f"{_FIELD}{table}{_AFTER}", *folds])


def _about(name: str, source: str, doc: str, assumed: str) -> str:
    return f"- **{name}: {doc}{f' *Assumed*: {assumed}' if assumed else ''} (Source: {_linked(source)}.)\n"


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
