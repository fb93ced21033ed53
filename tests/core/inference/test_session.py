from __future__ import annotations

import gc
import weakref

from core.inference import session
from tests import bundles


def test_the_same_graph_is_one_session() -> None:
    first = session.make(bundles.network(4, 2))
    assert session.make(bundles.network(4, 2)) is first
    assert session.make(bundles.network(5, 2)) is not first


def test_a_session_that_nobody_holds_is_gone() -> None:
    found = weakref.ref(session.make(bundles.network(4, 3)))
    gc.collect()
    assert found() is None
