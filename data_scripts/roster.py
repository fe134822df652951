"""Who takes part: labels, groups, ages and genders, balanced between the groups by design.

People come in fours: a pair of women and a pair of men of about the same age, each pair one control and one patient.
The k-th pair of a seed is the same however large the study is.
"""

import random

from data_scripts.parameters import Person

FIRST = {"CONTROL": 19001, "SCHZ": 59001}  # labels that ds000030 does not have
MAX_PAIRS = 999
YOUNGEST, OLDEST = 21, 50  # as in ds000030
GOLDEN = 0.6180339887498949  # steps of this share of the range never cluster, however many are taken
APART = 2  # years from the middle of four people to the woman's and the man's pair, which is older by turns


class RosterError(ValueError):
    """People were asked for that the study cannot have."""


def make_pairs(n_pairs, seed):
    """Draw the people.

    Parameters
    ----------
    n_pairs : int
        People in each group, 1 to 999.
    seed : int
        Of the study.

    Returns
    -------
    list of Person
        Controls first, then patients, in the order of their labels.

    Raises
    ------
    RosterError
        If `n_pairs` is out of range.

    Examples
    --------
    >>> [person.subject for person in make_pairs(2, seed=1)]
    ['19001', '19002', '59001', '59002']
    """
    if not 1 <= n_pairs <= MAX_PAIRS:
        raise RosterError(f"{2 * n_pairs} people were asked for; a study has 2 to {2 * MAX_PAIRS}, half in each group.")
    start = random.Random(seed).random()
    groups = {"CONTROL": [], "SCHZ": []}
    for k in range(n_pairs):
        four, is_man = divmod(k, 2)
        middle = YOUNGEST + (start + four * GOLDEN) % 1.0 * (OLDEST - YOUNGEST + 1)
        older = 1 if (four + is_man) % 2 else -1
        control = int(middle) + older * APART
        # the differences within pairs cancel in the long run, for women and for men
        patient = control + older * (-1) ** is_man * random.Random(f"{seed} {k}").randint(0, 2)
        ages = [min(max(age, YOUNGEST), OLDEST) for age in (control, patient)]
        for (group, people), age in zip(groups.items(), ages, strict=True):
            people.append(Person(str(FIRST[group] + k), group, age, "FM"[is_man], has_raw_run=k == 0))
    return groups["CONTROL"] + groups["SCHZ"]


def choose_people(subjects, seed, default_per_group):
    """Turn what a caller asks for into people.

    Parameters
    ----------
    subjects : int, sequence of str, or None
        How many people (even: half in each group); or the labels of single people, with or without "sub-"; None for
        the size that the profile has.
    seed : int
        Of the study.
    default_per_group : int
        Size of a group when nothing was asked for.

    Returns
    -------
    list of Person
        In the order of their labels.

    Raises
    ------
    RosterError
        If the number is odd or out of range, or a label is not one that a study can have, or is there twice.
    """
    if subjects is None:
        return make_pairs(default_per_group, seed)
    if isinstance(subjects, int):
        if subjects % 2:
            people = "1 person" if subjects == 1 else f"{subjects} people"
            raise RosterError(f"{people} cannot be split evenly into two groups: choose an even number.")
        return make_pairs(subjects // 2, seed)
    labels = [label.strip().removeprefix("sub-") for label in subjects]
    known = {person.subject: person for person in make_pairs(MAX_PAIRS, seed)}
    unknown = [label for label in labels if label not in known]
    if unknown or not labels:
        raise RosterError(
            f"There is no subject {', '.join(map(repr, unknown)) or 'at all in the list'}: labels go from "
            + " and from ".join(f"{first} to {first + MAX_PAIRS - 1} ({group})" for group, first in FIRST.items())
            + "."
        )
    if len(set(labels)) != len(labels):
        raise RosterError(f"A subject is named twice in {', '.join(labels)}: name each once.")
    return [known[label] for label in sorted(labels)]
