/* The picture: an SVG whose parts are made when they come into sight, and moved when something is folded. */

const stage = byId("stage"), world = byId("world");
/* Boxes that are in the page, by their keys; all boxes, as they are read and by their keys. */
const drawn = new Map();
let boxes = [], places = new Map();
let bounds = { w: 0, h: 0 };

/* Lay everything out anew. What is in sight has yet to be drawn. */
function layOut() {
  boxes = [];
  const walk = (piece, x, y) => {
    const { w, h, lines, boxes: inner, routes = [] } = arrange(piece);
    boxes.push({ piece, x, y, w, h, lines, routes, open: inner !== undefined });
    for (const one of inner ?? []) walk(one.piece, x + one.corner[0], y + one.corner[1]);
  };
  if (network) walk(network, 0, 0);
  places = new Map(boxes.map((box) => [box.piece.key, box]));
  bounds = boxes[0] ?? { w: 0, h: 0 };
  findMost();
}

/* --- parts --- */

/* The box that costs most, of those that can be seen. */
let most = null;
const costOf = (piece) => piece.costs[state.color] ?? 0;

function findMost() {
  most = null;
  for (const { piece, open } of boxes) if (!open && costOf(piece) > (most ? costOf(most) : 0)) most = piece;
}

function roleOf(piece) {
  if (piece.fault) return "fault";
  if (state.color === "kind") return piece.role;
  if (state.color === "change") return piece.change || "same";
  if (!(state.color in piece.costs)) return "unknown";
  return `scale${most ? Math.min(8, Math.round(Math.sqrt(costOf(piece) / costOf(most)) * 8)) : 0}`;
}

const paint = (node, role) => { node.style.fill = `var(--${role}, var(--text))`; return node; };
const rect = (x, y, width, height, rx, kind) => shape("rect", { x, y, width, height, rx, class: kind });
const text = (content, x, y, kind, anchor = "middle") => shape("text", { x, y, class: kind, "text-anchor": anchor }, content);

function chevron(x, y, open) {
  const d = open ? `M${x} ${y - 2}l4 4 4-4` : `M${x + 2} ${y - 4}l4 4-4 4`;
  return shape("g", { class: "toggle" }, rect(x - 5, y - 9, 19, 18, 0, "reach"), shape("path", { d, class: "chevron" }));
}

function pill(label, right, y, kind) {
  const wide = widthOf(label, SMALL, true) + 10;
  return shape("g", { class: `pill ${kind}` }, rect(right - wide, y - 8, wide, 16, 8), text(label, right - wide / 2, y + 4));
}

function closedParts({ piece, w, h, lines }) {
  const role = roleOf(piece), holds = piece.inside != null;
  const parts = (holds ? [6, 3, 0] : [0]).map((by) => paint(rect(by, by, w, h, 5, by ? "sheet" : "face"), role));
  lines.forEach((line, n) => {
    const kind = n === 0 ? "title" : n === 1 && piece.dress.length ? "dress" : "said";
    parts.push(paint(text(line, w / 2 + (n === 0 && holds ? 7 : 0), PAD.y + n * LEADING + 11.5, kind), `on-${role}`));
  });
  if (holds) {
    parts.push(chevron(w / 2 - widthOf(lines[0], TITLE, true) / 2 - 9, PAD.y + 7.5, false));
    parts.at(-1).style.color = `var(--on-${role}, var(--text))`;
  }
  if (piece.count > 1) parts.push(pill(badge(piece), w + 8, 0, "count"));
  if (piece.fault) parts.push(pill("!", 8, 0, "alarm"));
  return parts;
}

function openParts({ piece, w, h }) {
  if (piece.parent === null) return [];
  return [
    rect(0, 0, w, h, 7, piece.level % 2 ? "ground odd" : "ground"),
    shape("path", { d: `M0 ${HEADER}V7a7 7 0 0 1 7-7H${w - 7}a7 7 0 0 1 7 7V${HEADER}Z`, class: "header" }),
    rect(0, 0, w, h, 7, "face"),
    chevron(11, 9.5, true),
    text(heading(piece), 26, 13.5, "title", "start"),
    ...(piece.count > 1 ? [pill(badge(piece), w - 6, 9, "count")] : []),
  ];
}

function routeParts({ piece, routes }) {
  return routes.map((points, n) => {
    const link = piece.inside.links[n], [x, y] = points.at(-1);
    const head = state.direction === "down" ? `M${x} ${y}l-3.5-7h7Z` : `M${x} ${y}l-7-3.5v7Z`;
    return shape("g", { class: `route ${link.steps.length > 1 ? "skip" : ""} ${link.change ?? ""}` },
      shape("path", { d: roundedPath(points), class: "line" }),
      ...(link.target < piece.inside.pieces.length ? [shape("path", { d: head, class: "head" })] : []));
  });
}

/* --- drawing --- */

/* Draw what is in sight, and what is selected, and take away the rest. changed: whether to show what is not as it was. */
function draw({ changed = false, margin = 300 } = {}) {
  const sight = inSight(margin);
  const wanted = boxes.filter(({ piece: { key }, x, y, w, h }) => key === state.current || key === state.roving
    || (x < sight.x + sight.w && x + w > sight.x && y < sight.y + sight.h && y + h > sight.y));
  const keys = new Set(wanted.map(({ piece }) => piece.key));
  for (const [key, { group }] of drawn) if (!keys.has(key)) { group.remove(); drawn.delete(key); }
  let next = world.firstChild;
  for (const box of wanted) {
    const { group } = update(box, changed);
    if (group === next) next = next.nextSibling;
    else world.insertBefore(group, next);
  }
  mark();
}

function update(box, changed) {
  const { piece, open } = box, { key, parent } = piece;
  if (!drawn.has(key)) drawn.set(key, { group: shape("g", { "data-key": key, ...(parent && { role: "treeitem" }) }), sign: null });
  const one = drawn.get(key), { group } = one;
  group.style.transform = `translate(${box.x}px, ${box.y}px)`;
  // What it is made of, in one text: what stays the same is not made again.
  const sign = JSON.stringify([box.w, box.h, box.lines, box.routes, open, roleOf(piece), piece.title, piece.count, piece.fault]);
  if (sign !== one.sign) {
    one.routes = routeParts(box);
    group.replaceChildren(...(open ? openParts(box) : closedParts(box)), ...one.routes);
    group.setAttribute("class", `box ${open ? "open" : ""} ${piece.auxiliary ? "auxiliary" : ""} ${piece.fault ? "faulty" : ""}`);
    one.flash = changed && one.sign !== null && performance.now();
    one.sign = sign;
  }
  if (parent) {
    fill(group, {
      "aria-level": piece.level, "aria-label": spoken(piece), "aria-posinset": piece.number + 1,
      "aria-setsize": parent.inside.pieces.length,
    });
    if (piece.inside) group.setAttribute("aria-expanded", open);
  }
  return one;
}

/* --- what belongs together --- */

/* The ways of the tensors that a piece takes, or gives: links as a block's key and a number, and the pieces at their
other ends, which are closed blocks where nothing in them can be seen. */
function trace(piece, forward) {
  const found = { ends: new Set(), links: new Set() };
  const [here, there, behind, ahead] = forward ? ["source", "target", "leaves", "enters"] : ["target", "source", "enters", "leaves"];
  const follow = (block, meets) => block?.inside.links.forEach((link, number) => {
    const name = `${block.key}\n${number}`, { pieces: held, entries } = block.inside, end = link[there];
    if (!meets(link) || found.links.has(name)) return;
    found.links.add(name);
    if (end >= held.length) {
      const port = end - held.length - (forward ? entries : 0);
      follow(block.parent, (next) => next[here] === block.number && (next[behind] === port || next[behind] < 0));
    } else if (isOpen(held[end]) && link[ahead] >= 0) {
      const { inside } = held[end], vertex = inside.pieces.length + (forward ? 0 : inside.entries) + link[ahead];
      follow(held[end], (next) => next[here] === vertex);
    } else found.ends.add(held[end]);
  });
  follow(piece.parent, (link) => link[here] === piece.number);
  return found;
}

/* Mark what is selected, found and pointed at, with the ways of its tensors. */
function mark() {
  const focus = pieces.get(state.hovered) ?? pieces.get(state.current);
  const links = new Set(focus && [...trace(focus, true).links, ...trace(focus, false).links]);
  const hits = new Set(state.hits.map((key) => seen(pieces.get(key)).key));
  for (const [key, { group, routes, flash }] of drawn) {
    group.classList.toggle("selected", key === state.current);
    group.classList.toggle("hit", hits.has(key));
    group.classList.toggle("hovered", key === state.hovered);
    group.classList.toggle("changed", Boolean(flash && performance.now() - flash < 1500));
    if (group.hasAttribute("role")) fill(group, { "aria-selected": `${key === state.current}`, tabindex: key === state.roving ? 0 : -1 });
    routes.forEach((route, n) => route.classList.toggle("lit", links.has(`${key}\n${n}`)));
  }
}
