// The parts of express and axios that the pages use, on Node's own modules: the tests need no network.
import { createServer } from "node:http";

/** express: one handler, asked once. */
export function express() {
  let handler;
  return {
    get: (_path, given) => { handler = given; },
    listen: (port) => {
      const server = createServer((request, response) => {
        response.status = (code) => Object.assign(response, { statusCode: code });
        response.json = (value) => response.end(JSON.stringify(value));
        handler(request, response);
      }).listen(port, "127.0.0.1", async () => {
        const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
        console.log(JSON.stringify([answer.status, await answer.json()]));
        server.close();
        server.closeAllConnections();
      });
    },
  };
}

/** axios: an error for each answer that is not 2xx, with the parsed answer in it. */
export const axios = {
  async post(url, body, { timeout }) {
    const headers = { "Content-Type": "application/json" };
    const signal = AbortSignal.timeout(timeout);
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
    const answer = { status: response.status, data: await response.json() };
    if (!response.ok) {
      throw Object.assign(new Error(`Request failed with status code ${response.status}`), { response: answer });
    }
    return answer;
  },
};
