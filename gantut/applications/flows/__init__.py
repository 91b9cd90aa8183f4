"""Flow matching beside a GAN: in pixels, in the codes of an autoencoder, and in one pass.

    from gantut import load_mnist
    from gantut.applications import flows

    run = flows.train(load_mnist().x_train, steps=1_000)
    images = run.gan.sample(100, seed=0, steps=16)

A flow moves noise x_0 from N(0, I) to data x_1 along the velocity of the straight lines between
the two, x_t = (1 - t) x_0 + t x_1 (Lipman et al. 2023; Liu et al. 2023)::

    loss   = E || v(x_t, t) - (x_1 - x_0) ||^2
    sample : dx / dt = v(x, t)   from t = 0 to t = 1

Times t in [0, 1] are of shape (batch, 1). Data are float32: images (n, height, width, channels) in
[-1, 1], or rows (n, width) in any range.
"""

from gantut.applications.flows.autoencoder import (
    Autoencoder,
    patch_critic,
    quantise,
    train_autoencoder,
)
from gantut.applications.flows.matching import Flow, draw_noise, integrate, train
from gantut.applications.flows.mean import MeanFlow, train_mean
from gantut.applications.flows.students import (
    Student,
    adversarial_recipe,
    distil,
    make_pairs,
    one_pass,
)
from gantut.applications.flows.velocity import mlp_velocity, unet_velocity

__all__ = [
    "Autoencoder",
    "Flow",
    "MeanFlow",
    "Student",
    "adversarial_recipe",
    "distil",
    "draw_noise",
    "integrate",
    "make_pairs",
    "mlp_velocity",
    "one_pass",
    "patch_critic",
    "quantise",
    "train",
    "train_autoencoder",
    "train_mean",
    "unet_velocity",
]
