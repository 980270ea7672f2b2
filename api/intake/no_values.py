"""Texts that say nothing: what tools write where there is no value, and where a template was left.

A reason takes a text without white space around it. It says why the text is no value, or returns
an empty text if it is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

SPACES: Final = " \t\n\v\f\r"
"""White space that shells and templates leave around a text."""
NO_VALUES: Final = (
    *("", "null", "NULL", "undefined", "None", "none", "nil", "<nil>", "<no value>", '""', "''"),
    *("<none>", "<unset>", "<pending>", "<unknown>"),
)
"""What jq, JavaScript, Python, Ruby, Go, kubectl and shells write where there is no value."""
PLACEHOLDERS: Final = (
    r"\$\{\{[^{}]*\}\}",  # GitHub, Azure: ${{ github.run_id }}
    r"\{\{[^{}]*\}\}",  # Ansible, Argo, Helm: {{ run_id }}
    r"\$\{[^{}]*\}",  # shells, Jenkins, Terraform: ${RUN_ID}
    r"\$\([^()]*\)",  # Azure, Tekton: $(Build.BuildId)
    r"\$[A-Za-z_][A-Za-z0-9_]*",  # shells, GitLab: $CI_PIPELINE_ID
    r"%[A-Za-z_][A-Za-z0-9_]*%",  # Windows: %BUILD_ID%
)
"""What is left of a template that nobody filled in, such as a variable in single quotes."""
QUOTES: Final = "\"'"
QUOTED: Final = r"""\"[^"]+"|'[^']+'"""
"""A text in quotation marks, as Terraform prints an output without `-raw`, and YAML a text."""
_PLACEHOLDER: Final = re.compile("|".join(PLACEHOLDERS))

Reason: TypeAlias = Callable[[str], str]


def word_for_nothing(text: str) -> str:
    """Say that a tool writes this text where there is no value."""
    if text not in NO_VALUES:
        return ""
    return f"is {text!r}, which stands for no value" if text else "is white space only"


def placeholder(text: str) -> str:
    """Say that no template has filled in this text.

    Two runs with one placeholder for an id would be one run, and no machine has such a name.
    """
    return f"is {text[:60]!r}, which nobody has filled in" if _PLACEHOLDER.fullmatch(text) else ""
