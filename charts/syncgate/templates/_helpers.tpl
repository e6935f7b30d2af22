{{- define "syncgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "syncgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "syncgate.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "syncgate.serviceAccountName" -}}
{{- default (include "syncgate.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "syncgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "syncgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "syncgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "syncgate.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "syncgate.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The server's configuration: what the chart knows, and what the values say. */}}
{{- define "syncgate.config" -}}
{{- if not (and .Values.config.repositories .Values.config.clusters) -}}
{{- fail "config: expected at least one entry in config.repositories and in config.clusters; the chart's README has an example" -}}
{{- end -}}
{{- $known := dict
      "listen" (printf ":%d" (int .Values.server.port))
      "cacheDir" "/var/lib/syncgate/cache"
      "database" (dict "path" "/var/lib/syncgate/syncgate.db") -}}
{{- if not (or (hasKey .Values.config "tls") (hasKey .Values.config "insecure")) -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $known "tls" (dict "certFile" "/var/run/syncgate/tls/tls.crt" "keyFile" "/var/run/syncgate/tls/tls.key") -}}
{{- else -}}
{{- $_ := set $known "insecure" true -}}
{{- end -}}
{{- end -}}
{{- with .Values.page }}
{{- if .enabled -}}
{{- if and .proxied (not (and .from $.Values.networkPolicy.enabled)) -}}
{{- fail "page.proxied: expected page.from and networkPolicy.enabled: the pages have no login, so only the proxy may reach them" -}}
{{- end -}}
{{- $_ := set $known "page" (dict "listen" (printf "%s:%d" (ternary "" "127.0.0.1" .proxied) (int .port))) -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $known (deepCopy .Values.config)) -}}
{{- end -}}

{{/* Where the hook Jobs reach the server. */}}
{{- define "syncgate.serverURL" -}}
{{- if .Values.plugin.serverURL -}}
{{ .Values.plugin.serverURL }}
{{- else -}}
{{ if .Values.tls.secretName }}https{{ else }}http{{ end }}://{{ include "syncgate.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end -}}
{{- end -}}

{{/* What a container may do: nothing but run. */}}
{{- define "syncgate.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 999
runAsGroup: 999
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What a probe asks; takes the root and a path. */}}
{{- define "syncgate.probe" -}}
path: {{ index . 1 }}
port: api
scheme: {{ if (index . 0).Values.tls.secretName }}HTTPS{{ else }}HTTP{{ end }}
{{- end -}}

{{/* What the checks read in a namespace. */}}
{{- define "syncgate.namespacedRules" -}}
- apiGroups: [""]
  resources: [pods, events]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get]
# The Job of a pod that failed.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get]
{{- if .Values.rbac.snapshots.read }}
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
- apiGroups: [snapshot.storage.k8s.io]
  resources: [volumesnapshots]
  verbs: [list{{ if .Values.rbac.snapshots.take }}, get, create{{ end }}]
{{- end }}
{{- range .Values.rbac.resources }}
- apiGroups: {{ toJson .apiGroups }}
  resources: {{ toJson .resources }}
  verbs: [get]
{{- end }}
{{- end -}}
