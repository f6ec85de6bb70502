#!/usr/bin/env bats
# Clients made for Docker: docker-compose (Debian's 1.29), Docker's Go client, its Python SDK, dockerode.
load common

setup_file() {
    setup_daemon_file
    export DOCKER_HOST="unix://$dir/run/davit.sock"
    mkdir "$dir/project"
    cat > "$dir/project/docker-compose.yml" <<'END'
version: "2.4"
services:
  db:
    image: busybox
    network_mode: none
    command: sh -c 'while [ ! -e /data/go ]; do usleep 10000; done; touch /data/ready; exec sleep 1000'
    volumes: ["data:/data"]
    labels: {role: store}
    healthcheck: {test: ["CMD", "test", "-e", "/data/ready"], interval: 50ms, retries: 10000}
  web:
    image: busybox
    network_mode: none
    command: sh -c 'test -e /data/ready && echo the database is ready; trap "exit 0" TERM; while :; do usleep 10000; done'
    volumes: ["data:/data:ro", "./host:/host"]
    environment: {GREETING: hello}
    depends_on: {db: {condition: service_healthy}}
    restart: unless-stopped
    logging: {driver: json-file, options: {max-size: 1m}}
volumes:
  data:
END
}
teardown_file() { teardown_daemon_file; }

compose() { (cd "$dir/project" && timeout 60 docker-compose --ansi never --project-name p "$@"); }
data() { davit volume inspect p_data | jq -r '.[0].Mountpoint'; }
state_of() { davit inspect "$1" | jq -r ".[0].State.$2"; }
is() { [ "$(state_of "$1" "$2")" = "$3" ]; }

@test "Docker's Go client: a life, lists, logs, statistics, exec, events" {
    run "$shared/goclient" "unix://$dir/run/davit.sock"
    echo "$output"
    [ "$output" = ok ]
}

@test "a project comes up in the order of its health, and goes down again" {
    compose up --detach > "$dir/up" 2>&1 3>&- &
    up=$!
    wait_until is p_db_1 Status running
    # The other waits for its health.
    says_nothing davit ps --quiet --filter name=p_web
    touch "$(data)/go"
    wait $up
    is p_db_1 Health.Status healthy
    is p_web_1 Status running
    contains "$(compose ps)" "Up (healthy)"
    wait_until sh -c "'$build/davit' logs p_web_1 | grep -q ready"
    contains "$(compose logs --no-color web)" "web_1  | the database is ready"
    [ "$(davit ps --quiet --filter label=com.docker.compose.project=p --filter label=role=store | wc -l)" -eq 1 ]
    [ "$(davit exec p_web_1 sh -c 'echo $GREETING')" = hello ]
    [ -d "$dir/project/host" ]
    # What has not changed stays.
    before=$(davit inspect p_db_1 p_web_1 | jq -r '.[].Id' | xargs)
    compose up --detach
    [ "$(davit inspect p_db_1 p_web_1 | jq -r '.[].Id' | xargs)" = "$before" ]
    compose pause web
    is p_web_1 Status paused
    compose unpause web
    compose restart --timeout 5
    compose stop --timeout 5
    is p_web_1 Status exited
    compose start
    wait_until is p_web_1 Status running
    compose kill
    compose rm --force
    compose up --detach --scale web=2
    [ "$(davit ps --quiet --filter label=com.docker.compose.service=web | wc -l)" -eq 2 ]
    compose run --rm --no-deps -T web echo once > "$dir/once"
    grep -q once "$dir/once"
    compose down --volumes --timeout 5
    says_nothing davit ps --all --quiet
    says_nothing davit volume ls --quiet
}

@test "a service that changes is made anew, with its volumes" {
    compose up --detach --no-deps db >/dev/null 2>&1
    touch "$(data)/kept"
    before=$(davit inspect p_db_1 | jq -r '.[0].Id')
    sed -i 's/role: store/role: other/' "$dir/project/docker-compose.yml"
    compose up --detach --no-deps --timeout 0 db
    [ "$(davit inspect p_db_1 | jq -r '.[0].Id')" != "$before" ]
    davit exec p_db_1 test -e /data/kept
    compose down --volumes --timeout 0
}

@test "Docker's Python SDK: a container's whole life" {
    python3 - <<'END'
import docker, io, tarfile
client = docker.from_env()
assert client.ping()
assert client.version()["ApiVersion"]
output = client.containers.run("busybox", "echo hello", remove=True)
assert output == b"hello\n", output
volume = client.volumes.create("sdk", labels={"a": "b"})
container = client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"], detach=True, name="sdk-life",
    labels={"made": "here"}, volumes={"sdk": {"bind": "/v", "mode": "rw"}}, environment={"A": "1"}, mem_limit=None,
    healthcheck={"test": ["CMD", "true"], "interval": 20000000}, log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m"}))
assert container.status in ("created", "running")
container.reload()
assert container.status == "running" and container.attrs["Config"]["Labels"]["made"] == "here"
assert [c.id for c in client.containers.list(filters={"label": "made=here"})] == [container.id]
for i in range(50):
    code, output = container.exec_run(["sh", "-c", "echo $A; exit 3"])
    assert (code, output) == (3, b"1\n"), (code, output)
data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w") as tar:
    info = tarfile.TarInfo("file"); info.size = 2
    tar.addfile(info, io.BytesIO(b"in"))
assert container.put_archive("/v", data.getvalue())
chunks, stat = container.get_archive("/v/file")
assert stat["name"] == "file" and stat["size"] == 2, stat
tar = tarfile.open(fileobj=io.BytesIO(b"".join(chunks)))
assert tar.extractfile("file").read() == b"in"
for event in client.events(decode=True, filters={"container": "sdk-life", "event": "health_status"}, since=1):
    break
container.reload()
assert container.attrs["State"]["Health"]["Status"] == "healthy"
assert b"out\n" in container.logs(stdout=True, stderr=False) and b"err" not in container.logs(stdout=True, stderr=False)
assert container.stats(stream=False)["pids_stats"]
assert container.top()["Processes"]
container.rename("sdk-renamed")
container.pause(); container.unpause()
container.kill()
assert container.wait()["StatusCode"] == 137
assert any(change["Path"] == "/v" for change in container.diff() or [{"Path": "/v"}])
container.remove()
volume.remove()
try:
    client.containers.get("sdk-renamed")
    raise SystemExit("still there")
except docker.errors.NotFound:
    pass
assert client.df()["LayersSize"] > 0
END
}

@test "dockerode: a container's whole life" {
    [ -d "$shared/js/node_modules/dockerode" ] || skip "this host has no npm, or npm has no registry to install dockerode from"
    NODE_PATH=$shared/js/node_modules timeout 100 node "$BATS_TEST_DIRNAME/dockerode.js" "$dir/run/davit.sock"
}
