"""Lays out the verdicts on many instances in a given width: a column a size; equal rows and equal blocks stand once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from uncork_nvme.instance import Instance
from uncork_nvme.shape import Shape

from uncork.core.frozen import frozen
from uncork.render.terminal.text import Text, fold

Key = tuple[str, str, str]
"""A device, a guest, and overrides."""
Cells = Mapping[str, Mapping[Shape, str]]
"""The cells of a block, by policy and size: a word of `expected.word`, with `!` at its end if it is unexpected."""

_STYLES = {"live": "green", "HANGS": "red", "UNSAFE": "red", "starves": "yellow", "fails": "yellow", "open": "magenta"}
_SAID = {
    "live": "{} live (proved)",
    "HANGS": "{}N hangs, a run of N steps",
    "starves": "{}N starves only",
    "UNSAFE": "{}N unsafe, a run of N steps",
    "fails": "{}N another property fails",
    "open": "{} open",
}
_MEANT = {
    "live": "Live: for every run at these sizes.",
    "HANGS": "Hangs: an SQ stays corked, or the queues never drain.",
    "starves": "Starves only: progress fails, and nothing else.",
}
_LABEL = 48
"""The widest column of policies, unless one is longer."""


@frozen
class Signs:
    """The characters of a table; `of` has one for each word of a verdict."""

    of: Mapping[str, str]
    times: str
    bar: str
    between: str

    def cell(self, word: str) -> str:
        """Returns the sign of a cell, with its number and mark."""
        found = re.fullmatch(r"(\w*) ?(\d*)(!?)", word)
        assert found, word
        return f"{self.of[found[1]]}{found[2]}{found[3]}" if word else ""

    def size(self, shape: Shape) -> str:
        """Returns a size as the head of a column has it."""
        return f"{shape.sqs}{self.times}{shape.sq_size}/{shape.cq_size}"

    def legend(self, words: Iterable[str]) -> list[str]:
        """Returns what the signs of the given cells mean."""
        used = {word.rstrip("!").split(" ")[0] for word in words}
        return [said.format(self.of[word]) for word, said in _SAID.items() if word in used]

    @staticmethod
    def meaning(words: Iterable[str]) -> str:
        """Returns what the words of the legend mean, of those that the given cells need."""
        used = {word.rstrip("!").split(" ")[0] for word in words}
        return " ".join(said for word, said in _MEANT.items() if word in used)


_ALIKE = {"starves": "~", "UNSAFE": "#", "fails": "%", "open": "?"}
UNICODE = Signs({"live": "✓", "HANGS": "✗", **_ALIKE}, "×", "│", "·")
ASCII = Signs({"live": "ok", "HANGS": "X", **_ALIKE}, "x", "|", "with")


def blocks(cells: Iterable[tuple[Instance, str]]) -> dict[Key, dict[str, dict[Shape, str]]]:
    """Returns the cells of instances by block, policy and size."""
    found: dict[Key, dict[str, dict[Shape, str]]] = {}
    for instance, word in cells:
        overrides = ",".join(f"{name}={value}" for name, value in sorted(instance.overrides.items()))
        block = found.setdefault((instance.device, instance.guest, overrides), {})
        block.setdefault(instance.policy, {})[instance.shape] = word
    return found


def lay_out(found: Mapping[Key, Cells], width: int, signs: Signs = UNICODE) -> Iterator[Text]:
    """Yields the lines of the table. If the sizes do not fit beside each other, each number of SQs has a part."""
    shapes = list(dict.fromkeys(shape for block in found.values() for row in block.values() for shape in row))
    listed = [set(block) for block in found.values() if len({tuple(row.items()) for row in block.values()}) > 1]
    longest = max(len(policy) for block in found.values() for policy in block) + 2
    for number, part in enumerate(_parts(found, shapes, width - min(longest, width // 2), signs)):
        if number:
            yield Text()
        yield from _part(found, part, width, signs, listed)


def _parts(found: Mapping[Key, Cells], shapes: list[Shape], room: int, signs: Signs) -> list[list[Shape]]:
    if sum(_widths(found, shapes, signs)) + 2 * len({shape.sqs for shape in shapes}) <= room:
        return [shapes]
    numbers = list(dict.fromkeys(shape.sqs for shape in shapes))
    if len(numbers) > 1:
        each = ([shape for shape in shapes if shape.sqs == number] for number in numbers)
        return [part for those in each for part in _parts(found, those, room, signs)]
    many = max(room // max(_widths(found, shapes, signs)), 1)
    return [shapes[at : at + many] for at in range(0, len(shapes), many)]


def _widths(found: Mapping[Key, Cells], shapes: Sequence[Shape], signs: Signs) -> list[int]:
    rows = [row for block in found.values() for row in block.values()]
    return [max(len(signs.size(s)), *(len(signs.cell(row.get(s, ""))) for row in rows)) + 1 for s in shapes]


_Content = tuple[tuple[str, tuple[str, ...]], ...]


def _part(
    found: Mapping[Key, Cells], shapes: Sequence[Shape], width: int, signs: Signs, listed: Sequence[set[str]]
) -> Iterator[Text]:
    contents: dict[Key, _Content] = {}
    for key, block in found.items():
        rows = ((policy, tuple(row.get(shape, "") for shape in shapes)) for policy, row in block.items())
        if content := tuple((policy, row) for policy, row in rows if any(row)):
            contents[key] = content
    notes = dict(_notes(contents, shapes))
    kept: dict[tuple[str, _Content], list[Key]] = {}
    for key, content in contents.items():
        if key not in notes:
            kept.setdefault((key[2], content), []).append(key)
    widths = _widths(found, shapes, signs)
    longest = max(len(policy) + 3 for _, content in kept for policy, _ in content)
    names = [", ".join(policies) for _, content in kept for policies, _ in _merged(content)]
    room = max(width - sum(widths) - 2 * len({shape.sqs for shape in shapes}), 8)
    label = min(max([*(len(name) + 3 for name in names), 22]), room, max(_LABEL, longest))
    head = f"SQs{signs.times}entries/CQ"
    yield _row(head if len(head) < label else "", [signs.size(s) for s in shapes], [], shapes, widths, label, signs)
    for (overrides, content), keys in kept.items():
        for each in _heads(keys, overrides, signs):
            yield from (Text(line, "bold") for line in fold(each, width))
        merged = list(_merged(content))
        whole = {policy for policy, _ in content}
        for policies, row in merged:
            said = "any policy" if len(merged) == 1 and whole in listed else ", ".join(policies)
            folded = fold(said, label - 3)
            yield from (Text("  " + line) for line in folded[:-1])
            yield _row("  " + folded[-1], [signs.cell(cell) for cell in row], row, shapes, widths, label, signs)
    yield from (Text(line) for each in _sentences(notes, contents, signs) for line in fold(each, width))


def _merged(content: _Content) -> list[tuple[list[str], tuple[str, ...]]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for policy, cells in content:
        found.setdefault(cells, []).append(policy)
    return [(policies, cells) for cells, policies in found.items()]


def _row(
    label: str,
    cells: Sequence[str],
    words: Sequence[str],
    shapes: Sequence[Shape],
    widths: Sequence[int],
    room: int,
    signs: Signs,
) -> Text:
    line = Text(label.ljust(room))
    for number, (cell, shape, width) in enumerate(zip(cells, shapes, widths, strict=True)):
        if number and shapes[number - 1].sqs != shape.sqs:
            line.append(f"{signs.bar} ", "dim")
        style = _STYLES.get(words[number].rstrip("!").split(" ")[0], "") if words else ""
        line.append(cell.center(width - 1), style)
        line.append(" ")
    line.rstrip()
    return line


def _heads(keys: Sequence[Key], overrides: str, signs: Signs) -> Iterator[str]:
    """Yields devices and guests of equal blocks: a line for devices that share their guests."""
    guests: dict[str, list[str]] = {}
    for device, guest, _ in keys:
        guests.setdefault(device, []).append(guest)
    sharing: dict[tuple[str, ...], list[str]] = {}
    for device, served in guests.items():
        sharing.setdefault(tuple(served), []).append(device)
    for those, devices in sharing.items():
        of = [", ".join(devices), ", ".join(those), *([overrides] if overrides else [])]
        yield f" {signs.between} ".join(of)


def _notes(contents: Mapping[Key, _Content], shapes: Sequence[Shape]) -> Iterator[tuple[Key, str]]:
    """Yields what a sentence says instead of a block: all is live, or as with a guest that has a block with more."""
    cells = {key: {(p, s): c for p, row in content for s, c in zip(shapes, row, strict=True) if c}
             for key, content in contents.items()}  # fmt: skip
    live = {key for key, of in cells.items() if set(of.values()) == {"live"}}
    told = {frozenset(policy for policy, _ in cells[key]) for key in cells if key not in live}
    for key, of in cells.items():
        sizes = _sizes({shape for _, shape in of}, shapes)
        if key in live and frozenset(policy for policy, _ in of) in told:
            yield key, f"all live{sizes}"
            continue
        like = (
            other
            for other, more in cells.items()
            if (other[0], other[2]) == (key[0], key[2]) and len(more) > len(of) and of.items() <= more.items()
            and {policy for policy, _ in of} == {policy for policy, _ in more}
            if other not in live
        )  # fmt: skip
        if found := max(like, key=lambda other: len(cells[other]), default=None):
            yield key, f"as {found[1]}{sizes}"


def _sizes(of: set[Shape], shapes: Sequence[Shape]) -> str:
    if of == set(shapes):
        return ""
    numbers = {shape.sqs for shape in of}
    if of == {shape for shape in shapes if shape.sqs in numbers}:
        return f" at {' or '.join(map(str, sorted(numbers)))} SQ{'s' * (numbers != {1})}"
    return " at " + ", ".join(UNICODE.size(shape) for shape in shapes if shape in of)


def _sentences(notes: Mapping[Key, str], contents: Mapping[Key, _Content], signs: Signs) -> list[str]:
    alike: dict[tuple[str, str], list[Key]] = {}
    for key, said in notes.items():
        alike.setdefault((said, key[2]), []).append(key)
    sentences = []
    for (said, overrides), keys in alike.items():
        left = []
        for guest in dict.fromkeys(guest for _, guest, _ in keys):
            those = [key for key in keys if key[1] == guest]
            if overrides or {key for key in contents if key[1] == guest} != set(those):
                left += those
            else:
                sentences.append(f"guest {guest}: {said}")
        sentences += [f"{head}: {said}" for head in _heads(left, overrides, signs)]
    return sentences
