// Single keys on the review card: each presses the button that shows it. Only while the focus is on the card and not in
// a text field, and never where keys are switched off; the buttons do the same without this file.
"use strict";

{
  const desk = document.getElementById("desk");
  const keyed = () => document.documentElement.dataset.keys === "on";
  const card = () => document.getElementById("card");
  let begun = "";

  function say(text) {
    const told = document.getElementById("told");
    if (told.textContent !== text) told.textContent = text;
  }

  function press(target) {
    begun = "";
    if (target.tagName !== "SUMMARY") { target.form.requestSubmit(target); return; }
    const box = target.parentElement;
    box.open = !box.open;
    const field = box.open && box.querySelector("textarea");
    (field || target).focus();
  }

  function pressed(event) {
    if (!keyed() || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat || !card().contains(event.target)) return;
    if (event.target.closest("textarea, input, select")) {
      if (event.key === "Escape") { card().focus(); event.preventDefault(); }
      return;
    }
    const targets = [...card().querySelectorAll("[data-key]")];
    if (event.key === "Escape") { begun = ""; say(""); return; }
    if (event.key === "Enter" && begun) {
      const exact = targets.find((one) => one.dataset.key === begun);
      event.preventDefault();
      if (exact) press(exact);
      return;
    }
    if (event.key.length !== 1 || event.key === " ") return;
    // Labels beyond the ninth have keys of two digits: the first digit waits for the second, or for Enter.
    const wanted = [begun + event.key.toLowerCase(), event.key.toLowerCase()].find((text) => targets.some((one) => one.dataset.key.startsWith(text)));
    if (!wanted) return;
    event.preventDefault();
    const exact = targets.find((one) => one.dataset.key === wanted);
    if (exact && !targets.some((one) => one !== exact && one.dataset.key.startsWith(wanted))) { press(exact); return; }
    begun = wanted;
    say(`${begun}: ` + (exact ? "Enter takes it, or type the next digit" : "type the next digit"));
  }

  if (desk) {
    desk.addEventListener("keydown", pressed);
    if (keyed()) card().focus({ preventScroll: true });
  }
}
