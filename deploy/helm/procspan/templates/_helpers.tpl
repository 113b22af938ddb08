{{- define "procspan.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "procspan.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "procspan.name" .) .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "procspan.name" .) | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "procspan.namespace" -}}
{{ default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "procspan.serviceAccount" -}}
{{ default (ternary (include "procspan.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "procspan.selectorLabels" -}}
app.kubernetes.io/name: {{ include "procspan.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "procspan.labels" -}}
{{ include "procspan.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "procspan.image" -}}
{{- with .Values.image -}}
{{- $name := printf "%s/%s" .registry .repository | trimPrefix "/" -}}
{{- if .digest -}}
{{ $name }}@{{ .digest }}
{{- else -}}
{{ $name }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The variable that holds the value of header number . */}}
{{- define "procspan.headerVariable" -}}
OTLP_HEADER_{{ . }}
{{- end }}

{{- define "procspan.exporter" -}}
processors:
  - batch:
      exporter:
        otlp_grpc:
          endpoint: ${OTLP_ENDPOINT}
          compression: {{ .Values.output.compression }}
          {{- with .Values.output.headers }}
          headers:
            {{- range $i, $header := . }}
            - name: {{ $header.name | quote }}
              value: ${ {{- include "procspan.headerVariable" $i -}} }
            {{- end }}
          {{- end }}
{{- end }}

{{- define "procspan.config" -}}
{{- if .Values.configOverride -}}
{{ tpl .Values.configOverride . }}
{{- else -}}
file_format: "1.0"
resource:
  attributes:
    - name: k8s.node.name
      value: ${K8S_NODE_NAME}
    {{- range $name, $value := .Values.resource }}
    - name: {{ $name | quote }}
      value: {{ $value | quote }}
    {{- end }}
tracer_provider:
  {{- include "procspan.exporter" . | nindent 2 }}
{{- if .Values.output.logs }}
logger_provider:
  {{- include "procspan.exporter" . | nindent 2 }}
{{- end }}
{{- if .Values.metrics.enabled }}
meter_provider:
  readers:
    - pull:
        exporter:
          prometheus/development:
            host: 0.0.0.0
            port: {{ .Values.metrics.port }}
{{- end }}
{{- $own := dict "health" (dict "endpoint" (printf "0.0.0.0:%v" .Values.health.port)) }}
{{- if .Values.persist.enabled }}
{{- $own = merge $own (dict "daemon" (dict "persist" (not .Values.persist.detach)) "delivery" (dict "directory" "/var/lib/procspan")) }}
{{- end }}
distribution:
  procspan:
    {{- mergeOverwrite $own (deepCopy .Values.procspan) | toYaml | nindent 4 }}
{{- end -}}
{{- end }}

{{- define "procspan.securityContext" -}}
{{ toYaml .Values.securityContext }}
capabilities:
  drop: [ALL]
  {{- with .Values.capabilities }}
  add:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with .Values.appArmorProfile }}
appArmorProfile:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.seccompProfile }}
seccompProfile:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.seLinuxOptions }}
seLinuxOptions:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
