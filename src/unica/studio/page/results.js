// What was made: the strip of results, and what can be done with the one that is on the stage.

import { $, el, svg, ask, address, viewer, seconds, bytes, copy, dialog, sentence } from "./util.js";
import { state, on, tell, save, jobs } from "./state.js";
import { lookedAt } from "./maps.js";

export const pictureOf = (shown) => {
  const record = shown && state.records.get(shown.record);
  const picture = record?.pictures?.find((one) => one.path === shown.file);
  return picture ? { record, picture } : null;
};

const title = (job) => ({ train: `train ${job.engine || ""}`, evaluate: "measure" })[job.job] || job.task;

export function drawStrip() {
  const list = jobs().reverse();
  $("no-results").hidden = list.length > 0;
  $("strip").replaceChildren(...list.map(drawJob));
}

function drawJob(job) {
  const live = state.live.get(job.id) || {},
    busy = ["waiting", "running"].includes(job.state);
  const shots = (job.pictures || []).map((picture) => shot(job, picture));
  if (job.job === "train" || job.job === "evaluate") shots.push(whole(job));
  else if (busy)
    shots.push(
      el(
        "div",
        { className: "shot" },
        live.preview ? el("img", { src: live.preview, alt: "A preview of the picture that is being drawn" }) : "",
        el("span", {}, standing(job)),
      ),
    );
  const act = (name, label) =>
    el("button", { type: "button", onclick: () => ask(`/studio/jobs/${job.id}/${name}`, {}).catch(() => {}) }, label);
  const remove = el(
    "button",
    {
      type: "button",
      "aria-label": `Remove these results of ${title(job)}`,
      onclick: () => ask(`/studio/records/${job.id}/remove`, {}).catch(() => {}),
    },
    "✕",
  );
  return el(
    "li",
    { id: `job-${job.id}` },
    el(
      "div",
      { className: "set" },
      shots,
      job.state === "failed" ? el("p", { className: "failed" }, sentence(job.error)) : "",
    ),
    el(
      "div",
      { className: "job" },
      el(
        "span",
        {},
        `${title(job)}, ${job.source_name}${busy ? "" : `, ${job.state === "done" ? seconds(job.seconds) : job.state}`}`,
      ),
      busy && job.job === "train" && job.state === "running" ? act("keep", "Stop and keep") : "",
      busy ? act("cancel", "Cancel") : remove,
    ),
  );
}

function shot(job, picture) {
  const here = state.shown?.record === job.id && state.shown?.file === picture.path,
    name = `${job.id}/${picture.path}`;
  const pick = el("input", {
    type: "checkbox",
    className: "pick",
    checked: state.picked.has(name),
    "aria-label": `Choose ${picture.path} for measuring`,
  });
  pick.addEventListener("change", () => {
    state.picked[pick.checked ? "add" : "delete"](name);
    tell("picked");
  });
  return el(
    "div",
    { className: "holder" },
    el(
      "button",
      {
        type: "button",
        className: "shot",
        "aria-pressed": String(here),
        "aria-label": `${title(job)}, seed ${picture.seed}`,
        onclick: () => open(job.id, picture.path),
      },
      el("img", { src: address(job.id, picture.thumb), alt: "", loading: "lazy" }),
      el("span", {}, `seed ${picture.seed}`),
    ),
    job.animation ? "" : pick,
  );
}

function whole(job) {
  const last = job.samples?.at?.(-1);
  const seen = job.job === "train" && last?.thumb ? el("img", { src: address(job.id, last.thumb), alt: "" }) : "";
  return el(
    "button",
    {
      type: "button",
      className: "shot",
      "aria-pressed": String(state.shown?.record === job.id),
      "aria-label": `${title(job)}: show`,
      onclick: () => open(job.id, null),
    },
    seen,
    el("span", {}, standing(job)),
  );
}

export function standing(job) {
  const live = state.live.get(job.id) || {};
  if (job.state === "waiting")
    return live.place || job.place ? `place ${live.place || job.place} of ${live.of || job.of}` : "waiting";
  if (job.state === "running") {
    const left = live.left ?? job.left;
    return `${Math.round(100 * (live.done ?? job.done ?? 0))} %${left ? `, ${seconds(left)} left` : ""}`;
  }
  return job.state;
}

export function open(record, file) {
  state.shown = record ? { record, file } : null;
  if (!["picture", "compare", "origins", "seams"].includes(state.view)) state.view = "picture";
  save();
  tell("shown");
  drawStrip();
}

// The line under the stage: facts of the result, and where it can go.
export function drawDetails() {
  const found = pictureOf(state.shown),
    bar = $("details");
  if (!found) {
    bar.replaceChildren();
    return;
  }
  const { record, picture } = found,
    ref = { record: record.id, file: picture.path },
    shown = lookedAt(picture.maps).one?.file || picture.path;
  const notes = Object.entries(picture)
    .filter(([name, value]) => typeof value === "number" && !["seed", "seconds", "bytes"].includes(name))
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
  const facts = [
    `seed ${picture.seed}`,
    `${picture.size[0]}×${picture.size[1]}`,
    bytes(picture.bytes),
    seconds(picture.seconds),
    ...notes,
  ].join(" · ");
  const send = el(
    "select",
    { "aria-label": "Send this result to another task" },
    el("option", { value: "" }, "Send to…"),
    state.forms.tasks.map((one) => el("option", { value: one.name }, one.name)),
  );
  send.addEventListener("change", () => {
    if (send.value) tell("adopt", { ref, task: send.value });
  });
  bar.replaceChildren(
    el("span", { className: "facts" }, facts),
    picture.preview
      ? el(
          "a",
          { className: "button", href: viewer(record.id, picture.path), target: "_blank", rel: "noopener" },
          "Look closely",
        )
      : "",
    el(
      "a",
      { className: "button", href: `${address(record.id, shown)}?download=true`, download: shown },
      "Download",
    ),
    picture.maps?.length > 1
      ? el(
          "a",
          { className: "button", href: `/studio/all/${record.id}/${encodeURIComponent(picture.path)}`, download: "" },
          `Download all ${picture.maps.length} maps`,
        )
      : "",
    el("button", { type: "button", onclick: () => tell("more", record) }, "More like this"),
    el("button", { type: "button", onclick: () => tell("adopt", { ref }) }, "Use as source"),
    send,
    el("button", { type: "button", onclick: () => tell("settings", record) }, "Settings"),
    el("button", { type: "button", onclick: () => code(picture) }, "Command"),
    picture.scores ? el("button", { type: "button", onclick: () => guided(record, picture) }, "What guided it") : "",
  );
}

function code(picture) {
  const block = (label, text) => {
    const button = el("button", { type: "button", onclick: () => copy(text, button) }, "Copy");
    return el(
      "section",
      {},
      el("div", { className: "bar" }, el("strong", {}, label), el("span", { className: "grow" }), button),
      el("pre", { tabIndex: 0 }, text),
    );
  };
  dialog("How to draw it again", block("On a command line", picture.command), block("In Python", picture.python));
}

function guided(record, picture) {
  const points = picture.scores.map((score, step) => [step, score]);
  dialog(
    "What guided it",
    el(
      "p",
      { className: "about" },
      "The score of each guided step: how well CLIP finds that the picture fits the words.",
    ),
    plot([{ name: "score", points }], "guided step"),
    picture.mask
      ? el(
          "figure",
          {},
          el("img", { src: address(record.id, picture.mask), alt: "Where the picture was guided", className: "plot" }),
          el("figcaption", { className: "about" }, "Red is where it was guided."),
        )
      : "",
  );
}

const COLOURS = ["#1c8c72", "#c06a1f", "#5a6fd6", "#b0467f", "#7d8b2a", "#4a98b8", "#a35d4a", "#777"];

// A plot of lines, each with points [x, y].
export function plot(lines, label) {
  const w = 640,
    h = 240,
    left = 48,
    low = 26;
  const all = lines.flatMap((line) => line.points),
    xs = all.map((p) => p[0]),
    ys = all.map((p) => p[1]);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs, 1)],
    [y0, y1] = [Math.min(...ys), Math.max(...ys)];
  const px = (v) => left + ((v - x0) / (x1 - x0 || 1)) * (w - left - 10),
    py = (v) => h - low - ((v - y0) / (y1 - y0 || 1)) * (h - low - 12);
  const figure = svg("svg", {
    class: "plot",
    viewBox: `0 0 ${w} ${h}`,
    role: "img",
    "aria-label": `A plot over ${label}: ${lines.map((line) => line.name).join(", ")}`,
  });
  for (const share of [0, 0.5, 1]) {
    const value = y0 + share * (y1 - y0),
      text = svg("text", { x: left - 6, y: py(value) + 4, "text-anchor": "end" });
    text.textContent = value.toFixed(Math.abs(value) < 10 ? 3 : 1);
    figure.append(svg("line", { class: "axis", x1: left, x2: w - 10, y1: py(value), y2: py(value) }), text);
  }
  for (const [value, anchor] of [
    [x0, "start"],
    [x1, "end"],
  ]) {
    const text = svg("text", { x: px(value), y: h - 8, "text-anchor": anchor });
    text.textContent = anchor === "end" ? `${Math.round(value)} ${label}` : Math.round(value);
    figure.append(text);
  }
  lines.forEach((line, i) => {
    const path = svg("path", {
      d: line.points.map((p, n) => `${n ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join(""),
    });
    path.style.stroke = COLOURS[i % COLOURS.length];
    figure.append(path);
  });
  const legend =
    lines.length > 1
      ? el(
          "div",
          { className: "legend" },
          lines.map((line, i) => {
            const mark = el("i");
            mark.style.background = COLOURS[i % COLOURS.length];
            return el("span", {}, mark, line.name);
          }),
        )
      : "";
  return el("div", {}, figure, legend);
}

export function trainingPane(job) {
  const levels = job.losses?.[0]?.length - 2 || 0,
    sizes = job.sizes || [];
  const lines = Array.from({ length: levels }, (_, i) => ({
    name: sizes[i] ? `level ${sizes[i].join("×")}` : `level ${i}`,
    points: job.losses.filter((p) => p[2 + i] !== null).map((p) => [p[0], p[2 + i]]),
  })).filter((line) => line.points.length > 1);
  const model = job.model && job.state === "done";
  return [
    el("h2", {}, `Training ${job.engine} on ${job.source_name}: ${standing(job)}`),
    lines.length
      ? plot(lines, "steps")
      : el("p", { className: "about" }, "The loss of each level is plotted here as soon as there are some steps."),
    model
      ? el(
          "div",
          { className: "bar" },
          el(
            "a",
            { className: "button", href: `${address(job.id, job.model)}?download=true`, download: job.model },
            `Download the model (${bytes(job.bytes)})`,
          ),
          el(
            "button",
            { type: "button", onclick: () => tell("adopt", { ref: { record: job.id }, task: "sample" }) },
            "Draw with this model",
          ),
        )
      : "",
    el(
      "div",
      { className: "samples" },
      (job.samples || []).map((sample) =>
        el(
          "figure",
          {},
          el("img", { src: address(job.id, sample.path), alt: `A sample after ${sample.step} steps` }),
          el("figcaption", {}, `step ${sample.step}`),
        ),
      ),
    ),
    job.error ? el("p", { className: "problem" }, sentence(job.error)) : "",
  ];
}

export function measuringPane(job) {
  if (job.state !== "done")
    return [
      el("h2", {}, `Measuring against ${job.source_name}: ${standing(job)}`),
      job.error ? el("p", { className: "problem" }, sentence(job.error)) : "",
    ];
  const head = el(
    "tr",
    {},
    job.columns.map((name) => el("th", { scope: "col" }, name)),
  );
  const rows = job.rows.map(([family, ...cells]) =>
    el(
      "tr",
      { title: family },
      cells.map((cell, i) => el(i ? "td" : "th", i ? {} : { scope: "row" }, cell)),
    ),
  );
  return [
    el(
      "div",
      { className: "bar" },
      el(
        "h2",
        {},
        `${job.source_name}: ${job.rows.length ? `${job.samples.length} results measured` : "nothing measured"}`,
      ),
      el("span", { className: "grow" }),
      el(
        "a",
        { className: "button", href: address(job.id, job.report), target: "_blank", rel: "noopener" },
        "Open the report",
      ),
      el(
        "a",
        { className: "button", href: `${address(job.id, job.report)}?download=true`, download: job.report },
        "Download it",
      ),
    ),
    job.verdict ? el("p", { className: "problem" }, job.verdict) : "",
    el("div", { className: "scroll", tabIndex: 0 }, el("table", {}, el("thead", {}, head), el("tbody", {}, rows))),
    ...job.reasons.map((reason) => el("p", { className: "about" }, reason)),
  ];
}

on("records", drawStrip);
