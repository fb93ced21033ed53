"""The shapes of requests and of answers, a module for each room; `ANSWERS` of each are the schemas of its answers."""

from server.api.schemas import experiments, models, predictions, reports, shared

WITH_ANSWERS = (shared, predictions, models, experiments, reports)
