{{- define "celeriac.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 50 characters, so that every suffix used below stays within a DNS label. */ -}}
{{- define "celeriac.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* Name of cluster-scoped objects. Operators for some namespaces may be several in a cluster, so theirs has the release's namespace. */ -}}
{{- define "celeriac.clusterName" -}}
{{- if .Values.watch.namespaces -}}
{{- printf "%s-%s" .Release.Namespace (include "celeriac.fullname" .) -}}
{{- else -}}
{{- include "celeriac.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "celeriac.selectorLabels" -}}
app.kubernetes.io/name: {{ include "celeriac.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "celeriac.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "celeriac.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: celeriac
{{- end -}}

{{- define "celeriac.labels" -}}
{{ include "celeriac.commonLabels" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "celeriac.testLabels" -}}
{{ include "celeriac.commonLabels" . }}
app.kubernetes.io/component: test
{{- end -}}

{{- define "celeriac.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "celeriac.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "celeriac.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "celeriac.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "celeriac.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Everything the operator may do, in a ClusterRole or in the Role of each watched namespace. */ -}}
{{- define "celeriac.operatorRules" -}}
- apiGroups: [celeriac.dev]
  resources: [tasks]
  verbs: [create, get, list, watch, patch, delete]
- apiGroups: [celeriac.dev]
  resources: [tasks/status]
  verbs: [patch]
- apiGroups: [celeriac.dev]
  resources: [taskdefinitions]
  verbs: [get, list, watch]
- apiGroups: [celeriac.dev]
  resources: [taskdefinitions/status]
  verbs: [patch]
- apiGroups: [celeriac.dev]
  resources: [taskqueues, crontasks]
  verbs: [get, list, watch]
- apiGroups: [celeriac.dev]
  resources: [taskqueues/status, crontasks/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, get, list, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [create, get, list, delete]
{{- end -}}

{{- /* In the release's namespace only. No delete: a Lease that is gone is taken up while its holder may still write. */ -}}
{{- define "celeriac.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create, list, update]
{{- end -}}

{{- define "celeriac.viewRules" -}}
- apiGroups: [celeriac.dev]
  resources: [tasks, taskdefinitions, taskqueues, crontasks]
  verbs: [get, list, watch]
{{- end -}}

{{- /* Each role has what the one before it has, for those who bind it without the cluster's own view and edit. */ -}}
{{- define "celeriac.editRules" -}}
{{ include "celeriac.viewRules" . }}
- apiGroups: [celeriac.dev]
  resources: [tasks, crontasks]
  verbs: [create, update, patch, delete]
{{- end -}}

{{- define "celeriac.adminRules" -}}
{{ include "celeriac.editRules" . }}
- apiGroups: [celeriac.dev]
  resources: [taskdefinitions, taskqueues]
  verbs: [create, update, patch, delete]
{{- end -}}

{{- /* Where `helm test` makes its Task: the release's namespace if the operator watches it. */ -}}
{{- define "celeriac.testNamespace" -}}
{{- if or (not .Values.watch.namespaces) (has .Release.Namespace .Values.watch.namespaces) -}}
{{- .Release.Namespace -}}
{{- else -}}
{{- first .Values.watch.namespaces -}}
{{- end -}}
{{- end -}}
