"""Episode 01's matching exercise: answers that are wrong in several places, in other words, or not finished."""

import pytest

from course_utils.exercises import ep01_preprocessing as ep01

RIGHT = ep01.match_steps()


def reply(answer, capsys):
    ep01.symptoms.check(answer)
    return " ".join(capsys.readouterr().out.split())


def test_every_pair_has_a_verdict():
    """Each step is right for one symptom, and has a reason for every other one."""
    assert sorted(RIGHT.values()) == sorted(ep01.STEPS)
    assert {(a, step) for a, row in ep01.REASONS.items() for step in row} == {
        (a, step) for a in RIGHT for step in ep01.STEPS if step != RIGHT[a]
    }


@pytest.mark.parametrize("letter", RIGHT)
@pytest.mark.parametrize("step", ep01.STEPS)
def test_one_match_decides_which_reason_is_given(letter, step, capsys):
    """Every match of an answer may be wrong: the first wrong one gets its own reason."""
    wrong = {a: ep01.STEPS[(ep01.STEPS.index(s) + 1) % len(ep01.STEPS)] for a, s in RIGHT.items()}
    answer = {a: wrong[a] if a > letter else RIGHT[a] for a in RIGHT} | {letter: step}
    first = next((a for a in RIGHT if answer[a] != RIGHT[a]), None)
    said = reply(answer, capsys)
    if first is None:
        assert said.startswith("Correct. ")
    else:
        assert f"Likely reason: {first}: {ep01.REASONS[first][answer[first]]}" in said
        n_wrong = sum(answer[a] != RIGHT[a] for a in RIGHT)
        assert f"What differs: {'none' if n_wrong == 7 else n_wrong} of its 7 values" in said


def test_other_words_for_a_step_count(capsys):
    answer = {"A": "Coregistration", "C": "realignment", "E": "normalization", "F": "skull stripping", "G": "None"}
    assert reply(RIGHT | answer, capsys).startswith("Correct. ")


def test_answer_that_is_not_finished(capsys):
    said = reply(RIGHT | {"D": ..., "G": ...}, capsys)
    assert "What differs: 5 of 7 matched, 2 still blank. A hint" in said


def test_blanks_do_not_count_as_wrong(capsys):
    """Of an answer that was begun, the first wrong match is told, with its reason, and not the blank before it."""
    said = reply(dict.fromkeys(RIGHT, ...) | {"B": "alignment", "C": RIGHT["C"]}, capsys)
    assert "What differs: 1 of 7 matched, 5 still blank. At 'B': it is not the best of the options." in said
    assert f"Likely reason: B: {ep01.REASONS['B']['alignment']}" in said


def test_word_that_is_no_step(capsys):
    """The first letter is nonsense, the second a wrong step: the reason of the second is given."""
    said = reply(RIGHT | {"A": "prayer", "B": "alignment"}, capsys)
    assert "At 'A': 'prayer' is none of the options (is it spelled as in the list?)." in said
    assert f"Likely reason: B: {ep01.REASONS['B']['alignment']}" in said
