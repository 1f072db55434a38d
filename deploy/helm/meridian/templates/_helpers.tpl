{{- define "meridian.name" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- /* With a region and `-nodes` behind it, it is a label of a DNS name. */ -}}
{{- trunc 24 $whole | trimSuffix "-" -}}
{{- end }}

{{- /* Labels of everything of this release. */ -}}
{{- define "meridian.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* What pods of this release are known by. */ -}}
{{- define "meridian.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The regions that this release runs, as a YAML list under `regions`. */ -}}
{{- define "meridian.local" -}}
{{- $local := list -}}
{{- range .Values.regions -}}
{{- if ne (toString .local) "false" }}{{ $local = append $local . }}{{ end -}}
{{- end -}}
{{- toYaml (dict "regions" $local) -}}
{{- end }}

{{- /* What a schema cannot say: numbers that are used twice, or do not follow one another. */ -}}
{{- define "meridian.check" -}}
{{- $seen := dict -}}
{{- $names := dict -}}
{{- range .Values.regions -}}
{{- $region := . -}}
{{- if hasKey $names .id }}{{ fail (printf "region %s stands twice in `regions`: give each region one entry" .id) }}{{ end -}}
{{- $_ := set $names .id true -}}
{{- range $at, $node := .nodes -}}
{{- $id := toString (int64 $node.id) -}}
{{- if hasKey $seen $id }}{{ fail (printf "node %s stands twice in `regions`: a new node takes a number never used before" $id) }}{{ end -}}
{{- $_ := set $seen $id true -}}
{{- $expected := add (int64 (index $region.nodes 0).id) $at -}}
{{- if and (ne (toString $region.local) "false") (ne (int64 $node.id) (int64 $expected)) }}{{ fail (printf "region %s: node %s comes where %d is expected: the numbers of a region that this release runs follow one another" $region.id $id $expected) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if not (include "meridian.local" . | fromYaml).regions }}{{ fail "no region is run by this release: set `local: true` for at least one" }}{{ end -}}
{{- end }}

{{- /* The latest level of formats of this release. */ -}}
{{- define "meridian.latestLevel" -}}
2
{{- end }}

{{- /* What this release's regions have from before, as the API server tells: `level`, the greatest of
their ConfigMaps, 0 if there are none; `volume`, one that a node has left, if there are no ConfigMaps. */ -}}
{{- define "meridian.before" -}}
{{- $level := 0 -}}
{{- $volume := "" -}}
{{- range $region := (include "meridian.local" . | fromYaml).regions -}}
{{- $set := printf "%s-%s" (include "meridian.name" $) .id -}}
{{- $known := lookup "v1" "ConfigMap" $.Release.Namespace $set -}}
{{- if $known -}}
{{- /* Topologies of releases before levels say none: the first. */ -}}
{{- $said := regexFind "(?m)^format_level *= *[0-9]+" (index $known.data "topology.toml") -}}
{{- $level = max $level (default "1" (regexFind "[0-9]+$" $said) | int64) -}}
{{- else -}}
{{- range .nodes -}}
{{- $claim := printf "data-%s-%d" $set (int64 .id) -}}
{{- if lookup "v1" "PersistentVolumeClaim" $.Release.Namespace $claim }}{{ $volume = $claim }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "level" $level "volume" $volume) -}}
{{- end }}

{{- /* The level of formats that nodes write: by hand, or else what the cluster has, and in a new one the
latest. It is raised only by hand: from there on is no way back. Who only renders is told nothing of what
there is, and gets the latest: charts cannot tell. */ -}}
{{- define "meridian.level" -}}
{{- if not (kindIs "invalid" .Values.formatLevel) -}}
{{- int64 .Values.formatLevel -}}
{{- else -}}
{{- $before := include "meridian.before" . | fromYaml -}}
{{- $elsewhere := sub (len .Values.regions) (len (include "meridian.local" . | fromYaml).regions) -}}
{{- if $before.level -}}
{{- int64 $before.level -}}
{{- else if .Release.IsUpgrade -}}
{{- fail "formatLevel: this is an upgrade, and no ConfigMap of the release tells which level of formats the cluster has: look at `meridian upgrade check`, and set formatLevel to that level (or let helm ask the API server, as by --dry-run=server)" -}}
{{- else if $before.volume -}}
{{- fail (printf "formatLevel: %s is a volume of a node from before, and no ConfigMap of a release tells at which level of formats it is: set formatLevel to the level that the cluster has had" $before.volume) -}}
{{- else if $elsewhere -}}
{{- fail (printf "formatLevel: regions of this cluster are run elsewhere (`local: false`): set it to the level of formats that they have (`meridian upgrade check`), or in a new cluster to %s in each release" (include "meridian.latestLevel" . | trim)) -}}
{{- else -}}
{{- include "meridian.latestLevel" . -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* The file that all nodes share. */ -}}
{{- define "meridian.topology" -}}
{{- $top := . -}}
{{- $name := include "meridian.name" . -}}
cluster = {{ toJson .Values.cluster }}
epoch = {{ int64 .Values.epoch }}
region_voters = {{ int64 .Values.regionVoters }}
format_level = {{ include "meridian.level" . }}
{{- range .Values.regions }}

[[regions]]
id = {{ toJson .id }}
latitude = {{ printf "%f" (float64 .latitude) }}
longitude = {{ printf "%f" (float64 .longitude) }}
{{- end }}
{{- range $region := .Values.regions }}
{{- $set := printf "%s-%s" $name $region.id }}
{{- range $region.nodes }}
{{- $host := printf "%s-%d.%s-nodes.%s.svc.%s" $set (int64 .id) $set $top.Release.Namespace $top.Values.clusterDomain }}

[[nodes]]
id = {{ int64 .id }}
region = {{ toJson $region.id }}
zone = {{ toJson .zone }}
peer = {{ toJson (default (printf "%s:7401" $host) .peer) }}
api = {{ toJson (default (printf "%s://%s:7400" (include "meridian.scheme" $top.Values.clientTls.secret) $host) .api) }}
admin = {{ toJson (default (printf "%s://%s:7402" (include "meridian.scheme" $top.Values.clientTls.admin) $host) .admin) }}
state = {{ toJson (default "active" .state) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* How a port is spoken to, by whether it has a certificate. */ -}}
{{- define "meridian.scheme" -}}
{{ if . }}https{{ else }}http{{ end }}
{{- end }}

{{- /* The configuration of one node. JSON's strings, numbers and lists are TOML's, too. */ -}}
{{- define "meridian.config" -}}
[node]
id = {{ int64 .node.id }}
region = {{ toJson .region.id }}
zone = {{ toJson .node.zone }}
data_dir = "/var/lib/meridian"

[listen]
# The kubelet asks for health by the pod's address; a NetworkPolicy keeps others out.
admin = "0.0.0.0:7402"

[tls]
ca = "/etc/meridian/tls/ca.pem"
cert = "/etc/meridian/tls/node-{{ int64 .node.id }}.pem"
key = "/etc/meridian/tls/node-{{ int64 .node.id }}.key"

{{- if .top.Values.clientTls.secret }}

[client_tls]
cert = "/etc/meridian/client-tls/tls.crt"
key = "/etc/meridian/client-tls/tls.key"
admin = {{ .top.Values.clientTls.admin }}
{{- end }}

[cluster]
topology = "/etc/meridian/config/topology.toml"
{{- range $section, $keys := .top.Values.config }}

[{{ $section }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- end }}
