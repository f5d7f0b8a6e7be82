// The form of a task, made from its declaration.

import { $, el, tip, ask, sentence, address } from "./util.js";
import { state, on, tell, save, task, source, valuesOf, isModel } from "./state.js";

const MARKED = ["mask", "boxes", "polygons", "placements"]; // what is set by drawing on the picture

export const isMark = (field) => MARKED.includes(field.kind) || Boolean(task()?.region.includes(field.name));

export function current() {
  if (state.task === "train") return state.forms.training.fields;
  if (state.task === "measure") return [];
  return task()?.fields || [];
}

// The engine that will draw: the model's own, or the one that is chosen, or the first that draws from a picture.
export function engine() {
  const chosen = valuesOf(state.task).engine;
  if (state.task === "train") return chosen || firstTrained();
  return isModel(source()) ? source().engine : chosen || state.forms.picture_engine;
}

const firstTrained = () =>
  Object.keys(state.forms.engines).find((name) => Object.keys(state.forms.engines[name].presets).length);

// Whether a field is for the engine that will draw. A model has its engine, and its picture at its size.
function belongs(field) {
  if (field.name === "preview") return false; // chosen where the picture is shown
  if (field.name === "weight") return source()?.maps?.length > 1;
  if (isModel(source()) && state.task !== "train" && ["engine", "max_side", "mask_alpha"].includes(field.name))
    return false;
  return !field.engines.length || field.engines.includes(engine());
}

export const fieldsNow = () => current().filter(belongs);

export function drawForm() {
  const form = $("form"),
    now = task();
  const about = {
    train: state.forms.training.description,
    measure: "Measure chosen results against the picture they were made from. Tick them in the strip below.",
  };
  $("about").textContent =
    about[state.task] || now?.description.split("\n\n")[0].replace(/\s+/g, " ").replace(/`/g, "") || "";
  const fields = fieldsNow();
  const plain = fields.filter((field) => !field.advanced && !isMark(field));
  const more = fields.filter((field) => field.advanced && !isMark(field));
  const numbers = fields.filter(isMark);
  form.replaceChildren(...plain.map(drawField), fold("More settings", more), fold("Marks as numbers", numbers));
  $("go").textContent = { train: "Train", measure: "Measure" }[state.task] || "Draw";
}

function fold(title, fields) {
  if (!fields.length) return "";
  const open = fields.some((field) => valuesOf(state.task)[field.name] !== undefined && field.kind !== "file");
  return el(
    "details",
    { open: open && title === "More settings" },
    el("summary", {}, title),
    el("div", {}, fields.map(drawField)),
  );
}

function set(field, value) {
  const values = valuesOf(state.task);
  if (value === undefined || value === "" || (Array.isArray(value) && !value.length)) delete values[field.name];
  else values[field.name] = value;
  save();
  clearProblem(field.name);
  tell("values", field.name);
  if (field.name === "engine" || field.name === "mode") drawForm();
}

function usual(field) {
  const byEngine = state.forms.engines[engine()]?.defaults[state.task]?.[field.name];
  return field.default ?? byEngine ?? field.fallback ?? null;
}

function drawField(field) {
  const id = `f-${field.name}`,
    value = valuesOf(state.task)[field.name];
  const help = sentence(field.help),
    label = sentence(field.label).replace(/\.$/, "");
  const box = el("div", { className: "field", id: `field-${field.name}` });
  const head = (labelled = true) =>
    el(
      "div",
      { className: "head" },
      labelled ? el("label", { htmlFor: id }, label) : el("span", { className: "label", id: `${id}-label` }, label),
      tip(help),
    );
  const make = { choice: drawChoice, file: drawFile, prompts: drawPrompts, clipname: drawClip }[field.kind];
  if (field.name === "engine") drawEngine(box, field, value, id, head);
  else if (field.name === "preset") drawPreset(box, field, value, id, head);
  else if (field.kind === "flag") drawFlag(box, field, value, id, help);
  else if (make) make(box, field, value, id, head, label);
  else if (field.kind === "number" || field.kind === "whole") drawNumber(box, field, value, id, head, label);
  else drawText(box, field, value, id, head);
  box.append(el("p", { className: "problem", id: `p-${field.name}`, hidden: true }));
  return box;
}

function drawNumber(box, field, value, id, head, label) {
  const slider = (field.high <= 300 && field.kind === "whole") || field.high <= 10;
  const step =
    field.kind === "whole" ? (field.metavar === "N" && field.name === "patch" ? 2 : 1) : field.high <= 1 ? 0.01 : 0.1;
  const number = el("input", {
    id,
    type: "number",
    step: field.kind === "whole" ? step : "any",
    min: field.low,
    max: field.high < 1e6 ? field.high : null,
    value: value ?? field.default ?? "",
    placeholder: usual(field) ?? "auto",
  });
  const read = () => (number.value === "" ? undefined : Number(number.value));
  const reset = el(
    "button",
    {
      type: "button",
      className: "reset",
      "aria-label": `Back to the default of ${label}`,
      hidden: value === undefined,
      onclick: () => {
        set(field, undefined);
        number.value = field.default ?? "";
        if (range) {
          range.value = usual(field) ?? field.low;
          range.classList.toggle("auto", usual(field) === null);
        }
        reset.hidden = true;
      },
    },
    "default",
  );
  const heading = head();
  heading.insertBefore(reset, heading.lastChild);
  let range = null;
  const note = (given) => {
    range?.classList.toggle("auto", given === undefined && usual(field) === null);
    reset.hidden = given === undefined || given === field.default;
    set(field, given === field.default ? undefined : given);
  };
  number.addEventListener("input", () => {
    if (range && number.value !== "") range.value = number.value;
    note(read());
  });
  if (slider) {
    range = el("input", {
      type: "range",
      min: field.low,
      max: field.high,
      step,
      "aria-label": `${label}, as a slider`,
    });
    range.value = value ?? usual(field) ?? field.low;
    range.classList.toggle("auto", value === undefined && usual(field) === null);
    range.addEventListener("input", () => {
      number.value = range.value;
      note(Number(range.value));
    });
    box.append(heading, el("div", { className: "pair" }, range, number));
  } else if (field.name === "seed") {
    const any = el(
      "button",
      {
        type: "button",
        "aria-label": "A seed at random",
        onclick: () => {
          number.value = Math.floor(Math.random() * 1e6);
          note(read());
        },
      },
      "⚄",
    );
    box.append(heading, el("div", { className: "row" }, number, any));
  } else box.append(heading, number);
}

function drawFlag(box, field, value, id, help) {
  const input = el("input", { id, type: "checkbox", checked: value ?? field.default ?? false });
  input.addEventListener("change", () =>
    set(field, input.checked === (field.default ?? false) ? undefined : input.checked),
  );
  box.append(el("div", { className: "head check" }, input, el("label", { htmlFor: id }, help)));
}

function options(field, value, id, pairs) {
  const select = el(
    "select",
    { id },
    pairs.map(([key, text]) => el("option", { value: key, selected: key === (value ?? field.default ?? "") }, text)),
  );
  select.addEventListener("change", () =>
    set(field, select.value === (field.default ?? "") ? undefined : select.value),
  );
  return select;
}

function drawChoice(box, field, value, id, head) {
  const none = field.default === null && !field.required && !field.options.includes("") ? [["", "default"]] : [];
  box.append(head(), options(field, value, id, [...none, ...field.options.map((one) => [one, one || "none"])]));
}

function drawEngine(box, field, value, id, head) {
  const able = Object.entries(state.forms.engines).filter(([, about]) =>
    state.task === "train" ? Object.keys(about.presets).length : about.opens_pictures,
  );
  const first = state.task === "train" ? firstTrained() : state.forms.picture_engine;
  box.append(
    head(),
    options(
      { ...field, default: first },
      value,
      id,
      able.map(([name, about]) => [name, `${name}: ${about.summary}`]),
    ),
  );
}

function drawPreset(box, field, value, id, head) {
  const presets = Object.entries(state.forms.engines[engine()].presets);
  const chosen = presets.some(([name]) => name === value) ? value : presets[0][0];
  box.append(
    head(),
    options(
      { ...field, default: presets[0][0] },
      chosen,
      id,
      presets.map(([name, about]) => [name, `${name}: ${about}`]),
    ),
  );
}

function drawClip(box, field, value, id, head) {
  box.append(
    head(),
    options(
      { ...field, default: state.clips[0] },
      value,
      id,
      state.clips.map((one) => [one, one]),
    ),
  );
}

function drawText(box, field, value, id, head) {
  const several = field.repeated;
  const text = el("input", {
    id,
    type: "text",
    autocomplete: "off",
    spellcheck: false,
    placeholder: `${field.example ? `as ${field.example}` : field.metavar.toLowerCase()}${several ? "; several apart by spaces" : ""}`,
    value: (several ? (value || []).join(" ") : value) ?? field.default ?? "",
  });
  text.addEventListener("input", () =>
    set(field, several ? text.value.trim().split(/\s+/).filter(Boolean) : text.value.trim()),
  );
  box.append(head(), text);
}

function drawPrompts(box, field, value, id, head) {
  const rows = el("div", { className: "field", role: "group", "aria-labelledby": `${id}-label` });
  const given = (value?.length ? value : [""]).map((one) => {
    const at = one.lastIndexOf(":"),
      weight = at > 0 ? Number(one.slice(at + 1)) : NaN;
    return Number.isFinite(weight) && one.slice(at + 1).trim() !== "" ? [one.slice(0, at), weight] : [one, 1];
  });
  const note = () =>
    set(
      field,
      [...rows.children]
        .map((row) => {
          const [text, weight] = row.querySelectorAll("input");
          return (
            text.value.trim() &&
            (weight.value === "1" || weight.value === "" ? text.value.trim() : `${text.value.trim()}:${weight.value}`)
          );
        })
        .filter(Boolean),
    );
  const add = (text = "", weight = 1) =>
    rows.append(
      el(
        "div",
        { className: "pair" },
        el("input", {
          type: "text",
          value: text,
          placeholder: "a field of poppies",
          "aria-label": "What the picture should show",
          oninput: note,
        }),
        el("input", {
          type: "number",
          step: "any",
          value: weight,
          "aria-label": "Weight; below 0 pushes away",
          oninput: note,
        }),
      ),
    );
  given.forEach(([text, weight]) => add(text, weight));
  box.append(
    head(false),
    rows,
    el(
      "div",
      { className: "row" },
      el(
        "button",
        {
          type: "button",
          className: "quiet",
          onclick: () => {
            add();
            rows.lastChild.firstChild.focus();
          },
        },
        "+ another",
      ),
    ),
  );
}

function drawFile(box, field, value, id, head, label) {
  const chosen = state.records.get(value);
  const input = el("input", { id, type: "file", accept: "image/*", className: "quiet" });
  input.addEventListener("change", async () => {
    if (!input.files[0]) return;
    try {
      const record = await ask(
        `/studio/uploads?name=${encodeURIComponent(input.files[0].name)}`,
        input.files[0],
        "application/octet-stream",
      );
      state.records.set(record.id, record);
      set(field, record.id);
      drawForm();
      tell("marks");
    } catch (problem) {
      showProblem(problem.message, field.name);
    }
  });
  const pictures = [...state.records.values()].filter(
    (one) => one.thumb && ["picture", "example"].includes(one.kind) && one.id !== state.source,
  );
  const thumbs = el(
    "div",
    { className: "thumbs", role: "group", "aria-label": `${label}: pictures that are here` },
    pictures.map((one) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": String(one.id === value),
          "aria-label": one.file,
          title: one.file,
          onclick: () => {
            set(field, one.id === value ? undefined : one.id);
            drawForm();
            tell("marks");
          },
        },
        el("img", { src: address(one.id, one.thumb), alt: "" }),
      ),
    ),
  );
  box.append(head(), input, thumbs);
  if (chosen) box.append(el("p", { className: "about" }, `chosen: ${chosen.file}`));
  if (field.name === "content" && state.task === "paint") {
    box.append(
      el("p", { className: "about" }, "Or paint it yourself: choose Paint above the picture, and colours from it."),
    );
  }
}

export function showProblem(text, field) {
  const at = field && $(`p-${field}`);
  const where = at || (field === "source" ? $("source-problem") : $("problem"));
  where.textContent = sentence(text);
  where.hidden = false;
  if (at) {
    $(`field-${field}`).classList.add("wrong");
    at.closest("details")?.setAttribute("open", "");
    $(`f-${field}`)?.setAttribute("aria-describedby", `p-${field}`);
    at.scrollIntoView({ block: "nearest" });
  }
}

export function clearProblem(field) {
  const places = field ? [$(`p-${field}`)] : document.querySelectorAll(".problem");
  for (const place of places)
    if (place) {
      place.hidden = true;
      place.textContent = "";
      place.closest(".field")?.classList.remove("wrong");
    }
}

on("source", drawForm);
