"""The page of `uncork report`: what is in it is what was found, nothing else runs, and a browser plays it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click
import pytest
from repository import ROOT
from uncork.cli import cli
from uncork.core.causes.cause import cause as why
from uncork.core.evaluate import holds
from uncork.core.trace import ReplayError, Trace
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.one import Checked
from uncork.render import itf
from uncork.report import data as report_page
from uncork.report import drawn
from uncork.report.mended import KINDS, Mended
from uncork.report.sources import pieces
from uncork.report.terms import TERMS
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_nvme.museum import BUGS
from uncork_nvme.policies import POLICIES
from uncork_properties.catalogue import named, properties

STUCK, LOOPS, LIVE = (
    "propolis-2025/linux/tail/n1-sq3-cq3",
    "arm-recheck/linux/head/n2-sq2-cq2",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3",
)
HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"


class Parsed(HTMLParser):
    """The elements of a page, and the text in each script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in ("script", "style") and self.cdata_elem:
            self.texts.append((self.elements[-1][0], data))

    @property
    def data(self) -> Any:
        data = json.loads(next(text for tag, text in self.texts if tag == "script"))
        texts = data["texts"]
        for row in (row for each in data["instances"].values() for row in each["rows"]):
            row |= {key: texts[row[key]] for key in ("said", "cause") if key in row}
        for each in data["besides"]:
            each["rows"] = [
                [KINDS[row[0]], *row[1:]] if isinstance(row, list) else ["same", row, 1] for row in each["rows"]
            ]
        for steps in (*(run["steps"] for run in data["runs"]), *(_theirs(each) for each in data["besides"])):
            for step in steps:
                step[1:3] = texts[step[1]], texts[step[2]]
        for each in data["besides"]:
            each["why"] = texts[each["why"]]
        return data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def _theirs(beside: dict[str, Any]) -> list[list[Any]]:
    """The steps that the other design takes, and the run does not."""
    return [step for _, _, step in beside["rows"] if isinstance(step, list)]


def checked(*instances: Instance) -> list[Checked]:
    return list(many.check(instances, jobs=1))


@pytest.fixture(scope="module")
def found() -> list[Checked]:
    return checked(*map(from_name, (STUCK, LOOPS, LIVE)))


@pytest.fixture(scope="module")
def page(found: Sequence[Checked]) -> str:
    return report_page.write(found, ()).html


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Instance, str]:
    """An instance whose policy has markup in its path and its docstring, and its page."""
    folder = tmp_path_factory.mktemp("policies") / HOSTILE
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(f"def tail(cq):\n    {HOSTILE!r}\n    return cq.tail\n")
    instance = Instance("propolis-2025", "linux", f"{folder}/mine.py:tail", 1, 2, 2)
    return instance, report_page.write(checked(instance), ()).html


def refutation(each: Checked) -> Trace:
    return next(row.verdict.trace for row in each.rows if isinstance(row.verdict, Refuted))


@pytest.mark.slow
def test_what_is_played_is_the_run_that_was_found(found: Sequence[Checked], page: str) -> None:
    data = Parsed(page).data
    for each in found[:2]:
        row = next(row for row in data["instances"][each.instance.name]["rows"] if "run" in row)
        run, names = data["runs"][row["run"]], [name for name, _ in data["stages"][row["stage"]]["variables"]]
        trace, state = refutation(each), run["first"]
        played = [state]
        for _, _, _, changes in run["steps"]:
            assert all(state[place] != value for place, value in changes)
            played.append(state := [dict(changes).get(place, value) for place, value in enumerate(state)])
        if not trace.stuck:
            assert played.pop() == played[trace.loop or 0]
        plain = [[_plain(state[name]) for name in names] for state in trace.states]
        assert played == plain
        assert [step[1] for step in run["steps"]] == list(trace.steps)
        of = each.instance
        cause = why(of.system, named(properties(of.machine, of.system), row["name"]), trace)
        assert (row["cause"], tuple(row["causing"])) == (cause.text, cause.steps)


@pytest.mark.slow
def test_what_is_beside_a_run_is_a_run_of_a_live_design(found: Sequence[Checked], page: str) -> None:
    data = Parsed(page).data
    assert {name: each["mended"] for name, each in data["instances"].items() if "mended" in each} == {
        STUCK: "propolis-2025/linux/tail-lag/n1-sq3-cq3",
        LOOPS: "hand-over/linux/tail-1/n2-sq2-cq2",
    }
    rows = [(each["mended"], row) for each in data["instances"].values() for row in each["rows"] if "beside" in row]
    assert len(rows) == 4
    for mended, row in rows:
        each, run, other = data["besides"][row["beside"]], data["runs"][row["run"]], from_name(mended)
        stage = data["stages"][each["stage"]]
        state = {name: value for (name, _), value in zip(stage["variables"], each["state"], strict=True)}
        for _, number, step in each["rows"]:
            if step == 0:
                continue
            actor, name, did, changes = run["steps"][number - 1] if step == 1 else step
            real = {name: _real(state[name], value) for name, value in other.system.initial.items()}
            action = other.system.action(name)
            assert holds(action.guard, real)
            assert (stage["actors"][actor], did) == (action.actor, action.told.on(real))
            state |= {stage["variables"][place][0]: value for place, value in changes}
            assert state == {name: _plain(value) for name, value in other.system.after(real, action).items()}


def _real(value: Any, like: Any) -> Any:
    """A value of the page as the machine has it."""
    return value == "yes" if isinstance(like, bool) else tuple(value) if isinstance(like, tuple) else value


def test_the_live_design_that_differs_least_is_set_beside_a_run() -> None:
    mended = Mended([], [])
    others = {
        "propolis-2026/linux/tail/n1-sq3-cq3": "propolis-2026/linux/tail-lag/n1-sq3-cq3",
        "propolis-2026/linux/tail-1/n2-sq2-cq2": "hand-over/linux/tail-1/n2-sq2-cq2",
        "propolis-2026/linux/mine.py:mine/n1-sq3-cq3": "propolis-2026/linux/tail-lag/n1-sq3-cq3",
        "propolis-2026/linux/tail/n1-sq7-cq5": None,
    }
    for name, other in others.items():
        policy = name.split("/")[2]
        instance = replace(from_name(name.replace(policy, "tail")), policy=policy)
        found = mended.of(instance)
        assert (found.name if found else None) == other


def test_the_words_of_the_page_are_those_of_the_documentation(page: str) -> None:
    words = (ROOT / "docs" / "terms.md").read_text()
    assert len(TERMS) == 20
    for word, meaning in TERMS.items():
        assert f"| {word} | {meaning} |" in words
        assert f"<dt>{word}</dt><dd>{escape(meaning, quote=False).replace(chr(39), '&#39;')}</dd>" in page


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return list(value) if isinstance(value, tuple) else value


def test_a_trace_that_is_no_run_is_not_shown(
    found: Sequence[Checked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mutated(each: Checked) -> Checked:
        verdicts = [row.verdict for row in each.rows]
        states = [dict(state) for state in refutation(each).states]
        states[20]["cq.event"] = (int(states[20]["cq.event"]) + 1) % 3  # type: ignore[call-overload]
        wrong = Refuted(replace(refutation(each), states=tuple(states)))
        rows = [
            replace(r, verdict=wrong if isinstance(v, Refuted) else v) for r, v in zip(each.rows, verdicts, strict=True)
        ]
        return replace(each, rows=tuple(rows))

    with pytest.raises(ReplayError, match="step 20"):
        report_page.write([mutated(found[0])], ())
    kept = tmp_path / "kept.html"
    kept.write_text("what was there")
    monkeypatch.setattr(many, "check", lambda *_, **__: iter([mutated(found[0])]))
    with pytest.raises(ReplayError):
        cli.main(["report", "--policy", "tail", "--sqs", "1", "--output", str(kept)], standalone_mode=False)
    assert kept.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [kept]


def test_uncork_report_writes_one_file_that_loads_nothing(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    where = ["--device", "propolis-2025", "--guest", "linux", "--policy", "tail", "--sqs", "1", "--sq-size", "2"]
    assert not cli.main(["report", *where, "--output", str(target)], standalone_mode=False)
    page = Parsed(target.read_text())
    assert list(tmp_path.iterdir()) == [target]
    assert not [name for name, attributes in page.elements if "src" in attributes or name in ("link", "img", "iframe")]
    policy = next(str(a["content"]) for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    for tag, text in (page.texts[0], page.texts[-1]):
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    with pytest.raises(Exception, match="nowhere"):
        cli.main(["report", *where, "--output", str(tmp_path / "nowhere" / "page.html")], standalone_mode=False)


def test_what_users_write_is_text(hostile: tuple[Instance, str], page: str) -> None:
    instance, written = hostile
    plain, parsed = Parsed(page), Parsed(written)
    assert (parsed.count("script"), parsed.count("img")) == (plain.count("script"), plain.count("img")) == (2, 0)
    assert parsed.data["policies"][instance.policy]["doc"] == HOSTILE
    assert HOSTILE not in written
    assert Parsed(written.replace("\\u003c", "<").replace("\\u003e", ">")).count("script") > 2  # it would be seen


def test_sources_are_linked_where_it_is_known_what_is_meant() -> None:
    proses = [e.source for known in (DEVICES, GUESTS, POLICIES) for e in known.values()] + [bug.where for bug in BUGS]
    assert all("".join(text for text, _ in pieces(prose)) == prose for prose in proses)
    queue = "https://github.com/oxidecomputer/propolis/blob/4726609f/lib/propolis/src/hw/nvme/queue.rs"
    assert queue in [address for _, address in pieces(DEVICES["propolis-2025"].source)]
    assert all(any(address for _, address in pieces(bug.where)) for bug in BUGS if "https://" in bug.where)
    assert not any(address for _, address in pieces("OpenVMM vm/queue.rs before 94889cae; nvme-mdev, drivers/nvme"))


# -- in a browser ------------------------------------------------------------------------------------------------------
class Opened:
    """A page in a headless Chromium."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver, self.folder = driver, folder

    def open(self, html: str, at: str = "") -> None:
        path = self.folder / "page.html"
        path.write_text(html)
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + at)

    def all(self, css: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", css))

    def texts(self, css: str) -> list[str]:
        return [each.text for each in self.all(css) if each.is_displayed()]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    @property
    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        pytest.skip("there is no Chromium: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="there is no selenium: pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs[1]))
    yield Opened(driver, tmp_path_factory.mktemp("browser"))
    driver.quit()


def test_a_verdict_opens_and_steps_to_the_stuck_state(browser: Opened, found: Sequence[Checked], page: str) -> None:
    browser.open(page)
    cell = next(each for each in browser.all("a.verdict") if each.text == "✗28")
    cell.send_keys("\ue007")  # enter
    assert browser.texts("h2") == [STUCK]
    assert browser.texts(".now .end") == []
    assert browser.texts(".headline")[0].startswith("At step 27 the guest's head moves 0 -> 2.")
    browser.press(*["\ue014"] * 28)  # right
    assert browser.texts(".told .where")[0] == "step 28 of 28"
    assert browser.texts(".now .end")[0].startswith("■ Stuck: SQ0 has published entries waiting (1), its worker sleeps")
    assert browser.all(".step[aria-current]")[0].text.startswith("28")
    last = refutation(found[0]).states[-1]
    told = browser.all(".now .rings title")[0].get_attribute("textContent")
    assert told.startswith(f"CQ: S {last['cq.shadow']}, E {last['cq.event']}, h {last['cq.head']}, t {last['cq.tail']}")
    browser.press("\ue014")  # there is nothing after it
    assert browser.texts(".told .where")[0] == "step 28 of 28"
    assert [each for each in browser.texts(".why li") if each.startswith("step 28 consumer: CQ EventIdx 2: not passed")]
    browser.driver.back()
    assert "Verdicts" in browser.texts("h2")
    assert browser.driver.switch_to.active_element.text == "✗28"
    assert browser.complaints == []


def test_the_page_plays_a_loop_round_and_round(browser: Opened, found: Sequence[Checked], page: str) -> None:
    trace = refutation(found[1])
    assert trace.loop
    browser.open(page, f"#at={LOOPS}")
    assert len(browser.all(".loop .step")) == trace.loop_steps
    browser.all("input[type=range]")[0].send_keys("\ue010")  # end
    browser.press("\ue014")  # right
    assert browser.texts(".told .where")[0] == f"step {trace.loop + 1} of {len(trace.steps)}, round 2 of the loop"
    assert browser.all(".step[aria-current]")[0].text.startswith(str(trace.loop + 1))
    assert browser.complaints == []


def test_the_rings_show_every_state(browser: Opened, found: Sequence[Checked], page: str) -> None:
    look = """const ring = document.querySelectorAll(".now .rings svg")[arguments[0]];
      const slots = [...ring.querySelectorAll(".slot")], entries = [...ring.querySelectorAll(".entry")];
      const slot = slots[0].getBBox(), flag = ring.querySelector(".flag").getAttribute("transform");
      const places = (each, test) => each.flatMap((one, k) => (test(one) ? [k] : []));
      return [places(slots, (one) => one.classList.contains("full")),
        places(entries, (one) => !one.classList.contains("none")),
        Math.round((parseFloat(flag.slice(10)) - slot.x) / slot.width) - 1];"""
    trace = refutation(found[0])
    browser.open(page, f"#at={STUCK}")
    for number, state in enumerate(trace.states):
        if number:
            browser.press("\ue014")  # right
        cq, sq = (browser.driver.execute_script(look, ring) for ring in (0, 1))
        slots = state["cq.slots"]
        assert isinstance(slots, tuple)
        unread = [slot for slot, entry in enumerate(slots) if entry != "none"]
        assert cq == [_between(state["cq.head"], state["cq.tail"]), unread, state["cq.event"]]
        waiting = _between(state["sq0.head"], state["sq0.shadow"])
        assert sq == [_between(state["sq0.head"], state["sq0.tail"]), waiting, state["sq0.event"]]
    assert browser.texts(".now .facts") == ["permits 0 · CORKED · asleep"]


def _between(head: Any, tail: Any) -> list[int]:
    return sorted((head + n) % 3 for n in range((tail - head) % 3))


def test_the_arrow_of_a_move_is_red_where_it_does_not_pass_the_flag(browser: Opened, page: str) -> None:
    def arrows() -> list[str | None]:
        return [each.get_attribute("class") for each in browser.all(".now .move") if each.text or each.size["width"]]

    browser.open(page, f"#at={STUCK}&step=2")
    assert arrows() == ["move passed"]
    browser.open(page, f"#at={STUCK}&step=27")
    assert "move made" in arrows()
    browser.open(page, f"#at={STUCK}&step=28")
    assert arrows() == ["move silent", "move silent past"]
    told = browser.all(".now .rings title")[0].get_attribute("textContent")
    assert told.endswith("head moves 0 to 2, which does not pass EventIdx")


def test_a_move_passes_eventidx_where_it_crosses_the_flag(found: Sequence[Checked]) -> None:
    """The flag stands behind the slot of EventIdx: the strict rule rings for EventIdx in [old, new)."""
    seen = set()
    for each in found[:2]:
        trace, size = refutation(each), each.instance.cq_size
        moves = drawn.moves(each.instance, trace)
        looks = [n for n, step in enumerate(trace.steps, start=1) if step.startswith(("need_", "elide_"))]
        assert list(moves) == looks
        for number, (ring, old, new, passed) in moves.items():
            event = trace.states[number - 1][f"{['cq', 'sq0', 'sq1'][ring]}.event"]
            assert isinstance(old, int) and isinstance(new, int) and isinstance(event, int)
            assert passed == ((event - old) % size < (new - old) % size)
            seen.add((ring > 0, passed))
    assert seen == {(True, True), (True, False), (False, False)}


def test_every_doorbell_notification_and_kick_is_an_arrow(browser: Opened, page: str) -> None:
    def arrows(kind: str) -> dict[str, list[str]]:
        rows = [row for row in browser.all(".step") if row.find_elements("css selector", f".arrow.{kind}")]
        return {row.text.split()[0]: [tag.text for tag in row.find_elements("css selector", ".tag")] for row in rows}

    browser.open(page, f"#at={STUCK}")
    assert arrows("doorbell") == {"3": ["doorbell → doorbell handler SQ0"]}
    assert arrows("notify") == {"5": ["notify → worker SQ0"]}
    assert arrows("silent") == {"14": ["no doorbell"], "28": ["no doorbell"]}
    row = next(row for row in Parsed(page).data["instances"][STUCK]["rows"] if "run" in row)
    assert browser.texts(".headline") == [row["cause"]]
    assert [int(each.text.split()[0]) for each in browser.all(".step.cause")] == row["causing"] == [25, 26, 27, 28]
    assert [each.text for each in browser.all(".tag.blamed")] == ["no doorbell"]
    browser.open(page, f"#at={LOOPS}")
    assert set(arrows("kick")) == {"26", "34", "43", "51"}


def test_steps_of_one_actor_share_a_line(browser: Opened, found: Sequence[Checked], page: str) -> None:
    browser.open(page, f"#at={STUCK}")
    together = browser.all(".together")
    shared = [[int(number.text) for number in each.find_elements("css selector", ".n")] for each in together]
    trace = refutation(found[0])
    actors = [found[0].instance.system.action(name).actor for name in trace.steps]
    assert all(len({actors[number - 1] for number in group}) == 1 for group in shared)
    assert [6, 7, 8, 9, 10] in shared and [1, 2] in shared
    numbers = [int(each.text.split()[0]) for each in browser.all(".step")]
    assert numbers == list(range(1, 29))
    browser.press(*["\ue014"] * 8)
    assert [each.text for each in browser.all(".step[aria-current]")] == ["8 takes the entry in slot 0"]


def test_a_hang_stands_beside_the_same_steps_on_a_mended_design(browser: Opened, page: str) -> None:
    browser.open(page, f"#at={STUCK}")
    assert browser.texts(".beside tr") == []
    browser.press("b")
    assert browser.texts(".step") == []
    both = browser.all(".tabs button")[1]
    assert (both.text, both.get_attribute("aria-pressed")) == ("Beside tail-lag: parts at step 16", "true")
    browser.press(*["\ue014"] * 28)
    assert browser.texts(".told .where") == ["step 28 of 28"]
    assert [each.text.split()[0] for each in browser.all(".beside tr[aria-current]")] == ["28"]
    assert browser.texts(".beside .did") == ["consumer: CQ EventIdx 1: passed by 0 -> 2, must ring"]
    moves = [each.get_attribute("class") for each in browser.all(".beside .move") if each.size["width"]]
    assert moves[0] == "move passed"
    assert browser.all(".now .move")[0].get_attribute("class") == "move silent"
    browser.press("\ue014", "\ue014", "\ue014")
    assert browser.texts(".beside .did") == ["doorbell handler: kicks the corked SQs"]
    assert browser.texts(".beside .facts")[0].startswith("permits 2 · ")
    browser.press("\ue012")
    assert [each.text.split()[0] for each in browser.all(".beside tr[aria-current]")] == ["+2"]
    wait_until(lambda: browser.driver.current_url.endswith("&step=28&beside"))
    browser.driver.refresh()
    assert browser.texts(".told .where") == ["step 28 of 28"] and browser.texts(".beside .did")
    assert browser.complaints == []


def nameless(browser: Opened) -> list[str]:
    """What a reader of the screen finds without a name: the roles of what can have the focus, and of pictures."""
    nodes = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = []
    for node in nodes:
        role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
        focusable = any(each["name"] == "focusable" and each["value"]["value"] for each in node.get("properties", ()))
        if (
            not node.get("ignored")
            and not name
            and (focusable or role == "image")
            and role not in ("main", "RootWebArea")
        ):
            found.append(role)
    return found


def test_what_can_be_used_has_a_name(browser: Opened, page: str) -> None:
    for at in ("", f"#at={STUCK}&step=28&beside"):
        browser.open(page, at)
        assert nameless(browser) == []
    browser.driver.execute_script("document.querySelector('.controls button').removeAttribute('aria-label')")
    browser.driver.execute_script(
        "const b = document.querySelector('.controls button'); b.title = ''; b.textContent = ''"
    )
    assert nameless(browser) == ["button"]


def test_words_are_explained_where_they_stand(browser: Opened, page: str) -> None:
    browser.open(page)
    words = {each.text: each.get_attribute("title") for each in browser.all(".headline abbr")}
    terms = {"EventIdx": "EventIdx", "pass": "passed", "doorbell": "doorbell", "corked": "corked"}
    assert words == {word: TERMS[term] for word, term in terms.items()}


def test_the_values_over_time_lead_to_their_steps(browser: Opened, found: Sequence[Checked], page: str) -> None:
    def step() -> str:
        return browser.texts(".told .where")[0].split(" of ")[0]

    browser.open(page, f"#at={STUCK}")
    tracks = {str(each.get_attribute("aria-label")).split(":")[0]: each for each in browser.all(".track")}
    shown = ["CQ S", "CQ E", "CQ h", "CQ t", "permits", "SQ0 S", "SQ0 E", "SQ0 h", "SQ0 t", "corked"]
    assert list(tracks) == shown
    event, states = "0 from step 0", refutation(found[0]).states
    for number, (before, after) in enumerate(pairwise(states), start=1):
        if before["cq.event"] != after["cq.event"]:
            event += f", {after['cq.event']} from step {number}"
    assert tracks["CQ E"].get_attribute("aria-label") == f"CQ E: {event}"
    box = tracks["corked"].rect["width"]
    webdriver = pytest.importorskip("selenium.webdriver")
    to = round((20.5 / 29 - 0.5) * box)
    webdriver.ActionChains(browser.driver).move_to_element_with_offset(tracks["corked"], to, 0).click().perform()
    assert step() == "step 20"
    browser.all(".strip button")[1].click()
    assert browser.all(".strip button")[1].get_attribute("aria-pressed") == "true"
    browser.press("n")
    assert step() == "step 25"
    browser.press("p", "p")
    assert step() == "step 16"
    browser.all("[aria-label='next change of the value']")[0].click()
    assert step() == "step 25"
    assert not browser.all("[aria-label='next change of the value']")[0].is_enabled()


def test_the_step_is_in_the_address(browser: Opened, page: str) -> None:
    for written, number in (("26", 26), ("99", 28), ("-3", 0), ("x", 0)):
        browser.open(page, f"#at={STUCK}&step={written}")
        assert browser.texts(".told .where") == [f"step {number} of 28"]
    browser.press("\ue014", "\ue014")
    wait_until(lambda: browser.driver.current_url.endswith("uncorked&step=2"))
    browser.driver.refresh()
    assert browser.texts(".told .where") == ["step 2 of 28"]
    assert browser.complaints == []


def test_a_run_plays_by_itself_and_pauses(browser: Opened, page: str) -> None:
    browser.open(page, f"#at={STUCK}&step=26")
    play = browser.all("[aria-label=play]")[0]
    play.click()
    assert (play.text, play.get_attribute("aria-label")) == ("Pause", "pause")
    wait_until(lambda: browser.texts(".told .where") == ["step 28 of 28"])
    wait_until(lambda: play.text == "Play")
    play.click()
    assert browser.texts(".told .where") == ["step 0 of 28"]
    play.click()
    assert play.text == "Play"


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_first_page_shows_a_hang_and_filters(browser: Opened, page: str) -> None:
    browser.open(page)
    assert browser.texts("#featured .facts") == ["permits 0 · CORKED · asleep"]
    assert [each.text for each in browser.all(".heat")] == ["✗28", "~51", "✓"]
    assert browser.all(".heat a")[0].get_attribute("aria-label") == f"HANGS 28: {STUCK}"
    browser.all("#filter")[0].send_keys("Linux n1")
    assert [each.text for each in browser.all(".heat") if each.is_displayed()] == ["✗28", "✓"]
    assert browser.texts("#filtered") == ["2 lines"]
    browser.all("#filter")[0].send_keys(" none")
    assert browser.texts(".block") == []
    assert browser.texts("#filtered") == ["0 lines"]
    browser.open(page)
    browser.all(".open-run")[0].click()
    assert browser.texts("h2") == [STUCK]


def test_equal_verdicts_share_a_line_and_a_cell_opens_the_run_that_it_counts() -> None:
    devices, policies = ("propolis-2025", "propolis-2026"), ("tail", "arm-on-cork", "head")
    names = [f"{device}/linux/{policy}/n1-sq2-cq2" for device in devices for policy in policies]
    parsed = Parsed(report_page.write(checked(*map(from_name, names)), ()).html)
    lines = [str(a["data-find"]).split() for tag, a in parsed.elements if tag == "tr" and "data-find" in a]
    assert sorted(map(sorted, lines)) == sorted(
        sorted(f"{device}/linux/{policy}/n1-sq2-cq2" for device in devices for policy in those)
        for those in (policies[:2], policies[2:])
    )
    assert [len(names) for names in parsed.data["alike"]] == [4, 2]
    cells = [a for tag, a in parsed.elements if tag == "a" and "and" in str(a.get("aria-label"))]
    assert [str(a["aria-label"]) for a in cells] == [f"HANGS 23: {names[0]} and 3 more", f"live: {names[2]} and 1 more"]
    name, _, opened = unquote(str(cells[0]["href"])).removeprefix("#at=").rpartition(":")
    row = next(row for row in parsed.data["instances"][name]["rows"] if row["property"] == opened)
    assert len(parsed.data["runs"][row["run"]]["steps"]) == 23


def test_uncork_report_opens_a_single_run(browser: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small, kept = "propolis-2025/linux/tail/n1-sq2-cq2", ROOT / "counterexamples"
    trace = kept / "propolis-2025-linux-tail-n1-sq3-cq3-uncorked.itf.json"
    for asked, name, steps in ((small, small, 23), (str(trace), STUCK, 28)):
        assert not cli.main(["report", asked], standalone_mode=False)
        browser.open(Path("uncork.html").read_text())
        assert browser.texts("h2") == [name]
        assert browser.texts(".told .where") == [f"step 0 of {steps}"]
        assert "#museum" not in Path("uncork.html").read_text()
    assert browser.texts(".note")[0].startswith("A stored run of 28 steps, replayed; nothing was searched.")
    browser.all("#one a")[0].click()
    assert "Verdicts" in browser.texts("h2")
    with pytest.raises(InstanceError, match="there is no file gone"):
        cli.main(["report", "gone.itf.json"], standalone_mode=False)
    run, meta = itf.loads(trace.read_text())
    Path("walk.itf.json").write_text(itf.dumps(run, meta | {"refutes": []}))
    with pytest.raises(InstanceError, match="refutes nothing"):
        cli.main(["report", "walk.itf.json"], standalone_mode=False)
    Path("kept.itf.json").write_text(trace.read_text())
    with pytest.raises(click.ClickException):
        cli.main(["report", "kept.itf.json", "--output", "kept.itf.json"], standalone_mode=False)
    assert Path("kept.itf.json").read_text() == trace.read_text()


def test_a_report_prints_with_its_lanes(browser: Opened, page: str) -> None:
    browser.open(page, f"#at={STUCK}")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert [int(each.text.split()[0]) for each in browser.all(".step") if each.is_displayed()] == list(range(1, 29))
    lanes = [each for each in browser.all(".lanes svg") if each.is_displayed()]
    assert len(lanes) == len(browser.all(".chart li > :is(.step, .together)")) == 18
    assert browser.texts(".beside tr")
    assert all(each.is_displayed() for each in browser.all(".now .rings svg"))
    assert not [each for each in browser.all(".controls, .jumps") if each.is_displayed()]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.slow
def test_a_report_fits_a_phone(browser: Opened, hostile: tuple[Instance, str], page: str) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    views = [(page, ""), (page, f"#at={LOOPS}"), (page, f"#at={LIVE}"), (hostile[1], ""), (hostile[1], "#verdicts")]
    for html, at in views:
        browser.open(html, at)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= 390
        for controls in browser.all(".controls"):
            assert controls.rect["y"] + controls.rect["height"] <= 844
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_a_page_that_was_tampered_with_does_not_run(browser: Opened, hostile: tuple[Instance, str], page: str) -> None:
    instance, written = hostile
    browser.open(written, "#verdicts")
    browser.all("a.verdict")[0].click()
    assert browser.texts("h2") == [instance.name]
    assert browser.driver.title == f"uncork: {instance.name}"
    assert browser.complaints == []
    browser.open(page.replace("</body>", "<script>document.title = 'broken'</script></body>"))
    assert browser.driver.title == "uncork: verdicts"
    assert any("Content Security Policy" in each for each in browser.complaints)
