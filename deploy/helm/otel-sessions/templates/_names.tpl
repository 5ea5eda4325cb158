{{/* Names, labels, the image. */}}

{{- define "otel-sessions.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Room is left for the longest suffix, and for what Kubernetes puts behind the names of pods. */}}
{{- define "otel-sessions.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "otel-sessions.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "otel-sessions.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The name of a component's objects; all-in-one has the name to itself. */}}
{{- define "otel-sessions.componentName" -}}
{{- if eq .component "all-in-one" }}
{{- include "otel-sessions.fullname" .root }}
{{- else }}
{{- printf "%s-%s" (include "otel-sessions.fullname" .root) .component }}
{{- end }}
{{- end }}

{{- define "otel-sessions.instanceLabels" -}}
app.kubernetes.io/name: {{ include "otel-sessions.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "otel-sessions.selectorLabels" -}}
{{ include "otel-sessions.instanceLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "otel-sessions.labels" -}}
{{ include "otel-sessions.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ include "otel-sessions.name" .root }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "otel-sessions.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "otel-sessions.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "otel-sessions.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The components of the mode, each with the name of its values. */}}
{{- define "otel-sessions.components" -}}
{{- if eq .Values.mode "all-in-one" }}
all-in-one: allInOne
{{- else }}
receiver: receiver
worker: worker
api: api
{{- end }}
{{- end }}
