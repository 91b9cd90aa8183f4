"""Mutated idx and npz files against the package's readers: errors, time and memory.

    python benchmarks/fuzz_readers.py --files 100000

Each file is a good one with some of its bytes changed, cut, doubled or put elsewhere, or with its
numbers (lengths, offsets, sizes) replaced by extreme ones. A reader may give an array, or raise
ValueError (or EOFError, zlib.error and the like, which it turns into one); anything else, more than
a second for a file, or more memory than the file's own length and its header account for ends the
program with the file written down.
"""

import argparse
import gzip
import io
import resource
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np

from gantut._files import Npz, environment, write_json
from gantut.data._download import decode_idx

SECONDS = 1.0
SLACK = 1_000_000
"""Bytes that a reader may take beside the file's own (the blocks in which it reads)."""

RATIO = 1032
"""What one byte of a deflated file can become at most."""


def idx(rng: np.random.Generator) -> bytes:
    """A good idx file of a few hundred bytes, gzipped or not."""
    shape = tuple(int(n) for n in rng.integers(1, 9, rng.integers(1, 4)))
    head = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    data = head + rng.integers(0, 256, int(np.prod(shape)), dtype=np.uint8).tobytes()
    return gzip.compress(data, mtime=0) if rng.random() < 0.4 else data


def npz(rng: np.random.Generator) -> bytes:
    """A good npz file of one to three arrays, compressed or not."""
    kinds = ("u1", "<f4", ">i8", "<U3", "?")
    arrays = {
        f"a{i}": np.zeros(tuple(rng.integers(0, 6, rng.integers(0, 4))), str(rng.choice(kinds)))
        for i in range(rng.integers(1, 4))
    }
    if rng.random() < 0.05:
        arrays["object"] = np.array([{}], dtype=object)
    file = io.BytesIO()
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(file, **arrays)
    return file.getvalue()


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """The same file with one to four changes."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if not changed:
            break
        at = int(rng.integers(len(changed)))
        to = min(len(changed), at + int(rng.integers(1, 40)))
        kind = rng.integers(7)
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at] = int(rng.integers(256))
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            del changed[at:to]
        elif kind == 4:
            changed[at:at] = changed[at:to]
        elif kind == 5:
            extreme = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)[rng.integers(5)]
            changed[at : at + 4] = extreme.to_bytes(4, rng.choice(["big", "little"]))
        else:
            # A longer number in a header of text: the shape of an npy array.
            position = changed.find(b"'shape': (")
            if position >= 0:
                digits = b"9" * int(rng.integers(1, 25))
                changed[position + 10 : position + 10 + len(digits)] = digits
    return bytes(changed)


def read(data: bytes, kind: str) -> int:
    """Reads a file as the package does, and returns the bytes of its arrays."""
    if kind == "idx":
        return decode_idx(data).nbytes
    with Npz(io.BytesIO(data)) as archive:
        return sum(archive[name].nbytes for name in archive.files)


def fuzz(files: int, seed: int, folder: Path | None = None) -> dict[str, object]:
    """Reads so many mutated files.

    Args:
        files: How many, half of each kind.
        seed: Fixes them.
        folder: Where a file is written at which a reader fails; the present one if None.

    Returns:
        Rows that say how many of each kind were read and refused, the longest time for one in
        seconds, and the most memory beside the file's own in bytes.

    Raises:
        AssertionError: a reader failed.
    """
    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    slowest, largest = 0.0, 0
    seeds = {"idx": [idx(rng) for _ in range(50)], "npz": [npz(rng) for _ in range(50)]}
    tracemalloc.start()
    for i in range(files):
        kind = ("idx", "npz")[i % 2]
        data = mutate(seeds[kind][rng.integers(50)], rng)
        tracemalloc.reset_peak()
        before, began = tracemalloc.get_traced_memory()[0], time.process_time()
        try:
            read(data, kind)
            outcome = "read"
        except ValueError:
            outcome = "refused"
        except Exception as error:
            outcome = f"failed with {type(error).__name__}"
        seconds = time.process_time() - began
        taken = tracemalloc.get_traced_memory()[1] - before
        slowest, largest = max(slowest, seconds), max(largest, taken)
        if (
            outcome not in ("read", "refused")
            or seconds > SECONDS
            or taken > (SLACK + 2 * RATIO * len(data))
        ):
            path = (folder or Path()) / f"failed-{i}.{kind}"
            path.write_bytes(data)
            raise AssertionError(f"{path}: {outcome}, {seconds:.2f} s, {taken:,} bytes")
        outcomes[f"{kind} {outcome}"] += 1
    tracemalloc.stop()
    return {
        "files": files,
        "rows": [
            {
                "kind": kind,
                "read": outcomes[f"{kind} read"],
                "refused": outcomes[f"{kind} refused"],
            }
            for kind in seeds
        ],
        "slowest_seconds": round(slowest, 4),
        "largest_bytes": largest,
    }


def main() -> None:
    """Writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_name("results") / "fuzz_readers.json"
    )
    options = parser.parse_args()
    began = time.process_time()
    found = fuzz(options.files, options.seed)
    record = {
        "command": f"python benchmarks/fuzz_readers.py --files {options.files} "
        f"--seed {options.seed}",
        **found,
        "cpu_seconds": round(time.process_time() - began, 1),
        "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "environment": environment(),
    }
    write_json(options.out, record)
    print(record, file=sys.stderr)


if __name__ == "__main__":
    main()
