"""Imports everything that both the keeper and the workers' manager need: once, before the fork, so that they share it.

What only one of them needs, each imports after the fork, while the other one does the same.
"""

# ruff: noqa: F401 - imported for their effect
import aiohttp.web
import prometheus_client
import uvloop

import core.journals.journal_files
import core.serving.registry
import server.api.answers
import server.api.endpoints
import server.api.known_places
import server.http.errors
import server.logs.metrics
import server.open_inference.rest
import server.protocol.memory_metric
import server.protocol.messages
import server.protocol.metric_files
import server.protocol.timing
import server.threads
import server.tracing.requests
