"""What to check in a GAN's code before believing its pictures, in words.

Point :func:`inspect` at two networks, a training step and data, your own or a tutorial's::

    from gantut import checks

    checks.inspect(generator, discriminator, train_step, images)

It runs those checks that apply and prints what it found. Each is also a small function of its own,
for a piece that has no training step yet: it returns a :class:`gantut.diagnosis.Finding`, or None
where nothing is wrong. All of them decide by what the pieces do (weights before and after a step,
shapes, ranges, answers), never by reading their source. So they find a fault that shows in the
step that was run, and none that waits for the hundredth; for those see `gantut.diagnosis`.

What is the same in all of them: a network is a built Keras model, and is left as it was;
``inputs`` is what to call it with, an array (n, ...) or [images, labels], the labels integers
(n,); ``name`` is what the finding calls it. ``updates`` holds, for each update by an optimizer,
the names of the networks whose weights it was given: ``[["discriminator"], ["generator"]]`` is as
it should be.

- ``pieces``: each check by itself
- ``inspection``: all of them, on a training step
- ``watch``: what the networks are called with and what the optimizers change
- ``process``: every variable of the process put back
- ``parts``: calling a network, its shapes and layers
"""

from gantut.checks.inspection import CHECKS, Inspection, inspect
from gantut.checks.pieces import (
    critic_steps,
    flat_critic,
    idle_layers,
    label_planes,
    label_use,
    learning,
    linearity,
    mixing_weights,
    modes,
    noise_rows,
    normalisation,
    opposition,
    reach,
    saturation,
    scale,
    separation,
    shapes,
    training_mode,
)

__all__ = [
    "CHECKS",
    "Inspection",
    "critic_steps",
    "flat_critic",
    "idle_layers",
    "inspect",
    "label_planes",
    "label_use",
    "learning",
    "linearity",
    "mixing_weights",
    "modes",
    "noise_rows",
    "normalisation",
    "opposition",
    "reach",
    "saturation",
    "scale",
    "separation",
    "shapes",
    "training_mode",
]
