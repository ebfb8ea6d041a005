"""Options from ``--set``, from a configuration file and from Python: one check for all of them."""

from __future__ import annotations

import json

import pytest

import risdoa
from risdoa.errors import InputError
from risdoa.recordings import recording_from, write_recording
from tests.estimation.scenes import scene

PLUGINS = """
    from typing import Annotated, Literal

    import pydantic
    import risdoa
    from risdoa.backends.music import Music
    from risdoa.losses.nmse import Nmse
    from risdoa.scenarios.digital import Digital
    from risdoa.steering.spherical import Spherical

    class Options(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="forbid")
        step_size: Annotated[float, pydantic.Field(gt=0)] = 1.0
        form: Literal["a", "b"] = "a"

    def optional(base):
        class Optional(base):
            def __init__(self, step_size, form):
                super().__init__()
                if form == "b":
                    raise risdoa.errors.InputError(f"{base.__name__} has {step_size}")
        return Optional

    Wave, Loss, Backend = optional(Spherical), optional(Nmse), optional(Music)
    Scenes = optional(Digital)

    def record(kind):
        options = "acme_plugins:Options"
        return [risdoa.Plugin("mine", f"acme_plugins:{kind}", "Mine.", options=options)]

    risdoa_steering = risdoa.hookimpl(lambda: record("Wave"))
    risdoa_losses = risdoa.hookimpl(lambda: record("Loss"))
    risdoa_backends = risdoa.hookimpl(lambda: record("Backend"))
    risdoa_scenarios = risdoa.hookimpl(lambda: record("Scenes"))
"""

WRONG = [
    ("step_size", "-1", "mine.step_size: input should be greater than 0, got '-1'"),
    ("step-size", "-1", "mine.step_size: input should be greater than 0, got '-1'"),
    ("form", "c", "mine.form: input should be 'a' or 'b', got 'c'"),
    ("stepsize", "1", "mine has no option 'stepsize'"),
]


@pytest.fixture
def mine(install, monkeypatch):
    """Install plugins of four kinds with one name and one option model."""
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "acme-plugins")
    install("acme-plugins", PLUGINS)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a recording of one source."""
    known = scene(1)
    path = tmp_path_factory.mktemp("recordings") / "scene.npz"
    write_recording(path, recording_from(known.problem, known.truth))
    return path


def estimating(file, kind):
    chain = ["--backend", "mine"] if kind == "backend" else ["--steering", "mine"]
    return ["estimate", file, *chain, *([] if kind == "backend" else ["--backend", "nf-mle"])]


def comparing(kind):
    method = "sample:mine" if kind == "backend" else "sample:nf-mle@mine"
    return ["compare", "--trials", 1, "--snr", 10, "--method", f"m={method}"]


@pytest.mark.parametrize(("option", "value", "words"), WRONG)
@pytest.mark.parametrize("kind", ["backend", "steering"])
@pytest.mark.parametrize("command", ["estimate", "compare"])
def test_wrong_options_are_refused_everywhere(command, kind, option, value, words, mine, file, cli):
    words_before = estimating(file, kind) if command == "estimate" else comparing(kind)
    outcome = cli(*words_before, "--set", f"mine.{option}={value}")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {words}\n")


@pytest.mark.parametrize(
    "prefix", ["mine", "acme-plugins/mine", "KIND:mine", "KIND:acme-plugins/mine"]
)
@pytest.mark.parametrize(("kind", "base"), [("backend", "Music"), ("steering", "Spherical")])
@pytest.mark.parametrize("command", ["estimate", "compare"])
def test_options_reach_the_plugin(command, kind, base, prefix, mine, file, cli):
    words = estimating(file, kind) if command == "estimate" else comparing(kind)
    words = [str(word).replace("mine", "acme-plugins/mine") for word in words]
    name = prefix.replace("KIND", kind)
    outcome = cli(*words, "--set", f"{name}.step-size=2.5", "--set", f"{name}.form=b")
    assert outcome.err.startswith(f"error: {base} has 2.5\n")


SMALL = ["--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 2, "--held-out-scenes", 0]


@pytest.mark.parametrize(("option", "value", "words"), WRONG)
@pytest.mark.parametrize("kind", [["--loss", "mine"], ["--scenario", "mine"]])
def test_a_file_and_the_command_line_are_checked_alike(
    kind, option, value, words, mine, cli, tmp_path
):
    path = tmp_path / "config.toml"
    path.write_text(f'[options.mine]\n{option} = "{value}"\n')
    given = [["--set", f"mine.{option}={value}"], [path]]
    told = [cli("train", *kind, *each, "--out", tmp_path / "run").err for each in given]
    assert told[0] == told[1]
    assert told[0].startswith(f"error: {words}\n")


def test_python_is_checked_alike(mine, file):
    for settings in ({"mine": {"step_size": "-1"}}, {"steering:mine": {"step_size": "-1"}}):
        with pytest.raises(InputError, match="greater than 0, got '-1'"):
            risdoa.estimate(file, backend="nf-mle", steering="mine", settings=settings)


def test_plugins_of_one_name_keep_their_options_apart_in_a_run(mine, cli, tmp_path):
    run = tmp_path / "run"
    words = ["--loss", "mine=1", "--scenario", "mine", "--set", "hybrid.channels=4"]
    sizes = ["--set", "loss:mine.step_size=2", "--set", "scenario:mine.step_size=3"]
    outcome = cli("train", *SMALL, *words, *sizes, "--out", run, "--json")
    assert outcome.code == 0, outcome.err
    written = (run / "config.toml").read_text()
    for kind, size in (("loss", 2.0), ("scenario", 3.0)):
        assert f'[options."{kind}:mine"]\nstep_size = {size}\n' in written
    again = cli("train", run / "config.toml", "--out", tmp_path / "again", "--json")
    first, second = (json.loads(each.out)["epochs"][0]["validation"] for each in (outcome, again))
    assert first == second


@pytest.mark.parametrize("prefix", ["canonical", "scenario:canonical"])
def test_a_scenario_may_share_its_name_with_a_steering_model(prefix, cli):
    words = ["--method", "m=sample:nf-mle@canonical", "--set", f"{prefix}.snapshots=8"]
    outcome = cli("compare", "--trials", 1, "--snr", 10, *words)
    assert outcome.code == 0, outcome.err
    outcome = cli("compare", "--trials", 1, "--snr", 10, *words, "--set", "steering:canonical.x=1")
    assert outcome.err.startswith("error: canonical has no option 'x'\n")
