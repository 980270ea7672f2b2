// A page of a product: the steps of one of two agents, or nothing.
import { createElement as element, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { useInstance } from "./use-instance.js";

const { server, token, agent: first = "agent/1" } = Object.fromEntries(new URLSearchParams(location.search));

function Steps({ agent }) {
  const { instance, steps, health, error } = useInstance(server, agent, token);
  return element(
    "section",
    {},
    element("h1", {}, instance?.status),
    element("ol", { id: "steps" }, steps.map(({ id, label, status }) =>
      element("li", { key: id }, `${label}: ${status}`))),
    element("p", { id: "news" }, error),
    element("p", { id: "health" }, health?.state),
  );
}

function Product() {
  const [agent, setAgent] = useState(first);
  const choice = (name) => element("button", { key: name, onClick: () => setAgent(name) }, name || "none");
  return element("main", {}, ["agent/1", "agent/2", ""].map(choice), agent && element(Steps, { agent }));
}

createRoot(document.body.appendChild(document.createElement("div"))).render(
  element(StrictMode, {}, element(Product)),
);
