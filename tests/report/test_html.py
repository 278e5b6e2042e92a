"""The page of `uncork report`: what is in it is what was found, nothing else runs, and a browser plays it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from uncork.cli import cli
from uncork.core.causes.cause import cause as why
from uncork.core.trace import ReplayError, Trace
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.one import Checked
from uncork.report import data as report_page
from uncork.report.sources import pieces
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import Instance, from_name
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
        return json.loads(next(text for tag, text in self.texts if tag == "script"))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


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
    cell = next(each for each in browser.all("a.verdict") if each.text == "HANGS 28")
    cell.send_keys("\ue007")  # enter
    assert browser.texts("h2") == [STUCK]
    assert browser.texts(".now .end") == []
    assert browser.texts(".headline")[0].startswith("At step 27 the guest's head moves 0 -> 2.")
    browser.press(*["\ue014"] * 28)  # right
    assert browser.texts(".where")[1] == "step 28 of 28"
    assert browser.texts(".now .end")[0].startswith("■ Stuck: SQ0 has published entries waiting (1), its worker sleeps")
    assert browser.all(".step[aria-current]")[0].text.startswith("28")
    last = refutation(found[0]).states[-1]
    told = browser.all(".rings title")[0].get_attribute("textContent")
    assert told.startswith(f"CQ: S {last['cq.shadow']}, E {last['cq.event']}, h {last['cq.head']}, t {last['cq.tail']}")
    browser.press("\ue014")  # there is nothing after it
    assert browser.texts(".where")[1] == "step 28 of 28"
    assert [each for each in browser.texts(".why li") if each.startswith("step 28 consumer: CQ EventIdx 2: not passed")]
    browser.driver.back()
    assert browser.texts("h2")[0] == "Verdicts"
    assert browser.driver.switch_to.active_element.text == "HANGS 28"
    assert browser.complaints == []


def test_the_page_plays_a_loop_round_and_round(browser: Opened, found: Sequence[Checked], page: str) -> None:
    trace = refutation(found[1])
    assert trace.loop
    browser.open(page, f"#at={LOOPS}")
    assert len(browser.all(".loop .step")) == trace.loop_steps
    browser.all("input[type=range]")[0].send_keys("\ue010")  # end
    browser.press("\ue014")  # right
    assert browser.texts(".where")[1] == f"step {trace.loop + 1} of {len(trace.steps)}, round 2 of the loop"
    assert browser.all(".step[aria-current]")[0].text.startswith(str(trace.loop + 1))
    assert browser.complaints == []


@pytest.mark.slow
def test_a_report_fits_a_phone(browser: Opened, hostile: tuple[Instance, str], page: str) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    views = [(page, ""), (page, f"#at={LOOPS}"), (page, f"#at={LIVE}"), (hostile[1], "")]
    for html, at in views:
        browser.open(html, at)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= 390
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_a_page_that_was_tampered_with_does_not_run(browser: Opened, hostile: tuple[Instance, str], page: str) -> None:
    instance, written = hostile
    browser.open(written)
    browser.all("a.verdict")[0].click()
    assert browser.texts("h2") == [instance.name]
    assert browser.driver.title == f"uncork: {instance.name}"
    assert browser.complaints == []
    browser.open(page.replace("</body>", "<script>document.title = 'broken'</script></body>"))
    assert browser.driver.title == "uncork: verdicts"
    assert any("Content Security Policy" in each for each in browser.complaints)
