/* Finding pieces by their names, kinds, shapes and what is drawn with them. */

const field = byId("find"), results = byId("results");
const LISTED = 50;
let chosen = -1;

/* The keys of the pieces that every word of a text is in. */
function matches(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const hay = ({ id, kind, title, said, dress, outputs = [] }) => [id, kind, title, said.shape, ...dress, ...outputs].join(" ").toLowerCase();
  return words.length ? [...pieces.values()].filter((piece) => piece.parent && words.every((word) => hay(piece).includes(word))).map(({ key }) => key) : [];
}

function showResults() {
  const asked = field.value.trim() !== "", hits = state.hits = matches(field.value);
  chosen = -1;
  const rows = hits.slice(0, LISTED).map((key, n) => {
    const piece = pieces.get(key);
    const row = element("li", { role: "option", id: `result-${n}`, "aria-selected": "false" }, element("b", {}, named(piece)),
      element("span", {}, piece.said.shape ?? ""), element("small", {}, [piece.id, ...around(piece).map(({ title }) => title).reverse()].join(" ‹ ")));
    on(row, "pointerdown", (event) => { event.preventDefault(); choose(n); });
    return row;
  });
  const count = `${hits.length.toLocaleString("en")} ${hits.length === 1 ? "match" : "matches"}`;
  if (hits.length > LISTED || !hits.length) rows.push(element("li", { class: "more" }, hits.length ? `${count} in all` : "nothing like that"));
  results.replaceChildren(...rows);
  openResults(asked);
  byId("hits").textContent = asked ? count : "";
  say(asked ? count : "");
  mark();
}

function openResults(open) {
  results.hidden = !open;
  field.setAttribute("aria-expanded", open);
  if (!open) field.removeAttribute("aria-activedescendant");
}

/* Go to a result: what hides it is unfolded. */
function choose(n) {
  results.children[chosen]?.setAttribute("aria-selected", "false");
  chosen = n;
  results.children[n].setAttribute("aria-selected", "true");
  results.children[n].scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", `result-${n}`);
  select(state.hits[n], { jump: true, least: 0.7 });
  byId("hits").textContent = `${n + 1} of ${state.hits.length}`;
  say(`${n + 1} of ${state.hits.length}: ${spoken(pieces.get(state.hits[n]))}`);
}

on(field, "input", showResults);
on(field, "focus", () => openResults(field.value.trim() !== ""));
on(field, "blur", () => openResults(false));
on(field, "keydown", (event) => {
  const count = Math.min(state.hits.length, LISTED), back = event.key === "ArrowUp" || (event.key === "Enter" && event.shiftKey);
  if (event.key === "Escape") {
    event.preventDefault();
    if (!field.value) focusStage();
    field.value = "";
    showResults();
  } else if (count && (back || event.key === "ArrowDown" || event.key === "Enter")) {
    event.preventDefault();
    openResults(true);
    choose(back ? (Math.max(chosen, 0) + count - 1) % count : (chosen + 1) % count);
  }
});
