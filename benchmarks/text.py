"""Measurements behind the chapter on text.

A seed fixes the strings shown, the training and the samples. Experiments:

- ``dates``: writers of calendar dates, three seeds: by maximum likelihood, with soft and with
  straight-through draws against D, and by policy gradients, from scratch and pretrained. Each is
  measured at several temperatures.
- ``sums``: three of them on sums, three seeds; also what they answer to questions.
- ``summaries``: the adversarial summariser, taggers that were given a few pairs, and two
  baselines, five seeds.
- ``counts``: bigrams of the dates, each character with its place (longer ones covered fewer days
  from another seed), and of the words in the summaries that the adversary sees, five seeds.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from lib.recording import main, timed

from gantut.applications import rivals, summaries, text

TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
DATES: dict[str, dict[str, Any]] = {
    "likelihood": {"method": "likelihood"},
    "likelihood, third": {"method": "likelihood", "steps": 300},
    "gumbel": {"method": "gumbel"},
    "straight-through": {"method": "straight-through"},
    "policy": {"method": "policy"},
    "policy, pretrained": {"method": "policy", "pretraining": 200, "steps": 300},
    "rollouts, pretrained": {"method": "rollouts", "pretraining": 200, "steps": 100},
}
SUMS: dict[str, dict[str, Any]] = {
    "likelihood": {"method": "likelihood"},
    "gumbel": {"method": "gumbel"},
    "policy, pretrained": {"method": "policy", "pretraining": 300, "steps": 250},
}
PAIRS = (5, 10, 20, 50, 200)
"""Documents with their own summaries that a tagger is given."""


def writer_row(method: str, run: text.TextRun) -> dict[str, Any]:
    """What is recorded of every writer: its quality at each temperature, and examples."""
    sweep = []
    for temperature in TEMPERATURES:
        log_p = text.log_probabilities(run.writer, run.corpus, temperature)
        sweep.append({"temperature": temperature, **text.measure(log_p, run.corpus)._asdict()})
    examples = run.sample(6)
    return {"method": method, "cpu_seconds": run.cpu_seconds, "sweep": sweep, "examples": examples}


def dates_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Writers of dates."""
    corpus = text.dates(seed=seed)
    for name, settings in DATES.items():
        run = text.train(corpus, seed=seed, **settings)
        yield writer_row(name, run)


def sums_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Writers of sums, and what they answer to questions that were held out."""
    corpus = text.sums(seed=seed)
    for name, settings in SUMS.items():
        run = text.train(corpus, seed=seed, **settings)
        right = {}
        for part in ("train", "holdout"):
            pairs = [string.split("=") for string in getattr(corpus, part)]
            replies = text.reply(run.writer, corpus, [f"{q}=" for q, _ in pairs])
            right[f"right_{part}"] = float(
                np.mean([r == a for r, (_, a) in zip(replies, pairs, strict=True)])
            )
        yield {**writer_row(name, run), **right}


def summaries_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Summarisers."""
    news, test = summaries.news(4_000, seed=seed), summaries.news(1_000, seed=1_000 + seed)
    made: dict[str, tuple[Any, float]] = {
        "lead": (summaries.lead(test.documents), 0.0),
        "rarest": (summaries.rarest(test.documents, news.documents), 0.0),
    }
    for pairs in PAIRS:
        few = summaries.News(news.documents[:pairs], news.kept[:pairs])
        run = summaries.train_tagger(few, seed=seed)
        made[f"tagger, {pairs} pairs"] = (run.summarise(test.documents), run.cpu_seconds)
    run = summaries.train(news, seed=seed)
    made["adversarial"] = (run.summarise(test.documents), run.cpu_seconds)
    for name, (found, cpu_seconds) in made.items():
        yield {
            "method": name,
            "cpu_seconds": cpu_seconds,
            **summaries.measure(found, test.summaries)._asdict(),
        }


def counts_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Dates and summaries by counts of what follows what."""
    corpus = text.dates(seed=seed)
    news, test = summaries.news(4_000, seed=seed), summaries.news(1_000, seed=1_000 + seed)

    def dates() -> list[float]:
        grams = rivals.NGrams([tuple(enumerate(day)) for day in corpus.train])
        return [grams.log_probability(tuple(enumerate(day))) for day in corpus.valid]

    def chosen() -> list[tuple[Any, ...]]:
        grams = rivals.NGrams(summaries.unpaired(news)[1])
        return [grams.likeliest_part(document, 3) for document in test.documents]

    log_p, cpu_seconds = timed(dates)
    sweep = [{"temperature": 1.0, **text.measure(log_p, corpus)._asdict()}]
    yield {"method": "dates", "cpu_seconds": cpu_seconds, "sweep": sweep}
    made, cpu_seconds = timed(chosen)
    found = summaries.measure(made, test.summaries)._asdict()
    yield {"method": "summaries", "cpu_seconds": cpu_seconds, **found}


SEEDS = {
    "dates": [0, 1, 2],
    "sums": [0, 1, 2],
    "summaries": [0, 1, 2, 3, 4],
    "counts": [0, 1, 2, 3, 4],
}


if __name__ == "__main__":
    experiments = {
        "dates": dates_rows,
        "sums": sums_rows,
        "summaries": summaries_rows,
        "counts": counts_rows,
    }
    main(__doc__, experiments, {"seed": SEEDS}, seeds=SEEDS)
