"""What a page or a program may send: any JSON is a job or is refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import scenery
from hypothesis import given
from hypothesis import strategies as st

from unica.errors import UnicaError
from unica.image import to_pil
from unica.tasks import tasks

pytest.importorskip("gradio")

from unica.studio.forms import options_of_form, options_of_training
from unica.studio.store import Store
from unica.studio.studio import Studio

TASKS = [task for task in tasks().values() if task.group is not None]
NAMES = sorted({option.name for task in TASKS for option in options_of_form(task)})
TEXTS = st.text(max_size=12) | st.sampled_from(["10,20,30,40", "64x48", "x", "1,2@3,4", "a:2", "auto", "../x", ""])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3))


class _Still:
    """A pool that does nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def submit(self, *_: Any, **__: Any) -> None:
        pass

    def busy(self) -> set[str]:
        return set()

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Any:
    """A studio with one picture, which begins nothing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("unica.studio.studio.Pool", _Still)
        patched.setattr("unica.studio.studio._MOST_EACH", 10**9)
        made = Studio(Store(tmp_path_factory.mktemp("studio"), 10**9, 1e6))
        path = tmp_path_factory.mktemp("pictures") / "photo.png"
        to_pil(scenery(40, 48)).save(path)
        with open(path, "rb") as file:
            made.upload(made.store.session("somebody"), Path(path).name, file)
        yield made
        made.close()


@given(
    kind=st.sampled_from(["draw", "train", "evaluate"]) | JSON,
    task=st.sampled_from([task.name for task in TASKS]) | JSON,
    values=st.dictionaries(st.sampled_from([*NAMES, "output", "mask_alpha"]) | TEXTS, JSON, max_size=5) | JSON,
    source=st.just("the picture") | JSON,
    samples=JSON,
)
def test_any_request_is_a_job_or_a_sentence(
    studio: Studio, kind: Any, task: Any, values: Any, source: Any, samples: Any
) -> None:
    session = studio.store.session("somebody")
    (picture,) = (record.id for record in session.records.values() if record.kind == "picture")
    asked = {"kind": kind, "task": task, "values": values, "samples": samples}
    asked["source"] = picture if source == "the picture" else source
    try:
        record = studio.submit(session, asked)
    except UnicaError as error:
        assert str(error) and "\n" not in str(error)
        return
    assert record.about["state"] == "waiting"
    session.remove(record)


@given(values=st.dictionaries(st.sampled_from([option.name for option in options_of_training()]), JSON, max_size=4))
def test_any_training_is_a_job_or_a_sentence(studio: Studio, values: dict[str, Any]) -> None:
    session = studio.store.session("somebody")
    (picture,) = (record.id for record in session.records.values() if record.kind == "picture")
    try:
        session.remove(studio.submit(session, {"kind": "train", "source": picture, "values": values}))
    except UnicaError as error:
        assert str(error) and "\n" not in str(error)
