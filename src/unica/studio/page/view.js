// What the stage shows: the source with its marks, a preview, a result in one of its views, a training, a table.

import { $, el, address } from "./util.js";
import { state, on, task, source, marked } from "./state.js";
import * as stage from "./stage.js";
import { drawTools, drawMarks, findPalette, margins, hasMargins } from "./marks.js";
import { drawDetails, pictureOf, open, trainingPane, measuringPane } from "./results.js";
import { lookedAt, mapAddress, mapChoices } from "./maps.js";
import { lit } from "./lit.js";

export function draw() {
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
  drawViews(["fit"], record ? mapChoices(record, record.maps) : []);
  if (!record) {
    const other = task()?.on_content && source();
    stage.hint(
      other ? "Choose the other picture" : "Bring a picture",
      other
        ? "This task needs a second one: choose it in the form on the right."
        : "Drop one here, paste it, choose a file, or take an example.",
    );
    return;
  }
  if (!record.preview) {
    stage.hint("This model has no picture inside", "It can draw new ones all the same.");
    return;
  }
  const { one, shape } = lookedAt(record.maps);
  if (shape) return drawLit(record, record.maps, shape, record.size, `source ${record.id}`);
  const image = stage.image(one ? mapAddress(record, one, record.size) : address(record.id, record.preview), record.file);
  image.addEventListener("load", () => {
    if (task()?.name === "paint") findPalette(image);
  });
  const [left, up, right, down] = margins(),
    grown = hasMargins()
      ? [
          Math.max(left, record.size[0] * 0.08),
          Math.max(up, record.size[1] * 0.08),
          Math.max(right, record.size[0] * 0.08),
          Math.max(down, record.size[1] * 0.08),
        ]
      : undefined;
  stage.show([image], record.size, `source ${record.id} ${state.task}`, grown);
  stage.sheet.append(stage.canvas, stage.shapes);
  drawMarks();
}

function drawLit(record, maps, shape, size, name) {
  const side = Math.max(...size);
  stage.show(
    [lit(maps, (one) => mapAddress(record, one, size), shape)],
    shape === "sphere" ? [side, side] : size,
    `${name} ${shape}`,
  );
}

function drawPreview(job, live) {
  $("tools").replaceChildren();
  stage.setTool(null);
  drawViews([]);
  const from = state.records.get(job.source?.record);
  const ratio = live.size[0] / live.size[1],
    widest = Math.max(...(from?.size || live.size), ...live.size);
  const size = ratio > 1 ? [widest, Math.round(widest / ratio)] : [Math.round(widest * ratio), widest];
  stage.show(
    [stage.image(live.preview, "A preview of the picture that is being drawn")],
    size,
    `preview ${job.id} ${ratio.toFixed(2)}`,
  );
}

function drawResult({ record, picture }) {
  $("tools").replaceChildren();
  stage.setTool(null);
  const from = state.records.get(beforeIt(record)),
    { one, shape } = lookedAt(picture.maps),
    file = one ? mapAddress(record, one, picture.size) : address(record.id, picture.preview || picture.path);
  const views = [
    "picture",
    ...(from?.preview ? ["compare"] : []),
    ...(picture.origins ? ["origins"] : []),
    ...(record.animation ? [] : ["seams"]),
  ];
  if (!views.includes(state.view)) state.view = "picture";
  drawViews(views, mapChoices(record, picture.maps));
  const name = `result ${record.id} ${picture.path}`,
    result = stage.image(file, `${record.task}, seed ${picture.seed}`);
  if (shape && state.view === "picture") drawLit(record, picture.maps, shape, picture.size, name);
  else if (state.view === "compare") {
    const same = from.maps?.find((map) => map.name === one?.name),
      before = same ? mapAddress(from, same, from.size) : address(from.id, from.preview);
    stage.show([stage.image(before, "The source"), result], picture.size, name);
    stage.compare(share);
  } else if (state.view === "origins") {
    const over = stage.image(
      address(record.id, picture.origins),
      "Where each pixel comes from, as colours; seams are dark",
    );
    over.style.opacity = opacity;
    stage.show([result, over], picture.size, name);
  } else if (state.view === "seams") {
    const tiles = el("div", { className: "tiles", role: "img", "aria-label": "The result repeated three by three" });
    tiles.style.background = `url("${file}") 0 0 / ${picture.size[0]}px ${picture.size[1]}px`;
    stage.show(
      [tiles],
      picture.size.map((side) => side * 3),
      `${name} 3`,
    );
  } else stage.show([result], picture.size, name);
}

// What a result is a change of: the source, or for some tasks the other picture.
function beforeIt(job) {
  const declared = state.forms.tasks.find((one) => one.name === job.task);
  return declared?.on_content && declared.region.length ? job.values.content : job.source?.record;
}

let share = 0.5,
  opacity = 0.6;
const VIEWS = { picture: "Result", compare: "Compare", origins: "Where from", seams: "Seams" };

function drawViews(views, choices = []) {
  const buttons = views
    .filter((name) => VIEWS[name])
    .map((name) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": String(state.view === name),
          onclick: () => {
            state.view = name;
            draw();
          },
        },
        VIEWS[name],
      ),
    );
  const slider = (label, value, change) =>
    el(
      "label",
      {},
      el("input", {
        type: "range",
        "aria-label": label,
        min: 0,
        max: 1,
        step: 0.01,
        value,
        oninput: (event) => change(Number(event.target.value)),
      }),
    );
  const back = views.includes("picture") ? el("button", { type: "button", onclick: () => open(null) }, "Source") : "";
  $("views").replaceChildren(
    back,
    ...buttons,
    ...choices,
    state.view === "compare" && views.includes("compare")
      ? slider("How much is the source, and how much the result", share, (value) => {
          share = value;
          stage.compare(share);
        })
      : "",
    state.view === "origins" && views.includes("origins")
      ? slider("How strongly the colours show", opacity, (value) => {
          opacity = value;
          stage.sheet.querySelectorAll("img")[1].style.opacity = value;
        })
      : "",
    el("span", { className: "grow" }),
    el(
      "button",
      { type: "button", className: "quiet", "aria-label": "Zoom out", onclick: () => stage.zoomBy(0.8) },
      "−",
    ),
    el(
      "button",
      {
        type: "button",
        className: "quiet",
        id: "zoom",
        "aria-label": "Fit the picture; shows the zoom",
        onclick: () => stage.fit(),
      },
      `${Math.round(stage.zoom() * 100)} %`,
    ),
    el(
      "button",
      { type: "button", className: "quiet", "aria-label": "Zoom in", onclick: () => stage.zoomBy(1.25) },
      "+",
    ),
    el(
      "button",
      {
        type: "button",
        className: "quiet",
        title: "One pixel of the picture is one of the screen",
        onclick: () => stage.toPixels(),
      },
      "1:1",
    ),
  );
}

on("zoom", (scale) => {
  if ($("zoom")) $("zoom").textContent = `${Math.round(scale * 100)} %`;
});

on("values", (name) => {
  if (["left", "up", "right", "down"].includes(name)) draw();
});
on("dragged marks", () => {
  if (!state.shown) draw();
});
on("shown", draw);
