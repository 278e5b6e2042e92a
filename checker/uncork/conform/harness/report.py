"""The options that both commands of `uncork conform` have, and what becomes of their results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from uncork_nvme.instance import InstanceError

from uncork.command.options import OUTPUT, told, write
from uncork.conform.harness.storing import Stored, as_json, loads
from uncork.conform.harness.trials import Examined
from uncork.conform.rig.harness import HarnessError
from uncork.core.numbers import counted
from uncork.decide.exits import Exit
from uncork.decide.gate import worst

if TYPE_CHECKING:
    from uncork.render.terminal.text import Page


def reported(save: str) -> Callable[[Any], Any]:
    """Adds the options of random runs and of results to a command; `save` is the default of `--save`."""
    options = [
        click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the first run."),
        click.option(
            "--save",
            type=click.Path(dir_okay=False),
            default=save,
            show_default=True,
            help="File for a run that fails, after shrinking.",
        ),
        click.option("--json", "json_", type=OUTPUT, help="Write the results as JSON; - is standard output."),
    ]

    def given(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return given


def stored(path: str) -> Stored:
    """Returns the run in a file. Raises `click.FileError`, `InstanceError`."""
    try:
        with told(path):
            return loads(Path(path).read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise InstanceError(f"{path} is not a run that uncork conform stored: {error}") from None


@dataclass(frozen=True)
class Report:
    """What becomes of results: printed, and written to files.

    `save` is None for a run that is stored already. `harness` has the words of the command line of `exec`; empty of
    QEMU.
    """

    harness: str
    json: str | None
    save: str | None
    stepped: bool = True

    def tell(self, found: Examined) -> int:
        """Prints the results, after the harness has ended, and writes the files. Returns the exit code."""
        from uncork.conform.harness.show import about, sentences, tables  # rich
        from uncork.render.terminal.text import Page

        to = Page(stderr=self.json == "-")
        to.fold(about(found))
        for table in tables(found.lines):
            to.show(table)
            to.say()
        for line in sentences(found.lines):
            to.fold(line)
        codes = [line.code for line in found.lines]
        if found.skipped:
            to.say(f"{found.skipped} of the stored moves could not be made, and were left out")
        if found.failed:
            self._tell_failure(to, found)
            run = found.failed.run
            codes.append(Exit.HARNESS if run.broken else Exit.DISAGREE if run.mismatch else Exit.LIVENESS)
        elif any(line.part == "tour" and line.code is Exit.VACUOUS for line in found.lines):
            to.say("No transition was seen taken: nothing was compared. Name the events that it tells in hello.")
        else:
            made = f"{counted(found.runs, 'run')}, {counted(found.moves, 'move')}"
            to.say(f"{made}: the model allows all that was seen.")
        self.writes(found, found.failed.run.broken if found.failed else None)
        return worst(codes)

    def _tell_failure(self, to: Page, found: Examined) -> None:
        from uncork.conform.harness.show import failure

        assert found.failed is not None
        first, *lines = failure(found.failed)
        to.say(first, "bold", whole=True)
        for line in lines:
            to.say(line, whole=True)
        if self.save:
            failed = found.failed
            data = as_json(failed.run, failed.instance, found.name, stepped=self.stepped, overlay=failed.overlay)
            write(self.save, json.dumps(data, indent=1) + "\n")
            to.say(f"Written to {self.save}. To run it again:", whole=True)
            again = f"exec {self.save} -- {self.harness}" if self.harness else self.save
            to.say(f"  uncork conform {again}", whole=True)

    def writes(self, found: Examined, broken: HarnessError | None) -> None:
        """Writes the results as JSON, if that was asked for."""
        if self.json is None:
            return
        lines = [
            {"part": line.part, "name": line.name, "about": line.about, "runs": line.runs, "moves": line.moves}
            | {"result": line.result, "right": line.code is Exit.AS_EXPECTED, **line.figures}
            for line in found.lines
        ]
        failed = found.failed
        data = {
            "harness": found.name,
            "stepped": list(found.stepped),
            "trials": lines,
            "failed": failed and {"kind": failed.run.failed, "runs": failed.runs, "moves": failed.run.moves},
            "broken": broken and {"word": broken.word, "message": str(broken)},
        }
        write(self.json, json.dumps(data, indent=1) + "\n")
