// Marking on the picture: brush, eraser, boxes, outlines, parts that go elsewhere, margins, and a rough painting.
//
// Marks are kept as shapes in pixels of the picture, so they survive a reload, can be undone, and become a mask of any size.

import { $, el, svg, ask } from "./util.js";
import { state, on, tell, save, task, source, valuesOf, marked, marksOf } from "./state.js";
import { canvas, shapes, setTool, pictureSize, zoom } from "./stage.js";

const MASK = 2048; // pixels of the longer side of a mask that is sent
const PAINTING = 512; // of a painting
const SIDES = ["left", "up", "right", "down"];

let chosen = "hand",
  width = 40,
  colour = null,
  palette = [],
  draft = null,
  undone = [],
  dragged = null;

// The tools that a task's declaration asks for.
export function tools() {
  const now = task();
  if (!now) return [];
  const found = [];
  const field = (kind) => now.fields.filter((one) => one.kind === kind && !now.region.includes(one.name));
  if (now.region.length) {
    found.push(["brush", "Brush"], ["eraser", "Eraser"], ["box:box", "Box"], ["outline", "Outline"]);
  }
  for (const one of field("boxes")) found.push([`box:${one.name}`, `${one.label} a box`]);
  for (const one of field("placements")) found.push([`place:${one.name}`, `${one.label} a part`]);
  if (hasMargins()) found.push(["margins", "Margins"]);
  if (now.name === "paint") found.push(["paint", "Paint"]);
  return found.length ? [["hand", "Hand"], ...found] : [];
}

export const hasMargins = () =>
  Boolean(task() && SIDES.every((side) => task().fields.some((field) => field.name === side)));
export const margins = () => SIDES.map((side) => Number(valuesOf("outpaint")[side] || 0));
export const painting = () => chosen === "paint" || marksOf().some((one) => one.kind === "paint");

function choose(name) {
  chosen = name;
  draft = null;
  setTool(name === "hand" ? null : handler);
  drawTools();
  tell("marks");
}

export function drawTools() {
  const bar = $("tools"),
    all = tools();
  if (!all.some(([name]) => name === chosen)) {
    chosen = "hand";
    setTool(null);
  }
  if (!all.length) {
    bar.replaceChildren();
    return;
  }
  const brush = ["brush", "eraser", "paint"].includes(chosen);
  const list = marksOf();
  bar.replaceChildren(
    ...all.map(([name, label]) =>
      el(
        "button",
        { type: "button", "aria-pressed": String(name === chosen), onclick: () => choose(name) },
        label[0].toUpperCase() + label.slice(1),
      ),
    ),
    brush
      ? el(
          "label",
          {},
          "width",
          el("input", {
            type: "range",
            min: 2,
            max: Math.max(60, Math.round(Math.max(...pictureSize()) / 4)),
            value: width,
            oninput: (event) => {
              width = Number(event.target.value);
            },
          }),
        )
      : "",
    chosen === "paint" ? swatches() : "",
    el("span", { className: "grow" }),
    el(
      "button",
      { type: "button", className: "quiet", disabled: !list.length, onclick: undo, title: "Ctrl+Z" },
      "Undo",
    ),
    el("button", { type: "button", className: "quiet", disabled: !list.length, onclick: clear }, "Clear"),
  );
}

function swatches() {
  return el(
    "div",
    { className: "swatches", role: "group", "aria-label": "Colours of the picture" },
    palette.map((one, number) => {
      const button = el("button", {
        type: "button",
        "aria-label": `Colour ${number + 1}`,
        "aria-pressed": String(one === colour),
        onclick: () => {
          colour = one;
          drawTools();
        },
      });
      button.style.background = one;
      return button;
    }),
    el(
      "button",
      {
        type: "button",
        "aria-label": "Fill everything with this colour",
        title: "Fill",
        onclick: () => add({ kind: "paint", fill: true, colour }),
      },
      "▦",
    ),
  );
}

function add(shape) {
  marksOf().push(shape);
  undone = [];
  changed();
}

export function undo() {
  const shape = marksOf().pop();
  if (shape) undone.push(shape);
  changed();
}

export function redo() {
  const shape = undone.pop();
  if (shape) marksOf().push(shape);
  changed();
}

function clear() {
  marksOf().length = 0;
  if (hasMargins()) for (const side of SIDES) delete valuesOf("outpaint")[side];
  changed();
  tell("form");
}

function changed() {
  save();
  drawTools();
  drawMarks();
  tell("marked");
}

const whole = ([px, py]) => {
  const [w, h] = pictureSize();
  return [Math.round(Math.min(Math.max(px, 0), w)), Math.round(Math.min(Math.max(py, 0), h))];
};
const between = ([ax, ay], [bx, by]) => [Math.min(ax, bx), Math.min(ay, by), Math.abs(ax - bx), Math.abs(ay - by)];
const inside = ([left, top, w, h], [px, py]) => px >= left && px <= left + w && py >= top && py <= top + h;

const handler = {
  down(at, event) {
    if (!marked()) return;
    const list = marksOf();
    if (chosen === "margins") {
      dragged = side(at);
      return;
    }
    dragged = chosen.startsWith("place") || chosen.startsWith("box") ? grip(list, at) : null;
    if (dragged) return;
    const start = whole(at);
    if (["brush", "eraser", "paint"].includes(chosen)) {
      draft = {
        kind: chosen === "paint" ? "paint" : "stroke",
        erase: chosen === "eraser" || undefined,
        width,
        colour: chosen === "paint" ? colour : undefined,
        points: [at.map(Math.round)],
      };
    } else if (chosen === "outline") draft = { kind: "polygon", points: [start] };
    else draft = { kind: chosen.split(":")[0], field: chosen.split(":")[1], start, box: [...start, 0, 0] };
    drawMarks();
    void event;
  },
  move(at) {
    if (dragged) {
      drag(at);
      return;
    }
    if (!draft) return;
    if (draft.points) {
      const last = draft.points[draft.points.length - 1],
        next = draft.kind === "polygon" ? whole(at) : at.map(Math.round);
      if (Math.hypot(next[0] - last[0], next[1] - last[1]) * zoom() > 2) draft.points.push(next);
    } else draft.box = between(draft.start, whole(at));
    drawMarks();
  },
  up() {
    if (dragged) {
      dragged = null;
      changed();
      tell("dragged");
      return;
    }
    const made = draft;
    draft = null;
    if (!made) return;
    if (made.kind === "box" && made.box[2] > 2 && made.box[3] > 2)
      add({ kind: "box", field: made.field, box: made.box });
    else if (made.kind === "place" && made.box[2] > 2 && made.box[3] > 2) {
      const [w] = pictureSize(),
        [left, top, bw, bh] = made.box,
        step = Math.round(bw / 3);
      add({
        kind: "place",
        field: made.field,
        from: made.box,
        to: [left + bw + step <= w ? left + step : left - step, top, bw, bh],
      });
    } else if (made.kind === "polygon" && made.points.length > 2) add(made);
    else if (made.kind === "stroke" || made.kind === "paint") add(made);
    else drawMarks();
  },
  cancel() {
    draft = dragged = null;
    drawMarks();
  },
};

// What lies under the pointer of what can be dragged: a part's new place or its corner, or a box.
function grip(list, at) {
  const near = 12 / zoom();
  for (const shape of [...list].reverse()) {
    if (shape.kind !== chosen.split(":")[0] || shape.field !== chosen.split(":")[1]) continue;
    const box = shape.to || shape.box;
    if (Math.hypot(at[0] - box[0] - box[2], at[1] - box[1] - box[3]) < near)
      return { box, corner: true, at, before: [...box] };
    if (inside(box, at)) return { box, at, before: [...box] };
  }
  return null;
}

function side(at) {
  const [w, h] = pictureSize(),
    [left, up, right, down] = margins();
  const far = {
    left: Math.abs(at[0] + left),
    up: Math.abs(at[1] + up),
    right: Math.abs(at[0] - w - right),
    down: Math.abs(at[1] - h - down),
  };
  return { side: Object.entries(far).sort((one, other) => one[1] - other[1])[0][0] };
}

function drag(at) {
  const [w, h] = pictureSize();
  if (dragged.side) {
    const grown = { left: -at[0], up: -at[1], right: at[0] - w, down: at[1] - h }[dragged.side];
    valuesOf("outpaint")[dragged.side] = Math.max(0, Math.round(grown)) || undefined;
    tell("form", dragged.side);
  } else {
    const dx = Math.round(at[0] - dragged.at[0]),
      dy = Math.round(at[1] - dragged.at[1]),
      [left, top, bw, bh] = dragged.before,
      box = dragged.box;
    if (dragged.corner) {
      box[2] = Math.max(4, Math.min(bw + dx, w - left));
      box[3] = Math.max(4, Math.min(bh + dy, h - top));
    } else {
      box[0] = Math.max(0, Math.min(left + dx, w - bw));
      box[1] = Math.max(0, Math.min(top + dy, h - bh));
    }
  }
  drawMarks();
}

// Everything that is drawn over the picture.
export function drawMarks() {
  const list = [...marksOf(), ...(draft ? [draft] : [])];
  const nodes = [];
  for (const shape of list) {
    if (shape.kind === "box") nodes.push(rectangle(shape.box, "shape"), knob(shape.box));
    else if (shape.kind === "polygon")
      nodes.push(svg("polygon", { class: "shape", points: shape.points.map((p) => p.join(",")).join(" ") }));
    else if (shape.kind === "place" && shape.from) {
      const centre = ([left, top, w, h]) => [left + w / 2, top + h / 2],
        [ax, ay] = centre(shape.from),
        [bx, by] = centre(shape.to);
      nodes.push(
        rectangle(shape.from, "shape from"),
        svg("line", { class: "arrow", x1: ax, y1: ay, x2: bx, y2: by }),
        rectangle(shape.to, "shape"),
        knob(shape.to),
      );
    } else if (shape.kind === "place") nodes.push(rectangle(shape.box, "shape from"));
  }
  if (hasMargins() && marked()) {
    const [w, h] = pictureSize(),
      [left, up, right, down] = margins();
    nodes.push(rectangle([-left, -up, w + left + right, h + up + down], "frame"));
    const middle = [
      [-left, h / 2],
      [w / 2, -up],
      [w + right, h / 2],
      [w / 2, h + down],
    ];
    if (chosen === "margins")
      for (const [px, py] of middle) nodes.push(svg("circle", { class: "handle", cx: px, cy: py, r: 7 / zoom() }));
  }
  shapes.replaceChildren(...nodes);
  drawStrokes(list);
}

const rectangle = ([left, top, w, h], name) => svg("rect", { class: name, x: left, y: top, width: w, height: h });
const knob = ([left, top, w, h]) => svg("circle", { class: "handle", cx: left + w, cy: top + h, r: 5 / zoom() });

function drawStrokes(list) {
  const [w, h] = pictureSize(),
    ratio = Math.min(1, MASK / 2 / Math.max(w, h));
  canvas.width = Math.max(1, Math.round(w * ratio));
  canvas.height = Math.max(1, Math.round(h * ratio));
  if (painting()) {
    paintOn(canvas, list, ratio);
    canvas.style.opacity = 1;
    return;
  }
  const ink = canvas.getContext("2d");
  stroke(
    ink,
    list.filter((shape) => shape.kind === "stroke"),
    ratio,
    getComputedStyle($("go")).backgroundColor,
  );
  canvas.style.opacity = 0.55;
}

function stroke(ink, list, ratio, style) {
  ink.lineCap = ink.lineJoin = "round";
  for (const shape of list) {
    ink.globalCompositeOperation = shape.erase ? "destination-out" : "source-over";
    ink.strokeStyle = ink.fillStyle = style || shape.colour;
    if (shape.fill) {
      ink.fillRect(0, 0, ink.canvas.width, ink.canvas.height);
      continue;
    }
    ink.lineWidth = shape.width * ratio;
    ink.beginPath();
    const [first, ...rest] = shape.points;
    ink.moveTo(first[0] * ratio, first[1] * ratio);
    if (!rest.length) ink.lineTo(first[0] * ratio + 0.01, first[1] * ratio);
    for (const [px, py] of rest) ink.lineTo(px * ratio, py * ratio);
    ink.stroke();
  }
}

function paintOn(target, list, ratio) {
  const ink = target.getContext("2d");
  ink.fillStyle = palette[0] || "#888";
  ink.fillRect(0, 0, target.width, target.height);
  stroke(
    ink,
    list.filter((shape) => shape.kind === "paint"),
    ratio,
    null,
  );
}

const blob = (target) =>
  new Promise((done) => {
    target.toBlob(done, "image/png");
  });

// The marks as values of the task's form; strokes become a mask that is uploaded.
export async function asValues() {
  const now = task(),
    list = marksOf(),
    values = {},
    record = marked();
  if (!now || !record) return values;
  const [w, h] = record.size;
  for (const shape of list) {
    if (shape.kind === "box") (values[shape.field] ||= []).push(shape.box);
    else if (shape.kind === "polygon") (values.polygon ||= []).push(shape.points);
    else if (shape.kind === "place") (values[shape.field] ||= []).push([shape.from, shape.to]);
  }
  const strokes = list.filter((shape) => shape.kind === "stroke");
  if (strokes.length && now.region.length) {
    const ratio = Math.min(1, MASK / Math.max(w, h)),
      target = el("canvas", { width: Math.round(w * ratio), height: Math.round(h * ratio) });
    const ink = target.getContext("2d");
    stroke(ink, strokes, ratio, "#fff");
    ink.globalCompositeOperation = "destination-over";
    ink.fillStyle = "#000";
    ink.fillRect(0, 0, target.width, target.height);
    values.mask = (await ask(`/studio/masks?of=${record.id}`, await blob(target), "application/octet-stream")).id;
  }
  if (now.name === "paint" && list.some((shape) => shape.kind === "paint")) {
    const ratio = PAINTING / Math.max(w, h),
      target = el("canvas", { width: Math.round(w * ratio), height: Math.round(h * ratio) });
    paintOn(target, list, ratio);
    values.content = (
      await ask("/studio/uploads?name=painting.png&kind=painting", await blob(target), "application/octet-stream")
    ).id;
  }
  return values;
}

// Colours of the picture that are far from each other, from dark to light.
export function findPalette(image) {
  const small = el("canvas", { width: 48, height: 48 }),
    ink = small.getContext("2d", { willReadFrequently: true });
  ink.drawImage(image, 0, 0, 48, 48);
  const data = ink.getImageData(0, 0, 48, 48).data,
    points = [];
  for (let i = 0; i < data.length; i += 4) points.push([data[i], data[i + 1], data[i + 2]]);
  const far = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
  const centres = [points[0]];
  while (centres.length < 8)
    centres.push(
      points.reduce(
        (best, p) => {
          const d = Math.min(...centres.map((c) => far(c, p)));
          return d > best[1] ? [p, d] : best;
        },
        [points[0], -1],
      )[0],
    );
  for (let round = 0; round < 6; round++) {
    const sums = centres.map(() => [0, 0, 0, 0]);
    for (const p of points) {
      let best = 0;
      centres.forEach((c, i) => {
        if (far(c, p) < far(centres[best], p)) best = i;
      });
      p.forEach((v, i) => {
        sums[best][i] += v;
      });
      sums[best][3]++;
    }
    sums.forEach((sum, i) => {
      if (sum[3]) centres[i] = sum.slice(0, 3).map((v) => v / sum[3]);
    });
  }
  const light = (c) => 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2];
  palette = centres
    .sort((a, b) => light(a) - light(b))
    .map((c) => `#${c.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`);
  colour = palette.includes(colour) ? colour : palette[4];
  drawTools();
}

document.addEventListener("keydown", (event) => {
  if (/INPUT|SELECT|TEXTAREA/.test(event.target.tagName) || $("dialog").open) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    (event.shiftKey ? redo : undo)();
    return;
  }
  const name = { b: "brush", e: "eraser", x: "box:box", o: "outline", h: "hand" }[event.key];
  if (name && !event.ctrlKey && !event.metaKey && tools().some(([one]) => one === name)) choose(name);
  if (event.key === "[") width = Math.max(2, width - 6);
  if (event.key === "]") width += 6;
  if ("[]".includes(event.key)) drawTools();
});

on("zoom", () => {
  if (shapes.isConnected) drawMarks();
});
// A new task begins with its first tool, if it cannot do without marks.
on("task", () => {
  const all = tools(),
    now = task(),
    needed =
      now &&
      (now.region_needed ||
        hasMargins() ||
        now.name === "paint" ||
        now.fields.some((field) => field.kind === "placements"));
  choose(all.length > 1 && needed ? all[1][0] : "hand");
});
on("source", () => {
  const size = marked()?.size;
  if (size) width = Math.max(4, Math.round(Math.max(...size) / 24));
  drawTools();
});
