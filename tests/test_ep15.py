"""What the exercises of episode 15 accept beside their solutions, and what they say on the real people."""

from pathlib import Path

import pandas as pd
import pytest

from course_utils.exercises import ep15_real as ep15
from data_scripts.openneuro import LESSON

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "ds000030" / "participants.tsv"


pytestmark = pytest.mark.usefixtures("own_progress")


def test_columns_in_another_order_are_right(reply):
    answer = ep15.bring_up_to_date(**ep15.up_to_date.example_inputs())
    assert reply(ep15.up_to_date, answer[sorted(answer)]).startswith("Correct.")


def test_share_by_a_loop_is_right(reply):
    people = ep15.from_scanner.example_inputs()["people"]
    right = sum(group["diagnosis"].value_counts().iloc[0] for _, group in people.groupby("scanner"))
    assert reply(ep15.from_scanner, right / len(people)).startswith("Correct.")


def test_labels_as_an_index_are_right(reply):
    assert reply(ep15.alike, pd.Index(["sub-3", "sub-2"])).startswith("Correct.")


@pytest.mark.skipif(not REAL.is_file(), reason="the real participants.tsv of ds000030 is not in ../shared/data")
def test_scanner_and_diagnosis_go_together_in_the_lesson():
    """On the real twenty: what the page says of them."""
    table = pd.read_csv(REAL, sep="\t", na_values="n/a").set_index("participant_id")
    people = table.loc[[f"sub-{label}" for label in LESSON]].rename(columns={"ScannerSerialNumber": "scanner"})
    assert people["diagnosis"].value_counts().tolist() == [10, 10]
    assert ep15.guess_from_scanner(people) > 0.65
    assert ep15.guess_from_scanner(people.assign(scanner=people["gender"])) > 0.65
    assert (people["rest"] == 1).all()
