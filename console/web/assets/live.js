// Panels renew themselves; this holds them still while somebody reads, types or has walked away.
// Without a hand on keyboard or mouse for 20 minutes nothing is asked any more, so that the session can end by itself.
const AWAY = 20 * 60 * 1000;
let touched = Date.now();
for (const what of ["pointerdown", "keydown", "wheel", "touchstart"]) {
  addEventListener(what, () => { touched = Date.now(); }, { passive: true, capture: true });
}

function busy(panel) {
  const focus = document.activeElement;
  const typing = focus && panel.contains(focus) && focus.matches("input, select, textarea");
  const selecting = !getSelection().isCollapsed && panel.contains(getSelection().anchorNode);
  return typing || selecting || panel.querySelector("details[open]:not([data-keep])") !== null;
}

document.addEventListener("htmx:before:request", (event) => {
  const panel = event.target.closest("[data-live]");
  if (panel && (document.hidden || Date.now() - touched > AWAY || busy(panel))) event.preventDefault();
});
