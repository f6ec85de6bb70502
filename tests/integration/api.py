"""Requests to davitd's socket, for tests that make more of them than curl would be quick enough for."""
import http.client
import json
import socket


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("davit", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    def __init__(self, path, timeout=30):
        self.connection = Connection(path, timeout)

    def call(self, method, url, body=None):
        """The status and what was answered, JSON if it is that."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self.connection.request(method, url, json.dumps(body) if body is not None else None, headers)
        response = self.connection.getresponse()
        data = response.read()
        try:
            return response.status, json.loads(data)
        except ValueError:
            return response.status, data
