"""What is shipped: the wheel, the source archive, the pinned dependencies, the commands of the Makefile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cnndsl import __version__
from cnndsl.resources import folder

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command's result; it must end with `code`."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS")}
    result = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == code, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("cnndsl", "grammars", "specs", "docs", "benchmarks", "tests", ".ci"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "ARCHITECTURE.md",
        "Makefile",
        "constraints.txt",
    ):
        shutil.copy(ROOT / name, copy / name)
    return copy


def build(source: Path, into: Path, kind: str) -> Path:
    """The wheel or the source archive of a checkout, built with what is installed here."""
    run(sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", into, source, cwd=into)
    (made,) = into.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(checkout, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment that holds the wheel and click, and nothing besides."""
    environment = tmp_path_factory.mktemp("light") / "env"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=wheel.parent)
    scripts = environment / "bin"
    pip = (sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--quiet", "--no-index", "--no-deps")
    run(*pip, wheel, cwd=wheel.parent)
    (libraries,) = environment.glob("lib/python*/site-packages")
    shutil.copytree(Path(click.__file__).parent, libraries / "click")
    return scripts


# --- the wheel ------------------------------------------------------------------------------------------------------


def test_wheel_holds_code_grammars_and_specs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        (Path("cnndsl") / path.relative_to(base)).as_posix()
        for base, pattern in (
            (ROOT / "cnndsl", "**/*.py"),
            (ROOT / "cnndsl", "templates/*.cnn"),
            (ROOT / "cnndsl", "draw/fonts/*.*"),
            (ROOT / "cnndsl", "draw/page/*.*"),
            (ROOT, "grammars/*.lark"),
            (ROOT, "specs/**/*.cnn"),
        )
        for path in base.glob(pattern)
    }
    assert expected <= names
    outside = {name for name in names if not name.startswith(("cnndsl/", f"cnndsl-{__version__}.dist-info/"))}
    assert not outside
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_light_install_needs_only_click(wheel: Path) -> None:
    assert [Requirement(text).name for text in PROJECT["dependencies"]] == ["click"]
    metadata = zipfile.ZipFile(wheel).read(f"cnndsl-{__version__}.dist-info/METADATA").decode()
    required = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    assert [text for text in required if "extra ==" not in text] == PROJECT["dependencies"]


def test_light_install_checks_and_compiles(light: Path, tmp_path: Path) -> None:
    where = run(light / "python", "-c", "from cnndsl.resources import folder; print(folder('specs'))", cwd=tmp_path)
    specs = Path(where.stdout.strip())
    assert light.parent in specs.parents
    found = run(light / "cnndsl", "check", *sorted(specs.glob("lenet*.cnn")), cwd=tmp_path)
    assert "61,706" in found.stdout
    assert not found.stderr
    run(light / "cnndsl", "compile", specs / "lenet5.cnn", "-o", "model.py", cwd=tmp_path)
    compile((tmp_path / "model.py").read_text(encoding="utf-8"), "model.py", "exec")
    assert run(light / "cnndsl", "--version", cwd=tmp_path).stdout.strip().endswith(__version__)
    assert run(light / "python", "-m", "cnndsl", "--version", cwd=tmp_path).stdout.strip().endswith(__version__)


def test_light_install_has_the_zoo(light: Path, tmp_path: Path) -> None:
    assert "11,689,512" in run(light / "cnndsl", "check", "ResNet-18", cwd=tmp_path).stdout
    assert "resnet18" in run(light / "cnndsl", "list", cwd=tmp_path).stdout
    shown = run(light / "cnndsl", "show", "lenet5", cwd=tmp_path).stdout
    assert shown == (ROOT / "specs" / "lenet5.cnn").read_text(encoding="utf-8")
    run(light / "cnndsl", "new", "mine", cwd=tmp_path)
    assert "Mine(classes=10) in mine.cnn" in run(light / "cnndsl", "check", "mine.cnn", cwd=tmp_path).stdout


def test_light_install_says_what_training_needs(light: Path, tmp_path: Path) -> None:
    spec = Path(folder("specs")) / "lenet5.cnn"
    refused = run(light / "cnndsl", "train", spec, cwd=tmp_path, code=2)
    assert "pip install 'cnndsl[train]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_light_install_says_what_export_needs(light: Path, tmp_path: Path) -> None:
    refused = run(light / "cnndsl", "export", "lenet5", "--untrained", cwd=tmp_path, code=2)
    assert "--format onnx needs torch" in refused.stderr
    assert "pip install 'cnndsl[export]'" in refused.stderr


@pytest.mark.parametrize("ending", ["svg", "html", "tex", "dot", "mmd"])
def test_light_install_draws(light: Path, tmp_path: Path, ending: str) -> None:
    run(light / "cnndsl", "draw", "resnet18", "-o", f"a.{ending}", cwd=tmp_path)
    assert "resnet18" in (tmp_path / f"a.{ending}").read_text(encoding="utf-8")


@pytest.mark.parametrize(("ending", "package"), [("pdf", "reportlab"), ("png", "resvg_py")])
def test_light_install_says_what_drawing_needs(light: Path, tmp_path: Path, ending: str, package: str) -> None:
    refused = run(light / "cnndsl", "draw", "lenet5", "-o", f"a.{ending}", cwd=tmp_path, code=2)
    assert f"{ending.upper()} needs the package {package}" in refused.stderr
    assert "pip install 'cnndsl[draw]'" in refused.stderr
    assert not (tmp_path / f"a.{ending}").exists()


def test_folders_are_found_beside_the_package() -> None:
    assert Path(folder("grammars")) == ROOT / "grammars"
    with pytest.raises(FileNotFoundError, match="no-such-folder"):
        folder("no-such-folder")


@pytest.mark.slow
def test_the_source_archive_makes_the_same_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    for name in ("archive", "unpacked", "wheel"):
        (tmp_path / name).mkdir()
    with tarfile.open(build(checkout, tmp_path / "archive", "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    for needed in (
        "tests/test_packaging.py",
        "Makefile",
        "constraints.txt",
        "docs/language.md",
        "benchmarks/__main__.py",
    ):
        assert (source / needed).is_file()
    again = zipfile.ZipFile(build(source, tmp_path / "wheel", "wheel"))
    assert again.namelist() == zipfile.ZipFile(wheel).namelist()


# --- dependencies ---------------------------------------------------------------------------------------------------


def pins() -> dict[str, str]:
    """The version that constraints.txt gives each package."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(name): version for name, version in pairs}
    assert len(versions) == len(pairs), "constraints.txt pins a package twice"
    return versions


def needed(requirements: list[str], extras: set[str]) -> set[str]:
    """The packages that these requirements bring here, those of their dependencies too."""
    found: set[str] = set()
    open_ = [(Requirement(text), extras) for text in requirements]
    seen: set[str] = set()
    while open_:
        requirement, wanted = open_.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": e}) for e in wanted or {""}):
            continue
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        name = canonicalize_name(requirement.name)
        if name != "cnndsl":
            found.add(name)
        open_ += [(Requirement(text), requirement.extras) for text in distribution(name).requires or ()]
    return found


def installed_beside() -> set[str]:
    """The packages that the Makefile installs without their dependencies."""
    lines = re.findall(r"(?m)^\t@\$\(PIP\) --no-deps (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"))
    return {name for line in lines for name in line.split()}


def test_every_dependency_is_pinned() -> None:
    wanted = list(PROJECT["dependencies"])
    for group in PROJECT["optional-dependencies"].values():
        wanted += group
    found = needed(wanted, set()) | installed_beside()
    assert {"torchvision", "pillow"} <= found
    assert {"torch", "sympy", "click", "pluggy"} <= found
    assert not found - set(pins()), "constraints.txt lacks these"
    assert not set(pins()) - found, "constraints.txt pins these, which nothing needs"


def test_pins_satisfy_the_project() -> None:
    versions = pins()
    assert versions["torch"] == "2.13.0"
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        for text in group:
            requirement = Requirement(text)
            if requirement.name != "cnndsl":
                assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), text


# --- commands -------------------------------------------------------------------------------------------------------


def test_help_lists_every_target() -> None:
    shown = re.findall(r"^make (\S+)", run("make", "help", cwd=ROOT).stdout, re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert declared is not None
    assert sorted(shown) == sorted(declared.group(1).split())


def test_an_old_python_is_refused_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.8.10\nexit 1\n')
    old.chmod(0o755)
    environment = tmp_path / "env"
    refused = run("make", "demo", f"PYTHON={old}", f"VENV={environment}", cwd=ROOT, code=2)
    assert "Python 3.11 or newer is needed" in refused.stderr
    assert "3.8.10" in refused.stderr
    missing = run("make", "demo", "PYTHON=no-such-python", f"VENV={environment}", cwd=ROOT, code=2)
    assert "Python 3.11 or newer is needed" in missing.stderr
    assert not environment.exists()


def test_the_makefile_leaves_pips_settings_alone() -> None:
    for name in ("Makefile", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for word in (
            "--index-url",
            "--extra-index-url",
            "--find-links",
            "--trusted-host",
            "--isolated",
            "unset",
            "://",
        ):
            assert word not in text, f"{name} has {word}"


@pytest.mark.parametrize("name", ["Makefile", "pyproject.toml", "constraints.txt", ".ci/run"])
def test_no_path_of_one_machine(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w./$)])/(home|root|work|opt|Users)/", text)
