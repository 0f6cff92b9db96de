// The keys behind the hints on a list: j, k, Enter, f, / and ?. The cursor is a row's id, so that it survives a renewal.
let cursor = "";

function rows() { return [...document.querySelectorAll("[data-rows] tr[id]")]; }

function mark(scroll) {
  for (const row of rows()) {
    const here = row.id === cursor;
    row.classList.toggle("cursor", here);
    if (here) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    if (here && scroll) row.scrollIntoView({ block: "nearest" });
  }
}

function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row.id === cursor);
  const next = at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by));
  cursor = all[next].id;
  mark(true);
}

function open() {
  const row = document.getElementById(cursor);
  const link = row && row.querySelector("a.t");
  if (link) link.click();
}

function focusOn(selector) {
  const target = document.querySelector(selector);
  if (target) target.focus();
  return target !== null;
}

const acts = {
  j: () => step(1),
  k: () => step(-1),
  Enter: open,
  f: () => focusOn("[data-filters] a"),
  "/": () => focusOn("#q"),
  "?": () => focusOn("[data-keys]"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, select, textarea, button, summary")) return;
  if (event.key === "Enter" && (cursor === "" || event.target.closest("a"))) return;
  const act = acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
document.addEventListener("htmx:after:swap", () => mark(false));
