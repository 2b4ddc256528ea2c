// The next question is here before this one is answered: it is shown at once, and the answer is sent meanwhile. What the
// server refuses is sent again as a plain form, which shows why, with everything that was typed. Without this file each
// answer is a plain form and a new page.
"use strict";

{
  const desk = document.getElementById("desk"), ask = document.getElementById("ahead"), told = document.getElementById("told");
  let following = null, sending = null;

  const cardOf = (text) => new DOMParser().parseFromString(text, "text/html").getElementById("card");
  const post = (form, button) => fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)), headers: { accept: "text/html" } });

  // Kept means: sent on to this page. A sign-in page, where the session has ended meanwhile, is not that.
  const same = (url) => decodeURIComponent(new URL(url).pathname) === decodeURIComponent(location.pathname);

  async function foresee() {
    const answer = await post(ask);
    following = answer.status === 200 ? cardOf(await answer.text()) : null;
    desk.dataset.ahead = following ? "yes" : "no";
  }

  function show(card) {
    desk.querySelector("#card").replaceWith(card);
    card.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  async function keep(before, form, button) {
    let answer;
    try {
      answer = await post(form, button);
    } catch {
      show(before);
      told.textContent = "The server does not answer. Nothing is lost: press again.";
      return;
    }
    if (answer.ok && answer.redirected && same(answer.url)) {
      // The page that follows a plain form holds the same card; only what it says is of use here.
      const text = await answer.text();
      const said = new DOMParser().parseFromString(text, "text/html").querySelector(".said");
      told.textContent = said ? said.textContent.replace("✔", "").trim() : "";
      await foresee().catch(() => { following = null; });
      return;
    }
    show(before);
    form.dataset.plain = "yes";
    form.requestSubmit(button);
  }

  function submitted(event) {
    const form = event.target;
    if (form.dataset.plain) return;
    if (sending) {
      // One at a time: leaving the page would cut off the answer before.
      event.preventDefault();
      event.stopPropagation();
      const button = event.submitter;
      sending.then(() => { if (form.isConnected) form.requestSubmit(button); });
      return;
    }
    if (form.id !== "answer" || !following) return;
    event.preventDefault();
    event.stopPropagation();
    const before = desk.querySelector("#card"), card = following, button = event.submitter;
    following = null;
    desk.dataset.ahead = "no";
    show(card);
    sending = keep(before, form, button).finally(() => { sending = null; });
  }

  if (desk && ask) {
    desk.addEventListener("submit", submitted);
    foresee().catch(() => { following = null; });
  }
}
