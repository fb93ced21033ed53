/** What the page gives each of its tabs, and what it wants of it. */
import type { Api } from "../api.ts";
import type { Changed, Session } from "../contract.ts";
import type { Live } from "../live.ts";

/** What all tabs share. */
export type Page = {
  api: Api;
  live: Live;
  /** The current session. */
  session: () => Session;
  /** Ask before something is changed. `effects` say what will happen, a sentence each. */
  confirm: (question: string, effects: string[], action: string) => Promise<boolean>;
  /** Tell that something was done, or failed: shown for some seconds, and read out by screen readers. */
  tell: (text: string, kind?: "done" | "failed") => void;
};

/** One tab. Its panel is built once; `shown` is called each time that it becomes visible. */
export type Tab = {
  id: string;
  title: string;
  panel: HTMLElement;
  shown: () => void;
  hidden: () => void;
  /** The state of the server has changed: what the tab shows of it must be fetched again. */
  changed?: (what: Changed["what"]) => void;
};
