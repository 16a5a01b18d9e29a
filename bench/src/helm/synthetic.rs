//! A chart of realistic size, made by code: many components, each with the objects that charts have, names and labels
//! by deep includes, values of values by `tpl`, and a large file of values.

use std::fmt::Write as _;

/// Components of the chart that is compared with Helm: six templates each, 300 together.
pub(super) const COMPONENTS: usize = 50;

/// Components of the charts that are rendered a thousand at once.
pub(super) const FEW_COMPONENTS: usize = 5;

/// How deep includes go.
const DEPTH: usize = 8;

/// Variables of each container.
const VARIABLES: usize = 25;

/// The files of a chart; another seed gives a chart with other texts.
pub(super) fn chart(n_components: usize, seed: usize) -> Vec<(String, String)> {
    let mut files = vec![
        (
            "Chart.yaml".to_owned(),
            format!(
                "apiVersion: v2\nname: platform\nversion: 1.{seed}.0\nappVersion: \"{seed}\"\ntype: application\n"
            ),
        ),
        ("values.yaml".to_owned(), values(n_components, seed)),
        ("templates/_helpers.tpl".to_owned(), helpers()),
    ];
    for idx in 0..n_components {
        for (kind, template) in TEMPLATES {
            files.push((
                format!("templates/{idx:03}-{kind}.yaml"),
                template.replace("COMPONENT", &format!("c{idx:03}")),
            ));
        }
    }
    files
}

fn values(n_components: usize, seed: usize) -> String {
    let mut text = format!(
        "global:\n  registry: registry-{seed}.example.com\n  domain: \"{{{{ .Release.Namespace }}}}.example.com\"\n  labels:\n    \
         team: platform\n    cost-center: \"{seed}\"\ncomponents:\n"
    );
    for idx in 0..n_components {
        let _ = write!(
            text,
            "  c{idx:03}:\n    enabled: true\n    replicas: {}\n    image: {{repository: team/c{idx:03}, tag: \"1.{idx}.{seed}\", \
             pullPolicy: IfNotPresent}}\n    port: {}\n    host: \"c{idx:03}.{{{{ .Values.global.domain }}}}\"\n    resources:\n      \
             requests: {{cpu: 100m, memory: {}Mi}}\n      limits: {{memory: 1Gi}}\n    nodeSelector: {{kubernetes.io/os: linux}}\n    \
             tolerations:\n    - {{key: dedicated, operator: Equal, value: c{idx:03}, effect: NoSchedule}}\n    annotations:\n      \
             example.com/owner: \"{{{{ include \\\"platform.level0\\\" . }}}}\"\n    env:\n",
            1 + idx % 5,
            8000 + idx,
            64 + idx,
        );
        for variable in 0..VARIABLES {
            let _ = writeln!(
                text,
                "      VARIABLE_{variable:02}: \"value {variable} of component {idx}, seed {seed}\""
            );
        }
        text.push_str("    config: |\n");
        for line in 0..20 {
            let _ = writeln!(text, "      setting.{line} = {{{{ .Release.Name }}}}-{idx}-{line}");
        }
    }
    text
}

fn helpers() -> String {
    let mut text = String::from(
        "{{- define \"platform.fullname\" -}}\n{{- if contains .Chart.Name .Release.Name -}}\n{{- .Release.Name | trunc 63 | \
         trimSuffix \"-\" -}}\n{{- else -}}\n{{- printf \"%s-%s\" .Release.Name .Chart.Name | trunc 63 | trimSuffix \"-\" -}}\n\
         {{- end -}}\n{{- end -}}\n\
         {{- define \"platform.labels\" -}}\nhelm.sh/chart: {{ printf \"%s-%s\" .Chart.Name .Chart.Version | replace \"+\" \"_\" }}\n\
         {{ include \"platform.selector\" . }}\napp.kubernetes.io/version: {{ .Chart.AppVersion | quote }}\n\
         app.kubernetes.io/managed-by: {{ .Release.Service }}\n{{- with .Values.global.labels }}\n{{ toYaml . }}\n{{- end }}\n\
         {{- end -}}\n\
         {{- define \"platform.selector\" -}}\napp.kubernetes.io/name: {{ include \"platform.fullname\" . }}\n\
         app.kubernetes.io/instance: {{ .Release.Name }}\napp.kubernetes.io/part-of: {{ include \"platform.level0\" . }}\n\
         {{- end -}}\n\
         {{- define \"platform.image\" -}}\n{{- $registry := default \"docker.io\" .root.Values.global.registry -}}\n\
         {{- printf \"%s/%s:%s\" $registry .image.repository (.image.tag | default .root.Chart.AppVersion) -}}\n{{- end -}}\n",
    );
    for level in 0..DEPTH {
        let _ = writeln!(
            text,
            "{{{{- define \"platform.level{level}\" -}}}}{{{{ include \"platform.level{}\" . | trim }}}}{{{{- end -}}}}",
            level + 1
        );
    }
    let _ = writeln!(
        text,
        "{{{{- define \"platform.level{DEPTH}\" -}}}}{{{{ .Release.Name | lower | quote }}}}{{{{- end -}}}}"
    );
    text
}

const TEMPLATES: [(&str, &str); 6] = [
    (
        "deployment",
        r#"{{- $component := index .Values.components "COMPONENT" }}
{{- if $component.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "platform.labels" . | nindent 4 }}
    app.kubernetes.io/component: COMPONENT
spec:
  replicas: {{ $component.replicas | default 1 }}
  selector:
    matchLabels:
      {{- include "platform.selector" . | nindent 6 }}
      app.kubernetes.io/component: COMPONENT
  template:
    metadata:
      annotations:
        checksum/config: {{ $component.config | sha256sum }}
        {{- range $key, $value := $component.annotations }}
        {{ $key }}: {{ tpl $value $ | trimAll "\"" | quote }}
        {{- end }}
      labels:
        {{- include "platform.selector" . | nindent 8 }}
        app.kubernetes.io/component: COMPONENT
    spec:
      containers:
        - name: main
          image: {{ include "platform.image" (dict "root" . "image" $component.image) | quote }}
          imagePullPolicy: {{ $component.image.pullPolicy }}
          ports:
            - name: http
              containerPort: {{ int $component.port }}
          env:
            {{- range $name, $value := $component.env }}
            - name: {{ $name | upper }}
              value: {{ $value | quote }}
            {{- end }}
          {{- with $component.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
      {{- with $component.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $component.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
"#,
    ),
    (
        "service",
        r#"{{- $component := index .Values.components "COMPONENT" }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
  labels:
    {{- include "platform.labels" . | nindent 4 }}
spec:
  ports:
    - {port: 80, targetPort: http, name: http}
    {{- if gt (int $component.port) 8010 }}
    - {port: {{ add $component.port 1 }}, name: metrics}
    {{- end }}
  selector:
    {{- include "platform.selector" . | nindent 4 }}
    app.kubernetes.io/component: COMPONENT
"#,
    ),
    (
        "configmap",
        r#"{{- $component := index .Values.components "COMPONENT" }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
  labels:
    {{- include "platform.labels" . | nindent 4 }}
data:
  config.properties: |
    {{- tpl $component.config . | nindent 4 }}
  environment.json: {{ $component.env | toJson | quote }}
"#,
    ),
    (
        "ingress",
        r#"{{- $component := index .Values.components "COMPONENT" }}
{{- if and $component.enabled (.Capabilities.APIVersions.Has "networking.k8s.io/v1") }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
  labels:
    {{- include "platform.labels" . | nindent 4 }}
spec:
  rules:
    {{- range $host := list (tpl (tpl $component.host .) .) (printf "%s.internal" "COMPONENT") }}
    - host: {{ $host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ include "platform.fullname" $ }}-COMPONENT, port: {name: http}}}
    {{- end }}
{{- end }}
"#,
    ),
    (
        "rbac",
        r#"apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
  labels:
    {{- include "platform.labels" . | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
rules:
  {{- range $resource := list "pods" "services" "configmaps" "secrets" }}
  - apiGroups: [""]
    resources: [{{ $resource }}]
    verbs: {{ list "get" "list" "watch" | toJson }}
  {{- end }}
"#,
    ),
    (
        "autoscaler",
        r#"{{- $component := index .Values.components "COMPONENT" }}
{{- $maximum := mul (int $component.replicas) 3 | max 4 }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "platform.fullname" . }}-COMPONENT
  annotations:
    {{- merge (dict "example.com/maximum" (toString $maximum)) (dict "example.com/port" (printf "%v" $component.port)) | toYaml | nindent 4 }}
spec:
  minReplicas: {{ $component.replicas }}
  maxReplicas: {{ $maximum }}
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "platform.fullname" . }}-COMPONENT}
"#,
    ),
];
