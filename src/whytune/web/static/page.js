// Small comforts; every page works without them.
"use strict";

// A form that is being sent cannot be sent again by a second click. (The server answers a second one as the first, anyway.)
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (form.method === "post") {
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button:not([name])")) button.setAttribute("aria-busy", "true");
    setTimeout(() => { delete form.dataset.sent; for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy"); }, 8000);
  }
});

// Going back to a page shows it as it is now, with a fresh form.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// The message of a form just sent is shown once: a reload does not say it again.
{
  const address = new URL(location.href);
  if (address.searchParams.has("sent")) { address.searchParams.delete("sent"); history.replaceState(null, "", address); }
}

// A list of options opened from a link to it (#name) is unfolded.
const opened = location.hash && document.getElementById(location.hash.slice(1));
if (opened && opened.tagName === "DETAILS") opened.open = true;
