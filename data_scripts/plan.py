"""What a study shall be: a profile, and what a call and a file change of it.

Nothing heavy is imported here. What is asked for is checked before anything is made; what can only be seen by trying is
tried by `trial`.
"""

from dataclasses import dataclass, field, fields, replace
from math import ceil
from pathlib import Path

from data_scripts.constant_rules import BadConstant, check_constant, check_together
from data_scripts.parameters import PHYSICS, PROFILES, SEED, Physics, Profile
from data_scripts.records import StudyError, flatten
from data_scripts.study_file import read_study_file, suggest

FIELD_OF_VIEW = (195.0, 231.0, 196.0)  # mm that the BOLD images cover, whatever their voxels


@dataclass(frozen=True)
class Plan:
    """What a study shall be.

    Attributes
    ----------
    profile_name : str
        Name in `parameters.PROFILES`.
    profile : Profile
        That profile with the changes that were asked for.
    physics : Physics
    seed : int
    subjects : int, sequence of str, or None
        As `roster.choose_people` takes them.
    changes : dict
        What differs from the profile and from the default constants, as JSON can hold it: "name", fields of the
        profile, and "physics" as group -> name -> value. Empty for the course's own study.
    """

    profile_name: str
    profile: Profile
    physics: Physics
    seed: int
    subjects: object
    changes: dict = field(default_factory=dict)


def plan_study(profile=None, seed=None, subjects=None, file=None):
    """Put together what was asked for, in the call and in a file.

    Parameters
    ----------
    profile : str, optional
        Name in `parameters.PROFILES`; "course" if nothing is said.
    seed : int, optional
        `parameters.SEED` if nothing is said.
    subjects : int or sequence of str, optional
        As many as the profile has if nothing is said.
    file : path-like, optional
        TOML, as `study_file.EXAMPLE` shows.

    Returns
    -------
    Plan

    Raises
    ------
    StudyError
        If the file cannot be read, holds an unknown name, a wrong type or an impossible value, or says what the call
        says too.
    """
    given = {"profile": profile, "seed": seed, "subjects": subjects}
    content = {} if file is None else read_study_file(file)
    for key, value in given.items():
        if value is not None and key in content:
            raise StudyError(
                f"The {key} {'are' if key == 'subjects' else 'is'} given twice, as {value} and as {content[key]} in"
                f" {file}: say it in one place."
            )
    asked = content | {key: value for key, value in given.items() if value is not None}
    name = asked.get("profile", "course")
    if name not in PROFILES:
        raise StudyError(f"There is no profile {name!r}: choose one of {', '.join(PROFILES)}.")
    seed = asked.get("seed", SEED)
    if seed < 0:
        raise StudyError(f"The seed is {seed}: choose 0 or a positive whole number.")
    changed = _change_profile(PROFILES[name], asked)
    try:
        physics = _change_physics(asked)
    except BadConstant as error:
        raise StudyError(f"{file}: {error}") from None
    changes = _list_changes(PROFILES[name], changed, physics)
    if "name" in asked:
        changes["name"] = asked["name"]
    return Plan(name, changed, physics, seed, asked.get("subjects"), changes)


def _change_profile(profile, asked):
    """Apply what was asked for to a profile."""
    changes = {key: float(asked[key]) for key in ("t_r",) if key in asked}
    changes |= {key: asked[key] for key in ("n_volumes", "anat_step") if key in asked}
    if "voxel_size" in asked:
        size = asked["voxel_size"]
        zooms = tuple(float(side) for side in (size if isinstance(size, list) else [size] * 3))
        changes["bold_zooms"] = zooms
        changes["bold_shape"] = tuple(ceil(mm / side) for mm, side in zip(FIELD_OF_VIEW, zooms, strict=True))
    return replace(profile, **changes)


def _change_physics(asked):
    """Apply the constants by name, then effect and motion, to the physics; check what only shows in the whole."""
    wanted = asked.get("physics", {})
    groups = [item.name for item in fields(Physics)]
    if not isinstance(wanted, dict):
        raise BadConstant(f"physics is {wanted!r}; it must be a group of constants, such as [physics.networks].")
    changed = {}
    for group, values in wanted.items():
        if group not in groups:
            raise BadConstant(f"there is no group [physics.{group}]{suggest(group, groups)}")
        if not isinstance(values, dict):
            raise BadConstant(f"physics.{group} is {values!r}; write [physics.{group}] and below it name = value.")
        known = {item.name: item for item in fields(getattr(PHYSICS, group))}
        for name in values:
            if name not in known:
                raise BadConstant(f"there is no constant {name!r} in [physics.{group}]{suggest(name, [*known])}")
        changed[group] = {name: check_constant(group, known[name], value) for name, value in values.items()}
    physics = _with(PHYSICS, changed)
    physics = _with(physics, _scale_effect(physics, asked, changed) | _scale_motion(physics, asked, changed))
    check_together(physics)
    return physics


def _with(physics, changes):
    return replace(physics, **{group: replace(getattr(physics, group), **new) for group, new in changes.items()})


def _scale_effect(physics, asked, changed):
    """Give patients the default-mode loading that makes the difference to controls so many times the planned one."""
    if "effect" not in asked:
        return {}
    if "default_patients" in changed.get("networks", {}):
        raise BadConstant("effect and physics.networks.default_patients say the same twice: take one of them out.")
    factor = 0.0 if asked["effect"] == "none" else asked["effect"]
    networks = physics.networks
    difference = PHYSICS.networks.default_controls - PHYSICS.networks.default_patients
    return {"networks": {"default_patients": round(networks.default_controls - factor * difference, 6)}}


def _scale_motion(physics, asked, changed):
    """Multiply how much heads move, and the limits of it."""
    if "motion" not in asked:
        return {}
    names = ("fd_controls", "fd_patients", "fd_limits")
    twice = [name for name in names if name in changed.get("motion", {})]
    if twice:
        raise BadConstant(f"motion and physics.motion.{twice[0]} say the same twice: take one of them out.")
    old = {name: getattr(physics.motion, name) for name in names}
    scale = asked["motion"]
    return {
        "motion": {
            name: tuple(round(scale * mm, 6) for mm in value) if isinstance(value, tuple) else round(scale * value, 6)
            for name, value in old.items()
        }
    }


def _list_changes(profile, changed, physics):
    """List what differs from the default, with lists in place of tuples, as JSON has it."""
    changes = {
        item.name: _plain(getattr(changed, item.name))
        for item in fields(Profile)
        if getattr(changed, item.name) != getattr(profile, item.name)
    }
    groups = {
        group.name: {
            item.name: _plain(new)
            for item in fields(before)
            if (new := getattr(after, item.name)) != getattr(before, item.name)
        }
        for group in fields(Physics)
        if (before := getattr(PHYSICS, group.name)) != (after := getattr(physics, group.name))
    }
    return changes | ({"physics": groups} if groups else {})


def _plain(value):
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def relabel(contents, plan):
    """Say in the descriptions of a study how it differs from the course's own.

    Parameters
    ----------
    contents : iterable of (Path, content)
        From `root_files.root_files`.
    plan : Plan

    Yields
    ------
    path : Path
        As they came.
    content : object
        The same, except for the names of the datasets and the README.
    """
    title = plan.changes.get("name") or "other parameters than the course's study"
    rows = "".join(f"- {name} = {value}\n" for name, value in flatten(plan.changes).items() if name != "name")
    for path, content in contents:
        if plan.changes and path.name == "dataset_description.json":
            content = {**content, "Name": f"{content['Name']} ({title})"}
        elif plan.changes and path == Path("README") and rows:
            content = f"{content}\nThis is not the course's own study. It was made with `--parameters`:\n{rows}"
        yield path, content
