"""What a GAN's readings say, in words.

- ``reading``: what is read, and what a reading means
- ``callback``: `Diagnosis`, which reads while a GAN trains
"""

from gantut.diagnosis.callback import Diagnosis
from gantut.diagnosis.reading import (
    FIRST,
    READINGS,
    SURE,
    SYMPTOMS,
    Classifier,
    Facts,
    Finding,
    Probe,
    Symptom,
    Thresholds,
    blind_and_best,
    describe,
    effective_number,
    facts,
    present,
)

__all__ = [
    "FIRST",
    "READINGS",
    "SURE",
    "SYMPTOMS",
    "Classifier",
    "Diagnosis",
    "Facts",
    "Finding",
    "Probe",
    "Symptom",
    "Thresholds",
    "blind_and_best",
    "describe",
    "effective_number",
    "facts",
    "present",
]
