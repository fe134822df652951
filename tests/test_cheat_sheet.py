"""Every line of the cheat sheet runs, in the order of the page."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nilearn import image

from course_utils.atlases import fetch_course_networks, resample_atlas
from course_utils.confounds import count_dummy_volumes, read_confounds, select_confounds
from course_utils.connectomes import correlate_regions, edges
from course_utils.dataset import open_study
from course_utils.layout import find_run, open_layout
from course_utils.signals import extract_time_series

PAGE = Path(__file__).resolve().parents[1] / "book/cheat_sheet.md"
OURS = (fetch_course_networks, resample_atlas, count_dummy_volumes, read_confounds, select_confounds, open_study)
OURS += (correlate_regions, edges, find_run, open_layout, extract_time_series, apply_affine)


def test_cheat_sheet_runs(quick_study):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    names = {call.__name__: call for call in OURS} | {"nib": nib, "np": np, "pd": pd, "image": image}
    names |= dict(zip("ijkxyz", (10, 20, 5, 0.0, -52.0, 26.0), strict=True))
    exec("\n".join(blocks), names)
    n_regions = names["series"].shape[1]
    assert names["volume_img"].ndim == 3
    assert len(names["confounds"]) == len(names["series"])
    assert len(names["r"]) == n_regions * (n_regions - 1) / 2
