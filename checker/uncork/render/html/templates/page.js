"use strict";
// Plays the counterexamples: a run is its first state and what each step changed. Text is set as text, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
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

// -- rings ------------------------------------------------------------------------------------------------------------
const OUTER = 62, INNER = 36, MARK = 11;

function at(radius, turn) {  // turns go clockwise from the top
  return [radius * Math.sin(turn * 2 * Math.PI), -radius * Math.cos(turn * 2 * Math.PI)];
}

function arc(from, to) {
  const large = to - from > 0.5 ? 1 : 0;
  const [ax, ay] = at(OUTER, from), [bx, by] = at(OUTER, to), [cx, cy] = at(INNER, to), [dx, dy] = at(INNER, from);
  return `M${ax} ${ay}A${OUTER} ${OUTER} 0 ${large} 1 ${bx} ${by}L${cx} ${cy}A${INNER} ${INNER} 0 ${large} 0 ${dx} ${dy}Z`;
}

function ring(picture) {
  const size = picture.size;
  const beside = Math.max(1, Math.floor(1 / size / 0.052));  // marks that fit beside each other at a slot
  const layers = Math.ceil(picture.marks.length / beside), reach = OUTER + 2 * MARK * layers + 6;
  const slots = [], held = [];
  for (let k = 0; k < size; k++) {
    const middle = (k + 0.5) / size, [x, y] = at((OUTER + INNER) / 2, middle), [nx, ny] = at(INNER - 9, middle);
    slots.push(draw("path", { class: "slot", d: arc(k / size, (k + 1) / size) }));
    held.push(draw("text", { class: "held", x, y }));
    if (size <= 12) slots.push(draw("text", { x: nx, y: ny }, String(k)));
  }
  const marks = picture.marks.map(([label]) =>
    draw("g", { class: "mark " + label }, draw("circle", { r: MARK - 1 }), draw("text", {}, label)));
  const words = draw("title", {});
  const svg = draw("svg", { viewBox: `${-reach} ${-reach} ${2 * reach} ${2 * reach}`, role: "img" },
    words, ...slots, ...held, draw("text", { class: "title" }, picture.title), ...marks);
  const paths = slots.filter((each) => each.tagName === "path");

  function show(state, before) {
    const places = picture.marks.map(([, variable]) => state[variable]);
    marks.forEach((mark, index) => {
      const here = places.flatMap((place, other) => (place === places[index] ? [other] : []));
      const order = here.indexOf(index), layer = Math.floor(order / beside);
      const inLayer = Math.min(beside, here.length - layer * beside);
      const radius = OUTER + MARK + 2 + layer * 2 * MARK;
      const turn = (places[index] + 0.5) / size + ((order % beside) - (inLayer - 1) / 2) * 0.052 * 78 / (radius + 3);
      const [x, y] = at(radius, turn);
      mark.style.transform = `translate(${x}px, ${y}px)`;
      mark.classList.toggle("changed", state[picture.marks[index][1]] !== before[picture.marks[index][1]]);
    });
    const contents = picture.slots === null ? [] : state[picture.slots];
    contents.forEach((content, k) => {
      paths[k].classList.toggle("full", content !== picture.empty);
      paths[k].classList.toggle("changed", content !== before[picture.slots][k]);
      held[k].textContent = content === picture.empty ? "" : content;
    });
    const marked = picture.marks.map(([label], index) => `${label} ${places[index]}`).join(", ");
    words.textContent = `${picture.title}: ${marked}` + (contents.length ? `; entries ${told(contents)}` : "");
  }
  return { svg, show };
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

function play(row) {
  const stage = data.stages[row.stage], run = data.runs[row.run], last = run.steps.length;
  const visited = states(run), loops = run.loop !== null && !run.stuck;
  let here = 0, rounds = 1;

  const rings = stage.rings.map(ring);
  const legend = new Map(stage.rings.flatMap((picture) => picture.marks)
    .map(([label, variable]) => [label, stage.variables[variable][0].split(".").pop()]));
  const did = make("p", { class: "did" }), where = make("p", { class: "where" }), changes = make("ul", { class: "changes" });
  const end = make("p", { class: "end", hidden: "" });
  const slider = make("input", { type: "range", min: 0, max: last, value: 0, "aria-label": "step", input: () => go(Number(slider.value)) });
  const buttons = [
    make("button", { type: "button", "aria-label": "first state", click: () => go(0) }, "|◀"),
    make("button", { type: "button", "aria-label": "a step back", click: () => move(-1) }, "◀"),
    make("button", { type: "button", "aria-label": "a step on", click: () => move(1) }, "▶"),
    make("button", { type: "button", "aria-label": "last state", click: () => go(last) }, "▶|"),
  ];
  const [first, back, on, final] = buttons;
  const cells = stage.variables.map(() => make("td", {}));
  const lines = stage.variables.map(([name, doc], k) => make("tr", {}, make("th", { scope: "row" }, name), cells[k], make("td", { class: "dim" }, doc)));

  function move(by) {
    if (by > 0 && here === last && loops) {  // the last step leads back into the loop
      rounds += 1;
      go(run.loop + 1, true);
    } else go(Math.min(last, Math.max(0, here + by)), true);
  }

  function go(step, going = false) {
    if (!going) rounds = 1;
    here = step;
    if (loops && here <= run.loop) rounds = 1;
    const [actor, , said, changed] = here ? run.steps[here - 1] : [null, null, "at first", []];
    const before = here ? visited[here - 1] : visited[0], marked = new Set(changed.map(([variable]) => variable));
    rings.forEach((each) => each.show(visited[here], before));
    did.textContent = here ? `${stage.actors[actor]}: ${said}` : "At first";
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
    on.disabled = here === last && !loops;
    chart.mark(here);
    if (now.getBoundingClientRect().top < 1) chart.follow(null, now);  // not while that would move the buttons away
  }

  const chart = sequence(stage, run, (step) => go(step));
  end.textContent = run.stuck ? "■ Stuck: " + row.said : loops ? "↻ " + run.ending : "■ " + row.said;
  const meanings = [...legend].map(([label, name]) => `${label} ${name}`).join(" · ");
  const now = make("div", { class: "now" },
    make("div", { class: "rings" + (rings.length > 2 ? " many" : "") }, ...rings.map((each) => each.svg)),
    make("p", { class: "where" }, meanings),
    make("div", { class: "controls", role: "group", "aria-label": "steps" }, first, back, slider, on, final),
    where, make("div", { class: "told", "aria-live": "polite" }, did, changes, end));
  const values = make("details", { class: "values" }, make("summary", {}, "All values, and what they mean"),
    make("div", { class: "wide" }, make("table", {}, make("tbody", {}, ...lines))));
  const element = make("div", {},
    make("p", { class: "headline" }, row.cause),
    make("p", {}, row.said),
    make("p", { class: "note hint" }, "Step with the arrow keys, the slider, or by choosing a step."),
    row.shortest ? null : make("p", { class: "note" }, "The way in is a shortest one; the loop is short, not proved to be the shortest."),
    make("div", { class: "play" }, now, make("div", {}, chart.element, why(row, stage, run, go), values)));

  function key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const inside = event.target === slider || chart.element.contains(event.target);
    if (by && (inside || event.key === "ArrowRight" || event.key === "ArrowLeft")) move(by);
    else if (event.key === "Home" && inside) go(0);
    else if (event.key === "End" && inside) go(last);
    else return;
    event.preventDefault();
    chart.follow(event.target, now);
  }
  go(0);
  return { element, key };
}

function sequence(stage, run, choose) {
  const seen = [...new Set(run.steps.map(([actor]) => actor))].sort((a, b) => a - b);
  const heads = make("div", { class: "heads", "aria-hidden": "true" }, ...seen.map((actor) => make("span", {}, stage.actors[actor])));
  const rows = run.steps.map(([actor, action, said], k) => make("button",
    { class: "step", type: "button", tabindex: k ? -1 : 0, title: action, click: () => choose(k + 1) },
    make("span", { class: "lanes", "aria-hidden": "true" }, ...seen.map((each) => make("i", { class: each === actor ? "here" : "" }))),
    make("span", { class: "n" }, String(k + 1)),
    make("span", { class: "said" }, make("b", {}, stage.actors[actor]), " " + said)));
  const items = rows.map((row) => make("li", {}, row));
  const element = make("ol", { class: "chart", "aria-label": "the run, step by step" });
  if (run.loop === null || run.stuck) {
    element.append(...items);
    if (run.stuck) element.append(make("li", { class: "end" }, "■ " + run.ending));
  } else {
    const long = run.steps.length - run.loop;
    element.append(...items.slice(0, run.loop), make("li", { class: "loop" },
      make("p", {}, `↻ a loop of ${long} step${long === 1 ? "" : "s"}, for ever`),
      make("ol", { "aria-label": "the loop" }, ...items.slice(run.loop)),
      make("p", {}, `↰ ${run.ending}`)));
  }
  let marked = null;
  return {
    element: make("div", { class: "chart" }, heads, element),
    mark(step) {
      if (marked) { marked.removeAttribute("aria-current"); marked.tabIndex = -1; }
      marked = step ? rows[step - 1] : null;
      if (marked) { marked.setAttribute("aria-current", "step"); marked.tabIndex = 0; }
      else if (rows.length) rows[0].tabIndex = 0;
    },
    follow(from, beside) {
      if (!marked) return;
      if (rows.includes(from)) marked.focus({ preventScroll: true });
      const cover = getComputedStyle(heads).position === "sticky" ? heads : beside;
      marked.style.scrollMargin = `${cover.offsetHeight + 8}px 0 8px`;
      marked.scrollIntoView({ block: "nearest" });
    },
  };
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
function instance(name, property) {
  const found = data.instances[name];
  if (!found) return make("p", {}, `There is no ${name} on this page.`);
  const refuted = found.rows.find((each) => each.run !== undefined);
  const row = found.rows.find((each) => each.property === property) || refuted || found.rows[0];
  const tabs = found.rows.map((each) => make("li", {}, make("a",
    { href: "#at=" + encodeURIComponent(`${name}:${each.property}`), title: data.properties[each.property], "aria-current": each === row && "true" },
    `${each.property} `, make("span", { class: "verdict " + each.cell.split(" ")[0] }, each.cell))));
  player = row.run === undefined ? null : play(row);
  return make("div", {},
    make("p", {}, make("a", { href: "#" }, "← all verdicts")),
    make("h2", {}, name),
    make("p", { class: "note" }, `${found.states.toLocaleString("en")} states to depth ${found.depth}, ${found.engine} engine. ${row.property}: ${data.properties[row.property]}`),
    make("ul", { class: "rows", "aria-label": "properties" }, ...tabs),
    found.unexpected.length ? make("p", { class: "note" }, "Not as expected: " + found.unexpected.join("; ") + ".") : null,
    player ? player.element : make("p", {}, row.said),
    make("h3", {}, "What it is about"),
    make("dl", {}, ...about("device", found.device, data.devices), ...about("guest", found.guest, data.guests), ...about("policy", found.policy, data.policies)));
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

function arrive() {
  const wanted = location.hash.startsWith("#at=") ? decodeURIComponent(location.hash.slice(4)) : null;
  player = null;
  all.hidden = wanted !== null;
  one.hidden = wanted === null;
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
  one.replaceChildren(instance(name, property));
  document.title = `uncork: ${name}`;
  scrollTo(0, 0);
  one.focus({ preventScroll: true });
}

all.addEventListener("click", (event) => { left = event.target.closest("a.verdict") || left; });
addEventListener("hashchange", arrive);
document.addEventListener("keydown", (event) => { if (player) player.key(event); });
arrive();
