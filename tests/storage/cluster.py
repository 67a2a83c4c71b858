"""A Kubernetes of one node: this machine. It takes what the plugin for Kubernetes asks of an API server, and runs the jobs.

A pod is a folder of its own, which stands for its empty volume /workdir, an environment that has nothing but what the
image and the manifest give, and the manifest's command. Answers are those of Kubernetes 1.32, as far as the plugin asks.
"""

import base64
import json
import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml


class Cluster:
    """The state of the cluster, and its server. Use it as a context manager.

    Parameters
    ----------
    folder
        Where pods and volumes lie.
    image
        Environment of every container, as an image sets it.
    slots
        Pods that run at the same time.
    """

    def __init__(self, folder: Path, image: dict[str, str], slots: int = 2):
        self.folder, self.image = folder, image
        self.manifests: dict[str, dict] = {}  # of each job that was made
        self.secrets: dict[str, dict] = {}  # those that exist
        self.secrets_made: list[dict] = []
        self.exit_codes: dict[str, int | None] = {}  # of each job: None while it waits or runs
        self.lost: set[str] = set()  # jobs whose node went away, and with it their pod
        self.running: dict[str, subprocess.Popen] = {}
        self._pool = ThreadPoolExecutor(slots)
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                status, content = cluster.answer(self.command, self.path, body)
                data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = _answer

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(
            yaml.safe_dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "here",
                "clusters": [{"name": "here", "cluster": {"server": url}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "users": [{"name": "me", "user": {}}],
            })
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        for job in list(self.running):
            self.kill(job)
        self._pool.shutdown(cancel_futures=True)
        self._server.shutdown()
        self._server.server_close()

    def kill(self, job: str, node_lost: bool = False) -> None:
        """SIGKILL every process of a pod, as for a container out of memory; or lose the pod with its node."""
        if node_lost:
            self.lost.add(job)
        os.killpg(self.running[job].pid, signal.SIGKILL)

    def rule(self, job: str) -> str:
        """The rule that a job runs."""
        found = re.search(
            r"--allowed-rules (\w+)", self.manifests[job]["spec"]["template"]["spec"]["containers"][0]["args"][1]
        )
        assert found
        return found[1]

    def answer(self, method: str, path: str, body: dict) -> tuple[int, dict | str]:
        """Status and body of one request."""
        parts, query = urlsplit(path).path.strip("/").split("/"), parse_qs(urlsplit(path).query)
        kind, name = parts[parts.index("namespaces") + 2], (parts[parts.index("namespaces") + 3 :] or [""])[0]
        match method, kind, parts[-1]:
            case "POST", "secrets", _:
                self.secrets[body["metadata"]["name"]] = body
                self.secrets_made.append(body)
                return 201, body
            case "DELETE", "secrets", _:
                self.secrets.pop(name)
                return 200, {"kind": "Status", "status": "Success"}
            case "POST", "jobs", _:
                name = body["metadata"]["name"]
                self.manifests[name], self.exit_codes[name] = body, None
                self._pool.submit(self._run, name, body["spec"]["template"]["spec"])
                return 201, body
            case "GET", "jobs", "status":
                code = self.exit_codes[name]
                status = {} if code is None else {"failed": 1} if code else {"succeeded": 1}
                return 200, {"metadata": {"name": name}, "status": status}
            case "GET", "pods", "log":
                # A container that never restarted has no previous one.
                if query.get("previous") == ["True"]:
                    return 400, _failure(400, f'previous terminated container "snakemake" in pod "{name}" not found')
                return 200, (self.folder / name / "pod.log").read_text()
            case "GET", "pods", _:
                return 200, {"items": self._pods(query["labelSelector"][0].removeprefix("job-name="))}
            case "DELETE", _, _:
                return 200, {"kind": "Status", "status": "Success"}
        raise NotImplementedError(f"{method} {path}")

    def _pods(self, job: str) -> list[dict]:
        if job in self.lost:
            return []
        code = self.exit_codes[job]
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        container = {"name": "snakemake", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": state}
        return [{"metadata": {"name": job}, "status": {"containerStatuses": [container]}}]

    def _run(self, job: str, spec: dict) -> None:
        container, workdir = spec["containers"][0], self.folder / job / "workdir"
        workdir.mkdir(parents=True)
        claims = {volume["name"]: volume.get("persistentVolumeClaim") for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if claims[mount["name"]]:
                volume = self.folder / "volumes" / claims[mount["name"]]["claimName"]
                volume.mkdir(parents=True, exist_ok=True)
                place = workdir / Path(mount["mountPath"]).relative_to(container["workingDir"])
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(volume)
        known = {
            entry["name"]: base64.b64decode(
                self.secrets[entry["valueFrom"]["secretKeyRef"]["name"]]["data"][
                    entry["valueFrom"]["secretKeyRef"]["key"]
                ]
            ).decode()
            for entry in container["env"]
        }
        with open(self.folder / job / "pod.log", "wb") as log:
            self.running[job] = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=workdir, env=self.image | known, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            code = self.running[job].wait()
        del self.running[job]
        self.exit_codes[job] = 128 - code if code < 0 else code


def _failure(code: int, message: str) -> dict:
    return {"kind": "Status", "status": "Failure", "message": message, "reason": "BadRequest", "code": code}
