"""The `milepost` command: what it prints, where, and with which exit status."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from domain.workflows.files import SHIPPED
from projections.read_model.contract import SHAPE
from tests.support.people.shell import ESCAPE, Shell
from tests.support.processes.server import free_port
from tests.support.web.site import MACHINE, Site, everything_in, problem_of

CREDENTIALS = {
    "MILEPOST_CALLBACK_SECRET": "a-secret-of-the-tests",
    "MILEPOST_ADMIN_TOKEN": "a-token-of-the-tests",
}


# init-db, status


def test_init_db_makes_the_tables_and_may_be_run_again(empty: Shell, tmp_path: Path) -> None:
    for _ in range(2):
        assert empty("init-db") == f"sqlite:///{tmp_path}/home/milepost.db is ready.\n"

    assert (tmp_path / "home" / "milepost.db").exists()
    assert not (tmp_path / "home" / "admin-token").exists()


def test_the_status_of_nothing_is_said_in_words(empty: Shell) -> None:
    empty("init-db")

    said = empty("status")

    assert "position 0" in said
    assert "up to date" in said
    assert "none yet" in said


def test_status_tells_how_far_the_read_model_is(shell: Shell, database_site: Site) -> None:
    database_site.register()
    database_site.report(status="provisioning")
    database_site.project()
    database_site.report(type="heartbeat")

    said = shell("status")

    assert "position 3" in said
    assert "1 position behind" in said
    assert "provisioning" in said


def test_status_warns_of_a_definition_that_was_changed_under_its_name_and_version(
    shell: Shell, database_site: Site
) -> None:
    database_site.register()
    assert "Warning" not in shell("status")
    assert shell.json("status")["warnings"] == []

    database_site.deployment.read_model.keep_note("workflow vm@1", "another digest")

    assert "Warning      workflow vm@1 was changed under its name and version" in shell("status")
    [said] = shell.json("status")["warnings"]
    assert said.startswith("workflow vm@1 was changed")


def test_status_for_a_program(shell: Shell, database_site: Site) -> None:
    database_site.register()
    database_site.report(status="failed")
    database_site.register("job-2")
    database_site.project()

    found = shell.json("status")

    assert found.pop("database").startswith(("sqlite:///", "postgresql://"))
    assert found == {
        "log_position": 3,
        "read_model_position": 3,
        "lag_events": 0,
        "lost_ends": [],
        "tree_size": 0,
        "tree_position": 0,
        "tree_lag_events": 3,
        "tree_fault": None,
        "deadlines": "watched",
        "warnings": [],
        "jobs": {"failed": 1, "pending": 1},
        "shape": SHAPE,
        "rebuild_position": None,
        "set_aside": [],
    }


# jobs


@pytest.mark.parametrize(
    "command", ["status", "jobs", "jobs job-1", "tokens list", "tokens revoke token-1"]
)
def test_who_only_looks_makes_no_database(empty: Shell, tmp_path: Path, command: str) -> None:
    """As in the wrong folder: that there is none is said, and nothing is left behind."""
    assert empty.fails(*command.split()).startswith("Error: there is no database at ")
    assert not (tmp_path / "home").exists()


def test_no_jobs_are_said_in_words_and_as_nothing(empty: Shell) -> None:
    empty("init-db")

    assert empty("jobs") == "No jobs.\n"
    assert empty.lines("jobs") == []


def test_jobs_are_listed_with_the_newest_first(shell: Shell, database_site: Site) -> None:
    database_site.register()
    database_site.report(status="failed", error="quota exceeded")
    database_site.register("job-2", "agent-2")
    database_site.report("job-2", status="provisioning", step="ansible_started")
    database_site.project()

    said = shell("jobs")

    assert said.index("job-2") < said.index("job-1")
    for word in ("agent-1", "agent-2", "ansible_started", "quota exceeded", "provisioning"):
        assert word in said
    assert [job["id"] for job in shell.lines("jobs")] == ["job-2", "job-1"]
    assert shell.lines("jobs")[1] == database_site.job("job-1")


def test_options_narrow_the_list(shell: Shell, database_site: Site) -> None:
    for number, user in enumerate(("ada", "bob", "ada")):
        database_site.register(f"job-{number}", f"agent-{number}", user)
        database_site.report(f"job-{number}", status="failed" if number else "running", **MACHINE)
    database_site.project()

    for options, expected in (
        (("--agent", "agent-1"), ["job-1"]),
        (("--user", "ada"), ["job-2", "job-0"]),
        (("--status", "failed"), ["job-2", "job-1"]),
        (("--user", "ada", "--status", "running"), ["job-0"]),
        (("--limit", "1"), ["job-2"]),
        (("--agent", "nobody"), []),
    ):
        assert [job["id"] for job in shell.lines("jobs", *options)] == expected, options


def test_a_list_is_asked_for_the_words_that_it_shows(shell: Shell, database_site: Site) -> None:
    """The column of the status says `cancelled`, which is an outcome of failed jobs."""
    for number in range(5):
        database_site.report(f"job-{number}", status="cancelled" if number % 2 else "failed")
    database_site.project()

    for options, expected in (
        (("--status", "cancelled"), ["job-3", "job-1"]),
        (("--status", "cancelled", "--limit", "1"), ["job-3"]),
        (("--status", "timed_out"), []),
    ):
        assert [job["id"] for job in shell.lines("jobs", *options)] == expected, options
    refused = shell.run("jobs", "--attention", "--status", "cancelled")
    assert refused.exit_code == 2
    assert "--attention has no --status cancelled, but failed" in refused.stderr


def test_one_job_is_shown_with_its_timeline(shell: Shell, database_site: Site) -> None:
    """It is never stale: the projector has not run."""
    database_site.register()
    database_site.report(status="provisioning")
    database_site.report(status="provisioning", step="vm_created")
    database_site.clock.advance(200)
    database_site.report(status="failed", error="exit 1", server_id="srv-1")
    database_site.report(status="provisioning")
    database_site.report(status="provisioning", step="coffee_made")

    said = shell("jobs", "job-1")

    for word in ("job-1", "agent-1", "user-1", "attempt 1", "attempt 2"):
        assert word in said
    for word in ("vm_created", "installing", "200.0 s", "silence", "coffee_made", "failed"):
        assert word in said


def test_what_an_error_says_on_many_lines_looks_like_nothing_else(
    shell: Shell, database_site: Site
) -> None:
    database_site.register()
    database_site.report(status="provisioning")
    database_site.report(status="failed", error="exit 1\n  agent id           forged\nlast")

    said = shell("jobs", "job-1").splitlines()

    assert [line for line in said if line.startswith("  agent id ")] == [
        f"  {'agent id':18} agent-1"
    ]
    assert "  attempt 1: failed" in said


def test_how_long_a_job_sends_no_heartbeat_and_when_it_ended_is_told(
    shell: Shell, database_site: Site
) -> None:
    """The clock of the command is the machine's."""
    database_site.register()
    database_site.report(status="provisioning")
    database_site.project()

    assert "2026-03-02 12:00:00 UTC, " in line_of("no heartbeat since", shell("jobs", "job-1"))
    assert "No heartbeat for " in line_of("job-1", shell("jobs"))
    assert "one is expected every 60 s" in line_of("unresponsive", shell("jobs", "job-1"))

    database_site.clock.advance(901)
    database_site.watch()
    database_site.project()
    said = shell("jobs", "job-1")
    assert "2026-03-02 12:15:01 UTC, " in line_of("ended", said)
    assert "no heartbeat since" not in said
    assert "2026-03-02 12:00:00  silence" in said
    assert "one is expected" not in shell("jobs")
    assert "Timeout: No heartbeat for 901s" in line_of("job-1", shell("jobs"))


def test_a_job_that_reports_in_time_is_not_called_silent(shell: Shell, database_site: Site) -> None:
    """The clock of the command is the machine's, so the job reports by this clock, too."""
    clock = database_site.clock
    clock.advance((datetime.now(UTC) - clock.now).total_seconds())
    database_site.register()
    database_site.report(status="provisioning")

    said = shell("jobs", "job-1")

    assert "The workflow began at " in line_of("  ok ", said)
    assert "no heartbeat since" not in said


@pytest.mark.parametrize("group", ["tokens", "losses", "workflows"])
def test_a_group_by_itself_lists_its_commands_as_its_help_does(empty: Shell, group: str) -> None:
    said = empty.run(group)

    assert said.exit_code == 2
    assert said.stderr == empty(group, "--help")


def line_of(word: str, said: str) -> str:
    [found] = [line for line in said.splitlines() if word in line]
    return found


def test_a_refused_callback_is_shown_with_its_job(shell: Shell, database_site: Site) -> None:
    database_site.register()
    for status in ("begun", "runing"):
        database_site.callback({"job_id": "job-1", "status": status})

    shown = shell("jobs", "job-1")
    trail = shell("audit", "job-1")

    [line] = [line for line in shown.splitlines() if "refused callback" in line]
    assert "2026-03-02 12:00:00 UTC" in line
    assert "unknown_status: status: Unknown status 'runing'" in line
    assert "(2 in all)" in line
    assert "reason unknown_status" in trail


def test_one_job_for_a_program_is_what_http_says(shell: Shell, database_site: Site) -> None:
    database_site.register()
    database_site.report(status="provisioning", step="vm_created")

    found = shell.json("jobs", "job-1")

    attempts = database_site.read("/api/jobs/job-1/timeline")["attempts"]
    job = database_site.job()
    # The clock of the command is the machine's, so that it sees another health.
    assert (found.pop("health")["state"], job.pop("health")["state"]) == ("unresponsive", "ok")
    assert found == {**job, "attempts": attempts}


def test_a_job_without_steps_is_shown_too(shell: Shell, database_site: Site) -> None:
    database_site.register()

    assert "no steps reported" in shell("jobs", "job-1")


def test_a_job_nobody_heard_of_is_one_line(empty: Shell) -> None:
    empty("init-db")

    assert empty.fails("jobs", "nobody's") == 'Error: There is no job "nobody\'s".\n'
    assert "nobody" in empty.fails("jobs", "nobody", "--json")


def test_what_a_callback_said_neither_styles_nor_steers_a_terminal(
    shell: Shell, database_site: Site
) -> None:
    hostile = f"[bold]x[/bold] {ESCAPE}]0;title\x07{ESCAPE}[2J{ESCAPE}[8m hidden \x9b31m\r\n next"
    database_site.register()
    database_site.report(status="provisioning", step="vm_created")
    database_site.report(status="failed", error=hostile)
    database_site.project()

    for said in (shell("jobs"), shell("jobs", "job-1")):
        assert "[bold]x[/bold]" in said
        assert not {ESCAPE, "\x07", "\x9b", "\r"} & set(said)
    assert shell.json("jobs", "job-1")["error"] == hostile


# tokens


def test_a_made_token_is_printed_once_and_opens(shell: Shell, database_site: Site) -> None:
    result = shell.run("tokens", "create", "page", "--scope", "read", "--scope", "write")

    token = result.stdout.strip()
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert "tokens revoke" in result.stderr
    assert token not in result.stderr
    assert database_site.get("/api/jobs", token).status_code == 200
    secret = token.split("_", 2)[2]
    assert secret not in shell("tokens", "list")
    assert secret not in shell("tokens", "list", "--json")
    assert secret.encode() not in everything_in(database_site)


def test_a_token_for_a_program(shell: Shell, database_site: Site) -> None:
    made = shell.json("tokens", "create", "page", "--user", "ada")

    assert made.keys() == {"id", "name", "scopes", "expires_at", "token"}
    assert (made["name"], made["scopes"]) == ("page", ["read"])
    problem_of(database_site.post_job({"agent_id": "agent-1"}, made["token"]), 403)
    [listed] = shell.lines("tokens", "list")
    assert listed.pop("created_at")
    assert listed.pop("last_used_at")
    assert listed == {
        "id": made["id"],
        "name": "page",
        "scopes": ["read"],
        "user_id": "ada",
        "expires_at": None,
        "revoked_at": None,
    }


def test_tokens_are_listed_by_name(shell: Shell) -> None:
    assert shell("tokens", "list") == "No tokens.\n"
    shell("tokens", "create", "page")
    shell("tokens", "create", "dispatcher", "--scope", "write", "--user", "ada")

    said = shell("tokens", "list")

    for word in ("page", "dispatcher", "read", "write", "ada"):
        assert word in said


def test_a_revoked_token_opens_nothing(shell: Shell, database_site: Site) -> None:
    made = shell.json("tokens", "create", "page")

    assert shell("tokens", "revoke", made["id"]) == f"Token {made['id']} is revoked.\n"

    problem_of(database_site.get("/api/jobs", made["token"]), 401)
    [listed] = shell.lines("tokens", "list")
    assert listed["revoked_at"]
    assert made["id"] in shell.fails("tokens", "revoke", made["id"])


def test_revoking_what_is_not_there_fails(empty: Shell) -> None:
    empty("init-db")

    assert "nobody's" in empty.fails("tokens", "revoke", "nobody's")


# workflows


def test_the_shipped_workflows_are_listed_with_the_default(empty: Shell) -> None:
    said = empty("workflows", "list")

    [default] = [line for line in said.splitlines() if "default" in line]
    assert "vm@1" in default
    assert "Queued → Creating Server → Installing Dependencies" in default
    assert "vm-verified@1" in said
    names = [each["name"] for each in empty.lines("workflows", "list")]
    assert names == ["milepost-demo", "vm", "vm-verified"]


def test_a_workflow_is_shown_with_its_steps_and_their_old_names(empty: Shell) -> None:
    said = empty("workflows", "show", "vm-verified")

    assert said.startswith("vm-verified@1")
    for word in ("server_created", "networking", "tailscale_joined"):
        assert word in said
    assert empty.json("workflows", "show", "vm@1")["version"] == 1


def test_an_unknown_workflow_is_one_line_with_the_known_ones(empty: Shell) -> None:
    said = empty.fails("workflows", "show", "kubernetes")

    assert "kubernetes" in said
    assert "vm@1" in said


def test_definitions_of_ones_own_are_listed_too(tmp_path: Path) -> None:
    text = (SHIPPED / "vm.toml").read_text().replace('"vm"', '"mine"')
    (tmp_path / "mine.toml").write_text(text)

    found = Shell(MILEPOST_WORKFLOWS=str(tmp_path)).lines("workflows", "list")

    assert [each["name"] for each in found] == ["milepost-demo", "mine", "vm", "vm-verified"]


def test_good_files_are_fine(empty: Shell) -> None:
    files = [str(SHIPPED / "vm.toml"), str(SHIPPED / "vm-verified.toml")]

    said = empty("workflows", "check", *files)

    assert said.splitlines() == [
        f"{files[0]}: vm@1 is fine (5 UI steps, 4 steps)",
        f"{files[1]}: vm-verified@1 is fine (6 UI steps, 5 steps)",
    ]


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ('activates = "configuring"', 'activates = "cooking"', "cooking"),
        ("version = 1", 'version = "one"', "version"),
        ("version = 1", "version = = 1", "TOML"),
        ('id = "vm_created"', 'idd = "vm_created"', "id"),
        ('blame = "installing"', 'blame = "nobody"', "blame"),
    ],
)
def test_a_bad_file_is_one_line_with_file_line_and_reason(
    empty: Shell, tmp_path: Path, good: str, bad: str, reason: str
) -> None:
    lines = (SHIPPED / "vm.toml").read_text().splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if line.startswith(good)]
    lines[number - 1] = lines[number - 1].replace(good, bad)
    file = tmp_path / "bad.toml"
    file.write_text("\n".join(lines))

    result = empty.run("workflows", "check", str(SHIPPED / "vm.toml"), str(file))

    assert result.exit_code == 1
    assert "vm.toml: vm@1 is fine" in result.stdout
    [said] = result.stderr.splitlines()
    where = f"Error: {file}:{number}: "
    # A missing key has no line of its own: its table's is the nearest.
    assert said.startswith((where, f"Error: {file}:{number - 1}: "))
    assert reason in said


@pytest.mark.parametrize("shipped", ["vm.toml", "vm-verified.toml"])
def test_a_file_that_serve_would_refuse_beside_what_ships_is_not_fine(
    empty: Shell, tmp_path: Path, shipped: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((SHIPPED / shipped).read_text(encoding="utf-8"), encoding="utf-8")

    checked = empty.fails("workflows", "check", str(file))

    served = Shell(MILEPOST_WORKFLOWS=str(tmp_path)).fails("workflows", "list")
    assert checked == served
    assert "two files define" in checked
    assert "one of them shipped" in checked


def test_two_files_of_one_folder_with_the_same_name_and_version_are_not_fine(
    empty: Shell, tmp_path: Path
) -> None:
    text = (SHIPPED / "vm.toml").read_text(encoding="utf-8").replace("version = 1", "version = 7")
    files = [tmp_path / name for name in ("a.toml", "b.toml")]
    for file in files:
        file.write_text(text, encoding="utf-8")

    result = empty.run("workflows", "check", *map(str, files))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}: two files define vm@7\n"


def test_a_byte_order_mark_before_a_definition_is_no_fault(empty: Shell, tmp_path: Path) -> None:
    text = (SHIPPED / "vm.toml").read_text(encoding="utf-8").replace("version = 1", "version = 7")
    file = tmp_path / "vm.toml"
    file.write_text(text, encoding="utf-8-sig")

    assert "vm@7 is fine" in empty("workflows", "check", str(file))


@pytest.mark.parametrize("name", ["nothing.toml", "folder.toml", "binary.toml"])
def test_a_file_that_cannot_be_read_is_one_line(empty: Shell, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")

    assert name in empty.fails("workflows", "check", str(tmp_path / name))


# What goes wrong


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["jobs", "--nonsense"],
        ["jobs", "--status", "done"],
        ["jobs", "--limit", "0"],
        ["jobs", "a", "b"],
        ["tokens", "create"],
        ["tokens", "create", "page", "--scope", "root"],
        ["tokens", "create", "page", "--scope", "admin", "--user", "ada"],
        ["tokens", "revoke"],
        ["workflows", "check"],
        ["workflows", "show"],
        ["serve", "--port", "0"],
        ["serve", "--port", "http"],
        ["serve", "--workers", "0"],
        ["status", "extra"],
    ],
)
def test_wrong_usage_is_exit_status_2_on_stderr(empty: Shell, arguments: list[str]) -> None:
    result = empty.run(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    "command", ["init-db", "status", "jobs", "tokens list", "serve", "project"]
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILEPOST_PORT", "http"),
        ("MILEPOST_DATABASE_URL", "mysql://localhost/milepost"),
        ("MILEPOST_ADMIN_TOKEN", "short"),
        ("MILEPOST_WORKFLOWS", "/nowhere/at/all"),
        ("MILEPOST_CALLBACK_SECRET_FILE", "/nowhere/at/all"),
        ("MILEPOST_WORKERS", "2"),
    ],
)
def test_a_broken_setting_stops_every_command_in_one_line(
    command: str, name: str, value: str
) -> None:
    said = Shell(**{name: value}).fails(*command.split())

    assert said.startswith(f"Error: {name}:")


@pytest.mark.parametrize("command", ["init-db", "serve"])
@pytest.mark.parametrize("place", ["file", "file/home"])
def test_a_home_that_cannot_be_stops_every_command_in_one_line(
    tmp_path: Path, command: str, place: str
) -> None:
    (tmp_path / "file").write_text("")

    home, port = str(tmp_path / place), str(free_port())
    said = Shell(MILEPOST_HOME=home, MILEPOST_PORT=port).fails(command)

    assert said.startswith("Error: MILEPOST_HOME:")


@pytest.mark.parametrize("command", ["init-db", "status", "jobs", "tokens list"])
def test_a_database_that_is_away_is_one_line(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    said = Shell(MILEPOST_DATABASE_URL=f"sqlite:///{folder}").fails(*command.split())

    assert "database" in said


def test_a_postgresql_that_is_away_is_one_line_with_the_reason(tmp_path: Path) -> None:
    said = Shell(
        MILEPOST_HOME=str(tmp_path),
        MILEPOST_DATABASE_URL=f"postgresql://user:hunter2@/milepost?host={tmp_path}",
    ).fails("status")

    assert "hunter2" not in said
    assert "No such file or directory" in said


def test_a_folder_of_workflows_without_any_is_one_line(tmp_path: Path) -> None:
    assert "no *.toml" in Shell(MILEPOST_WORKFLOWS=str(tmp_path)).fails("workflows", "list")


# serve, as far as it gets without serving


def test_serving_to_the_world_needs_credentials_of_ones_own(empty: Shell) -> None:
    said = empty.fails("serve", "--host", "0.0.0.0")  # noqa: S104  it refuses

    assert "MILEPOST_CALLBACK_SECRET" in said
    assert "MILEPOST_ADMIN_TOKEN" in said


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    shell = Shell(MILEPOST_HOME=str(tmp_path), **CREDENTIALS)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        said = shell.fails("serve", "--port", port)

    assert port in said
    assert "in use" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_an_address_that_is_not_ours_is_not_called_a_port_in_use(tmp_path: Path, host: str) -> None:
    said = Shell(MILEPOST_HOME=str(tmp_path), **CREDENTIALS).fails("serve", "--host", host)

    assert host in said
    assert "in use" not in said


# Help


@pytest.mark.parametrize(
    "command",
    [
        "",
        "serve",
        "project",
        "init-db",
        "status",
        "jobs",
        "tokens",
        "tokens create",
        "tokens list",
        "tokens revoke",
        "watch",
        "top",
        "workflows",
        "workflows list",
        "workflows show",
        "workflows check",
    ],
)
def test_every_command_explains_itself(empty: Shell, command: str) -> None:
    said = empty(*command.split(), "--help")

    assert said.startswith("Usage: ")
    assert said == empty(*command.split(), "-h")
    assert ESCAPE not in said


def test_every_command_is_told_in_one_whole_sentence(empty: Shell) -> None:
    commands = empty("--help").partition("Commands:\n")[2].splitlines()

    assert len(commands) > 10
    for line in commands:
        assert line.endswith("."), line
        assert not line.endswith("..."), line


def test_the_version_is_printed(empty: Shell) -> None:
    assert version("milepost") in empty("--version")
