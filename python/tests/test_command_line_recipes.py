"""docs/recipes.md, run as it stands: files are saved, and commands print what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg  # type: ignore[import-untyped]
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "recipes.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


class Recipe(NamedTuple):
    """A section of the page."""

    heading: str
    text: str


def recipes() -> list[Recipe]:
    """The sections that have a session."""
    sections = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
    found = [Recipe(*section) for section in sections]
    return [recipe for recipe in found if "```console\n" in recipe.text]


@pytest.fixture(scope="session")
def search_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PATH with the programs of this environment first, and ffmpeg."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    environment = Path(sys.executable).parent
    return f"{environment}:{programs}:{os.environ['PATH']}"


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.heading)
def test_recipe(recipe: Recipe, tmp_path: Path, search_path: str) -> None:
    before = 0
    for block in BLOCK.finditer(recipe.text):
        kind, body = block.groups()
        name = re.search(r"Save as `([^`]+)`", recipe.text[before : block.start()])
        before = block.end()
        if kind == "console":
            for command, expected in re.findall(
                r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE
            ):
                done = subprocess.run(
                    ["bash", "-c", f"exec 2>&1; {command}"],
                    cwd=tmp_path,
                    env=os.environ | {"PATH": search_path, "LC_ALL": "C.UTF-8"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.stdout == expected, f"$ {command}"
        elif name:
            (tmp_path / name[1]).write_text(body)


def test_sessions_are_found() -> None:
    commands = [line for line in PAGE.splitlines() if line.startswith("$ ")]
    inside = [
        line for recipe in recipes() for line in recipe.text.splitlines() if line.startswith("$ ")
    ]
    assert len(recipes()) > 15
    assert inside == [command for command in commands if "huge" not in command]


def test_figures_are_those_of_the_benchmark() -> None:
    def rows(page: str) -> list[list[str]]:
        lines = [line for line in page.splitlines() if line.startswith("| ")]
        return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]

    measured = rows((DOCS / "performance-recipes.md").read_text())
    figures = rows(PAGE)[2:]
    assert len(figures) > 12
    assert [row for row in figures if row not in measured] == []
