"""The pages as a site. `make check` builds it into build/docs, and fails for a warning.

The source is the whole repository, because pages lead to README.md, to tests and to other files.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

project = "Milepost"
author = "The Milepost authors"
project_copyright = author
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "build", "**/node_modules"]
myst_heading_anchors = 3
highlight_language = "text"
# JSON in the pages is shortened with "…".
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = "Milepost"
html_extra_path = ["root"]
html_copy_source = False

INDEXES = ("docs/index", "docs/decisions/README")
NAMED = re.compile(r"^- \[([^\]]*)\]\(([^)#\s]+)\.md\)", re.MULTILINE)
NUMBERED = re.compile(r"^\| \[[0-9]+\]\(([^)#\s]+)\.md\)", re.MULTILINE)


def setup(app: Sphinx) -> None:
    """Make the indexes tables of contents."""
    app.connect("source-read", with_contents)


def with_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Append a hidden table of contents to an index, made of the links of its lists and tables.

    So a page is listed once, and whoever reads the index elsewhere sees no directive. An entry has
    the name of its link; a decision, whose link is a number, has its own title.
    """
    if docname not in INDEXES:
        return
    for section in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]:
        caption, _, text = section.partition("\n")
        pages = [f"{name} <{path}>" for name, path in NAMED.findall(text)]
        if entries := "\n".join([*pages, *NUMBERED.findall(text)]):
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"
