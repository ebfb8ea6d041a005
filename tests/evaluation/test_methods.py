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
