{{- define "name" -}}{{ .Values.nameOverride | or .Chart.Name }}{{- end -}}
{{- define "fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride }}{{ else }}{{ $name := include "name" . }}
{{- if eq $name .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-%s" .Release.Name $name }}{{ end }}{{ end }}
{{- end -}}
{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- range $key, $value := .Values.labels }}
{{ $key }}: {{ printf "%q" $value }}
{{- end }}
{{- end -}}
{{- range $round := 20 }}{{ with $ }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "fullname" . }}-{{ $round }}
  namespace: {{ .Release.Namespace }}
  labels: {{ include "labels" . }}
spec:
  replicas: {{ .Values.replicas }}
  template:
    metadata:
      labels: {{ include "labels" . }}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | or .Chart.AppVersion }}"
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          {{- if .Values.env }}
          env:
            {{- range .Values.env }}
            - name: {{ .name }}
              value: {{ printf "%q" .value }}
            {{- end }}
          {{- end }}
          ports:
            {{- range .Values.ports }}
            - name: {{ .name }}
              containerPort: {{ .port }}
              protocol: {{ .protocol }}
            {{- end }}
          resources:
            limits: { cpu: {{ .Values.resources.limits.cpu }}, memory: {{ .Values.resources.limits.memory }} }
      {{- with .Values.nodeSelector }}
      nodeSelector: {{ . }}
      {{- end }}
      {{- if and .Values.extra (gt (len .Values.extra) 0) }}{{ .Values.extra }}{{ end }}
---
{{- if .Values.ingress.enabled }}
kind: Ingress
metadata:
  name: {{ include "fullname" . }}
spec:
  rules:
    {{- range $index, $host := .Values.ingress.hosts }}
    - host: {{ $host }}
      path: /{{ $index }}
      service: {{ include "fullname" $ }}
    {{- end }}
{{- end }}
{{ end }}{{ end }}
