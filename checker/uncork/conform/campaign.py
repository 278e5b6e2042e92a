"""Runs many schedules, over guests and sizes in turn, until one fails. The failing schedule is then shrunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import YES, Choice
from uncork_nvme.instance import Instance
from uncork_nvme.shape import Shape

from uncork.conform.following import Model
from uncork.conform.rig.controller import Controller
from uncork.conform.rig.driver import RIGHT, Slips
from uncork.conform.rig.probing import Probed
from uncork.conform.schedules import Run, run
from uncork.conform.shrink import shrunk
from uncork.engines import Tick, Watch

GUESTS = ("linux", "lazy", "spdk")
SHAPES = (
    *(Shape(1, 2, 2), Shape(1, 3, 3), Shape(1, 4, 3), Shape(1, 4, 4)),
    *(Shape(2, 2, 2), Shape(2, 2, 3), Shape(2, 3, 3), Shape(3, 2, 2)),
)

Variant = Mapping[str, Choice]
"""Choices in which a model differs from its device."""


@dataclass(frozen=True)
class Setting:
    """A guest, the sizes of its queues, and the device that the model is of."""

    guest: str
    shape: Shape
    device: str = "qemu"

    def instance(self, variant: Variant, policy: str = "") -> Instance:
        """Returns the model in this setting, with some choices changed, and with the device's policy or another."""
        policy = policy or find_device(self.device).policy
        return Instance(self.device, self.guest, policy, *self.shape, dict(variant))


def settings(guests: Sequence[str] = GUESTS, shapes: Sequence[Shape] = SHAPES, device: str = "qemu") -> list[Setting]:
    """Returns every guest at all sizes. Neighbours differ in their guest."""
    return [Setting(guest, shape, device) for shape in shapes for guest in guests]


def variant(probed: Probed) -> dict[str, Choice]:
    """Returns how a probed QEMU differs from today's: before 9529aa6b, the doorbell of a full CQ also kicks SQs."""
    return {"kick_on_doorbell": YES} if probed.kicks_sqs else {}


@dataclass
class SettingResult:
    """The result of a campaign in one setting; and the run that failed, if any."""

    setting: Setting
    schedules: int = 0
    moves: int = 0
    checks: dict[str, int] = field(default_factory=dict)
    """How often each guest action of the model was taken."""
    failed: Run | None = None


class Campaign:
    """Runs schedules against a controller, with a model beside it unless `follows` is false.

    `policy` is the model's policy, `overlay` a policy laid over QEMU's (`following.Model`), `slips` the mistakes of the
    guest.
    """

    def __init__(
        self,
        controller: Controller,
        choices: Variant,
        *,
        policy: str = "",
        overlay: str | None = None,
        slips: Slips = RIGHT,
        follows: bool = True,
    ) -> None:
        self.controller, self.choices, self.policy = controller, choices, policy
        self.overlay, self.slips, self.follows = overlay, slips, follows
        self.models: dict[Setting, Model] = {}

    def run(self, setting: Setting, seed: int, moves: Sequence[str] | None = None, *, winds_down: bool = True) -> Run:
        """Runs one schedule, drawn or given. Raises the errors of `schedules.run`."""
        instance = setting.instance(self.choices, self.policy)
        if self.follows and setting not in self.models:
            self.models[setting] = Model(instance, self.overlay)
        model = self.models.get(setting)
        return run(
            *(self.controller, setting.shape, instance.choices, seed),
            model=model,
            slips=self.slips,
            moves=moves,
            winds_down=winds_down,
        )

    def until_one_fails(
        self, among: Sequence[Setting], schedules: int, seed: int, watch: Watch, what: str = ""
    ) -> list[SettingResult]:
        """Runs up to `schedules` schedules over the settings in turn, with seeds from `seed` on, until one fails."""
        found = {setting: SettingResult(setting) for setting in among}
        for number in range(schedules):
            setting = among[number % len(among)]
            watch(Tick(number, schedules, what or f"{setting.guest}, {setting.shape}"))
            made = self.run(setting, seed + number)
            one = found[setting]
            one.schedules += 1
            one.moves += len(made.moves)
            for action in made.actions:
                family = action.partition("(")[0]
                one.checks[family] = one.checks.get(family, 0) + 1
            if made.mismatch or made.stuck:
                one.failed = made
                break
        return list(found.values())

    def shrink(self, setting: Setting, failed: Run) -> Run:
        """Returns a run with the same kind of failure (mismatch, or stuck at the end) and as few moves as possible.

        A run that does not fail again is returned unchanged: a real device may behave differently.
        """
        stuck = failed.mismatch is None

        def again(moves: Sequence[str]) -> Run:
            return self.run(setting, failed.seed, moves, winds_down=stuck)

        def fails(moves: Sequence[str]) -> bool:
            made = again(moves)
            return bool(made.stuck) if stuck else bool(made.mismatch)

        moves = failed.moves[: failed.drawn] if stuck else failed.moves
        if not fails(moves):
            return failed
        least = again(shrunk(moves, fails))
        return least if least.stuck or least.mismatch else failed
