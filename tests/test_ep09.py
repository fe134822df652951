"""What the exercises of episode 09 accept and refuse beside their known mistakes."""

import numpy as np
import pandas as pd
import pytest

from course_utils.exercises import ep09_groups as ep09

pytestmark = pytest.mark.usefixtures("own_progress")


def test_the_loop_may_give_a_series_rounded_to_two_decimals(reply):
    right = ep09.average_in_each(**ep09.loop.example_inputs())
    assert reply(ep09.loop, pd.Series(right).round(2)).startswith("Correct.")


def test_a_loop_over_other_data_is_read_anew():
    """Readings are kept only as long as they belong to the same files and the same atlas."""
    first, other = ep09.loop.known_case.inputs, ep09.loop.example_inputs()
    known = ep09.loop.wrong["not_z"].solve
    before = known(**first)
    known(**other)
    assert known(**first) == before
    assert list(before.values()) == pytest.approx([0.6, 0.8], abs=5e-3)


def by_hand(participants, mean_z):
    """The numbers as a list, put in order by hand."""
    in_order = [mean_z[name.removeprefix("sub-")] for name in participants.index]
    return participants.assign(default_mode=in_order)


def prefixed(participants, mean_z):
    """The labels of the other side changed."""
    return participants.join(mean_z.rename(lambda name: f"sub-{name}"))


def other_way_round(participants, mean_z):
    """People in the order of the numbers."""
    return mean_z.to_frame().join(participants.rename(lambda name: name.removeprefix("sub-")))


@pytest.mark.parametrize("road", [by_hand, prefixed, other_way_round])
def test_either_label_and_any_order_will_do(reply, road):
    assert reply(ep09.table, road(**ep09.table.example_inputs())).startswith("Correct.")


@pytest.mark.parametrize("name", ["participant_id", "subject", "index"])
@pytest.mark.parametrize("prefix", ["", "sub-"])
def test_labels_in_a_column_get_their_reason(reply, name, prefix):
    """Merging leaves the labels in a column, under one name or another."""
    given = ep09.table.example_inputs()
    merged = ep09.join_by_label(**given).rename(lambda label: prefix + label).rename_axis(name).reset_index()
    assert "Make the labels the index" in reply(ep09.table, merged)
    assert "Make the labels the index" not in reply(ep09.table, merged.assign(default_mode=1.0))


def test_whole_answers_of_multipletests_get_their_reason(reply):
    from statsmodels.stats.multitest import multipletests

    p_values = ep09.many_edges.example_inputs()["p_values"]
    assert "only the p values are asked for" in reply(ep09.many_edges, multipletests(p_values, method="fdr_by"))
    assert "its second element" in reply(ep09.many_edges, multipletests(p_values, method="fdr_bh"))
    assert reply(ep09.many_edges, tuple(ep09.control_false_discoveries(p_values))).startswith("Correct.")


def test_correcting_with_statsmodels_is_the_same(reply):
    from statsmodels.stats.multitest import multipletests

    p_values = ep09.many_edges.example_inputs()["p_values"]
    adjusted = multipletests(p_values, method="fdr_bh")[1]
    assert reply(ep09.many_edges, adjusted).startswith("Correct.")
    assert reply(ep09.many_edges, pd.Series(adjusted, p_values.index)).startswith("Correct.")


def test_the_shares_of_a_permutation_add_up():
    """Over all shuffles of a tiny sample, p is at most 5 % in at most 5 % of labellings."""
    null = np.random.default_rng(1).permutation(np.linspace(-1, 1, 101))
    p = [ep09.count_permutations(np.delete(null, i), null[i]) for i in range(len(null))]
    assert np.mean(np.array(p) <= 0.05) <= 0.05
    assert min(p) > 0


def test_groups_may_come_in_either_order(reply):
    people = ep09.motion_check.example_inputs()["people"]
    from scipy import stats

    a, b = (people.loc[people["diagnosis"] == name, "mean_fd"] for name in ("CONTROL", "SCHZ"))
    assert reply(ep09.motion_check, stats.ttest_ind(a, b, equal_var=False).pvalue).startswith("Correct.")
    for pair in ((a, b), (b, a)):
        said = reply(ep09.motion_check, stats.ttest_ind(*pair, equal_var=False))
        assert "not one number" in said
        assert "its field `pvalue`" in said


@pytest.mark.parametrize("letter", list("abcefg"))
def test_each_option_has_its_own_reason(reply, letter):
    said = reply(ep09.conclusion, letter)
    assert said.startswith("Not yet.")
    assert " ".join(ep09.conclusion.wrong[f"option_{letter}"].message.split()) in said
    for right in (" D ", "d)", "D)", "d."):
        assert reply(ep09.conclusion, right).startswith("Correct.")
