// A job's page while it runs: what happens comes as server-sent events from the store, and nothing is kept only here.
"use strict";

{
  const live = document.getElementById("live"), section = document.getElementById("curve");
  const at = (id) => document.getElementById(id);
  const curve = section ? JSON.parse(section.dataset.curve) : null;
  const words = (seconds) => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  const figure = (number) => number.toLocaleString("en");
  let plot = null, waiting = false;

  // Rows of the plot: every step that either line has, in order.
  const rows = () => {
    const train = new Map(curve.train), dev = new Map(curve.dev);
    const steps = [...new Set([...train.keys(), ...dev.keys()])].sort((one, two) => one - two);
    return [steps, steps.map((step) => train.get(step) ?? null), steps.map((step) => dev.get(step) ?? null)];
  };

  const draw = () => {
    waiting = false;
    if (!curve.train.length && !curve.dev.length) return;
    section.hidden = false;
    const room = at("plot"), colours = getComputedStyle(document.documentElement);
    const colour = (name) => colours.getPropertyValue(name).trim();
    room.hidden = false;
    at("drawn").hidden = true;
    const width = Math.max(240, room.clientWidth);
    if (plot) { plot.setData(rows()); return; }
    const axis = { stroke: colour("--ink"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    plot = new uPlot({
      width, height: Math.min(320, Math.max(200, width * 0.42)), cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false, range: (_, low, high) => [0, Math.max(curve.total || 0, high || 1)] } },
      axes: [{ ...axis, label: "step" }, { ...axis, label: "loss", size: 60 }],
      series: [
        { label: "step" },
        { label: "train", stroke: colour("--mark"), width: 2, points: { show: curve.train.length < 3 }, spanGaps: true },
        { label: "held out", stroke: colour("--second"), width: 2, dash: [6, 4], points: { show: true, size: 7 }, spanGaps: true },
      ],
    }, rows(), room);
    room.setAttribute("role", "img");
    room.setAttribute("aria-label", "Loss over training steps; the numbers are in the table below");
  };
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
  const again = () => { if (plot) { plot.destroy(); plot = null; } soon(); };

  const stand = (job) => {
    if (at("phase").textContent !== (job.phase || "beginning")) at("phase").textContent = job.phase || "beginning";
    if (job.total) { at("bar").max = job.total; at("bar").value = job.done; } else at("bar").removeAttribute("value");
    at("count").textContent = job.total ? `${figure(job.done)} of ${figure(job.total)} ${job.unit}` : "";
    at("left").textContent = job.left === null ? "" : `${words(job.left)} left`;
    at("note").textContent = job.note;
    const keep = at("keep");
    if (keep) keep.hidden = job.phase !== "training" || job.state !== "running";
  };

  const line = (point) => {
    if (point.kind === "phase") return point.name + (point.total ? `: ${figure(point.total)} ${point.unit}` : "");
    if (point.kind === "progress") return `${Math.floor(100 * point.done / point.total)} %` + (point.note ? `, ${point.note}` : "");
    return point.text || "";
  };

  const happen = (point) => {
    if (point.kind === "curve") {
      if (point.part !== curve.part) { Object.assign(curve, { part: point.part, parts: point.part, train: [], dev: [], metric: [], total: 0 }); again(); }
      if (point.total) curve.total = point.total;
      if ("loss" in point) curve.train.push([point.step, point.loss]);
      if ("dev_loss" in point) {
        curve.dev.push([point.step, point.dev_loss]);
        const row = at("looks").tBodies[0].insertRow();
        for (const text of [figure(point.step), point.dev_loss.toFixed(4), "dev_metric" in point ? point.dev_metric.toFixed(3) : ""]) {
          const cell = row.insertCell();
          cell.className = "n";
          cell.textContent = text;
        }
      }
      soon();
      return;
    }
    const log = at("log"), item = document.createElement("li"), time = document.createElement("time");
    const low = log.scrollTop + log.clientHeight > log.scrollHeight - 8;
    time.dateTime = point.when;
    time.textContent = point.when.slice(11, 19);
    item.append(time, " ", line(point));
    log.querySelector("ol").append(item);
    if (low) log.scrollTop = log.scrollHeight;
  };

  // It has ended: the server's own page says what came out; only that part is put in, so that nobody loses their place.
  const end = async () => {
    const answer = await fetch(location.pathname, { headers: { accept: "text/html" } });
    if (!answer.ok) { location.reload(); return; }
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("outcome");
    if (!made) { location.reload(); return; }
    const onward = made.querySelector("a[data-onward]");
    if (onward) { location.assign(onward.href); return; }
    at("outcome").replaceWith(made);
    made.setAttribute("role", "status");
    live.remove();
  };

  if (section && window.uPlot) {
    soon();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    let width = 0;
    new ResizeObserver(() => { if (plot && Math.abs(section.clientWidth - width) > 8) { width = section.clientWidth; again(); } }).observe(section);
  }
  if (live) {
    const log = at("log");
    log.scrollTop = log.scrollHeight;
    let after = Number(live.dataset.after);
    const source = new EventSource(`${live.dataset.events}?after=${after}`);
    source.addEventListener("point", (event) => {
      if (Number(event.lastEventId) <= after) return;
      after = Number(event.lastEventId);
      happen(JSON.parse(event.data));
    });
    source.addEventListener("job", (event) => stand(JSON.parse(event.data)));
    source.addEventListener("end", () => { source.close(); end(); });
  }
}
