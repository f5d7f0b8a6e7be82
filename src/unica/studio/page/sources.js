// What is drawn from: pictures and models that were brought, and the examples.

import { $, el, ask, address } from "./util.js";
import { state, on, tell, save } from "./state.js";
import { showProblem, clearProblem } from "./form.js";

export function drawShelf() {
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
          el("span", { className: "name" }, one.kind === "model" ? `${one.file} · ${one.engine}` : one.file),
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
  for (const file of files) {
    $("standing").textContent = `reading ${file.name}…`;
    try {
      const record = await ask(
        `/studio/uploads?name=${encodeURIComponent(file.name || "pasted.png")}`,
        file,
        "application/octet-stream",
      );
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
