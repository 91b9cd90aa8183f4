"""What a generator knows of its labels, and mixtures of them."""

from typing import TypeAlias

from gantut._keras import keras

Model: TypeAlias = keras.Model


def is_conditional(generator: Model) -> bool:
    """Whether a generator takes labels beside latent vectors."""
    return len(generator.inputs) == 2


def count_classes(generator: Model) -> int | None:
    """The number of labels that a conditional generator of ours knows; None where unknown."""
    return next((layer.num_tokens for layer in generator.layers if layer.name == "one_hot"), None)


def classes_of(generator: Model) -> int:
    """The number of labels of a conditional generator of ours, with its layer "one_hot"."""
    classes = count_classes(generator) if is_conditional(generator) else None
    if classes is None:
        raise ValueError(
            f"{generator.name!r} is no conditional generator with a layer 'one_hot' of labels"
        )
    return classes


def soft_labels(generator: Model) -> Model:
    """The same generator, asked for a mixture of classes instead of one.

    Args:
        generator: A conditional generator of ours, with a layer "one_hot".

    Returns:
        A model that shares its weights, from [latent vectors, shares of the classes
        (n, num_classes)] to samples. A one-hot row asks for one class.
    """
    classes_of(generator)
    one_hot = generator.get_layer("one_hot").output
    return keras.Model([generator.inputs[0], one_hot], generator.outputs[0])
