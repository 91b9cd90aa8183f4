"""The training of a run: of what, on what, how long, and what is left of it."""

import contextlib
import json
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gantut import recipes
from gantut._files import atomic_write, environment, write_json
from gantut._keras import keras, tf
from gantut._state import DamagedError, OtherTrainingError
from gantut.callbacks import Checkpoints, HistoryWriter, SampleGrid
from gantut.clustered import cluster_images
from gantut.data import number_of_classes
from gantut.data.images import WANTED_LABELS
from gantut.diagnosis import Diagnosis
from gantut.gan import GAN
from gantut.runs.folder import CHECKPOINTS, UsageError, read_record, replacing, tell, user_input
from gantut.runs.images import Images
from gantut.vae import VAE

PICTURES = 12  # on the way through a training


class Training:
    """A training by a recipe in a `locked` folder, where it may have been begun or finished.

    ``length`` is ``steps``, ``epochs`` or ``seconds``, or empty for the recipe's own, and
    ``checkpoint_every`` the steps between checkpoints, or None for one a minute.
    """

    def __init__(
        self,
        folder: Path,
        recipe: recipes.Recipe,
        images: Images,
        *,
        seed: int,
        length: Mapping[str, Any],
        checkpoint_every: int | None,
        resume: bool,
    ) -> None:
        if recipe.conditional and images.y is None:
            raise UsageError(
                f"recipe {recipe.name!r} needs labels, and {images.name!r} has none: "
                f"{WANTED_LABELS}, or another recipe"
            )
        if len(images.x) < recipe.clusters:
            raise UsageError(
                f"recipe {recipe.name!r} divides images into {recipe.clusters} groups, but "
                f"{images.name!r} has only {len(images.x)}"
            )
        recipe = recipe.fitted(len(images.x))
        if "seconds" not in length:
            length = {"steps": recipes.count_steps(recipe, len(images.x), **length)}
        # What fixes a training, as its record says it: another one does not go on with it.
        wanted = {
            "recipe": recipe.name,
            "settings": recipe.record(),
            "seed": seed,
            "length": length,
            **images.identity(),
        }
        self.wanted: dict[str, Any] = json.loads(json.dumps(wanted))  # as the file will hold it
        self.folder, self.recipe, self.images, self.resume = folder, recipe, images, resume
        self.checkpoints = Checkpoints(folder / CHECKPOINTS, every=checkpoint_every)

    def is_finished(self) -> bool:
        """Whether the folder holds this training and nothing is left to do, which is told."""
        record = read_record(self.folder, self.wanted) if self.resume else None
        if record is None:
            return False
        pairs = {k: (record[k], value) for k, value in self.wanted.items() if k != "settings"}
        if record["recipe"] == self.wanted["recipe"]:
            there, here = record["settings"], self.wanted["settings"]
            pairs |= {f"setting {k}": (there.get(k), here.get(k)) for k in {**there, **here}}
        different = [f"{name} {a!r} there, {b!r} here" for name, (a, b) in pairs.items() if a != b]
        if different:
            raise UsageError(
                f"--resume: {self.folder} holds another training: {'; '.join(different)}"
            )
        whole = record.get("interrupted") is False and record.get("diverged_at") is None
        finished = whole and not self.checkpoints.files()
        if finished:
            print(f"{self.folder}: the run is finished, at {record['steps']:,} steps")
        return finished

    def run(self, strategy: tf.distribute.Strategy | None, diagnose: bool, command: str) -> int:
        """Trains, on several devices by a strategy, and writes everything down.

        ``diagnose`` says in words what goes wrong; ``command`` is what was typed, for the record.
        Returns the exit status, as `gantut.cli` lists them.
        """
        gan = self._build(strategy, diagnose)
        folder, images, seed = self.folder, self.images, self.wanted["seed"]
        record = {
            **self.wanted,
            "command": command,
            "data": images.name,
            "size": images.size,
            "num_classes": gan.num_classes,
            "classes": images.classes,
            "replicas": gan.distribute_strategy.num_replicas_in_sync,
            "environment": environment(),
        }
        print(f"{images.name}: {images.summary}", flush=True)
        began = time.perf_counter()
        length = self.wanted["length"]
        if "steps" in length:
            moments: dict[str, Any] = {"every": max(1, length["steps"] // PICTURES)}
        else:
            moments = {"times": [length["seconds"] * i / PICTURES for i in range(1, PICTURES)]}
        pictures = SampleGrid(folder / "grids", seed=seed, **moments)
        diagnoses = [self._diagnosis()] if diagnose else []
        with replacing(folder, keep=self.resume) as replaced, _BetweenSteps(replaced) as between:
            if not (folder / "run.json").exists():  # where it goes on, it is another of the same
                write_json(folder / "run.json", record)
            try:
                run = recipes.train(
                    self.recipe,
                    images.x,
                    images.y,
                    gan=gan,
                    **length,
                    seed=seed,
                    progress=True,
                    callbacks=[
                        HistoryWriter(folder / "history.csv"),
                        pictures,
                        *diagnoses,
                        between,
                    ],
                    checkpoints=self.checkpoints,
                    resume=self.resume,
                )
                gan.save(folder)
            except (DamagedError, OtherTrainingError) as error:
                raise UsageError(f"--resume: {error}") from error
            record |= {
                "steps": run.steps,
                "seconds": round(run.seconds, 2),
                "wall_seconds": round(time.perf_counter() - began, 2),
                "interrupted": between.signal is not None,
                "diverged_at": run.diverged_at,
                "origin": run.origin,
            }
            write_json(folder / "run.json", record)
            for diagnosis in diagnoses:
                with atomic_write(folder / "diagnosis.txt") as temporary:
                    temporary.write_text(diagnosis.report() + "\n", encoding="utf-8")
        print(f"{folder}: {run.steps:,} steps in {run.seconds:.1f} s of training")
        if between.signal is not None:
            tell(f"gantut train: interrupted after {run.steps} steps; what there is lies in "
                 f"{folder}, and --resume goes on")  # fmt: skip
            return 128 + between.signal
        if run.diverged_at is not None:
            origin = "" if run.origin is None else f" (it began at {run.origin})"
            tell(f"gantut train: a loss was not finite at step {run.diverged_at}{origin}; "
                 f"the last good weights lie in {folder}")  # fmt: skip
            return 1
        self.checkpoints.clear()
        return 0

    def _build(self, strategy: tf.distribute.Strategy | None, diagnose: bool) -> GAN | VAE:
        """The networks, if they can be trained as is wanted."""
        recipe, x, y = self.recipe, self.images.x, self.images.y
        with user_input(), contextlib.nullcontext() if strategy is None else strategy.scope():
            classes = 0
            if recipe.conditional:
                classes = number_of_classes(y, recipe.batch_size)
            gan = recipe.build(x.shape[1:], classes, self.wanted["seed"], x.mean(axis=0))
        replicas = gan.distribute_strategy.num_replicas_in_sync
        if diagnose and not isinstance(gan, GAN):
            raise UsageError(f"--diagnose reads GANs, and {recipe.name!r} trains none")
        if replicas > 1 and not gan.on_replicas:
            raise UsageError(f"recipe {recipe.name!r} trains on one device, got {replicas}")
        if recipe.batch_size % replicas:
            raise UsageError(
                f"recipe {recipe.name!r} trains on batches of {recipe.batch_size} images, which "
                f"{replicas} devices cannot share evenly"
            )
        return gan

    def _diagnosis(self) -> Diagnosis:
        images, stack, seed = self.images, self.recipe.stack, self.wanted["seed"]
        shown, y = images.x, images.y
        if self.recipe.clusters:
            y = cluster_images(shown, self.recipe.clusters, seed)
        if stack > 1:
            few = recipes.batches(shown, batch_size=1000, seed=seed, stack=stack)
            shown = next(iter(few)).numpy()
        return Diagnosis(shown, y, seed=seed, tell=tell)


class _BetweenSteps(keras.callbacks.Callback):
    """After each execution: the run that is replaced goes, and a wish to stop is granted.

    As a context it takes Ctrl-C and SIGTERM for such a wish; the second ends the process as usual.
    Only in the main thread: Python lets no other one listen to signals.
    """

    def __init__(self, replaced: Path) -> None:
        super().__init__()
        self.replaced = replaced
        self.signal: int | None = None
        self._usual: dict[int, Any] = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        shutil.rmtree(self.replaced, ignore_errors=True)
        if self.signal is not None:
            self.model.stop_training = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            wishes = (signal.SIGINT, signal.SIGTERM)
            self._usual = {number: signal.signal(number, self._wish) for number in wishes}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _wish(self, number: int, frame: Any) -> None:
        self.signal = number
        self.__exit__()
        again = "Ctrl-C again to drop it" if number == signal.SIGINT else "a second ends it at once"
        tell(f"\ngantut train: stopping, and saving what there is ({again})")
