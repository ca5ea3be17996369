"""The hidden marker, and the pull requests that it identifies as Trackwalker's."""

from __future__ import annotations

import pytest

from tests.support.proposals import DIGEST, INCIDENT, rendered_pull_request
from workers.models import PullRequest
from workers.pull_requests.marker import (
    Marker,
    find_own_pulls,
    find_writers_pulls,
    parse_marker,
    render_marker,
)


def test_the_marker_is_found_above_text_that_others_appended() -> None:
    body = rendered_pull_request()[1] + "\n---\nSummary by some bot\n"

    assert parse_marker(body) == Marker(incident=INCIDENT.id, digests=(DIGEST,), patch="patch-digest")


@pytest.mark.parametrize(
    "body", ["", "no marker", "<!-- trackwalker {} -->", "<!-- trackwalker {broken} -->"]
)
def test_a_description_without_a_complete_marker_has_none(body: str) -> None:
    assert parse_marker(body) is None


def test_no_value_in_the_marker_can_close_its_comment() -> None:
    marker = Marker(incident="--> <b>", digests=("a--b",), patch="x-->")

    text = render_marker(marker)

    assert text.count("-->") == 1
    assert parse_marker(text) == marker


def test_only_a_marked_pull_request_from_the_repository_itself_is_trackwalkers() -> None:
    marker = render_marker(Marker(incident="i", digests=(DIGEST,), patch="p"))
    own = PullRequest(number=1, url="u", draft=False, branch="trackwalker/a-1", body=marker)
    forged = own.model_copy(update={"number": 2, "from_fork": True})
    other = own.model_copy(update={"number": 3, "branch": "feature"})
    unmarked = own.model_copy(update={"number": 4, "body": ""})
    by_stranger = own.model_copy(update={"number": 5, "by_writer": False})

    pulls = [forged, other, unmarked, by_stranger, own]

    assert find_own_pulls(pulls) == [own]
    assert find_own_pulls(pulls, [DIGEST]) == [own]
    assert find_own_pulls(pulls, ["ffff"]) == []
    assert find_own_pulls(pulls, except_branch="trackwalker/a-1") == []


def test_only_pull_requests_of_people_who_may_write_stand_in_the_way_of_a_fix() -> None:
    marker = render_marker(Marker(incident="i", digests=(DIGEST,), patch="p"))
    writers = PullRequest(number=1, url="u", draft=False, branch="feature")
    fork = writers.model_copy(update={"number": 2, "from_fork": True, "body": marker})
    stranger = writers.model_copy(update={"number": 3, "by_writer": False})
    own = writers.model_copy(update={"number": 4, "branch": "trackwalker/a-1", "body": marker})

    assert find_writers_pulls([fork, stranger, own, writers]) == [writers]
