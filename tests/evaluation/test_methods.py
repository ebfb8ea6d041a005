"""Methods as they are written on the command line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risdoa.errors import InputError
from risdoa.evaluation.methods import MethodSpec, parse_method, parse_methods

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,5}(/[a-z]{1,4})?", fullmatch=True)


def test_all_parts(tmp_path):
    run = tmp_path / "a=b@c:d#e"
    run.mkdir()
    spec = parse_method(f"mine=hybrid#{run}:music,newton,nf-mle@canonical")
    assert spec == MethodSpec("mine", "hybrid", ("music", "newton", "nf-mle"), run, "canonical")
    assert parse_method(str(spec)) == spec


OPTIONS = st.dictionaries(
    st.from_regex(r"[a-z][a-z_]{0,4}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9.-]{1,4}", fullmatch=True),
    max_size=2,
)


@given(model=OPTIONS, backend=OPTIONS, steering=OPTIONS)
def test_options_stand_in_brackets(model, backend, steering):
    def part(name, options):
        inside = ", ".join(f"{key}={value}" for key, value in options.items())
        return f"{name}[{inside}]" if options else name

    text = f"{part('m', model)}:a, {part('b', backend)},c@{part('s', steering)}"
    spec = parse_method(text)
    assert (spec.model, spec.chain, spec.steering) == ("m", ("a", "b", "c"), "s")
    given_options = {"model:m": model, "backend:b": backend, "steering:s": steering}
    assert spec.options == {key: each for key, each in given_options.items() if each}
    assert spec.label == text.replace(", ", ",")
    assert parse_method(str(spec)) == spec


def test_own_options_prevail_over_those_of_all():
    spec = parse_method("none:nf-mle[starts=4]")
    common = {"backend:nf-mle": {"starts": "1", "kept": "2"}, "omp": {"x": "1"}}
    assert spec.settings(common) == {
        "backend:nf-mle": {"starts": "4", "kept": "2"},
        "omp": {"x": "1"},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("none:nf-mle[starts]", "is not OPTION=VALUE"),
        ("none:nf-mle[]", "is not OPTION=VALUE"),
        ("none:nf-mle[starts=1,starts=2]", "twice"),
        ("none:newton[zoom=1],newton[zoom=2]", "twice"),
        ("none:newton,omp,newton[zoom=2]", "runs 2 times"),
        ("none[zoom=2]:newton", "is no model"),
        ("none:nf-mle[starts=1", "is not"),
        ("none:[starts=1]", "is not"),
        ("none:nf-mle[starts=1]x", "is not"),
    ],
)
def test_wrong_options_are_refused(text, says):
    with pytest.raises(InputError, match=says):
        parse_method(text)


@given(
    label=st.none() | st.from_regex(r"[A-Za-z0-9 ()+-]*[A-Za-z0-9]", fullmatch=True),
    model=NAMES,
    chain=st.lists(NAMES, min_size=1, max_size=3),
    steering=st.none() | NAMES,
)
def test_what_is_written_is_read_back(label, model, chain, steering):
    text = f"{model}:{','.join(chain)}" + (f"@{steering}" if steering else "")
    spec = parse_method(text if label is None else f"{label}={text}")
    assert (spec.model, spec.chain, spec.steering) == (model, tuple(chain), steering)
    assert spec.label == (text if label is None else label.strip())
    assert parse_method(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    ["", "sample", "sample:", ":music", "sample:music,,newton", "a=b=c:d", "sample:music@", "#r:m"],
)
def test_other_forms_are_refused(text):
    with pytest.raises(InputError, match="is not") as caught:
        parse_method(text)
    assert "hybrid#runs/a" in caught.value.hint


def test_a_run_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no run nowhere/at-all"):
        parse_method("hybrid#nowhere/at-all:music")


def test_labels_must_differ():
    with pytest.raises(InputError, match="two methods are labelled 'a'"):
        parse_methods(("a=sample:music", "a=sample:newton"))
    assert len(parse_methods(("sample:music", "sample:newton"))) == 2


def test_a_checkpoint_may_be_a_file(tmp_path):
    weights = tmp_path / "last.safetensors"
    weights.touch()
    assert parse_method(f"hybrid#{weights}:music").run == Path(weights)
