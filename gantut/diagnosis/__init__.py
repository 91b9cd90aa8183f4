"""What a GAN's readings say, in words, while it trains.

A reading is taken now and then during the training, always on the same data and latent vectors
(:class:`Probe`). Each symptom is a condition on the readings so far (:func:`present`), with the
limits in :class:`Thresholds`, and a sentence with the numbers in it that says what may help
(:func:`describe`). Losses alone tell little: a GAN's losses do not fall as the samples get better.

What a reading holds, by the names in ``READINGS``:

- ``d_real``, ``d_fake``: the mean of sigmoid(D) on data and on samples. For losses on unbounded
  scores (least squares, hinge, Wasserstein) these are no probabilities.
- ``told_apart``: the share of pairs of one data point and one sample (with labels: of the same
  class) in which D gives the data point the higher logit. 1/2 is guessing; it has a meaning for
  every loss.
- ``advantage``: how far D's loss has come from that of a D which answers alike everywhere (0)
  towards the smallest value that the loss can take (1). With the minimax loss this is the
  estimate of the Jensen-Shannon divergence that D's loss implies, in bits (Goodfellow et al.
  2014, section 4.1). It is below 0 for a D that is worse than a constant, and NaN for a loss
  without a smallest value, such as Wasserstein's.
- ``d_loss``, ``g_loss``: the losses, without penalties.
- ``d_gradient``, ``g_gradient``: the Euclidean norm of each loss' gradient with respect to all
  weights of its network, in training mode and without penalties.
- ``variety``: the mean distance of two samples, divided by that of two data points. With labels,
  of two of the same class.
- ``classes``: the effective number of classes among the samples, exp(entropy of their shares):
  k if k classes appear equally often. NaN where no classes are known.
- ``mode_gap``: the mean distance between what G makes of a latent vector in training mode and in
  inference mode, divided by the mean distance of two data points. 0 without layers that behave
  differently, such as batch normalisation.

The files:

- ``probe``: takes readings
- ``symptoms``: when a symptom is present, and how it is put into words
- ``callback``: `Diagnosis`, which reads while a GAN trains
"""

from gantut.diagnosis.callback import Diagnosis
from gantut.diagnosis.probe import (
    READINGS,
    Probe,
    blind_and_best,
    effective_number,
)
from gantut.diagnosis.symptoms import (
    SYMPTOMS,
    Facts,
    Finding,
    Thresholds,
    describe,
    present,
)

__all__ = [
    "READINGS",
    "SYMPTOMS",
    "Diagnosis",
    "Facts",
    "Finding",
    "Probe",
    "Thresholds",
    "blind_and_best",
    "describe",
    "effective_number",
    "present",
]
