"""Commands that a person copies: each shell reads the words that were meant."""

from __future__ import annotations

import subprocess

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli import main
from domain.shell_words import order_line, shell_word
from domain.unseen import visible

SHELLS = ("sh", "bash")
WORDS = (
    "job-1",
    "my job",
    'it\'s $(id) `id` "x" \\u200d %s \\0101 !!',
    "a\u200db",
    "\u202egnp.exe",
    'it\'s\u200d $(id) `id` "x" \\u200d %s \\0101 !! \\c \\',
    "\x85\u2028end\ufeff",
    "-rf\u00ad",
    "-n",
)


def read_by(shell: str, line: str) -> list[str]:
    """Return the arguments that a shell gives to the program `milepost` of this line."""
    shown = 'milepost() { for each in "$@"; do printf \'%s\\n\' "$each"; done; }\n'
    done = subprocess.run(
        [shell, "-c", shown + line], capture_output=True, check=True, timeout=20, cwd="/"
    )
    return done.stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("word", WORDS)
def test_a_copied_command_names_the_job_and_the_machine_that_it_is_shown_with(
    shell: str, word: str
) -> None:
    line = order_line("stopped", word, word)

    assert visible(line) == line, "a page would write a character of it out"
    read = read_by(shell, line)
    assert read[0] == "stopped"
    assert read[read.index("--server") + 1] == word
    assert (read[-1] if word.startswith("-") else read[1]) == word


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=20, deadline=None)
@given(
    words=st.lists(
        st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), max_size=20),
        min_size=20,
        max_size=20,
    )
)
def test_a_shell_reads_each_text_as_it_is(shell: str, words: list[str]) -> None:
    line = " ".join(["milepost", *map(shell_word, words)])

    assert visible(line) == line
    assert read_by(shell, line) == words


@pytest.mark.parametrize("job_id", ["-1", "--help", "--json"])
def test_an_id_that_looks_like_an_option_is_taken_for_a_job(job_id: str) -> None:
    [_, *arguments] = read_by("sh", f"milepost {order_line('stopped', job_id, '-x')}")

    said = CliRunner().invoke(main, arguments, env={"MILEPOST_HOME": "/nonexistent/milepost"})

    assert said.exit_code == 1, said.output
    assert "no database" in said.output
