"use strict";
// Shows this server's description with Swagger UI. The token is kept in memory only, and sent to this server only.

(() => {
  const form = document.getElementById("access");
  const trouble = document.getElementById("trouble");
  // A proxy may serve this page under a path of its own: everything is relative to the folder that holds it.
  const base = new URL(".", window.location.href).pathname.replace(/\/$/, "");

  const tell = (text) => {
    trouble.textContent = text;
    trouble.hidden = text === "";
  };

  const show = (description, token) => {
    form.hidden = true;
    const page = window.SwaggerUIBundle({
      spec: { ...description, servers: [{ url: base || "/" }] },
      dom_id: "#page",
      deepLinking: true,
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      persistAuthorization: false,
      tryItOutEnabled: true,
      validatorUrl: null,
      onComplete: () => {
        if (token !== "") page.preauthorizeApiKey("token", token);
      },
    });
  };

  const load = async (token) => {
    tell("");
    const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${base}/openapi.json`, { headers });
    if (answer.ok) {
      show(await answer.json(), token);
      return;
    }
    form.hidden = answer.status !== 401;
    if (answer.status !== 401 || token !== "") {
      const failure = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
      tell(failure.error);
    }
  };

  const begin = (token) =>
    load(token).catch((error) => tell(`The description cannot be shown: ${error.message}`));

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(document.getElementById("token").value.trim());
  });
  if (window.SwaggerUIBundle === undefined) {
    tell("Swagger UI is not installed on this server: install the package flask-swagger-ui.");
  } else if (form.hidden) {
    begin(""); // the server has no tokens
  }
})();
