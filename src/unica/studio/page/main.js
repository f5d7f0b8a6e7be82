// The studio's page: what the user does, and what the studio says.

import { $, el, ask, address } from "./util.js";
import { state, on, tell, save, restore, task, source, valuesOf, isModel, marked } from "./state.js";
import { drawForm, showProblem, clearProblem, current, engine } from "./form.js";
import * as stage from "./stage.js";
import { drawTools, drawMarks, asValues, findPalette, margins, hasMargins } from "./marks.js";
import { drawStrip, drawDetails, pictureOf, open, standing, trainingPane, measuringPane } from "./results.js";

// The source

function drawShelf() {
  const kept = [...state.records.values()].filter((one) => ["picture", "model", "example"].includes(one.kind));
  const own = kept.filter((one) => one.kind !== "example").reverse(), examples = kept.filter((one) => one.kind === "example");
  $("shelf").replaceChildren(...[...own, ...examples].map((one) => el("li", {},
    el("button", { type: "button", className: "card", "aria-pressed": String(one.id === state.source), onclick: () => choose(one.id) },
      one.thumb ? el("img", { src: address(one.id, one.thumb), alt: "" }) : el("span", { className: "blank" }, "model without its picture"),
      el("span", { className: "name" }, one.kind === "model" ? `${one.file} · ${one.engine}` : one.file)),
    one.kind === "example" ? "" : el("button", { type: "button", className: "corner quiet", "aria-label": `Remove ${one.file}`, onclick: () => ask(`/studio/records/${one.id}/remove`, {}).catch(() => {}) }, "✕"),
    one.restores ? el("button", { type: "button", className: "restores", onclick: () => takeBack(one) }, "Restore how it was made") : "")));
}

function choose(id) {
  state.source = id;
  state.shown = null;
  save();
  clearProblem();
  drawShelf();
  tell("source");
  draw();
}

async function upload(files) {
  for (const file of files) {
    $("standing").textContent = `reading ${file.name}…`;
    try {
      const record = await ask(`/studio/uploads?name=${encodeURIComponent(file.name || "pasted.png")}`, file, "application/octet-stream");
      state.records.set(record.id, record);
      choose(record.id);
      $("standing").textContent = "";
    } catch (problem) {
      $("standing").textContent = "";
      showProblem(problem.message, "source");
    }
  }
}

// A picture by unica brings its settings with it; if its source is here, it can be drawn again.
function takeBack(record) {
  const { task: name, values, files, source: from } = record.restores;
  state.values[name] = { ...values };
  for (const [field, file] of Object.entries(files)) if (file.record) state.values[name][field] = file.record;
  state.task = name;
  $("task").value = name;
  const missing = [...(from.record ? [] : [from.name]), ...Object.values(files).filter((file) => !file.record).map((file) => file.name)];
  if (from.record) choose(from.record);
  tell("task");
  if (missing.length) showProblem(`its settings are back; to draw it again, bring ${missing.join(" and ")} too`, "source");
  else submit(true);
}

// The stage

function draw() {
  drawDetails();
  const job = state.shown && state.records.get(state.shown.record);
  if (job?.job === "train") return plain(trainingPane(job));
  if (job?.job === "evaluate") return plain(measuringPane(job));
  const running = job && state.live.get(job.id);
  if (job && !state.shown.file && running?.preview) return drawPreview(job, running);
  const found = pictureOf(state.shown);
  if (found) return drawResult(found);
  return drawSource();
}

function plain(content) {
  $("tools").replaceChildren();
  $("views").replaceChildren();
  stage.setTool(null);
  stage.pane(...content);
}

function drawSource() {
  const record = marked();
  drawTools();
  drawViews(["fit"]);
  if (!record) {
    const other = task()?.on_content && source();
    stage.hint(other ? "Choose the other picture" : "Bring a picture", other ? "This task needs a second one: choose it in the form on the right." : "Drop one here, paste it, choose a file, or take an example.");
    return;
  }
  if (!record.preview) { stage.hint("This model has no picture inside", "It can draw new ones all the same."); return; }
  const image = stage.image(address(record.id, record.preview), record.file);
  image.addEventListener("load", () => { if (task()?.name === "paint") findPalette(image); });
  const [left, up, right, down] = margins(), grown = hasMargins() ? [Math.max(left, record.size[0] * 0.08), Math.max(up, record.size[1] * 0.08), Math.max(right, record.size[0] * 0.08), Math.max(down, record.size[1] * 0.08)] : undefined;
  stage.show([image], record.size, `source ${record.id} ${state.task}`, grown);
  stage.sheet.append(stage.canvas, stage.shapes);
  drawMarks();
}

function drawPreview(job, live) {
  $("tools").replaceChildren();
  stage.setTool(null);
  drawViews([]);
  const from = state.records.get(job.source?.record);
  const ratio = live.size[0] / live.size[1], widest = Math.max(...(from?.size || live.size), ...live.size);
  const size = ratio > 1 ? [widest, Math.round(widest / ratio)] : [Math.round(widest * ratio), widest];
  stage.show([stage.image(live.preview, "A preview of the picture that is being drawn")], size, `preview ${job.id} ${ratio.toFixed(2)}`);
}

function drawResult({ record, picture }) {
  $("tools").replaceChildren();
  stage.setTool(null);
  const from = state.records.get(record.source?.record), file = address(record.id, picture.path);
  const views = ["picture", ...(from?.preview ? ["compare"] : []), ...(picture.origins ? ["origins"] : []), ...(record.animation ? [] : ["seams"])];
  if (!views.includes(state.view)) state.view = "picture";
  drawViews(views);
  const name = `result ${record.id} ${picture.path}`, result = stage.image(file, `${record.task}, seed ${picture.seed}`);
  if (state.view === "compare") {
    stage.show([stage.image(address(from.id, from.preview), "The source"), result], picture.size, name);
    stage.compare(share);
  } else if (state.view === "origins") {
    const over = stage.image(address(record.id, picture.origins), "Where each pixel comes from, as colours; seams are dark");
    over.style.opacity = opacity;
    stage.show([result, over], picture.size, name);
  } else if (state.view === "seams") {
    const tiles = el("div", { className: "tiles", role: "img", "aria-label": "The result repeated three by three" });
    tiles.style.background = `url("${file}") 0 0 / ${picture.size[0]}px ${picture.size[1]}px`;
    stage.show([tiles], picture.size.map((side) => side * 3), `${name} 3`);
  } else stage.show([result], picture.size, name);
}

let share = 0.5, opacity = 0.6;
const VIEWS = { picture: "Result", compare: "Compare", origins: "Where from", seams: "Seams" };

function drawViews(views) {
  const buttons = views.filter((name) => VIEWS[name]).map((name) => el("button", { type: "button", "aria-pressed": String(state.view === name), onclick: () => { state.view = name; draw(); } }, VIEWS[name]));
  const slider = (label, value, change) => el("label", {}, label, el("input", { type: "range", min: 0, max: 1, step: 0.01, value, oninput: (event) => change(Number(event.target.value)) }));
  const back = views.includes("picture") ? el("button", { type: "button", className: "quiet", onclick: () => open(null) }, "Back to the source") : "";
  $("views").replaceChildren(...buttons,
    state.view === "compare" && views.includes("compare") ? slider("source to result", share, (value) => { share = value; stage.compare(share); }) : "",
    state.view === "origins" && views.includes("origins") ? slider("strength", opacity, (value) => { opacity = value; stage.sheet.querySelectorAll("img")[1].style.opacity = value; }) : "",
    el("span", { className: "grow" }), back,
    el("button", { type: "button", className: "quiet", "aria-label": "Zoom out", onclick: () => stage.zoomBy(0.8) }, "−"),
    el("button", { type: "button", className: "quiet", id: "zoom", "aria-label": "Fit the picture; shows the zoom", onclick: () => stage.fit() }, `${Math.round(stage.zoom() * 100)} %`),
    el("button", { type: "button", className: "quiet", "aria-label": "Zoom in", onclick: () => stage.zoomBy(1.25) }, "+"),
    el("button", { type: "button", className: "quiet", title: "One pixel of the picture is one of the screen", onclick: () => stage.toPixels() }, "1:1"));
}

on("zoom", (scale) => { if ($("zoom")) $("zoom").textContent = `${Math.round(scale * 100)} %`; });

// The task

function drawTasks() {
  const groups = Map.groupBy ? Map.groupBy(state.forms.tasks, (one) => one.group) : state.forms.tasks.reduce((map, one) => map.set(one.group, [...(map.get(one.group) || []), one]), new Map());
  $("task").replaceChildren(
    ...[...groups].map(([name, list]) => el("optgroup", { label: name }, list.map((one) => el("option", { value: one.name }, one.name[0].toUpperCase() + one.name.slice(1))))),
    el("optgroup", { label: "Models and measures" }, el("option", { value: "train" }, "Train a model"), el("option", { value: "measure" }, "Measure results")));
  if (![...$("task").options].some((one) => one.value === state.task)) state.task = "sample";
  $("task").value = state.task;
}

function values() {
  const known = new Set(current().map((field) => field.name)), engines = state.forms.engines, mine = engines[engine()];
  const list = state.task === "train" ? "training_knobs" : "knobs", foreign = new Set(Object.values(engines).flatMap((one) => one[list]));
  const own = new Set([...(mine?.[list] || []), ...(task()?.fields.filter((field) => !field.panel?.startsWith("Engine")).map((field) => field.name) || [])]);
  return Object.fromEntries(Object.entries(valuesOf(state.task)).filter(([name]) => known.has(name) && (!foreign.has(name) || own.has(name)) && !(name === "engine" && isModel(source()) && state.task !== "train")));
}

async function submit(again = false, changes = {}) {
  clearProblem();
  $("go").disabled = true;
  try {
    const job = { kind: "draw", task: state.task, source: state.source };
    if (state.task === "train") Object.assign(job, { kind: "train", values: values() });
    else if (state.task === "measure") Object.assign(job, { kind: "evaluate", samples: [...state.picked].map((name) => { const [record, ...file] = name.split("/"); return { record, file: file.join("/") }; }) });
    else job.values = { ...values(), ...(again ? {} : await asValues()), ...changes };
    const record = await ask("/studio/jobs", job);
    state.records.set(record.id, record);
    watched = record.id;
    open(record.id, null);
    tell("records");
    drawRun();
  } catch (problem) {
    const wrong = Object.entries(problem.fields || {});
    for (const [field, text] of wrong) showProblem(text, field);
    if (!wrong.length || !wrong.some(([field]) => field === "source" || $(`p-${field}`))) showProblem(problem.message);
    document.querySelector(".problem:not([hidden])")?.scrollIntoView({ block: "nearest" });
  } finally {
    $("go").disabled = false;
  }
}

let watched = null; // the job that the bar at the form shows

function drawRun() {
  const job = state.records.get(watched) || [...state.records.values()].reverse().find((one) => one.kind === "job" && ["waiting", "running"].includes(one.state));
  const busy = job && ["waiting", "running"].includes(job.state), live = job && state.live.get(job.id);
  $("progress").hidden = $("stop").hidden = !busy;
  if (!busy) { $("standing").textContent = ""; return; }
  watched = job.id;
  $("progress").value = live?.done ?? job.done ?? 0;
  $("standing").textContent = [standing(job), live?.standing, live?.said].filter(Boolean).join(" · ");
}

// What the studio says

function listen() {
  const events = new EventSource("/studio/events");
  events.onmessage = ({ data }) => heard(JSON.parse(data));
  events.onerror = () => { $("standing").textContent = "the studio does not answer; trying again…"; };
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
  if (!state.records.has(state.source)) state.source = [...state.records.values()].find((one) => ["picture", "model"].includes(one.kind))?.id || null;
  if (state.shown && !state.records.has(state.shown.record)) state.shown = null;
  if (!started) { started = true; drawTasks(); tell("task"); }
  drawShelf();
  drawForm();
  drawStrip();
  drawRun();
  draw();
  document.body.dataset.ready = "true";
}

function noted(record) {
  const before = state.records.get(record.id);
  state.records.set(record.id, record);
  if (record.kind !== "job") {
    drawShelf();
    if (!state.source && record.kind === "picture") choose(record.id);
    return;
  }
  if (!["waiting", "running"].includes(record.state)) {
    state.live.delete(record.id);
    if (record.state === "failed" && watched === record.id) showProblem(record.error, record.wrong && $(`p-${record.wrong}`) ? record.wrong : null);
  }
  const first = record.pictures?.[0], fresh = (record.pictures?.length || 0) > (before?.pictures?.length || 0);
  if (state.shown?.record === record.id) {
    if (first && !state.shown.file && fresh) { state.shown.file = first.path; save(); draw(); }
    else if (record.job !== "draw") draw();
    else if (!state.shown.file && !state.live.has(record.id) && record.state !== "waiting" && record.state !== "running") { state.shown = null; draw(); }
  }
  drawStrip();
  drawRun();
}

function live(event) {
  const known = state.live.get(event.id) || {}, job = state.records.get(event.id);
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
  const item = $(`job-${job.id}`)?.querySelector(".shot:last-of-type span"), seen = $(`job-${job.id}`)?.querySelector("div.shot");
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

// What the user does

$("file").addEventListener("change", (event) => { upload([...event.target.files]); event.target.value = ""; });
for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => { event.preventDefault(); upload([...event.dataTransfer.files]); });
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files || [])];
  if (files.length) { event.preventDefault(); upload(files); }
});
$("task").addEventListener("change", () => { state.task = $("task").value; if (state.task !== "measure") state.shown = null; save(); clearProblem(); tell("task"); draw(); });
$("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
$("stop").addEventListener("click", () => { if (watched) ask(`/studio/jobs/${watched}/cancel`, {}).catch((problem) => showProblem(problem.message)); });
document.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(); });
$("theme").addEventListener("click", () => { state.theme = theme() === "dark" ? "light" : "dark"; save(); showTheme(); });

const theme = () => state.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
const showTheme = () => { document.documentElement.dataset.theme = theme(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

on("task", drawForm);
on("form", (side) => {
  const field = side && $(`f-${side}`);
  if (field) field.value = valuesOf("outpaint")[side] || 0;
  else drawForm();
});
on("values", (name) => { if (["left", "up", "right", "down"].includes(name)) draw(); });
on("dragged marks", () => { if (!state.shown) draw(); });
on("shown", draw);
on("picked", () => { if (state.task === "measure") clearProblem(); });
on("marked", () => clearProblem());
on("more", (job) => {
  const last = Math.max(...job.pictures.map((picture) => picture.seed));
  settings(job);
  submit(true, { ...job.values, seed: last + 1 });
});
on("settings", settings);
on("adopt", async ({ ref, task: name }) => {
  try {
    const record = await ask("/studio/adopt", ref);
    state.records.set(record.id, record);
    if (name) { state.task = name; $("task").value = name; }
    choose(record.id);
    tell("task");
  } catch (problem) { showProblem(problem.message); }
});

function settings(job) {
  state.task = job.task;
  $("task").value = job.task;
  const hidden = ["mask", "box", "polygon", "move", "copy", "erase", "put"];
  state.values[job.task] = Object.fromEntries(Object.entries(job.values).filter(([name]) => !hidden.includes(name)));
  state.source = job.source.record;
  save();
  drawShelf();
  tell("task");
}

restore();
showTheme();
state.forms = await ask("/studio/forms");
listen();
