"""What the studio does, without the web: sessions with uploads and jobs, and what happens to them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

from unica import cache
from unica.declare import Group, parameters
from unica.engines.base import engines, find, picture_engine, training_engine
from unica.errors import UnicaError, one_of
from unica.jobs.models import SUFFIXES as MODELS
from unica.jobs.models import is_model, refuse_others
from unica.jobs.options import Refused, read_values
from unica.names import safe_name
from unica.prompts import DEFAULT_CLIP
from unica.studio.forms import files_of, meant, options_of_form, options_of_training
from unica.studio.pool import Pool
from unica.studio.seen import facts_of_maps, facts_of_model, facts_of_picture
from unica.studio.store import Record, Session, Store, linked
from unica.tasks import Task, tasks

LARGEST_FILE = 256 * 2**20  # bytes of an upload
_CHUNK = 2**20
_MOST_EACH = 12  # jobs of one session that wait or run
_POINTS = 300  # of a plot of losses
_SWEEP_EVERY = 60.0  # seconds

Listener = Callable[[dict[str, Any]], None]
Describe = Callable[[Record], dict[str, Any]]  # of a job that has a folder now: what its worker is told


class _Source(NamedTuple):
    """What a job begins with: a picture or a model, and the other maps of a picture by their names."""

    path: Path
    more: list[tuple[str, str]]


class Studio:
    """All users' sessions, and the pool that does their jobs. Its methods may be called from any thread."""

    def __init__(self, store: Store, workers: int | None = None, clips: Mapping[str, Path] | None = None) -> None:
        self.store = store
        self.clips: dict[str, Any] = {**(clips or {}), DEFAULT_CLIP: DEFAULT_CLIP}
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._running: dict[str, tuple[Session, Record]] = {}
        self._lock, self._adopting = threading.RLock(), threading.Lock()
        self.pool = Pool(self._happened, workers)
        self._closed = threading.Event()
        threading.Thread(target=self._sweep, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self.pool.close()

    # What there is

    def state(self, session: Session) -> dict[str, Any]:
        """Everything that the page of a session shows."""
        shared = list(self.store.shared.records.values())
        records = sorted([*shared, *list(session.records.values())], key=lambda record: record.made)
        return {"records": [record.as_json() for record in records], "clips": list(self.clips)}

    def listen(self, session: Session, listener: Listener) -> Callable[[], None]:
        """Hear what happens in a session; returns what ends that."""
        with self._lock:
            self._listeners[session.name].append(listener)

        def stop() -> None:
            with self._lock:
                self._listeners[session.name].remove(listener)
                if not self._listeners[session.name]:
                    del self._listeners[session.name]

        return stop

    # What comes in

    def upload(self, session: Session, name: str, data: BufferedIOBase, kind: str = "picture") -> Record:
        """Keep a picture or a model that somebody sends. What is neither is refused, and not kept."""
        name = safe_name(name or "picture.png")
        record = session.new("model" if Path(name).suffix.lower() in MODELS else kind, {"file": name})
        with self._keeping(session, record):
            path = record.folder / name
            with open(path, "xb") as file:
                left = LARGEST_FILE
                while chunk := data.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise UnicaError(f"a file of more than {LARGEST_FILE // 2**20} MB is too large for the studio")
                    file.write(chunk)
            record.about |= facts_of_model(path) if record.kind == "model" else facts_of_picture(path)
        return record

    def adopt(self, session: Session, ref: Any) -> Record:
        """A result as a picture or a model of its own, to go on from."""
        path, ref = self.path(session, ref), _ref(ref)
        made = self.store.find(session, ref["record"]).about.get("pictures", ())
        maps = next((one["maps"] for one in made if one["path"] == path.name), ())
        with self._adopting:
            for record in list(session.records.values()):
                if record.about.get("adopted") == ref:
                    return record
            if len(maps) > 1:
                record = self.keep_maps(session, {one["name"]: path.with_name(one["file"]) for one in maps})
            else:
                with open(path, "rb") as file:
                    record = self.upload(session, path.name, file)
            record.about["adopted"] = ref
            record.save()
            return record

    def join(self, session: Session, maps: Any) -> Record:
        """Several pictures as the maps of one thing, by name; the first is the one that is shown.

        Those of which they were made go, unless something was made from them.
        """
        if not isinstance(maps, Mapping) or not maps:
            raise UnicaError("maps are given by their names")
        refs = {str(name): _ref(ref) for name, ref in maps.items()}
        record = self.keep_maps(session, {name: self.path(session, ref) for name, ref in refs.items()})
        parts = {ref["record"] for ref in refs.values()} & session.records.keys()
        record.about["replaced"] = sorted(parts - self._begun_with(session))
        for name in record.about["replaced"]:
            self.remove(session, name)
        return record

    def keep_maps(self, session: Session, files: Mapping[str, Path], kind: str = "picture") -> Record:
        """Keep a picture of these maps. Their files get names that say which they are."""
        from unica.maps import meant_by, without_meaning

        first, *_ = files.values()
        record = session.new(kind, {"file": first.name})
        with self._keeping(session, record):
            kept = {}
            for name, path in files.items():
                told = (meant_by(path.stem) or ("color" if path == first else "")) == name
                stem = path.stem if told else f"{without_meaning(first.stem)}_{name}"
                kept[name] = record.folder / safe_name(f"{stem}{path.suffix}")
                if kept[name].exists():
                    raise UnicaError(f"there are two maps of the name {name}")
                linked(path, kept[name])
            record.about |= {"file": next(iter(kept.values())).name, **facts_of_maps(kept)}
        return record

    @contextmanager
    def _keeping(self, session: Session, record: Record) -> Iterator[None]:
        """Keep a new record when its files are there, or nothing of it."""
        try:
            yield
        except BaseException as error:
            session.remove(record)
            raise (_without(error, record.folder) if isinstance(error, UnicaError) else error) from None
        record.save()
        self._tell(session, {"event": "record", "record": record.as_json()})

    def _begun_with(self, session: Session) -> set[str]:
        """The records from which something was made."""
        jobs = [record.about for record in list(session.records.values()) if record.kind == "job"]
        sources = {job["source"].get("record") for job in jobs}
        return sources | {value for job in jobs for value in job.get("values", {}).values() if isinstance(value, str)}

    def mask(self, session: Session, of: Any, data: BufferedIOBase) -> Record:
        """A mask that was drawn on the preview of a picture, at the picture's own size."""
        from unica.image import load, resize, save_png, to_pil

        size = self.store.find(session, of).about["size"]
        record = self.upload(session, "mask.png", data, "mask")
        path = record.folder / "mask.png"
        drawn = load(path, smallest=1)
        white = (drawn.pixels.mean(0, keepdim=True) + 1) / 2
        white = white if drawn.alpha is None else white * drawn.alpha
        full = resize(white[None], (size[1], size[0]), "bilinear")[0] > 0.5
        save_png(to_pil(full.float() * 2 - 1), path)
        return record

    def remove(self, session: Session, name: Any) -> None:
        """Forget a record, and stop it if it is a job that runs."""
        record = session.find(name)
        if record.id in self._running:
            self.pool.cancel(record.id)
        session.remove(record)
        self._tell(session, {"event": "removed", "record": {"id": record.id}})

    def path(self, session: Session, ref: Any) -> Path:
        """The file that a reference means: a record's own, or one of those that a job made."""
        ref = _ref(ref)
        record = self.store.find(session, ref.get("record"))
        return record.path(str(ref.get("file") or record.about.get("file") or record.about.get("model") or ""))

    def files(self, session: Session, ref: Any) -> list[Path]:
        """All files of a picture: one for each of its maps."""
        path = self.path(session, ref)
        record = self.store.find(session, _ref(ref)["record"])
        known = [*record.about.get("pictures", ()), record.about]
        maps = next((one["maps"] for one in known if path.name in (one.get("path"), one.get("file"))), ())
        return [record.path(one["file"]) for one in maps] or [path]

    # Jobs

    def submit(self, session: Session, asked: Mapping[str, Any]) -> Record:
        """Put a job into the queue. What is wrong with its settings is said now, by the names of the settings."""
        kind = one_of("kind", asked.get("kind", "draw"), ("draw", "train", "evaluate"))
        with self._lock:
            if sum(own.name == session.name for own, _ in self._running.values()) >= _MOST_EACH:
                raise UnicaError(f"{_MOST_EACH} of your jobs are waiting already: wait for one, or cancel one")
        prepare = {"draw": self._drawing, "train": self._training, "evaluate": self._evaluation}[kind]
        about, describe = prepare(session, asked)
        record = session.new("job", {"job": kind, "state": "waiting", "asked": time.time(), **about})
        description = {**describe(record), "kind": kind}
        with self._lock:
            self._running[record.id] = session, record
        self._tell(session, {"event": "record", "record": record.as_json()})
        try:
            self.pool.submit(record.id, description, long=kind == "train")  # which calls back, with a lock of its own
        except UnicaError:
            with self._lock:
                del self._running[record.id]
            session.remove(record)
            self._tell(session, {"event": "removed", "record": {"id": record.id}})
            raise
        return record

    def cancel(self, session: Session, name: Any) -> None:
        self.pool.cancel(session.find(name).id)

    def keep(self, session: Session, name: Any) -> None:
        self.pool.keep(session.find(name).id)

    def _drawing(self, session: Session, asked: Mapping[str, Any]) -> tuple[dict[str, Any], Describe]:
        task = tasks()[one_of("task", asked.get("task"), [t.name for t in tasks().values() if t.group is not None])]
        given, source = _settings(asked), self._source(session, asked)
        values = self._values(session, task, given, source)
        about = {
            "task": task.name,
            "source": _ref(asked.get("source")),
            "source_name": source.path.name,
            "values": dict(given),
            "animation": task.animation,
            "pictures": [],
        }
        return about, lambda record: {"task": task.name, "values": {**values, "output": f"{record.folder}/"}}

    def _values(self, session: Session, task: Task, given: Mapping[str, Any], source: _Source) -> dict[str, Any]:
        """The values of a drawing as JSON that a worker reads, checked as the command line checks them."""
        options, paths, refused = options_of_form(task), {}, {}
        for name in files_of(options, given):
            try:
                paths[name] = str(self.path(session, given[name]))
            except UnicaError as error:
                refused[name] = f"{name}: {error}"
        if any(option.name == "clip" for option in options):
            offered = list(self.clips)
            try:
                paths["clip"] = str(self.clips[one_of("clip", given.get("clip") or offered[0], offered)])
            except UnicaError as error:
                refused["clip"] = str(error)
        if refused:
            raise Refused(refused)
        checked = read_values(options, {**given, **paths})
        self._check_engine(checked, source.path)
        for parameter in task.parameters:
            if isinstance(parameter.kind, Group) and parameter.required:
                parameter.kind.of(
                    **{field.name: checked[field.name] for field in parameters(parameter.kind.of)}
                ).check()
        shown = {} if task.figures is None else {"show": True}
        return {**given, **paths, **shown, "path": str(source.path), "with_": source.more}

    def _check_engine(self, values: Mapping[str, Any], source: Path) -> None:
        """Refuse an engine that cannot draw from a picture, and settings of another engine."""
        if is_model(source):
            return
        name = values.get("engine")
        if name is not None and not find(name).opens_pictures:
            raise Refused({"engine": f"{name} draws from a trained model, not from a picture: train one first"})
        knobs = {knob.name for engine in engines().values() for knob in parameters(engine.knobs)}
        given = {knob: values[knob] for knob in knobs if values.get(knob) is not None}
        try:
            refuse_others(picture_engine(name), given, lambda engine: engine.knobs)
        except UnicaError as error:
            raise Refused({meant(error, list(given)) or "engine": str(error)}) from None

    def _training(self, session: Session, asked: Mapping[str, Any]) -> tuple[dict[str, Any], Describe]:
        given, source = _settings(asked), self._source(session, asked)
        if is_model(source.path):
            raise Refused({"source": "a training begins with a picture, and this is a model already"})
        values = read_values(options_of_training(), given)
        engine = training_engine(values["engine"])
        if values["preset"] is not None:
            one_of("preset", values["preset"], list(engine.presets))
        if values["steps"] is not None:
            values["budget"] = None
        about = {
            "source": _ref(asked.get("source")),
            "source_name": source.path.name,
            "values": dict(given),
            "engine": engine.name,
            "losses": [],
            "samples": [],
        }
        name = safe_name(f"{source.path.stem}.unica")
        return about, lambda record: {
            "path": str(source.path),
            "with_": source.more,
            "values": {name: value for name, value in values.items() if value is not None},
            "output": str(record.folder / name),
        }

    def _evaluation(self, session: Session, asked: Mapping[str, Any]) -> tuple[dict[str, Any], Describe]:
        source = self._source(session, asked)
        if is_model(source.path):
            raise Refused({"source": "measuring needs the picture itself, and this is a model of it"})
        if source.more:
            raise Refused({"source": "ordinary pictures are measured, and this one has several maps"})
        refs = asked.get("samples")
        if not isinstance(refs, list) or not refs:
            raise Refused({"samples": "choose results to measure first"})
        samples = [str(self.path(session, ref)) for ref in refs]
        about = {
            "source": _ref(asked.get("source")),
            "source_name": source.path.name,
            "samples": [_ref(ref) for ref in refs],
        }
        return about, lambda record: {
            "source": str(source.path),
            "samples": samples,
            "output": str(record.folder / "report.html"),
        }

    def _source(self, session: Session, asked: Mapping[str, Any]) -> _Source:
        if not asked.get("source"):
            raise Refused({"source": "choose a picture first: drop one on the page, or take an example"})
        path = self.path(session, asked["source"])
        record = self.store.find(session, _ref(asked["source"])["record"])
        if record.kind == "job":
            return _Source(path, [])
        return _Source(path, [(one["name"], str(record.path(one["file"]))) for one in record.about.get("maps", ())[1:]])

    # What happens

    def _happened(self, job: str, event: dict[str, Any]) -> None:
        """An event of a job: note what must be known later, and tell those who listen."""
        with self._lock:
            session, record = self._running.get(job, (None, None))
            if session is None or record is None:
                return
            self._note(record, event)
            if event["event"] == "ended":
                del self._running[job]
                if record.about.get("model"):
                    threading.Thread(target=self._list_model, args=(session, record), daemon=True).start()
            if event["event"] in ("picture", "sample", "ended", "started"):
                record.save()
                self._tell(session, {"event": "record", "record": record.as_json()})
            else:
                self._tell(session, {"id": job, "left": record.about.get("left"), **event})

    def _note(self, record: Record, event: dict[str, Any]) -> None:
        about, kind = record.about, event["event"]
        if kind == "started":
            about |= {"state": "running", "began": time.time(), "done": 0.0}
            about.pop("place", None)
        elif kind == "place":
            about |= {"place": event["place"], "of": event["of"]}
        elif kind in ("progress", "frame", "training"):
            about["done"] = event["done"]
            about["left"] = event.get("left", _left(about))
            if kind == "training":
                about["losses"] = _thinned([*about["losses"], [event["step"], event["seconds"], *event["losses"]]])
        elif kind == "levels":
            about["sizes"] = event["sizes"]
        elif kind in ("picture", "sample"):
            kept = {key: value for key, value in event.items() if key != "event"}
            about[kind + "s"] = [*about[kind + "s"], kept]
        elif kind == "ended":
            about["state"] = event["state"]
            about["seconds"] = round(time.time() - about.get("began", time.time()), 2)
            about |= _without_cache(event.get("report", {}))
            if "error" in event:
                about["error"] = str(_without(UnicaError(event["error"]), record.folder))
                about["wrong"] = _wrong(about)
            about.pop("place", None)

    def _list_model(self, session: Session, job: Record) -> None:
        """Put a model that was trained among the user's models."""
        with suppress(UnicaError):
            self.adopt(session, job.id)

    def _tell(self, session: Session, event: dict[str, Any]) -> None:
        everybody = session.name == self.store.shared.name
        with self._lock:
            heard = [one for name, own in self._listeners.items() if everybody or name == session.name for one in own]
        for listener in heard:
            listener(event)

    def _sweep(self) -> None:
        while not self._closed.wait(_SWEEP_EVERY):
            with suppress(OSError):
                self.store.sweep(self.pool.busy())


def _settings(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    values = asked.get("values") or {}
    if not isinstance(values, Mapping):
        raise UnicaError("values must be an object: settings by their names")
    return values


def _ref(ref: Any) -> dict[str, Any]:
    """A reference: the record, and the file if it is one of several."""
    if isinstance(ref, Mapping):
        return {key: ref[key] for key in ("record", "file") if key in ref}
    return {"record": ref}


def _wrong(about: Mapping[str, Any]) -> str | None:
    """The setting that a job's error names."""
    if "task" not in about:
        return None
    return meant(UnicaError(about["error"]), [option.name for option in options_of_form(tasks()[about["task"]])])


def _left(about: Mapping[str, Any]) -> float | None:
    """Seconds that a job will still take, by how long it has taken."""
    done, gone = about["done"], time.time() - about["began"]
    return round(gone * (1 - done) / done, 1) if done > 0.02 else None


def _thinned(points: list[Any]) -> list[Any]:
    """Every other point, where there are too many for a plot; the last one stays."""
    return points if len(points) <= _POINTS else [*points[:-1:2], points[-1]]


def _without_cache(report: dict[str, Any]) -> dict[str, Any]:
    """The report, whose reasons name the user's cache only as such."""
    reasons = [reason.replace(str(cache.folder()), "the cache") for reason in report.get("reasons", ())]
    return {**report, "reasons": reasons} if reasons else report


def _without(error: UnicaError, folder: Path) -> UnicaError:
    """The error, without the folders of this machine."""
    sentence = str(error).replace(f"{folder}/", "").replace(f"{folder.parent.parent}/", "")
    return error if sentence == str(error) else UnicaError(sentence)
