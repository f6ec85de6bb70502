#!/usr/bin/env python3
"""bounds.py DIRECTORY: every query parameter of every route and every member of a container's request gets numbers and texts that
are none: no answer may be a 5xx but "not supported", davitd must not end and must not grow. Routes are those of docs/openapi.yaml;
with DAVIT_BUILD a sanitizer build can be tried."""
import json
import pathlib
import re
import sys
import urllib.parse

import yaml

import host
from host import Host, Lost

NUMBERS = ["", "abc", "-1", "0", "1", str(2**31), str(2**32), str(2**63 - 1), str(2**63), str(2**64), "1e400", "1.5", " 1", "+1", "0x1", "18446744073710", "-9223372036854775808"]
TEXTS = ["", "x" * 1000, "x" * 60000, "%00", "a%00b", "%ff%fe", "%zz", "..", "../../etc/passwd", "/", "{}", "[]", '{"label":{"x":true}}', '{"label":["a"],"until":["1e400"]}', '{"id":[1]}', "\n", "é" * 300]
JSON_VALUES = [None, True, -1, 0, 2**31, 2**63 - 1, 2**63, 2**64, 1e308, 1.5, "", "abc", "x" * 1000000, "\0", "a\0b", "..", "/", [], [""], ["x"], [1], [None], [{}], {}, {"": ""}, {"x": 1}, {"x": None}, {"a\0b": "c"}]
RAW = [b"", b"{", b"nul", b"\xff\xfe", b'{"Image":"\xff\xfe"}', b'{"Image":' + b"[" * 100000, b'{"Image":1e400}', b'{"Image":-}', b"[]", b"1", b'"x"', b'{"a":1,"a":2}', b'{"HostConfig":{"Memory":99999999999999999999999999}}']
STREAMS = {"/events": "until=1", "/containers/{id}/logs": "stdout=1", "/containers/{id}/stats": "stream=0", "/containers/{id}/wait": ""}
SKIPPED = {("POST", "/exec/{id}/start"), ("POST", "/containers/{id}/attach")}  # a connection of their own; clients.bats has them


class Bounds:
    def __init__(self, directory):
        self.host = Host(directory)
        self.document = yaml.safe_load((host.TOP / "docs/openapi.yaml").read_text())
        self.tried = self.failed = 0

    def prepare(self):
        """What paths name; made again where a request has removed it."""
        one = self.host
        if one.call("GET", "/images/busybox/json")[0] != 200:
            one.load()
        if one.call("GET", "/containers/cc/json")[0] != 200:
            one.create("cc", ["true"])
        if one.call("GET", "/volumes/vv")[0] != 200:
            one.do("POST", "/volumes/create", {"Name": "vv"})
        if one.call("GET", "/networks/nn")[0] != 200:
            one.do("POST", "/networks/create", {"Name": "nn"})

    def parameters(self, operation, path_item):
        for parameter in operation.get("parameters", []) + path_item.get("parameters", []):
            if "$ref" in parameter:
                parameter = self.document["components"]["parameters"][parameter["$ref"].rsplit("/", 1)[1]]
            if parameter["in"] == "query":
                yield parameter["name"]

    def routes(self):
        for path, item in self.document["paths"].items():
            for method in ("get", "head", "post", "put", "delete"):
                if method in item and (method.upper(), path) not in SKIPPED:
                    yield method.upper(), path, sorted(set(self.parameters(item[method], item)))

    @staticmethod
    def fill(path):
        name = "busybox" if "/images/" in path else "vv" if "/volumes/" in path else "nn" if "/networks/" in path else "cc"
        return re.sub(r"\{[a-z]+\}", name, path)

    def attempt(self, what, method, url, body=None, data=None):
        self.tried += 1
        asks_others = any(word in url for word in ("fromImage", "push", "/auth", "/images/search", "/distribution/"))  # who tries again and again while there is no network
        try:
            status, answer = self.host.call(method, url, body, timeout=0.5 if asks_others else 4, data=data, end=0.2)
        except (Lost, ValueError) as error:  # a time-out is a stream that has begun, or a wait for what does not come
            if isinstance(error, ValueError):
                return
            if "timed out" in str(error):
                if not asks_others:
                    print(f"# {what}: no end", flush=True)
                return
            status, answer = 0, str(error)
        if not self.host.is_alive():
            raise AssertionError(f"davitd has ended after {what}: {self.host.log_text()[-3000:]}")
        if asks_others and "resolve host name" in str(answer):
            return  # it was taken for a name, and there is no network
        if status == 0 or (status >= 500 and status != 501):
            self.failed += 1
            print(f"not ok - {what}: {status} {str(answer)[:300]}", flush=True)

    def queries(self):
        for method, path, names in self.routes():
            for name in names:
                self.prepare()
                for value in NUMBERS + TEXTS:
                    raw = value if "%" in value else urllib.parse.quote(value)
                    extra = STREAMS.get(path, "")
                    if extra.split("=")[0] == name:
                        extra = ""
                    url = f"{self.fill(path)}?{name}={raw}&{extra}"
                    self.attempt(f"{method} {path}?{name}={value[:40]!r}", method, url)

    def names(self):
        """The part of a path that names something."""
        for method, path, _ in self.routes():
            if "{" not in path:
                continue
            for value in TEXTS + NUMBERS:
                raw = value if "%" in value else urllib.parse.quote(value, safe="")
                self.attempt(f"{method} {path} of {value[:40]!r}", method, re.sub(r"\{[a-z]+\}", raw or "%20", path) + "?" + STREAMS.get(path, ""))
            self.prepare()

    def members(self):
        """A container's request, member by member, as inspect knows them."""
        self.prepare()
        inspected = self.host.inspect("cc")
        number = 0
        for part, path in (("HostConfig", "/containers/create"), ("Config", "/containers/create"), ("HostConfig", "/containers/cc/update")):
            for name in inspected[part]:
                if name == "Image":
                    continue
                for value in JSON_VALUES:
                    member = {name: value}
                    body = member if part == "Config" or "update" in path else {"HostConfig": member}
                    if "create" in path:
                        body = {"Image": "busybox", **body}
                        number += 1
                    self.attempt(f"{path} {part}.{name} = {str(value)[:40]!r}", "POST", f"{path}?name=m{number}" if "create" in path else path, body)
                    self.host.call("DELETE", f"/containers/m{number}?v=1&force=1")

    def bodies(self):
        for method, path, _ in self.routes():
            if method == "POST":
                self.prepare()
                for raw in RAW:
                    self.attempt(f"{method} {path} with {raw[:40]!r}", method, self.fill(path), body={}, data=raw)
        others = {"/volumes/create": ["Name", "Driver", "DriverOpts", "Labels"], "/networks/create": ["Name", "Driver", "Options", "IPAM", "Labels", "Internal"],
                  "/containers/cc/exec": ["Cmd", "Env", "User", "WorkingDir", "Tty", "Privileged"], "/networks/nn/connect": ["Container", "EndpointConfig"],
                  "/commit?container=cc": ["Cmd", "Env", "Labels", "ExposedPorts", "Volumes", "Healthcheck"]}
        for path, names in others.items():
            self.prepare()
            for name in names:
                for value in JSON_VALUES:
                    self.attempt(f"POST {path} {name} = {str(value)[:40]!r}", "POST", path, {name: value})

    def kib(self):
        text = pathlib.Path(f"/proc/{self.host.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])

    def run(self):
        self.host.start()
        self.prepare()
        before = self.kib()
        for part in (self.queries, self.names, self.members, self.bodies):
            part()
            print(f"# {part.__name__}: {self.tried} requests, {self.kib()} KiB", flush=True)
        if self.kib() > before + 32768:
            self.failed += 1
            print(f"not ok - davitd has grown from {before} to {self.kib()} KiB")
        self.host.stop()
        print(f"{self.tried - self.failed} passed, {self.failed} failed")


host.in_own_namespaces()
bounds = Bounds(pathlib.Path(sys.argv[1]) / "davit")
try:
    bounds.run()
finally:
    bounds.host.clean()
sys.exit(bounds.failed != 0)
