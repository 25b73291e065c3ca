"""Body, lungs, heart and mediastinum as thicknesses along the beam, in millimetres.

Lengths are those of an average man on the detector of a PA film at 180 cm; `Body` scales them by sex and by person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remedis.data.phantoms.geometry import Array, Grid, Mask, Pose, chord, mound, ramp
from remedis.data.phantoms.population import Exam, generator

APEX_X = 47.0  # where the top of a lung lies, from the midline
CAVITY_MM = 252.0  # from the top of the lungs to where the ribs are widest
LARGEST_HEART = 0.42  # so much wider is a heart of severity 1
LIVER_MM = 15.0  # below its dome, the diaphragm has closed the beam's whole way
AP_HEART = 1.1  # a heart farther from the detector is drawn larger


@dataclass(frozen=True)
class Body:
    """What one person's chest measures in one picture; millimetres.

    Attributes:
        exam: Whose.
        half_width: Of the rib cage inside, where it is widest.
        apex: Level of the tops of the lungs.
        domes: Levels of the diaphragm on the person's right and left.
        depth: Of the trunk along the beam.
        wall: Soft tissue beside the ribs.
        lung_depth: Of the lungs along the beam.
        heart: Factor of the heart's size without cardiomegaly.
        heart_angle: Of the left ventricle's axis, radians.
        knob: Radius of the aortic arch.
        breast: Thickness of a breast; 0 in men.
        gas: Radius of the stomach's bubble; 0 where there is none.
    """

    exam: Exam
    half_width: float
    apex: float
    domes: tuple[float, float]
    depth: float
    wall: float
    lung_depth: float
    heart: float
    heart_angle: float
    knob: float
    breast: float
    gas: float

    @classmethod
    def of(cls, exam: Exam) -> Body:
        """Return the body in one examination: the person's, as deep as the breath was."""
        patient = exam.patient
        own = generator(patient.seed, patient.number, "body").standard_normal(10).tolist()
        breath = exam.generator("breath").standard_normal(2).tolist()
        bedside, woman = exam.projection == "AP", patient.sex == "F"
        size = (0.94 if woman else 1.0) * (1 + 0.03 * own[0])
        raised = 16 * bedside + 7 * breath[0] + 5 * patient.habitus
        return cls(
            exam=exam,
            half_width=size * (139 + 3 * own[1] + 5 * patient.habitus),
            apex=-140 + 4 * own[2],
            domes=(102 * size + 4 * own[3] - raised, 113 * size + 4 * own[4] - raised),
            depth=size * (212 + 8 * own[5] + 55 * patient.habitus),
            wall=31 + 2 * abs(own[6]) + 15 * max(patient.habitus, -0.4),
            lung_depth=size * (150 + 6 * own[7]) * (0.93 if bedside else 1.0),
            heart=0.96 * size * (1 + 0.04 * own[8]) * (AP_HEART if bedside else 1.0) * (1 - 0.02 * breath[1]),
            heart_angle=0.72 + 0.08 * own[9] - 0.1 * bedside,
            knob=13.5 + 0.09 * (patient.age - 40),
            breast=max(0.0, 15 + 9 * patient.habitus + 2 * own[1]) if woman else 0.0,
            gas=max(0.0, 15 + 9 * breath[1] + 6 * own[6]),
        )


def pose_of(exam: Exam) -> Pose:
    """Return how the patient stands: straighter upright (PA) than in bed (AP)."""
    patient = exam.patient
    random, bedside = exam.generator("pose"), exam.projection == "AP"
    spread = 2.0 if bedside else 1.0
    shift_x, shift_y, tilt, scale = random.standard_normal(4).tolist()
    stature = 0.02 * float(generator(patient.seed, patient.number, "stature").standard_normal())
    return Pose(
        shift_x=4.0 * spread * shift_x,
        shift_y=5.0 * spread * shift_y,
        tilt=0.014 * spread * tilt,
        scale=1.0 + stature + 0.008 * scale + 0.03 * bedside,
    )


@dataclass
class Chest:
    """A body on a grid. The findings change `lung` and `air`; what is neither is soft tissue.

    Attributes:
        grid: Of the picture.
        body: The person.
        side: (1, N) or (N, N): +1 at the person's left, -1 at the right.
        reach: Distance from the midline as a share of the rib cage's half width at that level.
        share: 0 at a lung's inner border, 1 at the ribs.
        below: Millimetres below the dome of the diaphragm (negative above).
        total: Thickness of the body.
        lung: Of lung.
        usual_lung: What `lung` began as, and would have been beside a heart without cardiomegaly.
        air: Of air inside the body: windpipe, stomach, pleural space.
        blood: Of the vessels inside the lungs.
        lungs: What a reader outlines as lung fields, whatever covers them.
        heart: The heart's shadow.
    """

    grid: Grid
    body: Body
    side: Array
    reach: Array
    share: Array
    below: Array
    total: Array
    lung: Array
    usual_lung: Array
    air: Array
    lungs: Mask
    heart: Mask
    blood: Array | float = 0.0


def chest(grid: Grid, body: Body, cardiomegaly: float = 0.0) -> Chest:
    """Return the chest of a body.

    Args:
        grid: Of the picture.
        body: The person.
        cardiomegaly: Severity, 0 to 1.
    """
    across, side = np.abs(grid.x), np.sign(grid.x)
    level = (grid.y - np.float32(body.apex)) * np.float32(1 / CAVITY_MM)
    outer, inner = borders(level, body)
    share = (across - inner) / (outer - inner)
    below = grid.y - _dome(across, side, body)
    full = np.sqrt(chord(2 * share - 1)) * (level > 0)
    full *= np.float32(0.5 * body.lung_depth) * (1 + ramp(level / 0.45))
    heart, middle = mediastinum(grid, body, cardiomegaly)
    usual = middle if not cardiomegaly else mediastinum(grid, body, 0.0)[1]
    # A dome meets the beam along a tangent: what it blocks grows with the root of the depth below its top.
    liver = np.sqrt(np.clip(below, 0, LIVER_MM)) * np.float32(1.03 * body.lung_depth / LIVER_MM**0.5)
    total = trunk(grid, across, body)
    lung = _between(full, middle, liver, total)
    usual_lung = lung if not cardiomegaly else _between(full, usual, liver, total)
    lungs = (full > 0) & (below < 0) & (middle < 4)
    air = np.minimum(airways(grid, body), total)
    reach = across / outer
    return Chest(grid, body, side, reach, share, below, total, lung, usual_lung, air, lungs, heart > 0)


def _between(full: Array, middle: Array, liver: Array, total: Array) -> Array:
    """Return the lung that remains where the mediastinum or the liver stands in it, inside a wall of 25 mm."""
    lung = full - np.maximum(middle, liver)
    np.clip(lung, 0, 400, out=lung)
    result: Array = np.minimum(lung, np.clip(total - 25, 0, 400), out=lung)
    return result


def borders(level: Array, body: Body) -> tuple[Array, Array]:
    """Return the distance of the ribs and of the inner border from the midline, by level (0 at the apex)."""
    inside = np.clip(level, 0, 1)
    inner = (12 - APEX_X) * np.sqrt(np.minimum(inside / np.float32(0.09), 1)) + np.float32(APEX_X)
    inside = 1 - inside
    outer = np.sqrt(1 - inside * inside * (1 - np.float32(0.3) * (1 - inside)))  # a dome, with steep sides below
    outer *= np.float32(body.half_width - APEX_X)
    outer += np.float32(APEX_X + 1e-3) - 6 * np.clip(level - 1, 0, 1)
    return outer, inner


def _dome(across: Array, side: Array, body: Body) -> Array:
    """Return the level of the diaphragm: flat towards the heart, falling steeply to the ribs."""
    right, left = body.domes
    top = np.float32((left + right) / 2) + side * np.float32((left - right) / 2)
    off = across - np.float32(0.47 * body.half_width)
    fall = (off > 0) * np.float32(0.0086) + np.float32(0.0032)
    fall *= off
    fall *= off
    fall += top
    return fall


def trunk(grid: Grid, across: Array, body: Body) -> Array:
    """Return the thickness of trunk, neck and shoulders, with breasts."""
    y, habitus = grid.y, np.float32(max(body.exam.patient.habitus, 0))
    depth = np.float32(body.depth) * (np.float32(0.5) + np.float32(0.5) * ramp((y + 190) / 150))
    width = np.float32(body.half_width + body.wall) + 95 * ramp((85 - y) / 185)
    shape = across / width
    shape = chord(shape * shape)
    shoulder = -246 + 78 * ramp((across - 42) / 32) + 42 * ramp((across - 60) / 130) - 6 * habitus
    shape *= np.sqrt(np.clip((y - shoulder) / 40, 0, 1))
    shape *= depth
    for side in (-1, 1):
        where, near = grid.patch((min(0.0, side * 160.0), -80.0), (max(0.0, side * 160.0), 150.0))
        shape[where] += _breast(near, np.abs(near.x), body)
    return shape


def _breast(grid: Grid, across: Array, body: Body) -> Array:
    """Return its thickness: fading upwards, with a round lower border; a man's is a muscle with a slanting edge."""
    if not body.breast:
        edge = grid.y - 28 + np.float32(0.55) * (across - 70)
        return 9 * ramp((30 - np.abs(across - 92)) / 25) * ramp(edge / -10) * ramp((edge + 95) / 60)
    centre = np.float32(62 + 0.4 * body.breast)
    x, y = (across - np.float32(0.62 * body.half_width)) / 62, (grid.y - centre) / 58
    round_ = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    return np.float32(1.2 * body.breast) * round_ * ramp((y + 1) / np.float32(1.6))


def mediastinum(grid: Grid, body: Body, cardiomegaly: float) -> tuple[Array, Array]:
    """Return the thickness of the heart, and of all that stands between the lungs."""
    heart, middle = np.zeros_like(grid.x), np.zeros_like(grid.x)
    where, near = grid.patch((-110.0, -70.0), (170.0, 170.0))
    heart[where] = _heart(near, body, cardiomegaly)
    where, near = grid.patch((-62.0, -200.0), (72.0, 200.0))
    middle[where] = _great_vessels(near, body)
    return heart, np.maximum(middle, heart, out=middle)


def _heart(grid: Grid, body: Body, cardiomegaly: float) -> Array:
    """Return the heart's thickness: a right atrium and a left ventricle, which grows more."""
    grown = 1 + LARGEST_HEART * cardiomegaly
    size = body.heart
    floor = sum(body.domes) / 2 + 8
    right = size * (1 + 0.35 * (grown - 1))
    atrium = mound(grid, (-7 * right, floor - 52 * size), (38 * right, 66 * size))
    centre = (21 * size * (1 + 0.8 * (grown - 1)), floor - 50 * size)
    ventricle = mound(grid, centre, (76 * size * grown, 46 * size * (1 + 0.6 * (grown - 1))), body.heart_angle)
    depth = np.float32(112 * size)
    foot = mound(grid, (18 * grown, floor - 6 * size), (56 * size * grown, 26 * size))
    result: Array = np.maximum(np.maximum(np.float32(0.9) * atrium, ventricle), np.float32(0.8) * foot)
    result *= depth
    return result


def _great_vessels(grid: Grid, body: Body) -> Array:
    """Return the mediastinum's thickness without the heart: upper part, aorta, pulmonary trunk, hila."""
    knob = body.knob
    level = -76 + 0.12 * (60 - body.exam.patient.age)
    width = 22 + 30 * ramp((-105 - grid.y) / 60) + 5 * ramp((grid.y + 60) / 60)
    result: Array = 120 * chord((grid.x + 3) / width)
    descending = chord((grid.x - np.float32(14)) / (np.float32(0.85) * knob)) * ramp((grid.y - level) / 20)
    for depth, part in (
        (2 * knob, descending),
        (3.4 * knob, mound(grid, (17.0, level), (knob + 1, 1.4 * knob))),
        (75, mound(grid, (-13.0, -38.0), (20.0, 70.0))),
        (62, mound(grid, (19.0, -20.0), (23.0, 62.0), -0.22)),
        (26, mound(grid, (-32.0, -8.0), (15.0, 30.0), 0.2)),
        (26, mound(grid, (36.0, -22.0), (15.0, 24.0), -0.25)),
    ):
        np.maximum(result, np.float32(depth) * part, out=result)
    return result


def airways(grid: Grid, body: Body) -> Array:
    """Return the air of the windpipe, the two main bronchi and the stomach's bubble."""
    total = np.zeros_like(grid.x)
    where, near = grid.patch((-45.0, -200.0), (60.0, 0.0))
    total[where] = _windpipe(near)
    if body.gas > 6:
        centre = (0.42 * body.half_width, body.domes[1] + 10 + 0.75 * body.gas)
        reach = 1.4 * body.gas
        where, near = grid.patch((centre[0] - reach, centre[1] - reach), (centre[0] + reach, centre[1] + reach))
        total[where] += 1.1 * np.float32(body.gas) * mound(near, centre, (1.35 * body.gas, 0.75 * body.gas))
    return total


def _windpipe(grid: Grid) -> Array:
    after = grid.y - np.float32(-52)
    pipe = 17 * chord((grid.x + 2 * ramp((after + 48) / 40)) / np.float32(8.5)) * ramp(after / -6)
    slope = np.where(grid.x < 0, np.float32(0.62), np.float32(1.25))
    off = (np.abs(grid.x) - slope * after) / (np.float32(5.5) * np.sqrt(1 + slope * slope))
    bronchi = 11 * chord(off) * ramp(after / 4 + 1) * ramp((34 - after) / 14)
    return np.maximum(pipe, bronchi)
