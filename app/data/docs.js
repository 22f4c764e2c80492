// Starts Swagger UI. Where the page has the form, it logs in by the WeChat sandbox.
const KEY = "idempotency-key";
const EXAMPLE = "3f1c1a52-6c0e-4c8e-9a53-5a0f6f1d2b7e"; // of the key in the document

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor(request) {
    // Each click is a new intent, unless somebody typed a key to repeat one.
    if (request.headers?.[KEY] === EXAMPLE) request.headers[KEY] = crypto.randomUUID();
    return request;
  },
});

async function send(path, body) {
  const reply = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.msg ?? `${reply.status}`);
  return told;
}

const form = document.getElementById("sandbox-login");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { code } = await send("sandbox/wechat/codes", { user: form.elements.user.value });
    const login = await send("api/v1/auth/wechat", { code });
    ui.preauthorizeApiKey("bearer", login.access_token);
    form.elements.result.value = `${login.person.display_name} · 15 min`;
  } catch (error) {
    form.elements.result.value = error.message;
  }
});
