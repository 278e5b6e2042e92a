"""What is typed that cannot be meant: empty filters, options given twice, numbers that are none, empty rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hostile import Bad, bad, holds, names
from uncork import cli
from uncork.command import idle, options
from uncork.command.selection import Filters, select
from uncork_nvme.choices import MAX_SIZE, MAX_WORKERS, Choices, describe
from uncork_nvme.instance import from_name
from uncork_nvme.shape import Shape
from uncork_properties import expected
from uncork_properties.catalogue import COVERS, ROWS, covers

COMMANDS = {name: command for name, command in cli.cli.commands.items() if isinstance(command, options.Command)}
LIVE = "propolis-2026/linux/tail-1/n1-sq2-cq2"
ONE = "check --policy tail-1 --device propolis-2026 --guest linux --sqs 1 --sq-size 2 --cq-size 2"
HEAD = "device,guest,policy,sqs,sq_size,cq_size,overrides,safety,uncorked,drains,progress,states,depth,unreached\n"
ROW = "propolis-2026,linux,tail-1,1,2,2,,proved,proved,proved,proved,,,\n"
POLICY = "def f(cq):\n    return cq.tail - 1\n"


# -- every option of every command -------------------------------------------------------------------------------------
def every_option() -> Iterator[Bad]:
    """Each option of each command with an empty value, and twice if its values do not add up; each argument empty."""
    for name, command in COMMANDS.items():
        for param in command.params:
            if isinstance(param, click.Argument):
                first = ["dot"] if name == "export" and param.name == "instance" else []
                before = ["log"] if name == "validate" and param.name == "instance" else []
                yield Bad((name, *first, *before, ""), 2, "it is empty")
                continue
            option = param.opts[0]
            if not getattr(param, "is_flag", False):
                for empty in ("", " ", "\t"):
                    yield Bad((name, option, empty), 2, f"'{option}'")
                yield Bad((name, f"{option}="), 2, "it is empty")
                if isinstance(param.type, options.ListType):
                    for value in (",", "1,,2", "1,", ",1", " , "):
                        yield Bad((name, option, value), 2, "lacks a value before or after a comma")
            if not param.multiple:
                value = [] if getattr(param, "is_flag", False) else ["1"]
                yield Bad((name, option, *value, option, *value), 2, "is given 2 times: give it once")
            if isinstance(param.type, (click.types.IntParamType, click.types.FloatParamType)):
                for number in ("nan", "inf", "-inf", "1e999", "\u0663", "1_000", "+3", "0x10", "\uff13", " 3"):
                    yield Bad((name, option, number), 2, "in the digits 0 to 9")


def test_every_command_refuses_what_is_empty_or_given_twice() -> None:
    assert set(COMMANDS) == set(cli.cli.commands)
    assert len(list(every_option())) > 150


# -- filters and numbers -----------------------------------------------------------------------------------------------
FILTERS: list[Bad] = [
    bad("check --policy tial", 2, "there is no policy 'tial'"),
    bad("check --device nvme", 2, "there is no device 'nvme'"),
    bad("check --guest windows", 2, "there is no guest 'windows'"),
    bad("check --property uncork", 2, "there is no property 'uncork'"),
    bad("check --reductions none,dead", 2, "not both"),
    bad("check --reductions none --reductions dead", 2, "not both"),
    bad("check --reductions all", 2, "there is no reduction 'all'"),
    bad("check --policy tail --policy tial", 2, "there is no policy 'tial'"),
    bad("check --policy tial --policy tail", 2, "there is no policy 'tial'"),
    bad("check --property safety --property live", 2, "there is no property 'live'"),
    bad("check --sqs 0", 2, "a CQ has 1 to 128 SQs here, not 0"),
    bad("check --sqs -1", 2, "a CQ has 1 to 128 SQs here, not -1"),
    bad("check --sqs 1.5", 2, "'1.5' is not a whole number"),
    bad("check --sqs one", 2, "'one' is not a whole number"),
    bad("check --sqs 1;2", 2, "'1;2' is not a whole number"),
    bad("check --sqs 03", 2, "'03' is not a whole number"),
    bad("check --sqs 1,\u0663", 2, "is not a whole number"),
    bad("check --sqs 1_0", 2, "'1_0' is not a whole number"),
    bad(f"check --sqs {'9' * 5000}", 2, "a number of 5000 digits is too large"),
    bad("check --sqs 129 --device propolis-2026", 2, "a CQ has 1 to 128 SQs here, not 129"),
    bad("check --sqs 999999999999 --device propolis-2026", 2, "a CQ has 1 to 128 SQs here"),
    bad("check --sqs 65 --device qemu --set workers=2", 2, "128 at most, not 65 times 2"),
    bad("check --sq-size 1", 2, "an SQ has 2 to 65536 entries, not 1"),
    bad("check --sq-size 65537", 2, "an SQ has 2 to 65536 entries, not 65537"),
    bad("check --cq-size 99999999999", 2, "has 2 to 65536 entries, not 99999999999"),
    bad("check --policy tail-\u0663", 2, "is no part of a formula"),
    bad("check --policy head+007", 2, "'007' is not a number"),
    bad("check --policy tail-99999999999", 2, "'99999999999' is not a number"),
    bad(f"check --policy head+{'min(' * 3000}n{',1)' * 3000}", 2, "200 is the most"),
    bad("check --max-seconds -1", 2, "not in the range"),
    bad("check --max-states 0", 2, "not in the range"),
    bad("sweep --db f.db --jobs 99999", 2, "1<=x<=1024"),
    bad(f"simulate {LIVE} --steps 99999999999", 2, "1<=x<=1000000"),
    bad(f"record {LIVE} --steps 99999999999", 2, "1<=x<=1000000"),
    bad("record --log-only posted", 2, "FILE|INSTANCE"),
    bad(f"measure {LIVE} --load full --load fast", 2, "there is no load 'fast'"),
    bad("frontier --sqs 1 --sqs 9", 2, "not 9"),
    bad("repair qemu --guest linux --guest bsd", 2, "there is no guest 'bsd'"),
    bad("conform qemu --shape n01-sq3-cq3", 2, "'n01-sq3-cq3' is not a shape"),
    bad("cost --set", 2, "requires an argument"),
    bad("uncheck", 2, "No such command"),
    Bad(("",), 2, "No such command"),
]

# -- overrides and names -----------------------------------------------------------------------------------------------
NUMBERS = [each.name for each in dataclasses.fields(Choices) if each.metadata["most"]]
OVERRIDES: list[Bad] = [
    *(bad(f"{ONE} --set {name}=99999999999", 2, f"{name} cannot be 99999999999") for name in NUMBERS),
    *(bad(f"{ONE} --set {name}={value}", 2, f"{name} cannot be") for name in NUMBERS
      for value in ("0", "-1", "+3", "3_0", "03", "\u0663", "1.0", "1e3", "nan")),
    bad(f"{ONE} --set workers=129", 2, "1 to 128"),
    bad(f"{ONE} --set cork", 2, "'cork' is not of the form name=value"),
    bad(f"{ONE} --set cork=", 2, "cork cannot be ''"),
    bad(f"{ONE} --set =park", 2, "there is no choice ''"),
    bad(f"{ONE} --set cork=park,pool=2", 2, "cork cannot be 'park,pool=2'"),
    bad(f"{ONE} --set cork=park --set cork=self-kick", 2, "cork is given two values, park and self-kick"),
    bad(f"{ONE} --events delete --set events=create", 2, "events is given two values, create and delete"),
    bad("prove tail-1 --device arm-recheck --set cork=park --set cork=self-kick", 2, "two values"),
    bad("conform qemu --set cork=park --set cork=self-kick", 2, "two values"),
    bad("sweep --db f.db --set cork=park --set cork=self-kick", 2, "two values"),
    bad("measure --device qemu --set pool=2 --set pool=3", 2, "pool is given two values, 2 and 3"),
    Bad(("validate", "log", "--set", "cork=park", "--set", "cork=self-kick"), 2, "two values", {"log": "{}\n"}),
    *(bad(f"trace {name}", 2, says) for name, says in (
        (f"{LIVE}/cork=park,cork=self-kick", "two values"),
        (f"{LIVE}/cork=park,,pool=2", "'' is not of the form name=value"),
        (f"{LIVE}/cork=park,", "'' is not of the form name=value"),
        (f"{LIVE}/", "'' is not of the form name=value"),
        (f"{LIVE}/fast", "'fast' is not of the form name=value"),
        (f"{LIVE}/workers=03", "workers cannot be '03'"),
        (f"{LIVE}/workers=\u0663", "workers cannot be"),
        (f"{LIVE}/workers=2/cork=park", "is not a shape"),
        ("propolis-2026/linux/tail-1/n01-sq2-cq2", "'n01-sq2-cq2' is not a shape"),
        ("propolis-2026/linux/tail-1/n1-sq02-cq2", "is not a shape"),
        ("propolis-2026/linux/tail-1/n1-sq2-cq+2", "is not a shape"),
        ("propolis-2026/linux/tail-1/n1-sq2_0-cq2", "is not a shape"),
        ("propolis-2026/linux/tail-1/n\u0661-sq2-cq2", "is not a shape"),
        ("propolis-2026/linux/tail-1/n1-sq2", "'n1-sq2' is not a shape"),
        (f"propolis-2026/linux/tail-1/n{'9' * 5000}-sq2-cq2", "is not a shape"),
        ("propolis-2026/linux/tail-1/n0-sq2-cq2", "1 to 128 SQs"),
        ("propolis-2026/linux/tail-1/n999-sq2-cq2", "1 to 128 SQs"),
        ("propolis-2026/linux/tail-1", "is not an instance"),
        ("propolis-2026/linux//n1-sq2-cq2", "there is no policy ''"),
        ("/linux/tail-1/n1-sq2-cq2", "there is no device ''"),
        ("propolis-2026//tail-1/n1-sq2-cq2", "there is no guest ''"),
        ("propolis-2026/linux/sub/none.py:f/n1-sq2-cq2", "there is no file sub/none.py"),
    )),
]  # fmt: skip


# -- expectations ------------------------------------------------------------------------------------------------------
def expects(content: str | bytes, says: str, *more: str, code: int = 2, **files: str) -> Bad:
    """`check --expect e.csv` of this content."""
    return Bad(("check", "--expect", "e.csv", *more), code, says, {"e.csv": content, **files})


def changed(before: str, after: str) -> str:
    """The good file, with its row changed."""
    assert before in ROW
    return HEAD + ROW.replace(before, after)


EXPECTATIONS: list[Bad] = [
    expects("", "e.csv:1: nothing is expected"),
    expects("\n\n", "nothing is expected"),
    expects(HEAD, "e.csv:2: nothing is expected: write a header, and a line for each instance"),
    expects(HEAD + "\n\n", "nothing is expected"),
    expects(ROW, "e.csv:1: unknown column 'propolis-2026'"),
    expects(HEAD.replace("guest,", "") + ROW, "e.csv:1: no column 'guest'"),
    expects(HEAD.replace("safety", "safe") + ROW, "e.csv:1: unknown column 'safe'"),
    expects(HEAD.replace("depth", "states") + ROW, "e.csv:1: two columns are called states"),
    expects(HEAD.replace("\n", ",\n") + ROW, "e.csv:1: unknown column ''"),
    expects(HEAD.replace(",", ";") + ROW.replace(",", ";"), "e.csv:1: unknown column 'device;guest"),
    expects(HEAD.replace(",", "\t") + ROW.replace(",", "\t"), "e.csv:1: unknown column"),
    expects(HEAD + ROW.replace(",\n", ",,\n"), "e.csv:2: 15 cells under 14 columns"),
    expects(HEAD + ROW.replace(",,,\n", "\n"), "e.csv:2: 11 cells under 14 columns"),
    expects(HEAD + "propolis-2026\n", "e.csv:2: 1 cells under 14 columns"),
    expects(HEAD + ROW + "propolis-2026,linux\n", "e.csv:3: 2 cells under 14 columns"),
    expects(HEAD + ROW + ROW, "e.csv:3: propolis-2026/linux/tail-1/n1-sq2-cq2 has a line already, e.csv:2"),
    expects(HEAD + ROW + '"propolis-2026,linux\n', "e.csv:3: not CSV, is each quote closed?"),
    expects(HEAD + 'propolis-2026,"linux"x,tail,1,2,2,,,,,,,,\n', "e.csv:2: not CSV"),
    expects(HEAD + "x" * 200_000 + "\n", "e.csv:2: not CSV"),
    expects(HEAD + "," * 13 + "\n", "e.csv:2: sqs: '' is not a whole number"),
    expects(changed("tail-1", "ta\0il"), "e.csv:2: there is a NUL in it"),
    expects((HEAD + ROW).encode("utf-16"), "e.csv:1: this is not UTF-8"),
    expects((HEAD + ROW).encode() + b"\xff\xfe", "e.csv:3: this is not UTF-8"),
    expects(changed("linux", "l\u00edn\u00fax").encode("latin-1"), "e.csv:2: this is not UTF-8"),
    expects(changed("tail-1,", "tial,"), "e.csv:2: there is no policy 'tial'"),
    expects(changed("tail-1,", ","), "e.csv:2: there is no policy ''"),
    expects(changed("linux", "bsd"), "e.csv:2: there is no guest 'bsd'"),
    expects(changed("propolis-2026", "propolis"), "e.csv:2: there is no device 'propolis'"),
    expects(changed("1,2,2", "01,2,2"), "e.csv:2: sqs: '01' is not a whole number"),
    expects(changed("1,2,2", "\u0661,2,2"), "e.csv:2: sqs:"),
    expects(changed("1,2,2", "1,+2,2"), "e.csv:2: sq_size: '+2' is not a whole number"),
    expects(changed("1,2,2", "1,2,2_0"), "e.csv:2: cq_size: '2_0' is not a whole number"),
    expects(changed("1,2,2", "1,1,2"), "e.csv:2: an SQ has 2 to 65536 entries, not 1"),
    expects(changed("2,2,,", "2,2,cork=park;cork=self-kick,"), "e.csv:2: cork is given two values"),
    expects(changed("2,2,,", "2,2,cork=park;,"), "e.csv:2: '' is not of the form name=value"),
    expects(changed("2,2,,", "2,2,cork=parc,"), "e.csv:2: cork cannot be 'parc'"),
    expects(changed("2,2,,", "2,2,cq_full=queue,"), "e.csv:2: cq_full=queue needs completions"),
    expects(changed("2,2,,", "2,2,submit_batch=99999999999,"), "e.csv:2: submit_batch cannot be 99999999999"),
    *(expects(changed("proved,proved,proved,", f"proved,{verdict},proved,"), f"e.csv:2: uncorked is '{verdict}'")
      for verdict in (
          "refuted 25", "proved refuted", "refuted 1e3+0", "refuted +0", "refuted 1+", "refuted -1+0", "refuted 1+0+0",
          "refuted25+0", "refuted 025+0", "proved 25+0", "PROVED", "Refuted", "live", "HANGS 25", "?", "no",
          "refuted \u0662+0", "1", "true",
      )),
    expects(changed("proved,proved,proved,proved", "proved,open,proved,proved"), "e.csv:2: uncorked is open"),
    expects(changed("proved,proved,proved,proved", ",,,"), "e.csv:2: nothing is expected: write proved or refuted"),
    expects(HEAD.replace(",safety,uncorked,drains,progress", "") + ROW.replace(",proved,proved,proved,proved", ""),
            "e.csv:2: nothing is expected"),
    expects(changed("proved,,,", "proved,many,,"), "e.csv:2: states: 'many' is not a whole number"),
    expects(changed("proved,,,", "proved,,-1,"), "e.csv:2: depth is -1"),
    expects(changed("proved,,,", 'proved,"1,000",,'), "e.csv:2: states: '1,000' is not a whole number"),
    expects(changed("proved,,,", "proved,,,corks a queue"), "e.csv:2: there is no cover 'corks a queue' (did you mean"),
    expects(changed("proved,,,", "proved,,,corks an SQ;"), "e.csv:2: there is no cover ''"),
    expects(changed("proved,proved,proved,proved", "proved,,,"), "e.csv:2: nothing is expected of uncorked, drains",
            "--property", "uncorked,drains"),
    expects(changed("tail-1,", "gone.py:f,"), "e.csv:2: policy gone.py:f: there is no file gone.py"),
    expects(changed("tail-1,", "mine.py:g,"), "e.csv:2: policy mine.py:g: mine.py has no 'g'", **{"mine.py": POLICY}),
    bad("check --expect none.csv", 2, "none.csv: No such file"),
    bad("check --expect .", 2, "'.' is a directory"),
    expects(HEAD, "nothing is expected", "--policy", "tail"),
    expects(HEAD + ROW, "'--expect' is given 2 times", "--expect", "e.csv"),
    *(bad(f"{command} {'long' * 300}", 2, "is not an instance") for command in ("trace", "record", "simulate", "cost")),
    bad(f"conform {'long' * 300}", 2, "is neither qemu"),
    bad(f"check --policy {'long' * 300}.py:f", 2, "there is no file"),
]  # fmt: skip

# -- what is meant is done ---------------------------------------------------------------------------------------------
TAIL = ROW.replace("tail-1", "tail")  # which hangs
MEANT: list[Bad] = [
    expects(HEAD + ROW, "AS EXPECTED", code=0),
    expects(b"\xef\xbb\xbf" + (HEAD + ROW).replace("\n", "\r\n").encode(), "AS EXPECTED", code=0),
    expects("\n" + HEAD.replace(",", " , ") + "\n" + ROW.replace(",", ", "), "AS EXPECTED", code=0),
    expects(HEAD + TAIL, "uncorked: refuted 23+0 steps (uncorked SQ0), expected proved", code=13),
    expects(HEAD + TAIL.replace("proved,proved,proved,proved", "proved,refuted,,"), "Not compared: 2 verdicts", code=0),
    expects(HEAD + TAIL.replace("proved,proved,proved,proved", "proved,,,"), "Not compared: 3 verdicts", code=0),
    expects(HEAD + ROW.replace("proved,proved,proved,proved", ",refuted,,"), "proved, expected refuted", code=10),
    expects(HEAD + TAIL.replace("proved,proved,proved,proved", "proved,refuted 24+0,,"), "refuted 24+0", code=10),
    expects(HEAD + ROW.replace("proved,,,", "proved,1,,"), "states, expected 1", code=10),
    bad(f"{ONE.replace('check', 'cost')} --policy tail-1,head --policy tail-1 --json -", 0, 'linux/head/n1'),
    bad(f"{ONE} --property safety --property drains", 0, "2 verdicts: 2 proved"),
    bad(f"{ONE} --set submit_batch=1 --set submit_batch=1", 0, "submit_batch=1 makes no difference here"),
    bad(f"{ONE} --set on_resume=forget-notified", 0, "on_resume=forget-notified makes no difference here"),
    bad(f"{ONE} --device qemu --set workers=1 --set on_delete=complete", 2, "on_delete cannot be"),
    bad(f"{ONE} --set on_resume=forget-notified --markdown -", 0, "on&#95;resume=forget-notified makes no difference"),
    bad(f"{ONE} --set on_resume=forget-notified --sarif -", 0, '"level": "note"'),
    bad(f"{ONE} --set on_resume=forget-notified --junit -", 0, 'name="note" value="on_resume=forget-notified'),
    bad(f"{ONE.replace('check', 'cost')} --set on_resume=forget-notified", 0, "makes no difference here"),
    bad(f"{ONE.replace('check', 'sweep --db f.db')} --set on_resume=forget-notified", 0, "makes no difference here"),
    Bad(("simulate", "propolis-2026/linux/sub/dir/mine.py:f/n1-sq2-cq2", "--steps", "1"), 0,
        "propolis-2026/linux/sub/dir/mine.py:f/n1-sq2-cq2", {"sub/dir/mine.py": POLICY}),
    Bad(("simulate", "propolis-2026/linux/./n1-sq2-cq2/mine.py:f/n1-sq2-cq2/workers=2", "--steps", "1"), 0,
        "/n1-sq2-cq2/workers=2", {"n1-sq2-cq2/mine.py": POLICY}),
    Bad(("simulate", "propolis-2026/linux/a/mine.py:f/n1-sq2-cq2", "--steps", "1"), 0, "a/mine.py",
        {"a/mine.py": "from beside import f", "a/beside.py": POLICY, "beside.py": "1 / 0"}),
    Bad(("simulate", "propolis-2026/linux/mine.py:f/n1-sq2-cq2", "--steps", "1"), 2, "mine.py:1: No module",
        {"mine.py": "import a_b_c\n" + POLICY}),
    Bad(("check", "--policy", "mine.py:f", "other.py"), 0, "nothing to check",
        {"mine.py": "from beside import f", "beside.py": POLICY, "other.py": ""}),
    Bad(("check", "--expect", "e.csv", "beside.py"), 0, "AS EXPECTED",
        {"mine.py": "from beside import f", "beside.py": POLICY, "e.csv": changed("tail-1", "mine.py:f")}),
    Bad(("check", "--expect", "e.csv", "other.py", "--markdown", "-"), 0, "Nothing was checked.",
        {"mine.py": POLICY, "other.py": "", "e.csv": changed("tail-1", "mine.py:f")}),
]  # fmt: skip

ROWS_ = [*every_option(), *FILTERS, *OVERRIDES, *EXPECTATIONS, *MEANT]


@pytest.mark.parametrize("row", ROWS_, ids=names(ROWS_))
def test_bad_options_are_refused(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)


# -- what the table rests on -------------------------------------------------------------------------------------------
def test_nothing_that_is_recorded_is_left_out_of_a_comparison() -> None:
    for file in (*expected.RECORDED, "deep.csv"):
        assert all(each.verdicts.keys() == set(ROWS) for _, each in expected.default(file).values())


def test_every_cover_has_a_name_that_expectations_may_name() -> None:
    found = set()
    for name in (LIVE, "qemu/linux/head/n1-sq2-cq2", f"{LIVE}/memory=tso", "mmio/linux/tail/n1-sq2-cq2"):
        of = from_name(name)
        found |= {cover.name for cover in covers(of.machine, of.system)}
    assert found == set(COVERS)


def test_an_override_that_makes_no_difference_is_reported() -> None:
    def told(*overrides: str) -> list[str]:
        filters = Filters(["tail"], ["propolis-2026", "qemu"], ["linux"], [2], [2], [2], overrides)
        return idle.told(filters, select(filters))

    assert told() == []
    (one,) = told("kick_size=room")  # of which a device whose completions queue kicks none
    assert one.startswith("kick_size=room makes no difference in 1 of 2 instances, as qemu/linux/tail/n2-sq2-cq2/")
    assert told("guest_fence=yes", "kick_on_post=yes")[0].startswith("guest_fence=yes makes no difference here")


def test_what_a_policy_imports_is_read_again_and_leaves_nothing(tmp_path: Path) -> None:
    from uncork_nvme.instance import forget

    (tmp_path / "mine.py").write_text("import beside\ndef f(cq):\n    return cq.tail - beside.n\n")
    shape = "propolis-2026/linux/{}/n1-sq3-cq3"
    for n in (1, 2):
        (tmp_path / "beside.py").write_text(f"n = {n}\n")
        forget()
        mine, known = (from_name(shape.format(name)) for name in (f"{tmp_path}/mine.py:f", f"tail-{n}"))
        assert mine.system.fingerprint() == known.system.fingerprint()
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "beside.py"}


def test_a_shape_is_read_as_it_is_written() -> None:
    assert str(Shape(2, 3, 14)) == "n2-sq3-cq14"
    assert Shape.parse("n2-sq3-cq14") == Shape(2, 3, 14)
    assert Shape.parse("n2-sq3-cq014") is None and Shape.parse("n2-sq3-cq14/") is None


def test_a_choice_may_be_what_its_type_names() -> None:
    known = {name: values for name, values, _ in describe()}
    assert known["kick_on_post"] == ["no", "yes"] and known["sq_reread"] == ["yes", "no"]
    assert known["drain"] == ["all", "any", f"1 to {MAX_SIZE}"] and known["workers"] == [f"1 to {MAX_WORKERS}"]
    assert known["events"][0] == "none" and known["events"][-1] == "several joined by +"
    assert {name: str(value) for name, value in Choices().items().items()} == {
        name: "1" if values[0].startswith("1 to") else values[0] for name, values in known.items()
    }
