"""The raw records of an experiment, as a stream."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import orjson
from aiohttp import hdrs, web

from core.errors import InvalidInput
from core.store.interface import EXPORT_COLUMNS, Store
from server.api.schemas.experiments import EXPORT_FORMATS
from server.keeper.app_keys import STORE
from server.keeper.handlers.named import experiment_id

log = logging.getLogger(__name__)

Row: TypeAlias = dict[str, Any]

# What is in memory at a time, about 400 kB.
PIECE_ROWS = 1_000


class Format(NamedTuple):
    """How rows are written: what comes before them, and some of them."""

    head: Callable[[], bytes]
    write: Callable[[Sequence[Row]], bytes]


def _json_lines(rows: Sequence[Row]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _csv_head() -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(EXPORT_COLUMNS)
    return text.getvalue().encode()


def _csv(rows: Sequence[Row]) -> bytes:
    # Values stand as they are. A spreadsheet computes what begins with = + - or @: here that can only be an
    # experiment's id, of letters, digits, _ . and -, which calls nothing. All other text is ours or begins otherwise.
    text = io.StringIO(newline="")
    csv.DictWriter(text, EXPORT_COLUMNS).writerows(rows)
    return text.getvalue().encode()


_FORMATS = {"jsonl": Format(bytes, _json_lines), "csv": Format(_csv_head, _csv)}


async def export(request: web.Request) -> web.StreamResponse:
    """GET /reversal/experiments/{id}/export?format=jsonl|csv, jsonl being the default."""
    name = experiment_id(request)
    wanted = request.query.get("format", "jsonl")
    how = _FORMATS.get(wanted)
    if how is None:
        raise InvalidInput.at("format", f"{wanted!r} is not known, expected one of {', '.join(EXPORT_FORMATS)}")

    def opened(store: Store) -> Iterator[Row]:
        store.experiment(name)
        return store.export(name)

    rows = await request.app[STORE].read(opened)
    # Before the headers: a store that is gone is still a 503.
    piece = how.head() + await asyncio.to_thread(_piece, how, rows)
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{EXPORT_FORMATS[wanted]}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}.{wanted}"',
        }
    )
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:  # rows behind such an answer would be taken for the next one
        return response
    try:
        while piece:
            await response.write(piece)
            piece = await asyncio.to_thread(_piece, how, rows)
    except ConnectionError:
        log.info("%s %s: the client went away", request.method, request.path)
    except Exception:
        log.exception("%s %s broke off", request.method, request.path)
        # The connection is cut, so that nobody takes a part for the whole.
        if request.transport is not None:
            request.transport.abort()
    return response


def _piece(how: Format, rows: Iterator[Row]) -> bytes:
    return how.write(list(islice(rows, PIECE_ROWS)))
