/* Beside the picture: what is selected, the spec, what is wrong, and what colours mean. */

const details = byId("details"), spec = byId("spec"), notes = byId("notes"), legend = byId("legend"), tip = byId("tip");

function link(label, action, kind = "link") {
  const button = element("button", { type: "button", class: kind }, label);
  on(button, "click", action);
  return button;
}

const linkTo = (piece) => link(piece.title, () => select(piece.key, { jump: true }));

function swatch(role) {
  const made = element("span", { class: "swatch" });
  made.style.background = `var(--${role})`;
  return made;
}

const factsOf = (piece, ...more) =>
  element("dl", {}, ...[...more, ...piece.facts].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

function showDetails() {
  const piece = pieces.get(state.current) ?? network;
  details.replaceChildren();
  if (!piece) return;
  const inside = piece.parent !== null;
  if (inside) details.append(element("nav", { class: "path", "aria-label": "Around it" }, ...[network, ...around(piece)].map(linkTo)));
  details.append(element("h2", {}, swatch(piece.fault ? "fault" : piece.role), named(piece)));
  if (piece.fault) details.append(element("p", { class: "fault" }, piece.fault));
  details.append(factsOf(piece, ...(inside && piece.id !== piece.title ? [["name", piece.id]] : [])));
  for (const [word, forward] of [["from", false], ["to", true]]) {
    const ends = inside ? [...trace(piece, forward).ends] : [], more = ends.length - 8;
    if (ends.length) details.append(element("p", { class: "ends" }, `${word} `, ...ends.slice(0, 8).map(linkTo), more > 0 ? `and ${more} more` : ""));
  }
  if (piece.inside && inside) details.append(link(isOpen(piece) ? "Fold" : "Unfold", () => toggle(piece.key), "small"));
}

/* --- the spec --- */

let file = 0, lines = [];
/* Of each file, the pieces of each line. */
let owners = [];

function findOwners() {
  owners = model.files.map(() => new Map());
  for (const { place, parent, key } of model.stale ? [] : pieces.values()) {
    for (let n = place?.line; parent && n <= Math.min(place.end_line, place.line + 50); n++) {
      const of = owners[place.file];
      if (!of.has(n)) of.set(n, []);
      of.get(n).push(key);
    }
  }
}

function painted(line) {
  const [, code = line, claim = "", comment = ""] = (line.length < 1000 && line.match(/^((?:"[^"]*"|[^"#])*?)(->[^#]*)?(#.*)?$/)) || [];
  const kind = /^(network|block|train)\b/.test(code) ? "word" : "";
  return [[kind, code], ["claim", claim], ["comment", comment]].map(([name, text]) => element("span", { class: name }, text));
}

function showFile(number) {
  file = clamp(0, number, model.files.length - 1);
  byId("files").replaceChildren(...model.files.map(({ name }, n) => {
    const tab = link(name.split("/").at(-1), () => { showFile(n); markSpec(); }, "tab");
    return fill(tab, { role: "tab", "aria-selected": `${n === file}`, "aria-controls": "spec", title: name });
  }));
  const text = model.files[file]?.text ?? "";
  lines = text.replace(/\r?\n$/, "").split(/\r?\n/).map((line, n) => {
    const owned = owners[file]?.has(n);
    return element("div", { class: owned ? "line owned" : "line", "data-line": n, ...(owned && { role: "button", tabindex: -1 }) },
      element("span", { class: "number", "aria-hidden": "true" }, `${n + 1}`), element("code", {}, ...painted(line), "\n"));
  });
  spec.replaceChildren(...(text ? lines : []));
  spec.querySelector(".owned")?.setAttribute("tabindex", 0);
  for (const { place, severity } of model.notes) if (place?.file === file) lines[place.line]?.classList.add(severity);
}

/* The part of the spec's text that a place means; of several lines the first. */
function rangeOf({ line, column, end_line, end_column }) {
  const code = lines[line]?.querySelector("code"), range = document.createRange();
  if (!code) return range;
  const whole = code.textContent.length - 1;
  const put = (offset, set) => {
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    for (let left = Math.min(offset, whole); walker.nextNode(); left -= walker.currentNode.length) {
      if (left <= walker.currentNode.length) { set.call(range, walker.currentNode, left); return; }
    }
  };
  put(column, range.setStart);
  put(end_line === line ? end_column : whole, range.setEnd);
  return range;
}

/* Mark the line of what is selected, those of the calls around it, and what is wrong. scroll: also go there. */
function markSpec(scroll = false) {
  const piece = model.stale ? null : pieces.get(state.current), place = piece?.place;
  if (scroll && place && place.file !== file) showFile(place.file);
  for (const row of spec.querySelectorAll(".here, .caller")) row.classList.remove("here", "caller");
  for (const one of piece ? around(piece) : []) if (one.place?.file === file) lines[one.place.line]?.classList.add("caller");
  const here = place?.file === file;
  for (let n = place?.line; here && n <= place.end_line; n++) lines[n]?.classList.add("here");
  if (here && scroll) lines[place.line]?.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
  if (!globalThis.Highlight) return;
  const underline = (name, found) => CSS.highlights.set(name, new Highlight(...found.filter((one) => one?.file === file).map(rangeOf)));
  underline("selected", [place]);
  for (const name of ["error", "warning"]) underline(name, model.notes.map((note) => note.severity === name && note.place));
}

/* Select what a line of the spec makes: the next of several at each call. */
function chooseLine(n) {
  const keys = owners[file]?.get(n) ?? [];
  // A line that calls a block means the block, not what it holds on the same line.
  const found = keys.filter((key) => !around(pieces.get(key)).some((one) => keys.includes(one.key)));
  if (!found.length) return;
  const next = (found.indexOf(state.current) + 1) % found.length;
  select(found[next], { jump: true, least: 0.7 });
  if (found.length > 1) say(`${pieces.get(found[next]).title}, ${next + 1} of ${found.length} that line ${n + 1} makes`);
}

on(spec, "click", ({ target }) => {
  const row = target.closest(".owned");
  if (row && getSelection().isCollapsed) chooseLine(Number(row.dataset.line));
});

on(spec, "keydown", (event) => {
  const row = event.target.closest(".owned"), step = { ArrowDown: 1, ArrowUp: -1, Enter: 0, " ": 0 }[event.key];
  if (!row || step === undefined) return;
  event.preventDefault();
  const owned = [...spec.querySelectorAll(".owned")], next = owned[owned.indexOf(row) + step];
  if (!step) chooseLine(Number(row.dataset.line));
  else if (next) {
    row.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
});

/* --- what is wrong --- */

function showNotes() {
  const top = stage.offsetTop;
  notes.hidden = !model.notes.length && network !== null;
  const groups = Object.groupBy(model.notes, ({ severity }) => severity), kinds = ["error", "warning", "note"].filter((kind) => groups[kind]);
  const remark = model.stale ? " · the picture is the last that could be drawn" : network ? "" : " · nothing can be drawn";
  const counts = kinds.map((kind) => counted(groups[kind].length, kind)).join(", ");
  const list = model.notes.map((note) => {
    const { severity, code, message, text, place } = note;
    const where = place && `${model.files[place.file].name}:${place.line + 1}:${place.column + 1}`;
    return element("li", {}, element("details", { open: model.notes.length === 1 && severity === "error" },
      element("summary", {}, element("b", { class: severity }, `${severity}[${code}]`), ` ${message} `, place ? link(where, () => showNote(note)) : ""),
      element("pre", {}, text)));
  });
  // As the reader left it, until it gets worse or better.
  const open = notes.dataset.worst === kinds[0] ? notes.firstChild?.open : kinds[0] === "error";
  notes.dataset.worst = kinds[0];
  notes.replaceChildren(element("details", { open },
    element("summary", { class: kinds[0] }, counts, element("span", {}, remark)), element("ul", {}, ...list)));
  pan(0, top - stage.offsetTop);  // what is seen stays where it is
}

function showNote({ place }) {
  openAside(true);
  showFile(place.file);
  const owner = owners[file]?.get(place.line)?.at(-1);
  if (owner) select(owner, { jump: true });
  markSpec();
  lines[place.line]?.scrollIntoView({ block: "center" });
}

/* --- what colours mean, and what is pointed at --- */

function showLegend() {
  legend.replaceChildren();
  if (state.color in { kind: 1, change: 1 }) {
    const roles = new Set(boxes.filter(({ open }) => !open).map(({ piece }) => roleOf(piece)));
    for (const role of roles) if (role !== "input" && role !== "same") legend.append(element("span", {}, swatch(role), role));
    return;
  }
  const label = `${byId("color").selectedOptions[0].textContent} 0`, ramp = element("span", { class: "ramp" });
  legend.append(element("span", {}, label, ramp, most?.said[state.color] ?? "0"), ...(most ? [linkTo(most)] : []));
}

function point(piece, at) {
  if ((piece?.key ?? null) !== state.hovered) {
    state.hovered = piece?.key ?? null;
    mark();
    tip.hidden = !piece;
    if (piece) tip.replaceChildren(element("b", {}, named(piece)), element("p", { class: "fault" }, piece.fault ?? ""), factsOf(piece));
  }
  if (!piece) return;
  const { w, h } = room(), left = at.x + 16 + tip.offsetWidth > w ? at.x - tip.offsetWidth - 12 : at.x + 16;
  Object.assign(tip.style, { left: `${left}px`, top: `${Math.min(at.y + 14, h - tip.offsetHeight - 4)}px` });
}
