"""Rolling a service back, and deploying again what ran before: the states that allow it, and the two mutations.

`deploymentRollback` takes the deployment to return to, restores its image and variables, and answers only true or false
(Railway's published schema). Neither mutation takes an idempotency key, so the caller looks at the deployments.
"""

from __future__ import annotations

from typing import NamedTuple

from workers.clients.railway import graphql_types
from workers.clients.railway.api_model import ApiModel, Page
from workers.clients.railway.documents import DEPLOYMENT, PAGE
from workers.clients.railway.events import Event, normalise
from workers.clients.railway.opaque_json import parse_json, text_field
from workers.clients.railway.transport import Transport
from workers.errors import RailwayRefused
from workers.models import Deployment, Environment, Exact, Moment

MAX_EVENTS = 100  # newest entries of the activity feed that are read: one page
MAX_NAME_CHARS = 100  # of a variable

STATES = f"""
query DeploymentStates($input: DeploymentListInput!, $first: Int!) {{
  deployments(input: $input, first: $first) {{
    edges {{ node {{ {DEPLOYMENT} canRollback canRedeploy }} }} {PAGE}
  }}
}}
"""
# Without `payload`: the payload of a changed variable may hold its value.
VARIABLE_EVENTS = f"""
query VariableEvents($projectId: String!, $environmentId: String!, $first: Int!) {{
  events(projectId: $projectId, environmentId: $environmentId, first: $first) {{
    edges {{ node {{ object action createdAt activityPayload }} }} {PAGE}
  }}
}}
"""
ROLL_BACK = "mutation RollBack($id: String!) { deploymentRollback(id: $id) }"
REDEPLOY = """
mutation Redeploy($id: String!) { deploymentRedeploy(id: $id, usePreviousImageTag: true) { id } }
"""
DOCUMENTS = {
    "DeploymentStates": STATES,
    "VariableEvents": VARIABLE_EVENTS,
    "RollBack": ROLL_BACK,
    "Redeploy": REDEPLOY,
}


class DeploymentState(NamedTuple):
    """A deployment, and what Railway can do with it."""

    deployment: Deployment
    can_roll_back: bool
    """Railway kept its image: it can be rolled back to."""
    can_redeploy: bool


class VariableChange(NamedTuple):
    """A change of a variable; `service_id` is None for a shared one, or where the feed names no service."""

    name: str
    service_id: str | None
    at: Moment


class DeploymentActions:
    """The deployments of one service as a person can act on them.

    Every method raises RailwayBusy if Railway cannot answer now, and RailwayRefused if Railway refuses.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def states(self, environment: Environment, service_id: str, first: int = 20) -> list[DeploymentState]:
        """The newest `first` deployments of the service, newest first."""
        ids = {"projectId": environment.project_id, "environmentId": environment.environment_id}
        variables: dict[str, object] = {"input": ids | {"serviceId": service_id}, "first": first}
        page = self._transport.query_as(_States, STATES, variables).deployments
        states = [node.to_state(service_id) for node in page.nodes]
        return sorted(states, key=lambda state: state.deployment.created_at, reverse=True)

    def variable_changes(self, environment: Environment) -> list[VariableChange]:
        """The changes of variables that the activity feed names, newest first. It may lack some."""
        ids: dict[str, object] = {
            "projectId": environment.project_id,
            "environmentId": environment.environment_id,
        }
        page = self._transport.query_as(_Events, VARIABLE_EVENTS, ids | {"first": MAX_EVENTS}).events
        return [_change(event) for event in page.nodes if "variable" in normalise(event.object)]

    def roll_back(self, deployment_id: str) -> None:
        """Return to a deployment, with its image and variables."""
        # Not sent again after a broken connection: Railway may have begun.
        answer = self._transport.query_as(_RolledBack, ROLL_BACK, {"id": deployment_id}, repeat=False)
        if not answer.deployment_rollback:
            raise RailwayRefused("Railway did not roll back and gives no reason")

    def redeploy(self, deployment_id: str) -> str:
        """Deploy the image of a deployment again; the id of the new one."""
        answer = self._transport.query_as(_Redeployed, REDEPLOY, {"id": deployment_id}, repeat=False)
        return answer.deployment_redeploy.id


def _change(event: Event) -> VariableChange:
    payload = parse_json(event.activity_payload)
    name = text_field(payload, "name") or text_field(payload, "variableName") or ""
    return VariableChange(name[:MAX_NAME_CHARS], event.subject_id("service"), event.created_at)


class _State(graphql_types.Deployment):
    can_rollback: bool
    can_redeploy: bool

    def to_state(self, service_id: str) -> DeploymentState:
        return DeploymentState(self.to_model(service_id), self.can_rollback, self.can_redeploy)


class _States(ApiModel):
    deployments: Page[_State]


class _Events(ApiModel):
    events: Page[Event]


class _RolledBack(ApiModel):
    deployment_rollback: bool


class _Id(ApiModel):
    id: Exact


class _Redeployed(ApiModel):
    deployment_redeploy: _Id
