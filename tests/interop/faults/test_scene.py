from __future__ import annotations

from tanist_interop.faults import scene
from tanist_interop.hosts import proxies


def test_a_host_and_its_faults_mean_the_same_by_clients():
    assert scene.CLIENTS == proxies.CLIENTS
