"""Application keys that workers and the keeper share."""

from __future__ import annotations

from aiohttp import web

from server.auth.access import Access
from server.auth.client_address import ClientAddresses
from server.auth.tls import Certificate
from server.http.admission import Admission
from server.http.bodies.memory import BodyMemory
from server.http.bodies.sizes import BodyBounds
from server.http.clock import Clock
from server.http.errors import Refusals
from server.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
CLOCK = web.AppKey("clock", Clock)
ACCESS = web.AppKey("access", Access)
CLIENT_ADDRESSES = web.AppKey("client_addresses", ClientAddresses)
# Keys of the request: the name of its token, and the address of its client.
CALLER = web.RequestKey("caller", str)
ADDRESS = web.RequestKey("address", str)
REFUSALS = web.AppKey("refusals", Refusals)
ADMISSION = web.AppKey("admission", Admission)
BATCH_ADMISSION = web.AppKey("batch_admission", Admission)
BODY_MEMORY = web.AppKey("body_memory", BodyMemory)
BODY_BOUNDS = web.AppKey("body_bounds", BodyBounds)
CERTIFICATE = web.AppKey("certificate", Certificate)
