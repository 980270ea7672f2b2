"""The examples for Ansible and Terraform, with the real programs where these are to be had."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.senders.page import example, examples
from tests.docs.senders.workplace import Workplace

PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def ansible(workplace: Workplace) -> Workplace:
    """A place with the playbook of the example."""
    workplace.env["PATH"] = f"{PROGRAMS}:{workplace.env['PATH']}"
    workplace.env |= {"ANSIBLE_INVENTORY": "inventory", "ANSIBLE_LOCALHOST_WARNING": "false"}
    workplace.env["LC_ALL"] = "C.UTF-8"
    local = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    (workplace.folder / "inventory").write_text(local, encoding="utf-8")
    playbook = example("Ansible", "yaml")
    (workplace.folder / "site.yml").write_text(playbook, encoding="utf-8")
    return workplace


def test_a_playbook_reports_its_steps(ansible: Workplace) -> None:
    done = ansible.run(example("Ansible", "bash"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert ansible.said() == ["ansible_started", "network_configured", "ansible_complete"]


def test_a_playbook_that_fails_reports_what_ansible_says(ansible: Workplace) -> None:
    plays = yaml.safe_load((ansible.folder / "site.yml").read_text(encoding="utf-8"))
    plays[0]["tasks"][0]["ansible.builtin.command"] = "sh -c 'echo no quota left; exit 3'"
    (ansible.folder / "site.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")

    done = ansible.run(example("Ansible", "bash"))

    assert done.returncode == 2
    assert ansible.said() == ["ansible_started", "failed"]
    assert "no quota left" in ansible.shown["error"]
    assert ansible.shown["failed_at_step"] == "ansible_started"


def test_terraform_reports_the_machine_that_it_made(workplace: Workplace) -> None:
    """Where Terraform is not to be had, the command of its provisioner is run."""
    configuration = example("Terraform", "hcl")
    (workplace.folder / "main.tf").write_text(configuration, encoding="utf-8")
    terraform = shutil.which("terraform") or shutil.which("tofu")
    if terraform is None:
        [command] = re.findall(r'command = "(.*)"$', configuration, re.MULTILINE)
        workplace.program("terraform", command)
        machine = {"SERVER_ID": "srv-1", "SERVER_IP": "203.0.113.7"}
    else:
        workplace.program("terraform", f'exec {terraform} "$@"')
        machine = {"CHECKPOINT_DISABLE": "1"}
        assert workplace.run("terraform init -input=false", **machine).returncode == 0
    [apply] = examples("Terraform", "bash")

    done = workplace.run(apply, **machine)

    assert done.returncode == 0, done.stdout + done.stderr
    assert workplace.said() == ["vm_created", "network_configured"]
    assert (workplace.shown["server_id"], workplace.shown["server_ip"]) == (
        "srv-1",
        "203.0.113.7",
    )
