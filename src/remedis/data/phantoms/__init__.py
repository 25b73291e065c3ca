"""Simulated chest radiographs with known truth: no patient was ever in front of a detector.

    population.py   who is X-rayed, where, how often, and what is found
    anatomy.py      body, lungs, heart and mediastinum as thicknesses along the beam, in millimetres
    skeleton.py     ribs, clavicles, scapulae and spine
    vessels.py      the branching vessels of the lungs
    findings.py     nodule, consolidation, effusion, cardiomegaly, pneumothorax
    beam.py         Beer-Lambert's law, scatter, quanta
    acquisition.py  the sites: exposure, detector, display, collimation
    markers.py      the letters in the picture
    render.py       one examination as a picture with its truth
    dicom_file.py   a picture as a DICOM data set
    write.py        a folder of PNG or DICOM files with manifest and labels
    geometry.py     millimetres and pixels, for all of them

    exam = next(Population(seed=0).exams(1))
    render(exam.having(effusion=0.7), size=224).pixels

Every draw is keyed by (seed, patient, image, part): a picture does not depend on how many are made or in which order.
"""

from remedis.data.phantoms.population import FINDINGS, Exam, Patient, Population
from remedis.data.phantoms.render import Phantom, render

__all__ = ["FINDINGS", "Exam", "Patient", "Phantom", "Population", "render"]
