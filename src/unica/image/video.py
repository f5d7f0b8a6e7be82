"""Videos: MP4 (H.264) and WebM (VP9). No other file uses PyAV, which brings its codecs along."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from typing import Any

import numpy as np
from PIL import Image

from unica.errors import UnicaError, reason

VIDEOS = {".mp4": "MP4", ".webm": "WEBM"}
_CODECS = {"MP4": "libx264", "WEBM": "libvpx-vp9"}
_QUALITY: dict[str, dict[str, str]] = {  # all pictures alike, so that the first follows on the last
    "MP4": {"crf": "12", "preset": "medium", "x264-params": "ipratio=1.0:pbratio=1.0:mbtree=0"},
    "WEBM": {"crf": "22", "b": "0", "auto-alt-ref": "0"},
}
_LARGEST = {"MP4": 4096, "WEBM": 8192}  # pixels of a side that players of the kind can be expected to show
_BT709 = 1  # how colours are meant, as FFmpeg counts it


def check_video(suffix: str, size: tuple[int, int], transparent: bool) -> None:
    """Refuse what a kind of video cannot hold, before anything is drawn."""
    format = VIDEOS[suffix]
    _library()
    if transparent and format == "MP4":
        raise UnicaError("an MP4 cannot be transparent: name a WebM, a WebP or a PNG")
    if max(size) > _LARGEST[format]:
        width, height = size
        raise UnicaError(f"a video of {width}x{height} is too large for {suffix}: at most {_LARGEST[format]} a side")


def video_bytes(images: Sequence[Image.Image], suffix: str, fps: float, text: Mapping[str, str] = {}) -> bytes:
    """What a video of these pictures holds. Its sides are even: the last row or column is there twice, if need be."""
    av, format, buffer = _library(), VIDEOS[suffix], io.BytesIO()
    transparent = images[0].mode in ("RGBA", "LA", "PA")
    check_video(suffix, images[0].size, transparent)
    shown = "rgba" if transparent else "rgb24"
    try:
        with av.open(buffer, "w", format=format.lower(), options={"fflags": "+bitexact"}) as file:
            file.metadata["comment"] = json.dumps(dict(text))
            stream = file.add_stream(_CODECS[format], rate=Fraction(fps).limit_denominator(1000))
            stream.options = _QUALITY[format]
            first = _even(np.asarray(images[0].convert(shown.upper().removesuffix("24"))))
            stream.height, stream.width = first.shape[:2]
            stream.pix_fmt = "yuva420p" if transparent else "yuv420p"
            context = stream.codec_context
            context.thread_count = 1  # the same bytes on every machine
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            for image in images:
                pixels = _even(np.asarray(image.convert(shown.upper().removesuffix("24"))))
                frame = av.VideoFrame.from_ndarray(pixels, format=shown)
                frame = frame.reformat(format=stream.pix_fmt, dst_colorspace="itu709")
                for packet in stream.encode(frame):
                    file.mux(packet)
            for packet in stream.encode():
                file.mux(packet)
    except av.error.FFmpegError as error:
        raise UnicaError(f"a video {suffix} of {images[0].width}x{images[0].height} failed: {reason(error)}") from None
    return buffer.getvalue()


def read_video_text(path: str | PathLike[str]) -> dict[str, str]:
    """The text that was saved with a video, by key."""
    av = _library()
    try:
        with av.open(str(path)) as file:
            said = {name.lower(): value for name, value in file.metadata.items()}
        found = json.loads(said.get("comment", ""))
    except (av.error.FFmpegError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def video_frames(path: str | PathLike[str]) -> Iterator[Image.Image]:
    """The pictures of a video, one after the other."""
    av = _library()
    try:
        with av.open(str(path)) as file:
            for frame in file.decode(video=0):
                yield frame.to_image()
    except (av.error.FFmpegError, IndexError) as error:
        raise UnicaError(f"{path} is no video that can be read: {reason(error)}") from None


def _even(pixels: np.ndarray) -> np.ndarray:
    """The picture with even sides, which codecs want."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")


def _library() -> Any:
    try:
        import av
    except ImportError:
        raise UnicaError("videos need PyAV: pip install 'unica[video]'") from None
    return av
