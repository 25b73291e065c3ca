"""Simulated chest radiographs with known truth: no patient was ever in front of a detector.

    population.py   who is X-rayed, where, how often, and what is found
    anatomy.py      body, lungs, heart and mediastinum as thicknesses along the beam, in millimetres
    skeleton.py     ribs, clavicles, scapulae and spine
    vessels.py      the branching vessels of the lungs
    findings.py     nodule, consolidation, effusion, cardiomegaly, pneumothorax
    acquisition.py  the sites: exposure, scatter, noise, detector, display, collimation
    markers.py      the letters burnt into the picture
    render.py       one examination as a picture with its truth
    write.py        a folder of PNG or DICOM files with manifest and labels

Every draw is keyed by (seed, patient, image, part): a picture does not depend on how many are made or in which order.
"""

from remedis.data.phantoms.population import FINDINGS, Exam, Patient, Population
from remedis.data.phantoms.render import Phantom, render

__all__ = ["FINDINGS", "Exam", "Patient", "Phantom", "Population", "render"]
