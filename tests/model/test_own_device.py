"""Devices and guests in files of one's own: how they are named, found and loaded, and what is said of mistakes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import uncork_nvme
from hypothesis import given
from hypothesis import strategies as st
from uncork.core.property import Sometimes
from uncork.engines import explicit
from uncork_nvme import own as own_package
from uncork_nvme.catalogue import DEVICES, GUESTS, find_device, find_guest
from uncork_nvme.choices import ChoiceError, InstanceError
from uncork_nvme.instance import Instance, forget, from_name
from uncork_nvme.names import ambiguous, apart, joined, of_file
from uncork_nvme.shape import Shape
from uncork_properties.catalogue import covers, properties

SIZES = "n1-sq2-cq2"
HEAD = "from uncork_nvme import *\n"
DEVICE = 'mine = DEVICES["propolis-2026"].but("mine", "A device.", {})\n'

pytestmark = pytest.mark.usefixtures("own_files")


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + text)


# -- names -------------------------------------------------------------------------------------------------------------
FOLDERS = st.lists(st.sampled_from(["a", "b c", "..", ".", "tail", "linux", SIZES, "x=1", "a.py", "é"]), max_size=3)
OWN = st.builds(
    lambda folders, file, name: "/".join([*folders, f"{file}.py:{name}"]),
    FOLDERS,
    st.sampled_from(["mine", "n1-sq2-cq2", "a.py:b", "linux", "x=1"]),
    st.sampled_from(["mine", "f", "_1", "ö"]),
).map(lambda name: name.replace("a.py:b", "ab"))
NAMES = st.tuples(
    st.one_of(st.sampled_from(sorted(DEVICES)), OWN.filter(lambda name: not ambiguous(name, DEVICES))),
    st.one_of(st.sampled_from(sorted(GUESTS)), OWN.filter(lambda name: not ambiguous(name, GUESTS))),
    st.one_of(st.sampled_from(["tail", "head+min(occupied,1)", "leave if occupied<=1 else head"]), OWN),
    st.builds(Shape, st.integers(1, 9), st.integers(2, 99), st.integers(2, 99)),
    st.dictionaries(st.sampled_from(["workers", "drain"]), st.integers(1, 9)),
)


@given(NAMES)
def test_a_name_that_is_put_together_is_taken_apart_again(
    parts: tuple[str, str, str, Shape, dict[str, int]],
) -> None:
    device, guest, policy, shape, overrides = parts
    found = apart(joined(device, guest, policy, str(shape), overrides=overrides), DEVICES, GUESTS)
    said = tuple(f"{name}={value}" for name, value in sorted(overrides.items()))
    assert found is not None
    assert found[:5] == (device, guest, policy, shape, said)


def test_a_path_that_another_name_could_mean_is_refused() -> None:
    write("propolis-2026/mine.py", DEVICE)
    with pytest.raises(InstanceError, match=r"write \./propolis-2026/mine\.py:mine"):
        find_device("propolis-2026/mine.py:mine")
    assert find_device("./propolis-2026/mine.py:mine").name == "mine"
    write("a.py:b/mine.py", DEVICE)
    with pytest.raises(InstanceError, match="give it another name"):
        find_device("a.py:b/mine.py:mine")


def test_an_instance_of_ones_own_has_a_name_by_which_it_is_found() -> None:
    write("sub/mine.py", DEVICE + 'theirs = GUESTS["linux"].but("theirs", "A guest.", {Driver: {"drain": 1}})\n')
    write("p.py", "def early(cq):\n    return cq.tail - 1\n")
    made = Instance("sub/mine.py:mine", "sub/mine.py:theirs", "p.py:early", 1, 2, 2, {"workers": 2})
    assert made.name == f"sub/mine.py:mine/sub/mine.py:theirs/p.py:early/{SIZES}/workers=2"
    assert from_name(made.name) == made
    assert made.files == [Path("sub/mine.py"), Path("p.py")]
    assert made.choices.drain == 1
    known = Instance("propolis-2026", "linux", "tail-1", 1, 2, 2, {"workers": 2, "drain": 1})
    assert made.system.fingerprint() == known.system.fingerprint()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mine.py:mien/linux/tail", "device mine.py:mien: mine.py has no 'mien' (did you mean 'mine'?)"),
        ("mine.py:f/linux/tail", "device mine.py:f: it is a function, and no Device(...)"),
        ("mine.py:Park/linux/tail", "device mine.py:Park: it is a class, and no Device(...)"),
        ("mine.py:YES/linux/tail", "device mine.py:YES: it is str 'yes', and no Device(...)"),
        ("mine.py:guest/linux/tail", "device mine.py:guest: it is a guest: name it with --guest, or second"),
        ("mine.py:mine/mine.py:mine/tail", "guest mine.py:mine: it is a device: name it with --device, or first"),
        ("mine.py:mine/linux/mine.py:mine", "policy mine.py:mine: it is a device: name it with --device"),
        ("mine.py/linux/tail", "'mine.py' is a file: which device of it? Write mine.py:name"),
        ("mine.py:/linux/tail", "'mine.py:' is a file: which device of it? Write mine.py:name"),
        ("mine.py:1/linux/tail", "there is no device 'mine.py:1'"),
        ("none.py:mine/linux/tail", "device none.py:mine: there is no file none.py"),
        ("propolis-2062/linux/tail", "there is no device 'propolis-2062' (did you mean 'propolis-2026'?)"),
        ("propolis-2062/linux/mine.py:f", "no device 'propolis-2062' (did you mean 'propolis-2026'?)"),
        ("propolis-2026/linx/mine.py:f", "no guest 'linx' (did you mean 'linux'?)"),
        ("mine.py:mine/linx/mine.py:f", "no guest 'linx' (did you mean 'linux'?)"),
        ("mine.py:mine/linux/tial", "there is no policy 'tial' (did you mean 'tail'?)"),
        ("mine.py:mine/linux/tail/n1", "'n1' is not a shape: write n1-sq3-cq3"),
        ("mine.py:mine/linux/tail", "is not an instance: write device/guest/policy/n1-sq3-cq3"),
    ],
)
def test_a_name_that_is_misspelt_says_what_to_write(name: str, says: str) -> None:
    write("mine.py", DEVICE + 'guest = GUESTS["linux"]\ndef f(cq):\n    return cq.tail\n')
    with pytest.raises(InstanceError) as error:
        from_name(name if says.endswith("n1-sq3-cq3") else f"{name}/{SIZES}")
    assert says in str(error.value)


# -- what is loaded ----------------------------------------------------------------------------------------------------
def test_a_file_is_loaded_once_until_it_is_forgotten_and_leaves_nothing_behind() -> None:
    write("beside.py", "SIZE = 7\n")
    write("mine.py", 'import beside\nprint("loaded")\n' + DEVICE.replace("{})", '{Driver: {"drain": beside.SIZE}})'))
    before, path = set(sys.modules), list(sys.path)
    assert find_device("mine.py:mine") is find_device("mine.py:mine")
    assert find_device("mine.py:mine").choices["drain"] == 7
    assert {"beside", "mine"}.isdisjoint(set(sys.modules) - before)
    assert sys.path == path
    assert not list(Path().rglob("__pycache__"))
    write("beside.py", "SIZE = 8\n")
    assert find_device("mine.py:mine").choices["drain"] == 7
    forget()
    assert find_device("mine.py:mine").choices["drain"] == 8


def test_what_a_file_prints_is_not_in_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    write("mine.py", 'print("loaded")\n' + DEVICE)
    find_device("mine.py:mine")
    assert capsys.readouterr() == ("", "loaded\n")


def test_a_device_stands_where_its_file_declares_it() -> None:
    write("mine.py", "\n\n" + DEVICE)
    assert find_device("mine.py:mine").place == (str(Path("mine.py").resolve()), 4)


def test_a_devices_policy_may_stand_in_its_file() -> None:
    write("mine.py", DEVICE.replace("{})", '{}, policy=":early")') + "def early(cq):\n    return cq.tail - 1\n")
    assert find_device("mine.py:mine").policy == "mine.py:early"


def test_all_that_is_exported_exists_and_is_told_from_what_does_not() -> None:
    for name in uncork_nvme.__all__:
        assert getattr(uncork_nvme, name) is not None
    with pytest.raises(AttributeError):
        _ = uncork_nvme.Parc
    assert own_package.__doc__


# -- mistakes ----------------------------------------------------------------------------------------------------------
PART = """
class Mine(Park):
    def of_sq(self, size, cq_size, sqs):
        return {"timer": var(Bool(), "a timer")}
    def steps(self, m, q, w):
        yield from super().steps(m, q, w)
        yield expire(m, q, w)

@step("timer {}")
def expire(m, q, w):
    "A step."
    return when(q.timer, q(timer=False))

mine = DEVICES["propolis-2026"].but("mine", "A device.", {Mine: {}})
"""


def changed(before: str, after: str) -> str:
    assert before in PART
    return PART.replace(before, after)


MISTAKES = {  # what stands in the file, and what is said
    "two parts in a slot": (
        'mine = Device("mine", "", parts={Park: {}, ArmRecheck: {}})',
        "mine.py:2: mine has two parts in one slot, Park and ArmRecheck: keep one",
    ),
    "an unknown setting": (
        'mine = Device("mine", "", parts={Park: {"cork": "park", "corks": 1}})',
        "mine.py:2: mine: Park has no choice 'corks' (did you mean 'cork'?)",
    ),
    "an unknown value": (
        'mine = Device("mine", "", parts={Reader: {"sq_arm": "ech"}})',
        "mine.py:2: sq_arm cannot be 'ech': it is one of each, idle, never",
    ),
    "no part": ('mine = Device("mine", "", parts={"Park": {}})', "mine.py:2: mine: 'Park' is not a part"),
    "a part of no slot": (
        'class Mine:\n    pass\nmine = Device("mine", "", parts={Mine: {}})',
        "mine.py:4: mine: <class",
    ),
    "an unknown name": ("from uncork_nvme import Parc", "mine.py:2: uncork_nvme has no 'Parc' (did you mean 'Park'?)"),
    "no Python": ("mine = Device(", "mine.py:2: '(' was never closed\n    mine = Device("),
    "an exception": ("x = 1 / 0", "mine.py:2: ZeroDivisionError: division by zero\n    x = 1 / 0"),
    "an end": ("import sys\nsys.exit(0)", "mine.py:3: SystemExit (0): a file declares devices"),
    "an interrupt": ("raise KeyboardInterrupt", "mine.py:2: KeyboardInterrupt: a file declares devices"),
    "the same in a neighbour": ("import beside", "beside.py:2: ZeroDivisionError: division by zero"),
    "a step without a docstring": (changed('    "A step."\n', ""), "mine.py:10: the step expire has no docstring"),
    "a guard that is no condition": (
        changed("when(q.timer,", "when(w.at,"),
        "mine.py:13: sq0.worker.at is {asleep, reserve, ",
    ),
    "an if": (changed("    return when", "    if q.timer: pass\n    return when"), "mine.py:13: "),
    "a variable that does not exist": (
        changed("when(q.timer,", "when(q.timr,"),
        "mine.py:13: sq0 has no variable 'timr'",
    ),
    "two updates of a variable": (
        changed("q(timer=False))", "q(timer=False), q(timer=True))"),
        "mine.py:13: sq0.timer: two next values in one step\n    return when(",
    ),
    "a value of another sort": (changed("timer=False", "timer=3"), "mine.py:13: 3 is not of the sort"),
    "a variable that there is": (
        changed('"timer": var', '"head": var').replace("q.timer", "q.locked").replace("timer=", "locked="),
        "mine.py:15: there is a variable 'head' already",
    ),
    "two steps of a name": (
        changed("        yield expire(m, q, w)\n", "        yield expire(m, q, w)\n        yield expire(m, q, w)\n"),
        "mine.py:11: mine.py:mine/linux/tail/n1-sq2-cq2: two actions named expire(SQ0)",
    ),
    "a method that takes something else": (
        changed("def steps(self, m, q, w)", "def steps(self, m)"),
        "mine.py:3: TypeError",
    ),
    "a method that gives something else": (
        changed("        yield from super().steps(m, q, w)\n        yield expire(m, q, w)", "        return [None]"),
        "mine.py:14: a part gives None for a step: write @step(",
    ),
    "a step without its decorator": (
        changed('@step("timer {}")\n', ""),
        "mine.py:14: a part gives a command for a step",
    ),
    "parts that do not go together": (
        'mine = DEVICES["propolis-2026"].but("mine", "", {Kicks: {"kick_delivery": "at-once"}})',
        "mine.py:2: notify=spent is described with kick_delivery=deferred only",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_what_to_write(what: str) -> None:
    text, says = MISTAKES[what]
    write("beside.py", "1 / 0\n")
    write("mine.py", text + "\n")
    with pytest.raises((InstanceError, ChoiceError)) as error:
        _ = from_name(f"mine.py:mine/linux/tail/{SIZES}").system
    assert str(error.value).startswith(says)


def test_the_file_without_a_mistake_is_a_system() -> None:
    write("mine.py", PART)
    assert "expire(SQ0)" in {a.name for a in from_name(f"mine.py:mine/linux/tail/{SIZES}").system.actions}


PLACES = """
class Twice(Park):
    places = ("look again",)
    def steps(self, m, q, w):
        yield doubt(m, q, w)
        yield find_room_late(m, q, w)
        yield cork(m, q, w)

@step("worker {}", of="reserve")
def doubt(m, q, w):
    "Finds no room, and looks again."
    here = m.parts.crew.may_reserve(m, q, w) & m.parts.admission.no_room(m)
    return when(here, q(locked=True), q.popping_is(True), w(at="look again"))

@step("worker {}", of="doubt")
def find_room_late(m, q, w):
    "Finds room at the second look: begins anew."
    here = (w.at == "look again") & m.cq.unlocked & ~m.parts.admission.no_room(m)
    return when(here, q(locked=False), q.popping_is(False), w(at="reserve"))

@step("worker {}", of="doubt")
def cork(m, q, w):
    "Finds no room at the second look either."
    here = (w.at == "look again") & m.cq.unlocked & m.parts.admission.no_room(m)
    return when(here, q(locked=False), q.popping_is(False), m.parts.kicks.corks(m, q), w.leaves())

mine = DEVICES["propolis-2025"].but("twice", "A device that looks twice.", {Twice: {}})
"""


def test_a_part_may_add_positions_of_a_worker() -> None:
    write("mine.py", PLACES)
    instance = from_name(f"mine.py:mine/linux/tail/{SIZES}")
    asked = properties(instance.machine, instance.system)
    place = Sometimes("a second look", instance.machine.sqs[0].workers[0].at == "look again", "")
    found = explicit.check(instance.system, asked, [*covers(instance.machine, instance.system), place])
    assert found.unreached == ()
    words = {prop.row: type(verdict).__name__ for prop, verdict in found.verdicts}
    assert words == {"safety": "Proved", "uncorked": "Refuted", "drains": "Refuted", "progress": "Refuted"}
    write("mine.py", PLACES.replace('places = ("look again",)', "places = ()"))
    forget()
    with pytest.raises(InstanceError, match="no such name: 'look again'"):
        _ = from_name(f"mine.py:mine/linux/tail/{SIZES}").system


def test_a_mistake_in_a_guest_is_told_of_the_guests_file() -> None:
    write("d.py", DEVICE)
    part = "class Mine(Driver):\n    def steps(self, m):\n        yield nothing\n"
    write("g.py", part + 'mine = GUESTS["linux"].but("g", "", {Mine: {}})\n')
    with pytest.raises(InstanceError, match=r"^g\.py:4: NameError: name 'nothing'"):
        _ = from_name(f"d.py:mine/g.py:mine/tail/{SIZES}").system
    assert find_guest("g.py:mine").choices["drain"] == "all"


@pytest.mark.parametrize("name", ["mine.py:f", "a/b.py:c", "/x.py:c"])
def test_a_file_and_a_name_in_it(name: str) -> None:
    assert of_file(name) == tuple(name.rsplit(":", 1))
    assert of_file(name.replace(".py", "")) is None
    assert of_file(name + "-") is None
