"""A GAN that learns from your own images: python my_gan.py trains, draws and measures it."""

import keras
from keras import layers

from gantut import GAN, evaluate
from gantut.data import read_images
from gantut.optimizers import FusedAdam
from gantut.plotting import save_grid
from gantut.recipes import batches

DATA = "images"  # a folder, with subfolders or without, an npz or an npy file
SIZE = 32  # height and width in pixels, a multiple of 4
STEPS = 4_000  # more is better, up to a point

keras.utils.set_random_seed(0)
data = read_images(DATA, size=SIZE)
images = data.images  # float32 (number, SIZE, SIZE, channels) in [-1, 1]
generator = keras.Sequential(
    [
        keras.Input((64,)),
        layers.Dense(SIZE // 4 * SIZE // 4 * 64),
        layers.Reshape((SIZE // 4, SIZE // 4, 64)),
        layers.BatchNormalization(momentum=0.9),
        layers.LeakyReLU(0.2),
        layers.Conv2DTranspose(32, 4, strides=2, padding="same"),
        layers.BatchNormalization(momentum=0.9),
        layers.LeakyReLU(0.2),
        layers.Conv2DTranspose(images.shape[3], 4, 2, padding="same", activation="tanh"),
    ]
)
discriminator = keras.Sequential(
    [
        keras.Input(images.shape[1:]),
        layers.Conv2D(32, 4, strides=2, padding="same"),
        layers.LeakyReLU(0.2),
        layers.Conv2D(64, 4, strides=2, padding="same"),
        layers.LeakyReLU(0.2),
        layers.Flatten(),
        layers.Dense(1),  # a logit: large for real images
    ]
)
gan = GAN(generator, discriminator, "relativistic", penalties={"r1": 0.1, "r2": 0.1}, ema=0.998)
adam = [FusedAdam(5e-4, beta_1=0.0, beta_2=0.99) for _ in range(2)]
gan.compile(*adam, steps_per_execution=16)
gan.fit(batches(images, batch_size=64), steps_per_epoch=STEPS)
gan.save("my_gan")
save_grid(gan.sample(64, seed=0), "my_gan.png", scale=2)
print(evaluate(gan, data=data))
