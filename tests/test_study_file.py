"""Another study by one file: what it may say, what it may not, and that a study remembers what it was made with."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from small_study import SmallGenerator, digest_tree, make, run_cli

from course_utils.manifest import read_manifest
from data_scripts import constant_rules, networks, trial
from data_scripts.generator import Generator
from data_scripts.images import Volume
from data_scripts.parameters import PHYSICS, PROFILES, SEED, Person, Physics
from data_scripts.plan import plan_study
from data_scripts.records import StudyError
from data_scripts.study_file import EXAMPLE

NETWORKS = PHYSICS.networks
DIFFERENCE = NETWORKS.default_controls - NETWORKS.default_patients


@pytest.fixture
def write(tmp_path):
    def write(text, name="my.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def plan(write):
    return lambda text, **given: plan_study(file=write(text), **given)


def test_nothing_said_is_the_courses_study(plan):
    for nothing in (plan_study(), plan(""), plan("[physics]\n[physics.networks]")):
        assert nothing.profile == PROFILES["course"]
        assert nothing.physics == PHYSICS
        assert (nothing.profile_name, nothing.seed, nothing.subjects, nothing.changes) == ("course", SEED, None, {})


def test_saying_the_default_changes_nothing(plan):
    same = (
        f't_r = 2\nn_volumes = 152\nvoxel_size = [3, 3, 4]\neffect = 1\nmotion = 1\nseed = {SEED}\nprofile = "course"'
    )
    assert plan(same) == plan_study()
    assert plan('profile = "quick"\nvoxel_size = 6.0') == plan_study("quick")


def test_example_of_the_help(plan):
    made = plan(EXAMPLE)
    assert (made.profile_name, made.seed, made.subjects) == ("quick", 7, 40)
    assert (made.profile.t_r, made.profile.n_volumes) == (0.8, 300)
    assert made.profile.bold_zooms == (3.0, 3.0, 3.0)
    assert made.profile.bold_shape == (65, 77, 66)  # 195, 231 and 196 mm
    assert made.physics.networks.default_patients == pytest.approx(NETWORKS.default_controls - 1.5 * DIFFERENCE)
    assert made.physics.motion.fd_patients == pytest.approx(2 * PHYSICS.motion.fd_patients)
    assert made.physics.motion.fd_limits == pytest.approx(2 * np.array(PHYSICS.motion.fd_limits))
    assert made.physics.networks.local == 0.2
    assert made.changes["name"] == "large effect"
    assert made.changes["physics"]["networks"]["local"] == 0.2
    json.dumps(made.changes, allow_nan=False)


def test_no_effect_and_no_motion(plan):
    assert plan('effect = "none"').physics.networks.default_patients == NETWORKS.default_controls
    assert plan("effect = 0") == plan('effect = "none"')
    assert plan("motion = 0").physics.motion.fd_limits == (0.0, 0.0)


def test_every_constant_can_be_given_as_it_is(plan, write):
    """In TOML, whatever its form: a number, a list, rows with names."""

    def toml(value):
        return json.dumps(value)

    lines = []
    for group in dataclasses.fields(Physics):
        lines.append(f"[physics.{group.name}]")
        values = getattr(PHYSICS, group.name)
        lines += [f"{item.name} = {toml(getattr(values, item.name))}" for item in dataclasses.fields(values)]
    assert len(lines) > 80
    assert plan("\n".join(lines)) == plan_study()


def test_constants_of_each_form(plan):
    made = plan(
        "[physics.networks]\nwobble = 60\ndefault_patients = 0.7\n"
        'sensory = ["Visual"]\nbetween = [["Visual", "Auditory", 1]]\n'
        "[physics.scanner]\ndropout = []\nt_e = 0\n"
        "[physics.anatomy]\ntilt_sd = [1, 2, 3]\n".replace("t_e = 0\n", "")
    )
    assert made.physics.networks.wobble == 60
    assert made.physics.networks.sensory == ("Visual",)
    assert made.physics.networks.between == (("Visual", "Auditory", 1.0),)
    assert made.physics.scanner.dropout == ()
    assert made.physics.anatomy.tilt_sd == (1.0, 2.0, 3.0)
    assert made.physics.motion == PHYSICS.motion


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t_r = 0", r"my\.toml: t_r is 0; it must be a number from 0\.3 to 6 \(seconds between two volumes\)"),
        ("t_r = -2.0", "from 0.3 to 6"),
        ("t_r = nan", "t_r is nan; it must be"),
        ("t_r = inf", "t_r is inf; it must be"),
        ('t_r = "2 s"', "t_r is '2 s'; it must be a number"),
        ("t_r = true", "t_r is True; it must be a number"),
        ("t_r = 2000", "from 0.3 to 6 .seconds"),
        ("t_r = [2]", "t_r is"),
        ("tr = 2", "there is no setting 'tr': did you mean t_r"),
        ("zzz = 2", "there is no setting 'zzz'. Known are name, profile"),
        ("n_volumes = 3", "n_volumes is 3; it must be a whole number from 30 to 3000"),
        ("n_volumes = 152.5", "whole number"),
        ("n_volumes = 99999999999999999999999", "from 30 to 3000"),
        ("subjects = 1", "subjects is 1; it must be an even number of people, 2 or more"),
        ("subjects = 0", "even number"),
        ("subjects = 7", "even number"),
        ("subjects = -20", "even number"),
        ("subjects = 20.0", "even number"),
        ("subjects = []", "a list of texts"),
        ("subjects = [19001]", "a list of texts"),
        ('subjects = "all"', "even number"),
        ("seed = -1", "seed is -1"),
        ("seed = 1.5", "whole number"),
        ("voxel_size = 0", "from 2 to 8"),
        ("voxel_size = [3, 3]", "three of them"),
        ("voxel_size = [3, 3, -3]", "three of them"),
        ("voxel_size = [3, 3, nan]", "three of them"),
        ("anat_step = 0", "anat_step is 0"),
        ("anat_step = 1.5", "whole number from 1 to 4"),
        ('profile = "huge"', "must be one of 'course', 'quick'"),
        ("profile = 3", "must be one of"),
        ('effect = "large"', 'times the planted difference, or "none"'),
        ("effect = nan", "times the planted difference"),
        ("effect = 30", r"default_patients would be -.*choose a smaller effect"),
        ("effect = -5", "choose a smaller effect"),
        ("motion = -1", "motion is -1; it must be a number from 0 to 4"),
        ("motion = nan", "motion is nan"),
        ('name = ""', "a text of one line"),
        ('name = "a\\nb"', "a text of one line"),
        ("name = 3", "a text of one line"),
        ("physics = 3", "physics is 3; it must be a group of constants"),
        ("[physics.network]\nlocal = 0.1", r"no group \[physics\.network\]: did you mean networks"),
        ("[physics]\nnetworks = 3", r"write \[physics\.networks\] and below it"),
        ("[physics.networks]\nlokal = 0.1", r"no constant 'lokal' in \[physics\.networks\]: did you mean local"),
        ("[physics.networks]\nlocal = -0.1", "must not be negative"),
        ("[physics.networks]\nlocal = 1.1", "at most 1 "),
        ('[physics.networks]\nlocal = "much"', r"local is 'much'; it must be a number \(variance\)"),
        ("[physics.networks]\nlocal = nan", "must be a number"),
        ("[physics.networks]\nlocal = false", "must be a number"),
        ("[physics.networks]\nwobble = 50.0", "must be a whole number"),
        ("[physics.networks]\nwobble = 3", "from 14 to 10000"),
        ("[physics.networks]\ndefault_patients = 0.99", "default_patients would be 0.99"),
        ('[physics.networks]\nsensory = ["Vision"]', "there is no network 'Vision'"),
        ('[physics.networks]\nsensory = "Visual"', "a list of texts such as"),
        ('[physics.networks]\nbetween = [["Visual", "Auditory"]]', "a list of rows such as"),
        ('[physics.networks]\nbetween = [["Visual", "Auditory", 2]]', "at most 1 "),
        ("[physics.anatomy]\ntilt_sd = [1, 2]", "a list of 3 numbers"),
        ("[physics.anatomy]\nt1w_slope = 0", "must be above 0"),
        ("[physics.motion]\nfd_limits = [0.6, 0.08]", "the first must not be the larger"),
        ("[physics.motion]\nfd_controls = 5", "must be between 0.08 and 0.6"),
        ("[physics.scanner]\nintensity = 1e300", "at most"),
        ('effect = "none"\n[physics.networks]\ndefault_patients = 0.6', "say the same twice"),
        ("motion = 2\n[physics.motion]\nfd_patients = 0.3", "say the same twice"),
        ("t_r = 2\nt_r = 3", "is not a TOML file"),
        ("t_r 2", "is not a TOML file .*line 1"),
        ("x = " + "[" * 5000, "is not a TOML file"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(tmp_path, write, text, says):
    with pytest.raises(StudyError, match=says) as caught:
        make(tmp_path / "s", profile=None, parameters=write(text))
    assert str(caught.value).startswith(str(tmp_path / "my.toml"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_file_that_cannot_be_read(tmp_path):
    (tmp_path / "image.toml").write_bytes(b"\xff\xfe\x00")
    for name, says in (("no.toml", "cannot be read"), (".", "cannot be read"), ("image.toml", "is not a TOML file")):
        with pytest.raises(StudyError, match=says):
            plan_study(file=tmp_path / name)


@pytest.mark.parametrize("given", [{"profile": "quick"}, {"seed": 3}, {"subjects": 4}])
def test_nothing_is_said_in_two_places(plan, given):
    with pytest.raises(StudyError, match=r"given twice, as .*: say it in one place"):
        plan('profile = "quick"\nseed = 3\nsubjects = 4', **given)


def test_odd_people_of_a_list_are_known_by_the_roster(tmp_path, write):
    with pytest.raises(StudyError, match="no subject '10159'"):
        make(tmp_path / "s", parameters=write('subjects = ["10159", "59001"]'))
    assert not (tmp_path / "s").exists()


# --- the study that comes of it


@pytest.fixture
def other(tmp_path, write):
    """A study with changed parameters, and the file that it was made with."""
    file = write('name = "no difference"\neffect = "none"\nt_r = 0.8\nn_volumes = 40\nsubjects = 6')
    make(tmp_path / "s", parameters=file)
    return tmp_path / "s", file


def test_study_says_what_it_was_made_with(other):
    out, _ = other
    manifest = read_manifest(out)
    assert manifest["request"]["parameters"] == {
        "name": "no difference",
        "t_r": 0.8,
        "n_volumes": 40,
        "physics": {"networks": {"default_patients": NETWORKS.default_controls}},
    }
    (row,) = [row for row in manifest["constants"] if row["name"] == "default_patients"]
    assert row["value"] == NETWORKS.default_controls
    assert (manifest["profile"]["t_r"], manifest["profile"]["n_volumes"]) == (0.8, 40)
    for folder in (out, out / "derivatives/fmriprep"):
        assert "(no difference)" in json.loads((folder / "dataset_description.json").read_text())["Name"]
    readme = (out / "README").read_text()
    assert f"- networks.default_patients = {NETWORKS.default_controls}" in readme
    assert "not the course's own study" in readme
    assert json.loads((out / "task-rest_bold.json").read_text())["RepetitionTime"] == 0.8
    assert len((out / "participants.tsv").read_text().splitlines()) == 7
    with np.load(out / "sourcedata/truth/sub-59001_truth.npz") as truth:
        assert truth["loading"] == NETWORKS.default_controls


def test_it_is_found_and_continued_with_the_same_file_only(other, write):
    out, file = other
    assert make(out, parameters=file).n_made == 0
    before = digest_tree(out)
    (out / "sourcedata/truth/sub-59001_truth.npz").unlink()
    assert make(out, parameters=file).n_made == 1
    assert digest_tree(out) == before
    says = "t_r is 0.8 there, and the default was asked for"
    with pytest.raises(StudyError, match=rf"networks\.default_patients is .*; {says}"):
        make(out, subjects=6)
    changed = write(file.read_text().replace("0.8", "1.0"), "changed.toml")
    for finished in (True, False):
        with pytest.raises(StudyError, match=r"other parameters: t_r is 0\.8 there, and 1\.0 was asked for"):
            make(out, parameters=changed)
        if finished:
            (out / "manifest.json").unlink()
    again = write(
        "subjects = 6\nmotion = 1.0\nn_volumes = 40\nt_r = 0.80\neffect = 0\nname = 'no difference'", "b.toml"
    )
    assert make(out, parameters=again).n_made == 0
    assert digest_tree(out) == before


def test_course_study_is_not_taken_for_another(tmp_path, write):
    make(tmp_path / "s")
    with pytest.raises(StudyError, match=r"motion\.fd_controls is the default there, and"):
        make(tmp_path / "s", parameters=write("motion = 2"))
    readme = (tmp_path / "s/README").read_text()
    assert "--parameters" not in readme


@pytest.mark.parametrize(
    "request_", [{"parameters": 3}, {"parameters": {"physics": 3}}, {"parameters": {"t_r": []}}, 5]
)
def test_request_of_a_damaged_manifest(tmp_path, request_):
    make(tmp_path / "s")
    path = tmp_path / "s/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["request"] = manifest["request"] | request_ if isinstance(request_, dict) else request_
    path.write_text(json.dumps(manifest))
    if isinstance(request_, dict):
        with pytest.raises(StudyError, match="other parameters"):
            make(tmp_path / "s")
    else:
        assert make(tmp_path / "s").n_made == 0
        assert read_manifest(tmp_path / "s")["request"]["seed"] == SEED


def test_command_line(tmp_path, write):
    bad = write("t_r = 0")
    result = run_cli("simulate", "--parameters", bad, "--out", tmp_path / "s")
    assert result.returncode == 1
    assert result.stderr.startswith(f"Error: {bad}: t_r is 0; it must be")
    assert len(result.stderr.splitlines()) == 1
    text = run_cli("simulate", "--help").stdout
    for line in EXAMPLE.splitlines():
        assert line in text


# --- what only shows when it is tried


class FailingGenerator(SmallGenerator):
    def simulate_person(self, person, profile, ingredients, seed, physics):
        for path, content in super().simulate_person(person, profile, ingredients, seed, physics):
            if isinstance(content, Volume) and physics.networks.local == 0.9:
                content = replace(content, data=np.zeros_like(content.data))
            yield path, content


def test_parameters_are_tried_before_anything_is_written(tmp_path, write):
    file = write("[physics.networks]\nlocal = 0.9")
    with pytest.raises(
        StudyError, match=r"nobody can be simulated .*holds only 1 different values.*Nothing was written"
    ):
        make(tmp_path / "s", parameters=file, generator=FailingGenerator())
    assert not (tmp_path / "s").exists()
    assert make(
        tmp_path / "t", parameters=write("[physics.networks]\nlocal = 0.2"), generator=FailingGenerator()
    ).n_made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[physics.networks]\nlocal = 0.9", "truth.npz holds numbers that are not finite"),
        ("[physics.scanner]\nslope = 500", "bold.nii.gz holds only"),
        ("[physics.scanner]\nintensity = 1e5", "overflows"),
    ],
)
def test_real_physics_that_cannot_be(tmp_path, write, text, says):
    with pytest.raises(StudyError, match=says):
        make(tmp_path / "s", parameters=write(text), generator=Generator())
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("name", ["overflow", "constant", "nan"])
def test_faults_of_contents(name):
    image = Volume(np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5), np.eye(4), t_r=2.0)
    assert trial._find_fault(image) is None
    bad = {
        "overflow": replace(image, data=image.data - 50),
        "constant": replace(image, data=image.data // 20),
        "nan": {"covariance": np.full(3, np.nan)},
    }[name]
    assert trial._find_fault(bad)


def test_highest_loading_is_the_simulators(monkeypatch):
    params = replace(NETWORKS, default_controls=5.0)
    assert networks.draw_default_loading(params, "CONTROL", rng=np.random.default_rng(1)) == params.default_highest


def test_names_in_the_rules_are_constants():
    """A constant that was renamed takes its rule with it."""
    for rules in (constant_rules.POSITIVE, constant_rules.SIGNED, constant_rules.RANGES):
        for group, names in rules.items():
            assert set(names) <= {item.name for item in dataclasses.fields(getattr(PHYSICS, group))}, group


def test_effect_and_motion_reach_the_person():
    """The real simulator gets the constants: another loading in the truth, and nothing else drawn otherwise."""
    from data_scripts.person import random_streams, simulate_body

    centres = np.random.default_rng(3).uniform(-60, 60, (300, 3))
    names = sorted({name for row in NETWORKS.between for name in row[:2]})
    ingredients = type(
        "Some", (), {"node_centres": centres, "node_networks": np.array([names[i % 13] for i in range(300)])}
    )
    patient, found = Person("59001", "SCHZ", 30, "F"), {}
    for effect in (0.0, 1.0):
        params = replace(NETWORKS, default_patients=NETWORKS.default_controls - effect * DIFFERENCE, default_sd=0.01)
        physics = replace(PHYSICS, networks=params)
        found[effect] = simulate_body(patient, PROFILES["quick"], ingredients, random_streams(1, "59001"), physics)
    assert found[0.0].connectome.default_loading - found[1.0].connectome.default_loading == pytest.approx(DIFFERENCE)
    assert found[0.0].mean_fd == found[1.0].mean_fd
