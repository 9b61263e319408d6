"""CronJobs for the sweep and the full run, and a Deployment for `watch`, as one Kubernetes List: JSON, which is YAML.

The table's URL, and the credentials where the cluster has no role for the pod, come from a Secret of the name that is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.exports.running import HEALTH_PORT, JOURNAL, Job, Running, check_cron

NAME = "reconciler"
LABELS = {"app.kubernetes.io/name": NAME}
LATE = 6 * 3600  # seconds a missed run may be made up for
LONGEST = 6 * 3600  # seconds one run may take
_POD = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_RESOURCES = {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "512Mi"}}


def kubernetes(running: Running, *, image: str, secret: str) -> dict[str, Any]:
    """Return the List."""
    items = [_cron_job(job, running, image=image, secret=secret) for job in running.jobs]
    if running.watch is not None:
        items.append(_deployment(running.watch, running, image=image, secret=secret))
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _cron_job(job: Job, running: Running, *, image: str, secret: str) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", **_pod(job.name, job.arguments, running, image=image, secret=secret)}
    labels = {**LABELS, "app.kubernetes.io/component": job.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"{NAME}-{job.name}", "labels": labels, "annotations": {"kubernetes.io/description": job.about}},
        "spec": {
            "schedule": " ".join(check_cron(job.at)),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATE,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": LONGEST,
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
        },
    }


def _deployment(arguments: Sequence[str], running: Running, *, image: str, secret: str) -> dict[str, Any]:
    labels = {**LABELS, "app.kubernetes.io/component": "watch"}
    listening = (*arguments, "--health", f"0.0.0.0:{HEALTH_PORT}")
    pod = _pod("watch", listening, running, image=image, secret=secret)
    (container,) = pod["containers"]
    probe = {"httpGet": {"path": "/health", "port": HEALTH_PORT}, "periodSeconds": 30, "timeoutSeconds": 5}
    watched = {**container, "ports": [{"containerPort": HEALTH_PORT, "name": "health"}], "livenessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{NAME}-watch", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {**pod, "terminationGracePeriodSeconds": 60, "containers": [watched]},
            },
        },
    }


def _pod(name: str, arguments: Sequence[str], running: Running, *, image: str, secret: str) -> dict[str, Any]:
    container = {
        "name": name,
        "image": image,
        "command": ["reconcile"],
        "args": [_as_it_is(each) for each in arguments],
        "env": _env(running.environment, secret),
        "envFrom": [{"secretRef": {"name": secret, "optional": True}}],
        "securityContext": _CONTAINER,
        "resources": _RESOURCES,
    }
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "securityContext": _POD,
        "containers": [container],
    }


def _env(environment: Mapping[str, str], secret: str) -> list[dict[str, Any]]:
    plain = {**environment, "RECONCILER_JOURNAL": JOURNAL}
    url = {"name": "RECONCILER_TABLE_URL", "valueFrom": {"secretKeyRef": {"name": secret, "key": "RECONCILER_TABLE_URL"}}}
    return [url, *({"name": name, "value": _as_it_is(value)} for name, value in plain.items())]


def _as_it_is(text: str) -> str:
    """Return a text in which Kubernetes puts in no variable: `$(NAME)` is one, `$$` a dollar sign."""
    return text.replace("$", "$$")
