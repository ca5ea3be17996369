"""The projects and environments that a token can see."""

from __future__ import annotations

from typing import NamedTuple

from workers.clients.railway.api_errors import Unauthorized
from workers.clients.railway.api_model import ApiModel, Name, Page
from workers.clients.railway.transport import Transport
from workers.errors import RailwayRefused
from workers.models import Exact

PAGE_SIZE = 50
"""Projects per request, and environments per project. Few workspaces have more of either."""
MAX_PAGES = 10
"""Pages of projects that are read of one workspace: what a person can still choose from."""

WORKSPACES = "query Workspaces { apiToken { workspaces { id name } } }"
NODES = f"""edges {{ node {{
      id name environments(first: {PAGE_SIZE}) {{ edges {{ node {{ id name isEphemeral canAccess }} }} }}
    }} }}
    pageInfo {{ hasNextPage endCursor }}"""
PROJECTS = f"""
query Projects($workspaceId: String, $after: String) {{
  projects(workspaceId: $workspaceId, first: {PAGE_SIZE}, after: $after) {{
    {NODES}
  }}
}}
"""
OWN_PROJECT = """
query OwnProject { projectToken {
  project { id name } environment { id name isEphemeral canAccess }
} }
"""
DOCUMENTS = {"Workspaces": WORKSPACES, "Projects": PROJECTS, "OwnProject": OWN_PROJECT}


class VisibleEnvironment(NamedTuple):
    """An environment that is not one of a pull request, with the names that Railway shows."""

    project_id: str
    project_name: str
    environment_id: str
    environment_name: str

    @property
    def setting(self) -> str:
        """The environment as TRACKWALKER_ENVIRONMENTS names it."""
        return f"{self.project_id}/{self.environment_id}"

    @property
    def label(self) -> str:
        return f"{self.project_name}/{self.environment_name}"


def read_own_environment(transport: Transport) -> VisibleEnvironment:
    """The environment of the project token. Raises as `Transport.query`."""
    token = transport.query_as(_OwnProject, OWN_PROJECT, {}, as_project=True).project_token
    project, environment = token.project, token.environment
    return VisibleEnvironment(project.id, project.name, environment.id, environment.name)


def read_environments(transport: Transport) -> list[VisibleEnvironment]:
    """The environments of all projects of an account or workspace token, by name. Raises as `Transport.query`."""
    try:
        workspaces: list[str | None] = [
            workspace.id for workspace in transport.query_as(_Workspaces, WORKSPACES, {}).api_token.workspaces
        ]
    except Unauthorized:
        raise
    except RailwayRefused:
        workspaces = []
    projects = [project for workspace in workspaces or [None] for project in _projects(transport, workspace)]
    by_id = {
        environment.id: VisibleEnvironment(project.id, project.name, environment.id, environment.name)
        for project in projects
        for environment in project.environments.nodes
        if environment.can_access and not environment.is_ephemeral
    }
    return sorted(by_id.values(), key=lambda environment: environment.label.lower())


def _projects(transport: Transport, workspace_id: str | None) -> list[_Project]:
    # Railway reads an explicit null as a value, so a missing workspace is left out.
    variables: dict[str, object] = {"workspaceId": workspace_id} if workspace_id else {}
    projects: list[_Project] = []
    for _ in range(MAX_PAGES):
        page = transport.query_as(_Projects, PROJECTS, variables).projects
        projects += page.nodes
        if not page.page_info.has_next_page or not page.page_info.end_cursor:
            break
        variables = variables | {"after": page.page_info.end_cursor}
    return projects


class _Workspace(ApiModel):
    id: Exact  # sent back to Railway
    name: Name


class _Token(ApiModel):
    workspaces: list[_Workspace]


class _Workspaces(ApiModel):
    api_token: _Token


class _Environment(ApiModel):
    id: Exact  # becomes a setting
    name: Name
    is_ephemeral: bool = False
    can_access: bool = True


class _Named(ApiModel):
    id: Exact  # becomes a setting
    name: Name


class _Project(_Named):
    environments: Page[_Environment]


class _Projects(ApiModel):
    projects: Page[_Project]


class _Own(ApiModel):
    project: _Named
    environment: _Environment


class _OwnProject(ApiModel):
    project_token: _Own
