// Pictures of several maps or many channels: which there are, which of them is shown, and bringing more.

import { $, el, ask, address } from "./util.js";
import { state, on, tell, save, source } from "./state.js";
import { canBeLit } from "./lit.js";
import { showProblem } from "./form.js";

const PLAIN = /\.(png|jpe?g|webp|gif)$/i, // files that a browser shows
  LARGE = 32e6; // pixels; more are shown smaller
const LIT = { plane: "lit, on a plane", sphere: "lit, on a sphere" };

const sourceOf = (record) => (record.kind === "job" ? record.source.record : record.id);
export const channelsOf = (record) => state.channels[sourceOf(record)] || "";
const hasMany = (one) => one.channels > 1 && one.kind === "scalar";

// Where the picture of a map is, as the page shows it.
export function mapAddress(record, one, size) {
  const some = hasMany(one) ? channelsOf(record) : "";
  if (PLAIN.test(one.file) && one.kind !== "labels" && !some && size[0] * size[1] <= LARGE)
    return address(record.id, one.file);
  const asked = new URLSearchParams({ map: one.name, channels: some });
  return `/studio/shown/${record.id}/${encodeURIComponent(one.file)}?${asked}`;
}

// The map that is looked at, and how: of a record's maps, or of those of a picture that a job made.
export function lookedAt(maps) {
  if (!maps?.length) return { one: null, shape: null };
  const shape = state.map in LIT && canBeLit(maps) ? state.map : null;
  return { one: maps.find((one) => one.name === state.map) || maps[0], shape };
}

// What the bar under the stage has to choose among maps and channels.
export function mapChoices(record, maps) {
  if (!maps?.length) return [];
  const { one, shape } = lookedAt(maps),
    names = [...maps.map((map) => [map.name, map.name]), ...(canBeLit(maps) ? Object.entries(LIT) : [])];
  const found = [];
  if (names.length > 1) {
    const select = el(
      "select",
      { id: "map", "aria-label": "Which map is shown" },
      names.map(([name, label]) => el("option", { value: name, selected: name === (shape || one.name) }, label)),
    );
    select.addEventListener("change", () => {
      state.map = select.value;
      save();
      tell("shown");
      drawMaps();
    });
    found.push(select);
  }
  if (hasMany(one) && !shape) {
    const input = el("input", {
      id: "channels",
      type: "text",
      "aria-label": `Which of ${one.channels} channels are shown, one or three`,
      placeholder: one.channels > 2 ? "1,2,3" : "1",
      value: channelsOf(record),
    });
    input.addEventListener("change", () => {
      const text = input.value.replaceAll(" ", ""),
        list = text.split(",").map(Number);
      const good = [1, 3].includes(list.length) && list.every((n) => Number.isInteger(n) && n > 0 && n <= one.channels);
      if (text && !good) {
        showProblem(`name one or three of the ${one.channels} channels, as 3,2,1`, "source");
        return;
      }
      state.channels[sourceOf(record)] = text || undefined;
      $("source-problem").hidden = true;
      save();
      tell("shown");
    });
    found.push(el("label", {}, `channels of ${one.channels}`, input));
  }
  return found;
}

// The maps of the chosen picture, below where pictures are brought.
export function drawMaps() {
  const record = source(),
    maps = record?.maps || [];
  if (!record || record.kind === "model") {
    $("maps").replaceChildren();
    return;
  }
  const files = el("input", { type: "file", multiple: true, "aria-label": "Add a map of the same thing" });
  files.addEventListener("change", () => addMaps(record, [...files.files]));
  $("maps").replaceChildren(
    ...(maps.length > 1 ? [el("ul", { "aria-label": "Maps" }, maps.map((one) => row(record, maps, one)))] : []),
    el("label", { className: "add" }, files, "Add a map: normal, height, labels…"),
  );
}

function row(record, maps, one) {
  const looked = lookedAt(maps),
    names = state.forms.maps.includes(one.name) ? state.forms.maps : [one.name, ...state.forms.maps];
  const select = el(
    "select",
    { "aria-label": `What ${one.file} is` },
    names.map((name) => el("option", { value: name, selected: name === one.name }, name)),
  );
  select.addEventListener("change", () => {
    if (maps.some((map) => map.name === select.value)) {
      showProblem(`there is a map ${select.value} already: leave it out first`, "source");
      select.value = one.name;
    } else join(asked(maps.map((map) => ({ ...map, name: map === one ? select.value : map.name }))));
  });
  const asked = (some) => Object.fromEntries(some.map((map) => [map.name, { record: record.id, file: map.file }]));
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        "aria-label": `Show ${one.name}`,
        "aria-pressed": String(looked.one === one && !looked.shape),
        onclick: () => {
          state.map = one.name;
          state.shown = null;
          save();
          tell("shown");
          drawMaps();
        },
      },
      el("img", { src: mapAddress(record, one, record.size), alt: "" }),
    ),
    select,
    el(
      "button",
      {
        type: "button",
        className: "quiet",
        "aria-label": `Leave ${one.name} out`,
        onclick: () => join(asked(maps.filter((map) => map !== one))),
      },
      "✕",
    ),
  );
}

// One picture of several maps: by name, the records or files that they are.
async function join(maps) {
  try {
    const record = await whileBringing(() => joined(maps));
    tell("choose", record.id);
  } catch (problem) {
    showProblem(problem.message, "source");
    drawMaps();
  }
}

async function joined(maps) {
  const record = await ask("/studio/maps", maps);
  record.replaced.forEach(forget);
  state.records.set(record.id, record);
  return record;
}

function forget(id) {
  state.gone.add(id);
  state.records.delete(id);
}

// Pictures that come and go meanwhile may become one: they are not shown.
export async function whileBringing(work) {
  state.bringing = true;
  try {
    return await work();
  } finally {
    state.bringing = false;
  }
}

async function addMaps(record, files) {
  const first = record.maps?.length ? record.maps : [{ name: record.map?.name || "color", file: record.file }],
    maps = Object.fromEntries(first.map((one) => [one.name, { record: record.id, file: one.file }])),
    brought = [];
  try {
    const made = await whileBringing(async () => {
      for (const file of files) {
        const part = await bring(file),
          name = part.map?.name || part.file.replace(/\.\w+$/, "").toLowerCase();
        brought.push(part);
        if (maps[name]) throw new Error(`there is a map ${name} already: leave it out first`);
        maps[name] = { record: part.id };
      }
      return joined(maps);
    });
    tell("choose", made.id);
  } catch (problem) {
    for (const part of brought) {
      forget(part.id);
      ask(`/studio/records/${part.id}/remove`, {}).catch(() => {});
    }
    showProblem(problem.message, "source");
    drawMaps();
  }
}

// Send a file; what the studio knows of it then.
export async function bring(file) {
  const record = await ask(
    `/studio/uploads?name=${encodeURIComponent(file.name || "pasted.png")}`,
    file,
    "application/octet-stream",
  );
  state.records.set(record.id, record);
  return record;
}

// Of pictures that came together, those that are maps of one thing by their names become one.
export async function gathered(records) {
  const things = new Map(),
    order = (one) => state.forms.maps.indexOf(one.map.name);
  for (const one of records.filter((record) => record.map?.name)) {
    const of = things.get(one.map.of) || [];
    if (!of.some((other) => other.map.name === one.map.name)) things.set(one.map.of, [...of, one]);
  }
  const left = new Set(records);
  for (const parts of things.values()) {
    if (parts.length < 2) continue;
    parts.sort((one, other) => order(one) - order(other));
    for (const part of parts) left.delete(part);
    left.add(await joined(Object.fromEntries(parts.map((one) => [one.map.name, { record: one.id }]))));
  }
  return [...left];
}

on("source", drawMaps);
