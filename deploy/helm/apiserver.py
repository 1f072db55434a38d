#!/usr/bin/env python3
"""As much of a Kubernetes API server as `helm template --dry-run=server` asks: which kinds
there are, and one thing of one of them, as a ConfigMap with the topology that is read from the
standard input.

    apiserver.py KIND NAME COMMAND...

runs a command with its address in $APISERVER, and ends with its status.
"""

import http.server
import json
import os
import subprocess
import sys
import threading

# What the chart has, by where it stands.
KINDS = {
    "v1": ["ConfigMap", "PersistentVolumeClaim", "Service"],
    "apps/v1": ["StatefulSet"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
}


def plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def fixed() -> dict:
    """Answers that do not hang on what there is."""
    versions = [version.split("/") for version in KINDS if "/" in version]
    groups = []
    for group, number in versions:
        version = {"groupVersion": f"{group}/{number}", "version": number}
        groups.append({"name": group, "versions": [version], "preferredVersion": version})
    answers = {
        "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
    }
    for version, kinds in KINDS.items():
        resources = [
            {"name": plural(kind.lower()), "singularName": kind.lower(), "namespaced": True, "kind": kind,
             "verbs": ["get"]}
            for kind in kinds
        ]
        where = f"/apis/{version}" if "/" in version else f"/api/{version}"
        answers[where] = {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return answers



def main() -> int:
    kind, name, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    known = fixed()
    known[f"/api/v1/namespaces/shop/{plural(kind.lower())}/{name}"] = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "shop",
            # Whose it is: an install takes over nothing of others.
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop"},
        },
        "data": {"topology.toml": sys.stdin.read()},
    }

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = known.get(self.path.split("?")[0])
            gone = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            body = json.dumps(gone if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        return subprocess.run(command, env={**os.environ, "APISERVER": address}, stdin=subprocess.DEVNULL).returncode


sys.exit(main())
