"""What a constant of the simulation may be: its type, its sign, its range."""

from dataclasses import MISSING

# cannot be 0: something is divided by them, or nothing would be left to see
POSITIVE = {
    "anatomy": ("warp_scale", "fine_warp_scale", "native_warp_scale", "t1w_scale", "t1w_slope"),
    "scanner": (
        *("t_e", "flip_angle", "t1_grey", "t1_white", "t1_csf", "t1_other"),
        *("grey", "intensity", "slope", "thermal_tsnr", "phase_blur", "slab_size"),
    ),
    "networks": ("local_scale",),
    "neural": ("corner", "spread", "fall_off"),
    "physiology": ("breathing_rate", "heart_rate"),
    "motion": ("spin_saturation",),
}
# a sample from fewer than 14 has no full rank for 13 networks; a voxel cannot hear all 300 nodes
RANGES = {"networks": {"wobble": (14, 10_000)}, "neural": {"neighbours": (2, 100)}}
SIGNED = {"networks": ("age_effect",)}  # may be negative though the default is not
AT_MOST = {"fraction": 1.0, "correlation": 1.0, "variance": 1.0}  # by unit


class BadConstant(ValueError):
    """A constant that cannot be. The message says what was found and what is expected."""


def check_constant(group, item, value):
    """Check one constant and give it the type of its default.

    Parameters
    ----------
    group : str
        Such as "networks".
    item : dataclasses.Field
        Of the constant.
    value : object
        As it was read from a file.

    Returns
    -------
    float, int, or tuple
        As the default.

    Raises
    ------
    BadConstant
        If the type, a length, a sign or the size is wrong.
    """
    default = item.default
    if default is MISSING:
        raise BadConstant(f"physics.{group}.{item.name} cannot be set by a file.")
    found = _convert(value, default)
    if found is None:
        raise BadConstant(
            f"physics.{group}.{item.name} is {value!r}; it must be {_describe(default)} ({item.metadata['unit']})."
        )
    lowest, numbers = min(_numbers(default), default=0), _numbers(found)
    signed = item.name in SIGNED.get(group, ()) or lowest < 0
    positive = item.name in POSITIVE.get(group, ())
    if positive and any(number <= 0 for number in _means(found)):
        raise BadConstant(f"physics.{group}.{item.name} is {value!r}; it must be above 0 ({item.metadata['unit']}).")
    if not signed and any(number < 0 for number in numbers):
        raise BadConstant(
            f"physics.{group}.{item.name} is {value!r}; it must not be negative ({item.metadata['unit']})."
        )
    low, high = RANGES.get(group, {}).get(item.name, (None, None))
    if low is not None and not low <= found <= high:
        raise BadConstant(
            f"physics.{group}.{item.name} is {value!r}; it must be from {low} to {high} ({item.metadata['unit']})."
        )
    most = AT_MOST.get(item.metadata["unit"], 1e6)
    if any(abs(number) > most for number in numbers):
        raise BadConstant(
            f"physics.{group}.{item.name} is {value!r}; it must be at most {most:g} ({item.metadata['unit']})."
        )
    return found


def _convert(value, default):
    """Turn what TOML has into what the default is; None if it does not fit."""
    if isinstance(default, tuple):
        if not isinstance(value, list):
            return None
        free = len({type(part) for part in default}) == 1 and isinstance(default[0], tuple | str)  # as many as wanted
        if not free and len(value) != len(default):
            return None
        parts = [_convert(part, default[0] if free else like) for part, like in _pair(value, default, free)]
        return None if any(part is None for part in parts) else tuple(parts)
    if isinstance(default, bool) or isinstance(value, bool):
        return value if isinstance(default, bool) and isinstance(value, bool) else None
    if isinstance(default, str):
        return value if isinstance(value, str) else None
    if isinstance(default, int) and not isinstance(value, int):
        return None
    if not isinstance(value, int | float) or not abs(value) < float("inf"):
        return None
    return value if isinstance(default, int) else float(value)


def _pair(value, default, free):
    return ((part, default[0]) for part in value) if free else zip(value, default, strict=True)


def _describe(default):
    if not isinstance(default, tuple):
        return {int: "a whole number", str: "a text", bool: "true or false"}.get(type(default), "a number")
    if isinstance(default[0], tuple):
        return f"a list of rows such as {list(default[0])}"
    if isinstance(default[0], str):
        return f"a list of texts such as {list(default[:2])}"
    return f"a list of {len(default)} numbers, such as {list(default)}"


def _numbers(value):
    """All numbers in a constant, whatever its form."""
    if isinstance(value, tuple):
        return [number for part in value for number in _numbers(part)]
    return [] if isinstance(value, str) else [value]


def _means(value):
    """The numbers that must not be 0: of a mean and an SD only the mean."""
    return value[:1] if isinstance(value, tuple) and len(value) == 2 else _numbers(value)


def check_together(physics):
    """Check constants against each other.

    Parameters
    ----------
    physics : parameters.Physics

    Raises
    ------
    BadConstant
        If two constants cannot both hold.
    """
    networks, motion = physics.networks, physics.motion
    for name in ("default_controls", "default_patients"):
        loading = getattr(networks, name)
        if not networks.default_shared <= loading <= networks.default_highest:
            raise BadConstant(
                f"physics.networks.{name} would be {loading:g}; it must be between {networks.default_shared:g}"
                f" (default_shared) and {networks.default_highest:g}"
                " (default_highest): choose a smaller effect."
            )
    low, high = motion.fd_limits
    if low > high:
        raise BadConstant(f"physics.motion.fd_limits is {list(motion.fd_limits)}; the first must not be the larger.")
    for name in ("fd_controls", "fd_patients"):
        if not low <= getattr(motion, name) <= high:
            raise BadConstant(
                f"physics.motion.{name} is {getattr(motion, name):g} mm; it must be between {low:g} and {high:g}"
                " (fd_limits, which can be changed too), or everybody would move as much as the limit."
            )
    known = {name for row in type(networks)().between for name in row[:2]}
    unknown = [name for row in networks.between for name in row[:2] if name not in known]
    unknown += [name for name in networks.sensory if name not in known]
    if unknown:
        raise BadConstant(f"there is no network {unknown[0]!r}; known are {', '.join(sorted(known))}.")
