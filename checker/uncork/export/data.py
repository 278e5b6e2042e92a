"""JSON: a whole system as data. An expression is given as text and as a tree.

A node of a tree is `{"op": ..., "args": [...]}`, and a leaf is `{"op": "const" or "var", "value": ...}`. The operators
are those of `uncork.core.expr.Expr`. A `wrap` is its argument modulo `value`, and its result is never negative.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from uncork.core.expr import Expr, text
from uncork.core.property import Always, Cover, InRange, NotForever, Property, Sometimes
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort
from uncork.core.system import Action, RingPicture, Sentence, System, Variable

FORMAT = "uncork-system-1"
"""The first field. The number changes with the layout."""


def dumps(system: System, properties: Sequence[Property] = (), covers: Sequence[Cover] = ()) -> str:
    """The system, its properties and its covers as JSON text."""
    whole = {
        "format": FORMAT,
        "name": system.name,
        "variables": [_variable(v) for v in system.variables],
        "actions": [_action(a) for a in system.actions],
        "duties": {duty: [a.name for a in actions] for duty, actions in system.duties.items() if actions[0].fair},
        "replicas": [{"record": record, "name": name} for record, name in system.replicas],
        "pictures": [_picture(p) for p in system.pictures],
        "properties": [_property(p) for p in properties],
        "covers": [_cover(c) for c in covers],
    }
    return json.dumps(whole, indent=1) + "\n"


def _variable(v: Variable) -> dict[str, Any]:
    return {"name": v.name, "doc": v.doc, "sort": _sort(v.sort), "initial": v.initial}


def _sort(sort: Sort) -> dict[str, Any]:
    match sort:
        case Bool():
            return {"sort": "bool"}
        case Range(low, high):
            return {"sort": "range", "low": low, "high": high}
        case Ring(size):
            return {"sort": "ring", "size": size}
        case Enum(names):
            return {"sort": "enum", "names": list(names)}
        case Array(size, element):
            return {"sort": "array", "size": size, "element": _sort(element)}


def _action(a: Action) -> dict[str, Any]:
    return {
        "name": a.name,
        "family": a.family,
        "actor": a.actor,
        "doc": a.doc,
        "fairness": a.fairness.value,
        "guard": _expression(a.guard),
        "updates": {name: _expression(value) for name, value in a.updates.items()},
        "told": _sentence(a.told),
    }


def _property(prop: Property) -> dict[str, Any]:
    common = {"name": prop.name, "row": prop.row, "doc": prop.doc}
    match prop:
        case InRange():
            return {"kind": "in range", **common}
        case Always(condition=condition, blame=blame):
            return {"kind": "always", **common, "condition": _expression(condition), "blame": _sentence(blame)}
        case NotForever(condition=condition, blame=blame, without=without, wakers=wakers):
            ends = {"without": sorted(without), "wakers": list(wakers)}
            return {
                "kind": "not forever",
                **common,
                "condition": _expression(condition),
                **ends,
                "blame": _sentence(blame),
            }


def _cover(cover: Cover) -> dict[str, Any]:
    common = {"name": cover.name, "doc": cover.doc}
    if isinstance(cover, Sometimes):
        return {"kind": "sometimes", **common, "condition": _expression(cover.condition)}
    return {"kind": "repeatedly", **common, "steps": sorted(cover.steps)}


def _sentence(sentence: Sentence) -> dict[str, Any]:
    told: dict[str, Any] = {"template": sentence.template, "blanks": [_expression(blank) for blank in sentence.blanks]}
    if sentence.instead:
        told["instead"] = [{"where": _expression(where), **_sentence(other)} for where, other in sentence.instead]
    return told


def _picture(p: RingPicture) -> dict[str, Any]:
    return {"title": p.title, "size": p.size, "marks": list(p.marks), "slots": p.slots, "empty": p.empty}


def _expression(expression: Expr) -> dict[str, Any]:
    return {"text": text(expression), "tree": _tree(expression)}


def _tree(node: Expr) -> dict[str, Any]:
    args = {"args": [_tree(arg) for arg in node.args]} if node.args else {}
    return {"op": node.op, **args, **({} if node.value is None else {"value": node.value})}
