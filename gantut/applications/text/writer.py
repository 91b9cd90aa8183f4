"""A recurrent network that writes strings, and knows the probability of each."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from gantut import _check
from gantut._keras import keras, tf
from gantut.applications.text.strings import END
from gantut.networks.parts import gumbel_noise

Tensor: TypeAlias = tf.Tensor
Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="gantut")
class Writer(keras.layers.Layer):
    """A gated recurrent unit (Cho et al. 2014, as Keras computes it) that writes symbols.

    Called with standard normal latent vectors (batch, length * symbols), which become the Gumbel
    noise of the draws, it returns rows (batch, length * symbols). The symbol at a place is drawn
    from the softmax of the logits l there, and is the input at the next. A soft draw is
    ``softmax((l + g) / temperature)`` (Jang et al. 2017, eq. 2), which has a gradient with
    respect to l; a hard one is the largest of ``l + g`` as a one-hot vector; a straight-through
    one is hard with the soft one's gradient. Behind an end there are only ends.

    Args:
        length: Places.
        symbols: Number of symbols; symbol 0 is the end.
        units: Of the recurrent state.
        temperature: Of soft draws, above 0.
        draws: "soft", "hard" (no gradient) or "straight-through".
    """

    DRAWS = ("soft", "hard", "straight-through")

    def __init__(
        self,
        length: int,
        symbols: int,
        units: int = 48,
        *,
        temperature: float = 0.5,
        draws: str = "soft",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.length, self.symbols, self.units = _check.sizes(
            length=length, symbols=symbols, units=units
        )
        self.temperature = _check.number(temperature, "temperature", above=0)
        self.draws = _check.one_of(draws, "draws", self.DRAWS)

    def build(self, input_shape: Shape) -> None:
        """Makes the weights: those of a GRU, and of a dense layer from its state to logits."""
        wide = 3 * self.units
        self.kernel = self.add_weight(shape=(self.symbols, wide), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, wide), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(2, wide), initializer="zeros", name="bias")
        self.out_kernel = self.add_weight(shape=(self.units, self.symbols), name="out_kernel")
        self.out_bias = self.add_weight(shape=(self.symbols,), initializer="zeros", name="out_bias")

    def project(self, symbols: Tensor) -> Tensor:
        """What the state takes from a symbol: one-hot (..., symbols) to (..., 3 * units)."""
        return tf.tensordot(symbols, tf.convert_to_tensor(self.kernel), 1)

    def start(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The state before the first symbol, and the projection of none."""
        return tf.zeros((batch, self.units)), tf.zeros((batch, 3 * self.units))

    def step(self, state: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
        """The new state (batch, units), and the logits (batch, symbols) of the next symbol.

        ``projected`` is the last symbol, as `project` gives it.
        """
        bias = tf.convert_to_tensor(self.bias)
        update, reset, new = tf.split(projected + bias[0], 3, axis=-1)
        recurrent = tf.matmul(state, tf.convert_to_tensor(self.recurrent_kernel)) + bias[1]
        old_update, old_reset, old_new = tf.split(recurrent, 3, axis=-1)
        keep = tf.sigmoid(update + old_update)
        state = keep * state + (1.0 - keep) * tf.tanh(new + tf.sigmoid(reset + old_reset) * old_new)
        return state, tf.matmul(state, tf.convert_to_tensor(self.out_kernel)) + self.out_bias

    def call(self, z: Tensor) -> Tensor:
        """Writes, with the layer's kind of draws."""
        return self.write(z, self.draws, 1.0)

    def write(self, z: Tensor, draws: str = "hard", temperature: float = 1.0) -> Tensor:
        """Writes rows (batch, length * symbols).

        Args:
            z: Standard normal numbers of the same shape.
            draws: One of ``DRAWS``.
            temperature: Divides the logits, as at the end of any language model: below 1 the
                likely becomes likelier. (Of soft draws the layer has another temperature.)
        """
        noise = tf.reshape(gumbel_noise(z), (-1, self.length, self.symbols))
        state, projected = self.start(tf.shape(z)[0])
        alive = tf.ones((tf.shape(z)[0], 1))
        parts = []
        for place in range(self.length):
            state, logits = self.step(state, projected)
            drawn = self._draw(logits / temperature + noise[:, place], draws)
            symbol, alive = _ended(drawn, alive)
            projected = self.project(symbol)
            parts.append(symbol)
        return tf.concat(parts, axis=1)

    def _draw(self, noisy: Tensor, draws: str) -> Tensor:
        hard = tf.one_hot(tf.argmax(noisy, axis=-1), self.symbols)
        if draws == "hard":
            return hard
        soft = tf.nn.softmax(noisy / self.temperature)
        return soft if draws == "soft" else soft + tf.stop_gradient(hard - soft)

    def log_probabilities(self, rows: Tensor, temperature: float = 1.0) -> Tensor:
        """The log probability of each symbol after those before it: (batch, length), in nats.

        It is 0 behind an end. The sum of a row is the string's. ``rows`` are one-hot, (batch,
        length * symbols), and the temperature is that of `write`.
        """
        x = tf.reshape(rows, (-1, self.length, self.symbols))
        projected = self.project(x)
        state, before = self.start(tf.shape(x)[0])
        logits = []
        for place in range(self.length):
            state, out = self.step(state, before)
            logits.append(out)
            before = projected[:, place]
        log_softmax = tf.nn.log_softmax(tf.stack(logits, axis=1) / temperature)
        alive = 1.0 - tf.cumsum(x[:, :, END], axis=1, exclusive=True)
        return tf.reduce_sum(x * log_softmax, axis=2) * tf.cast(alive > 0.5, x.dtype)

    def continuations(self, rows: Tensor, noise: Sequence[Tensor], copies: int) -> Tensor:
        """Monte Carlo rollouts (length - 1, batch, copies, length * symbols) of given strings.

        The entry i begins with the first i + 1 symbols of the string.

        Args:
            rows: One-hot rows (batch, length * symbols).
            noise: For each place after the first standard normal numbers, of shape
                (place * batch * copies, symbols).
            copies: Continuations of each beginning.
        """
        x = tf.stop_gradient(tf.reshape(rows, (-1, self.length, self.symbols)))
        batch = tf.shape(x)[0]
        state, projected = self.start(batch)
        # All continuations under way, those that began first come first.
        states, inputs, alive, written = [
            tf.zeros((0, *shape))
            for shape in ((self.units,), (3 * self.units,), (1,), (0, self.symbols))
        ]
        for place in range(self.length):
            if place:
                states, logits = self.step(states, inputs)
                drawn = self._draw(logits + gumbel_noise(noise[place - 1]), "hard")
                symbol, alive = _ended(drawn, alive)
                inputs = self.project(symbol)
                written = tf.concat([written, symbol[:, None]], axis=1)
            else:
                written = tf.zeros((0, 1, self.symbols))
            if place < self.length - 1:
                state, _ = self.step(state, projected)
                projected = self.project(x[:, place])
                lives = 1.0 - tf.reduce_sum(x[:, : place + 1, END], axis=1, keepdims=True)
                for_copies = (state, projected, tf.maximum(lives, 0.0), x[:, : place + 1])
                states, inputs, alive, written = (
                    tf.concat([old, tf.repeat(new, copies, axis=0)], axis=0)
                    for old, new in zip((states, inputs, alive, written), for_copies, strict=True)
                )
        return tf.reshape(written, (self.length - 1, batch, copies, self.length * self.symbols))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(batch, length * symbols)."""
        return (input_shape[0], self.length * self.symbols)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        names = ("length", "symbols", "units", "temperature", "draws")
        return super().get_config() | {name: getattr(self, name) for name in names}


def _ended(drawn: Tensor, alive: Tensor) -> tuple[Tensor, Tensor]:
    """The symbols, ends where a string is over, and which strings go on after them."""
    symbol = alive * drawn + (1.0 - alive) * tf.one_hot(END, drawn.shape[-1])
    return symbol, alive * (1.0 - symbol[:, END : END + 1])


def generator(
    length: int, symbols: int, units: int = 48, *, temperature: float = 0.5, draws: str = "soft"
) -> keras.Model:
    """A `Writer`, named "writer", as a generator for `gantut.GAN`; the arguments are its own."""
    writer = Writer(length, symbols, units, temperature=temperature, draws=draws, name="writer")
    z = keras.Input((writer.length * writer.symbols,), name="latent")
    return keras.Model(z, writer(z), name="text_g")
