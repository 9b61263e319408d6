"""Doctor on every server: it says what the tests show, and what the committed table says."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cli_support import shared_client
from doctor_support import examined
from servers.promises import CELLS, RECORD, SERVERS, SHOWN, cells, faults_of

from reconciler.core.promises import PROMISES, Promise
from reconciler.doctor import Diagnosis

pytestmark = pytest.mark.server
WRITTEN = json.loads((Path(__file__).parents[2] / "docs" / "servers.json").read_text())
SHOWN_PROMISES = [promise for promise in PROMISES if promise.id in SHOWN]


@pytest.fixture(scope="module", name="diagnosis")
def _diagnosis(request: pytest.FixtureRequest) -> Callable[[str], Diagnosis]:
    """What doctor says of a server whose bucket has our lifecycle rule and CORS document."""

    @cache
    def of(server: str) -> Diagnosis:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in request.getfixturevalue(server).environment().items():
                patch.setenv(name, value)
            return examined(shared_client())

    return of


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("promise", SHOWN_PROMISES, ids=lambda promise: promise.id)
def test_doctor_says_no_exactly_where_a_fault_is_known(
    promise: Promise, server: str, diagnosis: Callable[[str], Diagnosis]
) -> None:
    """What tests show of a server, doctor finds as well, in a bucket that may be live."""
    (found,) = [each for each in diagnosis(server).findings if each.promise == promise]
    assert found.broken == bool(faults_of(server, SHOWN[promise.id])), found.result
    assert found.kept or found.broken


@pytest.mark.parametrize("server", SERVERS)
def test_the_committed_table_is_what_doctor_says(
    server: str, diagnosis: Callable[[str], Diagnosis], request: pytest.FixtureRequest
) -> None:
    """Word for word; `make servers` writes it anew."""
    found = cells(diagnosis(server).findings)
    request.node.user_properties.append((CELLS, found))
    if request.config.getoption(RECORD) is None:
        assert {row["promise"]: row[server] for row in WRITTEN["promises"] if row["promise"] in found} == found


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", ["clocks", "cors"])
def test_what_is_set_up_well_is_found_well(server: str, name: str, diagnosis: Callable[[str], Diagnosis]) -> None:
    """The clocks agree, and the origin that the CORS document names may upload."""
    (found,) = [each for each in diagnosis(server).findings if each.promise.id == name]
    assert found.kept, found.result
