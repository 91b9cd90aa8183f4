"""Short strings whose grammar can be checked, and a small recurrent writer of them.

    from gantut.applications import text

    corpus = text.dates()
    run = text.train(corpus, "gumbel", seed=0)
    run.sample(5)                           # ["1979-05-26", ...]
    log_p = text.log_probabilities(run.writer, corpus)
    text.measure(log_p, corpus)             # exact shares, from the writer's own probabilities

A `Corpus` lists all strings that its grammar allows, of which some are shown in training. A
`Writer` is a recurrent network that writes one symbol after the other. `train` teaches it in one of
three ways: against a discriminator through soft draws (Jang et al. 2017; Kusner and
Hernandez-Lobato 2016), against one by policy gradients (Yu et al. 2017, SeqGAN), or by maximum
likelihood. All three leave a network that gives each string a probability. So the share of valid
strings, their diversity and what is memorised are sums over the corpus, not estimates.
"""

from gantut.applications.text.measures import Measures, log_probabilities, measure, reply
from gantut.applications.text.strings import Corpus, corpus, dates, sums
from gantut.applications.text.training import (
    METHODS,
    MaximumLikelihood,
    PolicyGAN,
    TextRun,
    recipe,
    train,
)
from gantut.applications.text.writer import Writer, generator

__all__ = [
    "METHODS",
    "Corpus",
    "MaximumLikelihood",
    "Measures",
    "PolicyGAN",
    "TextRun",
    "Writer",
    "corpus",
    "dates",
    "generator",
    "log_probabilities",
    "measure",
    "recipe",
    "reply",
    "sums",
    "train",
]
