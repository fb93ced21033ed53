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

from core.errors import StoreUnavailable
from core.log_event import LogEvent
from core.store.interface import EXPORT_COLUMNS, Store
from server.api.schemas.experiments import EXPORT_FORMATS
from server.keeper.app_keys import STORE
from server.keeper.handlers.urls import chosen, experiment_id

log = logging.getLogger(__name__)

Row: TypeAlias = dict[str, Any]

# The rows that are in memory at a time, about 400 kB.
PIECE_ROWS = 1_000


class Format(NamedTuple):
    """A file format: `head` returns what precedes the rows, `write` encodes rows."""

    head: Callable[[], bytes]
    write: Callable[[Sequence[Row]], bytes]


def _json_lines(rows: Sequence[Row]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _csv_head() -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(EXPORT_COLUMNS)
    return text.getvalue().encode()


def _csv(rows: Sequence[Row]) -> bytes:
    # Values are not escaped. A spreadsheet evaluates a cell that begins with = + - or @. Here only an experiment's id
    # can begin with one of them, and its characters (letters, digits, _ . -) form no function call. All other
    # text is written by the server, or cannot begin with one of them.
    text = io.StringIO(newline="")
    csv.DictWriter(text, EXPORT_COLUMNS).writerows(rows)
    return text.getvalue().encode()


_FORMATS = {"jsonl": Format(bytes, _json_lines), "csv": Format(_csv_head, _csv)}


async def export(request: web.Request) -> web.StreamResponse:
    """GET /reversal/experiments/{id}/export?format=jsonl|csv; the default is jsonl."""
    name = experiment_id(request)
    wanted = chosen(request, "format", EXPORT_FORMATS, "jsonl")
    form = _FORMATS[wanted]

    def opened(store: Store) -> Iterator[Row]:
        store.experiment(name)
        return store.export(name)

    rows = await request.app[STORE].read(opened)
    # The first rows are read before the headers are sent, so that an unavailable store is answered with 503.
    piece = form.head() + await asyncio.to_thread(_piece, form, rows)
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{EXPORT_FORMATS[wanted]}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}.{wanted}"',
        }
    )
    try:
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:  # the client would take rows for its next answer
            return response
        while piece:
            await response.write(piece)
            piece = await asyncio.to_thread(_piece, form, rows)
    except ConnectionError:
        log.info(LogEvent("client_disconnected", path=request.path))
    except Exception as error:
        is_bug = not isinstance(error, StoreUnavailable)
        log.error(
            LogEvent("export_failed", path=request.path, error=error, effect="the connection is closed"),
            exc_info=is_bug,
        )
        # Abort the connection, so that the client does not take the rows sent so far for all rows.
        if request.transport is not None:
            request.transport.abort()
    return response


def _piece(form: Format, rows: Iterator[Row]) -> bytes:
    return form.write(list(islice(rows, PIECE_ROWS)))
