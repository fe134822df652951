"""How the exercises of episode 06 judge lists of volumes and columns in another order."""

import numpy as np
import pandas as pd
import pytest

from course_utils.exercises import ep06_confounds as ep06
from course_utils.exercises._volumes import Columns, Volumes

KEPT = np.array([0, 2, 3])
PAIR = (pd.DataFrame({"csf": [1.0, 2, 3]}), KEPT)


pytestmark = pytest.mark.usefixtures("own_progress")


def test_an_index_of_volumes_is_a_list_of_volumes():
    assert Volumes()(pd.Index(KEPT), KEPT) is None
    assert Volumes()(pd.Index(KEPT + 4), KEPT) is not None


def test_what_load_confounds_returns_is_known_whatever_it_holds():
    assert Volumes()(PAIR, KEPT) is not None
    assert Volumes()((pd.DataFrame(), None), PAIR) is None
    assert Volumes()(KEPT, PAIR) is not None


def test_labels_of_rows_are_known_as_an_index_and_as_an_array(capsys):
    fd = ep06.kept_volumes.example_inputs()["fd"]
    for answer in (fd[fd <= 0.5].index, fd[fd <= 0.5].index.to_numpy()):
        ep06.kept_volumes.check(answer, fd=fd)
        assert "These are labels of rows" in capsys.readouterr().out
    ep06.kept_volumes.check(fd.index[fd <= 0.5] - fd.index[0], fd=fd)
    assert capsys.readouterr().out.startswith("Correct.")


@pytest.mark.parametrize("order", [[1, 0, 2], [2, 0, 1]])
def test_columns_in_any_other_order_are_named(order):
    wanted = np.arange(12.0).reshape(4, 3)
    assert "another order" in Columns()(wanted[:, order], wanted)
    assert "another order" in Columns()(pd.DataFrame(wanted[:, order]), wanted)
    assert "another order" not in Columns()(wanted[:, order] + 1, wanted)
    assert Columns()(wanted.copy(), wanted) is None


def test_frequencies_are_known_as_a_series_and_as_a_list(capsys):
    inputs = ep06.survivors.example_inputs()
    seen = inputs["frequencies"].loc[ep06.find_survivors(**inputs)]
    for answer in (seen, seen.to_list()):
        ep06.survivors.check(answer, **inputs)
        assert "These are frequencies. Asked for are the names" in " ".join(capsys.readouterr().out.split())
