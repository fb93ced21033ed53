/** The page: sign-in, tabs, the state of the connection. */
import { Api, Failure, isSame } from "./api.ts";
import type { Session } from "./contract.ts";
import { confirm, tell } from "./dialog.ts";
import { el, fill, note, say } from "./dom.ts";
import { clock, utc } from "./format.ts";
import { Live } from "./live.ts";
import { signInForm } from "./sign_in.ts";
import { experimentsTab } from "./tabs/experiments.ts";
import { modelsTab } from "./tabs/models.ts";
import { nowTab } from "./tabs/now.ts";
import { performanceTab } from "./tabs/performance.ts";
import { signalsTab } from "./tabs/signals.ts";
import type { Page, Tab } from "./tabs/tab.ts";
import { themeButton } from "./theme.ts";

const api = new Api();
const live = new Live(api);
const main = document.getElementById("page") as HTMLElement;
const header = document.getElementById("header") as HTMLElement;
let session: Session | null = null;
// The state of the history is kept while the page is loaded again: why it asks for a token.
const ENDED = "session-ended";

const page: Page = { api, live, confirm, tell, session: () => session as Session };
const tabs: Tab[] = [nowTab, signalsTab, modelsTab, experimentsTab, performanceTab].map((make) => make(page));
const buttons = new Map<Tab, HTMLButtonElement>();
let visible: Tab | null = null;

/** `chosen`: by a click, so that the browser's Back leads to the tab before. */
function show(tab: Tab, focus = false, chosen = false): void {
  if (visible !== null && visible !== tab) visible.hidden();
  for (const [each, button] of buttons) {
    const selected = each === tab;
    button.setAttribute("aria-selected", String(selected));
    button.tabIndex = selected ? 0 : -1;
    each.panel.hidden = !selected;
    if (selected && focus) button.focus();
  }
  const entered = visible !== tab;
  visible = tab;
  const other = location.hash.split("/")[0] !== `#${tab.id}`;
  if (other && chosen) history.pushState(null, "", `#${tab.id}`);
  else if (other) history.replaceState(null, "", `#${tab.id}`);
  document.title = `${tab.title} · Reversal signal server`;
  if (entered) tab.shown();
}

function tabOfHash(): Tab {
  const id = location.hash.slice(1).split("/")[0];
  return tabs.find((tab) => tab.id === id) ?? (tabs[0] as Tab);
}

/** The row of tabs. Arrow keys, Home and End move between them, as the ARIA practices have it. */
function tabList(): HTMLElement {
  const list = el("div", { role: "tablist", "aria-label": "Parts of the page", class: "tabs" });
  for (const tab of tabs) {
    const button = el(
      "button",
      { role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}`, type: "button", click: () => show(tab, false, true) },
      tab.title,
    );
    Object.assign(tab.panel, { id: `panel-${tab.id}`, hidden: true });
    tab.panel.setAttribute("role", "tabpanel");
    tab.panel.setAttribute("aria-labelledby", `tab-${tab.id}`);
    buttons.set(tab, button);
    list.append(button);
  }
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(visible as Tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(tabs[(to + tabs.length) % tabs.length] as Tab, true);
  });
  return list;
}

/** What the connection is like: a word, and when the server last said something. */
function connectionState(): HTMLElement {
  const word = el("span", {});
  const element = el("p", { class: "connection", role: "status" }, el("span", { class: "dot", "aria-hidden": "true" }), word);
  const refresh = (): void => {
    const { state, text } = live.connection;
    element.dataset["state"] = state;
    const last = live.heard === null || state === "live" ? "" : ` Last heard at ${clock(live.heard)}.`;
    say(word, state === "live" && live.replica !== null ? `Live from ${live.replica}` : text + last);
    element.title = live.heard === null ? "" : `Last heard at ${utc(live.heard)}`;
  };
  live.listen(refresh);
  refresh();
  return element;
}

/** Says that the server is of another release than this page, which was opened before an update. */
function otherRelease(): HTMLElement {
  let opened: string | null = null;
  const told = el("span", {});
  const again = el("button", { type: "button", click: () => location.reload() }, "Load it again");
  const element = el("p", { class: "warn", role: "status", hidden: true }, told, " ", again);
  live.listen(() => {
    const release = live.now?.release ?? null;
    opened ??= release;
    element.hidden = release === opened;
    if (!element.hidden) say(told, `The server is now of release ${release}, this page of ${opened}.`);
  });
  return element;
}

function signedInAs(known: Session): HTMLElement {
  if (!known.guarded) {
    const may = known.level === "admin" ? "every local user may manage" : "this page may look, and manage only on the server's machine";
    return el("p", { class: "person" }, `No tokens are set: ${may}.`);
  }
  const may = known.level === "admin" ? "may manage" : "may look";
  return el(
    "p",
    { class: "person" },
    `${known.name ?? "?"} (${may}) `,
    el("button", { type: "button", class: "plain", click: () => void leave() }, "Sign out"),
  );
}

async function leave(): Promise<void> {
  live.stop();
  try {
    await api.signOut();
  } catch (error) {
    tell(`Signing out failed: ${(error as Error).message}`, "failed");
  }
  location.reload();
}

function begin(known: Session): void {
  session = known;
  fill(
    header,
    el("h1", {}, "Reversal signal server"),
    connectionState(),
    otherRelease(),
    signedInAs(known),
    themeButton(),
    tabList(),
  );
  fill(main, ...tabs.map((tab) => tab.panel));
  live.changed = (what) => {
    for (const tab of tabs) tab.changed?.(what);
  };
  show(tabOfHash());
  addEventListener("hashchange", () => show(tabOfHash()));
  live.start();
}

function askToSignIn(why = ""): void {
  live.stop();
  fill(header, el("h1", {}, "Reversal signal server"), themeButton());
  fill(main, signInForm(api, why, begin));
}

async function start(): Promise<void> {
  fill(main, note("loading", "Loading …"));
  try {
    const known = await api.session();
    if (known.signed_in) begin(known);
    else askToSignIn(history.state === ENDED ? "Your session has ended. Sign in again." : "");
    history.replaceState(null, "");
  } catch (error) {
    const text = error instanceof Failure ? error.message : String(error);
    const again = el("button", { type: "button", click: () => void start() }, "Try again");
    fill(main, note("error", `The page cannot start: ${text} `, again));
  }
}

let asking = false;
api.signedOut = () => {
  if (!asking && session !== null) void askAgain(session);
};

/** A call was refused: is it the session? Otherwise a page that is loaded again would be refused again, without end. */
async function askAgain(before: Session): Promise<void> {
  asking = true;
  let now: Session | null = null;
  try {
    now = await api.session();
  } catch {
    // a page that is loaded again says what is wrong
  }
  if (now !== null && isSame(now, before)) {
    tell("The server refuses this page, although you are signed in. Does a proxy add an Authorization header?", "failed");
    asking = false;
    return;
  }
  live.stop();
  if (now?.signed_in !== true) history.replaceState(ENDED, "");
  // The tabs hold listeners and charts of the session that ended: a new load is simpler than to undo them.
  location.reload();
}

void start();
