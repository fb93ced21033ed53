"""The types of requests and the schemas of answers, a module for each subject; `ANSWERS` has the latter."""

from server.api.schemas import (
    dashboard_windows,
    experiments,
    models,
    open_inference,
    planning,
    predictions,
    reports,
    sessions,
    shared,
)

WITH_ANSWERS = (
    shared,
    predictions,
    models,
    experiments,
    planning,
    reports,
    open_inference,
    sessions,
    dashboard_windows,
)
