// The studio's page: what the studio says reaches the parts that show it.

import { $, el, ask } from "./util.js";
import { state, on, tell, save, restore, valuesOf } from "./state.js";
import { drawForm, showProblem, clearProblem } from "./form.js";
import { drawStrip, standing } from "./results.js";
import { drawShelf, choose } from "./sources.js";
import { drawMaps } from "./maps.js";
import { draw } from "./view.js";
import { drawRun, drawTasks, watched } from "./run.js";

function listen() {
  const events = new EventSource("/studio/events");
  events.onmessage = ({ data }) => heard(JSON.parse(data));
  events.onerror = () => {
    $("standing").textContent = "the studio does not answer; trying again…";
  };
  addEventListener("pagehide", () => events.close());
}

let started = false;

function heard(event) {
  if (event.event === "state") {
    state.records = new Map(event.records.map((record) => [record.id, record]));
    state.clips = event.clips;
    begin();
  } else if (event.event === "record") noted(event.record);
  else if (event.event === "removed") removed(event.record.id);
  else live(event);
}

function begin() {
  if (!state.records.has(state.source) && !state.bringing)
    state.source = [...state.records.values()].find((one) => ["picture", "model"].includes(one.kind))?.id || null;
  if (state.shown && !state.records.has(state.shown.record)) state.shown = null;
  if (!started) {
    started = true;
    drawTasks();
    tell("task");
  }
  drawShelf();
  drawMaps();
  drawForm();
  drawStrip();
  drawRun();
  draw();
  document.body.dataset.ready = "true";
}

function noted(record) {
  if (state.gone.has(record.id)) return;
  const before = state.records.get(record.id);
  state.records.set(record.id, record);
  if (record.kind !== "job") {
    drawShelf();
    if (!state.source && !state.bringing && record.kind === "picture") choose(record.id);
    return;
  }
  if (!["waiting", "running"].includes(record.state)) {
    state.live.delete(record.id);
    if (record.state === "failed" && watched === record.id)
      showProblem(record.error, record.wrong && $(`p-${record.wrong}`) ? record.wrong : null);
  }
  const first = record.pictures?.[0],
    fresh = (record.pictures?.length || 0) > (before?.pictures?.length || 0);
  if (state.shown?.record === record.id) {
    if (first && !state.shown.file && fresh) {
      state.shown.file = first.path;
      save();
      draw();
    } else if (record.job !== "draw") draw();
    else if (
      !state.shown.file &&
      !state.live.has(record.id) &&
      record.state !== "waiting" &&
      record.state !== "running"
    ) {
      state.shown = null;
      draw();
    }
  }
  drawStrip();
  drawRun();
}

function live(event) {
  const known = state.live.get(event.id) || {},
    job = state.records.get(event.id);
  if (!job) return;
  const next = { ...known, ...event };
  if (event.event === "said") next.said = event.line.includes("/") ? known.said : event.line;
  if (event.event === "frame") next.preview = `data:image/webp;base64,${event.preview}`;
  state.live.set(event.id, next);
  if (event.event === "training") {
    const level = Object.values(event.losses);
    job.losses = [...(job.losses || []), [event.step, event.seconds, ...level]];
    if (state.shown?.record === job.id) draw();
  }
  if (event.event === "levels") job.sizes = event.sizes;
  if (event.event === "frame" && state.shown?.record === job.id && !state.shown.file) draw();
  const item = $(`job-${job.id}`)?.querySelector(".shot:last-of-type span"),
    seen = $(`job-${job.id}`)?.querySelector("div.shot");
  if (item && job.job !== "draw") item.textContent = standing(job);
  if (seen) {
    seen.querySelector("span").textContent = standing(job);
    if (next.preview) {
      if (!seen.querySelector("img")) seen.prepend(el("img", { alt: "A preview of the picture that is being drawn" }));
      seen.querySelector("img").src = next.preview;
    }
  }
  if (event.id === watched || !watched) drawRun();
}

function removed(id) {
  state.records.delete(id);
  state.live.delete(id);
  for (const name of state.picked) if (name.startsWith(`${id}/`)) state.picked.delete(name);
  if (state.shown?.record === id) state.shown = null;
  if (state.source === id) state.source = null;
  save();
  begin();
}

on("task", drawForm);
on("form", (side) => {
  const field = side && $(`f-${side}`);
  if (field) field.value = valuesOf("outpaint")[side] || 0;
  else drawForm();
});
on("picked", () => {
  if (state.task === "measure") clearProblem();
});
on("marked", () => clearProblem());

$("theme").addEventListener("click", () => {
  state.theme = theme() === "dark" ? "light" : "dark";
  save();
  showTheme();
});

const theme = () => state.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const showTheme = () => {
  if (state.theme) document.documentElement.dataset.theme = state.theme; // else the system's
};

restore();
showTheme();
state.forms = await ask("/studio/forms");
listen();
