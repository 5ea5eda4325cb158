{{/*
The configuration file of each component: what the chart knows, the user's `config`, the component's own `config`.
Passwords are references to environment variables; _pod.tpl sets these from secrets.
*/}}

{{- define "otel-sessions.config" -}}
{{- $base := include "otel-sessions.config.telemetry" .root | fromYaml }}
{{- $ours := include (printf "otel-sessions.config.%s" .component) . | fromYaml }}
{{- $config := mergeOverwrite $base $ours (deepCopy .root.Values.config) (deepCopy .values.config) }}
{{- toYaml $config }}
{{- end }}

{{- define "otel-sessions.config.telemetry" -}}
extensions:
  health_check:
    endpoint: 0.0.0.0:13133
service:
  telemetry:
    metrics:
      address: 0.0.0.0:8888
    logs:
      level: {{ .Values.logs.level }}
      encoding: {{ .Values.logs.encoding }}
{{- end }}

{{- define "otel-sessions.config.all-in-one" -}}
{{ include "otel-sessions.config.otlp" .root }}
processors:
  sessions:
    stop_timeout_s: {{ .values.stopTimeoutSeconds }}
exporters:
  clickhouse:
    dsn: chdb:///var/lib/otel-sessions/store
extensions:
  {{- include "otel-sessions.config.authenticators" .root | indent 2 }}
  sessions_api:
    endpoint: 0.0.0.0:3000
    {{- include "otel-sessions.config.guards" .root | nindent 4 }}
  {{- if .values.clickhouseHttp }}
  clickhouse_http:
    endpoint: 0.0.0.0:8123
    {{- include "otel-sessions.config.guards" .root | nindent 4 }}
  {{- end }}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [sessions]
      exporters: [clickhouse]
{{- end }}

{{- define "otel-sessions.config.receiver" -}}
{{ include "otel-sessions.config.otlp" .root }}
exporters:
  kafka:
    {{- include "otel-sessions.config.kafka" .root | nindent 4 }}
{{- with include "otel-sessions.config.authenticators" .root }}
extensions:
  {{- . | indent 2 }}
{{- end }}
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: []
      exporters: [kafka]
{{- end }}

{{- define "otel-sessions.config.worker" -}}
receivers:
  kafka:
    {{- include "otel-sessions.config.kafka" .root | nindent 4 }}
    group_id: {{ .root.Values.kafka.groupId | quote }}
    dead_letter:
      create_topic:
        create: {{ .root.Values.kafka.createTopics }}
        replication_factor: {{ .root.Values.kafka.replicationFactor }}
        partitions: 1
processors:
  sessions:
    stop_timeout_s: {{ .values.stopTimeoutSeconds }}
exporters:
  clickhouse:
    {{- include "otel-sessions.config.clickhouse" .root | nindent 4 }}
service:
  pipelines:
    traces:
      receivers: [kafka]
      processors: [sessions]
      exporters: [clickhouse]
{{- end }}

{{- define "otel-sessions.config.api" -}}
exporters:
  clickhouse:
    {{- include "otel-sessions.config.clickhouse" .root | nindent 4 }}
extensions:
  {{- include "otel-sessions.config.authenticators" .root | indent 2 }}
  sessions_api:
    endpoint: 0.0.0.0:3000
    {{- include "otel-sessions.config.guards" .root | nindent 4 }}
service:
  pipelines:
    traces:
      receivers: []
      processors: []
      exporters: []
{{- end }}

{{/* The same as the workers', but that it is the one that creates. */}}
{{- define "otel-sessions.config.schema" -}}
{{- $worker := include "otel-sessions.config" (dict "root" .root "component" "worker" "values" .root.Values.worker) | fromYaml }}
{{- $_ := set $worker.exporters.clickhouse "migrate" true }}
{{- toYaml $worker }}
{{- end }}

{{- define "otel-sessions.config.otlp" -}}
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 0.0.0.0:4317
        max_connection_age_s: {{ .Values.otlp.maxConnectionAgeSeconds }}
        keepalive_time_s: {{ .Values.otlp.keepaliveSeconds }}
        {{- include "otel-sessions.config.guards" . | nindent 8 }}
      http:
        endpoint: 0.0.0.0:4318
        {{- include "otel-sessions.config.guards" . | nindent 8 }}
{{- end }}

{{/* Who may use a port, and whether others can read along. */}}
{{- define "otel-sessions.config.guards" -}}
{{- if .Values.auth.existingSecret }}
auth:
  authenticator: bearertokenauth
{{- end }}
{{- if .Values.tls.existingSecret }}
tls:
  cert_file: /secrets/tls/tls.crt
  key_file: /secrets/tls/tls.key
  {{- if .Values.tls.clientCertificates }}
  client_ca_file: /secrets/tls/ca.crt
  {{- end }}
{{- end }}
{{- end }}

{{- define "otel-sessions.config.authenticators" }}
{{- if .Values.auth.existingSecret }}
bearertokenauth:
  filename: /secrets/auth/{{ .Values.auth.key }}
{{- end }}
{{- end }}

{{- define "otel-sessions.config.kafka" -}}
brokers:
  {{- toYaml .Values.kafka.brokers | nindent 2 }}
topic: {{ .Values.kafka.topic | quote }}
logs_topic: {{ .Values.kafka.logsTopic | quote }}
metrics_topic: {{ .Values.kafka.metricsTopic | quote }}
create_topic:
  create: {{ .Values.kafka.createTopics }}
  partitions: {{ .Values.kafka.partitions }}
  replication_factor: {{ .Values.kafka.replicationFactor }}
{{- with .Values.kafka.tls }}
{{- if .enabled }}
tls:
  {{- if .existingSecret }}
  ca_file: /secrets/kafka/ca.crt
  {{- if .clientCertificate }}
  cert_file: /secrets/kafka/tls.crt
  key_file: /secrets/kafka/tls.key
  {{- end }}
  {{- else }}
  insecure_skip_verify: false
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl }}
{{- if .existingSecret }}
auth:
  sasl:
    username: ${env:KAFKA_USERNAME}
    password: ${env:KAFKA_PASSWORD}
    mechanism: {{ .mechanism }}
{{- end }}
{{- end }}
{{- end }}

{{- define "otel-sessions.config.clickhouse" -}}
dsn: ${env:CLICKHOUSE_URL}
database: {{ .Values.clickhouse.database | quote }}
cluster: {{ .Values.clickhouse.cluster | quote }}
migrate: {{ not .Values.schemaJob.enabled }}
{{- end }}
