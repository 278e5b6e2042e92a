"use strict";
// Plays the counterexamples: a run is its first state and what each step changed. Text is set as text, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
for (const { rows } of Object.values(data.instances)) {
  for (const row of rows) for (const key of ["said", "cause"]) if (key in row) row[key] = data.texts[row[key]];
}
for (const { variables } of data.stages) for (const each of variables) each[1] = data.texts[each[1]];
for (const each of data.besides) {
  each.rows = each.rows.map((row) => (Array.isArray(row) ? [data.kinds[row[0]], row[1], row[2]] : ["same", row, 1]));
}
const besteps = data.besides.flatMap(({ rows }) => rows.flatMap(([, , step]) => (Array.isArray(step) ? [step] : [])));
for (const step of [...data.runs.flatMap(({ steps }) => steps), ...besteps]) { step[1] = data.texts[step[1]]; step[2] = data.texts[step[2]]; }
for (const each of data.besides) each.why = data.texts[each.why];
const all = document.getElementById("all"), one = document.getElementById("one");
let player = null;

function make(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function draw(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function told(value) {
  return Array.isArray(value) ? "[" + value.map(told).join(" ") + "]" : String(value);
}

// -- words ------------------------------------------------------------------------------------------------------------
const WORDS = [...document.querySelectorAll("#words dt")].map((each) =>
  [each.textContent.replace(/ed$/, "").replace(/y$/, "(?:y|ie)"), each.nextElementSibling.textContent]);
const WORD = new RegExp(`\\b(?:${WORDS.map(([stem]) => `(${stem})`).join("|")})(?:ed|es|s|d|ing)?\\b`, "gi");

// A text with the meaning of each word of the list at its first place.
function explained(text) {
  const parts = [], seen = new Set();
  let end = 0;
  for (const found of text.matchAll(WORD)) {
    const which = found.slice(1).findIndex((group) => group !== undefined);
    if (seen.has(which)) continue;
    seen.add(which);
    parts.push(text.slice(end, found.index), make("abbr", { title: WORDS[which][1] }, found[0]));
    end = found.index + found[0].length;
  }
  return [...parts, text.slice(end)];
}

// -- rings ------------------------------------------------------------------------------------------------------------
const HIGH = 30, LINE = 14, SIDE = 29;
const GUEST = new Set(["shadow", "cursor"]);  // indices above the slots are the guest's, those below the device's

function modulo(value, size) { return ((value % size) + size) % size; }

function field(stage, variable) { return stage.variables[variable][0].split(".").pop(); }

function ring(picture, stage) {
  const size = picture.size, wide = Math.max(20, Math.min(52, 300 / size)), width = size * wide + 2 * SIDE;
  const marks = picture.marks.map(([, variable]) => ({ variable, field: field(stage, variable) }));
  const event = marks.find((each) => each.field === "event");
  const guests = marks.filter((each) => GUEST.has(each.field)), devices = marks.filter((each) => each !== event && !GUEST.has(each.field));
  const tall = Math.max(...stage.rings.map((each) => each.marks.filter(([, variable]) => GUEST.has(field(stage, variable))).length));
  const flagged = LINE * (tall + 1) + 10, top = flagged + 18, bottom = top + HIGH, height = bottom + LINE * (devices.length + 1) + 4;
  const middle = (slot) => SIDE + (slot + 0.5) * wide;
  const boxes = [], fixed = [], held = [];
  for (let slot = 0; slot < size; slot++) {
    const x = SIDE + slot * wide;
    boxes.push(draw("rect", { class: "slot", x, y: top, width: wide, height: HIGH, rx: 2 }));
    if (size <= 12) fixed.push(draw("text", { class: "number", x: x + 4, y: top + 11 }, String(slot)));
    held.push(draw("g", { class: "entry" },
      draw("rect", { x: x + wide / 2 - Math.min(15, wide / 2 - 3), y: top + 9, width: Math.min(30, wide - 6), height: 15, rx: 7.5 }),
      draw("text", { x: x + wide / 2, y: top + 20 })));
  }
  const labels = new Map(marks.filter((each) => each !== event).map((each) =>
    [each, draw("text", { class: "mark " + (GUEST.has(each.field) ? "guest" : "device") }, each.field)]));
  const flag = event && draw("g", { class: "flag" },
    draw("path", { d: `M0 ${flagged}V${bottom + 3}` }), draw("path", { class: "cloth", d: `M0 ${flagged}l11 4l-11 4Z` }),
    draw("text", { y: bottom + LINE * (devices.length + 1) }, "EventIdx"));
  const move = draw("g", { class: "move" }), words = draw("title", {});
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, role: "img" }, words,
    draw("text", { class: "title", x: SIDE, y: 12 }, picture.title), ...boxes, ...fixed, ...held, ...labels.values(), move, flag);

  function arrow(from, to, outcome) {
    move.setAttribute("class", "move " + outcome);
    const y = top - 7, x = middle(to), start = middle(from);
    const tip = `M${x - 6} ${y - 4}L${x} ${y}L${x - 6} ${y + 4}`;
    const line = from < to ? `M${start} ${y}H${x}` : `M${start} ${y}H${width - 8}M8 ${y}H${x}`;
    move.replaceChildren(draw("path", { d: line + tip }));
  }

  // `moved` is the last move of the guest's index: [from, to, "passed" | "silent" | "made", whether in this step]
  function show(state, before, moved) {
    const at = Object.fromEntries(marks.map((each) => [each.field, state[each.variable]]));
    const contents = picture.slots === null ? null : state[picture.slots], old = contents && before[picture.slots];
    const occupied = modulo(at.tail - at.head, size), waiting = modulo(at.shadow - at.head, size);
    boxes.forEach((box, slot) => {
      const behind = modulo(slot - at.head, size);
      box.classList.toggle("full", behind < occupied);
      box.classList.toggle("changed", contents !== null && told(contents[slot]) !== told(old[slot]));
      const entry = contents ? contents[slot] !== picture.empty : behind < waiting;
      held[slot].classList.toggle("none", !entry);
      held[slot].lastChild.textContent = entry && contents && wide > 30 ? told(contents[slot]) : "";
    });
    let most = 0;
    for (const group of [guests, devices]) {
      const above = group === guests, taken = new Map();
      for (const each of group) {
        const slot = at[each.field], n = taken.get(slot) || 0, label = labels.get(each);
        taken.set(slot, n + 1);
        if (!above) most = Math.max(most, n + 1);
        label.setAttribute("x", middle(slot));
        label.setAttribute("y", above ? flagged - 4 - LINE * n : bottom + LINE * (n + 1) - 1);
        label.classList.toggle("changed", state[each.variable] !== before[each.variable]);
      }
    }
    if (flag) {
      flag.setAttribute("transform", `translate(${SIDE + (at.event + 1) * wide} 0)`);
      flag.lastChild.setAttribute("y", bottom + LINE * (most + 1));
      flag.classList.toggle("changed", state[event.variable] !== before[event.variable]);
    }
    move.replaceChildren();
    if (moved) arrow(moved[0], moved[1], moved[2] + (moved[3] ? "" : " past"));
    const marked = picture.marks.map(([label], index) => `${label} ${state[marks[index].variable]}`).join(", ");
    const gone = { passed: ", which passes EventIdx", silent: ", which does not pass EventIdx", made: "" };
    words.textContent = `${picture.title}: ${marked}; occupied ${occupied}` +
      (contents ? `; entries ${told(contents)}` : `; waiting ${waiting}`) +
      (moved ? `; ${contents ? "head" : "tail"} moves ${moved[0]} to ${moved[1]}${gone[moved[2]]}` : "");
  }
  return { svg, show };
}

// The last move of each ring's guest index after every step.
function movements(stage, run, visited) {
  const shadows = stage.rings.map((picture) =>
    picture.marks.map(([, variable]) => variable).find((variable) => stage.variables[variable][0].endsWith(".shadow")));
  const found = [stage.rings.map(() => null)];
  run.steps.forEach(([, , , changes], k) => {
    const next = found[k].map((each) => each && [each[0], each[1], each[2], false]);
    for (const [variable, value] of changes) {
      const place = shadows.indexOf(variable);
      if (place >= 0) next[place] = [visited[k][variable], value, "made", true];
    }
    const looked = run.moves[k + 1];
    if (looked) next[looked[0]] = [looked[1], looked[2], looked[3] ? "passed" : "silent", true];
    found.push(next);
  });
  return found;
}

// `permits 0 · CORKED · asleep`
function standing(stage, state) {
  const many = stage.rings.length > 2, parts = [];
  for (const each of stage.rings) {
    if (each.permits !== undefined) parts.push(make("span", { class: state[each.permits] ? "" : "bad" }, `permits ${state[each.permits]}`));
    if (each.corked === undefined) continue;
    const corked = state[each.corked] === "yes", name = many ? each.title + " " : "";
    const doing = each.workers.map((worker) => told(state[worker])).join(", ");
    if (corked) parts.push(make("span", { class: "bad" }, name + "CORKED"), make("span", {}, doing));
    else parts.push(make("span", {}, name + doing));
  }
  return parts.flatMap((part, k) => (k ? [" · ", part] : [part]));
}

// -- a run ------------------------------------------------------------------------------------------------------------
function states(run) {
  const found = [run.first];
  for (const [, , , changes] of run.steps) {
    const next = found[found.length - 1].slice();
    for (const [variable, value] of changes) next[variable] = value;
    found.push(next);
  }
  return found;
}

function play(row, name, from, opened) {
  const stage = data.stages[row.stage], run = data.runs[row.run], last = run.steps.length;
  const visited = states(run), moved = movements(stage, run, visited), loops = run.loop !== null && !run.stuck;
  const rest = row.beside === undefined ? 0 : data.besides[row.beside].rows.filter(([kind]) => kind === "on").length;
  let here = 0, beyond = 0, rounds = 1, playing = 0, writing = 0;

  const rings = stage.rings.map((picture) => ring(picture, stage));
  const did = make("p", { class: "did" }), where = make("p", { class: "where" }), changes = make("ul", { class: "changes" });
  const facts = make("p", { class: "facts" });
  const end = make("p", { class: "end", hidden: "" });
  const slider = make("input", { type: "range", min: 0, max: last, value: 0, "aria-label": "step", input: () => go(Number(slider.value)) });
  const button = (label, text, click) => make("button", { type: "button", "aria-label": label, title: label, click }, text);
  const first = button("first state", "|◀", () => go(0)), back = button("a step back", "◀", () => move(-1));
  const on = button("a step on", "▶", () => move(1));
  const final = button("last state", "▶|", () => { go(last); chart.follow(null); });
  const start = button("play", "Play", () => (playing ? stop() : run_()));
  const strip = timeline(stage, run, visited, (step) => go(step));
  const earlier = button("previous change of the value", "◂ change", () => jump(-1));
  const later = button("next change of the value", "change ▸", () => jump(1));
  const cells = stage.variables.map(() => make("td", {}));
  const lines = stage.variables.map(([variable, doc], k) => make("tr", {}, make("th", { scope: "row" }, variable), cells[k], make("td", { class: "dim" }, doc)));

  function run_() {
    if (here === last && !loops) go(0);
    playing = setInterval(() => { if (!one.contains(element) || (here === last && !loops)) stop(); else move(1, true); }, 900);
    live.setAttribute("aria-live", "off");
    start.textContent = "Pause";
    start.setAttribute("aria-label", "pause");
  }

  function stop() {
    clearInterval(playing);
    playing = 0;
    live.setAttribute("aria-live", "polite");
    start.textContent = "Play";
    start.setAttribute("aria-label", "play");
  }

  function move(by, alone = false) {
    if (!alone && playing) stop();
    const further = beyond + by;
    if (here === last && beside && beside.shown() && further >= 0 && further <= rest && (by > 0 || beyond)) {
      beyond = further;
      beside.mark(here, beyond);
    } else if (by > 0 && here === last && loops) {  // the last step leads back into the loop
      rounds += 1;
      go(run.loop + 1, true);
    } else go(Math.min(last, Math.max(0, here + by)), true);
  }

  function jump(by) {
    const step = strip.change(here, by);
    if (step !== null) go(step);
  }

  function go(step, going = false) {
    if (!going) {
      rounds = 1;
      if (playing) stop();
    }
    here = step;
    beyond = 0;
    if (loops && here <= run.loop) rounds = 1;
    const [actor, , said, changed] = here ? run.steps[here - 1] : [null, null, "at first", []];
    const before = here ? visited[here - 1] : visited[0], marked = new Set(changed.map(([variable]) => variable));
    rings.forEach((each, place) => each.show(visited[here], before, moved[here][place]));
    facts.replaceChildren(...standing(stage, visited[here]));
    did.replaceChildren(...(here ? explained(`${stage.actors[actor]}: ${said}`) : ["At first"]));
    const round = loops && here > run.loop ? `, round ${rounds} of the loop` : "";
    where.textContent = `step ${here} of ${last}${round}`;
    slider.value = here;
    slider.setAttribute("aria-valuetext", where.textContent);
    changes.replaceChildren(...changed.map(([variable, value]) =>
      make("li", {}, `${stage.variables[variable][0]} ${told(before[variable])} → `, make("b", {}, told(value)))));
    cells.forEach((cell, k) => { cell.textContent = told(visited[here][k]); });
    lines.forEach((line, k) => line.classList.toggle("changed", marked.has(k)));
    end.hidden = here !== last;
    first.disabled = back.disabled = here === 0;
    final.disabled = here === last;
    on.disabled = here === last && !loops && !(rest && beside.shown());
    earlier.disabled = strip.change(here, -1) === null;
    later.disabled = strip.change(here, 1) === null;
    strip.mark(here);
    chart.mark(here);
    if (beside) beside.mark(here, beyond);
    clearTimeout(writing);  // browsers limit how often an address may change
    writing = setTimeout(() => {
      if (one.contains(element)) history.replaceState(null, "", address(name, row.property, here, beside && beside.shown()));
    }, 120);
    if (now.getBoundingClientRect().top < 1) chart.follow(null);  // not while that would move the buttons away
  }

  const chart = sequence(stage, run, row, (step) => go(step));
  const beside = row.beside === undefined ? null : mending(data.besides[row.beside], data.instances[name].mended, stage, run, name, (step, further) => {
    go(step);
    beyond = further;
    beside.mark(here, beyond);
  }, () => { chart.element.classList.toggle("off", beside.shown()); go(here, true); });
  strip.chosen(() => go(here, true));
  end.textContent = run.stuck ? "■ Stuck: " + row.said : loops ? "↻ " + run.ending : "■ " + row.said;
  const live = make("div", { class: "told", "aria-live": "polite" }, where, did);
  const now = make("div", { class: "now" },
    make("div", { class: "rings" }, ...rings.map((each) => each.svg)),
    facts,
    make("div", { class: "helm" },
      make("div", { class: "controls", role: "group", "aria-label": "steps" }, first, back, slider, on, final, start),
      live),
    make("div", { class: "jumps" }, earlier, strip.label, later),
    strip.element, end, changes,
    make("p", { class: "where key" }, "Filled: occupied, as the device counts (head to tail). ", make("span", { class: "pill" }, "●"),
      ": an entry that waits. Flag: EventIdx. Arrow: the last move of the guest's index, green if it passes the flag, red if not. Above the slots: the guest; below: the device."));
  const values = make("details", { class: "values" }, make("summary", {}, "All values, and what they mean"),
    make("div", { class: "wide" }, make("table", {}, make("tbody", {}, ...lines))));
  const element = make("div", {},
    make("p", { class: "headline" }, ...explained(row.cause)),
    make("p", { class: "said-end" }, ...explained(row.said)),
    make("div", { class: "play" }, now,
      make("div", {}, beside && beside.tabs, chart.element, beside && beside.element, why(row, stage, run, go), values)),
    make("p", { class: "note hint" }, "Step with the arrow keys, the slider, or by choosing a step. n and p: next and previous change of a value." +
      (beside ? " b: the run beside a mended design." : "")),
    row.shortest === undefined ? null : make("p", { class: "note" }, "The way in is a shortest one; the loop is short, not proved to be the shortest."));

  function key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target.type === "search") return;
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const inside = event.target === slider || chart.element.contains(event.target);
    if (by && (inside || event.key === "ArrowRight" || event.key === "ArrowLeft")) move(by);
    else if (event.key === "Home" && inside) go(0);
    else if (event.key === "End" && inside) go(last);
    else if (event.key === "n") jump(1);
    else if (event.key === "p") jump(-1);
    else if (event.key === "b" && beside) beside.toggle();
    else return;
    event.preventDefault();
    chart.follow(event.target);
  }
  if (beside && opened) beside.toggle();
  go(Math.min(last, Math.max(0, from || 0)));
  return { element, key };
}

// The values over time, a line for each: stretches of equal values, wide as they are long.
function timeline(stage, run, visited, choose) {
  const shown = [];
  for (const picture of stage.rings) {
    for (const [label, variable] of picture.marks) {
      if (!stage.variables[variable][0].endsWith(".cursor")) shown.push([`${picture.title} ${label}`, variable]);
    }
    if (picture.permits !== undefined) shown.push(["permits", picture.permits]);
    if (picture.corked !== undefined) shown.push([stage.rings.length > 2 ? `${picture.title} corked` : "corked", picture.corked]);
  }
  const columns = visited.length, label = make("span", { class: "where" }, "of any value below");
  let only = null, told_ = () => {};
  const changed = shown.map(([, variable]) => visited.flatMap((state, k) => (k && state[variable] !== visited[k - 1][variable] ? [k] : [])));
  const rows = shown.map(([title, variable], n) => {
    const starts = [0, ...changed[n]];
    const parts = starts.map((from, k) => {
      const to = k + 1 < starts.length ? starts[k + 1] : columns, value = told(visited[from][variable]);
      const part = make("i", { class: (k % 2 ? "odd" : "even") + (value === "yes" || (title === "permits" && value === "0") ? " bad" : "") }, value);
      part.style.flexGrow = to - from;
      return part;
    });
    const spoken = starts.map((from) => `${told(visited[from][variable])} from step ${from}`).join(", ");
    const pick = make("button", { type: "button", "aria-pressed": "false", title: `${stage.variables[variable][0]}: ${stage.variables[variable][1]}`, click: () => select(n) }, title);
    const track = make("div", { class: "track", role: "img", "aria-label": `${title}: ${spoken}`, click: (event) => {
      const box = track.getBoundingClientRect();
      choose(Math.min(columns - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * columns))));
    } }, ...parts);
    pick.style.gridRow = track.style.gridRow = n + 1;
    return { pick, track };
  });
  const cursor = make("div", { class: "cursor" }), over = make("div", { class: "over", "aria-hidden": "true" }, cursor);
  over.style.gridRow = `1 / ${shown.length + 1}`;
  const element = make("div", { class: "strip", role: "group", "aria-label": "values over time" },
    ...rows.flatMap((each) => [each.pick, each.track]), over);

  function select(n) {
    only = only === n ? null : n;
    rows.forEach((each, k) => each.pick.setAttribute("aria-pressed", String(k === only)));
    label.textContent = only === null ? "of any value below" : `of ${shown[only][0]}`;
    told_();
  }
  return {
    element, label,
    chosen(listener) { told_ = listener; },
    mark(step) { cursor.style.left = `${100 * step / columns}%`; cursor.style.width = `${100 / columns}%`; },
    change(step, by) {
      const steps = only === null ? changed.flat() : changed[only];
      const found = steps.filter((each) => (by > 0 ? each > step : each < step));
      return found.length ? (by > 0 ? Math.min(...found) : Math.max(...found)) : null;
    },
  };
}

// -- lanes ------------------------------------------------------------------------------------------------------------
const SENT = { doorbell: "doorbell", silent: "no doorbell", notify: "notify", kick: "kick" };

function sequence(stage, run, row, choose) {
  const sent = (k) => run.messages[k] || [];
  const involved = run.steps.flatMap(([actor], k) => [actor, ...sent(k + 1).map(([, to]) => to)]);
  const seen = [...new Set(involved)].sort((a, b) => a - b), lane = matchMedia("(max-width: 52rem)").matches ? 13 : 22;
  const blamed = new Set(row.causing);
  const heads = make("div", { class: "heads", "aria-hidden": "true" }, ...seen.map((actor) => make("span", {}, stage.actors[actor])));
  const middle = (actor) => (seen.indexOf(actor) + 0.5) * lane;
  const loops = run.loop !== null && !run.stuck, groups = [];  // steps of one actor that send and cause nothing share a line
  run.steps.forEach(([actor], k) => {
    const plain = !sent(k + 1).length && !blamed.has(k + 1), before = groups[groups.length - 1];
    if (plain && before && before.plain && before.actor === actor && !(loops && k === run.loop)) before.steps.push(k);
    else groups.push({ actor, plain, steps: [k] });
  });
  const rows = [];
  const lanes = (actor, ...drawn) => {
    const lines = seen.map((each) => draw("line", { x1: middle(each), x2: middle(each), y1: 0, y2: "100%" }));
    const made = make("span", { class: "lanes", "aria-hidden": "true" }, draw("svg", { width: seen.length * lane }, ...lines, ...drawn,
      draw("circle", { class: "here", cx: middle(actor), cy: 15, r: lane > 20 ? 6 : 4.5 })));
    made.style.width = `${seen.length * lane}px`;
    return made;
  };
  const single = (k) => {
    const [actor, action, said] = run.steps[k], step = k + 1;
    const arrows = sent(step).map(([kind, to]) => {
      const from = middle(actor), x = middle(to), way = Math.sign(x - from);
      const tip = kind === "silent" ? `M${x - 4 - way * 4} 11l8 8m0 -8l-8 8` : `M${x - way * 7} 11L${x - way} 15L${x - way * 7} 19`;
      return draw("g", { class: `arrow ${kind}` + (kind === "silent" && !blamed.has(step) ? " other" : "") },
        draw("path", { class: "shaft", d: `M${from + way * 5} 15H${x - way * (kind === "silent" ? 8 : 1)}` }), draw("path", { d: tip }));
    });
    const tags = sent(step).map(([kind, to]) => make("span", { class: `tag ${kind}` + (blamed.has(step) ? " blamed" : "") },
      kind === "silent" ? SENT[kind] : `${SENT[kind]} → ${stage.actors[to]}`));
    return make("button",
      { class: "step" + (blamed.has(step) ? " cause" : ""), type: "button", tabindex: k ? -1 : 0, title: action, click: () => choose(step) },
      lanes(actor, ...arrows),
      make("span", { class: "n" }, String(step)),
      make("span", { class: "said" }, make("b", {}, stage.actors[actor]), " " + said, ...tags.flatMap((tag) => [" ", tag])));
  };
  const several = ({ actor, steps }) => {
    const chips = steps.map((k) => make("button", { class: "step chip", type: "button", tabindex: k ? -1 : 0, title: run.steps[k][1], click: () => choose(k + 1) },
      make("span", { class: "n" }, String(k + 1)), " " + run.steps[k][2]));
    rows.push(...chips);
    const busy = draw("line", { class: "busy", x1: middle(actor), x2: middle(actor), y1: 15, y2: "100%" });
    return make("div", { class: "together" }, lanes(actor, busy), make("div", { class: "said" }, make("b", {}, stage.actors[actor]), ...chips));
  };
  const items = groups.map((group) => {
    if (group.steps.length > 1) return make("li", {}, several(group));
    const made = single(group.steps[0]);
    rows.push(made);
    return make("li", {}, made);
  });
  const element = make("ol", { class: "chart", "aria-label": "the run, step by step" });
  if (!loops) {
    element.append(...items);
    if (run.stuck) element.append(make("li", { class: "end" }, "■ " + run.ending));
  } else {
    const long = run.steps.length - run.loop, inside = groups.findIndex(({ steps }) => steps[0] >= run.loop);
    element.append(...items.slice(0, inside), make("li", { class: "loop" },
      make("p", {}, `↻ a loop of ${long} step${long === 1 ? "" : "s"}, for ever`),
      make("ol", { "aria-label": "the loop" }, ...items.slice(inside)),
      make("p", {}, `↰ ${run.ending}`)));
  }
  let marked = null;
  const cover = () => (getComputedStyle(heads).position === "sticky" ? heads.offsetHeight : 0);
  return {
    element: make("div", { class: "chart" }, heads, element),
    mark(step) {
      if (marked) { marked.removeAttribute("aria-current"); marked.tabIndex = -1; }
      marked = step ? rows[step - 1] : null;
      if (marked) { marked.setAttribute("aria-current", "step"); marked.tabIndex = 0; }
      else if (rows.length) rows[0].tabIndex = 0;
    },
    follow(from) {
      if (!marked) return;
      if (rows.includes(from)) marked.focus({ preventScroll: true });
      marked.style.scrollMargin = `${cover() + 8}px 0 8rem`;
      if (getComputedStyle(heads).position === "sticky" || rows.includes(from)) marked.scrollIntoView({ block: "nearest" });
    },
  };
}

// -- a run beside the same steps on a mended design -------------------------------------------------------------------
function mending(made, mended, before, run, name, choose, switched) {
  const stage = data.stages[made.stage];
  const shown = made.rows.map(([kind, number, step]) => [kind, number, step === 1 ? run.steps[number - 1] : step]);
  const other = { first: made.state, steps: shown.flatMap(([, , step]) => (step ? [step] : [])), moves: made.moves };
  const visited = states(other), moved = movements(stage, other, visited);
  let taken = 0, further = 0, on = false, marked = null;
  const at = shown.map(([, , step]) => (step ? ++taken : taken));
  const rings = stage.rings.map((picture) => ring(picture, stage)), facts = make("p", { class: "facts" }), did = make("p", { class: "did" });

  const own = (number) => (number ? [make("b", {}, before.actors[run.steps[number - 1][0]]), " " + run.steps[number - 1][2]] : ["-"]);
  const theirs = ([actor, , said]) => [make("b", {}, stage.actors[actor]), " " + said];
  const line = (kind, number, step) => {
    if (kind === "on") further += 1;
    const label = number || (kind === "on" ? `+${further}` : "+"), beyond = kind === "on" ? further : 0;
    const does = kind === "same" ? [make("span", { class: "dim" }, "the same")] : step ? theirs(step) : [make("span", { class: "dim" }, "waits")];
    return make("tr", { class: kind, click: () => choose(number || (beyond ? run.steps.length : 0), beyond) },
      make("th", { scope: "row" }, make("button", { type: "button" }, String(label))),
      make("td", {}, ...own(number)), make("td", {}, ...does));
  };
  const first = Math.max(0, made.from - 2);
  const lines = run.steps.slice(first, made.from).map((_, k) => line("same", first + k + 1, null));
  lines.push(...shown.map(([kind, number, step]) => line(kind, number, step)));
  const known = Object.hasOwn(data.instances, mended);
  const element = make("section", { class: "beside off", "aria-label": "beside a mended design" },
    make("h3", {}, "The same steps on ", known ? make("a", { href: "#at=" + encodeURIComponent(mended) }, mended) : mended),
    make("p", {}, ...explained(made.why)),
    make("div", { class: "rings" }, ...rings.map((each) => each.svg)), facts, did,
    make("div", { class: "wide" }, make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "step"),
      make("th", { scope: "col" }, "this run"), make("th", { scope: "col" }, "the mended design"))), make("tbody", {}, ...lines))));
  const button = (label, pressed, click) => make("button", { type: "button", "aria-pressed": String(pressed), click }, label);
  const part = (shown.find(([, number]) => number) || [0, made.from])[1];
  const steps = button("The run", true, () => set(false)), both = button(`Beside ${short(mended, name)}: parts at step ${part}`, false, () => set(true));

  function set(wanted) {
    on = wanted;
    element.classList.toggle("off", !on);
    steps.setAttribute("aria-pressed", String(!on));
    both.setAttribute("aria-pressed", String(on));
    switched();
  }

  return {
    element, tabs: make("div", { class: "tabs", role: "group", "aria-label": "what is shown" }, steps, both),
    shown: () => on,
    toggle: () => set(!on),
    mark(step, beyond) {
      const ended = shown.findIndex(([kind]) => kind === "on");
      let place = shown.findLastIndex(([, number]) => number && number <= step);
      if (beyond) place = ended + beyond - 1;
      const now = place < 0 ? 0 : at[place], was = place <= 0 ? 0 : at[place - 1];
      rings.forEach((each, k) => each.show(visited[now], visited[was], moved[now][k]));
      facts.replaceChildren(...standing(stage, visited[now]));
      const [, , does] = place < 0 ? [] : shown[place];
      did.textContent = place < 0 ? "So far both take the same steps." : does ? `${stage.actors[does[0]]}: ${does[2]}` : "It waits.";
      if (marked) marked.removeAttribute("aria-current");
      marked = lines[place < 0 ? step - 1 - first : place + made.from - first] || null;
      if (marked) marked.setAttribute("aria-current", "step");
      if (marked && on && !matchMedia("(max-width: 52rem)").matches) marked.scrollIntoView({ block: "nearest" });
    },
  };
}

// What of a name differs from another: the policy, or device and policy, or all of it.
function short(name, than) {
  const [device, guest, policy] = name.split("/"), [device_, guest_] = than.split("/");
  return guest !== guest_ ? name : device !== device_ ? `${device}/${policy}` : policy;
}

function why(row, stage, run, go) {
  const parts = [];
  const tell = (title, ...lines) => parts.push(make("h3", {}, title), make("ul", { class: "why" }, ...lines.map((line) => make("li", {}, ...line))));
  if (row.wakers.length) {
    tell("Who could have woken it, and what came of it the last time", ...row.wakers.map((number) => {
      const [actor, , said] = run.steps[number - 1];
      return [make("button", { type: "button", click: () => go(number) }, `step ${number}`), ` ${stage.actors[actor]}: ${said}`];
    }));
  }
  if (run.taken.length) tell("What goes on in the loop", [run.taken.join(", ")]);
  if (run.reasons.length) {
    tell("What can not happen there, and why", ...run.reasons.map(([reason, actions]) => [`${reason}: `, make("span", { class: "dim" }, actions.join(", "))]));
  }
  return make("section", { "aria-label": "why nobody helps" }, ...parts);
}

// -- an instance ------------------------------------------------------------------------------------------------------
function address(name, property, step, beside) {
  return "#at=" + encodeURIComponent(`${name}:${property}`) + (step ? `&step=${step}` : "") + (beside ? "&beside" : "");
}

function instance(name, property, step, beside) {
  const found = data.instances[name];
  if (!found) return make("p", {}, `There is no ${name} on this page.`);
  const refuted = found.rows.find((each) => each.run !== undefined);
  const row = found.rows.find((each) => each.property === property) || refuted || found.rows[0];
  const tabs = found.rows.map((each) => make("li", {}, make("a",
    { href: address(name, each.property, 0), title: data.properties[each.property], "aria-current": each === row && "true" },
    `${each.property} `, make("span", { class: "verdict " + each.cell.split(" ")[0] }, each.cell))));
  player = row.run === undefined ? null : play(row, name, step, beside);
  return make("div", {},
    make("p", {}, make("a", { href: data.only ? "#verdicts" : "#" }, "← all verdicts")),
    make("h2", {}, name),
    make("p", { class: "note" }, `${found.searched} ${row.property}: ${data.properties[row.property]}`),
    make("ul", { class: "rows", "aria-label": "properties" }, ...tabs),
    found.unexpected.length ? make("p", { class: "note" }, "Not as expected: " + found.unexpected.join("; ") + ".") : null,
    player ? player.element : make("p", {}, row.said),
    ...same(name),
    make("h3", {}, "What it is about"),
    make("dl", {}, ...about("device", found.device, data.devices), ...about("guest", found.guest, data.guests), ...about("policy", found.policy, data.policies)));
}

function same(name) {
  const others = data.alike.filter((names) => names.includes(name)).flat().filter((each) => each !== name);
  if (!others.length) return [];
  return [make("h3", {}, "The same verdict"), make("ul", { class: "same" },
    ...others.map((each) => make("li", {}, make("a", { href: "#at=" + encodeURIComponent(each) }, each))))];
}

function about(kind, name, known) {
  const { doc, source, assumes } = known[name];
  const links = source.map(([text, address]) => (address ? make("a", { href: address, rel: "noreferrer" }, text) : text));
  return [make("dt", {}, kind), make("dd", {}, make("b", {}, name), " " + doc),
    ...(links.length ? [make("dd", { class: "dim" }, "Source: ", ...links)] : []),
    ...(assumes ? [make("dd", { class: "dim" }, "Assumed: " + assumes)] : [])];
}

// -- where we are -----------------------------------------------------------------------------------------------------
let left = null;

function asked() {
  if (!location.hash && data.only) return [data.only, 0, false];
  if (!location.hash.startsWith("#at=")) return [null, 0, false];
  const [wanted, ...more] = location.hash.slice(4).split("&"), step = more.find((each) => each.startsWith("step="));
  return [decodeURIComponent(wanted), Number.parseInt((step || "").slice(5), 10) || 0, more.includes("beside")];
}

function arrive() {
  const [wanted, step, beside] = asked();
  player = null;
  all.hidden = wanted !== null;
  one.hidden = wanted === null;
  document.body.classList.toggle("one", wanted !== null);
  if (wanted === null) {
    one.replaceChildren();
    document.title = "uncork: verdicts";
    const named = document.getElementById(location.hash.slice(1));
    if (named) named.scrollIntoView();
    else if (left) { left.focus(); left.scrollIntoView({ block: "center" }); }
    left = null;
    return;
  }
  const colon = wanted.lastIndexOf(":"), known = Object.hasOwn(data.instances, wanted);
  const name = known ? wanted : wanted.slice(0, colon), property = known ? null : wanted.slice(colon + 1);
  one.replaceChildren(instance(name, property, step, beside));
  document.title = `uncork: ${name}`;
  scrollTo(0, 0);
  one.focus({ preventScroll: true });
}

// The featured run: its rings in its last state.
function feature() {
  const place = document.getElementById("featured-rings");
  if (!place) return;
  const row = data.instances[place.dataset.name].rows.find((each) => each.property === place.dataset.row);
  const stage = data.stages[row.stage], run = data.runs[row.run], visited = states(run), last = run.steps.length;
  const moved = movements(stage, run, visited)[last];
  place.replaceChildren(make("div", { class: "rings" }, ...stage.rings.map((picture, k) => {
    const drawn = ring(picture, stage);
    drawn.show(visited[last], visited[last], moved[k]);
    return drawn.svg;
  })), make("p", { class: "facts" }, ...standing(stage, visited[last])));
}

// Shows the lines that have every word of the filter.
function sift() {
  const box = document.getElementById("filter"), count = document.getElementById("filtered");
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const block of document.querySelectorAll(".block")) {
    let any = false;
    for (const line of block.querySelectorAll("tbody tr")) {
      line.hidden = !words.every((word) => line.dataset.find.includes(word));
      any ||= !line.hidden;
      shown += !line.hidden;
    }
    block.hidden = !any;
  }
  count.textContent = words.length ? `${shown} line${shown === 1 ? "" : "s"}` : "";
}

all.addEventListener("click", (event) => { left = event.target.closest("a.verdict") || left; });
document.getElementById("filter").addEventListener("input", sift);
addEventListener("hashchange", arrive);
document.addEventListener("keydown", (event) => { if (player) player.key(event); });
document.querySelector(".skip").addEventListener("click", (event) => {
  if (one.hidden) return;
  event.preventDefault();
  one.focus();
});
feature();
for (const each of document.querySelectorAll("#featured .headline")) each.replaceChildren(...explained(each.textContent));
sift();
arrive();
