#!/usr/bin/env bash
# The callbacks of the seed system's workflow, sent as that workflow sends them: pretty-printed
# bodies from jq, signed by openssl, posted by curl; the first and the last one with curl -sf, which
# fails the workflow when they are refused, the others with || true.
#
# usage: CALLBACK_URL=… CALLBACK_SECRET=… seed_workflow.sh claim|step|heartbeat|running|failed|failed_early JOB …
set -euo pipefail

post() {
  local body=$1
  local signature
  signature=$(printf '%s' "$body" | openssl dgst -sha256 -hmac "$CALLBACK_SECRET" | sed 's/^.* //')
  curl -sf -X POST "$CALLBACK_URL" \
    -H "Content-Type: application/json" -H "X-Signature: $signature" "${@:2}" -d "$body"
}

what=$1 job=$2
shift 2
case $what in
  claim)
    post "$(jq -n --arg job "$job" --arg run "$1" \
      '{job_id: $job, status: "provisioning", workflow_run_id: $run}')" ;;
  step)
    post "$(jq -n --arg job "$job" --arg step "$1" \
      '{job_id: $job, status: "provisioning", step: $step}')" "${@:2}" || true ;;
  heartbeat)
    post "$(jq -n --arg job "$job" '{job_id: $job, type: "heartbeat"}')" || true ;;
  running)
    post "$(jq -n --arg job "$job" --arg run "$1" --arg id "$2" --arg ip "$3" --arg tail "$4" \
      '{job_id: $job, status: "running", workflow_run_id: $run, server_id: $id, server_ip: $ip,
        tailscale_ip: $tail, used_snapshot: false, mode: "full"}')" ;;
  failed_early)
    post "$(jq -n --arg job "$job" --arg step "$1" \
      '{job_id: $job, status: "failed", workflow_run_id: "", step: $step, failed_step: $step,
        error: "Workflow failed at \($step)", server_id: "", server_ip: "", tailscale_ip: ""}')" ;;
  failed)
    post "$(jq -n --arg job "$job" --arg run "$1" --arg step "$2" --arg id "$3" --arg ip "$4" \
      '{job_id: $job, status: "failed", workflow_run_id: $run, step: $step, failed_step: $step,
        error: "Workflow failed at \($step)", server_id: $id, server_ip: $ip, tailscale_ip: ""}')" ;;
esac
