"""Set-up for all tests, before any of them imports TensorFlow, and what several modules share."""

import os

import pytest
from tiny import recipe

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def tiny():
    """A recipe of two small networks, which trains in a moment."""
    return recipe()


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
