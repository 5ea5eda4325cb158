{{/* The pod of every component. Takes root, component, values. */}}

{{- define "otel-sessions.pod" -}}
{{- $root := .root }}
{{- $values := .values }}
{{- $component := .component -}}
metadata:
  annotations:
    # A changed configuration is a changed pod.
    checksum/config: {{ include "otel-sessions.config" . | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "otel-sessions.labels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "otel-sessions.serviceAccountName" $root }}
  {{- include "otel-sessions.podDefaults" $root | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "otel-sessions.graceSeconds" . }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne $component "all-in-one" }}
  topologySpreadConstraints:
    {{- if $values.topologySpreadConstraints }}
    {{- toYaml $values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "otel-sessions.selectorLabels" $ | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: otel-sessions
      image: {{ include "otel-sessions.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [run, --config, /conf/config.yaml]
      {{- with include "otel-sessions.env" . }}
      env:
        {{- . | trim | nindent 8 }}
      {{- end }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- range $name := include "otel-sessions.portNames" . | fromYamlArray }}
        - name: {{ $name }}
          containerPort: {{ include "otel-sessions.port" $name }}
          protocol: TCP
        {{- end }}
      # Answered without a look at Kafka or the store: what is away comes back, a restart would not bring it.
      startupProbe:
        httpGet: {path: /startup, port: health}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /live, port: health}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /ready, port: health}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- if $values.preStopSeconds }}
      # Services forget a pod a moment after it was told to stop: so long it goes on serving.
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $values.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /conf
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if eq $component "all-in-one" }}
        - name: data
          mountPath: /var/lib/otel-sessions
        {{- end }}
        {{- range $name := include "otel-sessions.secretNames" . | fromYamlArray }}
        - name: {{ $name }}
          mountPath: /secrets/{{ $name }}
          readOnly: true
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "otel-sessions.componentName" . }}
    - name: tmp
      emptyDir:
        sizeLimit: {{ $values.tmpSize }}
    {{- if and (eq $component "all-in-one") (not $values.persistence.enabled) }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- $secrets := dict "auth" $root.Values.auth.existingSecret "tls" $root.Values.tls.existingSecret "kafka" $root.Values.kafka.tls.existingSecret }}
    {{- range $name := include "otel-sessions.secretNames" . | fromYamlArray }}
    - name: {{ $name }}
      secret:
        secretName: {{ get $secrets $name }}
        defaultMode: 0440
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* What our pods have in common, those of jobs and tests as well. */}}
{{- define "otel-sessions.podDefaults" -}}
automountServiceAccountToken: false
# Variables named after Services would stand beside those that configurations refer to.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}

{{/*
Seconds from the signal to stop to the kill: preStop, requests under way (5), then what the component may take: brokers'
answers, or rollups and the tick that is under way; and a reserve. It is the limit, not what a stop takes.
*/}}
{{- define "otel-sessions.graceSeconds" -}}
{{- add .values.preStopSeconds 5 (.values.stopTimeoutSeconds | default 0) 30 }}
{{- end }}

{{- define "otel-sessions.env" -}}
{{- if and (has .component (list "receiver" "worker")) .root.Values.kafka.sasl.existingSecret }}
{{- include "otel-sessions.env.kafka" .root }}
{{- end }}
{{- if has .component (list "worker" "api" "schema") }}
{{- include "otel-sessions.env.clickhouse" .root }}
{{- end }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "otel-sessions.env.kafka" }}
{{- with .Values.kafka.sasl }}
- name: KAFKA_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .usernameKey }}
- name: KAFKA_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .passwordKey }}
{{- end }}
{{- end }}

{{- define "otel-sessions.env.clickhouse" }}
- name: CLICKHOUSE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.clickhouse.existingSecret }}
      key: {{ .Values.clickhouse.dsnKey }}
{{- end }}

{{/* The volumes of secrets that a component's configuration names files of. */}}
{{- define "otel-sessions.secretNames" -}}
{{- $names := list }}
{{- if ne .component "worker" }}
{{- if .root.Values.auth.existingSecret }}{{ $names = append $names "auth" }}{{ end }}
{{- if .root.Values.tls.existingSecret }}{{ $names = append $names "tls" }}{{ end }}
{{- end }}
{{- with .root.Values.kafka.tls }}
{{- if and (has $.component (list "receiver" "worker")) .enabled .existingSecret }}{{ $names = append $names "kafka" }}{{ end }}
{{- end }}
{{- toYaml $names }}
{{- end }}

{{- define "otel-sessions.portNames" -}}
{{- $names := list "metrics" "health" }}
{{- if has .component (list "all-in-one" "receiver") }}{{ $names = concat (list "otlp-grpc" "otlp-http") $names }}{{ end }}
{{- if has .component (list "all-in-one" "api") }}{{ $names = prepend $names "api" }}{{ end }}
{{- if and (eq .component "all-in-one") .values.clickhouseHttp }}{{ $names = prepend $names "clickhouse-http" }}{{ end }}
{{- toYaml $names }}
{{- end }}

{{- define "otel-sessions.port" -}}
{{- get (dict "otlp-grpc" 4317 "otlp-http" 4318 "api" 3000 "clickhouse-http" 8123 "metrics" 8888 "health" 13133) . }}
{{- end }}
