"""Lets eSpeak NG say the digits that `gantut.applications.vocoder.load_words` loads.

    apt-get install espeak-ng    # 1.51 made what ships
    python tools/make_digits.py

Each word is brought to 8,000 samples per second, cut to where it is louder than 1 % of its peak,
and scaled; its 8-bit codes follow the mu-law (the curve of ITU-T G.711 with mu = 255). The voices
are eSpeak NG's with its variants, which change pitch and formants.
"""

import argparse
import io
import subprocess
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import signal

from gantut._files import atomic_write
from gantut.applications import sound, vocoder

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# The voice, its pitch (0 to 99).
TRAINED = (
    ("en+m1", 60), ("en-us+m3", 50), ("en-gb-scotland+m5", 70), ("en+m7", 50), ("en-us+m2", 40),
    ("en+klatt4", 60), ("en+f1", 50), ("en-us+f2", 45), ("en-gb-x-rp+f3", 50),
    ("en-gb-scotland+linda", 50), ("en-us+steph", 50), ("en+belinda", 45),
)  # fmt: skip
OTHER = (("en-us+m6", 55), ("en-gb-x-rp+Andy", 60), ("en-us+f5", 40), ("en+anika", 50))
LARGEST = 800_000  # bytes of the file


def say(text: str, voice: str, pitch: int, speed: int) -> npt.NDArray[np.float64]:
    """A word at 8 kHz, without the silence around it, with a peak of 0.9."""
    settings = ["-v", voice, "-p", str(pitch), "-s", str(speed)]
    done = subprocess.run(
        ["espeak-ng", *settings, "--stdout", text], capture_output=True, check=True
    )
    with wave.open(io.BytesIO(done.stdout)) as file:
        rate, content = file.getframerate(), file.readframes(10**7)
    word = np.frombuffer(content, "<i2").astype(np.float64)
    word = signal.resample_poly(word, sound.RATE, rate)
    loud = np.flatnonzero(np.abs(word) > 0.01 * np.abs(word).max())
    word = word[max(loud[0] - 80, 0) : loud[-1] + 160]
    return 0.9 * word / np.abs(word).max()


def all_words() -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of the file."""
    asked = [(d, v, p, 200, 0) for v, p in TRAINED for d in range(10)]
    # The same voices, lower or higher and slower or faster: each digit three times.
    asked += [
        ((5 * i + j) % 10, v, p + (12, -12)[i % 2], (175, 230)[j % 2], 1)
        for i, (v, p) in enumerate(TRAINED)
        for j in range(3)
    ]
    asked += [(d, v, p, 200, 2) for v, p in OTHER for d in range(10)]
    voices = [v for v, _ in (*TRAINED, *OTHER)]
    codes = np.full(
        (len(asked), vocoder.LENGTH - vocoder.LEAD), vocoder.encode(np.zeros(1))[0], np.uint8
    )
    for row, (digit, voice, pitch, speed, _) in zip(codes, asked, strict=True):
        spoken = say(WORDS[digit], voice, pitch, speed)
        if len(spoken) > len(row):
            raise SystemExit(f"{voice}: {WORDS[digit]} takes {len(spoken)} samples")
        row[: len(spoken)] = vocoder.encode(spoken)
    return {
        "codes": codes,
        "digits": np.array([d for d, *_ in asked], np.uint8),
        "voices": np.array([voices.index(v) for _, v, *_ in asked], np.uint8),
        "parts": np.array([part for *_, part in asked], np.uint8),
    }


def main() -> None:
    """Writes the file, if it is small enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=vocoder.FILE)
    out: Path = parser.parse_args().out
    arrays = all_words()
    with atomic_write(out) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
        if (size := temporary.stat().st_size) > LARGEST:
            raise SystemExit(f"{size} bytes are more than {LARGEST}")
    print(f"{out}: {len(arrays['codes'])} words, {size:,} bytes")


if __name__ == "__main__":
    main()
