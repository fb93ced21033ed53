"""The style of the HTML page: for screens and paper, light and dark."""

from __future__ import annotations

STYLE = """
:root { --ink: #1d2430; --soft: #5a6475; --paper: #fff; --line: #d9dee6; --card: #f5f7fa; --accent: #1f5fbf;
  --better: #17703c; --same: #4a5568; --waiting: #8a5a00; --invalid: #b3261e;
  --other: #b34700; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #a4afbf; --paper: #14181f; --line: #343c49;
  --card: #1e242d; --accent: #7db1ff; --better: #5fce8c; --same: #b5c0d0; --waiting: #f0b94a; --invalid: #ff8a80;
  --other: #ffa463 } }
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 46rem; margin: 0 auto; padding: 1.25rem 1rem 2rem }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2 }
h2 { margin: 0 0 .4rem; font-size: 1.05rem }
p { margin: 0 0 .5rem }
section, figure, header { margin: 0 0 1.5rem }
ul { margin: 0; padding-left: 1.2rem }
dl, dd { margin: 0 }
.name, .setting, .description, .candles, figcaption, footer { color: var(--soft) }
.name { margin: 0; font-size: .9rem; overflow-wrap: anywhere }
.setting { margin: .25rem 0 0 }
.description { margin: .5rem 0 0; white-space: pre-line; overflow-wrap: anywhere }
.verdict { padding: .9rem 1rem; border: 1px solid var(--line); border-left: .4rem solid var(--tone);
  border-radius: .4rem }
.verdict h2 { font-size: 1.35rem; color: var(--tone) }
.verdict p { margin: 0 }
.better { --tone: var(--better) }
.same { --tone: var(--same) }
.waiting { --tone: var(--waiting) }
.invalid { --tone: var(--invalid) }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .75rem; margin: 0 0 1.5rem }
.figures div { padding: .75rem .9rem; background: var(--card); border-radius: .4rem }
.figures dt { font-size: .9rem; overflow-wrap: anywhere }
.value { font-size: 1.35rem; font-weight: 600; line-height: 1.25 }
.candles, footer, figcaption, table { font-size: .875rem }
.wide { overflow-x: auto }
table { width: 100%; border-collapse: collapse }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
th[scope=row] { font-weight: 400; color: var(--soft) }
.terms div { display: grid; grid-template-columns: minmax(8rem, 13rem) 1fr; gap: .75rem; font-size: .875rem }
.terms dt { color: var(--soft) }
.terms dd { overflow-wrap: anywhere; white-space: pre-line }
figure svg { display: block; width: 100%; height: auto }
figure text { font: 12px system-ui, sans-serif; fill: var(--soft) }
.tick, .to { text-anchor: end }
.grid { stroke: var(--line) }
.zero { stroke: var(--ink) }
.effect { stroke: var(--soft); stroke-dasharray: 5 4 }
.band { fill: var(--accent); opacity: .25 }
.early { opacity: .1 }
.line { fill: none; stroke: var(--accent); stroke-width: 2 }
.now { fill: var(--accent) }
.middle { text-anchor: middle }
.v0 { --tone: var(--accent) }
.v1 { --tone: var(--other) }
.v2 { --tone: var(--better) }
.v3 { --tone: var(--soft) }
.line.v0, .line.v1, .line.v2, .line.v3 { stroke: var(--tone) }
text.v0, text.v1, text.v2, text.v3, .dot { fill: var(--tone) }
@media print {
  :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --card: #fff; --accent: #1f5fbf;
    --better: #17703c; --same: #333; --waiting: #8a5a00; --invalid: #b3261e;
    --other: #b34700; color-scheme: light }
  body { font-size: 11pt }
  main { max-width: none; padding: 0 }
  .figures div { border: 1px solid var(--line) }
  .wide { overflow: visible }
  section, figure, tr { break-inside: avoid }
  h2 { break-after: avoid }
}
"""
