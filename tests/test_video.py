"""Videos: what was drawn, in order, without a jump from the last picture to the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import command
from conftest import scenery
from PIL import Image

import unica
from unica.errors import UnicaError
from unica.image import read_text, save_animation, to_pil
from unica.image.video import check_video, video_bytes, video_frames

pytest.importorskip("av")


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_loop_is_seamless_in_the_decoded_pictures(suffix: str, tmp_path: Path) -> None:
    images = unica.animate(unica.open(to_pil(scenery(64, 96))), frames=16)
    path = tmp_path / f"x{suffix}"
    save_animation(images, path, fps=12, text={"unica:seed": "5"})
    decoded = [np.asarray(image.convert("L")).astype(float) for image in video_frames(path)]
    drawn = [np.asarray(image.convert("L")).astype(float) for image in images]  # videos halve the size of colours
    assert len(decoded) == 16 and read_text(path) == {"unica:seed": "5"}
    for one, other in zip(decoded, drawn):
        assert np.abs(one - other).mean() < 4
    steps = [np.abs(one - decoded[number - 1]).mean() for number, one in enumerate(decoded)]
    assert steps[0] < 1.4 * np.median(steps[1:])


def test_odd_sides_are_made_even_and_what_cannot_be_is_refused(tmp_path: Path) -> None:
    image = to_pil(scenery(33, 45))
    (tmp_path / "x.mp4").write_bytes(video_bytes([image] * 3, ".mp4", 7.5))
    first = next(video_frames(tmp_path / "x.mp4"))
    assert first.size == (46, 34)
    edge = np.asarray(first).astype(int)
    assert np.abs(edge[:, 44] - edge[:, 45]).mean() < 8
    assert video_bytes([image] * 3, ".mp4", 7.5) == (tmp_path / "x.mp4").read_bytes()
    for suffix, size, transparent, sentence in [
        (".mp4", (64, 64), True, "cannot be transparent"), (".webm", (9000, 64), False, "too large"),
    ]:  # fmt: skip
        with pytest.raises(UnicaError, match=sentence):
            check_video(suffix, size, transparent)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    assert read_text(tmp_path / "bad.mp4") == {}
    with pytest.raises(UnicaError, match="no video"):
        next(video_frames(tmp_path / "bad.mp4"))


def test_a_command_writes_a_video_that_says_how_it_was_made(tmp_path: Path) -> None:
    to_pil(scenery(48, 64)).save(tmp_path / "p.png")
    result = command("animate", str(tmp_path / "p.png"), "--frames", "4", "-o", str(tmp_path / "p.webm"), "-q")
    assert result.exit_code == 0
    assert len(list(video_frames(tmp_path / "p.webm"))) == 4
    assert "unica animate p.png" in command("info", str(tmp_path / "p.webm")).stdout
    clear = Image.new("RGBA", (48, 48), (9, 99, 200, 128))
    clear.save(tmp_path / "clear.png")
    refused = command("animate", str(tmp_path / "clear.png"), "--frames", "2", "--format", "mp4", "-q")
    assert refused.exit_code == 2 and "transparent" in refused.stderr
