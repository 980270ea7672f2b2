"""The life of a server process: first start, Ctrl-C, and what it refuses."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
from pathlib import Path

from domain.evidence.signing_keys import PrivateKey, PublicKey
from tests.support.processes.server import MILEPOST, Make, Server


def serve(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `milepost serve` to its end, which must come by itself."""
    command = [str(MILEPOST), "serve", "--port", str(server.port), *options]
    return subprocess.run(
        command,
        env=server.env,
        cwd=server.home,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_first_start_makes_credentials_and_a_log_has_only_their_files(
    make_server: Make,
) -> None:
    server = make_server()
    del server.env["MILEPOST_CALLBACK_SECRET"], server.env["MILEPOST_ADMIN_TOKEN"]

    server.start()
    printed = server.log.read_text()
    assert server.stop() == 0
    server.log.write_text("")
    server.start()

    home = Path(server.env["MILEPOST_HOME"])
    for name in ("callback-secret", "admin-token"):
        file = home / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert str(file) in printed
        assert file.read_text().strip() not in printed + server.log.read_text()
    assert "milepost demo --url" in printed
    key = home / "checkpoint-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = PrivateKey.parse(key.read_text())
    [shown] = re.findall(r"^ +Public key +(milepost/\S+)$", printed, re.MULTILINE)
    assert str(secret.public.named(PublicKey.parse(shown).name)) == shown
    assert secret.secret() not in printed
    job_keys = home / "job-key-secret"
    assert stat.S_IMODE(job_keys.stat().st_mode) == 0o600
    assert job_keys.read_text().strip() not in printed


def test_without_a_shared_secret_none_is_made_and_no_url_of_every_job_is_named(
    make_server: Make,
) -> None:
    server = make_server()
    del server.env["MILEPOST_CALLBACK_SECRET"]
    server.env["MILEPOST_SHARED_SECRET"] = "off"  # noqa: S105  it is none

    server.start()

    printed = server.log.read_text()
    assert "/api/webhooks/github" not in printed
    assert "the URL and the key of each job" in printed
    assert not (Path(server.env["MILEPOST_HOME"]) / "callback-secret").exists()


def test_the_printed_line_pasted_into_a_shell_works(make_server: Make) -> None:
    server = make_server()
    del server.env["MILEPOST_CALLBACK_SECRET"], server.env["MILEPOST_ADMIN_TOKEN"]
    server.start()
    printed = server.log.read_text()
    pasted = printed.split("in another terminal:")[1].split("Ctrl-C")[0].rstrip()

    done = subprocess.run(
        ["bash", "-ec", f"{pasted} --speed 50"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )

    assert "Look next:" in done.stdout


def test_ctrl_c_ends_it_quietly_and_frees_the_port(server: Server) -> None:
    server.callback({"job_id": "job-1", "status": "provisioning"})

    assert server.stop() == 0

    assert "Traceback" not in server.log.read_text()
    server.start()
    assert server.get("/api/jobs/job-1").body["version"] == 1


def test_generated_credentials_are_not_served_beyond_this_machine(make_server: Make) -> None:
    server = make_server()
    del server.env["MILEPOST_CALLBACK_SECRET"]

    done = serve(server, "--host", "0.0.0.0")  # noqa: S104

    assert done.returncode == 1
    assert done.stderr.startswith("Error: refusing to listen on 0.0.0.0")
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_in_use_is_refused(make_server: Make) -> None:
    server = make_server().start()
    done = serve(server)

    assert done.returncode == 1
    assert f"port {server.port} on 127.0.0.1 is in use" in done.stderr
    assert server.get("/livez").status == 200


def test_a_database_that_is_away_at_the_start_is_one_line(make_server: Make) -> None:
    server = make_server("postgresql://nobody@127.0.0.1:1/nothing")

    done = serve(server)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: the database does not answer")
    assert done.stderr.count("\n") == 1


def test_a_separate_projector_keeps_the_read_model_up_to_date(
    make_server: Make, database_url: str | None
) -> None:
    """It ends in order, too, also once its terminal is closed."""
    number = signal.SIGHUP if database_url else signal.SIGTERM
    server = make_server(database_url, "--no-projector").start()
    server.callback({"job_id": "job-1", "status": "provisioning"})
    assert server.get("/readyz").body["lag_events"] == 1

    with subprocess.Popen(
        [MILEPOST, "project"], env=server.env, stderr=subprocess.PIPE
    ) as projector:
        try:
            server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "is not projected")
        finally:
            projector.send_signal(number)
            projector.communicate()  # it may say something to the end

    assert projector.returncode == 0


def test_a_separate_projector_goes_on_after_the_server_is_restarted(
    make_server: Make, database_url: str | None
) -> None:
    """The server closes its SQLite file as the last one that has it open, if it sees no other."""
    server = make_server(database_url, "--no-projector").start()
    with subprocess.Popen(
        [MILEPOST, "project"], env=server.env, stderr=subprocess.PIPE
    ) as projector:
        try:
            for number in (1, 2):
                if number == 2:
                    server.stop()
                    server.start()
                server.callback({"job_id": f"job-{number}", "status": "provisioning"})
                server.until(
                    lambda: server.get("/readyz").body["lag_events"] == 0, "is not projected"
                )
        finally:
            projector.terminate()
        said = projector.stderr.read().decode() if projector.stderr else ""

    assert " ERROR " not in said
