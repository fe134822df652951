"""Exercises of episode 01: what is wrong with raw images, which step mends it, and what remains."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from course_utils.exercises._compare import Mapping, Number, Text
from course_utils.exercises._describe import quote
from course_utils.exercises._engine import Choice, Exercise, KnownCase, Wrong

# ---- how much of the image is brain?


def find_brain_share(mask):
    """Count the voxels of the brain, and divide by the number of all voxels."""
    return (mask == 1).sum() / mask.size


def _of_mask(change):
    """Make a wrong solution from the sum and the size of the mask."""
    return lambda mask: change(float((mask == 1).sum()), mask.size)


def _example_mask():
    mask = np.zeros((8, 9, 10), np.uint8)
    mask[2:6, 2:7, 3:8] = 1
    return {"mask": mask}


brain_share = Exercise(
    title="How much of the image is brain?",
    solve=find_brain_share,
    compare=Number(rtol=0, atol=5.1e-3, unit="share of all voxels", between=(0, 1)),
    hints=[
        "The mask has one number for each voxel: 1 in the brain, 0 outside. What is the sum of all of them?",
        "`mask.sum()` counts the brain, `mask.size` counts all voxels. The mean of the mask divides the one by the "
        "other.",
    ],
    wrong={
        "percent": Wrong(
            _of_mask(lambda n, size: 100 * n / size), "This is in percent. Asked for is a share between 0 and 1."
        ),
        "count": Wrong(
            _of_mask(lambda n, size: n), "This is the number of voxels in the brain. Divide it by the number of all."
        ),
        "outside": Wrong(
            _of_mask(lambda n, size: 1 - n / size), "This is the share outside of the brain. Ask for the ones."
        ),
        "beside_the_rest": Wrong(
            _of_mask(lambda n, size: n / (size - n)),
            "Here the brain is divided by what is not brain. Divide it by all voxels.",
        ),
        "upside_down": Wrong(_of_mask(lambda n, size: size / n), "The division is the wrong way round."),
        "length": Wrong(
            lambda mask: float((mask == 1).sum()) / len(mask),
            "`len` of an array is the length of its first axis. `mask.size` counts all voxels.",
        ),
    },
    known_case=KnownCase({"mask": np.array([[[0, 1], [0, 0]], [[0, 1], [0, 0]]], np.uint8)}, 0.25),
    why="Without a mask, most of what a mean or a count says is about air.",
    example_inputs=_example_mask,
)


# ---- the largest movement


def find_largest_movement(confounds):
    """Ask the column for the number of the volume at which it is largest."""
    return confounds["framewise_displacement"].idxmax()


def _of_displacement(change):
    """Make a wrong solution from the framewise displacement."""
    return lambda confounds: change(confounds["framewise_displacement"])


def _farthest_from_start(confounds):
    place = confounds[["trans_x", "trans_y", "trans_z"]]
    return (place**2).sum(axis=1).idxmax()


def _example_confounds():
    """Make a run of eight volumes: a jerk at volume 4, a head that slides slowly, and bright first volumes."""
    return {
        "confounds": pd.DataFrame(
            {
                "framewise_displacement": [np.nan, 0.12, 0.05, 0.20, 1.60, 0.90, 0.30, 0.31],
                "dvars": [np.nan, 400.0, 50.0, 20.0, 25.0, 38.0, 21.0, 20.0],
                "trans_x": [0.0, 0.1, 0.1, 0.2, 0.9, 0.5, 0.7, 0.8],
                "trans_y": [0.0, 0.0, 0.0, 0.1, 0.2, 0.4, 0.5, 0.7],
                "trans_z": [0.0, 0.0, 0.1, 0.1, 0.4, 0.5, 0.6, 0.7],
            }
        )
    }


largest_movement = Exercise(
    title="The largest movement",
    solve=find_largest_movement,
    compare=Number(unit="the number of a volume", whole=True),
    hints=[
        "The column framewise_displacement says how far the head moved since the volume before.",
        'You need the row in which it is largest, not its value: `confounds["framewise_displacement"]` has a method '
        "for it whose name begins with `idx`.",
    ],
    wrong={
        "millimetres": Wrong(
            _of_displacement(lambda fd: fd.max()),
            "This is how far the head moved, in mm. Asked for is at which volume: the row of the table.",
        ),
        "first_is_missing": Wrong(
            _of_displacement(lambda fd: int(np.argmax(fd.to_numpy()))),
            "The first volume has none before it, so its value is missing (NaN), and `np.argmax` takes a missing value "
            "for the largest. pandas leaves it out.",
        ),
        "signal": Wrong(
            lambda confounds: confounds["dvars"].idxmax(),
            "Here the *signal* changed most (the column dvars). At the start of a run that is the scanner settling, "
            "not the head.",
        ),
        "farthest": Wrong(
            _farthest_from_start,
            "Here the head was farthest from where it began. It may have slid there slowly; asked for is the largest "
            "change from one volume to the next.",
        ),
        "counts_from_one": Wrong(
            _of_displacement(lambda fd: fd.idxmax() + 1), "One too many: the first volume has the number 0."
        ),
        "row_lost": Wrong(
            _of_displacement(lambda fd: int(np.argmax(fd.dropna().to_numpy()))),
            "One too few. Was the first row dropped, and then the rest counted from 0?",
        ),
        "stillest": Wrong(
            _of_displacement(lambda fd: fd.idxmin()),
            "At this volume the head lay stillest: this is the smallest value.",
        ),
        "seconds": Wrong(
            _of_displacement(lambda fd: 2.0 * fd.idxmax()),
            "This looks like a time in seconds: two of them for each volume. Asked for is the number of the volume.",
        ),
    },
    known_case=KnownCase({"confounds": pd.DataFrame({"framewise_displacement": [np.nan, 0.1, 0.7, 0.2]})}, 2),
    why="Before you analyse a run, look at where its head moved, and look at the images there.",
    example_inputs=_example_confounds,
)


# ---- is motion still a problem after motion correction?


def answer_colleague():
    """Motion correction mends where a signal is, not how strong it is: the dips of the last figure were left."""
    return "b"


after_motion_correction = Choice(
    title="After motion correction",
    solve=answer_colleague,
    options={
        "a": "True: after motion correction, each voxel holds the same tissue in all volumes.",
        "b": "Not so: the voxels are back in their places, but a movement also changes the signal, and that is left.",
        "c": "Not so: fMRIPrep estimates the motion, but leaves the volumes where they were.",
        "d": "True if you stay away from the edge of the brain, where movements show.",
    },
    reasons={
        "a": "The same tissue, yes, nearly. But is its signal what it would have been without the movement? Look at "
        "the lower row of the four differences again.",
        "c": "fMRIPrep does move the volumes: each is resampled to lie where the reference lies. What it only "
        "estimates are the confounds.",
        "d": "At the edge a *shift* shows best. What is left after motion correction is found in the whole brain: look "
        "at the mean signal after the largest movements.",
    },
    hints=[
        "A movement does two things. Which of them is mended by moving a volume back?",
        "The differences after motion correction had no rim any more. Were they as pale as those of a head at rest?",
    ],
    why="This is why later episodes spend so much on motion: it is one of the main sources of false findings.",
)


# ---- match each symptom to the step that mends it

# what is wrong with each match but the right one; the one step that is missing in a row is the right one
REASONS = {
    "A": {
        "brain extraction": "A mask says which voxels are brain. It moves nothing.",
        "distortion correction": "Distortion changes the shape, most of all near air. Here the shape is right, and "
        "the brain is off as a whole.",
        "motion correction": "Motion correction lays the volumes of a run on each other. They can fit each other and "
        "still lie beside the T1w image, all of them.",
        "normalisation": "Normalisation makes different brains alike. Run and T1w image are of one and the same brain.",
        "confound regression": "Regression changes a voxel's signal over time. It does not move the voxel.",
        "nothing": "Both images show the same brain. Moved and turned as a whole, the one fits the other.",
    },
    "B": {
        "brain extraction": "To cut away what is not brain leaves the brain as bent as it was.",
        "alignment": "Alignment moves and turns the brain as a whole. If the front then fits, the back no longer does.",
        "motion correction": "A head that moves takes its front and its back along alike. This fault stays, volume "
        "after volume.",
        "normalisation": "Normalisation bends too, but to make different brains alike, and by what it saw in the T1w "
        "image, which does not have this fault.",
        "confound regression": "A fault of place, alike in all volumes. Regression takes out changes over time.",
        "nothing": "The signal is not lost but in the wrong place, and a map of the magnetic field says how far off.",
    },
    "C": {
        "brain extraction": "The rim is the edge of the brain itself. No mask takes it away.",
        "alignment": "Alignment gives all volumes of a run the same shift. These two differ from each other.",
        "distortion correction": "Both volumes are bent nearly alike, so their difference hardly shows it.",
        "normalisation": "Normalisation bends all volumes alike. What differs between two of them goes along.",
        "confound regression": "Here an edge lies in other voxels than before. Bring it back first; regression comes "
        "later, for what is left.",
        "nothing": "The head moved as a whole. So the volume can be moved back.",
    },
    "D": {
        "brain extraction": "The voxels that get darker are brain. A mask keeps them.",
        "alignment": "Everything lies in place already, and the signal dips all the same.",
        "distortion correction": "Distortion correction mends where a signal is. Here its strength changes.",
        "motion correction": "That was done: everything lies in place. It puts tissue back; it does not undo what the "
        "movement did to the signal.",
        "normalisation": "Normalisation gives brains one shape. The dip comes along into the new shape.",
        "nothing": "The movements were estimated. What follows them in the signal can be fitted and subtracted: not "
        "perfectly, but much of it.",
    },
    "E": {
        "brain extraction": "Brains without skulls still differ in place, size and shape.",
        "alignment": "Alignment brings together two images of one person. To move and turn a brain does not give it "
        "the shape of another.",
        "distortion correction": "The two T1w images differ as well, and those are not distorted in this way.",
        "motion correction": "Motion correction looks at one run of one person. Here two people differ.",
        "confound regression": "Regression changes signals over time. A coordinate stays where it was.",
        "nothing": "Brains differ, but they can be bent until a coordinate means about the same in all of them.",
    },
    "F": {
        "alignment": "Wherever the image lies: fat, skin and air are still in it.",
        "distortion correction": "Fat and skin are where they belong. They are no artefact; they are no brain either.",
        "motion correction": "This is one still image. There is no run whose volumes could be compared.",
        "normalisation": "Normalisation bends the whole head, skull and skin included. In the preprocessed T1w image "
        "in MNI space they are all still there.",
        "confound regression": "Regression needs a signal that changes over time. A T1w image has none.",
        "nothing": "One can take the mean over the brain alone, once one knows which voxels are brain.",
    },
    "G": {
        "brain extraction": "A mask can leave the dark region out. It does not bring the signal back.",
        "alignment": "The region is where it belongs. It has no signal there.",
        "distortion correction": "Distortion correction brings signal back that went to a wrong place. This signal "
        "went nowhere: it had faded before it was measured.",
        "motion correction": "The region is as dark while the head lies still.",
        "normalisation": "Bent to the template, the hole is a hole of another shape.",
        "confound regression": "Regression takes out parts of a signal. It cannot put in what was never recorded.",
    },
}
STEPS = tuple(REASONS["F"] | REASONS["G"])  # what F lacks, G has
ALSO_SAID = {
    "normalization": "normalisation",
    "brain mask": "brain extraction",
    "skull stripping": "brain extraction",
    "realignment": "motion correction",
    "coregistration": "alignment",
    "none": "nothing",
}


class OneWrong(dict):
    """A whole answer in which one match is wrong.

    Parameters
    ----------
    right : dict of str
        The right answer.
    letter, step : str
        The wrong match.
    """

    def __init__(self, right, letter, step):
        super().__init__(right | {letter: step})
        self.letter = letter


@dataclass(frozen=True, kw_only=True)
class Step(Text):
    """Judge the name of a step; other words for the same step count."""

    def _normal(self, value):
        """Bring a name into the form in which it is compared."""
        name = super()._normal(value)
        return ALSO_SAID.get(name, name)

    def _differs(self, answer, expected):
        if self.handles(answer) and self._normal(answer) not in STEPS:
            return f"{quote(answer, 40)} is none of the options (is it spelled as in the list?)."
        return super()._differs(answer, expected)


@dataclass(frozen=True, kw_only=True)
class Matches(Mapping):
    """Judge matches. Against an answer in which one match is wrong, that match alone is judged.

    So the reason of a wrong match is found whatever the other matches are. In an answer that is not finished, blanks
    are counted apart, and a wrong match is told before them.
    """

    def _expects(self, expected):
        return f"a dict that gives each letter one of {', '.join(STEPS)}"

    def _differs(self, answer, expected):
        letter = getattr(expected, "letter", None)
        if letter is None or not isinstance(answer, dict | pd.Series):
            return self._unfinished(answer, expected) or super()._differs(answer, expected)
        return self.values(answer.get(letter), expected[letter])

    def _unfinished(self, answer, expected):
        """Say how far an answer with blanks has come; None if it has none, or other keys."""
        found = dict(answer.items()) if isinstance(answer, dict | pd.Series) else {}
        n_blank = sum(step is ... for step in found.values())
        if not n_blank or set(found) != set(expected):
            return None
        problems = [(a, self.values(found[a], step)) for a, step in expected.items() if found[a] is not ...]
        wrong = [f" At {letter!r}: {problem}" for letter, problem in problems if problem is not None]
        return f"{len(problems) - len(wrong)} of {len(expected)} matched, {n_blank} still blank.{''.join(wrong[:1])}"


def match_steps():
    """Ask of each symptom: is it the place, the shape, or the strength of a signal, and does it change over time?"""
    return {
        "A": "alignment",  # one shift for the whole run
        "B": "distortion correction",  # a wrong shape
        "C": "motion correction",  # a shift from volume to volume
        "D": "confound regression",  # the strength of the signal, over time
        "E": "normalisation",  # two people
        "F": "brain extraction",  # one image, of which we want a part
        "G": "nothing",  # no signal was recorded
    }


def _give(answer):
    """Make a function that returns an answer."""
    return lambda: answer


symptoms = Exercise(
    title="Match each symptom to the step that mends it",
    solve=match_steps,
    compare=Matches(values=Step(options=STEPS)),
    hints=[
        "Sort first. Which symptoms are about the place or the shape of something, which about the strength of a "
        "signal? Which differ from volume to volume, which between people?",
        "One symptom has no cure. A step can move, bend, cut or subtract. Which symptom would need more than that?",
    ],
    wrong={
        f"{letter}_{step.replace(' ', '_')}": Wrong(_give(OneWrong(match_steps(), letter, step)), f"{letter}: {reason}")
        for letter, reasons in REASONS.items()
        for step, reason in reasons.items()
    },
    known_case=KnownCase({}, {letter: next(s for s in STEPS if s not in row) for letter, row in REASONS.items()}),
    why="Who knows which step mends what also knows where to look when a preprocessed image is wrong.",
)


# ---- what is left to do


def name_what_is_left():
    """Breathing, pulse and the traces of motion are still in the signal: the table of confounds is only a table."""
    return "c"


what_is_left = Choice(
    title="What is left to do",
    solve=name_what_is_left,
    options={
        "a": "None. The image is called preprocessed, so it is ready.",
        "b": "Motion correction: the volumes do not fit each other yet.",
        "c": "Confound regression: traces of movement, breathing and pulse are still in both signals.",
        "d": "Normalisation: the regions have not been brought to the template yet.",
        "e": "Brain extraction: skull and scalp are still in the image, and so in both signals.",
    },
    reasons={
        "a": "Preprocessed means prepared, not cleaned. What does fMRIPrep write beside the image, and what for?",
        "b": "Each volume was moved to where the reference lies. That is part of `desc-preproc`.",
        "d": "It was: the name of the file says so, `space-MNI152NLin2009cAsym`.",
        "e": "They are in the image. But the two regions lie in the brain, and a region's signal is the mean of the "
        "voxels of that region, not of the image.",
    },
    hints=[
        "Read the name of the file: what does it say has been done?",
        "Three of the steps are in the file already. One of the rest does not touch the signals of two regions.",
    ],
    why="Regions that share breathing and movement correlate, whether or not their neurons have anything in common.",
)
