// What a page does with Milepost, in types that openapi-typescript generated: it compiles, or the
// document has changed for the code of others.
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./milepost.js";

type Job = components["schemas"]["Job"];

const client = createClient<paths>({
  baseUrl: "http://127.0.0.1:8000",
  headers: { Authorization: "Bearer mp_0123456789ab_…" },
});

export async function words(agentId: string): Promise<string> {
  const { data, error } = await client.GET("/api/agents/{agent_id}/instance", {
    params: { path: { agent_id: agentId }, header: { "If-None-Match": '"1.2.3"' } },
  });
  if (error) return `${error.title}: ${error.detail ?? error.type}`;
  if (!data) return "not modified";
  const active = data.steps.find((step) => step.status === "active");
  return `${data.instance.status}: ${active?.label ?? data.instance.error ?? "-"}`;
}

export async function register(agentId: string): Promise<Job | undefined> {
  const { data } = await client.POST("/api/jobs", {
    params: { header: { "Idempotency-Key": "payment-1" } },
    body: { agent_id: agentId, region: "us-east" },
  });
  return data && !data.duplicate ? data : undefined;
}

export async function changed(jobId: string): Promise<string[]> {
  const { data } = await client.GET("/api/jobs/{job_id}/changes", {
    params: { path: { job_id: jobId }, query: { from: "1" } },
  });
  return data?.changed.map((each) => each.field) ?? [];
}

export function needsSomebody(list: components["schemas"]["JobList"]): string[] {
  return list.jobs.flatMap((job) => job.attention ?? []).map((reason) => reason.text);
}

export function isOver(job: Job): boolean {
  // @ts-expect-error a misspelt member is found, although later releases may add some
  void job.stauts;
  // @ts-expect-error a member that may be null is not taken for text
  void job.server_ip.length;
  return job.outcome !== null;
}

export type Cancelled = operations["cancel_job"]["responses"][200]["content"]["application/json"];
