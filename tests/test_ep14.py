"""What the exercises of episode 14 accept and refuse beside their known mistakes."""

import pandas as pd
import pytest

from course_utils.exercises import ep14_scaling as ep14

pytestmark = pytest.mark.usefixtures("own_progress")


def test_hours_as_a_sum_are_the_same(reply):
    given = ep14.hours.example_inputs()
    seconds = given["seconds"].sum() / len(given["seconds"]) * given["n_people"]
    assert reply(ep14.hours, seconds / given["n_workers"] / 60 / 60).startswith("Correct.")


def test_shares_may_be_a_series_or_a_crosstab_column(reply):
    given = ep14.failures.example_inputs()
    people, failed = given["participants"], given["failed"]
    missing = people.index.isin(failed.index)
    table = pd.crosstab(people["diagnosis"], missing, normalize="index")
    assert reply(ep14.failures, table[True]).startswith("Correct.")
    by_nan = people["mean_fd"].where(~missing).isna().groupby(people["diagnosis"]).mean()
    assert reply(ep14.failures, by_nan).startswith("Correct.")


def test_a_group_that_lost_nobody_has_its_place():
    people = pd.DataFrame({"diagnosis": ["A", "B"]}, index=["1", "2"])
    failed = pd.DataFrame({"reason": ["x"]}, index=["2"])
    assert ep14.share_missing(people, failed) == {"A": 0, "B": 1}


@pytest.mark.parametrize(("serial", "n_cores", "expected"), [(0, 16, 16), (1, 16, 1), (0.05, 1000, 19.627)])
def test_amdahl_at_its_ends(serial, n_cores, expected):
    assert ep14.speed_up(serial, n_cores) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("exercise", [ep14.safe_check, ep14.workers])
def test_each_option_has_its_own_reason(reply, exercise):
    right = exercise.solve()
    for name, wrong in exercise.wrong.items():
        said = reply(exercise, name.removeprefix("option_"))
        assert said.startswith("Not yet.")
        assert " ".join(wrong.message.split()) in said
    assert reply(exercise, f" {right.upper()} ").startswith("Correct.")
