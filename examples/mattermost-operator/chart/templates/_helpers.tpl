{{- define "site.labels" -}}
app.kubernetes.io/name: mattermost
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
