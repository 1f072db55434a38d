"""Validates rendered manifests, from standard input, against the schemas of one release of
Kubernetes, strictly: no key that it does not know. Resources of others are passed on as JSON
lines, for whoever knows them. And what no schema says: selectors select, references refer."""

import argparse
import json
import sys

import kubernetes_validate
import yaml


def key(document):
    return document["kind"], document["metadata"]["name"]


def referred(documents):
    """Complaints about what names something that is not there."""
    known = {key(document) for document in documents}
    for document in documents:
        kind, name = key(document)
        if kind != "StatefulSet":
            continue
        spec, template = document["spec"], document["spec"]["template"]
        labels = template["metadata"]["labels"]
        if ("Service", spec["serviceName"]) not in known:
            yield f"{name}: its service {spec['serviceName']} is not there"
        for volume in template["spec"]["volumes"]:
            config = volume.get("configMap", {}).get("name")
            if config and ("ConfigMap", config) not in known:
                yield f"{name}: its ConfigMap {config} is not there"
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        for other in documents:
            if other["kind"] == "Service" and other["spec"]["selector"].items() <= labels.items():
                for port in other["spec"]["ports"]:
                    if port["targetPort"] not in ports:
                        yield f"{other['metadata']['name']}: no port {port['targetPort']}"
        for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            if not any(selects(other, labels) for other in documents if other["kind"] == kind):
                yield f"{name}: no {kind} selects its pods"


def selects(document, labels):
    spec = document["spec"]
    selector = spec.get("podSelector", spec.get("selector", {}))
    return selector.get("matchLabels", selector).items() <= labels.items()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--release", required=True)
    arguments.add_argument("--others", required=True, help="file for resources of others")
    options = arguments.parse_args()
    documents = [document for document in yaml.safe_load_all(sys.stdin) if document]
    complaints = list(referred(documents))
    own = 0
    with open(options.others, "w", encoding="utf-8") as others:
        for document in documents:
            group = document["apiVersion"].split("/")[0]
            if "." in group and not group.endswith("k8s.io"):
                others.write(json.dumps(document) + "\n")
                continue
            own += 1
            try:
                kubernetes_validate.validate(document, options.release, strict=True)
            except kubernetes_validate.ValidationError as error:
                complaints.append(f"{key(document)}: {error.message} at {list(error.path)}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(own)
    sys.exit(bool(complaints) or own == 0)


main()
