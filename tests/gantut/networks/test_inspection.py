"""gantut.networks.inspection: what a generator knows of its labels."""

import numpy as np
import pytest

from gantut import networks
from gantut.networks import classes_of, count_classes, is_conditional, soft_labels


def test_a_generator_knows_its_classes():
    plain = networks.mlp_generator(3, (2, 2, 1), (4,))
    conditional = networks.mlp_generator(3, (2, 2, 1), (4,), num_classes=5)
    assert (is_conditional(plain), count_classes(plain)) == (False, None)
    assert (is_conditional(conditional), count_classes(conditional)) == (True, 5)
    assert classes_of(conditional) == 5
    for function in (classes_of, soft_labels):
        with pytest.raises(ValueError, match="no conditional generator"):
            function(plain)


def test_soft_labels_mix_classes_and_share_the_weights():
    generator = networks.mlp_generator(3, (2, 2, 1), (4,), num_classes=5)
    soft = soft_labels(generator)
    z = np.random.default_rng(0).standard_normal((5, 3), dtype=np.float32)
    hard = generator([z, np.arange(5)], training=False).numpy()
    np.testing.assert_array_equal(soft([z, np.eye(5, dtype=np.float32)], training=False), hard)
    mixed = soft([z, np.full((5, 5), 0.2, np.float32)], training=False).numpy()
    assert np.abs(mixed - hard).max() > 0.01
    generator.weights[0].assign(0 * generator.weights[0])
    assert np.abs(soft([z, np.eye(5, dtype=np.float32)]).numpy() - hard).max() > 0.01
