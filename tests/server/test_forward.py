from __future__ import annotations

import inspect
import json

from server import routes
from server.handlers.forward import forward
from server.keeper.routes import ROUTES as KEEPER_ROUTES
from tests.server.conftest import Client

EXPERIMENT = {"experiment_id": "e", "name": "n", "variant_a": "v1", "variant_b": "v2", "traffic_split": 0.5}


async def test_no_content_type_at_all_is_taken_for_json_by_the_keeper_as_well(client: Client) -> None:
    body = json.dumps(EXPERIMENT).encode()
    response = await client.post("/reversal/experiments", data=body, skip_auto_headers=["Content-Type"])
    assert response.status == 201, await response.text()


async def test_another_content_type_is_refused_in_the_client_s_words(client: Client) -> None:
    response = await client.post("/reversal/experiments", data=b"{}", headers={"Content-Type": "text/plain"})
    assert response.status == 415
    assert "'text/plain'" in (await response.json())["error"]


async def test_a_packed_body_reaches_the_keeper_unpacked(client: Client) -> None:
    response = await client.post("/reversal/experiments", json=EXPERIMENT, compress="gzip")
    assert response.status == 201, await response.text()


async def test_odd_paths_reach_the_keeper_as_they_were_sent(client: Client) -> None:
    response = await client.get("/reversal/experiments/%C3%A4%20b/metrics?x=%2F")
    answer = await response.json()
    assert (response.status, answer["code"]) == (404, "UNKNOWN_EXPERIMENT")


def test_workers_forward_what_the_keeper_answers_and_nothing_else() -> None:
    forwarded = {(route.method, route.path) for route in routes.ROUTES if inspect.unwrap(route.handler) is forward}
    assert forwarded == {(route.method, route.path) for route in KEEPER_ROUTES}
