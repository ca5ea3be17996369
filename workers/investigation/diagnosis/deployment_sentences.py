"""Texts of verdicts about deployments: builds, health checks, missing modules and programs, deployments that wait."""

from __future__ import annotations

from collections.abc import Callable

from workers.investigation.diagnosis.conclusion import Conclusion, Texts, place_text, quote_text
from workers.models import VerdictReason


def _failed_deployment(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    place = f" at {place_text(conclusion.location)}" if conclusion.location else ""
    return Texts(
        f"the newest deployment of {service} could not be built or started{place}: {quote_text(conclusion)}",
        f"Correct {place_text(conclusion.location) or 'what this line names'} and push. Until then the previous "
        "deployment serves, if there is one",
        (
            "read the build logs up to the first error",
            "look at the changes of the newest commit to the manifests",
        ),
    )


def _unhealthy(conclusion: Conclusion) -> Texts:
    service, path = conclusion.service, conclusion.subject
    check = f"its health check {path}" if path else "its health check"
    return Texts(
        f"the newest deployment of {service} failed {check}: {quote_text(conclusion)}",
        f"Let {service} listen on 0.0.0.0 and on PORT, and answer {path or 'the path of its health check'} with 200. "
        f"If it needs longer to start, raise the health check's timeout (in Railway: {service}, Settings, Deploy)",
        (
            "read the deployment's log from its start: a crash at start fails the health check, too",
            f"request {path or 'the path of the health check'} on a local start of the same commit",
        ),
    )


# ---- what the image lacks ----


def _module_not_installed(conclusion: Conclusion) -> Texts:
    module = conclusion.module
    package = (module.package if module else "") or conclusion.subject or "the module that the error names"
    manifest = module.manifest if module else ""
    listed = module is not None and module.listed
    if listed:
        state = f"is listed in {manifest} but not installed in the image"
        action = (
            f"Let the build of {conclusion.service} install all of {manifest}, {package} included: check its install "
            "command, the group that lists it, and the lock file"
        )
    elif manifest:
        state = f"is imported, but {manifest} does not list it"
        action = f"Add {package} to {manifest}, update the lock file if there is one, and push"
    else:
        state = "is imported and not installed"
        action = (
            f"Add {package} to the manifest of {conclusion.service} that lists its dependencies, and push"
        )
    name = conclusion.subject or "a module"
    return Texts(
        f"{conclusion.service} does not start because {name} {state}: {quote_text(conclusion)}",
        action,
        (
            "look at the changes of the newest commit to imports and manifests",
            f"check whether {package} is a dependency for development only",
        ),
    )  # fmt: skip


def _own_module_missing(conclusion: Conclusion) -> Texts:
    module, name = conclusion.module, conclusion.subject
    similar = module.similar if module else ""
    place = place_text(conclusion.location)
    hint = f". The repository has {similar}" if similar else ""
    where = f" at {place}" if place else ""
    return Texts(
        f"{conclusion.service} imports {name or 'a file'}{where}, which its repository does not have: "
        f"{quote_text(conclusion)}{hint}",
        f"Correct the import{where or ' of ' + (name or 'the file')}"
        + (f" to {similar}" if similar else ", or commit the missing file"),
        (
            "check upper and lower case in the path: file systems of Linux tell them apart",
            "check whether .gitignore or .dockerignore leaves the file out",
        ),
    )


def _library_missing(conclusion: Conclusion) -> Texts:
    service, library = conclusion.service, conclusion.subject or "the library"
    return Texts(
        f"{service} fails because its image lacks {library}: {quote_text(conclusion)}",
        f"Install the package with {library} in the image: in the Dockerfile with apt-get install, or by the variable "
        f"RAILPACK_DEPLOY_APT_PACKAGES of {service} in Railway, and deploy again",
        (
            f"look up which Debian package holds {library}",
            "check whether the base image or the builder changed with the newest deployment",
        ),
    )


def _command_missing(conclusion: Conclusion) -> Texts:
    service, program = conclusion.service, conclusion.subject or "the program"
    module = conclusion.module
    manifest = module.manifest if module else ""
    action = f"Add {program} to {manifest}, and push" if manifest else (
        f"Install {program} in the image of {service} (its manifest or Dockerfile), or correct the start command, and "
        "deploy again"
    )  # fmt: skip
    return Texts(
        f"{service} does not start because its image has no program {program}: {quote_text(conclusion)}",
        action,
        (
            "check the start command of the service and of its Dockerfile or Procfile",
            "check which builder was used",
        ),
    )


def _start_command_missing(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    return Texts(
        f"the newest deployment of {service} could not be built because no start command was found: "
        f"{quote_text(conclusion)}",
        f"Set the start command of {service} in Railway ({service}, Settings, Deploy), or add it to the repository: a "
        "start script in package.json, a Procfile, or CMD in the Dockerfile",
        ("check the root directory of the service: the builder looks there", "check which builder was used"),
    )


def _start_command_wrong(conclusion: Conclusion) -> Texts:
    service, program = conclusion.service, conclusion.subject
    command = next(iter(conclusion.names), "")
    return Texts(
        f"{service} does not start because its start command names {program}, which its image does not have: "
        f"{quote_text(conclusion)}",
        f"Correct the start command of {service} ({command}) in Railway ({service}, Settings, Deploy), and deploy "
        "again",
        ("check where the build puts the program", "check the working directory of the start command"),
    )


# ---- deployments that wait ----


def _stuck(state: str, action: str) -> Callable[[Conclusion], Texts]:
    def render(conclusion: Conclusion) -> Texts:
        deployment = f"deployment {conclusion.subject}" if conclusion.subject else "the deployment"
        quote = f": {quote_text(conclusion)}" if conclusion.quote else ""
        return Texts(
            f"the newest deployment of {conclusion.service} {state}{quote}",
            action.format(deployment=deployment),
            (
                "look at the last lines of its build log",
                "check Railway's status page",
                "check whether deployments of other services hang too",
            ),
        )

    return render


def _skipped(conclusion: Conclusion) -> Texts:
    service = conclusion.service
    commit = f"commit {conclusion.commit[:7]}" if conclusion.commit else "the newest commit"
    return Texts(
        f"Railway skipped {commit} of {service} and does not retry it: {quote_text(conclusion)}",
        f"Repair or rerun the failed check of {commit} on GitHub. Then open {service} in Railway, press Ctrl+K or "
        'Cmd+K and choose "Deploy latest commit"; "Redeploy" runs the old commit again',
        (
            "look at the checks of that commit on GitHub",
            "check whether other services that deploy from this repository were skipped too",
        ),
    )


RENDERERS: dict[VerdictReason, Callable[[Conclusion], Texts]] = {
    VerdictReason.HEALTH_CHECK_FAILED: _unhealthy,
    VerdictReason.BUILD_OR_START_FAILED: _failed_deployment,
    VerdictReason.MODULE_NOT_INSTALLED: _module_not_installed,
    VerdictReason.OWN_MODULE_MISSING: _own_module_missing,
    VerdictReason.LIBRARY_MISSING: _library_missing,
    VerdictReason.COMMAND_MISSING: _command_missing,
    VerdictReason.START_COMMAND_MISSING: _start_command_missing,
    VerdictReason.START_COMMAND_WRONG: _start_command_wrong,
    VerdictReason.APPROVAL_PENDING: _stuck(
        "waits for an approval", "Approve {deployment} in Railway, or discard it"
    ),
    VerdictReason.CHECKS_PENDING: _stuck(
        "waits for a precondition, such as the checks of its commit",
        "Look at the checks of its commit. If they have ended, deploy the latest commit instead of {deployment}",
    ),
    VerdictReason.BUILD_QUEUED: _stuck(
        "waits in Railway's build queue", "Wait for Railway, or cancel {deployment} and deploy the latest commit"
    ),
    VerdictReason.DEPLOYMENT_NOT_STARTED: _stuck(
        "was not started by Railway", "Wait for Railway, or cancel {deployment} and deploy the latest commit"
    ),
    VerdictReason.DEPLOYMENT_HANGS: _stuck(
        "is in progress and does not finish",
        "Cancel {deployment} and deploy the latest commit. If it hangs again, the last line of its log names the step",
    ),
    VerdictReason.DEPLOYMENT_SKIPPED: _skipped,
}  # fmt: skip
