/* What all parts share: making elements, the model, and what the reader has chosen.

The scripts are joined into one function. Texts come into the page as text nodes only, never as markup. */

const page = document.documentElement;
const byId = (id) => document.getElementById(id);
const on = (target, event, act, options) => target.addEventListener(event, act, options);

/* Set attributes, those that are false or null left out, and add children. */
function fill(made, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value != null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const element = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, ...children);
const shape = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, ...children);

const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
const clamp = (low, number, high) => Math.max(low, Math.min(high, number));

/* Whether the reader wants nothing to move. */
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/* What the reader has chosen. open: keys of what is unfolded; current: of what is selected, roving: of the box that Tab
comes to; hits: of what the search found. */
const state = {
  open: new Set(), current: null, roving: null, hovered: null, hits: [], color: "kind", show: new Set(), direction: "down",
};

let model = null, network = null;
/* The network's pieces by their keys, as they are read. */
let pieces = new Map();

/* What the reader chose for all pages, if the browser keeps that: for files it may refuse. */
let kept = {};
try { kept = localStorage; } catch { /* as long as the page lasts */ }

/* Give every piece its key, parent and level, and what the model leaves out because it is empty. */
function adopt(root) {
  const found = new Map();
  const walk = (piece, parent, level, number) => {
    let key = piece.id;
    while (found.has(key)) key += "'";
    found.set(key, Object.assign(piece, {
      key, parent, level, number, dress: piece.dress ?? [], count: piece.count ?? 1, facts: piece.facts ?? [],
      said: Object.fromEntries(piece.said ?? []), costs: Object.fromEntries(piece.costs ?? []),
    }));
    if (!piece.inside) return;
    piece.inside = { entries: 0, exits: 0, lanes: [], ...piece.inside };
    for (const link of piece.inside.links) Object.assign(link, { leaves: -1, enters: -1, ...link });
    piece.inside.pieces.forEach((child, at) => walk(child, piece, level + 1, at));
  };
  walk(root, null, 0, 0);
  return found;
}

const isOpen = (piece) => piece.inside != null && (piece.parent === null || state.open.has(piece.key));

/* What a piece stands in, the outermost first, without the network itself. */
function around(piece) {
  const found = [];
  for (let one = piece.parent; one?.parent; one = one.parent) found.unshift(one);
  return found;
}

/* What stands for a piece in the picture: itself, or the closed block that hides it. */
const seen = (piece) => around(piece).find((one) => !isOpen(one)) ?? piece;

const named = (piece) => (piece.count > 1 ? `${piece.title}, ${piece.count} times` : piece.title);

function spoken(piece) {
  const parts = [named(piece), ...piece.dress];
  if (piece.said.shape) parts.push(`gives ${piece.said.shape}`);
  if (piece.fault) parts.push(`error: ${piece.fault}`);
  return parts.join(", ");
}

const say = (sentence) => { byId("said").textContent = sentence; };
