// The real server for tests: REVERSAL_PYTHON is the interpreter that has it (default: python3).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The last 120 hours of EUR/USD of 2017, as the server takes them. */
export const EXAMPLE = JSON.parse(readFileSync(join(ROOT, "docs/examples/predict.json"), "utf8"));

export async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Server {
  /** @param {string[]} options of the command line */
  static async start(options = []) {
    const server = new Server();
    server.folder = await mkdtemp(join(tmpdir(), "reversal-client-"));
    server.port = await freePort();
    server.options = options;
    await server.run();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Start the process, and wait until it is ready. */
  async run() {
    const state = ["--state-url", `sqlite:///${this.folder}/state.db`, "--journals", join(this.folder, "journals")];
    const python = process.env.REVERSAL_PYTHON ?? "python3";
    this.process = spawn(python, ["-m", "server", "--port", String(this.port), ...state, ...this.options], {
      cwd: ROOT, stdio: ["ignore", "ignore", "pipe"],
    });
    this.log = "";
    this.process.stderr.on("data", (data) => { this.log = (this.log + data).slice(-20_000); });
    const ended = once(this.process, "exit");
    for (let i = 0; i < 600; i++) {
      try {
        if ((await fetch(`${this.url}/readyz`)).ok) {
          return;
        }
      } catch {
        // not listening yet
      }
      if (this.process.exitCode !== null) {
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.process.kill("SIGKILL");
    await ended;
    throw new Error(`the server did not start:\n${this.log}`);
  }

  async stop(signal = "SIGTERM") {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, "exit");
      this.process.kill(signal);
      await ended;
    }
  }

  async close() {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** An HTTP server of the test's own; `answer` gets the request, its body as text, and the response. */
export async function fake(answer) {
  const seen = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (data) => { body += data; });
    request.on("end", () => {
      seen.push({ method: request.method, path: request.url, headers: request.headers, body });
      answer(request, response, body);
    });
  }).listen(0, "127.0.0.1");
  // After a test that fails the process ends nevertheless.
  server.on("connection", (socket) => socket.unref()).unref();
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    close() {
      server.closeAllConnections?.();
      server.close();
    },
  };
}

export function json(response, status, value, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

/** A failure as the server writes it. */
export function failure(code, error, details) {
  return { success: false, data: null, error, code, ...(details ? { details } : {}), timestamp: "2026-01-01T00:00:00+00:00" };
}
