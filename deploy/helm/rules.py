"""What a value may be, where its default does not say enough. For `schema`."""

from __future__ import annotations

from typing import Any, Final

_NAME: Final = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$"
_QUANTITY: Final = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$"
_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_NAMES: Final = {"type": "array", "items": {"type": "string", "minLength": 1}}
_OBJECT: Final = {"type": "object"}
_OBJECTS: Final = {"type": "array", "items": {"type": "object", "minProperties": 1}}

BY_PATH: Final[dict[str, dict[str, Any]]] = {
    "mode": {"enum": ["all-in-one", "distributed"]},
    "nameOverride": {"type": "string", "pattern": _NAME, "maxLength": 63},
    "fullnameOverride": {"type": "string", "pattern": _NAME, "maxLength": 40},
    "image.digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "image.repository": {"type": "string", "minLength": 1},
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "logs.level": {"enum": ["debug", "info", "warning", "error"]},
    "logs.encoding": {"enum": ["console", "json"]},
    "auth.key": {"type": "string", "pattern": r"^[-._a-zA-Z0-9]+$"},
    "kafka.brokers": {"type": "array", "items": {"type": "string", "pattern": r"^[^\s,]+:[0-9]{1,5}$"}},
    "kafka.topic": {"type": "string", "minLength": 1},
    "kafka.groupId": {"type": "string", "minLength": 1},
    "kafka.partitions": {"type": "integer", "minimum": 1},
    "kafka.sasl.mechanism": {"enum": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]},
    "clickhouse.database": {"type": "string", "minLength": 1},
    "clickhouse.port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "podSecurityContext": _OBJECT,
    "securityContext": _OBJECT,
    "allInOne.persistence.accessModes": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
    },
    "allInOne.persistence.whenDeleted": {"enum": ["Retain", "Delete"]},
    "receiver.autoscaling.targetCPUUtilizationPercentage": {"type": "integer", "minimum": 1, "maximum": 100},
    "otlp.keepaliveSeconds": {"type": "integer", "minimum": 1},
    "worker.keda.lagThreshold": {"type": "integer", "minimum": 1},
    "monitoring.serviceMonitor.interval": {"type": "string", "pattern": r"^[0-9]+(ms|s|m)$"},
}
BY_NAME: Final[dict[str, dict[str, Any]]] = {
    "config": _OBJECT,
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            kind: {"type": "object", "additionalProperties": {"type": ["string", "number"], "pattern": _QUANTITY}}
            for kind in ("requests", "limits")
        }
        | {"claims": _OBJECTS},
    },
    "affinity": _OBJECT,
    "type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
    "existingSecret": {"type": "string", "pattern": _NAME},
    "tlsSecret": {"type": "string", "pattern": _NAME},
    "size": {"type": "string", "pattern": _QUANTITY},
    "tmpSize": {"type": "string", "pattern": _QUANTITY},
    "maxUnavailable": {"type": ["integer", "string"], "pattern": "^[0-9]+%$", "minimum": 1},
    "minReplicas": {"type": "integer", "minimum": 1},
    "maxReplicas": {"type": "integer", "minimum": 1},
    "pullSecrets": _NAMES,
    "hostnames": _NAMES,
    **dict.fromkeys(
        ["annotations", "podAnnotations", "podLabels", "commonLabels", "labels", "nodeSelector"],
        _STRINGS,
    ),
}
MEANINGS: Final[dict[str, str]] = {
    "accessModes": "Of the volume; one process uses it.",
    "activeDeadlineSeconds": "Seconds that all tries may take.",
    "cooldownSeconds": "Seconds without lag before workers are taken away.",
    "database": "Database of the tables.",
    "interval": "Time between two scrapes.",
    "maxReplicas": "Most pods.",
    "maxUnavailable": "Pods that may be evicted at a time, a number or a percentage.",
    "minReplicas": "Fewest pods.",
    "passwordKey": "Its key that holds the password.",
    "podSecurityContext": "What every pod may; the Pod Security Standard `restricted`.",
    "pollingIntervalSeconds": "Seconds between two looks at the lag.",
    "securityContext": "What every container may; the Pod Security Standard `restricted`.",
    "size": "Size of the volume.",
    "topic": "Topic of the spans.",
    "usernameKey": "Its key that holds the user name.",
    "affinity": "Affinity of the pods.",
    "annotations": "Annotations.",
    "backoffLimit": "Tries.",
    "className": "Class of the controller; empty is the cluster's default.",
    "config": "Configuration of this component, over everything else.",
    "enabled": "Whether there is one.",
    "extraEnv": "More environment variables, for `${env:NAME}` in `config`.",
    "extraEnvFrom": "More sources of environment variables.",
    "extraVolumeMounts": "More mounts.",
    "extraVolumes": "More volumes.",
    "host": "Name that clients use.",
    "hostnames": "Names that clients use.",
    "labels": "More labels.",
    "nodeSelector": "Labels of the nodes that may run the pods.",
    "parentRefs": "The gateways.",
    "podAnnotations": "Annotations of the pods.",
    "podLabels": "Labels of the pods.",
    "preStopSeconds": "Seconds that a pod goes on serving while Services forget it.",
    "priorityClassName": "Priority class of the pods.",
    "replicas": "Pods.",
    "resources": "Requests and limits.",
    "stopTimeoutSeconds": "Seconds that a stop may take to bring rollups up to date.",
    "tlsSecret": "Secret with the host's certificate; empty is plaintext.",
    "tmpSize": "Size of the volume at /tmp.",
    "tolerations": "Tolerations of the pods.",
    "topologySpreadConstraints": "Empty spreads over nodes and zones where that is possible.",
    "type": "Type of the Service.",
}
"""What a value means that has no comment of its own, by its name."""
