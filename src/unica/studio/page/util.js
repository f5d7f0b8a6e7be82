// Small things that every part of the page needs.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list" && name !== "form") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const $ = (id) => document.getElementById(id);

// What the studio refuses: a sentence, and one for each setting that is wrong.
export class Refused extends Error {
  constructor(sentence, fields = {}) {
    super(sentence);
    this.fields = fields;
  }
}

export async function ask(path, body, type = "application/json") {
  let answer;
  try {
    answer = await fetch(
      path,
      body === undefined
        ? {}
        : {
            method: "POST",
            headers: { "content-type": type },
            body: type === "application/json" ? JSON.stringify(body) : body,
          },
    );
  } catch {
    throw new Refused("the studio does not answer: is it still running?");
  }
  const said = await answer.json().catch(() => ({ error: `the studio answered ${answer.status}` }));
  if (!answer.ok) throw new Refused(said.error || "the studio refused that", said.fields);
  return said;
}

export const address = (record, name) => `/studio/files/${record}/${encodeURIComponent(name)}`;
export const viewer = (record, name) => `/studio/look/${record}/${encodeURIComponent(name)}/`;
export const sentence = (text) =>
  text ? (/^\S*[./]\w/.test(text) ? text : text[0].toUpperCase() + text.slice(1)).replace(/\.?$/, ".") : "";

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 90) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  return minutes < 90 ? `${minutes} min ${Math.round(value % 60)} s` : `${(value / 3600).toFixed(1)} h`;
}

export function bytes(value) {
  return value < 2 ** 20 ? `${Math.max(1, Math.round(value / 1024))} KB` : `${(value / 2 ** 20).toFixed(1)} MB`;
}

export async function copy(text, button) {
  await navigator.clipboard?.writeText(text).catch(() => {});
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = before;
  }, 1200);
}

// A question mark with a text that shows while it is pointed at or has the focus.
export function tip(text) {
  const button = el("button", { type: "button", className: "tip", "aria-label": text }, "?");
  let bubble = null;
  const hide = () => {
    bubble?.remove();
    bubble = null;
  };
  const show = () => {
    hide();
    bubble = el("div", { className: "bubble", "aria-hidden": "true" }, text);
    document.body.append(bubble);
    const at = button.getBoundingClientRect(),
      size = bubble.getBoundingClientRect();
    bubble.style.left = `${Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8))}px`;
    bubble.style.top = `${at.bottom + size.height + 10 > innerHeight ? at.top - size.height - 6 : at.bottom + 6}px`;
  };
  for (const event of ["mouseenter", "focus", "click"]) button.addEventListener(event, show);
  for (const event of ["mouseleave", "blur", "keydown"]) button.addEventListener(event, hide);
  return button;
}

export function dialog(title, ...content) {
  $("dialog-title").textContent = title;
  $("dialog-body").replaceChildren(...content);
  $("dialog").showModal();
}
