from __future__ import annotations

import gc
import weakref

from core.inference import session
from tests import bundles


def test_equal_graphs_share_one_session() -> None:
    first = session.make(bundles.network(4, 2))
    assert session.make(bundles.network(4, 2)) is first
    assert session.make(bundles.network(5, 2)) is not first


def test_an_unused_session_is_freed() -> None:
    found = weakref.ref(session.make(bundles.network(4, 3)))
    gc.collect()
    assert found() is None
