"use strict";
// Made from the description alone: whatever is described can be tried here.

const make = (name, attributes = {}, ...inside) => {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...inside);
  return element;
};

const resolved = (schema, all) =>
  schema && schema.$ref ? all.components.schemas[schema.$ref.split("/").pop()] : schema;

// A body to begin with: what must be there, and what has a default.
const example = (schema, all, depth = 0) => {
  const at = resolved(schema, all) || {};
  if (depth > 4) return null;
  if ("default" in at) return at.default;
  if ("const" in at) return at.const;
  if (at.enum) return at.enum[0];
  const choice = at.oneOf || at.anyOf;
  if (choice) return example(choice[0], all, depth + 1);
  const type = Array.isArray(at.type) ? at.type[0] : at.type;
  if (type === "object") {
    const entries = Object.entries(at.properties || {});
    return Object.fromEntries(entries.map(([name, inner]) => [name, example(inner, all, depth + 1)]));
  }
  return { array: [], string: "", integer: 0, number: 0, boolean: false }[type] ?? null;
};

const shown = (text) => {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
};

const tried = async (method, path, fields, body, said, answer) => {
  let url = path;
  const query = new URLSearchParams();
  for (const [parameter, input] of fields) {
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(parameter.name, input.value);
  }
  if (query.size) url += `?${query}`;
  const headers = {};
  const token = document.getElementById("token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  answer.textContent = "";
  said.textContent = "…";
  try {
    const response = await fetch(url, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
    said.textContent = `${response.status} ${response.statusText} · request ${response.headers.get("x-request-id")}`;
    if ((response.headers.get("content-type") || "").startsWith("text/event-stream")) {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) answer.textContent += part.value;
      return;
    }
    answer.textContent = shown(await response.text());
  } catch (problem) {
    said.textContent = String(problem);
  }
};

const operation = (path, method, about, all) => {
  const box = make("details");
  box.append(make("summary", {},
    make("span", { className: "method", textContent: method }), make("span", { className: "path", textContent: path }),
    ` ${about.summary}`));
  if (about.description) box.append(make("p", { textContent: about.description }));
  const fields = (about.parameters || []).map((parameter) => {
    const input = make("input", { value: parameter.schema.default ?? "" });
    box.append(make("label", { className: "field" }, `${parameter.name}${parameter.required ? "" : " (may be empty)"} `, input));
    return [parameter, input];
  });
  let body = null;
  if (about.requestBody) {
    const schema = about.requestBody.content["application/json"]?.schema;
    body = make("textarea", { spellcheck: false, value: JSON.stringify(example(schema, all), null, 2) });
    box.append(body);
  }
  const said = make("p", { className: "said" });
  const answer = make("pre");
  const button = make("button", { textContent: "Send" });
  button.addEventListener("click", () => tried(method, path, fields, body, said, answer));
  box.append(button, said, answer);
  return box;
};

const build = async () => {
  const main = document.getElementById("paths");
  const all = await (await fetch("/openapi.json")).json();
  const groups = new Map();
  for (const [path, methods] of Object.entries(all.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const group = about.tags[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(operation(path, method, about, all));
    }
  }
  main.replaceChildren();
  for (const [group, boxes] of groups) main.append(make("h2", { textContent: group }), ...boxes);
};

build();
