"""A GPU that is there is used. Plain TensorFlow without CUDA would train on the CPU in silence."""

import os

import make_venv
import pytest

WANTED = os.environ.get("GANTUT_EXPECT_GPU") == "1"


def test_the_runner_that_promises_a_gpu_has_one():
    if not WANTED:
        pytest.skip("GANTUT_EXPECT_GPU is not 1")
    assert make_venv.has_gpu(), "GANTUT_EXPECT_GPU is 1, but nvidia-smi lists no GPU"


def test_tensorflow_uses_the_gpu():
    if not make_venv.has_gpu():
        pytest.skip("nvidia-smi lists no GPU")
    import tensorflow as tf

    assert tf.config.list_physical_devices("GPU"), (
        "nvidia-smi lists a GPU, TensorFlow does not: install the extra gpu "
        "(make venv does, or pip install 'tensorflow[and-cuda]')"
    )
    product = tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
    assert "GPU:0" in product.device
    assert float(product[0, 0]) == 64.0
