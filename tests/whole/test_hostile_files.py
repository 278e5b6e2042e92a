"""Files that are damaged, forged, of another kind, or cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uncork
from hostile import Bad, bad, holds, names
from repository import STORED
from uncork.decide import many
from uncork.engines import Budget
from uncork.engines.explicit import certificate
from uncork.prove import certificate as proofs
from uncork.prove.proof import prove
from uncork.sweep.store import Store
from uncork_nvme.instance import Design, from_name
from uncork_properties.catalogue import properties

LIVE, HANGS = "propolis-2026/linux/tail-1/n1-sq2-cq2", "propolis-2025/linux/tail/n1-sq2-cq2"
PROCESSES = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
LONG = "x" * 300
BINARY = bytes(range(256)) * 40
Change = Callable[[Any], Any]


# -- what is whole, once, to be spoilt ---------------------------------------------------------------------------------
@cache
def whole() -> Path:
    """A folder with a certificate of each kind, a run, and the file of a sweep."""
    folder = Path(tempfile.mkdtemp(prefix="whole"))
    live = from_name(LIVE)
    certificate.write(folder / "c.npz", live.system, properties(live.machine, live.system))
    design = Design("mmio", "linux", "tail")
    proofs.write(folder / "proof", design, [prove(design, several=False)[-1]])
    hangs = from_name(HANGS)
    checked = next(iter(many.check([hangs], jobs=1)))
    with Store(str(folder / "s.db")) as store:
        store.name([hangs], [many.fingerprint(hangs)])
        store.record(many.fingerprint(hangs), checked, "explicit", Budget())
    stored = STORED / "propolis-2025-linux-tail-n1-sq3-cq3-uncorked.itf.json"
    shutil.copy(stored, folder / "t.itf")
    return folder


@pytest.fixture(scope="module", autouse=True)
def swept() -> Any:
    yield
    shutil.rmtree(whole())


def copied(*kept: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for name in kept:
            source = whole() / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)

    return prepare


def spoilt(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A file of which the bytes are changed."""
    return lambda folder: (folder / Path(name).name).write_bytes(change((whole() / name).read_bytes())) and None


def arrays(change: Change) -> Callable[[Path], None]:
    """A certificate of which the arrays are changed."""

    def prepare(folder: Path) -> None:
        found = dict(np.load(whole() / "c.npz"))
        change(found)
        np.savez(folder / "c.npz", **found)

    return prepare


def about(**said: Any) -> Callable[[Path], None]:
    """A certificate that says something else of itself; None leaves it out."""

    def change(found: Any) -> None:
        told = {**json.loads(str(found["about"])), **said}
        found["about"] = np.array(json.dumps({name: value for name, value in told.items() if value is not None}))

    return arrays(change)


def proof(change: Callable[[Path], Any]) -> Callable[[Path], None]:
    """A proof of which the folder is changed."""

    def prepare(folder: Path) -> None:
        shutil.copytree(whole() / "proof", folder / "proof")
        change(folder / "proof")

    return prepare


def manifest(change: Change) -> Callable[[Path], None]:
    """A proof of which the manifest is changed."""

    def spoil(folder: Path) -> None:
        told = json.loads((folder / "manifest.json").read_text())
        change(told)
        (folder / "manifest.json").write_text(json.dumps(told))

    return proof(spoil)


def run(change: Change) -> Callable[[Path], None]:
    """A stored run that is changed."""

    def prepare(folder: Path) -> None:
        told = json.loads((whole() / "t.itf").read_text())
        change(told)
        (folder / "t.itf").write_text(json.dumps(told))

    return prepare


def base(*sql: str) -> Callable[[Path], None]:
    """A file of a sweep in which something was done."""

    def prepare(folder: Path) -> None:
        shutil.copy(whole() / "s.db", folder / "s.db")
        with sqlite3.connect(folder / "s.db") as made:
            for each in sql:
                made.execute(each)
        made.close()

    return prepare


def duplicated(folder: Path) -> None:
    """A certificate with two arrays of one name, of which readers see the last."""
    shutil.copy(whole() / "c.npz", folder / "c.npz")
    with zipfile.ZipFile(folder / "c.npz", "a") as made, pytest.warns(UserWarning, match="Duplicate name"):
        made.writestr("about.npy", made.read("about.npy"))


def compressed_badly(data: bytes) -> bytes:
    """With other bytes in the middle of what is compressed."""
    middle = len(data) // 2
    return data[:middle] + bytes(255 - byte for byte in data[middle : middle + 200]) + data[middle + 200 :]


# -- certificates ------------------------------------------------------------------------------------------------------
NPZ = "verify c.npz"
CERTIFICATES = [
    bad("verify none.npz", 2, "does not exist"),
    bad("verify .", 2, "holds no certificate"),
    bad(NPZ, 23, "c.npz: it cannot be read: it is no archive", {"c.npz": ""}),
    bad(NPZ, 23, "it is no archive of arrays", {"c.npz": BINARY}),
    bad(NPZ, 23, "it is no archive of arrays", {"c.npz": "PK\x03\x04 and so on"}),
    bad("verify c.json", 23, "it is no archive of arrays", {"c.json": "{}"}),
    bad(NPZ, 23, "it cannot be read", prepare=spoilt("c.npz", lambda data: data[: len(data) // 2])),
    bad(NPZ, 23, "it cannot be read", prepare=spoilt("c.npz", lambda data: data[:-30])),
    bad(NPZ, 23, "it cannot be read", prepare=spoilt("c.npz", compressed_badly)),
    bad(NPZ, 23, "it has two arrays of one name", prepare=duplicated),
    bad(NPZ, 23, "it cannot be read", prepare=arrays(lambda a: a.update(states=np.array([{}], object)))),
    bad(NPZ, 23, "it has no 'states'", prepare=arrays(lambda a: a.pop("states"))),
    bad(NPZ, 23, "it has no 'about'", prepare=arrays(lambda a: a.pop("about"))),
    bad(NPZ, 23, "'about' is no array of the kind", prepare=arrays(lambda a: a.update(about=np.arange(3)))),
    bad(NPZ, 23, "'about' is not JSON", prepare=arrays(lambda a: a.update(about=np.array("{")))),
    bad(NPZ, 23, "'about' is not JSON: it is nested", prepare=arrays(lambda a: a.update(about=np.array("[" * 9999)))),
    bad(NPZ, 23, "'about' has to be an object with format", prepare=arrays(lambda a: a.update(about=np.array("[]")))),
    bad(NPZ, 23, "'states' is no array", prepare=arrays(lambda a: a.update(states=a["states"].astype(float)))),
    bad(NPZ, 23, "'states' is no array", prepare=arrays(lambda a: a.update(states=a["states"].astype(int)))),
    bad(NPZ, 23, "'states' is no array", prepare=arrays(lambda a: a.update(states=a["states"].ravel()))),
    bad(NPZ, 23, "the first state is not there", prepare=arrays(lambda a: a.update(states=a["states"][:0]))),
    bad(NPZ, 23, "a state that is not there", prepare=arrays(lambda a: a.update(states=a["states"][:-5]))),
    bad(NPZ, 23, "it has what no proof needs: 'more'", prepare=arrays(lambda a: a.update(more=np.arange(3)))),
    bad(
        NPZ,
        23,
        "it has what no proof needs: 'parts 99 0'",
        prepare=arrays(lambda a: a.update({"parts 99 0": a["states"]})),
    ),
    bad(
        NPZ,
        23,
        "says nothing of state",
        prepare=arrays(lambda a: [a.pop(k) for k in list(a) if k.startswith("parts ")]),
    ),
    bad(NPZ, 23, "it has no 'steps", prepare=arrays(lambda a: [a.pop(k) for k in list(a) if k.startswith("steps ")])),
    bad(
        NPZ,
        23,
        "is no array of the kind",
        prepare=arrays(lambda a: a.update({k: np.array(["a"]) for k in a if k.startswith("parts ")})),
    ),
    bad(NPZ, 23, "'about' has to be an object", prepare=about(holds=True)),
    bad(NPZ, 23, "'about' has to be an object", prepare=about(proved=None)),
    bad(NPZ, 23, "the format 2 is not known, 1 is", prepare=about(format=2)),
    bad(NPZ, 23, "'format' has to be a int", prepare=about(format=True)),
    bad(NPZ, 23, "'system' has to be a str", prepare=about(system=7)),
    bad(NPZ, 23, "there is no device 'vax'", prepare=about(system="vax/linux/tail/n1-sq2-cq2")),
    bad(NPZ, 23, "is not an instance", prepare=about(system="")),
    bad(NPZ, 23, "it is about another system", prepare=about(system=HANGS)),
    bad(NPZ, 23, "it is about another system", prepare=about(fingerprint="0")),
    bad(NPZ, 23, "it claims nothing, by the numbers [], and shows", prepare=about(proved=[])),
    bad(NPZ, 23, "it claims", prepare=about(proved=[0])),
    bad(NPZ, 23, "it claims", prepare=about(proved=[99])),
    bad(NPZ, 23, "'proved' has to be a list of numbers", prepare=about(proved=["safety"])),
    bad(NPZ, 23, "'proved' has to be a list of numbers", prepare=about(proved=[True])),
    bad(NPZ, 23, "'proved' has to be a list", prepare=about(proved="all")),
]

MANIFEST = "verify proof"
PROOFS = [
    bad(MANIFEST, 23, "manifest.json cannot be read", prepare=proof(lambda f: (f / "manifest.json").write_text(""))),
    bad(MANIFEST, 23, "cannot be read", prepare=proof(lambda f: (f / "manifest.json").write_bytes(BINARY))),
    bad(MANIFEST, 23, "does not name its format", prepare=proof(lambda f: (f / "manifest.json").write_text("[]"))),
    bad(
        MANIFEST,
        23,
        "'uncork' is there twice",
        prepare=proof(lambda f: (f / "manifest.json").write_text('{"uncork": "1", "uncork": "2"}')),
    ),
    bad(MANIFEST, 23, "format 2 is not known", prepare=manifest(lambda m: m.update(format=2))),
    bad(MANIFEST, 23, "it is of uncork '99'", prepare=manifest(lambda m: m.update(uncork="99"))),
    bad(MANIFEST, 23, "does not name its format", prepare=manifest(lambda m: m.pop("format"))),
    bad(MANIFEST, 23, "its version of z3", prepare=manifest(lambda m: m.pop("solvers"))),
    bad(MANIFEST, 23, "it names no design", prepare=manifest(lambda m: m.pop("design"))),
    bad(MANIFEST, 23, "it names no design", prepare=manifest(lambda m: m.update(design=["mmio"]))),
    bad(MANIFEST, 23, "it names no design or no parts", prepare=manifest(lambda m: m.update(parts=[]))),
    bad(
        MANIFEST, 23, "there is no device 'vax'", prepare=manifest(lambda m: m.update(design=["vax", "linux", "tail"]))
    ),
    bad(MANIFEST, 23, "there is no choice", prepare=manifest(lambda m: m.update(overrides=["colour=red"]))),
    bad(MANIFEST, 23, "a part names no subject or no lemmas", prepare=manifest(lambda m: m.update(parts=[7]))),
    bad(
        MANIFEST,
        23,
        "there is no lemma 'CQ nrder' (did you mean 'CQ order'?)",
        prepare=manifest(lambda m: m["parts"][0]["lemmas"].__setitem__(0, "CQ nrder")),
    ),
    bad(MANIFEST, 23, "there is no lemma", prepare=manifest(lambda m: m["parts"][0]["lemmas"].append({}))),
    bad(
        MANIFEST,
        23,
        "or a second one, is none of a proof's",
        prepare=manifest(lambda m: m["parts"].append(m["parts"][0])),
    ),
    bad(MANIFEST, 23, "a CQ of 7 entries", prepare=manifest(lambda m: m["parts"][0].update(least=7))),
    bad(
        MANIFEST,
        23,
        "no obligation is of a property 'x'",
        prepare=manifest(lambda m: m["parts"][0].update(unproved=["x"])),
    ),
    bad(
        MANIFEST,
        23,
        "holds is true, but its obligations show nothing",
        prepare=manifest(lambda m: m.update(holds=True)),
    ),
    bad(MANIFEST, 23, "parts 0 sound is true", prepare=manifest(lambda m: m["parts"][0].update(sound=True))),
    bad(MANIFEST, 23, "claims 0 is", prepare=manifest(lambda m: m.update(claims=["live for ever"]))),
    bad(MANIFEST, 23, "claims 1 is", prepare=manifest(lambda m: m["claims"].append("and fair"))),
    bad(MANIFEST, 23, "claims 0 is not there", prepare=manifest(lambda m: m.update(claims=[]))),
    bad(MANIFEST, 23, "parts 0 proved 0 is", prepare=manifest(lambda m: m["parts"][0]["proved"].reverse())),
    bad(MANIFEST, 23, "parts 0 proved 3 is not there", prepare=manifest(lambda m: m["parts"][0]["proved"].pop())),
    bad(MANIFEST, 23, "parts 0 obligations is 1,", prepare=manifest(lambda m: m["parts"][0].update(obligations=1))),
    bad(
        MANIFEST,
        23,
        "parts 0 files rank.smt2 is",
        prepare=manifest(lambda m: m["parts"][0]["files"].update({"rank.smt2": "0"})),
    ),
    bad(MANIFEST, 23, "rank.smt2 is missing", prepare=proof(lambda f: (f / "one" / "rank.smt2").unlink())),
    bad(
        MANIFEST,
        23,
        "rank.smt2 is not what the model",
        prepare=proof(lambda f: (f / "one" / "rank.smt2").write_text("")),
    ),
    bad(MANIFEST, 23, "rank.smt2 is not what", prepare=proof(lambda f: (f / "one" / "rank.smt2").write_bytes(BINARY))),
    bad(
        MANIFEST,
        23,
        "notes.txt is no file of the proof",
        prepare=proof(lambda f: (f / "notes.txt").write_text("")),
        seconds=20,
    ),
    bad(MANIFEST, 23, "more.smt2 is no file of the proof", prepare=proof(lambda f: (f / "more.smt2").write_text(""))),
    bad(MANIFEST, 2, "holds no certificate", prepare=proof(lambda f: (f / "manifest.json").unlink())),
]


# -- runs --------------------------------------------------------------------------------------------------------------
READERS = ("trace t.itf", f"explore {HANGS.replace('sq2-cq2', 'sq3-cq3')} --from t.itf", "record t.itf")
SPOILT_RUNS: list[tuple[int, str, Change]] = [
    (2, "it has no state", lambda t: t.update(states=[])),
    (2, "there is no 'states'", lambda t: t.pop("states")),
    (2, "'loop' has to be the number of a state, 0 to 28, not at 999", lambda t: t.update(loop=999)),
    (2, "not at -1", lambda t: t.update(loop=-1)),
    (2, "not at true", lambda t: t.update(loop=True)),
    (2, 'not at "28"', lambda t: t.update(loop="28")),
    (23, "t.itf: a run that stays in its last state has to loop there", lambda t: t.update(loop=3)),
    (23, "state 0 is not the first state", lambda t: t.update(states=t["states"][-1:], loop=0)),
    (23, "the system has no action 'jump'", lambda t: t["states"][3]["#meta"].update(action="jump")),
    (2, "there is no 'action'", lambda t: t["states"][3]["#meta"].pop("action")),
    (2, "its #meta has to name an 'instance'", lambda t: t["#meta"].pop("instance")),
    (2, "there is no device 'vax'", lambda t: t["#meta"].update(instance="vax/linux/tail/n1-sq2-cq2")),
    (2, "in a list what the run 'refutes'", lambda t: t["#meta"].update(refutes="uncorked SQ0")),
    (2, "has no property 'uncorked SQ7'", lambda t: t["#meta"].update(refutes=["uncorked SQ7"])),
    (2, "'shortest' has to be true or false", lambda t: t["#meta"].update(shortest="very")),
    (23, "is about what lasts for ever, and the trace ends", lambda t: t.pop("loop")),
]
RUNS = [bad(reader, code, says, prepare=run(change)) for code, says, change in SPOILT_RUNS for reader in READERS]
RUNS += [
    bad(reader, 2, says, {"t.itf": content})
    for reader in READERS
    for says, content in (
        ("t.itf", ""),
        ("t.itf", BINARY),
        ("not an ITF trace", "[]"),
        ("nested too deep", "[" * 9999),
        ("'loop' is there twice", '{"loop": 1, "loop": 2}'),
    )
]
RUNS += [
    bad("trace none.itf", 2, "there is no file none.itf"),
    bad(f"trace {LONG}", 2, "is not an instance"),
    bad(f"record {LONG}", 2, "is not an instance"),
    bad("trace .", 2, "is not an instance"),
    bad("validate t.itf", 2, "t.itf:1: not JSON", prepare=copied("t.itf")),
]


# -- logs --------------------------------------------------------------------------------------------------------------
def log(says: str, *lines: str, line: int = 1, form: str = "uncork") -> Bad:
    """A log that is refused at a line; before the second line of one of our own form there is a header."""
    header = {"uncork": f'{{"log": "uncork 1", "instance": "{LIVE}"}}\n'}.get(form, "") if line > 1 else ""
    text = header + "".join(f"{each}\n" for each in lines)
    return bad(f"validate l.log --format {form}", 2, f"l.log:{line}: {says}", {"l.log": text})


def propolis(says: str, *lines: str, line: int = 2, **config: Any) -> Bad:
    """A log of Propolis that is refused at a line."""
    sizes = {"nsq": 1, "sq_size": 4, "cq_size": 4, "worker_model": "M2", "workers_per_sq": 1}
    told = {"lvl": "header", "variant": "head", "cfg": {**sizes, "guest_frees_tag": "at_consume", **config}}
    return log(says, json.dumps(told), *lines, line=line, form="propolis")


def header(**said: Any) -> str:
    return json.dumps({"log": "uncork 1", **said})


LOGS = [
    log("no event in it"),
    log("not JSON", "{"),
    log("not JSON", "hello", line=2),
    log("not an object", "[]", line=2),
    log("not JSON: 'event' is there twice", '{"event": "submit", "event": "cqe"}', line=2),
    log("not JSON: NaN is no number", '{"event": "look", "cq.tail": NaN}', line=2),
    log("a log of the form 'uncork 9' is not known", '{"log": "uncork 9"}'),
    log("'log' has to be a string", '{"log": 1}'),
    log("a header has to be the first line", header(), line=2),
    log("'sqs' has to be a whole number from 1 to 256, not 0", header(sqs=0)),
    log("'sqs' has to be a whole number from 1 to 256, not -1", header(sqs=-1)),
    log("'sqs' has to be a whole number from 1 to 256", header(sqs=10**9)),
    log("'sq_size' has to be a whole number from 1 to 65536", header(sq_size=-3)),
    log("'cq_size' has to be a whole number from 1 to 65536", header(cq_size=10**30)),
    log("'sqs' has to be a whole number", header(sqs=True)),
    log("there is no device ''", header(device="")),
    log("there is no guest 'hurd'", header(guest="hurd")),
    log("there is no policy", header(policy="none-such")),
    log("there is no choice", header(set={"colour": "red"})),
    log("'hurd' is not an instance", header(instance="hurd")),
    log("an SQ has 2 to 65536 entries, not 0", header(instance="mmio/linux/tail/n1-sq0-cq2")),
    log("there is no SQ 7", '{"event": "submit", "sq": 7}', line=2),
    log("there is no SQ -1", '{"event": "submit", "sq": -1}', line=2),
    log("there is no worker 5: there are 1", '{"event": "fetch", "sq": 0, "worker": 5}', line=2),
    log("there is no worker -1", '{"event": "fetch", "sq": 0, "worker": -1}', line=2),
    log("'worker' has to be a whole number", '{"event": "fetch", "worker": "0"}', line=2),
    log("no 'event'", '{"sq": 0}', line=2),
    log("a run ends in one of stuck", '{"end": "well"}', line=2),
    log("a line after the end", '{"end": "stops"}', '{"event": "submit"}', line=3),
    log("an event has no 'event'", '{"end": "stops", "event": "submit"}', line=2),
    bad("validate l.log", 2, "l.log:1: not text", {"l.log": b"\xff\xfe\x00" + BINARY}),
    bad("validate l.log", 2, "not JSON", {"l.log": b"\x00" * 99 + b"\n"}),
    bad("validate l.log", 2, "l.log:1: a line of more than", {"l.log": "x" * 1_000_001}),
    bad("validate /dev/zero", 2, "/dev/zero:1: a line of more than"),
    bad("validate none.log", 2, "does not exist"),
    *(bad(f"validate l.log --format {form}", 2, "l.log:1: ", {"l.log": ""}) for form in ("propolis", "dtrace", "qemu")),
    *(
        bad(f"validate l.log --format {form}", 2, "l.log:1: ", {"l.log": BINARY})
        for form in ("propolis", "dtrace", "qemu")
    ),
    log("not JSON", "nonsense", form="propolis"),
    log("not a line of a Propolis run: it has no 'lvl'", "{}", form="propolis"),
    log("not a line of a Propolis run: it has no 'cfg'", '{"lvl": "header", "variant": "head"}', form="propolis"),
    propolis("'nsq' has to be a whole number from 1 to 256, not 0", line=1, nsq=0),
    propolis("'cq_size' has to be a whole number", line=1, cq_size=-4),
    propolis("'sq_size' has to be a whole number", line=1, sq_size="4"),
    propolis("'workers_per_sq' has to be a whole number", line=1, workers_per_sq=10**9),
    propolis("not a line of a Propolis run: worker_model is M1 or M2, not 'M3'", line=1, worker_model="M3"),
    propolis("not a line of a Propolis run: guest_frees_tag is at_consume", line=1, guest_frees_tag="never"),
    propolis("'tags_per_sq' has to be a whole number", line=1, tags_per_sq=0),
    propolis("not a line of a Propolis run: depth has to be", '{"lvl": "op", "ev": "pop", "args": {}, "depth": -1}'),
    propolis("not a line of a Propolis run: an unknown lvl", '{"lvl": "up", "ev": "pop", "args": {}}'),
    propolis("a header has to be the first line", '{"lvl": "header", "variant": "head", "cfg": {}}'),
    propolis(
        "not a line of a Propolis run: it has no 'val'", '{"lvl": "mem", "ev": "dev_read_sq_shadow", "args": {"q": 1}}'
    ),
    propolis("not a line of a Propolis run: it has no 'args'", '{"lvl": "op", "ev": "submit"}'),
    propolis("not a line of a Propolis run", '{"lvl": "mem", "ev": "dev_read_sq_shadow", "args": 7}'),
    propolis("not a line of a Propolis run: an unknown event", '{"lvl": "op", "ev": "melt", "args": {}}'),
    log("nvme_cqe has 2 arguments or more", "17 nvme_cqe 1", form="dtrace"),
    log("not TIMESTAMP PROBE and numbers", "17 nvme_cqe x y", form="dtrace"),
    log(
        "'qsize' has to be a whole number from 1 to 65536",
        "pci_nvme_create_cq cqid=2, qsize=0xffffffffff",
        "pci_nvme_enqueue_req_completion cid 1 cqid 2",
        form="qemu",
    ),
    log("pci_nvme_eventidx_cq without new_eventidx", "pci_nvme_eventidx_cq cqid 1", form="qemu"),
]


# -- the file of a sweep -----------------------------------------------------------------------------------------------
OF_ONE = "--policy tail --device propolis-2025 --guest linux --sqs 1 --sq-size 2 --cq-size 2 --jobs 1"
SWEEPS = (f"sweep --db s.db {OF_ONE}", f"trace {HANGS} --db s.db")
SPOILT_BASES = [
    ("'seconds' of run 1 is 'soon'", "UPDATE runs SET seconds = 'soon'"),
    ("'states' of run 1 is 'many'", "UPDATE runs SET states = 'many'"),
    ("'depth' of run 1 is b'", "UPDATE runs SET depth = x'00'"),
    ("'steps' of run 1 is 'few'", "UPDATE verdicts SET steps = 'few'"),
    ("is refuted in no number of steps", "UPDATE verdicts SET steps = NULL"),
    ("'budget' of run 1 is 'all'", "UPDATE runs SET budget = 'all'"),
    ("Expecting", "UPDATE runs SET unreached = 'none'"),
    ("'contradictions' of run 1 is no list of texts", "UPDATE runs SET contradictions = '[7]'"),
    ("'contradictions' of run 1 is no list of texts", "UPDATE runs SET contradictions = '{}'"),
    ("'engine' of run 1 is b'", "UPDATE runs SET engine = x'ff'"),
    (
        "says 'refuted' of 'luck'",
        "UPDATE verdicts SET property = 'luck' WHERE verdict = 'refuted' AND property = 'drains'",
    ),
    ("no such table", "DROP TABLE verdicts"),
    ("of another version of uncork: its form is 9", "PRAGMA user_version = 9"),
    ("a database, but none of uncork sweep", "PRAGMA application_id = 7"),
]
BASES = [bad(command, 2, says, prepare=base(sql)) for says, sql in SPOILT_BASES for command in SWEEPS]
BASES += [bad(command, 2, "not a database", {"s.db": BINARY}) for command in SWEEPS]
BASES += [
    bad(SWEEPS[1], 2, "s.db': it is empty", {"s.db": ""}, untouched=("s.db",)),
    bad(SWEEPS[1], 2, "there is no such file"),
    bad(SWEEPS[1], 2, "is damaged", prepare=base("UPDATE verdicts SET trace = NULL")),
    bad(SWEEPS[1], 2, "is damaged", prepare=base("UPDATE verdicts SET trace = x'1f8b0800000000000003ffff'")),
    bad(SWEEPS[1], 2, "is damaged", prepare=base("UPDATE verdicts SET trace = 'text'")),
    bad(f"sweep --db '' {OF_ONE}", 2, ""),
    bad(f"sweep --db none/s.db {OF_ONE}", 2, "there is no folder"),
    bad(f"sweep --db . {OF_ONE}", 2, "is a directory"),
    bad(f"sweep --db {LONG} {OF_ONE}", 2, "File name too long"),
    bad(f"sweep --db s.db --json s.db {OF_ONE}", 2, "two outputs", prepare=base(), untouched=("s.db",)),
]


# -- stored schedules --------------------------------------------------------------------------------------------------
SCHEDULES = [
    bad("conform s.json", 2, f"s.json is not a run that uncork conform stored: {says}", {"s.json": content})
    for says, content in (
        ("", ""),
        ("", BINARY),
        ("it has no 'instance'", "{}"),
        (
            "there is no device 'vax'",
            '{"instance": "vax/linux/tail/n1-sq2-cq2", "overlay": null, "seed": 1, "moves": []}',
        ),
        ("it has no 'failure'", '{"instance": "qemu/linux/head/n1-sq2-cq2", "moves": []}'),
        ("it has no 'kind'", '{"instance": "qemu/linux/head/n1-sq2-cq2", "moves": [], "failure": {}}'),
        (
            "seed, stepped, overlay or moves",
            '{"instance": "qemu/linux/head/n1-sq2-cq2", "overlay": 1, "moves": [], "failure": {"kind": "stuck"}}',
        ),
        ("'seed' is there twice", '{"seed": 1, "seed": 2}'),
    )
]
SCHEDULES += [
    bad(f"conform {LONG}", 2, "is neither qemu"),
    bad(f"trace {HANGS} --db {LONG}", 2, "there is no such file"),
    bad(f"cost propolis-2025/linux/{LONG}.py:f/n1-sq2-cq2", 2, ""),
    bad(f"check --policy {LONG}.py:f", 2, ""),
]


# -- outputs -----------------------------------------------------------------------------------------------------------
OWN = {"p.py": "from uncork_nvme.policies import POLICIES\n\ntail = POLICIES['tail']\n", "e.csv": ""}
ONE = "--device propolis-2025 --guest linux --sqs 1 --sq-size 2 --cq-size 2"
LOG = {"l.log": f'{{"log": "uncork 1", "instance": "{LIVE}"}}\n{{"event": "submit", "sq": 0}}\n'}
WRITERS = [
    *(f"check --policy tail {ONE} --{each}" for each in ("json", "junit", "sarif", "markdown")),
    f"sweep --db s.db --policy tail {ONE} --json",
    f"sweep --policy tail {ONE} --db",
    "validate l.log --trace",
    f"report --policy tail {ONE} --output",
    f"cost {HANGS} --json",
    f"measure {HANGS} --json",
    "repair propolis-2025 --json",
    "frontier --json",
    "conform qemu --json",
    "conform qemu --save",
]
"""Each of them would work for seconds before it writes."""

NO_OUTPUTS = [
    bad(f"{writer} {output}", 2, says, {**LOG, "file": "", "folder/in": ""})
    for writer in WRITERS
    for output, says in (
        ("none/out.json", "there is no folder"),
        ("file/out.json", "there is no folder"),
        (f"{LONG}.json", "File name too long"),
        ("folder", "folder"),
        ("''", ""),
    )
]
PLOTS = [
    bad(f"{writer} --plot {output}", 2, says)
    for writer in (f"measure {HANGS}", "frontier")
    for output, says in (
        ("none/out.svg", "there is no folder"),
        (f"{LONG}.svg", "File name too long"),
        ("out", "name a file that ends in .svg, .png, .pdf"),
        ("out.xyz", "name a file that ends in"),
        ("''", "it is empty"),
    )
]
FOLDERS = [
    bad(
        f"{writer} --certificate {output}",
        2,
        says,
        {"file": "", "mine/manifest.json": "{}", "mine/my.py": ""},
        untouched=("mine/my.py", "mine/manifest.json"),
    )
    for writer, said in (
        (f"check --policy tail {ONE}", {}),
        ("prove tail --device mmio --sqs one", {"mine": "is no certificate", ".": "is no certificate"}),
    )
    for output, says in (
        ("file", "is a file"),
        ("file/in", "file/in"),
        (LONG, "File name too long"),
        ("''", "it is empty"),
        ("/dev/full", "/dev/full"),
        ("/proc/none", "/proc/none"),
        *said.items(),
    )
]


def linked(name: str, link: str, *, hard: bool = False) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / link).hardlink_to(folder / name) if hard else (folder / link).symlink_to(folder / name)

    return prepare


def over(writer: str, output: str, says: str = "write to another file", **more: Any) -> Bad:
    """An output that is an input."""
    return bad(f"{writer} {output}", 2, says, {**OWN, **LOG}, untouched=("p.py", "e.csv", "l.log"), **more)


CHECK = f"check --policy p.py:tail {ONE}"
INPUTS = [
    over(CHECK, "--json p.py"),
    over(CHECK, "--sarif ./p.py"),
    over(CHECK, "--junit link.py", prepare=linked("p.py", "link.py")),
    over(CHECK, "--markdown hard.py", prepare=linked("p.py", "hard.py", hard=True)),
    over(f"{CHECK} p.py", "--json p.py"),
    over(CHECK, "--json out --junit ./out", "two outputs"),
    over("validate l.log", "--trace l.log"),
    over("validate l.log", "--trace link.log", prepare=linked("l.log", "link.log")),
    over("validate ./l.log", "--trace hard.log", prepare=linked("l.log", "hard.log", hard=True)),
    over(f"sweep --policy p.py:tail {ONE}", "--db p.py"),
    over(f"sweep --policy p.py:tail {ONE} --db s.db", "--json p.py"),
    over("cost propolis-2025/linux/p.py:tail/n1-sq2-cq2", "--json p.py"),
    over("measure propolis-2025/linux/p.py:tail/n1-sq2-cq2", "--json p.py"),
    over(f"report --policy p.py:tail {ONE}", "--output p.py"),
    over("repair propolis-2025 --policy p.py:tail", "--json p.py"),
    over("frontier --policy p.py:tail", "--json p.py"),
]
FULL = [
    bad(f"check --policy tail {ONE} --json /dev/full", 2, "'/dev/full': No space left"),
    bad(f"cost {HANGS} --json /dev/full", 2, "'/dev/full': No space left", seconds=100),
    bad("validate l.log --trace /dev/full", 2, "'/dev/full': No space left", LOG),
]

ROWS = [*CERTIFICATES, *PROOFS, *RUNS, *LOGS, *BASES, *SCHEDULES, *NO_OUTPUTS, *PLOTS, *FOLDERS, *INPUTS, *FULL]


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_bad_files_are_refused(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole()
    holds(row, tmp_path, monkeypatch, capfd)


# -- what takes more than one process ----------------------------------------------------------------------------------
def begun(*args: str, cwd: Path, env: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "uncork", *args]
    return subprocess.Popen(
        command, cwd=cwd, env={**PROCESSES, **(env or {})}, stderr=subprocess.PIPE, text=True,
        **{"stdout": subprocess.PIPE, **more},
    )  # fmt: skip


def test_a_full_standard_output_is_told_in_a_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = begun("list", "guests", cwd=tmp_path, stdout=full)
        assert done.communicate(timeout=30)[1] == "Error: standard output: No space left on device\n"
    assert done.returncode == 2


def test_a_file_that_another_program_holds_is_told_of_in_seconds(tmp_path: Path) -> None:
    copied("s.db")(tmp_path)
    held = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    for hold in ("IMMEDIATE", "EXCLUSIVE"):
        held.execute(f"BEGIN {hold}")
        since = time.monotonic()
        done = begun("sweep", "--db", "s.db", *OF_ONE.split(), cwd=tmp_path)
        assert "database is locked" in done.communicate(timeout=30)[1]
        assert (done.returncode, time.monotonic() - since < 15) == (2, True)
        held.execute("ROLLBACK")
    held.close()


@pytest.mark.slow
def test_two_sweeps_that_begin_at_once_on_a_new_file_both_work(tmp_path: Path) -> None:
    both = [begun("sweep", "--db", "s.db", *OF_ONE.split(), cwd=tmp_path) for _ in range(2)]
    for each in both:
        out, errors = each.communicate(timeout=60)
        assert each.returncode == 0, out + errors


@pytest.mark.slow
def test_without_a_place_for_compiled_code_it_works_and_says_so_once(tmp_path: Path) -> None:
    """As for a user who may write nothing: files stand where the folders would be."""
    (source,) = uncork.__path__
    shutil.copytree(source, tmp_path / "uncork", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "uncork" / "engines" / "__pycache__").touch()
    nowhere = {"XDG_CACHE_HOME": "/proc", "HOME": "/", "UNCORK_CODE": "/proc/none"}
    env = {**nowhere, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = begun("measure", HANGS, "--time", "1", "--runs", "2", cwd=tmp_path, env=env)
    out, errors = done.communicate(timeout=120)
    assert (done.returncode, errors.count("compiled code cannot be kept here")) == (0, 1), errors
    assert HANGS.split("/")[0] in out
