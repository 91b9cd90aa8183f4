import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[peers]'")

from gantut import networks, recipes  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import tensorflow as tf  # noqa: E402
from lib import peers  # noqa: E402

PAIRS = {
    "mlp": (networks.mlp_generator, networks.mlp_discriminator),
    "dcgan": (networks.dcgan_generator, networks.dcgan_discriminator),
    # 5x5 kernels at stride 2, which Keras pads by one more on one side.
    "tutorial_dcgan": (networks.tutorial_dcgan_generator, networks.tutorial_dcgan_discriminator),
}


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_twin_makes_the_same_images_and_logits(pair, training, random):
    generator, discriminator = (build() for build in PAIRS[pair])
    z = random.standard_normal((8, generator.input_shape[-1])).astype("float32")
    images = generator(z, training=training).numpy()
    twin = peers.to_torch(generator).train(training)
    with torch.no_grad():
        drawn = twin(torch.tensor(z))
        # Dropout differs at random, so D is compared without.
        logits = peers.to_torch(discriminator).eval()(drawn)
    assert drawn.shape == (8, 1, 28, 28)
    assert images.std() > 1e-3
    np.testing.assert_allclose(drawn.permute(0, 2, 3, 1).numpy(), images, atol=1e-5)
    expected = discriminator(images, training=False).numpy()
    assert expected.std() > 1e-6
    np.testing.assert_allclose(logits.numpy(), expected, atol=2e-5 * np.abs(expected).max())


def test_the_twin_of_fast_takes_the_first_steps_of_fast(random):
    # The same latent vectors for both; 1.3e-3 at most was seen, since Adam enlarges rounding.
    recipe = recipes.get("fast")
    mean_image = random.uniform(-1, 1, (28, 28, 1)).astype("float32")
    gan = recipe.build(seed=0, mean_image=mean_image)
    twin = peers.Twin(gan, recipe)
    vectors = random.standard_normal((6, 64, 64)).astype("float32")
    ours, theirs = iter(vectors), iter(vectors)
    gan.latents = lambda n: next(ours)
    twin.latents = lambda n: torch.tensor(next(theirs))
    gan.compile(gan.d_optimizer, gan.g_optimizer, run_eagerly=True)
    for _ in range(3):
        x = random.uniform(-1, 1, (64, 28, 28, 1)).astype("float32")
        gan.reset_metrics()
        logs = gan.train_step(tf.constant(x))
        losses = twin.step(torch.tensor(x.transpose(0, 3, 1, 2)))
        for loss, name in zip(losses, ("d_loss", "g_loss"), strict=True):
            assert float(loss) == pytest.approx(float(logs[name]), rel=5e-3)


def test_a_layer_that_is_not_known_is_named():
    with pytest.raises(ValueError, match="does not know the layer GRU"):
        peers.to_torch(networks.recurrent_discriminator())
