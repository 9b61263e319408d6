"""Marks what a server is known to get wrong as a strict expected failure of that server alone."""

import pytest
from contract.known_faults import FAULTS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        server = getattr(getattr(item, "cls", None), "server_name", None)
        reason = FAULTS.get(server or "", {}).get(item.name)
        if reason:
            item.add_marker(pytest.mark.xfail(reason=f"{server}: {reason}", strict=True))
