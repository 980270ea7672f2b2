"""The line of a long error that says why."""

from __future__ import annotations

import pytest

from projections.views.gist import gist

ANSIBLE = """\
TASK [base : install packages] ****
ok: [runner-7]
fatal: [runner-7]: FAILED! => {"msg": "E: Could not get lock"}

PLAY RECAP ****
runner-7 : ok=11  changed=4  unreachable=0  failed=1  skipped=2
"""
PYTHON = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    open("x")
FileNotFoundError: [Errno 2] No such file or directory: 'x'
"""
WRAPPED = """\
TASK [base : install packages] ****
fatal: [runner-7]: FAILED! => {"msg": "'apt-get install
  build-essential' failed: E: Could not get lock
  held by process 1412"}
runner-7 : ok=11  failed=1
"""
TERRAFORM = "Creating...\nStill creating\n\nError: no quota\n\n  on main.tf line 3\n\n"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ANSIBLE, 'fatal: [runner-7]: FAILED! => {"msg": "E: Could not get lock"}'),
        (PYTHON, "FileNotFoundError: [Errno 2] No such file or directory: 'x'"),
        (
            WRAPPED,
            """fatal: [runner-7]: FAILED! => {"msg": "'apt-get install build-essential' failed: """
            "E: Could not get lock",
        ),
        ("    at one\n    at two\n    error: three\nfour", "error: three"),
        (TERRAFORM + "more\n", "Error: no quota"),
        ("a\nb\nError: disk full\n0 failed, 3 ok", "Error: disk full"),
        ("a\nb\nError: disk full\nAll done, 0 errors", "Error: disk full"),
        ("a\nb\nError: disk full\nfailed: 0, errors: 0", "Error: disk full"),
        ("a\nb\nError: disk full\n10 failed, 0 errors", "10 failed, 0 errors"),
        ("a\nb\nc\nfailed: 0.5 s too late", "failed: 0.5 s too late"),
        ("a\nb\nc\nError: 0x80070005 occurred", "Error: 0x80070005 occurred"),
        ("a\nb\nc\nError: 0 bytes are left\nd", "Error: 0 bytes are left"),
        ("a\nb\nError: disk full\nerrors=0 ok=3", "Error: disk full"),
        ("a\nb\nc\n2.0 failed to start", "2.0 failed to start"),
        ("one\ntwo\nthree\nfour\n", "four"),
        ("no lock\n\tat line 2", "no lock at line 2"),
        ("", ""),
        ("  \n ", ""),
    ],
)
def test_the_gist_is_the_last_line_that_names_a_failure(error: str, expected: str) -> None:
    assert gist(error) == expected
