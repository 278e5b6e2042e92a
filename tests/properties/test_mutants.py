"""Every part of the machine that a verdict rests on: one token changed, and a named verdict changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from mutants import mutated
from uncork.core.verdict import Proved, Refuted
from uncork.engines import explicit
from uncork_nvme import instance, parts
from uncork_properties import catalogue

FIXED, BEFORE = "propolis-2026/linux/tail-lag/n1-sq3-cq3", "propolis-2025/linux/tail/n1-sq3-cq3"
ARMS, TWO = "arm-recheck/linux/arm-on-cork/n1-sq3-cq3", "arm-recheck/linux/arm-on-cork/n2-sq2-cq2"
SHARED = "arm-recheck/linux/arm-on-cork/n2-sq2-cq2/serve=all,sq_arm=idle"
POOL = "qemu/linux/head/n1-sq3-cq3/pool=1"
FULL = "qemu-9.1/linux/head/n1-sq3-cq2/pool=1,on_request=nothing,doorbell_buffer=off"
BITS = "propolis-2026/linux/tail-1/n1-sq3-cq3/notify=lost-bits,workers=2"
TURNED = "propolis-2026/linux/tail-lag/n1-sq3-cq3/notify=lost-bits,workers=2"
OVERFLOW = "spdk-poll/linux/never/n1-sq3-cq3/cq_full=ignore-in-flight,early_free=no"
LOOKS_NOT = "usnvmemu/linux/never/n1-sq3-cq3/early_free=no"
REMOTE = "usnvmemu-remote/linux/never/n1-sq2-cq2/early_free=no"
ANEW = "nvmet-mdev-pci-batch/linux/head-when-full/n1-sq2-cq2/poll=no"
CHANGES = "nvmet-mdev-pci/linux/head-when-full/n1-sq2-cq2"
CACHED = "openvmm/linux/head-when-full/n1-sq2-cq2/events=config"
LATE = "propolis-2026/linux/tail-lag/n1-sq4-cq3/early_free=no"
CREATED = (
    "propolis-2026/linux/reserve-slots-size/n2-sq2-cq2/events=create,kick_on_remit=yes,kick_on_post=yes,"
    "kick_on_reserve=yes"
)
LINE = "hand-over/linux/tail-1/n2-sq2-cq2"
DETACHED = "propolis-2026/linux/tail-lag/n1-sq3-cq3/backend=detached-repoll"
OFF = "doorbell_buffer=off"
LET_GO, LATER = (
    f"{ARMS}/cork_lock=let-go-permits",
    f"spdk-interrupt/linux/never/n1-sq3-cq3/events=pause,on_resume=keep,{OFF}",
)
LOSES = "openvmm/linux/head-when-full/n1-sq3-cq2/pool=1,on_request=lose-waited"
HELD = "mmio/linux/tail/n1-sq3-cq3/kick_delivery=held,notify=kept"
GROUPS = f"spdk-interrupt/linux/never/n2-sq2-cq2/doorbell_wakes=every,threads=many,{OFF}"
DEALT = (
    "mmio/linux/tail/n2-sq2-cq2/events=delete+create,kick_on_release=yes,kick_on_remit=yes,notify=dealt,"
    "on_delete=return,workers=2"
)
LATE_CQES = f"spdk-poll/linux/never/n1-sq3-cq3/events=delete,on_delete=late,{OFF}"
KEPT_HEAD = "qemu/mmio-only/head/n1-sq3-cq3/cq_head=kept"
LOOKS_FIRST = "spdk-interrupt/linux/never/n1-sq3-cq3/event_look=before"
TSO, TSO_ARMS = f"{FIXED}/memory=tso", f"{ARMS}/memory=tso"
SPDK = "spdk-interrupt/linux/never/n1-sq2-cq2/memory=tso"
ONE_THREAD, POLLS = "qemu/linux/head/n1-sq2-cq2/memory=tso,threads=one", "femu/linux/head-1/n1-sq2-cq2/memory=tso"
BARE = f"{FIXED}/memory=tso,threads=one,device_locks=no"
UNLOCKED = "nvme-mdev/linux/half/n1-sq3-cq3/memory=tso"
STORES = "qemu/linux/head/n1-sq3-cq3/used_by=device,on_doorbell=store"
SPDK_POLLS = "spdk-poll/linux/never/n1-sq3-cq3"
GOES = "spdk-poll/linux/never/n1-sq2-cq2/events=delete,guest_fence=no,memory=tso"
ARM = "arm-recheck/linux/arm-on-cork/n1-sq2-cq2/cqe_store=release,memory=arm"
LOADS = f"{ARM},device_load_fence=no"
LOCKS = "propolis-2026/linux/tail-lag/n1-sq3-cq3/cqe_store=release,device_load_fence=no,memory=arm"
SPDK_LOADS, POLLS_LOADS = (
    "spdk-interrupt/linux/never/n1-sq2-cq2/cqe_store=release,memory=arm",
    "spdk-poll/linux/never/n1-sq2-cq2/cqe_store=release,memory=arm",
)
HANDS_ON = "nvme-mdev/linux/half/n1-sq2-cq2/memory=arm,sqe_load=fenced"
READS_ANEW = "nvmet-mdev-pci-scan/linux/head-when-full/n1-sq2-cq2/memory=arm,poll=no,sq_compare=head"
RINGS = "propolis-2026/spdk/tail-lag/n1-sq2-cq2/guest_fence=no,memory=tso"

# what is wrong, module, token, instead, instance, property, verdict before, verdict after
MUTANTS = [
    ("no re-read before an SQ is corked", "full", "(_arming(m).room(m) == 0)",
     "(_arming(m).room(m) >= 0)", ARMS, "drains", "proved", "refuted"),
    ("no arming before an SQ is corked", "full", '"cork arm" if m.policy.at_cork',
     '"cork recheck" if m.policy.at_cork',
     ARMS, "drains", "proved", "refuted"),
    ("no SQ EventIdx after a fetch", "reader", '("arm", "reread") if self.chosen.sq_reread',
     '("reread",) if self.chosen.sq_reread',
     FIXED, "drains", "proved", "refuted"),
    ("SQ EventIdx one further", "reader", '"head": q.head,', '"head": q.head + 1,', FIXED, "drains", "proved",
     "refuted"),
    ("CQ EventIdx one further", "policies", "cq.occupied <= 1, cq.tail - 1", "cq.occupied <= 1, cq.tail - 0",
     FIXED, "uncorked", "proved", "refuted"),
    ("the doorbell's kick dropped", "propolis", '"kick_on_doorbell": YES', '"kick_on_doorbell": "no"', FIXED,
     "uncorked", "proved", "refuted"),
    ("a kick that wakes nobody", "state.kicks", "True) if q is also else q.corked", "True) if q is also else ~q.corked",
     FIXED, "uncorked", "proved", "refuted"),
    ("an SQ is corked and not recorded", "room.kicks", 'return q(corked=True)\n', 'return q(corked=False)\n',
     FIXED, "uncorked", "proved", "refuted"),
    ("the remit's kick dropped", "designs", '"kick_on_remit": YES', '"kick_on_remit": "no"', TWO, "drains",
     "proved", "refuted"),
    ("the SQ doorbell notifies nobody", "crew", "[crew.delivered(q, awake & q.served), *", "[*", FIXED, "drains",
     "proved", "refuted"),
    ("the SQ doorbell of a device that keeps notifications notifies nobody", "crew",
     "each.served if each is q", "boolean(False) if each is q",
     f"{FIXED}/notify=kept,kick_delivery=at-once", "drains", "proved", "refuted"),
    ("a notification that waits for no look", "crew", "(q.settled | ~awake)", "(boolean(True) | ~awake)",
     FIXED, "drains", "proved", "refuted"),
    ("a kick that never arrives", "crew", "q(called=False), reaches", "q(called=False)", FIXED, "uncorked",
     "proved", "refuted"),
    ("a spent notification that wakes nobody", "crew", "condition & q.asleep", "condition & ~q.asleep", FIXED, "drains",
     "proved", "refuted"),
    ("nobody turned away", "crew", "any_of(w.idle for w in q.registered)", "boolean(False)", TURNED, "uncorked",
     "refuted", "proved"),
    ("no look at the shadow head before an overflow", "admission",
     "(m.cq.available == 0) & (m.cq.freed > 0) if m.buffered",
     "boolean(False) if m.buffered", OVERFLOW, "safety", "proved", "refuted"),
    ("a device that does not look for room takes no head", "admission",
     '"""Any head that a queue can have."""\n        return boolean(True)',
     '"""Any head that a queue can have."""\n        return boolean(False)', LOOKS_NOT, "drains", "proved", "refuted"),
    ("a device that does not look for room learns no head", "admission", "return m.cq(head=m.cq.shadow)",
     "return m.cq(head=m.cq.head)", f"{LOOKS_NOT},{OFF}", "safety", "proved", "refuted"),
    ("an answer that is not heard", "reader", '(q.tail != q.head), w(at="fetch")',
     '(q.tail != q.head), w(at="asleep"), q(locked=False)',
     REMOTE, "uncorked", "proved", "refuted"),
    ("a doorbell that is to be kept is dropped", "crew", "ite(condition, 1, q.wakeups)",
     "ite(condition & q.asleep, 1, q.wakeups)", REMOTE, "uncorked", "proved", "refuted"),
    ("a doorbell that is to be dropped is kept", "crew", "ite(condition & q.asleep, 1, q.wakeups)",
     "ite(condition, 1, q.wakeups)", f"{REMOTE},notify=dropped", "uncorked", "refuted", "proved"),
    ("usnvmemu with its fence", "usnvmemu", '"device_fence_sq": NO', '"device_fence_sq": "yes"',
     "usnvmemu/linux/never/n1-sq2-cq2/early_free=no,memory=tso", "uncorked", "refuted", "proved"),
    ("a tail compared with the SQ head, and not with what was written", "anew",
     "q.tail if self.trusts_event else q.head", "q.head if self.trusts_event else q.head",
     ANEW, "uncorked", "refuted", "proved"),
    ("a tail compared with what was written", "anew",
     "q.tail if self.trusts_event else q.head", "q.tail if self.trusts_event else q.tail",
     f"{ANEW},sq_compare=head", "uncorked", "proved", "refuted"),
    ("no second read of the CQ shadow head", "anew", 'return [p(at="post read"), m.cq(again=True)]',
     'return [p(at="post"), m.cq(again=False)]', f"{ANEW},sq_compare=head", "drains", "proved", "refuted"),
    ("a worker that is content after its last look", "anew",
     'w(at="fetch")).says(\n        "looks once more', 'w(at="asleep")).says(\n        "looks once more',
     f"{CHANGES}/sq_compare=head", "uncorked", "proved", "refuted"),
    ("a poller that compares with the SQ head", "crew", "(q.seen != q.polled)", "(q.seen != q.head)", CHANGES,
     "uncorked", "refuted", "proved"),
    ("what is remembered follows a config", "parts.life", "else ring(event=ring.shadow)",
     "else ring(event=ring.shadow, armed=ring.shadow)", CACHED, "uncorked", "refuted", "proved"),
    ("a full CQ's doorbell that leaves the SQs alone", "completions", "if m.parts.kicks.on_doorbell else []",
     "if not m.parts.kicks.on_doorbell else []", FULL, "uncorked", "proved", "refuted"),
    ("a completion that does not re-poll", "backend",
     "kick.updates(also=q) if kick else [notified(q, boolean(True))]", "kick.updates() if kick else []", DETACHED,
     "uncorked", "proved", "refuted"),
    ("need-event off by one, too loud", "guest", "past < by if", "past <= by if",
     BEFORE, "uncorked", "refuted", "proved"),
    ("need-event off by one, too quiet", "guest", "past < by if", "past < by - 1 if",
     FIXED, "uncorked", "proved", "refuted"),
    ("early free turned off", "guests", '65535, "drain": "all", "early_free": YES',
     '65535, "drain": "all", "early_free": "no"',
     BEFORE, "uncorked", "refuted", "proved"),
    ("a permit leaked", "admission", "kick.rest(cq.available + m.permit)", "kick.rest(cq.available + 0)",
     FIXED, "safety", "proved", "refuted"),
    ("a permit credited twice", "post", "head=cq.seen, available=kick.rest(room)",
     "head=cq.head, available=kick.rest(room)",
     FIXED, "safety", "proved", "refuted"),
    ("a permit taken where there is none", "admission", "return m.cq.available > 0", "return m.cq.available >= 0",
     FIXED, "safety", "proved", "refuted"),
    ("a shared worker that looks at one SQ and sleeps", "actors", "more = left > 1", "more = left > 2",
     SHARED, "drains", "proved", "refuted"),
    ("a shared worker that never goes on", "actors", "at=onward, on=self._next", "at=onward, on=self._here", SHARED,
     "drains", "proved", "refuted"),
    ("a bit that is not set before sleep", "actors", 'at="asleep", idle=True', 'at="asleep", idle=False', BITS,
     "drains", "proved", "refuted"),
    ("a request that comes back unnoticed", "completions", "~q.request_free & (q.tail", "q.request_free & (q.tail",
     POOL, "uncorked", "proved", "refuted"),
    ("a kick that hands over to whomever", "state.kicks", "all_of(q.before < len(self.chosen) for q in self.chosen)",
     "boolean(True)", LINE, "safety", "proved", "refuted"),
    ("a permit handed over and kept as well", "state.kicks", "room - len(self.chosen) if self.hands_over",
     "room if True",
     LINE, "safety", "proved", "refuted"),
    ("what a doorbell freed goes to whoever comes first", "room.kicks", '~q.granted & (m.cq.consumer != "kick")',
     "~q.granted", LINE, "progress", "proved", "refuted"),
    ("an SQ that loses its place in the line", "room.kicks", "lines_up(ite(q.corked, q.before, m.waiting))",
     "lines_up(ite(q.corked, 0, m.waiting))", LINE, "safety", "proved", "refuted"),
    ("a slot freed before it is consumed", "guest", "cq.index.store(cq.cursor),\n            moves",
     "cq.index.store(cq.cursor + 1),\n            moves",
     FIXED, "safety", "proved", "refuted"),
    ("a command slot freed twice", "machine", "outstanding=q.outstanding - q.unfreed, unfreed=0",
     "outstanding=q.outstanding - q.unfreed, unfreed=q.unfreed", LATE, "safety", "proved", "refuted"),
    ("a permit of a deleted SQ given back in silence", "designs", 'Kicks: {**_EVERY_KICK, "kick_on_release": YES}',
     'Kicks: {**_EVERY_KICK, "kick_on_release": "no"}',
     f"{TWO}/events=delete", "drains", "proved", "refuted"),
    ("a deleted SQ's commands forgotten", "parts.life", "orphans=q.orphans + q.in_flight", "orphans=q.orphans + 0",
     f"{ARMS}/events=delete", "safety", "proved", "refuted"),
    ("a deleted SQ's entries kept", "parts.life", "q.outstanding - dropped", "q.outstanding - q.in_flight",
     f"{ARMS}/events=delete", "drains", "proved", "refuted"),
    ("a new SQ that begins where the one before ended", "parts.life", "shadow=0, head=0", "shadow=0, head=q.head",
     f"{ARMS}/events=delete+create", "safety", "proved", "refuted"),
    ("EventIdx of before in a new SQ", "parts.life", "life.clears or life.zeroes(event=True)", "False",
     f"{ARMS}/events=delete+create", "uncorked", "proved", "refuted"),
    ("no EventIdx at a config", "parts.life", "map(_armed, rings) if", "map(_armed, rings[:1]) if",
     f"{ARMS}/events=config", "uncorked", "proved", "refuted"),
    ("EventIdx of before after a restart", "parts.life", "(life.clears or life.arms_at_config)",
     "False",
     f"{ARMS}/events=restart", "uncorked", "proved", "refuted"),
    ("the guest goes on without a ring after a reset", "guest", "passed | ~machine.life.guest_uses", "passed",
     f"{ARMS}/events=reset", "uncorked", "proved", "refuted"),
    ("a resumed device that looks at nothing", "parts.life", "notified(q, boolean(True)))]",
     "notified(q, boolean(False)))]",
     f"{ARMS}/events=pause", "uncorked", "proved", "refuted"),
    ("a second look that misses permits that came back", "full", "return m.cq.available + m.cq.freed if self.chosen",
     "return m.cq.freed if self.chosen", LET_GO, "uncorked", "proved", "refuted"),
    ("a full CQ's doorbell that posts nothing", "completions", 'self.chosen.on_full_doorbell == "post" else',
     'self.chosen.on_full_doorbell != "post" else', "qemu/linux/head/n1-sq3-cq3", "drains", "proved", "refuted"),
    ("a request that comes back after all", "completions", "lost=ite(waited, q.lost + 1, q.lost)", "lost=q.lost", LOSES,
     "uncorked", "refuted", "proved"),
    ("a handler that lets go of the CQ lock", "admission", '{"locked": True} if m.parts.kicks.holds',
     '{"locked": False} if m.parts.kicks.holds', HELD, "drains", "refuted", "proved"),
    ("a doorbell that wakes one poll group", "crew", '"every": m.sqs}', '"every": m.sqs[:1]}', GROUPS, "drains",
     "proved", "refuted"),
    ("bits that stay where their workers were", "crew", 'self.chosen.notify == "dealt", list', "False, list", DEALT,
     "uncorked", "proved", "refuted"),
    ("a device that does not look as it begins to serve an SQ", "parts.life",
     "if m.parts.life.looks_at_activation else", "if not m.parts.life.looks_at_activation else",
     f"{LATER},activation=later-look", "uncorked", "proved", "refuted"),
    ("a notification that an SQ not yet served remembers", "crew", "each.served if each is q",
     "boolean(True) if each is q", f"{LATER},activation=later", "uncorked", "refuted", "proved"),
    ("a deleted SQ's commands that post nothing", "parts.life", "parts.post.may(m, p) & (q.orphans > 0)",
     "parts.post.may(m, p) & (q.orphans < 0)", LATE_CQES, "safety", "refuted", "proved"),
    ("a guest that tells its CQ head", "guest", "if not self.tells_head:\n            return",
     "if self.tells_head:\n            return", KEPT_HEAD, "drains", "refuted", "proved"),
    ("a guest that looks first and rings all the same", "guest", "due = _passed(m, q, q.index.own, entries)",
     "due = boolean(True)", LOOKS_FIRST, "uncorked", "refuted", "proved"),
    ("a policy told of SQs that are not there", "machine", "count(q.live for q in self.sqs)", "len(self.sqs)",
     CREATED, "uncorked", "refuted", "proved"),
    ("the guest does not wait at its fence", "guest",
     '(at == "check") & m.parts.memory.guest_fence(ring.buffer, views)', 'at == "check"', TSO, "safety", "proved",
     "refuted"),
    ("no fence before the second look at a cork", "full",
     '(w.at == "cork recheck") & m.parts.memory.cq_fence(w.buffer, m.cq.views)', '(w.at == "cork recheck")',
     TSO_ARMS, "drains", "proved", "refuted"),
    ("an SQ doorbell that does not drain", "guest", '(q.submitter == "ring") & q.buffer.drained',
     'q.submitter == "ring"', RINGS, "uncorked", "proved", "refuted"),
    ("a CQ doorbell that does not drain", "guest", '(m.cq.consumer == "ring") & m.cq.buffer.drained',
     'm.cq.consumer == "ring"', RINGS, "uncorked", "proved", "refuted"),
    ("a CQ lock that does not drain", "post", "m.cq.unlocked & m.parts.memory.may_post(p)", "m.cq.unlocked", TSO,
     "safety", "proved", "refuted"),
    ("a CQ lock that is released early", "queues",
     "~self.locked & ~any_of(t.cqe.waiting | t.cq_event.waiting for t in self.threads)", "~self.locked",
     TSO, "drains", "proved", "refuted"),
    ("an SQ lock that is released early", "queues",
     "~self.locked & ~any_of(worker.sq_event.waiting for worker in self.workers)", "~self.locked",
     f"{TSO_ARMS},backend=detached,device_fence_sq=no", "safety", "proved", "refuted"),
    ("room for one store where two can wait", "parts.memory", "== YES else capacity", "== YES else 1",
     f"{TSO},guest_fence=no", "safety", "proved", "refuted"),
    ("a guest that does not see its own store", "queues", "self.cursor - self.index.own", "self.cursor - self.shadow",
     f"{TSO},guest_fence=no", "safety", "proved", "refuted"),
    ("a CQE that becomes visible a slot further", "queues", "cq.tail - behind, self._q.label", "cq.tail, self._q.label",
     TSO, "safety", "proved", "refuted"),
    ("a CQE in a line that becomes visible a slot further", "queues", "self.queue.waiting(self.what) if self.queue",
     "move if self.queue", UNLOCKED, "drains", "proved", "refuted"),
    ("a line that is not first in, first out", "state.memory", "return any_of(self.queue.nexts(self))",
     "return self.waiting", ONE_THREAD, "safety", "proved", "refuted"),
    ("a line that does not move up", "state.memory", "enumerate([*old[1:], last])", "enumerate([*old[:-1], last])",
     SPDK, "drains", "proved", "refuted"),
    ("a line with room for one store", "parts.memory", "sum(each.values())", "1",
     ONE_THREAD, "safety", "proved", "refuted"),
    ("a store that moves nothing and waits", "state.memory", "lift(move, Nat(self._most)) > 0",
     "lift(move, Nat(self._most)) >= 0", POLLS, "safety", "proved", "refuted"),
    ("locks where there are none", "parts.memory", "self.waits and self.chosen.device_locks == NO", "False",
     BARE, "uncorked", "refuted", "proved"),
    ("no fence after SQ EventIdx", "reader", '(w.at == "reread") & m.parts.memory.sq_fence(w.buffer, q.views)',
     'w.at == "reread"', SPDK, "uncorked", "proved", "refuted"),
    ("no fence after CQ EventIdx at a post", "post", "m.parts.memory.cq_fence(p.buffer, m.cq.views) if self",
     "boolean(True) if self", ONE_THREAD, "drains", "proved", "refuted"),
    ("a guest that goes by words that it leaves out", "state.life", "self.configured) if self.guest else",
     "self.configured) if True else", STORES, "uncorked", "proved", "refuted"),
    ("a doorbell's value that is not stored", "parts.buffer", 'self.chosen.on_doorbell == "store"',
     'self.chosen.on_doorbell != "store"', STORES, "uncorked", "proved", "refuted"),
    ("a refused buffer that the device reads", "parts.buffer", "    device = False", "    device = True",
     "qemu/linux/head/n1-sq3-cq3/used_by=guest", "uncorked", "refuted", "proved"),
    ("a guest that forgets the buffer at a reset", "parts.buffer", 'self.chosen.after_reset == "follow"',
     'self.chosen.after_reset == "forget"', "qemu/linux/head/n1-sq2-cq2/events=reset,after_reset=follow", "uncorked",
     "refuted", "proved"),
    ("a late config that leaves the shadow words", "parts.life", "stale=index - ring.shadow", "stale=index - index",
     "spdk-poll/linux/never/n1-sq2-cq2/events=reset+config,after_reset=follow", "drains", "refuted", "proved"),
    ("a device that returns from the old pages", "parts.life", 'self.chosen.on_reset == "keep"',
     'self.chosen.on_reset == "forget"',
     "openvmm/linux/head-when-full/n1-sq2-cq2/events=reset,on_reset=keep", "safety", "refuted",
     "proved"),
    ("the tails of before, which the guest clears", "parts.life", "ring(stale=0 if ring.life.clears else",
     "ring(stale=0 if True else", f"{SPDK_POLLS}/events=recreate,on_create=neither,words=keep", "safety", "refuted",
     "proved"),
    ("the words of before in new queues", "parts.life", "if zeroed else _left(ring)", "if not zeroed else _left(ring)",
     f"{SPDK_POLLS}/events=recreate,words=keep", "safety", "proved", "refuted"),
    ("a device that begins a new CQ at its start", "parts.life", 'case "at-old-tail"', 'case "afresh"',
     f"{SPDK_POLLS}/doorbell_buffer=off,events=recreate,cq_begins=at-old-tail", "drains", "refuted", "proved"),
    ("all permits for a CQ that begins at an old head", "parts.life",
     "available=cq.capacity - (lift(0, cq.head.sort) - cq.head)", "available=cq.capacity",
     f"{SPDK_POLLS}/events=recreate,cq_begins=at-old-head", "safety", "proved", "refuted"),
    ("a permit that a command has taken over, counted twice", "part", "return ()", 'return ("arm",)', FIXED,
     "safety", "proved", "refuted"),
    ("an event that waits for no store", "parts.memory",
     "all_of(buffer.drained for buffer in buffers) if self.waits", "boolean(True) if self.waits",
     GOES, "drains", "proved", "refuted"),
    ("SQEs that arrive with their tail", "parts.memory", 'depth if self._tears("sqe_store") else 0',
     '0 if self._tears("sqe_store") else 0', f"{LOADS},sqe_store=plain", "safety", "refuted", "proved"),
    ("a device that sees an SQE with its tail", "parts.memory", 'missed = self._tears("sqe_load")',
     'missed = not self._tears("sqe_load")', f"{LOADS},sqe_load=plain", "safety", "refuted", "proved"),
    ("an SQE that is whole one too soon", "queues", "self.index.own - self.head <= total",
     "self.index.own - self.head < total", f"{LOADS},sqe_load=plain", "safety", "refuted", "proved"),
    ("a CQE whose rest arrives with its phase", "parts.memory", 'if posted and self._tears("cqe_store")',
     "if posted and self.lockless", ARM.replace("release", "before"), "safety", "refuted", "proved"),
    ("a guest that sees a CQE with its phase", "parts.memory", 'size - 1 if self._tears("cqe_load") else 0',
     '0 if self._tears("cqe_load") else 0', f"{ARM},cqe_load=plain", "safety", "refuted", "proved"),
    ("a lock given back that ends nothing missed", "parts.memory", "view.clears(updates.get(lock, False))",
     "view.clears(True)", LOADS, "drains", "proved", "refuted"),
    ("a lock that is free before EventIdx is in memory, and ends nothing missed", "state.memory",
     "*(sight.clears(held) for sight in sights)", "*(sight.clears(True) for sight in sights)", LOCKS, "drains",
     "proved", "refuted"),
    ("a fence past which the device misses a tail", "parts.memory", "passes = passes & ~view.waiting",
     "passes = passes & ~boolean(False)", SPDK_LOADS, "uncorked", "proved", "refuted"),
    ("a doorbell past which the device misses a head", "admission", "*(view.clears() for view in cq.views),", "",
     SPDK_LOADS, "safety", "proved", "refuted"),
    ("a tail in memory that is never seen", "state.memory", "return [see(self)] if self.depth else []", "return []",
     POLLS_LOADS, "drains", "proved", "refuted"),
    ("a line with a gap where a store left", "state.memory", "ite(any_of(first[: k + 1])", "ite(any_of(first[:k])",
     SPDK_LOADS, "drains", "proved", "refuted"),
    ("a lock that is taken before it is given back", "state.memory", "self.queue.waiting(self.what) <= 1",
     "self.queue.waiting(self.what) >= 0", HANDS_ON, "safety", "proved", "refuted"),
    ("a command that is handed on without a lock", "parts.memory", "if thread.unlock and after", "if not after",
     HANDS_ON, "safety", "proved", "refuted"),
    ("no fence before the head is read again", "anew", "~m.cq.again | fence", "m.cq.again | ~m.cq.again",
     READS_ANEW, "drains", "proved", "refuted"),
    ("words in the byte order of the guest", "parts.buffer", 'self.chosen.byte_order == "other"',
     'self.chosen.byte_order == "same"', "qemu/linux/head/n1-sq2-cq2/byte_order=other", "safety", "refuted",
     "proved"),
]  # fmt: skip


def test_each_file_of_parts_has_a_mutant() -> None:
    folder = Path(parts.__file__).parent
    files = [path for path in folder.rglob("*.py") if path.stem != "__init__"]
    assert len(files) > 10
    for path in files:
        name = ".".join((parts.__name__, *path.relative_to(folder).with_suffix("").parts))
        changed = [old for _, module, old, *_ in MUTANTS if name.endswith(f".{module}") and old in path.read_text()]
        assert changed, f"{name}: change one token, and name a verdict that changes"


def verdicts(where: Any, what: Any, name: str, rows: Iterable[str]) -> dict[str, str]:
    asked = where.from_name(name)
    wanted = [prop for prop in what.properties(asked.machine, asked.system) if prop.row in rows]
    outcome = explicit.check(asked.system, wanted)
    said: dict[str, str] = {}
    for row in rows:
        found = [verdict for prop, verdict in outcome.verdicts if prop.row == row]
        refuted = any(isinstance(each, Refuted) for each in found)
        assert refuted or all(isinstance(each, Proved) for each in found), found
        said[row] = "refuted" if refuted else "proved"
    return said


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if "/n2-" in name else []


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in sorted({m[4] for m in MUTANTS})])
def test_the_model_without_a_mutation_has_the_known_verdicts(name: str) -> None:
    before = {row: said for _, _, _, _, of, row, said, _ in MUTANTS if of == name}
    assert verdicts(instance, catalogue, name, before) == before


@pytest.mark.parametrize("mutant", [pytest.param(m, id=m[0], marks=_marks(m[4])) for m in MUTANTS])
def test_a_mutant_of_the_model_is_caught(mutant: tuple[str, ...]) -> None:
    _, module, old, new, name, row, before, after = mutant
    assert before != after
    with mutated(module, old, new) as (where, what):
        assert verdicts(where, what, name, [row]) == {row: after}
