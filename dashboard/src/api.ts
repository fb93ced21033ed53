/** Calls of the server's API, with the session's cookie and its CSRF token. */
import type { Session } from "./contract.ts";

// A proxy may serve the page under a path of its own: everything is relative to the folder that holds the page.
const base = (): string => new URL(".", location.href).pathname.replace(/\/$/, "");

export type Detail = { path: string; message: string };

/** A call that the server refused, or that did not reach it. `status` is 0 where there was no answer. */
export class Failure extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: Detail[];

  constructor(status: number, code: string, message: string, details: Detail[] = []) {
    super(message);
    this.name = "Failure";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

type Envelope = { success: boolean; data: unknown; error: string | null; code?: string; details?: Detail[] };

/** Whether two sessions are of the same token. */
export function isSame(one: Session, other: Session): boolean {
  return one.signed_in === other.signed_in && one.name === other.name && one.level === other.level;
}

/** The server of this page. `signedOut` is called when the server no longer knows the session, or knows another one. */
export class Api {
  signedOut: () => void = () => undefined;
  #session: Session | null = null;

  /** The current session; asks the server. */
  async session(): Promise<Session> {
    return this.#keep((await this.get("/dashboard/session")) as Session);
  }

  /** Sign in with a token. Throws Failure. */
  async signIn(token: string): Promise<Session> {
    return this.#keep((await this.#call("POST", "/dashboard/session", { token }, false)) as Session);
  }

  /** End the session. */
  async signOut(): Promise<Session> {
    return this.#keep((await this.post("/dashboard/session/end", {})) as Session);
  }

  /** The data of a GET. `path` begins with a slash, and its parts are encoded. Throws Failure. */
  async get(path: string): Promise<unknown> {
    return this.#call("GET", path);
  }

  /** The data of a POST. Throws Failure. */
  async post(path: string, body?: unknown): Promise<unknown> {
    return this.#call("POST", path, body);
  }

  /** The answer of a GET as it is, such as a page or a file. Throws Failure. */
  async raw(path: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const answer = await this.#fetch("GET", path, headers, undefined, signal);
    if (!answer.ok) throw await this.#failure(answer);
    return answer;
  }

  async #call(method: "GET" | "POST", path: string, body?: unknown, known = true): Promise<unknown> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (method === "POST") headers["Content-Type"] = "application/json";
    const text = method === "POST" ? JSON.stringify(body ?? {}) : undefined;
    let answer = await this.#fetch(method, path, headers, text);
    if (answer.status === 403 && known && (await this.#signedInElsewhere())) answer = await this.#fetch(method, path, headers, text);
    if (!answer.ok) throw await this.#failure(answer, known);
    try {
      return ((await answer.json()) as Envelope).data;
    } catch {
      const why = "The answer is not the server's: it is no JSON. A proxy may have answered, such as with a page to sign in.";
      throw new Failure(answer.status, "UNKNOWN", why);
    }
  }

  /** Whether another tab of this browser has signed in since, with the same token: the cookie is then another one, and
   * has a CSRF token of its own. */
  async #signedInElsewhere(): Promise<boolean> {
    const before = this.#session;
    if (before === null || before.csrf === null) return false;
    try {
      const now = (await this.get("/dashboard/session")) as Session;
      if (now.csrf === before.csrf) return false;
      if (isSame(now, before)) return this.#keep(now) === now;
      this.signedOut();
    } catch {
      // the first failure is told
    }
    return false;
  }

  async #fetch(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
    signal?: AbortSignal,
  ): Promise<Response> {
    const csrf = this.#session?.csrf ?? null;
    const sent = csrf === null ? headers : { ...headers, "X-CSRF-Token": csrf };
    const options: RequestInit = { method, headers: sent, credentials: "same-origin", cache: "no-store" };
    if (body !== undefined) options.body = body;
    if (signal !== undefined) options.signal = signal;
    try {
      return await fetch(base() + path, options);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Failure(0, "UNREACHABLE", "The server cannot be reached. It may be restarting.");
    }
  }

  async #failure(answer: Response, known = true): Promise<Failure> {
    if (answer.status === 401 && known) this.signedOut();
    try {
      const { error, code, details } = (await answer.json()) as Envelope;
      return new Failure(answer.status, code ?? "UNKNOWN", error ?? `status ${answer.status}`, details ?? []);
    } catch {
      return new Failure(answer.status, "UNKNOWN", `The server answered with status ${answer.status}.`);
    }
  }

  #keep(session: Session): Session {
    this.#session = session;
    return session;
  }
}
