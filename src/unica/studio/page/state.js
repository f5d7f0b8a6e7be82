// What the page knows: what the studio has told it, and what the user has chosen. The latter survives a reload.

const KEY = "unica-studio";
const kept = ["source", "task", "values", "marks", "shown", "theme", "map", "channels"];

export const state = {
  forms: null, // made from the declarations
  records: new Map(), // pictures, models and jobs, by their ids
  live: new Map(), // what is known of jobs that run, by their ids: preview, how much is done, the place in the queue
  clips: [],
  source: null, // the id of a record
  task: "sample",
  values: {}, // of each task's form, by the names of its settings
  marks: {}, // what is drawn on a picture, by task and picture
  shown: null, // {record, file}: the result on the stage; null: the source
  view: "picture",
  map: null, // the name of the map that is shown, where there are several; or "plane" or "sphere": all of them in light
  channels: {}, // of pictures of many channels: those that are shown, as "3,2,1", by the ids of sources
  bringing: false, // whether files are on their way, which may become one picture
  gone: new Set(), // ids of records that the page knows to be removed, whatever is told of them late
  picked: new Set(), // results that are to be measured, as "record/file"
  theme: null,
};

const listeners = {};

export function on(topics, listener) {
  for (const topic of topics.split(" ")) (listeners[topic] ||= []).push(listener);
}

export function tell(topic, detail) {
  for (const listener of listeners[topic] || []) listener(detail);
}

export function save() {
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(kept.map((name) => [name, state[name]]))));
  } catch {
    /* private windows keep nothing */
  }
}

export function restore() {
  try {
    const before = JSON.parse(localStorage.getItem(KEY) || "{}");
    for (const name of kept) if (before[name] !== undefined) state[name] = before[name];
  } catch {
    /* what cannot be read is not there */
  }
}

export const task = () => state.forms.tasks.find((one) => one.name === state.task) || null;
export const source = () => state.records.get(state.source) || null;
export const valuesOf = (name) => (state.values[name] ||= {});
export const jobs = () => [...state.records.values()].filter((record) => record.kind === "job");
export const isModel = (record) => record?.kind === "model";

// The picture on which the user marks: the source, or for some tasks the other picture.
export function marked() {
  const now = task();
  if (now?.on_content && now.region.length) return state.records.get(valuesOf(now.name).content) || null;
  return source();
}

export function marksOf(record = marked()) {
  const key = `${state.task}/${record?.id}`;
  return (state.marks[key] ||= []);
}
