"""How an answer is judged that is made step by step: a dict of images, each computed from those before it."""

from dataclasses import dataclass

from course_utils.exercises._compare import Comparison, Image, Mapping

EACH_STEP = Image()


@dataclass(frozen=True, kw_only=True)
class Steps(Mapping):
    """Judge images that are made one after the other, and stop at the first that is not right.

    In a known mistake (see `slip`) the steps that do not matter are blank: there, anything will do.

    Attributes
    ----------
    step : comparison
        How each of them is judged.
    """

    step: Comparison = EACH_STEP

    def _differs(self, answer, expected):
        if not isinstance(answer, dict) or set(answer) != set(expected):
            return super()._differs(answer, expected)
        for n_right, (name, wanted) in enumerate(expected.items()):
            if wanted is not ...:
                problem = "it is still blank." if answer[name] is ... else self.step(answer[name], wanted)
                if problem is not None:
                    return f'{n_right} of {len(expected)} steps are right so far. At "{name}": {problem}'
        return None


def slip(steps, name, make):
    """Make a wrong solution of which one step alone is looked at.

    Parameters
    ----------
    steps : sequence of str
        Names of all steps, in order.
    name : str
        The step at which the mistake is made.
    make : callable
        Takes the inputs of the exercise by name and returns what the mistake gives at this step.

    Returns
    -------
    callable
        Takes the inputs by name and returns a dict in which the other steps are blank.
    """
    return lambda **inputs: {**dict.fromkeys(steps, ...), name: make(**inputs)}
