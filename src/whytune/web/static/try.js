// The answer is shown as it comes, and can be stopped. What the server refuses is sent again as the plain form, which
// shows why, with what was typed. Without this file a question is a plain form, and the whole answer a new page.
"use strict";

{
  const form = document.getElementById("ask"), going = document.getElementById("going"), said = document.getElementById("said");
  const stop = document.getElementById("stop"), how = document.getElementById("how");
  let leaving = null;

  function show(page) {
    const answered = new DOMParser().parseFromString(page, "text/html").getElementById("tried");
    if (!answered) { how.textContent = "The answer is complete."; return; }
    document.getElementById("tried")?.remove();
    going.hidden = true;
    how.after(answered);
    how.textContent = "The answer is complete.";
  }

  // An event ends with an empty line; its text is JSON. Whatever the model said goes onto the page as text.
  function take(event) {
    const name = /^event: (\w+)$/m.exec(event)?.[1], data = /^data: (.*)$/m.exec(event)?.[1];
    if (!name) return false;
    const text = JSON.parse(data);
    if (name === "piece") said.textContent += text;
    else if (name === "done") show(text);
    else how.textContent = text;
    return name !== "piece";
  }

  async function ask() {
    leaving = new AbortController();
    const answer = await fetch(going.dataset.from, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "text/html" }, signal: leaving.signal });
    if (!(answer.headers.get("content-type") || "").startsWith("text/event-stream")) {
      form.dataset.plain = "yes";
      form.requestSubmit();
      return;
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = "", over = false;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (held + part.value).split("\n\n");
      held = events.pop();
      for (const event of events) over = take(event) || over;
    }
    if (!over) how.textContent = "The answer broke off. Ask again.";
  }

  function submitted(event) {
    if (form.dataset.plain) return;
    event.preventDefault();
    event.stopPropagation();
    if (leaving) return;
    document.getElementById("tried")?.remove();
    said.textContent = "";
    how.textContent = "Asked.";
    going.hidden = stop.hidden = false;
    going.setAttribute("aria-busy", "true");
    ask().catch(() => {
      how.textContent = leaving.signal.aborted ? "Stopped. This is not the whole answer." : "The server does not answer. What you typed is still here: ask again.";
    }).finally(() => { leaving = null; stop.hidden = true; going.removeAttribute("aria-busy"); });
  }

  if (form && going) {
    form.addEventListener("submit", submitted);
    stop.addEventListener("click", () => leaving?.abort());
  }
}
