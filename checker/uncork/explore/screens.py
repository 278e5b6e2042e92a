"""The screens of `uncork explore`: rings, actors and properties of a machine, enabled steps, and the run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import click
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option
from uncork_nvme.instance import Instance
from uncork_properties.catalogue import ROWS, properties

from uncork.command.options import write
from uncork.core.sorts import plain
from uncork.explore.journey import ORDERS, Journey, Scheduler
from uncork.explore.known import CORKS, Known, facts
from uncork.render import itf, story

_PATIENCE = 2.0
"""The most seconds that the scheduler runs at a time: steps of a large machine are slow."""
_LINES = 5
"""The number of steps of the run that are shown; fewer beside a long notice."""
_CHANGED, _AHEAD, _BAD, _DIM = "bold $warning", "bold $accent", "bold $error", "dim"

_HELP = """\
Enter     take the highlighted step; ↑ ↓ choose one, and it is explained
u ←       take the last step back
→         take the step that lies ahead, marked → (where there is one)
Home End  to the first state, to the end of what lies ahead
r         let a fair scheduler run until an SQ is corked
s         ... with or without submissions (and events): none has to be
o         ... random, or round-robin: what was taken longest ago
d         ... with another seed
c         jump to a counterexample, or to the run you left for one
w         save the run so far, for uncork trace and explore --from
Tab       to the rings and actors, to scroll them, and back
q         quit

What the last step changed is bright. A yes-or-no that is no is left
out. A property holds, waits for what must come, or is STUCK: nothing
that must happen can happen, and so it stays. ↻ marks a loop's steps.
"""


class Panel(Static):
    """Text that is never interpreted as markup."""

    def __init__(self, name: str) -> None:
        super().__init__("", id=name, markup=False)


class Choices(OptionList):
    """A list; the footer shows its Enter key."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "take")]


class Ask(ModalScreen[str | None]):
    """Asks for a file name. Asks again before an existing file is overwritten."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "leave")]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._sure = name, ""

    def compose(self) -> ComposeResult:
        """Shows a question and an input line."""
        with Vertical(classes="box"):
            yield Static("Save the run so far as (Escape: not at all)", markup=False)
            yield Input(self._name, id="file")
            yield Panel("warning")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accepts the name if the file may be written."""
        name, warning = event.value.strip(), self.query_one("#warning", Panel)
        if not name or os.path.isdir(name):
            warning.update("That is a folder." if name else "A name, please.")
        elif os.path.exists(name) and self._sure != name:
            self._sure = name
            warning.update(f"{name} exists. Enter again: write over it. Escape: leave it.")
        else:
            self.dismiss(name)


class Pick(ModalScreen[int | None]):
    """A list to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "leave")]

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self._labels = labels

    def compose(self) -> ComposeResult:
        """Shows the list."""
        with Vertical(classes="box"):
            yield Static("Jump to the start of (Escape: stay)", markup=False)
            yield OptionList(*(Option(Content(label)) for label in self._labels))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Returns the number of the chosen entry to the caller."""
        self.dismiss(event.option_index)


class Help(ModalScreen[None]):
    """Explains the keys and the marks."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss(None)", "back")]

    def __init__(self, legend: str) -> None:
        super().__init__()
        self._legend = legend

    def compose(self) -> ComposeResult:
        """Shows one page."""
        with VerticalScroll(classes="box"):
            yield Static(f"{_HELP}On a ring: {self._legend}.\n\nEscape: back", markup=False)


class MainScreen(Screen[None]):
    """The machine on the left; enabled steps and the run on the right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u,left", "back", "undo", key_display="u", priority=True),
        Binding("right", "forward", "next", key_display="→", priority=True),
        Binding("home", "start", "first", show=False, priority=True),
        Binding("end", "end", "last", show=False, priority=True),
        Binding("r", "run", "run"),
        Binding("s", "submits", "submits"),
        Binding("o", "order", "order"),
        Binding("d", "seed", "seed"),
        Binding("c", "jump", "jump"),
        Binding("w", "save", "save"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, of: Instance, known: Sequence[Known], scheduler: Scheduler, *, begin: bool) -> None:
        super().__init__()
        self.of, self.known, self.scheduler = of, known, scheduler
        self._stated, self._facts = properties(of.machine, of.system), facts(of.machine)
        self._unowed = "submissions and events" if of.machine.life.events else "submissions"
        self.left: Journey | None = None
        self.journey = self._along(known[0]) if begin else Journey(of.system, self._stated)

    def _along(self, known: Known) -> Journey:
        return Journey(self.of.system, self._stated, known.run)

    def compose(self) -> ComposeResult:
        """Shows the panels."""
        yield Panel("title")
        yield Panel("notice")
        with Horizontal():
            with Vertical(id="left"):
                with VerticalScroll(id="machine"):
                    yield Panel("state")
                yield Panel("standing")
            with Vertical(id="right"):
                yield Choices(id="choices")
                yield Panel("meaning")
        yield Panel("run")
        yield Panel("said")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Shows the current state."""
        self.query_one("#machine").border_title = "rings and actors"
        self.query_one("#standing").border_title = "properties"
        self.query_one(Choices).focus()
        self.show()

    # -- keys ----------------------------------------------------------------------------------------------------------
    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Takes the chosen step, unless a faster key has disabled it."""
        for action in self.journey.enabled:
            if action.name == event.option_id:
                self.journey.take(action)
                self.show()
                return

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Explains the highlighted step."""
        self._explain()

    def action_back(self) -> None:
        """Undoes the last step."""
        self.show("" if self.journey.back() else "this is the first state")

    def action_forward(self) -> None:
        """Takes the step that lies ahead."""
        self.show("" if self.journey.forward() else "nothing lies ahead: choose a step")

    def action_start(self) -> None:
        """Goes to the first state."""
        self.journey.to_start()
        self.show()

    def action_end(self) -> None:
        """Goes to the end of the steps ahead."""
        self.journey.to_end()
        self.show()

    def action_run(self) -> None:
        """Lets the scheduler run until something corks."""
        before = self.journey.at
        stopped = self.scheduler.run(self.journey, CORKS, seconds=_PATIENCE)
        ran = f"ran {self.journey.at - before} steps"
        if stopped == "met":
            self.show(f"{ran}: {self._did(self.journey.at - 1)}")
        elif stopped == "enough":
            self.show(f"{ran}, and nothing corked: r goes on, d takes another seed")
        elif self.journey.violated:
            self.show(f"{ran}: what must always hold does not")
        else:
            self.show(f"{ran}: nothing is left to run" + ("" if self.scheduler.unowed else f" without {self._unowed}"))

    def action_submits(self) -> None:
        """Switches submissions by the scheduler on or off."""
        self._schedule(unowed=not self.scheduler.unowed)

    def action_order(self) -> None:
        """Switches the order in which the scheduler takes steps."""
        self._schedule(order=ORDERS[1 - ORDERS.index(self.scheduler.order)])

    def action_seed(self) -> None:
        """Takes the next seed for the scheduler."""
        self._schedule(seed=self.scheduler.seed + 1)

    def _schedule(self, **changed: Any) -> None:
        self.scheduler = Scheduler(**{**vars(self.scheduler), **changed})
        self.show()

    def action_jump(self) -> None:
        """Jumps to a counterexample, or back to the run that the user left for one."""
        if not self.known:
            self.show("no stored counterexample of this instance: uncork trace finds one, --from takes it")
            return
        mine = [f"the run that you left, at step {self.left.at}"] if self.left else []
        labels = [*(each.label for each in self.known), *mine]
        if len(labels) == 1:
            self._jump(0)
        else:
            self.app.push_screen(Pick(labels), self._jump)

    def _jump(self, number: int | None) -> None:
        if number is None:
            return
        there = self._along(self.known[number]) if number < len(self.known) else self.left
        assert there is not None
        self.journey, self.left = there, self.journey
        self.show("→ takes the next step of the counterexample" if number < len(self.known) else "")

    def action_save(self) -> None:
        """Asks for a file name and saves the run so far."""
        self.app.push_screen(Ask(re.sub(r"[^\w.=,+-]", "-", self.of.name) + ".itf.json"), self._save)

    def _save(self, name: str | None) -> None:
        if name is None:
            self.show("not saved")
            return
        run, refutes = self.journey.trace()
        try:
            write(
                str(Path(name).absolute()),
                itf.dumps(run, {"instance": self.of.name, "refutes": refutes, "shortest": False}),
            )
        except click.FileError as error:
            self.show(f"not saved: {error.format_message()}")
            return
        shows = f"refutes {', '.join(refutes)}" if refutes else "refutes nothing"
        self.show(f"saved {len(run.steps)} steps as {name}: {shows}")

    def action_help(self) -> None:
        """Shows the help."""
        self.app.push_screen(Help(story.legend(self.of.system)))

    # -- what is shown -------------------------------------------------------------------------------------------------
    def show(self, said: str = "") -> None:
        """Redraws everything. `said` is a message about the last action."""
        notice = self.journey.notice()
        self.query_one("#title", Panel).update(Content.assemble(("uncork explore ", _DIM), (self.of.name, "bold")))
        told = self.query_one("#notice", Panel)
        told.update(notice.said)
        told.display = bool(notice.said)
        told.set_class(notice.bad, "bad")
        self.query_one("#state", Panel).update(Content("\n").join(self._machine()))
        self.query_one("#standing", Panel).update(Content("\n").join(self._properties()))
        self._choices()
        self._explain()
        self._walk(_LINES - 2 * notice.bad)
        self.query_one("#said", Panel).update(Content.styled(said, "bold") if said else self._scheduled())

    def _scheduled(self) -> Content:
        kind = self.scheduler
        order = f"{kind.order}, seed {kind.seed}" if kind.order == "random" else kind.order
        return Content.styled(f"r runs {order}, {'with' if kind.unowed else 'without'} {self._unowed}", _DIM)

    def _machine(self) -> Iterator[Content]:
        journey, system = self.journey, self.of.system
        state = journey.state
        before = journey.states[journey.at - 1] if journey.at else state
        drawn: set[str] = set()
        for ring, shown in story.rings(system, state):
            drawn.update(shown)
            yield Content.styled(ring, _CHANGED if any(before[v] != state[v] for v in shown) else "bold")
        records: dict[str, list[Content]] = {}
        for variable in system.variables:
            value, changed = state[variable.name], before[variable.name] != state[variable.name]
            if variable.name not in drawn and (changed or value is not False):
                record, _, field = variable.name.rpartition(".")
                told = Content.styled(f"{field} {plain(value)}", _CHANGED if changed else "")
                records.setdefault(record, []).append(told)
        for record, fields in records.items():
            yield Content.assemble((f"{record}: ", _AHEAD), Content(", ").join(fields))

    def _properties(self) -> Iterator[Content]:
        for fact in self._facts:
            yield Content(fact.on(self.journey.state))
        standings = self.journey.standings()
        for row in ROWS:
            mine = [each for each in standings if each.prop.row == row]
            other = [each for each in mine if each.word != "holds"]
            if not other:
                yield Content.assemble(f"{row}: ", ("holds", "$success"))
                continue
            told = [
                Content.styled(
                    f"{each.prop.name.removeprefix(row).strip()} {each.word}",
                    _CHANGED if each.word == "waits" else _BAD,
                )
                for each in other
            ]
            yield Content.assemble(f"{row}: ", Content(", ").join(told))

    def _choices(self) -> None:
        choices, ahead = self.query_one(Choices), self.journey.ahead
        enabled = self.journey.enabled
        choices.clear_options()
        choices.border_title = f"what may happen: {len(enabled) or 'nothing'}"
        for action in enabled:
            mark = ("→ ", _AHEAD) if action.name == ahead else "  "
            who = (f"  {action.actor if action.fair else 'nobody has to'}", _DIM)
            choices.add_option(Option(Content.assemble(mark, action.name, who), id=action.name))
        if enabled:
            names = [action.name for action in enabled]
            choices.highlighted = names.index(ahead) if ahead in names else 0

    def _explain(self) -> None:
        number, meaning = self.query_one(Choices).highlighted, self.query_one("#meaning", Panel)
        enabled = self.journey.enabled
        if number is None or number >= len(enabled):
            meaning.border_title = "meaning"
            meaning.update("")
            return
        action = enabled[number]
        meaning.border_title = f"by {action.actor}".strip()
        meaning.update(Content.assemble((action.told.on(self.journey.state), "bold"), "\n", action.doc))

    def _walk(self, room: int) -> None:
        journey, panel = self.journey, self.query_one("#run", Panel)
        of = len(journey.steps)
        ends = (
            f", ↻ {journey.loop + 1}-{journey.loop + journey.period}"
            if journey.loop is not None and journey.period
            else ""
        )
        ends = ends or (f", stays after {journey.loop}" if journey.loop is not None else "")
        panel.border_title = f"run: after step {journey.at} of {of}{ends}"
        first = max(0, min(journey.at - 3, of - room))
        lines = []
        for step in range(first, min(first + room, of)):
            style = _DIM if step < journey.at - 1 else "bold" if step == journey.at - 1 else ""
            mark = "▸" if step == journey.at - 1 else "→" if step == journey.at else " "
            loop = "↻" if journey.in_loop(step) else " "
            lines.append(
                Content.styled(f"{mark}{loop}{step + 1:>3} {self._did(step)}", _AHEAD if mark == "→" else style)
            )
        if journey.at == of and journey.ahead:
            lines = [*lines[1 - room :], Content.styled(f"→↻    {journey.ahead}, round the loop again", _AHEAD)]
        panel.update(Content("\n").join(lines))

    def _did(self, step: int) -> str:
        action = self.of.system.action(self.journey.steps[step])
        return f"{action.actor}: {action.told.on(self.journey.states[step])}"


class Explorer(App[None]):
    """The application: the main screen and its dialogs."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title, #said { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #title { background: $panel; }
    #notice { height: auto; max-height: 6; padding: 0 1; background: $secondary; color: $text; }
    #notice.bad { background: $error; color: $text; text-style: bold; }
    #left { width: 1fr; }
    #right { width: 1fr; }
    #machine, #choices { height: 1fr; }
    #machine, #choices, #standing, #meaning, #run {
        border: none; border-top: solid $primary; padding: 0 1; background: $background;
        border-title-color: $text-accent; scrollbar-size-vertical: 1;
    }
    #standing { height: auto; max-height: 10; }
    #machine:focus { border-top: heavy $accent; }
    #meaning { height: auto; min-height: 5; max-height: 8; }
    #run { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    Ask, Pick, Help { align: center middle; }
    .box { width: 78; height: auto; max-height: 100%; padding: 0 1; border: round $primary; background: $surface; }
    #warning { color: $warning; height: auto; }
    """

    def __init__(self, of: Instance, known: Sequence[Known] = (), *, seed: int = 0, begin: bool = False) -> None:
        super().__init__()
        self.main_screen = MainScreen(of, known, Scheduler(seed=seed), begin=begin)

    def on_mount(self) -> None:
        """Shows the main screen."""
        self.push_screen(self.main_screen)
