/* Where things stand. Each open block is laid out by itself, from the inside out: ranks and lanes come with the model,
sizes follow from what is folded. Lengths run along the direction in which tensors go, and across it. */

const TITLE = 12.5, SMALL = 11.5, LEADING = 15, LONGEST = 300;
const PAD = { x: 10, y: 7 }, HEADER = 18, SIDE = 14;
const APART = 22, LANE = 12, CHANNEL = 22, TRACK = 9;

const pen = document.createElement("canvas").getContext("2d");
const widths = new Map();

function widthOf(text, size, bold = false) {
  const key = `${bold} ${size} ${text}`;
  if (!widths.has(key)) {
    pen.font = `${bold ? "bold " : ""}${size}px ${getComputedStyle(document.body).fontFamily}`;
    widths.set(key, pen.measureText(text).width);
  }
  return widths.get(key);
}

/* The text, shortened with an ellipsis to the longest that a label may be. */
function cut(text, size, bold = false) {
  let short = text.slice(0, 90);
  while (short && widthOf(short, size, bold) > LONGEST) short = short.slice(0, -1);
  return short === text ? text : `${short.trimEnd()}…`;
}

const heading = (piece) => cut(piece.title, TITLE, true);
const badge = (piece) => (piece.count > 1 ? `×${piece.count}` : "");

let arranged = new WeakMap();

/* Forget layouts: all, or those that a piece has a part in. */
function disarrange(piece = null) {
  if (!piece) arranged = new WeakMap();
  for (let one = piece; one; one = one.parent) arranged.delete(one);
}

/* How large a piece is, and for an open block where what is in it stands, relative to its own corner. */
function arrange(piece) {
  if (!arranged.has(piece)) arranged.set(piece, isOpen(piece) ? arrangeInside(piece) : arrangeLabel(piece));
  return arranged.get(piece);
}

function arrangeLabel(piece) {
  const lines = [heading(piece)];
  if (piece.dress.length) lines.push(cut(piece.dress.join(", "), SMALL));
  for (const what of state.show) if (piece.said[what]) lines.push(cut(piece.said[what], SMALL));
  for (const name of piece.outputs ?? []) lines.push(cut(`→ ${name}`, SMALL));
  const wide = lines.map((line, n) => (n ? widthOf(line, SMALL) : widthOf(line, TITLE, true) + (piece.inside ? 14 : 0)));
  return { lines, w: Math.ceil(Math.max(...wide, 28) + 2 * PAD.x), h: lines.length * LEADING + 2 * PAD.y };
}

/* Isotonic regression: places as near as can be to those wanted, in their order and with the gaps that are needed. */
function spread(wanted, weights, gaps) {
  const blocks = [];
  let before = 0;
  wanted.forEach((place, n) => {
    let block = { mean: place - before, weight: weights[n], count: 1 };
    while (blocks.length && blocks.at(-1).mean > block.mean) {
      const last = blocks.pop(), weight = last.weight + block.weight;
      block = { mean: (last.mean * last.weight + block.mean * block.weight) / weight, weight, count: last.count + block.count };
    }
    blocks.push(block);
    before += gaps[n];
  });
  before = 0;
  return blocks.flatMap(({ mean, count }) => Array(count).fill(mean)).map((mean, n) => {
    const place = mean + before;
    before += gaps[n];
    return place;
  });
}

const middleOf = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/* The vertices of a block and the steps between them: how far each reaches across and along, and its ports. */
function readInside({ pieces: held, ranks, steps, entries, exits }, down) {
  const vertices = [];
  for (const v of ranks.flat()) {
    const box = v < held.length ? arrange(held[v]) : { w: 0, h: 0 };
    const [across, along] = down ? [box.w, box.h] : [box.h, box.w];
    vertices[v] = { at: 0, across, along, box, lane: v >= held.length + entries + exits, before: [], after: [] };
  }
  const read = steps.map(({ source, target, leaves, enters, down: below, up: above }) => {
    const from = vertices[source], to = vertices[target];
    const out = from.box.leave?.[leaves] ?? from.across / 2, into = to.box.enter?.[enters] ?? to.across / 2;
    const step = { from, to, below, above, out, into, track: 0 };
    from.after.push(step);
    to.before.push(step);
    return step;
  });
  return { vertices, steps: read };
}

const gap = (a, b) => (b ? a.across + (a.lane || b.lane ? LANE : APART) : 0);
const gapsOf = (rank) => rank.map((vertex, n) => gap(vertex, rank[n + 1]));

/* Where vertices begin across: sweeps down and up put each below, or above, what decides it. */
function placeAcross(ranks, lanes) {
  for (const rank of ranks) spread(rank.map(() => 0), rank.map(() => 1), gapsOf(rank)).forEach((place, n) => { rank[n].at = place; });
  const sweep = (order, down) => {
    for (const rank of order) {
      const weights = [];
      const wanted = rank.map((vertex) => {
        const steps = down ? vertex.before.filter((step) => step.below) : vertex.after.filter((step) => step.above);
        const straight = steps.length === 1 && steps[0].below && steps[0].above;
        weights.push(vertex.lane ? 0.01 : straight ? 1e4 : steps.length ? 1 : 0.2);
        const places = steps.map(({ from, to, out, into }) => (down ? from.at + out - into : to.at + into - out));
        return places.length ? middleOf(places) : vertex.at;
      });
      spread(wanted, weights, gapsOf(rank)).forEach((place, n) => { rank[n].at = place; });
    }
  };
  const reversed = [...ranks].reverse();
  for (let round = 0; round < 4; round++) { sweep(ranks, true); sweep(reversed, false); }
  sweep(ranks, true);
  straighten(ranks, lanes);
}

/* Make lanes straight: each as far out as it has to be anywhere, the outermost first. */
function straighten(ranks, lanes) {
  for (const rank of ranks) rank.forEach((vertex, n) => Object.assign(vertex, { rank, left: rank[n - 1], right: rank[n + 1] }));
  const ways = lanes.map((lane) => {
    // To the right of most pieces beside it, or to their left.
    const beside = lane.flatMap((one) => one.rank.filter((other) => !other.lane).map((other) => Math.sign(one.at - other.at)));
    const side = Math.sign(sum(beside)) || 1;
    return { lane, side, out: Math.max(...lane.map((one) => one.at * side)) };
  });
  for (const { lane, side, out } of ways.sort((a, b) => b.out - a.out)) {
    const low = Math.max(...lane.map((one) => (one.left ? one.left.at + gap(one.left, one) : -Infinity)));
    const high = Math.min(...lane.map((one) => (one.right ? one.right.at - gap(one, one.right) : Infinity)));
    if (low <= high) for (const one of lane) one.at = clamp(low, out * side, high);
  }
}

/* The tracks of the channel behind a rank, and how many there are: steps that begin at one place share one; what would
cross or touch has its own. */
function findTracks(rank) {
  const runs = new Map();
  for (const step of rank.flatMap((vertex) => vertex.after)) {
    const start = step.from.at + step.out, end = step.to.at + step.into;
    const run = runs.get(start) ?? { start, low: start, high: start, steps: [] };
    runs.set(start, run);
    run.steps.push(step);
    Object.assign(run, { low: Math.min(run.low, end), high: Math.max(run.high, end) });
  }
  const turn = (run) => (run.high > run.start ? -run.start : run.start);
  const tracks = [];
  for (const run of [...runs.values()].filter(({ low, high }) => high - low > 0.5).sort((a, b) => turn(a) - turn(b))) {
    const meets = (other) => other.low < run.high - 1 && run.low < other.high - 1;
    const track = tracks.findLastIndex((others) => others.some(meets)) + 1;
    (tracks[track] ??= []).push(run);
    for (const step of run.steps) step.track = track;
  }
  return tracks.length;
}

function arrangeInside(piece) {
  const { inside } = piece, down = state.direction === "down", framed = piece.parent !== null;
  const { vertices, steps } = readInside(inside, down), ranks = inside.ranks.map((rank) => rank.map((v) => vertices[v]));
  placeAcross(ranks, inside.lanes.map((lane) => lane.map((v) => vertices[v])));

  // Across: the frame, and its header where that runs along with the tensors.
  const near = Math.min(...vertices.map(({ at }) => at)), far = Math.max(...vertices.map(({ at, across }) => at + across));
  const title = framed ? widthOf(heading(piece), TITLE, true) + widthOf(badge(piece), SMALL) + 46 : 0;
  const wide = framed ? Math.max(far - near + 2 * SIDE, down ? title : 0) : far - near;
  const head = framed ? HEADER : 0, beside = down ? 0 : head;
  const shift = (wide - far + near) / 2 + beside - near;
  for (const vertex of vertices) vertex.at = Math.round((vertex.at + shift) * 2) / 2;

  // Along: rank by rank, with channels between them.
  let along = (down ? head : 0) + (framed && !inside.entries ? SIDE : 0);
  ranks.forEach((rank, number) => {
    const long = Math.max(...rank.map((vertex) => vertex.along));
    for (const vertex of rank) {
      Object.assign(vertex, { start: along + (long - vertex.along) / 2, channel: along + long + CHANNEL / 2 - 1 });
    }
    along += long;
    if (number + 1 < ranks.length) along += CHANNEL + Math.max(0, findTracks(rank) - 1) * TRACK;
  });
  if (framed && !inside.exits) along += SIDE;

  const swap = (a, c) => (down ? [c, a] : [a, c]);
  const [w, h] = swap(Math.max(along, down ? 0 : title), wide + beside);
  const boxes = inside.pieces.map((child, v) => ({ piece: child, corner: swap(vertices[v].start, vertices[v].at) }));
  const routes = inside.links.map((link) => routeOf(link.steps.map((n) => steps[n])).map(([a, c]) => swap(a, c)));
  const ports = (first, count) => vertices.slice(first, first + count).map(({ at }) => at);
  const first = inside.pieces.length, { entries, exits } = inside;
  return { w, h, boxes, routes, enter: ports(first, entries), leave: ports(first + entries, exits) };
}

/* A tensor's way: along, and across on the tracks of the channels. */
function routeOf(steps) {
  const [first] = steps, last = steps.at(-1);
  const points = [[first.from.start + first.from.along, first.from.at + first.out]];
  for (const { from, to, out, into, track } of steps) {
    const start = from.at + out, end = to.at + into, way = from.channel + track * TRACK;
    if (Math.abs(start - end) > 0.5) points.push([way, start], [way, end]);
  }
  return [...points, [last.to.start, last.to.at + last.into]];
}

/* A line through points, its corners rounded. */
function roundedPath(points) {
  const toward = ([x, y], [to, down]) => {
    const length = Math.hypot(to - x, down - y) || 1, step = Math.min(6, length / 2) / length;
    return `${x + (to - x) * step} ${y + (down - y) * step}`;
  };
  const corners = points.slice(1, -1).map((here, n) => `L${toward(here, points[n])}Q${here.join(" ")} ${toward(here, points[n + 2])}`);
  return `M${points[0].join(" ")}${corners.join("")}L${points.at(-1).join(" ")}`;
}
