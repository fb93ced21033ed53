"""What opening the dashboard takes in Chromium on loopback: requests, bytes over the wire, milliseconds to first paint.

`first` opens it in a fresh profile, `again` with the files that the browser has kept. Medians of the rounds; a server
with two workers and the committed versions.
"""

from __future__ import annotations

import shutil
import statistics
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks import options
from benchmarks.figures import shortened
from benchmarks.machine import machine, save
from benchmarks.servers import server

# Of the Paint Timing and Resource Timing specifications. The stream is left out: it does not end.
_TIMES = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const files = performance.getEntriesByType("resource").filter((each) => !each.name.includes("/stream"));
  return {
    requests: files.length + 1,
    bytes: files.reduce((sum, each) => sum + each.transferSize, page.transferSize),
    first_paint_ms: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  };
}"""


def opened(context: BrowserContext, url: str) -> dict[str, float]:
    """Open the page, wait until it shows live figures, and return its times."""
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector('.connection[data-state="live"]')
    found: dict[str, float] = page.evaluate(_TIMES)
    page.close()
    return found


def visited(browser: Browser, url: str) -> dict[str, dict[str, float]]:
    """Open the page twice in one profile."""
    context = browser.new_context()
    try:
        return {"first": opened(context, url), "again": opened(context, url)}
    finally:
        context.close()


def main() -> None:
    """Measure everything, print it and save it."""
    chosen = options.parser(__doc__, "page", rounds=9, seconds=0.0).parse_args()
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not installed: install Debian's package chromium")
    with server(python=chosen.server, tree=chosen.tree, workers=2) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        url = f"http://127.0.0.1:{running.port}/dashboard"
        visited(browser, url)  # the server reads its files
        rounds = [visited(browser, url) for _ in range(chosen.rounds)]
        browser.close()
    found: list[dict[str, Any]] = [
        {"opened": way}
        | {key: shortened(statistics.median(each[way][key] for each in rounds)) for key in rounds[0][way]}
        for way in ("first", "again")
    ]
    save({"machine": machine(), "opening": found}, chosen.output)


if __name__ == "__main__":
    main()
