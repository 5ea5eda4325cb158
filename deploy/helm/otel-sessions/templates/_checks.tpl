{{/* What values.schema.json can't say: values that need each other. */}}
{{- define "otel-sessions.checks" -}}
{{- with .Values }}
{{- if eq .mode "distributed" }}
{{- if not .kafka.brokers }}
{{- fail "kafka.brokers: empty; mode distributed needs host:port of at least one broker" }}
{{- end }}
{{- if not .clickhouse.existingSecret }}
{{- fail "clickhouse.existingSecret: empty; mode distributed needs the name of a secret with a DSN, https://user:password@host:port" }}
{{- end }}
{{- $workers := ternary .worker.keda.maxReplicas .worker.replicas .worker.keda.enabled }}
{{- if gt (int $workers) (int .kafka.partitions) }}
{{- fail (printf "worker: %d workers on %d partitions; those beyond kafka.partitions would have nothing to do" (int $workers) (int .kafka.partitions)) }}
{{- end }}
{{- end }}
{{- if and .tls.clientCertificates (not .tls.existingSecret) }}
{{- fail "tls.clientCertificates: needs tls.existingSecret, with ca.crt" }}
{{- end }}
{{- if and .kafka.tls.existingSecret (not .kafka.tls.enabled) }}
{{- fail "kafka.tls.existingSecret: is not used; set kafka.tls.enabled" }}
{{- end }}
{{- range $name, $route := .gatewayApi }}
{{- if and $route.enabled (not $route.parentRefs) }}
{{- fail (printf "gatewayApi.%s.parentRefs: empty; name the gateway" $name) }}
{{- end }}
{{- end }}
{{- range $name, $route := .ingress }}
{{- if and $route.tlsSecret (not $route.host) }}
{{- fail (printf "ingress.%s.host: empty; tlsSecret is the certificate of a host" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
