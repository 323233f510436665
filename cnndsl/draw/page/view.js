/* What part of the picture is seen: moving it, and making it larger. */

const view = { x: 0, y: 0, k: 1 };
const CLOSEST = 6, MARGIN = 24;

const room = () => ({ w: stage.clientWidth, h: stage.clientHeight });
const wholeScale = ({ w, h } = room()) => Math.min((w - 2 * MARGIN) / bounds.w, (h - 2 * MARGIN) / bounds.h);

/* The part of the picture that is seen, and a margin of so many pixels around it. */
function inSight(margin) {
  const { w, h } = room(), m = margin / view.k;
  return { x: -view.x / view.k - m, y: -view.y / view.k - m, w: w / view.k + 2 * m, h: h / view.k + 2 * m };
}

let waiting = 0, gliding = 0;

/* Look from elsewhere; what comes into sight is drawn before the next frame. */
function look(x, y, k) {
  Object.assign(view, { x, y, k });
  world.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
  world.classList.toggle("far", k < 0.3);
  byId("scale").textContent = `${Math.round(k * 100)}%`;
  waiting ||= requestAnimationFrame(() => { waiting = 0; draw(); });
}

/* The same at once: what was still on its way stops. */
function jump(x, y, k) {
  cancelAnimationFrame(gliding);
  look(x, y, k);
}

/* Go to another view in a quarter of a second. */
function glide(x, y, k) {
  cancelAnimationFrame(gliding);
  const from = { ...view }, begun = performance.now();
  const step = (now) => {
    const t = calm.matches ? 1 : clamp(0, (now - begun) / 220, 1), s = 1 - (1 - t) ** 3;
    look(from.x + (x - from.x) * s, from.y + (y - from.y) * s, from.k * (k / from.k) ** s);
    if (t < 1) gliding = requestAnimationFrame(step);
  };
  step(begun);
}

/* Larger by a factor, about a point of the stage. */
function zoom(by, at = { x: room().w / 2, y: room().h / 2 }) {
  const k = clamp(Math.min(0.5, wholeScale() * 0.7), view.k * by, CLOSEST), grown = k / view.k;
  jump(at.x - (at.x - view.x) * grown, at.y - (at.y - view.y) * grown, k);
}

const pan = (dx, dy) => jump(view.x + dx, view.y + dy, view.k);

/* The whole picture, as large as it fits. */
function fit(go = glide) {
  const { w, h } = room(), k = clamp(0.01, wholeScale(), 1.25);
  go((w - bounds.w * k) / 2, (h - bounds.h * k) / 2, k);
}

/* How a page begins: the whole picture if its texts can be read then, else its beginning. */
function begin() {
  if (wholeScale() >= 0.6) { fit(jump); return; }
  const { w, h } = room(), down = state.direction === "down";
  const k = clamp(0.6, down ? (w - 2 * MARGIN) / bounds.w : (h - 2 * MARGIN) / bounds.h, 1);
  jump(down ? (w - bounds.w * k) / 2 : MARGIN, down ? MARGIN : (h - bounds.h * k) / 2, k);
}

/* Bring a box into sight, at least so large; nothing moves if it is. */
function reveal(key, least = 0.3) {
  const box = places.get(key), { w, h } = room();
  if (!box) return;
  const k = Math.max(view.k, least), wide = Math.min(box.w * k, w - 2 * MARGIN), tall = Math.min(box.h * k, h - 2 * MARGIN);
  const left = box.x * k + view.x, top = box.y * k + view.y;
  const inside = left >= MARGIN && top >= MARGIN && left + wide <= w - MARGIN && top + tall <= h - MARGIN;
  if (k !== view.k || !inside) glide((w - wide) / 2 - box.x * k, (h - tall) / 2 - box.y * k, k);
}

/* --- pointers --- */

const pointers = new Map();
/* How far the pointer has gone since it came down: less is a click. */
let moved = 0;

function pointOf(event) {
  const corner = stage.getBoundingClientRect();
  return { x: event.clientX - corner.left, y: event.clientY - corner.top };
}

on(stage, "wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey) { pan(-(event.deltaX || event.deltaY), 0); return; }
  // A pinch on a touchpad comes as a wheel with Ctrl, in smaller steps; some wheels count lines.
  const by = clamp(-120, event.deltaY * (event.deltaMode ? 16 : 1), 120) * (event.ctrlKey ? 0.01 : 0.002);
  zoom(Math.exp(-by), pointOf(event));
}, { passive: false });

on(stage, "pointerdown", (event) => {
  if (event.button > 1 || event.target.closest("button")) return;
  pointers.set(event.pointerId, pointOf(event));
  if (pointers.size === 1) moved = 0;
});

on(stage, "pointermove", (event) => {
  const last = pointers.get(event.pointerId), here = pointOf(event);
  if (!last) return;
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  moved += Math.hypot(here.x - last.x, here.y - last.y);
  if (other) {
    const before = Math.hypot(last.x - other.x, last.y - other.y), after = Math.hypot(here.x - other.x, here.y - other.y);
    zoom(after / Math.max(before, 1), { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 });
    pan((here.x - last.x) / 2, (here.y - last.y) / 2);
  } else if (moved > 3) {
    // Only now: a pointer that is captured would take the click away from what lies under it.
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("moving");
    pan(here.x - last.x, here.y - last.y);
  }
  pointers.set(event.pointerId, here);
});

for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
  on(stage, name, ({ pointerId }) => {
    if (name === "pointerleave" && stage.hasPointerCapture(pointerId)) return;
    pointers.delete(pointerId);
    if (!pointers.size) stage.classList.remove("moving");
  });
}

new ResizeObserver(() => { if (network) look(view.x, view.y, view.k); }).observe(stage);
