"""Files that end, hang or fill a process; sizes that nobody can build; budgets from the first moment; signals.

A gate must not fail open: none of this may end with exit code 0, nor outlive its time.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from budgets import spread
from hostile import Bad, bad, holds, names
from uncork.decide import many
from uncork.decide.patience import patiently
from uncork.engines import Budget, Stop
from uncork.engines.explicit.reduction import reduce
from uncork_nvme.instance import forget, from_name
from uncork_nvme.own import policy as own

pytestmark = pytest.mark.slow  # they start programs

TINY = "--device propolis-2025 --guest linux --sq-size 2 --sqs"
BIG = "--device arm-recheck --policy head --sqs 2 --sq-size 3 --cq-size 3 --reductions none"


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    yield
    forget()
    own.patience(10)


# -- policies of the user's own ----------------------------------------------------------------------------------------
HEAD = "import os, signal, sys, threading, time\nfrom uncork_nvme import LEAVE\n"


def ill(body: str, says: str, *options: str, before: str = "") -> Bad:
    """A check of a policy whose function has a body, and before which something stands in its file."""
    text = f"{HEAD}{before}\ndef mine(cq):\n    {body}\n"
    return Bad(
        ("check", "--policy", "mine.py:mine", *TINY.split(), *(options or ("1", "--cq-size", "2"))),
        2,
        says,
        {"mine.py": text},
    )


EVIL = "from uncork.core.expr import Expr\nclass Evil(Expr):\n    def __reduce__(self): return os._exit, (0,)\n"

POLICIES = [
    ill("sys.exit(0)", "mine.py:5: SystemExit (0): a policy returns a position sys.exit(0)"),
    ill("sys.exit()", "mine.py:5: SystemExit"),
    ill("raise SystemExit", "mine.py:5: SystemExit"),
    ill("os._exit(0)", "mine.py ends the process that it runs in (exit code 0)"),
    ill("os.kill(os.getpid(), signal.SIGKILL)", "mine.py ends the process that it runs in (signal 9)"),
    ill("os.abort()", "mine.py ends the process that it runs in (signal 6)"),
    ill("os.closerange(3, 99)", "mine.py"),
    ill("raise BaseException('no')", "mine.py:5: BaseException (no)"),
    ill("raise KeyboardInterrupt", "mine.py:5: KeyboardInterrupt"),
    ill("raise GeneratorExit", "mine.py:5: GeneratorExit"),
    ill("raise MemoryError", "mine.py:5: MemoryError"),
    ill("return bytearray(10**11)", "mine.py:5: MemoryError"),
    ill("return mine(cq)", "mine.py:5: maximum recursion depth exceeded"),
    ill("while True: pass", "after 0.5 s", "1", "--max-seconds", "0"),
    ill("time.sleep(99)", "after 0.5 s", "1", "--max-seconds", "0"),
    ill("return cq.tail", "mine.py:3: SystemExit (0)", before="sys.exit(0)"),
    ill("return cq.tail", "mine.py ends the process that it runs in (exit code 0)", before="os._exit(0)"),
    ill("return cq.tail", "mine.py:3: BaseException", before="raise BaseException"),
    ill("return cq.tail", "after 0.5 s", "1", "--max-seconds", "0", before="while True: pass"),
    ill("return cq.tail", "mine.py:3: maximum recursion", before="(f := lambda: f())()"),
    ill(
        "ASKED.append(0); len(ASKED) < 2 or os._exit(0); return cq.tail",
        "code 0",
        "1",
        "--cq-size",
        "2,3",
        before="ASKED = []",
    ),
    ill("sys.stdout.flush(); threading.Thread(target=time.sleep, args=(99,)).start(); return 7", "return a position"),
    ill("return Evil('var', (), cq.tail.sort, 'cq.tail')", "gives what is no expression", before=EVIL),
    ill("return cq.tail + 2**70 * cq.occupied", "mine.py:5:"),
    *(
        Bad(
            ("check", "--policy", "mine.py:mine", *TINY.split(), "1", "--cq-size", "2"),
            2,
            "a policy takes one argument, the device's view of its CQ: def mine(cq)",
            {"mine.py": f"{HEAD}def mine({arguments}):\n    return LEAVE\n"},
        )
        for arguments in ("", "cq, sq")
    ),
]


@pytest.mark.parametrize("row", POLICIES, ids=[row.files["mine.py"].split("\n", 2)[2][-70:] for row in POLICIES])  # type: ignore[union-attr,arg-type]
def test_a_policy_file_does_not_decide_the_exit_code(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)


ENDS = {"mine.py": "import os\ndef mine(cq):\n    os._exit(0)\n", "load.py": "import os\nos._exit(0)\n"}
AT = "propolis-2025/linux/{}.py:mine/n1-sq2-cq2"
COMMANDS = [
    *(
        "check --policy {}.py:mine",
        "sweep --db a.db --policy {}.py:mine --sqs 1",
        "report --output a.html --policy {}.py:mine",
    ),
    *(f"{command} {AT}" for command in ("trace", "cost", "measure", "simulate", "record", "export json", "show")),
    *("prove {}.py:mine --device propolis-2025", "repair propolis-2025 --sqs 1 --policy {}.py:mine"),
]
"""What loads a policy, with a place for the name of its file."""
ELSEWHERE = [
    bad(each.format(name), 2, f"{name}.py ends the process that it runs in", files=ENDS)
    for each in COMMANDS
    for name in ("mine", "load")
]


@pytest.mark.parametrize("row", spread(ELSEWHERE, 3), ids=names(ELSEWHERE))
def test_no_command_takes_its_exit_code_from_a_policy_file(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)


# -- devices and guests of the user's own ------------------------------------------------------------------------------
DEVICE = (
    "import atexit, ctypes, os, signal\nfrom uncork_nvme import DEVICES, GUESTS, Driver, Park\n{}\n"
    "class Mine(Park):\n    def check(self):\n        {}\n"
    'mine = DEVICES["propolis-2025"].but("mine", "A device.", {{Mine: {{}}}})\n'
    'guest = GUESTS["linux"].but("guest", "A guest.", {{Driver: {{}}}})\n'
)
OWN = "check --device mine.py:mine --guest linux --sqs 1 --sq-size 2"


def own_device(line: str, says: str, first: str = "", within: str = "pass", exit: int = 2) -> Bad:
    """A command that loads a file of devices with a line at its beginning, and one in a part."""
    return bad(line, exit, says, {"mine.py": DEVICE.format(first, within)}, apart=True)


ENDED = "mine.py ends the process that it runs in"
OWN_DEVICES = [
    own_device(OWN, f"{ENDED} (exit code 0)", "os._exit(0)"),
    own_device(OWN, f"{ENDED} (exit code 0)", within="os._exit(0)"),
    own_device(OWN, f"{ENDED} (exit code 0)", within="ctypes.CDLL(None).exit(0)"),
    own_device(OWN, f"{ENDED} (exit code 0)", within='os.execv("/bin/sh", ["sh", "-c", "exit 0"])'),
    own_device(OWN, f"{ENDED} (signal 9)", within="os.kill(os.getpid(), signal.SIGKILL)"),
    own_device(OWN, "NOT AS EXPECTED", "atexit.register(os._exit, 0)", exit=13),
    own_device("trace propolis-2026/mine.py:guest/tail/n1-sq2-cq2", f"{ENDED} (exit code 0)", "os._exit(0)"),
    own_device("prove head --device mine.py:mine", f"{ENDED} (exit code 0)", within="os._exit(0)"),
]


@pytest.mark.parametrize("row", OWN_DEVICES, ids=lambda row: row.says)
def test_a_device_file_does_not_decide_the_exit_code(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)


def test_what_a_policy_prints_is_not_in_the_output(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('loaded')\ndef mine(cq):\n    print('asked')\n    return cq.tail - 1\n")
    command = [sys.executable, "-m", "uncork", "check", "--policy", "mine.py:mine", *TINY.split(), "1", "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert {row["policy"] for row in json.loads(done.stdout)} == {"mine.py:mine"}
    assert "loaded" in done.stderr
    assert "asked" in done.stderr


def test_a_policy_of_ones_own_is_the_same_system(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from uncork_nvme import leave_if\ndef mine(cq):\n    return leave_if(cq.occupied <= 1, cq.tail - 1)\n"
    )
    shape = "propolis-2025/linux/{}/n2-sq3-cq3/events=create+delete"
    mine, known = (from_name(shape.format(name)) for name in (f"{file}:mine", "tail-lag"))
    assert many.fingerprint(mine) == many.fingerprint(known)


# -- sizes and budgets -------------------------------------------------------------------------------------------------
LARGE = "propolis-2025/linux/tail/n1-sq65536-cq65536"
MANY = "propolis-2025/linux/tail/n65537-sq2-cq2"
WORKERS = "propolis-2025/linux/tail/n1-sq2-cq2/workers=1000000000"
SIZES = [
    *(
        bad(f"{command} {MANY}", 2, "a CQ has 1 to 128 SQs here, not 65537")
        for command in ("trace", "cost", "measure", "simulate")
    ),
    *(
        bad(f"{command} {WORKERS}", 2, "workers cannot be 1000000000")
        for command in ("record", "export tla", "show", "cost")
    ),
    bad("check --sqs 65537", 2, "a CQ has 1 to 128 SQs here"),
    bad("check --sqs 1 --set workers=1000000000 --max-seconds 5", 2, "workers cannot be 1000000000"),
    bad("check --device propolis-2026 --sqs 64 --set workers=3", 2, "SQs times workers is 128 at most"),
    bad("sweep --db a.db --sqs 300,1 --sq-size 2", 2, "a CQ has 1 to 128 SQs here"),
    bad("check --device propolis-2025 --sqs 32 --set kick_size=room", 2, "which are more than can be written down"),
    bad("trace arm-recheck/linux/tail/n1-sq65536-cq4/memory=tso,guest_fence=no", 2, "more than can be written down"),
    bad("cost propolis-2025/linux/tail/n1-sq1024-cq1024", 30, "its code is too large for the explicit engine"),
    bad(f"trace {LARGE} --max-seconds 1", 30, "the budget of 1 seconds is spent", apart=True, seconds=15),
    bad(f"cost {LARGE} --max-seconds 1", 30, "the budget of 1 seconds is spent", apart=True, seconds=15),
    bad(f"check {TINY} 16 --policy tail --max-seconds 1", 30, "1 seconds is spent", apart=True, seconds=15),
    bad(f"check {TINY} 8 --policy tail --max-states 100", 30, "100 states is spent", apart=True),
    bad("simulate propolis-2025/linux/tail/n1-sq1024-cq1024 --steps 3", 0, "submits"),
    bad("record propolis-2025/linux/tail/n1-sq1024-cq1024 --steps 9", 0, "submit"),
]


@pytest.mark.parametrize("row", SIZES, ids=names(SIZES))
def test_what_is_too_large_is_refused_or_open_in_time(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)


def test_more_than_four_sqs_are_not_put_in_order() -> None:
    for sqs, orders in ((2, 2), (3, 6), (4, 24), (5, 1), (16, 1)):
        instance = from_name(f"propolis-2025/linux/tail/n{sqs}-sq2-cq2")
        found = reduce(instance.system, [], [], frozenset({"permutation"}))
        assert len(found.orders) == orders
        assert bool(found.refusals) == (sqs > 4)


def test_work_is_given_up_wherever_it_is() -> None:
    ended = []

    def endless() -> None:
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.append(True)

    assert patiently(lambda: 7, Budget(seconds=0)) == 7
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 // 0)
    with pytest.raises(Stop, match="the budget of 0 seconds is spent"):
        patiently(endless, Budget(seconds=0))
    with pytest.raises(Stop, match="interrupted"):
        patiently(endless, stopped=lambda: True)
    with pytest.raises(Stop, match="the budget of 0 MiB is spent"):
        patiently(lambda: [bytearray(b"x" * 2**24) for _ in range(10**4) if not time.sleep(0.01)], Budget(memory=0))
    time.sleep(0.2)
    assert ended == [True, True]


# -- signals -----------------------------------------------------------------------------------------------------------
TOGETHER = f"check {BIG} --guest linux,spdk --json rows.json"
INTERRUPTED = [
    (f"check {BIG} --guest linux --json rows.json", signal.SIGTERM),
    (TOGETHER, signal.SIGTERM),
    (TOGETHER, signal.SIGINT),
    (TOGETHER, signal.SIGHUP),
    ("museum", signal.SIGTERM),
    ("repair propolis-2025", signal.SIGHUP),
    ("measure arm-recheck/linux/head/n2-sq64-cq64 --time 1000000", signal.SIGHUP),
    ("sweep --db a.db --device arm-recheck --guest linux,spdk --policy head --sqs 2 --sq-size 4", signal.SIGTERM),
    ("prove arm-on-cork --device arm-recheck", signal.SIGTERM),
    ("cost arm-recheck/linux/head/n2-sq4-cq4", signal.SIGHUP),
]


def begun(command: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "uncork", *shlex.split(command)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def left(session: int) -> list[str]:
    """The processes of a session that have not ended."""
    told = subprocess.run(
        ["ps", "-A", "-ww", "-o", "sess=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    return [line[2] for line in lines if line[0] == str(session) and not line[1].startswith("Z")]


def own_children(parent: int, words: str) -> list[int]:
    told = subprocess.run(
        ["ps", "-A", "-ww", "-o", "ppid=,pid=,args="], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    return [int(line[1]) for line in lines if line[0] == str(parent) and words in line[2]]


def at_work(session: int) -> None:
    """Waits until the processes of a session have used a second of a processor: a busy machine takes longer."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told = subprocess.run(["ps", "-A", "-o", "sess=,cputimes="], capture_output=True, text=True, check=True).stdout
        lines = [line.split() for line in told.splitlines()]
        if sum(int(seconds) for own, seconds in lines if own == str(session)) >= 1:
            return
        time.sleep(0.1)


def none_left(session: int) -> bool:
    deadline = time.monotonic() + 8
    while left(session) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not left(session)


@pytest.mark.parametrize(("command", "number"), spread(INTERRUPTED, 2))
def test_a_signal_ends_a_command_with_all_its_processes(command: str, number: signal.Signals, tmp_path: Path) -> None:
    running = begun(command, tmp_path)
    at_work(running.pid)
    sent = time.monotonic()
    running.send_signal(number)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 128 + number, errors
    assert time.monotonic() - sent < 8  # two seconds, on a machine that has nothing else to do
    assert "Traceback" not in errors
    assert none_left(running.pid)
    if "--json" in command:
        assert isinstance(json.loads((tmp_path / "rows.json").read_text()), list)


def test_a_signal_to_the_whole_group_ends_a_command_with_all_its_processes(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        running = begun(TOGETHER, tmp_path)
        at_work(running.pid)
        os.killpg(running.pid, number)
        _, errors = running.communicate(timeout=20)
        assert (running.returncode, "Traceback" in errors) == (128 + number, False), errors


def test_what_a_process_took_with_it_is_open(tmp_path: Path) -> None:
    running = begun(f"check {BIG} --guest linux,spdk --max-states 2000000 --json rows.json", tmp_path)
    deadline = time.monotonic() + 10
    while not (workers := own_children(running.pid, "spawn_main")) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(workers[0], signal.SIGKILL)
    said, errors = running.communicate(timeout=20)
    assert running.returncode == 30, errors
    assert "a worker process of uncork died" in " ".join(said.split())
    assert none_left(running.pid)
    states = {row["guest"]: row["states"] for row in json.loads((tmp_path / "rows.json").read_text())}
    assert min(states.values()) == 0 and max(states.values()) >= 2_000_000, states  # the other one went on


@pytest.mark.parametrize("command", [TOGETHER, "check --policy mine.py:mine", "check --device mine.py:mine"])
def test_a_command_that_is_killed_leaves_no_process(command: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("while True: pass\n")
    running = begun(command, tmp_path)
    deadline = time.monotonic() + 10
    while len(left(running.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(left(running.pid)) > 1
    running.kill()
    running.communicate(timeout=2)
    assert none_left(running.pid)


def test_other_languages_code_does_not_hold_a_signal_up() -> None:
    """Z3, say, in the main thread: here a lock of C's that is taken twice."""
    code = (
        "import ctypes, os, signal, threading\nfrom uncork.decide import signals\n"
        "libc, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\n"
        "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "with signals.heard():\n    libc.pthread_mutex_lock(lock)\n    libc.pthread_mutex_lock(lock)\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (143, "interrupted\n")
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_modules_are_imported_ends_the_command(number: signal.Signals) -> None:
    code = (
        "import signal, sys\nclass Sends:\n    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'uncork.cli': signal.raise_signal({int(number)})\n"
        "sys.meta_path.insert(0, Sends())\nfrom uncork.__main__ import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (128 + number, "interrupted\n")
