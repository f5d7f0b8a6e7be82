// From the form to a job, and how far the job is.

import { $, el, ask } from "./util.js";
import { state, on, tell, save, source, valuesOf } from "./state.js";
import { showProblem, clearProblem, current, fieldsNow, isMark } from "./form.js";
import { asValues } from "./marks.js";
import { open, standing } from "./results.js";
import { drawShelf } from "./sources.js";
import { channelsOf } from "./maps.js";

export function drawTasks() {
  const groups = Map.groupBy
    ? Map.groupBy(state.forms.tasks, (one) => one.group)
    : state.forms.tasks.reduce((map, one) => map.set(one.group, [...(map.get(one.group) || []), one]), new Map());
  $("task").replaceChildren(
    ...[...groups].map(([name, list]) =>
      el(
        "optgroup",
        { label: name },
        list.map((one) => el("option", { value: one.name }, one.name[0].toUpperCase() + one.name.slice(1))),
      ),
    ),
    el(
      "optgroup",
      { label: "Models and measures" },
      el("option", { value: "train" }, "Train a model"),
      el("option", { value: "measure" }, "Measure results"),
    ),
  );
  if (![...$("task").options].some((one) => one.value === state.task)) state.task = "sample";
  $("task").value = state.task;
}

// The values of the form, without those of fields that it does not show now.
function values() {
  const names = fieldsNow().map((field) => field.name);
  return Object.fromEntries(Object.entries(valuesOf(state.task)).filter(([name]) => names.includes(name)));
}

// Which channels are shown while it is drawn: those that are shown of the source.
function seen() {
  const from = source(),
    channels = from?.maps?.length === 1 && channelsOf(from);
  return channels ? { preview: channels } : {};
}

async function submit(again = false, changes = {}) {
  clearProblem();
  $("go").disabled = true;
  try {
    const job = { kind: "draw", task: state.task, source: state.source };
    if (state.task === "train") Object.assign(job, { kind: "train", values: values() });
    else if (state.task === "measure")
      Object.assign(job, {
        kind: "evaluate",
        samples: [...state.picked].map((name) => {
          const [record, ...file] = name.split("/");
          return { record, file: file.join("/") };
        }),
      });
    else
      job.values = { ...values(), ...(again ? {} : await asValues()), ...seen(), ...changes };
    const record = await ask("/studio/jobs", job);
    state.view = "picture";
    if (innerWidth <= 900) $("stage").scrollIntoView({ block: "center" });
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

export let watched = null; // the job that the bar at the form shows

export function drawRun() {
  const busy = (one) => one?.kind === "job" && ["waiting", "running"].includes(one.state);
  const last = state.records.get(watched),
    job = busy(last) ? last : [...state.records.values()].reverse().find(busy);
  $("progress").hidden = $("stop").hidden = !job;
  if (!job) {
    $("standing").textContent = "";
    return;
  }
  const live = state.live.get(job.id);
  watched = job.id;
  $("progress").value = live?.done ?? job.done ?? 0;
  $("standing").textContent = [standing(job), live?.standing, live?.said].filter(Boolean).join(" · ");
}

$("task").addEventListener("change", () => {
  state.task = $("task").value;
  if (state.task !== "measure") state.shown = null;
  save();
  clearProblem();
  tell("task");
  tell("shown");
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
$("stop").addEventListener("click", () => {
  if (watched) ask(`/studio/jobs/${watched}/cancel`, {}).catch((problem) => showProblem(problem.message));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
});
on("more", (job) => {
  const last = Math.max(...job.pictures.map((picture) => picture.seed));
  settings(job);
  submit(true, { ...job.values, seed: last + 1 });
});
on("settings", settings);
on("again", () => submit(true));

function settings(job) {
  state.task = job.task;
  $("task").value = job.task;
  const marks = current() // they are on the picture, or were on another one
    .filter(isMark)
    .map((field) => field.name);
  state.values[job.task] = Object.fromEntries(Object.entries(job.values).filter(([name]) => !marks.includes(name)));
  state.source = job.source.record;
  save();
  drawShelf();
  tell("task");
}
