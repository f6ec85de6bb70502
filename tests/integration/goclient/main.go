// What programs do with Docker's own Go client: a container's life, lists by label and state, logs, statistics, exec and
// events. Prints "ok", or says what went wrong and fails.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

const label = "made.by=goclient"

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func expect(is bool, format string, values ...interface{}) {
	if !is {
		fmt.Fprintf(os.Stderr, format+"\n", values...)
		os.Exit(1)
	}
}

func listed(ctx context.Context, docker *client.Client, arguments ...filters.KeyValuePair) []string {
	containers, err := docker.ContainerList(ctx, types.ContainerListOptions{All: true, Filters: filters.NewArgs(arguments...)})
	check(err, "list")
	ids := []string{}
	for _, one := range containers {
		ids = append(ids, one.ID)
	}
	return ids
}

func execute(ctx context.Context, docker *client.Client, id string, input string) (string, int) {
	created, err := docker.ContainerExecCreate(ctx, id, types.ExecConfig{Cmd: []string{"sh", "-c", "cat; exit 5"}, AttachStdin: true, AttachStdout: true, AttachStderr: true})
	check(err, "exec create")
	stream, err := docker.ContainerExecAttach(ctx, created.ID, types.ExecStartCheck{})
	check(err, "exec attach")
	defer stream.Close()
	_, err = stream.Conn.Write([]byte(input))
	check(err, "exec input")
	check(stream.CloseWrite(), "exec end of input")
	var output, messages bytes.Buffer
	_, err = stdcopy.StdCopy(&output, &messages, stream.Reader)
	check(err, "exec output")
	inspected, err := docker.ContainerExecInspect(ctx, created.ID)
	check(err, "exec inspect")
	return output.String(), inspected.ExitCode
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	docker, err := client.NewClientWithOpts(client.WithHost(os.Args[1]), client.WithAPIVersionNegotiation())
	check(err, "client")
	_, err = docker.Ping(ctx)
	check(err, "ping")

	created, err := docker.ContainerCreate(ctx, &container.Config{Image: "busybox", Labels: map[string]string{"made.by": "goclient"}, StopSignal: "USR1",
		Cmd: []string{"sh", "-c", "trap 'echo asked; exit 7' USR1; echo out; echo err >&2; while :; do sleep 0.05; done"}},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, "gone-by-go")
	check(err, "create")
	id := created.ID
	expect(len(listed(ctx, docker, filters.Arg("label", label), filters.Arg("status", "running"))) == 0, "listed as running before its start")
	check(docker.ContainerStart(ctx, id, types.ContainerStartOptions{}), "start")
	ids := listed(ctx, docker, filters.Arg("label", label), filters.Arg("status", "running"))
	expect(len(ids) == 1 && ids[0] == id, "running: %v", ids)

	inspected, err := docker.ContainerInspect(ctx, "gone-by-go")
	check(err, "inspect")
	expect(inspected.ID == id && inspected.State.Running && inspected.State.Pid > 0 && inspected.Config.Labels["made.by"] == "goclient", "inspect: %+v", inspected.State)

	follow, err := docker.ContainerLogs(ctx, id, types.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	check(err, "logs")
	answer, status := execute(ctx, docker, id, "through and back")
	expect(answer == "through and back" && status == 5, "exec: %q, status %d", answer, status)

	response, err := docker.ContainerStats(ctx, id, false)
	check(err, "stats")
	var stats types.StatsJSON
	check(json.NewDecoder(response.Body).Decode(&stats), "stats")
	response.Body.Close()
	expect(stats.ID == id && stats.Name == "/gone-by-go" && !stats.Read.IsZero(), "stats: %+v", stats)

	waited, failed := docker.ContainerWait(ctx, id, container.WaitConditionNextExit)
	patience := 20 * time.Second
	check(docker.ContainerStop(ctx, id, &patience), "stop")
	select {
	case result := <-waited:
		expect(result.StatusCode == 7, "status %d", result.StatusCode)
	case err := <-failed:
		check(err, "wait")
	}
	var output, messages bytes.Buffer
	_, err = stdcopy.StdCopy(&output, &messages, follow)
	check(err, "follow")
	expect(output.String() == "out\nasked\n" && messages.String() == "err\n", "logs: %q and %q", output.String(), messages.String())

	check(docker.ContainerRemove(ctx, id, types.ContainerRemoveOptions{}), "remove")
	_, err = docker.ContainerInspect(ctx, id)
	expect(client.IsErrNotFound(err), "inspect of what is gone: %v", err)
	events, failed := docker.Events(ctx, types.EventsOptions{Since: "1", Until: fmt.Sprint(time.Now().Unix() + 1), Filters: filters.NewArgs(filters.Arg("container", id), filters.Arg("event", "die"))})
	select {
	case event := <-events:
		expect(event.Actor.Attributes["exitCode"] == "7", "event: %+v", event)
	case err := <-failed:
		check(err, "events")
	}
	fmt.Println("ok")
}
