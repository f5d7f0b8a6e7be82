// What is drawn from: pictures and models that were brought, and the examples.

import { $, el, ask, address } from "./util.js";
import { state, on, tell, save } from "./state.js";
import { showProblem, clearProblem } from "./form.js";
import { bring, gathered, whileBringing } from "./maps.js";

export function drawShelf() {
  if (state.bringing) return;
  const kept = [...state.records.values()].filter((one) => ["picture", "model", "example"].includes(one.kind));
  const own = kept.filter((one) => one.kind !== "example").reverse(),
    examples = kept.filter((one) => one.kind === "example");
  $("shelf").replaceChildren(
    ...[...own, ...examples].map((one) =>
      el(
        "li",
        {},
        el(
          "button",
          {
            type: "button",
            className: "card",
            "aria-pressed": String(one.id === state.source),
            onclick: () => choose(one.id),
          },
          one.thumb
            ? el("img", { src: address(one.id, one.thumb), alt: "" })
            : el("span", { className: "blank" }, "model without its picture"),
          el("span", { className: "name" }, named(one)),
        ),
        one.kind === "example"
          ? ""
          : el(
              "button",
              {
                type: "button",
                className: "corner quiet",
                "aria-label": `Remove ${one.file}`,
                onclick: () => ask(`/studio/records/${one.id}/remove`, {}).catch(() => {}),
              },
              "✕",
            ),
        one.restores
          ? el(
              "button",
              { type: "button", className: "restores", onclick: () => takeBack(one) },
              "Restore how it was made",
            )
          : "",
      ),
    ),
  );
}

const named = (one) =>
  one.kind === "model"
    ? `${one.file} · ${one.engine}`
    : one.maps?.length > 1
      ? `${one.file} · ${one.maps.length} maps`
      : one.file;

export function choose(id) {
  state.source = id;
  state.shown = null;
  save();
  clearProblem();
  drawShelf();
  tell("source");
  tell("shown");
}

async function upload(files) {
  const brought = [];
  let wrong = null;
  let found = brought;
  await whileBringing(async () => {
    for (const file of files) {
      $("standing").textContent = `reading ${file.name}…`;
      await bring(file).then(
        (record) => brought.push(record),
        (problem) => (wrong = problem),
      );
    }
    found = await gathered(brought);
  }).catch((problem) => (wrong = problem));
  $("standing").textContent = "";
  if (found.length) choose(found[found.length - 1].id);
  else drawShelf();
  if (wrong) showProblem(wrong.message, "source");
}

// A picture by unica brings its settings with it; if its source is here, it can be drawn again.
function takeBack(record) {
  const { task: name, values, files, source, sha256 } = record.restores;
  const kept = [...state.records.values()].filter((one) => one.kind !== "job").reverse();
  const here = (file, hash) =>
    (kept.find((one) => hash && one.sha256 === hash) || kept.find((one) => one.file === file))?.id;
  const from = here(source, sha256);
  state.values[name] = { ...values };
  for (const [field, file] of Object.entries(files)) if (here(file)) state.values[name][field] = here(file);
  state.task = name;
  $("task").value = name;
  const missing = [...(from ? [] : [source]), ...Object.values(files).filter((file) => !here(file))];
  if (from) choose(from);
  tell("task");
  if (missing.length)
    showProblem(`its settings are back; to draw it again, bring ${missing.join(" and ")} too`, "source");
  else tell("again");
}

$("file").addEventListener("change", (event) => {
  upload([...event.target.files]);
  event.target.value = "";
});
for (const name of ["dragenter", "dragover"])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  upload([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files || [])];
  if (files.length) {
    event.preventDefault();
    upload(files);
  }
});

on("choose", choose);
on("adopt", async ({ ref, task: name }) => {
  try {
    const record = await ask("/studio/adopt", ref);
    state.records.set(record.id, record);
    if (name) {
      state.task = name;
      $("task").value = name;
    }
    choose(record.id);
    tell("task");
  } catch (problem) {
    showProblem(problem.message);
  }
});
