// The picture in the middle: zoom, move, compare, look where pixels come from, look at seams.

import { $, el, svg } from "./util.js";
import { tell } from "./state.js";

const stage = $("stage");
export const sheet = el("div", { className: "sheet" });
export const canvas = el("canvas", { "aria-hidden": "true" });
export const shapes = svg("svg", { "aria-hidden": "true" });
const split = el("div", { className: "split", hidden: true });

let size = [1, 1],
  margin = [0, 0, 0, 0],
  scale = 1,
  x = 0,
  y = 0,
  key = null,
  fitted = true;
const pointers = new Map();
let tool = null; // what takes the pointer instead of moving the picture
let pinch = 0;

export const pictureSize = () => size;
export const zoom = () => scale;

// Show images on top of each other; the picture keeps its place on the stage while it is the same one.
export function show(images, now, name, room = [0, 0, 0, 0]) {
  size = now;
  margin = room;
  sheet.replaceChildren(...images);
  sheet.style.width = `${size[0]}px`;
  sheet.style.height = `${size[1]}px`;
  shapes.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  stage.replaceChildren(sheet, split);
  split.hidden = true;
  if (name !== key || fitted) fit();
  key = name;
  place();
}

export function image(src, alt) {
  if (/\.(mp4|webm)(\?|$)/.test(src))
    return el("video", { src, "aria-label": alt, autoplay: true, loop: true, muted: true, playsInline: true });
  return el("img", { src, alt, draggable: false });
}

export function pane(...content) {
  key = null;
  stage.replaceChildren(el("div", { className: "pane", tabIndex: 0 }, ...content));
}

export function hint(title, text) {
  key = null;
  stage.replaceChildren(el("div", { className: "hint" }, el("strong", {}, title), el("span", {}, text)));
}

export function compare(share) {
  const over = sheet.querySelectorAll("img")[1];
  if (!over) return;
  over.style.clipPath = `inset(0 0 0 ${share * 100}%)`;
  split.hidden = false;
  split.style.left = `${x + share * size[0] * scale}px`;
  split.dataset.share = share;
}

export function setTool(handler) {
  tool = handler;
  stage.classList.toggle("marking", Boolean(handler));
}

export function fit() {
  const room = stage.getBoundingClientRect(),
    [left, up, right, down] = margin;
  const width = size[0] + left + right,
    height = size[1] + up + down;
  scale = Math.min((room.width - 24) / width, (room.height - 24) / height);
  if (scale > 1) scale = Math.max(1, Math.min(scale, 4));
  x = (room.width - width * scale) / 2 + left * scale;
  y = (room.height - height * scale) / 2 + up * scale;
  fitted = true;
  place();
}

function place() {
  sheet.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  sheet.classList.toggle("pixels", scale >= 2);
  if (!split.hidden) split.style.left = `${x + split.dataset.share * size[0] * scale}px`;
  tell("zoom", scale);
}

export function zoomBy(factor, at) {
  const room = stage.getBoundingClientRect();
  const [cx, cy] = at || [room.width / 2, room.height / 2];
  const next = Math.min(Math.max(scale * factor, 0.01), 64);
  x = cx - ((cx - x) * next) / scale;
  y = cy - ((cy - y) * next) / scale;
  scale = next;
  fitted = false;
  place();
}

export function toPixels() {
  const factor = 1 / scale;
  zoomBy(factor);
}

const here = (event) => {
  const room = stage.getBoundingClientRect();
  return [event.clientX - room.left, event.clientY - room.top];
};

// A place on the stage in pixels of the picture.
const inPicture = ([sx, sy]) => [(sx - x) / scale, (sy - y) / scale];

stage.addEventListener(
  "wheel",
  (event) => {
    if (!stage.contains(sheet)) return;
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018)), here(event));
  },
  { passive: false },
);

stage.addEventListener("pointerdown", (event) => {
  if (!stage.contains(sheet)) return;
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, here(event));
  if (pointers.size === 1 && tool && event.button === 0 && !event.altKey) tool.down(inPicture(here(event)), event);
  else if (pointers.size === 2) tool?.cancel?.();
});

stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId),
    now = here(event);
  if (!before) {
    tool?.hover?.(inPicture(now));
    return;
  }
  if (pointers.size === 2) {
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
    const far = Math.hypot(now[0] - other[0], now[1] - other[1]);
    if (pinch) zoomBy(far / pinch, [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    pinch = far;
  } else if (tool && !event.altKey && event.buttons === 1) tool.move(inPicture(now), event);
  else {
    x += now[0] - before[0];
    y += now[1] - before[1];
    fitted = false;
    place();
  }
  pointers.set(event.pointerId, now);
});

for (const name of ["pointerup", "pointercancel"]) {
  stage.addEventListener(name, (event) => {
    if (pointers.delete(event.pointerId) && tool && pointers.size === 0 && pinch === 0)
      tool.up(inPicture(here(event)), event);
    if (pointers.size === 0) pinch = 0;
  });
}

stage.addEventListener("keydown", (event) => {
  if (event.target !== stage || event.ctrlKey || event.metaKey) return;
  const moves = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
  if (event.key === "+" || event.key === "=") zoomBy(1.25);
  else if (event.key === "-") zoomBy(0.8);
  else if (event.key === "0") fit();
  else if (event.key === "1") toPixels();
  else if (moves[event.key]) {
    x += moves[event.key][0];
    y += moves[event.key][1];
    fitted = false;
    place();
  } else return;
  event.preventDefault();
});

new ResizeObserver(() => {
  if (fitted && stage.contains(sheet)) fit();
}).observe(stage);
