"""Comparisons: what counts as equal, what the sentence says, what it keeps to itself."""

import itertools
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from course_utils.exercises._compare import (
    Array,
    Files,
    Image,
    Mapping,
    Names,
    Number,
    Same,
    Table,
    Text,
    Truth,
    compare_by_kind,
)
from course_utils.exercises._describe import describe, shorten

AFFINE = np.array([[3.0, 0, 0, -96.5], [0, 3, 0, -132.5], [0, 0, 4, -78.5], [0, 0, 0, 1]])
VALUES = np.arange(24.0).reshape(2, 3, 4)
NAN_AT_3 = np.where(np.arange(24) == 3, np.nan, np.arange(24.0))
PEOPLE = pd.DataFrame({"age": [20.0, 30, np.nan], "group": ["A", "B", None]}, index=["s1", "s2", "s3"])


def image(data=VALUES, affine=AFFINE, dtype=np.float32, t_r=None):
    img = nib.Nifti1Image(np.asarray(data, dtype), affine)
    if t_r:
        img.header.set_zooms((*img.header.get_zooms()[:3], t_r))
    return img


def moved(i, j, by):
    affine = AFFINE.copy()
    affine[i, j] += by
    return affine


EQUAL = {
    "number": (Number(), 12, 12.0),
    "numpy number": (Number(), np.float32(0.5), 0.5),
    "array without axes": (Number(), np.array(3), 3),
    "relative tolerance": (Number(rtol=0.01), 101, 100),
    "absolute tolerance": (Number(atol=0.5), 0.4, 0),
    "nan expected": (Number(), np.nan, np.nan),
    "whole as float": (Number(whole=True), 3.0, 3),
    "range of others does not matter": (Number(between=(0, 1)), 5, 5),
    "text": (Text(), " Cosine\n", "cosine"),
    "option as printed": (Text(options=("a", "b")), "b)", "b"),
    "option with a mark": (Text(options=("a", "b")), " (B).", "b"),
    "path": (Text(path=True), Path("/data/a.nii"), "a.nii"),
    "truth": (Truth(), np.True_, True),
    "names, any order": (Names(), ("b", "a"), ["a", "b"]),
    "names in a table": (Names(ordered=True), PEOPLE.columns, ["age", "group"]),
    "names in a column": (Names(), pd.Series(["a", "b"]), {"a", "b"}),
    "names in an array": (Names(), np.array(["a", "b"]), ["b", "a"]),
    "files": (Files(), [Path("/x/b.nii"), "a.nii"], ["/y/a.nii", "/y/b.nii"]),
    "files of pybids": (Files(), [SimpleNamespace(path="/x/a.nii")], ["a.nii"]),
    "files of Windows": (Files(), [PureWindowsPath(r"C:\x\a.nii"), r"C:\x\b.nii"], ["a.nii", "b.nii"]),
    "dict": (Mapping(), {"b": 2.0, "a": 1}, {"a": 1, "b": 2}),
    "series as dict": (Mapping(), pd.Series({"a": 1, "b": 2}), {"a": 1, "b": 2}),
    "dict of arrays": (Mapping(values=Array()), {"a": [1, 2]}, {"a": np.array([1, 2])}),
    "dict by key": (Mapping(values={"a": Number(atol=1)}), {"a": 2, "b": "x"}, {"a": 1, "b": "x"}),
    "list as array": (Array(), [1, 2, 3], np.array([1, 2, 3])),
    "table as array": (Array(), pd.DataFrame([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]])),
    "array of objects": (Array(), np.array([1, 2.5], dtype=object), np.array([1, 2.5])),
    "nan at the same place": (Array(), NAN_AT_3, NAN_AT_3.copy()),
    "masked is missing": (Array(), np.ma.masked_array([1.0, 2], [True, False]), np.array([np.nan, 2])),
    "truth values as numbers": (Array(), np.array([1.0, 0]), np.array([True, False])),
    "tolerance": (Array(atol=0.1), VALUES + 0.05, VALUES),
    "empty": (Array(), [], np.array([])),
    "image": (Image(), image(), image()),
    "image of another type": (Image(), image(dtype=np.int16), image(dtype=np.float64)),
    "image a hair off": (Image(), image(affine=moved(0, 3, 1e-5)), image()),
    "repetition time": (Image(check_t_r=True), image(VALUES[None], t_r=2), image(VALUES[None], t_r=2)),
    "table": (Table(), PEOPLE, PEOPLE.copy()),
    "table in another order": (Table(), PEOPLE.loc[["s3", "s1", "s2"], ["group", "age"]], PEOPLE),
    "table without index": (Table(index=False), PEOPLE.reset_index(drop=True), PEOPLE),
    "column": (Table(), PEOPLE["age"].rename("years"), PEOPLE["age"]),
    "same": (Same(), None, None),
    "same type": (Same(), 1 + 2j, 1 + 2j),
}
DIFFERENT = {
    "too large": (Number(), 13, 12, "it is too large."),
    "too small": (Number(), 11, 12, "it is too small."),
    "out of range": (Number(between=(0, 10)), 2000, 2, "it is outside the plausible range."),
    "not whole": (Number(whole=True), 2.5, 2, "it is not a whole number."),
    "nan": (Number(), np.nan, 1, "it is not finite: was something divided by zero, or a missing value averaged?"),
    "infinite": (Number(), np.inf, 1, "it is not finite: was something divided by zero, or a missing value averaged?"),
    "a number for nan": (Number(), 1, np.nan, "no finite number is right here."),
    "quoted": (Number(), "12", 12, "it is text, not a number: leave out the quotes."),
    "word": (Number(), "twelve", 12, "it is text, not a number."),
    "truth value": (Number(), True, 1, "it is not one number."),
    "in a list": (Number(), [12], 12, "it holds one value, but is not a number itself: take the value out."),
    "in a column": (
        Number(),
        pd.Series([12]),
        12,
        "it holds one value, but is not a number itself: take the value out.",
    ),
    "complex": (Number(), 1j, 1, "it is not one number."),
    "other text": (Text(), "linear", "cosine", "it is another string."),
    "case": (Text(case=True), "cosine", "Cosine", "only upper and lower case differ."),
    "number for text": (Text(), 3, "3", "it is not a string."),
    "other option": (Text(options=("a", "b")), "a", "b", "it is not the best of the options."),
    "no option": (Text(options=("a", "b")), "c", "b", "it is none of the options."),
    "two options": (Text(options=("a", "b")), "a) b)", "b", "it is none of the options."),
    "only a mark": (Text(options=("a", "b")), ")", "b", "it is none of the options."),
    "marks without options": (Text(), "b)", "b", "it is another string."),
    "other file": (Text(path=True), "x/b.nii", "y/a.nii", "it is another file."),
    "no file": (Text(path=True), 3, "y/a.nii", "it is not the path or name of a file."),
    "other truth": (Truth(), False, True, "it is the other one."),
    "number for truth": (Truth(), 1, True, "it is neither True nor False."),
    "extra name": (Names(), ["a", "x"], ["a"], "1 of the 2 does not belong, such as 'x'."),
    "missing names": (Names(), ["a"], ["a", "b", "c"], "2 are missing."),
    "both": (Names(), ["a", "x", "y"], ["a", "b"], "2 of the 3 do not belong, such as 'x'; 1 is missing."),
    "name twice": (Names(), ["a", "a"], ["a"], "each is right, but not as many times as it should be there."),
    "order": (Names(ordered=True), ["b", "a"], ["a", "b"], "only the order is not right."),
    "one name": (Names(what="columns"), "a", ["a"], "it is a single one, not a list of columns."),
    "number among names": (Names(), ["a", 3], ["a"], "among its elements is the whole number 3."),
    "path among names": (Names(), [Path("a")], ["a"], "among its elements is a path that ends in 'a'."),
    "table for names": (Names(), PEOPLE, ["age"], "it is a table: its names are in .columns or in .index."),
    "number for names": (Names(), 3, ["a"], "it is not a list of names."),
    "file among others": (
        Files(),
        ["/x/sub-1_bold.nii.gz", "/x/sub-1_bold.json"],
        ["sub-1_bold.nii.gz"],
        "1 of the 2 does not belong, such as 'sub-1_bold.json'.",
    ),
    "list for dict": (Mapping(), [1], {"a": 1}, "it is not a dict."),
    "extra key": (Mapping(), {"a": 1, "x": 2}, {"a": 1}, "the key 'x' does not belong in it."),
    "missing key": (Mapping(), {}, {"a": 1}, "the key 'a' is missing."),
    "missing keys": (Mapping(), {}, {"a": 1, "b": 1}, "2 of its keys are missing, such as 'a'."),
    "secret key": (Mapping(show_keys=False), {}, {"a": 1}, "one key is missing."),
    "value": (
        Mapping(),
        {"a": 1, "b": 3},
        {"a": 1, "b": 2},
        "1 of its 2 values is not right. At 'b': it is too large.",
    ),
    "number as key": (Mapping(), {1: "x"}, {1: "y"}, "its value is not right. At 1: it is another string."),
    "axes": (Array(axes=("a", "b")), np.zeros(3), np.zeros((3, 1)), "it has 1 axis instead of 2."),
    "transposed": (Array(), VALUES.T, VALUES, "its axes are in another order."),
    "length": (
        Array(axes=("volumes", "regions")),
        np.zeros((152, 64)),
        np.zeros((148, 64)),
        "volumes: 152 instead of 148.",
    ),
    "length, no names": (Array(), np.zeros((2, 3)), np.zeros((2, 4)), "axis 1: 3 instead of 4."),
    "values": (
        Array(axes=("x", "y", "z")),
        np.where(VALUES == 6, 9, VALUES),
        VALUES,
        "1 of its 24 values differs, by up to 3; the first at x 0, y 1, z 2.",
    ),
    "all values": (
        Array(),
        VALUES + 2,
        VALUES,
        "all its 24 values differ, by up to 2; the first at index (0, 0, 0).",
    ),
    "few values": (Array(), [0, 52, 26], [0, -52, 26], "1 of its 3 values is not right."),
    "out of range in an array": (
        Array(between=(-1, 1)),
        [1, 2],
        [0.5, 1],
        "none of its 2 values is right. Some values are outside the plausible range.",
    ),
    "nan in an array": (Array(), NAN_AT_3, np.arange(24.0), "1 of its 24 values is NaN where a number belongs."),
    "zero for missing": (
        Array(),
        np.arange(24.0),
        NAN_AT_3,
        "1 of its 24 values is a number where a value should be missing (NaN).",
    ),
    "numbers for truth": (
        Array(values="truth values"),
        [1, 0],
        [True, False],
        "its values are numbers, not True and False.",
    ),
    "truth for numbers": (Array(values="numbers"), [True], [1], "its values are True and False, not numbers."),
    "parts for whole": (Array(values="whole numbers"), [1.5], [1], "not all of its values are whole numbers."),
    "ragged": (
        Array(),
        [[1, 2], [3]],
        VALUES,
        "it does not make an array of numbers: its rows differ in length, or something else is among them.",
    ),
    "numbers as text": (
        Array(),
        pd.Series(["1", "2"]),
        np.array([1, 2]),
        "it does not make an array of numbers: its rows differ in length, or something else is among them.",
    ),
    "image for array": (Array(), image(), VALUES, "it is an image: the array is inside it."),
    "number for array": (Array(), 3, VALUES, "it is not an array."),
    "text for image": (Image(), "gm > 0.5", image(), "it is text, not an image. A formula goes into image.math_img."),
    "path for image": (Image(), "a.nii.gz", image(), "it is a path, not an image: load it first."),
    "array for image": (Image(), VALUES, image(), "it is an array: it has lost the affine that makes an image of it."),
    "None for image": (Image(), None, image(), "it is not an image."),
    "4-D for 3-D": (Image(), image(VALUES[..., None]), image(), "it has 4 axes instead of 3."),
    "volumes": (Image(), image(np.zeros((2, 2, 2, 5))), image(np.zeros((2, 2, 2, 4))), "volumes: 5 instead of 4."),
    "voxel size": (Image(), image(affine=np.eye(4)), image(), "its affine gives voxels of another size: 1 x 1 x 1 mm."),
    "origin": (
        Image(),
        image(affine=moved(0, 3, 3)),
        image(),
        "its affine has another origin: -93.5, -132.5, -78.5 mm.",
    ),
    "flip": (
        Image(),
        image(affine=moved(0, 0, -6)),
        image(),
        "its affine has other directions: an axis is flipped, swapped or turned.",
    ),
    "image values": (
        Image(),
        image(VALUES * 2),
        image(),
        "23 of its 24 values differ, by up to 23; the first at x 0, y 0, z 1.",
    ),
    "lost repetition time": (
        Image(check_t_r=True),
        image(VALUES[None], t_r=1),
        image(VALUES[None], t_r=2),
        "its header gives a repetition time of 1 s, which is not that of the run.",
    ),
    "extra column": (Table(), PEOPLE.assign(x=1), PEOPLE, "the column 'x' does not belong in it."),
    "missing column": (Table(), PEOPLE[["age"]], PEOPLE, "the column 'group' is missing."),
    "secret column": (Table(show_columns=False), PEOPLE[["age"]], PEOPLE, "one column is missing."),
    "rows": (Table(), PEOPLE[:2], PEOPLE, "rows: 2 instead of 3."),
    "row": (
        Table(),
        PEOPLE.rename({"s1": "x"}),
        PEOPLE,
        "1 of its rows has a label that does not belong, such as 'x'.",
    ),
    "order of rows": (Table(ordered=True), PEOPLE[::-1], PEOPLE, "the labels of its rows are in another order."),
    "order of columns": (Table(ordered=True), PEOPLE[["group", "age"]], PEOPLE, "its columns are in another order."),
    "number column": (Table(), PEOPLE.assign(age=9.0), PEOPLE, "3 of the 3 values in the column 'age' differ."),
    "text column": (Table(), PEOPLE.assign(group="A"), PEOPLE, "2 of the 3 values in the column 'group' differ."),
    "text for numbers": (
        Table(),
        PEOPLE.assign(age="x"),
        PEOPLE,
        "the column 'age' holds text or objects, which is not what it should hold.",
    ),
    "table for column": (Table(), PEOPLE, PEOPLE["age"], "it is a whole table: choose one column of it."),
    "column for table": (Table(), PEOPLE["age"], PEOPLE, "it is one column, not a table."),
    "array for table": (Table(), VALUES, PEOPLE, "it is not a table."),
    "list for column": (Table(), [1, 2], PEOPLE["age"], "it is not a Series."),
    "another": (Same(), 1, None, "it is not what it should be."),
    "function for function": (Same(), len, sum, "it is not what it should be."),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal(name):
    compare, answer, expected = EQUAL[name]
    assert compare.handles(expected)
    assert compare(answer, expected) is None


@pytest.mark.parametrize("name", DIFFERENT)
def test_different(name):
    compare, answer, expected, sentence = DIFFERENT[name]
    assert compare.handles(expected)
    assert compare(answer, expected) == sentence


@pytest.mark.parametrize(
    ("compare", "expected", "kind"),
    [
        (Number(unit="mm", between=(0, 50)), 7.25, "a number (mm), between 0 and 50"),
        (Number(whole=True), 7, "a whole number"),
        (Text(), "secret", "a string"),
        (Text(options=("a", "b")), "a", "one of the strings 'a', 'b'"),
        (Text(path=True), "secret.nii", "one file: its path or its name"),
        (Truth(), True, "True or False"),
        (Names(what="columns", ordered=True), ["secret"], "a list of columns (in order)"),
        (Files(), ["secret.nii"], "a list of files (in any order)"),
        (Mapping(), {"a": 77, "b": 78}, "a dict with the keys 'a', 'b'; each value is a number"),
        (Mapping(show_keys=False), {"secret": 77, "other": "x"}, "a dict"),
        (
            Array(axes=("volumes", "regions"), unit="percent", values="numbers", between=(-5, 5)),
            np.full((148, 64), 3),
            "an array of numbers of shape (148, 64) = (volumes, regions), in percent, values between -5 and 5",
        ),
        (Image(), image(), "an image of shape (2, 3, 4) = (x, y, z), with its affine"),
        (Image(), image(VALUES[None]), "an image of shape (1, 2, 3, 4) = (x, y, z, volumes), with its affine"),
        (Table(), PEOPLE, "a table (DataFrame) of 3 rows and 2 columns: age, group"),
        (Table(show_columns=False), PEOPLE, "a table (DataFrame) of 3 rows and 2 columns"),
        (Table(), PEOPLE["age"], "one column (Series) of 3 values"),
        (Same(), None, "a value of the type NoneType"),
    ],
)  # fmt: skip
def test_kind_names_type_shape_unit_range_and_no_value(compare, expected, kind):
    assert compare.expects(expected) == kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, Truth), (1, Number), (np.float32(1), Number), ("a", Text), (image(), Image), (PEOPLE, Table),
        (PEOPLE["age"], Table), ({"a": 1}, Mapping), (["a"], Files), (VALUES, Array), ([1, 2], Array), (None, Same),
        ([None, 1], Same), (len, Same),
    ],
)  # fmt: skip
def test_comparison_by_kind(value, kind):
    assert type(compare_by_kind(value)) is kind


@pytest.mark.parametrize("name", DIFFERENT)
def test_each_value_equals_itself(name):
    """Whatever its kind: a wrong answer is recognised in a wrong solution's."""
    answer = DIFFERENT[name][1]
    if name != "ragged":
        assert compare_by_kind(answer)(answer, answer) is None


def test_kinds_are_told_apart():
    """No two values of the list above that are of different kinds count as equal."""
    values = [3, "text", None, image(), PEOPLE, {"a": 1}, ["a"], VALUES, len, PEOPLE["age"], True, np.zeros(3)]
    for a, b in itertools.permutations(values, 2):
        assert compare_by_kind(b)(a, b) is not None


def test_large_image_is_judged_where_it_lies(tmp_path):
    nib.save(image(), tmp_path / "a.nii.gz")
    answer = nib.load(tmp_path / "a.nii.gz")
    assert Image()(answer, image()) is None
    assert not answer.in_memory


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        (None, "None (nothing)"),
        (..., "three dots (...)"),
        (np.True_, "the truth value True"),
        (np.int64(5), "the whole number 5"),
        (10**400, "the whole number with more than 18 digits"),
        (2.0, "the number 2"),
        (float("nan"), "NaN (not a number)"),
        (1j, "the complex number 1j"),
        ("", "an empty string"),
        ("a\nb", r"the string 'a\nb'"),
        ("x" * 999, "the string '" + "x" * 56 + "..."),
        (Path("/data/sub-1/a.nii.gz"), "a path that ends in 'a.nii.gz'"),
        (["a", "b", "c"], "a list of 3 strings"),
        ([1], "a list of 1 number"),
        (("a", 1), "a tuple of 2 things of several kinds (string, number)"),
        ({1, 2}, "a set of 2 numbers"),
        ([Path("a")], "a list of 1 path"),
        ([image()] * 2, "a list of 2 images"),
        ([SimpleNamespace()] * 2, "a list of 2 SimpleNamespace objects"),
        ([], "an empty list"),
        ({}, "an empty dict"),
        ({"a": 1, 2: 3}, "a dict with 2 keys: 'a', 2"),
        (dict.fromkeys(range(9)), "a dict with 9 keys: 0, 1, 2, 3, 4, ..."),
        (np.zeros((65, 77, 49), np.float32), "an array of shape (65, 77, 49), float32"),
        (np.array(3), "an array without axes that holds one value, int64"),
        (image(), "an image of shape (2, 3, 4), float32"),
        (PEOPLE, "a table (DataFrame) of 3 rows and 2 columns: age, group"),
        (PEOPLE["age"], "one column (Series) of 3 values, 'age'"),
        (PEOPLE.columns, "an index of 2 labels"),
        (PEOPLE.mean, "the method mean itself, not what it gives: were the brackets () forgotten?"),
        ([].append, "the method append itself, not what it gives: were the brackets () forgotten?"),
        (len, "a function named len"),
        (image, "a function named image"),
        (np, "the module numpy"),
        (dict, "the class dict itself, not an object made from it"),
        ((i for i in ()), "a generator that has not run yet: were the brackets of list(...) forgotten?"),
        (map(str, []), "a map that has not run yet: were the brackets of list(...) forgotten?"),
        (SimpleNamespace(), "a SimpleNamespace object"),
    ],
)
def test_describe(value, phrase):
    assert describe(value) == phrase


def test_shorten():
    assert shorten("a  b\nc", 10) == "a b c"
    assert shorten("a" * 20, 10) == "aaaaaaa..."
