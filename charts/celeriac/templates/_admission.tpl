{{- /* Head of the ValidatingAdmissionPolicy named by `suffix`, up to its spec's own fields. */ -}}
{{- define "celeriac.admissionPolicy" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ include "celeriac.clusterName" .root }}-{{ .suffix }}
  labels:
    {{- include "celeriac.labels" .root | nindent 4 }}
spec:
  failurePolicy: Fail
{{- end -}}

{{- /* Its binding: to the whole cluster, or to the watched namespaces. */ -}}
{{- define "celeriac.admissionBinding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "celeriac.clusterName" .root }}-{{ .suffix }}
  labels:
    {{- include "celeriac.labels" .root | nindent 4 }}
spec:
  policyName: {{ include "celeriac.clusterName" .root }}-{{ .suffix }}
  validationActions: [Deny]
  {{- with .root.Values.watch.namespaces }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: In
          values:
            {{- toYaml . | nindent 12 }}
  {{- end }}
{{- end -}}

{{- /* CEL: whether the asker is an operator here, which is to say, may write what became of Tasks. */ -}}
{{- define "celeriac.mayWriteStatus" -}}
authorizer.group('celeriac.dev').resource('tasks').subresource('status').namespace(request.namespace).check('patch').allowed()
{{- end -}}

{{- /* CEL: the owners of an object, each as its uid and whether it controls it. The garbage collector takes owners away and
changes blockOwnerDeletion, which is nobody's harm. */ -}}
{{- define "celeriac.owners" -}}
>-
        ({{ . }} != null && has({{ . }}.metadata.ownerReferences) ? {{ . }}.metadata.ownerReferences : [])
        .map(o, o.uid + (has(o.controller) && o.controller ? ' controls' : ''))
{{- end -}}
