"""Tries the libraries that tutorials on GANs name: do they install and do their work today?

    python benchmarks/libraries.py --folder DIR

Each library, in its newest version, is installed by uv (``pip install uv``) into a virtual
environment of its own under DIR, with today's TensorFlow or PyTorch where it runs on them, and does
one small thing that needs no network. Its result is the last line of that; the libraries of metrics
are given the same numbers as `gantut.metrics`. Several gigabytes come from the package index; DIR
may be deleted afterwards.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lib.recording import main

from gantut import export, metrics, pretrained

SECONDS = 900


class Trial(NamedTuple):
    """A library, what it is installed with, and the small thing that it is asked to do."""

    release: str  # the newest: name, version and month, as the package index has them
    purpose: str
    task: str  # in words
    code: str  # prints one line
    beside: tuple[str, ...] = ()  # installed with it: what it runs on
    also: tuple[str, ...] = ()  # what the task needs, or what the library forgets to ask for


FEATURES = """
import numpy as np
rng = np.random.default_rng(0)
a = rng.standard_normal((2000, 8))
b = 1.1 * rng.standard_normal((2000, 8)) + 0.1
moments = [f(x) for x in (a, b) for f in (lambda x: x.mean(0), lambda x: np.cov(x.T))]
"""
DISTANCE = "the Fréchet distance of two sets of features"
COUNT = """
gans = [name for name in dir(library.models) if "gan" in name.lower()]
print(len(gans), "GANs among its models")
"""
DENSE = """
import numpy as np, keras
net = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(4)])
x = np.random.default_rng(0).standard_normal((5, 8)).astype("float32")
"""

TENSORFLOW, TORCH = ("tensorflow",), ("torch", "torchvision")


def imported(release: str, purpose: str, beside: tuple[str, ...], task: str = "import it") -> Trial:
    """A library that is asked for no more than to be imported."""
    module = release.split()[0].replace("-", "_")
    code = f"import {module} as x\nprint('imported', getattr(x, '__version__', ''))"
    return Trial(release, purpose, task, code, beside)


_ALL = (
    imported(
        "tensorflow-gan 2.1.0 2021-09", "GANs in TensorFlow", TENSORFLOW, "import it (TF-GAN)"
    ),
    imported(
        "tensorflow-addons 0.23.0 2023-11",
        "layers for GANs, such as spectral normalisation",
        TENSORFLOW,
    ),
    Trial(
        "keras-cv 0.9.0 2024-04",
        "vision models in Keras",
        "import it, and look for GANs among its models",
        "import keras_cv as library\n" + COUNT,
        TENSORFLOW,
    ),
    Trial(
        "keras-hub 0.32.0 2026-09",
        "pretrained models in Keras 3",
        "import it, and look for GANs among its models",
        "import keras_hub as library\n" + COUNT,
        TENSORFLOW,
    ),
    Trial(
        "tensorflow-model-optimization 0.8.1 2026-05",
        "quantisation-aware training",
        "prepare a small Keras network for it",
        "import tensorflow_model_optimization as tfmot\n"
        + DENSE
        + "tfmot.quantization.keras.quantize_model(net)\n"
        + 'print("prepared")',
        TENSORFLOW,
    ),
    imported("tensorflowjs 4.22.0 2024-10", "networks in the browser: the converter", TENSORFLOW),
    Trial(
        "onnxruntime 1.31.1 2026-10",
        "networks outside of Python: ONNX",
        "export a small Keras network, and run it",
        DENSE
        + "y_keras = net.predict(x, verbose=0)\n"
        + 'net.export("net.onnx", format="onnx", verbose=False)\n'
        + "import onnxruntime\n"
        + 'session = onnxruntime.InferenceSession("net.onnx")\n'
        + "(y,) = session.run(None, {session.get_inputs()[0].name: x})\n"
        + 'print(f"largest difference {np.abs(y - y_keras).max():.0e}")',
        TENSORFLOW,
        ("tf2onnx", "onnx"),
    ),
    Trial(
        "ai-edge-litert 2.3.0 2026-10",
        "networks on small devices: LiteRT",
        "run `fast` as exported here, without TensorFlow",
        "import numpy as np\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        'net = Interpreter("fast.tflite")\n'
        'z, y = np.load("latents.npy"), np.load("images.npy")\n'
        'net.resize_tensor_input(net.get_input_details()[0]["index"], z.shape)\n'
        "net.allocate_tensors()\n"
        'net.set_tensor(net.get_input_details()[0]["index"], z)\n'
        "net.invoke()\n"
        'made = net.get_tensor(net.get_output_details()[0]["index"])\n'
        'print(f"largest difference {np.abs(made - y).max():.0e}")',
    ),
    Trial(
        "torchgan 0.1.0 2021-10",
        "GANs in PyTorch",
        "train its DCGAN for an epoch of 64 noise images",
        "import torch\n"
        "from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss\n"
        "from torchgan.models import DCGANDiscriminator, DCGANGenerator\n"
        "from torchgan.trainer import Trainer\n"
        "adam = {'name': torch.optim.Adam, 'args': {'lr': 1e-4}}\n"
        "nets = {'generator': {'name': DCGANGenerator, 'optimizer': adam,\n"
        "  'args': {'out_channels': 1, 'step_channels': 8}},\n"
        "  'discriminator': {'name': DCGANDiscriminator, 'optimizer': adam,\n"
        "  'args': {'in_channels': 1, 'step_channels': 8}}}\n"
        "trainer = Trainer(nets, [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()],\n"
        "  sample_size=4, epochs=1, device='cpu')\n"
        "data = torch.utils.data.TensorDataset(torch.randn(64, 1, 32, 32), torch.zeros(64))\n"
        "trainer(torch.utils.data.DataLoader(data, batch_size=32))\n"
        "print('trained')",
        TORCH,
    ),
    Trial(
        "torch-mimicry 0.1.16 2020-08",
        "GANs in PyTorch, after their papers",
        "draw from its untrained SNGAN, with tensorboard",
        "from torch_mimicry.nets import sngan\n"
        "print('drew', tuple(sngan.SNGANGenerator32().generate_images(4).shape))",
        TORCH,
        ("tensorboard",),
    ),
    Trial(
        "vegans 0.4.0 2021-11",
        "GANs in PyTorch",
        "train its vanilla GAN for an epoch of 64 points",
        "import torch\n"
        "from vegans.GAN import VanillaGAN\n"
        "g = torch.nn.Sequential(torch.nn.Linear(4, 2))\n"
        "d = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid())\n"
        "gan = VanillaGAN(g, d, z_dim=4, x_dim=2, folder=None)\n"
        "gan.fit(torch.randn(64, 2).numpy(), epochs=1, batch_size=32, enable_tensorboard=False)\n"
        "print('trained')",
        TORCH,
    ),
    Trial(
        "lightning-bolts 0.7.0 2023-06",
        "GANs for PyTorch Lightning",
        "build its GAN, with an older setuptools",
        "from pl_bolts.models.gans import GAN\nGAN(1, 28, 28)\nprint('built')",
        TORCH,
        ("setuptools<81",),
    ),
    imported(
        "stylegan2-pytorch 1.9.0 2025-01", "StyleGAN2 in PyTorch", TORCH, "import it, without a GPU"
    ),
    imported(
        "lightweight-gan 1.2.1 2025-01", "a small GAN in PyTorch", TORCH, "import it, without a GPU"
    ),
    imported("mmagic 1.2.0 2023-12", "many GANs in PyTorch (once MMGeneration)", TORCH),
    Trial(
        "diffusers 0.42.1 2026-10",
        "diffusion models in PyTorch",
        "draw from an untrained small U-Net in four steps",
        "import torch\n"
        "from diffusers import DDIMScheduler, UNet2DModel\n"
        "net = UNet2DModel(sample_size=16, in_channels=1, out_channels=1, norm_num_groups=8,\n"
        "  block_out_channels=(16, 16), down_block_types=('DownBlock2D',) * 2,\n"
        "  up_block_types=('UpBlock2D',) * 2)\n"
        "steps = DDIMScheduler()\n"
        "steps.set_timesteps(4)\n"
        "x = torch.randn(2, 1, 16, 16)\n"
        "with torch.no_grad():\n"
        "    for t in steps.timesteps:\n"
        "        x = steps.step(net(x, t).sample, t, x).prev_sample\n"
        "print('drew', tuple(x.shape))",
        TORCH,
    ),
    Trial(
        "ctgan 0.12.1 2026-02",
        "GANs for tables, in PyTorch",
        "train for an epoch on 200 rows, and draw 5",
        "import numpy as np, pandas as pd\n"
        "from ctgan import CTGAN\n"
        "rng = np.random.default_rng(0)\n"
        "rows = pd.DataFrame({'x': rng.normal(size=200), 'k': rng.choice(['a', 'b'], 200)})\n"
        "model = CTGAN(epochs=1, batch_size=100)\n"
        "model.fit(rows, ['k'])\n"
        "print('drew', model.sample(5).shape)",
        TORCH,
    ),
    Trial(
        "pytorch-fid 0.3.0 2023-01",
        "FID",
        DISTANCE,
        FEATURES + "from pytorch_fid.fid_score import calculate_frechet_distance as f\n"
        "print(f'{f(*moments):.6f}')",
        TORCH,
    ),
    Trial(
        "clean-fid 0.1.35 2022-12",
        "FID, with the resizing done right",
        DISTANCE,
        FEATURES + "from cleanfid.fid import frechet_distance as f\nprint(f'{f(*moments):.6f}')",
        TORCH,
    ),
    Trial(
        "torch-fidelity 0.4.0 2026-02",
        "FID, KID, precision and recall",
        DISTANCE,
        FEATURES + "import torch\n"
        "from torch_fidelity import metric_fid as m\n"
        "both = [m.fid_features_to_statistics(torch.tensor(x)) for x in (a, b)]\n"
        "value = m.fid_statistics_to_metric(*both, verbose=False)\n"
        "print(f'{value[m.KEY_METRIC_FID]:.6f}')",
        TORCH,
    ),
    Trial(
        "torchmetrics 1.9.0 2026-03",
        "FID and KID, with one's own features",
        DISTANCE,
        FEATURES + "import torch\n"
        "from torchmetrics.image.fid import FrechetInceptionDistance\n"
        "class Features(torch.nn.Module):\n"
        "    num_features = 8\n"
        "    def forward(self, x):\n"
        "        return x.flatten(1)\n"
        "fid = FrechetInceptionDistance(Features(), input_img_size=(1, 1, 8))\n"
        "fid = fid.set_dtype(torch.double)\n"
        "for x, real in ((a, True), (b, False)):\n"
        "    fid.update(torch.tensor(x)[:, None, None], real=real)\n"
        "print(f'{float(fid.compute()):.6f}')",
        TORCH,
        ("torch-fidelity",),
    ),
    Trial(
        "prdc 0.2 2020-02",
        "precision, recall, density, coverage",
        "the precision of two sets of features",
        FEATURES + "from prdc import compute_prdc\n"
        "print(f\"{compute_prdc(a, b, nearest_k=5)['precision']:.6f}\")",
    ),
)
TRIALS = {trial.release.split()[0]: trial for trial in _ALL}


def expected() -> dict[str, str]:
    """What `gantut.metrics` says of the same features, as the libraries' tasks print it."""
    names: dict[str, Any] = {}
    exec(FEATURES, names)
    a, b = names["a"], names["b"]
    return {
        DISTANCE: f"{metrics.frechet_distance(a, b):.6f}",
        "the precision of two sets of features": f"{metrics.precision_recall(a, b)[0]:.6f}",
    }


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command with nothing of this environment but its path; a time-out is a failure."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=kept | quiet,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"not done after {SECONDS} s")


def reason(said: str) -> str:
    """The line of an output that says what went wrong, without addresses and folders."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR: |[\w.]*(Error|Exception)\b)", line)]
    line = (errors or lines or ["no output"])[-1]
    return re.sub(r"\S*(https?:/)?/\S+/\S*", "...", line)[:200]


def environment_with(packages: list[str], folder: Path) -> tuple[Path, str]:
    """A new virtual environment with the packages; and why not, if they do not install."""
    python = folder / "bin" / "python"
    run(["uv", "venv", "--clear", "--python", sys.executable, str(folder)], folder.parent)
    done = run(["uv", "pip", "install", "--python", str(python), *packages], folder.parent)
    return python, "" if done.returncode == 0 else reason(done.stderr)


def rows(library: str, folder: Path) -> Iterator[dict[str, Any]]:
    """One row: what came of a library."""
    trial = TRIALS[library]
    _, newest, month = trial.release.split()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # The newest version, lest the resolver goes back to an old one that asks for less.
    wanted = [f"{library}>={newest}", *trial.beside, *trial.also]
    python, problem = environment_with(wanted, folder / library)
    row: dict[str, Any] = {
        "purpose": trial.purpose,
        "task": trial.task,
        "date": datetime.now(UTC).date().isoformat(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "version": newest,
        "released": month,
        "beside": None,
        "outcome": "does not install",
        "said": problem,
    }
    if not problem:
        ask = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
        names = [library, *trial.beside[:1]]
        versions = run([str(python), "-c", ask, *names], folder).stdout.split()
        row["version"] = versions[0]
        row["released"] = month if versions[0] == newest else None
        if trial.beside:
            row["beside"] = f"{trial.beside[0]} {versions[1]}"
        with tempfile.TemporaryDirectory() as place:
            give_inputs(Path(place))
            done = run([str(python), "-W", "ignore", "-c", trial.code], Path(place))
        if done.returncode == 0:
            row["said"] = done.stdout.strip().splitlines()[-1]
            number = expected().get(trial.task, row["said"])
            right = number == row["said"]
            row["outcome"] = "works" if right else f"another number than {number}"
        else:
            row["outcome"], row["said"] = "fails", reason(done.stderr)
    yield row


def give_inputs(place: Path) -> None:
    """The exported generator, latent vectors and what Keras makes of them."""
    generator = pretrained.load("fast")
    latents = np.random.default_rng(0).standard_normal((16, 64)).astype("float32")
    export.export_litert(generator, place / "fast.tflite")
    np.save(place / "latents.npy", latents)
    np.save(place / "images.npy", generator(latents, training=False).numpy())


if __name__ == "__main__":
    main(
        __doc__,
        {"libraries": rows},
        {"library": [*TRIALS]},
        group=None,
        options={"folder": {"type": Path, "required": True, "help": "for the environments"}},
        command="python benchmarks/libraries.py --folder DIR",
        expected=expected(),
    )
