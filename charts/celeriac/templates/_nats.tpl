{{- define "celeriac.natsFullname" -}}
{{- printf "%s-nats" (include "celeriac.fullname" .) -}}
{{- end -}}

{{- define "celeriac.natsSelectorLabels" -}}
app.kubernetes.io/name: {{ include "celeriac.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: nats
{{- end -}}

{{- define "celeriac.natsLabels" -}}
{{ include "celeriac.commonLabels" . }}
app.kubernetes.io/component: nats
{{- end -}}

{{- define "celeriac.natsImage" -}}
{{- printf "%s:%s" .Values.nats.image.repository (default .Chart.AppVersion .Values.nats.image.tag) -}}
{{- with .Values.nats.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* Where the operator finds NATS; empty where there is none. */ -}}
{{- define "celeriac.natsUrl" -}}
{{- if and .Values.nats.enabled .Values.nats.url -}}
{{- fail "nats.url needs nats.enabled=false: the operator works with one NATS, the chart's own or yours" -}}
{{- end -}}
{{- if .Values.nats.enabled -}}
{{- ternary "tls" "nats" (ne .Values.nats.tls.serverSecretName "") -}}
{{- printf "://%s.%s.svc:%d" (include "celeriac.natsFullname" .) .Release.Namespace (int .Values.nats.service.port) -}}
{{- else -}}
{{- .Values.nats.url -}}
{{- end -}}
{{- end -}}

{{- /* The Secret that holds the passwords of the chart's own NATS. */ -}}
{{- define "celeriac.natsAuthSecret" -}}
{{- default (printf "%s-auth" (include "celeriac.natsFullname" .)) .Values.nats.auth.existingSecret -}}
{{- end -}}

{{- /* Secrets in the namespaces of tasks: one for the pods that run them, one for programs that submit. */ -}}
{{- define "celeriac.natsRunnerSecret" -}}
{{- default (printf "%s-runner" (include "celeriac.natsFullname" .)) .Values.nats.runner.secretName -}}
{{- end -}}

{{- define "celeriac.natsClientSecret" -}}
{{- printf "%s-client" (include "celeriac.natsFullname" .) -}}
{{- end -}}

{{- /* Namespaces that have users of their own, as JSON. */ -}}
{{- define "celeriac.natsNamespaces" -}}
{{- default .Values.watch.namespaces .Values.nats.auth.namespaces | toJson -}}
{{- end -}}

{{- /* The users of the chart's own NATS, as JSON; each is a key of the Secret too. */ -}}
{{- define "celeriac.natsUsers" -}}
{{- $users := list "operator" "client" -}}
{{- range include "celeriac.natsNamespaces" . | fromJsonArray -}}
{{- $users = concat $users (list (printf "client-%s" .) (printf "runner-%s" .)) -}}
{{- end -}}
{{- $users | toJson -}}
{{- end -}}

{{- /* Name of the variable that holds a user's password. */ -}}
{{- define "celeriac.natsPasswordVariable" -}}
{{- printf "PASSWORD_%s" (. | upper | replace "-" "_") -}}
{{- end -}}

{{- /* The passwords, as JSON: those of the Secret as it is, and a new one for each user that is new. Where Helm cannot
ask the cluster (helm template), they are new each time: give nats.auth.existingSecret there. They are remembered for
the time of one rendering, or each template would draw its own. */ -}}
{{- define "celeriac.natsPasswords" -}}
{{- if not (hasKey .Values.nats.auth "drawn") -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "celeriac.natsAuthSecret" .) | default dict -}}
{{- $kept := $secret.data | default dict -}}
{{- $drawn := dict -}}
{{- range include "celeriac.natsUsers" . | fromJsonArray -}}
{{- $password := ternary (index $kept . | default "" | b64dec) (randAlphaNum 32) (hasKey $kept .) -}}
{{- $_ := set $drawn . $password -}}
{{- end -}}
{{- $_ := set .Values.nats.auth "drawn" $drawn -}}
{{- end -}}
{{- .Values.nats.auth.drawn | toJson -}}
{{- end -}}

{{- /* Bytes that a size says: a number with Mi, Gi or Ti. */ -}}
{{- define "celeriac.bytes" -}}
{{- $units := dict "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (index $units (regexFind "[A-Za-z]+$" .) | int64) -}}
{{- end -}}

{{- /* 9/10 of the volume, in bytes: the rest is for the file system and what is being compacted. */ -}}
{{- define "celeriac.natsMaxFileStore" -}}
{{- div (mul (include "celeriac.bytes" .Values.nats.persistence.size | int64) 9) 10 -}}
{{- end -}}

{{- /* Bytes of dead letters, or of delayed messages, that there may be: as given, else 1/20 of the volume; of a server of
your own the operator has a default. */ -}}
{{- define "celeriac.natsBound" -}}
{{- if .size -}}
{{- include "celeriac.bytes" .size -}}
{{- else if .root.Values.nats.enabled -}}
{{- max (div (include "celeriac.bytes" .root.Values.nats.persistence.size | int64) 20) 1048576 -}}
{{- end -}}
{{- end -}}

{{- /* What a client may publish to, and listen to beside the answers to itself, in a namespace, or in all of them (*), as
YAML: submit, ask to cancel, read records and events, and put and read large params and results. The streams and buckets are
the operator's to make, change and delete. Nobody else may make a consumer: it delivers wherever it is told to, whatever its
maker may publish to. So all is read by its subject. */ -}}
{{- define "celeriac.natsClientRights" -}}
publish:
  - celeriac.submit.{{ . }}.>
  - $KV.celeriac-results.{{ . }}.*
  - $JS.API.DIRECT.GET.CELERIAC_EVENTS.celeriac.events.{{ . }}.>
  {{- include "celeriac.natsSharedRights" . | nindent 2 }}
subscribe:
  - $KV.celeriac-results.{{ . }}.>
  - celeriac.events.{{ . }}.>
{{- end -}}

{{- /* What the pods of a namespace's tasks may do: record the outcome of attempts, report progress, put and read large
params and results, and wait for tasks and claim them. */ -}}
{{- define "celeriac.natsRunnerRights" -}}
publish:
  - $KV.celeriac-results.{{ . }}.*.*
  - $KV.celeriac-results.{{ . }}.claim.*.*
  - celeriac.ready.{{ . }}.*
  - {{ include "celeriac.natsProgress" . }}
  {{- include "celeriac.natsSharedRights" . | nindent 2 }}
subscribe:
  - $KV.celeriac-results.{{ . }}.>
  - celeriac.assign.{{ . }}.*
  - celeriac.roll.{{ . }}
{{- end -}}

{{- define "celeriac.natsProgress" -}}
celeriac.events.{{ . }}.*.Progress
{{- end -}}

{{- define "celeriac.natsSharedRights" -}}
- $JS.API.INFO
- $JS.API.STREAM.INFO.*
- $JS.API.DIRECT.GET.KV_celeriac-results.$KV.celeriac-results.{{ . }}.>
- $JS.API.DIRECT.GET.OBJ_celeriac-payloads.$O.celeriac-payloads.C.{{ . }}.>
- $JS.API.DIRECT.GET.OBJ_celeriac-payloads.$O.celeriac-payloads.M.{{ . }}.>
- $O.celeriac-payloads.C.{{ . }}.>
- $O.celeriac-payloads.M.{{ . }}.>
{{- end -}}

{{- /* What the operator's account lets others have of it: what any client or runner may. */ -}}
{{- define "celeriac.natsExports" -}}
{{- $client := include "celeriac.natsClientRights" "*" | fromYaml -}}
{{- $runner := include "celeriac.natsRunnerRights" "*" | fromYaml -}}
exports: [
  {{- range concat $client.publish $runner.publish | uniq }}
  {service: {{ quote . }}}
  {{- end }}
  {{- range concat $client.subscribe $runner.subscribe | uniq }}
  {stream: {{ quote . }}}
  {{- end }}
]
{{- end -}}

{{- /* A user, in an account of its own. Permissions do not look at where an answer is to go, and the server publishes its
answers wherever it is asked to: in the operator's account that would be a way to every subject of it, to delete a stream
among them. Here an answer stays in the account of who asked.

What comes into the operator's account from another one is not passed on to a third (nats-server#8338). So a client hears
of progress from the runners' accounts: `tells` of one, `hears` of another, which has the namespaces. */ -}}
{{- define "celeriac.natsAccount" -}}
{{ quote .user }}: {
  users: [
    {
      user: {{ .user }}
      password: ${{ include "celeriac.natsPasswordVariable" .user }}
      permissions: {
        publish: {allow: [{{ range .rights.publish }}{{ quote . }}, {{ end }}]}
        subscribe: {allow: [{{ range .rights.subscribe }}{{ quote . }}, {{ end }}{{ printf "_INBOX_%s.>" .user | quote }}]}
      }
    }
  ]
  imports: [
    {{- range .rights.publish }}
    {service: {account: CELERIAC, subject: {{ quote . }}}}
    {{- end }}
    {{- range .rights.subscribe }}
    {stream: {account: CELERIAC, subject: {{ quote . }}}}
    {{- end }}
    {{- range .hears }}
    {stream: {account: {{ printf "runner-%s" . | quote }}, subject: {{ include "celeriac.natsProgress" . | quote }}}}
    {{- end }}
  ]
  {{- with .tells }}
  exports: [{stream: {{ include "celeriac.natsProgress" . | quote }}}]
  {{- end }}
}
{{- end -}}

{{- /* One user's Secret; its keys are the names of the variables that the SDK reads, so that envFrom is all one needs. */ -}}
{{- define "celeriac.natsUserSecret" -}}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "celeriac.natsLabels" .root | nindent 4 }}
type: Opaque
data:
  CELERIAC_NATS_URL: {{ .url | b64enc | quote }}
  CELERIAC_NATS_USER: {{ .user | b64enc | quote }}
  CELERIAC_NATS_PASSWORD: {{ .password | b64enc | quote }}
  CELERIAC_NATS_INBOX_PREFIX: {{ printf "_INBOX_%s" .user | b64enc | quote }}
{{- end -}}

{{- /* Secrets that the operator has as files, as JSON. */ -}}
{{- define "celeriac.natsFiles" -}}
{{- $files := list -}}
{{- if include "celeriac.natsUrl" . -}}
{{- $credentials := .Values.nats.credentials -}}
{{- if and $credentials.secretName (ne $credentials.kind "password") -}}
{{- $files = append $files (dict "name" "nats-credentials" "secret" $credentials.secretName) -}}
{{- end -}}
{{- with .Values.nats.tls.caSecretName -}}
{{- $files = append $files (dict "name" "nats-ca" "secret" .) -}}
{{- end -}}
{{- with .Values.nats.tls.clientSecretName -}}
{{- $files = append $files (dict "name" "nats-client" "secret" .) -}}
{{- end -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{- /* What the operator is told of NATS. */ -}}
{{- define "celeriac.natsEnvironment" -}}
- name: CELERIAC_NATS_URL
  value: {{ include "celeriac.natsUrl" . | quote }}
{{- if .Values.nats.enabled }}
- name: CELERIAC_NATS_USER
  value: operator
- name: CELERIAC_NATS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "celeriac.natsAuthSecret" . }}
      key: operator
- name: CELERIAC_NATS_INBOX_PREFIX
  value: _INBOX_operator
{{- else if and .Values.nats.url .Values.nats.credentials.secretName }}
{{- if eq .Values.nats.credentials.kind "password" }}
- name: CELERIAC_NATS_USER
  valueFrom:
    secretKeyRef:
      name: {{ .Values.nats.credentials.secretName }}
      key: user
- name: CELERIAC_NATS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.nats.credentials.secretName }}
      key: password
{{- else }}
- name: CELERIAC_NATS_{{ upper .Values.nats.credentials.kind }}
  value: /etc/celeriac/nats-credentials/{{ .Values.nats.credentials.kind }}
{{- end }}
{{- end }}
{{- if include "celeriac.natsUrl" . }}
{{- if .Values.nats.tls.caSecretName }}
- name: CELERIAC_NATS_CA
  value: /etc/celeriac/nats-ca/ca.crt
{{- end }}
{{- if .Values.nats.tls.clientSecretName }}
- name: CELERIAC_NATS_CERT
  value: /etc/celeriac/nats-client/tls.crt
- name: CELERIAC_NATS_KEY
  value: /etc/celeriac/nats-client/tls.key
{{- end }}
- name: CELERIAC_NATS_REPLICAS
  value: {{ .Values.nats.streamReplicas | int64 | quote }}
{{- with include "celeriac.natsBound" (dict "root" . "size" .Values.nats.deadLettersSize) }}
- name: CELERIAC_NATS_DEAD_BYTES
  value: {{ . | quote }}
{{- end }}
{{- with include "celeriac.natsBound" (dict "root" . "size" .Values.nats.delayedSize) }}
- name: CELERIAC_NATS_DELAYED_BYTES
  value: {{ . | quote }}
{{- end }}
- name: CELERIAC_NATS_NAMESPACE_PERCENT
  value: {{ .Values.nats.namespacePercent | int64 | quote }}
- name: CELERIAC_RECORD_RETENTION_DAYS
  value: {{ .Values.nats.recordRetentionDays | int64 | quote }}
- name: CELERIAC_RUNNER_NATS_URL
  value: {{ .Values.nats.runner.url | quote }}
- name: CELERIAC_RUNNER_NATS_SECRET
  value: {{ include "celeriac.natsRunnerSecret" . | quote }}
- name: CELERIAC_RUNNER_NATS_CREDS
  value: {{ .Values.nats.runner.creds | quote }}
{{- end }}
{{- end -}}
