"""Set-up for all tests, before any of them imports TensorFlow, and what several modules share."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def tiny():
    """A recipe of two small networks, which trains in a moment."""
    from gantut import networks, recipes

    return recipes.Recipe(
        name="tiny",
        summary="for tests",
        generator=lambda shape, k: networks.mlp_generator(4, shape, widths=(8,), batch_norm=True),
        discriminator=lambda shape, k: networks.mlp_discriminator(shape, widths=(8,)),
        batch_size=16,
        steps=24,
        gpu_steps=24,
        ema=0.9,
        steps_per_execution=2,
        schedule=recipes.linear_decay(),
    )


@pytest.fixture(scope="session")
def chapter_header():
    """What a chapter's MyST file begins with."""
    return """---
jupytext:
  formats: ipynb,md:myst
  text_representation:
    extension: .md
    format_name: myst
    format_version: 0.13
kernelspec:
  display_name: Python 3 (ipykernel)
  language: python
  name: python3
---
"""
