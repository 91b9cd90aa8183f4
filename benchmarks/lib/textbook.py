"""A GAN as Keras' guide to ``train_step`` writes it, for the comparisons of this folder."""

from typing import Any

import keras
import tensorflow as tf

LATENT_DIM = 128


def guide_networks() -> tuple[Any, Any]:
    """The networks of Keras' guide: G from 128 numbers to images in [0, 1], and D."""
    layers = keras.layers
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(128, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ]
    )
    generator = keras.Sequential(
        [
            keras.Input((LATENT_DIM,)),
            layers.Dense(7 * 7 * 128),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((7, 7, 128)),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(128, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, 7, padding="same", activation="sigmoid"),
        ]
    )
    return generator, discriminator


class TextbookGAN(keras.Model):
    """One update of D on samples and data together, then one of G.

    The labels are 1 for samples, and a little noise is added to them, as in the guide.

    Args:
        generator: From latent vectors to images.
        discriminator: From images to a logit.
        d_rate: Adam's learning rate of D.
        g_rate: That of G.
        beta_1: Adam's first moment decay.
    """

    def __init__(
        self, generator: Any, discriminator: Any, d_rate: float, g_rate: float, beta_1: float
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seed_generator = keras.random.SeedGenerator(0)
        self.d_mean, self.g_mean = keras.metrics.Mean("d_loss"), keras.metrics.Mean("g_loss")
        self.built = True
        self.compile()
        self.d_optimizer = keras.optimizers.Adam(d_rate, beta_1=beta_1)
        self.g_optimizer = keras.optimizers.Adam(g_rate, beta_1=beta_1)
        self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

    @property
    def step_counter(self) -> Any:
        """Steps so far."""
        return self.g_optimizer.iterations

    def sample(self, n: int, seed: int = 0) -> Any:
        """Images in [-1, 1] of a generator whose images lie in [0, 1]."""
        z = keras.random.normal((n, self.generator.input_shape[-1]), seed=seed)
        return 2 * self.generator.predict(z, batch_size=500, verbose=0) - 1

    def train_step(self, real: Any) -> dict[str, Any]:
        """What ``fit`` calls."""
        n = tf.shape(real)[0]
        shape = (n, self.generator.input_shape[-1])
        z = keras.random.normal(shape, seed=self.seed_generator)
        both = tf.concat([self.generator(z, training=True), real], axis=0)
        labels = tf.concat([tf.ones((n, 1)), tf.zeros((n, 1))], axis=0)
        labels += 0.05 * tf.random.uniform(tf.shape(labels))
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
        gradients = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply(gradients, self.discriminator.trainable_weights)
        z = keras.random.normal(shape, seed=self.seed_generator)
        with tf.GradientTape() as tape:
            judged = self.discriminator(self.generator(z, training=True), training=True)
            g_loss = self.loss_fn(tf.zeros((n, 1)), judged)
        gradients = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply(gradients, self.generator.trainable_weights)
        self.d_mean.update_state(d_loss)
        self.g_mean.update_state(g_loss)
        return {"d_loss": self.d_mean.result(), "g_loss": self.g_mean.result()}


def guide_gan() -> TextbookGAN:
    """The guide's networks with the guide's learning rates."""
    return TextbookGAN(*guide_networks(), 3e-4, 3e-4, 0.9)


def batches(images: Any, batch_size: int, buffer: int = 1024) -> Any:
    """The guide's data: shuffled in a buffer, in batches, without end."""
    data = tf.data.Dataset.from_tensor_slices(images).shuffle(buffer)
    # Else `fit` ends with a wait of its own (`gantut.recipes.batches`), which is none of a step's.
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.batch(batch_size, drop_remainder=True).repeat().with_options(options)
