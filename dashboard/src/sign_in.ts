/** The form that asks for a token. */
import { type Api, Failure } from "./api.ts";
import type { Session } from "./contract.ts";
import { el, say } from "./dom.ts";

/** The form. `done` gets the session once a token was right. */
export function signInForm(api: Api, why: string, done: (session: Session) => void): HTMLElement {
  const token = el("input", { id: "token", name: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const trouble = el("p", { class: "note error", role: "alert" }, why);
  const button = el("button", { type: "submit", class: "main" }, "Sign in");
  const signIn = async (): Promise<void> => {
    button.disabled = true;
    say(trouble, "");
    try {
      const session = await api.signIn(token.value.trim());
      token.value = "";
      done(session);
    } catch (error) {
      say(trouble, error instanceof Failure ? error.message : String(error));
      token.focus();
      token.select();
    } finally {
      button.disabled = false;
    }
  };
  return el(
    "form",
    {
      class: "card sign-in",
      "aria-labelledby": "sign-in-title",
      submit: (event: Event) => {
        event.preventDefault();
        void signIn();
      },
    },
    el("h2", { id: "sign-in-title" }, "Sign in"),
    el("p", {}, "An API token lets you look; an admin token also lets you load, switch and run experiments."),
    el("label", { for: "token" }, "Token"),
    token,
    trouble,
    button,
  );
}
