/* --- choosing --- */

/* Make a piece the one that details, spec and picture show. jump: unfold what hides it, and bring it into sight, at
least so large; focus: give its box the focus. */
function select(key, { jump = false, focus = false, least } = {}) {
  const piece = pieces.get(key);
  if (!piece) return;
  if (jump && seen(piece) !== piece) {
    for (const one of around(piece)) { state.open.add(one.key); disarrange(one); }
    redraw();
  }
  state.current = piece.parent && key;
  if (piece.parent) state.roving = seen(piece).key;
  draw();
  if (jump && piece.parent) reveal(key, least);
  showDetails();
  markSpec(true);
  if (focus) focusStage();
  remember(piece.parent ? `#${encodeURIComponent(key)}` : " ");
}

/* The page's address names what is selected, so that it can be passed on. */
function remember(hash) {
  try { history.replaceState(null, "", hash.trim() || location.pathname); } catch { /* not where it is embedded */ }
}

function clear() {
  state.current = null;
  mark();
  showDetails();
  markSpec();
  remember("");
}

const focusStage = () => (drawn.get(state.roving)?.group ?? stage).focus({ preventScroll: true });

/* --- folding --- */

/* Lay out and draw anew; the box of `anchor` stays where it is on the screen. */
function redraw({ anchor = null, changed = false } = {}) {
  const before = places.get(anchor);
  layOut();
  const after = places.get(anchor), roving = pieces.get(state.roving);
  state.roving = roving ? seen(roving).key : boxes[1]?.piece.key ?? null;
  if (before && after) jump(view.x + (before.x - after.x) * view.k, view.y + (before.y - after.y) * view.k, view.k);
  draw({ changed });
  showLegend();
}

/* After something was folded: what is selected has to be seen. */
function refold(sentence, anchor = null) {
  const current = pieces.get(state.current);
  if (current) state.current = seen(current).key;
  redraw({ anchor });
  if (!anchor) fit();
  showDetails();
  say(sentence);
}

function toggle(key) {
  const piece = pieces.get(key);
  if (!piece?.inside || !piece.parent) return;
  if (!state.open.delete(key)) state.open.add(key);
  disarrange(piece);
  refold(isOpen(piece) ? `${piece.title} unfolded, ${counted(piece.inside.pieces.length, "item")}` : `${piece.title} folded`, key);
}

function foldAll() {
  state.open.clear();
  disarrange();
  refold("Everything is folded");
}

const MOST_OPEN = 3000;

/* Unfold level by level, as long as the picture does not get too many boxes. */
function unfoldAll() {
  let level = [network], count = 0;
  while (level.length) {
    const inner = level.flatMap((piece) => piece.inside.pieces);
    count += inner.length;
    if (count > MOST_OPEN) break;
    for (const piece of level) state.open.add(piece.key);
    level = inner.filter((piece) => piece.inside);
  }
  disarrange();
  refold(level.length ? `Unfolded up to ${MOST_OPEN} boxes: blocks can be unfolded one by one` : "Everything is unfolded");
}

/* --- settings --- */

const color = byId("color"), choices = [...byId("show").querySelectorAll("input")], THEMES = ["auto", "light", "dark"];

function setColor(value) {
  state.color = color.value = value;
  findMost();
  draw();
  showLegend();
}

function setDirection(direction) {
  state.direction = direction;
  byId("turn").setAttribute("aria-pressed", direction === "right");
  disarrange();
  redraw();
  begin();
}

function setTheme(theme) {
  page.dataset.theme = theme;
  byId("theme").textContent = theme;
  kept["cnndsl-theme"] = theme;
}

function openAside(open) {
  byId("aside").hidden = !open;
  byId("side").setAttribute("aria-pressed", open);
}

for (const box of choices) {
  on(box, "change", () => {
    state.show = new Set(choices.filter(({ checked }) => checked).map(({ value }) => value));
    disarrange();
    redraw({ anchor: state.current ?? state.roving });
  });
}
on(color, "change", () => setColor(color.value));

/* --- keys and buttons --- */

/* Go to a box further on, or back, as they are read. */
function step(by) {
  const order = boxes.filter(({ piece }) => piece.parent), at = order.findIndex(({ piece }) => piece.key === state.roving);
  const next = order[clamp(0, at + by, order.length - 1)];
  if (next) select(next.piece.key, { jump: true, focus: true });
}

const actions = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  ArrowRight(piece) {
    if (isOpen(piece)) step(1); else toggle(piece.key);
  },
  ArrowLeft(piece) {
    if (isOpen(piece)) toggle(piece.key);
    else if (piece.parent.parent) select(piece.parent.key, { jump: true, focus: true });
  },
  Enter: (piece) => (piece.inside ? toggle(piece.key) : select(piece.key, { jump: true })),
  " ": (piece) => actions.Enter(piece),
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  0: () => fit(),
  1: () => zoom(1 / view.k),
  "/": () => field.select(),
  f: foldAll,
  u: unfoldAll,
  d: () => setDirection(state.direction === "down" ? "right" : "down"),
  c() {
    setColor(color.options[(color.selectedIndex + 1) % color.options.length].value);
    say(`Coloured by ${color.selectedOptions[0].textContent}`);
  },
  t: () => setTheme(THEMES[(THEMES.indexOf(page.dataset.theme) + 1) % THEMES.length]),
  s: () => openAside(byId("aside").hidden),
  "?": () => byId("help").showModal(),
  Escape: clear,
};
const MOVES = { ArrowDown: [0, -60], ArrowUp: [0, 60], ArrowLeft: [60, 0], ArrowRight: [-60, 0] };

for (const button of document.querySelectorAll("[data-does]")) {
  const { does } = button.dataset;
  on(button, "click", ({ detail }) => {
    if (network || "ts?".includes(does)) actions[does]();
    if (detail && does !== "?") focusStage();  // for the picture's keys
  });
}

on(document, "keydown", (event) => {
  const { key, target } = event, piece = pieces.get(state.roving);
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !piece) return;
  if ((target !== document.body && !stage.contains(target)) || target.closest("button")) return;
  const action = event.shiftKey && MOVES[key] ? () => pan(...MOVES[key]) : actions[key];
  if (!action) return;
  event.preventDefault();
  action(piece);
});

/* --- the mouse, and the focus --- */

function pieceAt(target) {
  const piece = pieces.get(target.closest(".box")?.dataset.key);
  return piece?.parent ? piece : null;
}

on(stage, "click", ({ target }) => {
  const piece = pieceAt(target);
  if (moved > 3 || target.closest("button")) return;
  if (!piece) clear();
  else if (target.closest(".toggle")) toggle(piece.key);
  else select(piece.key, { focus: true });
});
on(stage, "dblclick", ({ target }) => { if (!target.closest(".toggle")) toggle(pieceAt(target)?.key); });
on(stage, "pointermove", (event) => point(event.pointerType === "touch" || pointers.size ? null : pieceAt(event.target), pointOf(event)));
on(stage, "pointerleave", () => point(null));
on(world, "focusin", ({ target }) => {
  const piece = pieceAt(target);
  if (!piece || piece.key === state.current || !target.matches(":focus-visible")) return;
  select(piece.key);
  reveal(piece.key);
});

/* --- printing: the whole picture, as large as it fits --- */

on(window, "beforeprint", () => {
  draw({ margin: 1e9 });
  world.removeAttribute("transform");
  world.classList.remove("far");
  byId("picture").setAttribute("viewBox", `-8 -8 ${bounds.w + 24} ${bounds.h + 24}`);
});
on(window, "afterprint", () => {
  byId("picture").removeAttribute("viewBox");
  look(view.x, view.y, view.k);
});

/* --- the model --- */

/* Show a model: the page's own, or a later one, for which what is unfolded and seen stays. */
function show(next, first) {
  const anchor = pieces.has(state.current) ? seen(pieces.get(state.current)).key : state.roving, before = pieces;
  model = { files: [], notes: [], ...next };
  network = model.network ?? null;
  pieces = network ? adopt(network) : new Map();
  for (const { key, is_open: open } of pieces.values()) if (open && (first || !before.has(key))) state.open.add(key);
  if (!pieces.has(state.current)) state.current = null;
  state.hovered = null;
  tip.hidden = true;
  state.hits = matches(field.value);
  document.title = byId("title").textContent = model.title;
  byId("totals").textContent = network ? [network.said.params, network.said.macs].filter(Boolean).join(" · ") : "";
  document.body.classList.toggle("stale", Boolean(model.stale));
  findOwners();
  disarrange();
  redraw({ anchor, changed: !first });
  showFile(file);
  showNotes();
  showDetails();
  markSpec();
}

function listen() {
  const status = byId("live"), events = new EventSource("events"), { dataset } = page;
  const tell = (connected) => {
    status.hidden = false;
    status.textContent = connected ? "live" : "not connected";
    status.classList.toggle("lost", !connected);
  };
  on(events, "open", () => tell(true));
  on(events, "error", () => tell(false));
  on(events, "model", ({ data, lastEventId }) => {
    if (lastEventId === dataset.live) return;
    show(JSON.parse(data), false);
    say(model.notes.length ? counted(model.notes.length, "problem") : "Drawn again");
    dataset.live = lastEventId;
  });
}

const given = JSON.parse(byId("data").textContent);
Object.assign(state, { direction: given.direction ?? "down", show: new Set(given.show ?? ["shape"]) });
for (const box of choices) box.checked = state.show.has(box.value);
if (given.color === "change") color.prepend(element("option", { value: "change" }, "change"));
state.color = color.value = given.color ?? "kind";
byId("turn").setAttribute("aria-pressed", state.direction === "right");
setTheme(kept["cnndsl-theme"] ?? page.dataset.theme);
openAside(innerWidth > 720);
show(given, true);
if (network) begin();
try { select(decodeURIComponent(location.hash.slice(1)), { jump: true, least: 0.7 }); } catch { /* no name */ }
if ("live" in page.dataset) listen();
