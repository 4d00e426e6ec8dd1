// Passkeys need a script; nothing else on these pages does. Forms say what they need in data attributes, and get the
// device's answer in their hidden fields.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const named = (list) => list.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: bytes(id) }));

  const sign = async (d) => {
    const made = await navigator.credentials.get({
      publicKey: {
        challenge: bytes(d.challenge), rpId: d.rp, allowCredentials: named(d.credentials),
        userVerification: "required", timeout: 120000,
      },
    });
    const answer = made.response;
    return {
      credentialId: text(made.rawId), authenticatorData: text(answer.authenticatorData),
      clientDataJSON: text(answer.clientDataJSON), signature: text(answer.signature),
      userHandle: answer.userHandle ? text(answer.userHandle) : "",
    };
  };

  const make = async (d) => {
    const made = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(d.challenge), rp: { id: d.rp, name: d.name },
        user: { id: bytes(d.handle), name: d.name, displayName: d.name },
        pubKeyCredParams: [{ type: "public-key", alg: -7 }], excludeCredentials: named(d.credentials),
        authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
        attestation: "none", timeout: 120000,
      },
    });
    return {
      authenticatorData: text(made.response.getAuthenticatorData()),
      clientDataJSON: text(made.response.clientDataJSON),
    };
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    for (const part of form.querySelectorAll("[data-script]")) part.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      const status = form.querySelector("[role=status]");
      button.disabled = true;
      status.textContent = "";
      try {
        const answer = await (form.dataset.passkey === "make" ? make : sign)(form.dataset);
        for (const [name, value] of Object.entries(answer)) form.elements[name].value = value;
        form.submit();
      } catch {
        status.textContent = form.dataset.failed;
        button.disabled = false;
      }
    });
  }
})();
