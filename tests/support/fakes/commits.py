"""Git for the mini platform: commits, checkouts, and the metadata that Railway stores of a commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.fakes.railway import WorldService


def described(origin: Path, commit: str) -> tuple[str, str]:
    """Author and message of the commit."""
    author, message = run_git("-C", str(origin), "log", "-1", "--format=%an%n%B", commit).split("\n", 1)
    return author, message.strip()


def check_out(origin: Path, commit: str, folder: Path) -> None:
    """Write the files of the commit into `folder`, without `.git`, as in a built image."""
    run_git("clone", "--quiet", "--shared", "--no-checkout", str(origin), str(folder))
    run_git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
    shutil.rmtree(folder / ".git")


def meta(
    service: WorldService, commit: str, author: str, message: str, reason: str, health_path: str
) -> dict[str, Any]:
    """The metadata of a deployment from a repository."""
    deploy = {
        "region": None,
        "runtime": "V2",
        "numReplicas": service.replicas,
        "cronSchedule": service.cron,
        "startCommand": service.start_command,
        "healthcheckPath": health_path,
        "sleepApplication": False,
        "multiRegionConfig": {"europe-west4-drams3a": {"numReplicas": service.replicas}},
        "restartPolicyType": "ON_FAILURE",
        "restartPolicyMaxRetries": 10,
    }
    return {
        "plan": "pro",
        "repo": service.repo,
        "branch": service.branch,
        "logsV2": True,
        "reason": reason,
        "runtime": "V2",
        "buildOnly": False,
        "commitHash": commit,
        "commitAuthor": author,
        "commitMessage": message,
        "rootDirectory": service.root_directory,
        "configFile": None,
        "volumeMounts": [volume.mount_path for volume in service.volumes],
        "serviceManifest": {"build": {"builder": "RAILPACK", "buildEnvironment": "V3"}, "deploy": deploy},
        "fileServiceManifest": {},
    }


def run_git(*arguments: str) -> str:
    """The output of git. Raises RuntimeError with git's message."""
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], check=False, env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()
