// A refused form tells its summary first; a select that shall act at once submits its form.
const refused = document.querySelector("[data-refused]");
if (refused) refused.focus();

document.addEventListener("change", (event) => {
  const select = event.target.closest("select[data-submit]");
  if (select) select.form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-print]");
  if (button) print();
});
