#!/usr/bin/env bats
# Docker's commands and flags: docker-cli.md says of each whether it works, or why not.
build=${DAVIT_BUILD:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}

here=$BATS_TEST_DIRNAME

@test "every command and flag of docker's works, or says why not" {
    # A client of the table's version says whether one is missing there; others have other flags.
    version=$(sed -n 's/.*client of Docker \([0-9]*\)\..*/\1/p' "$here/docker-cli.md")
    client=
    if docker --version 2>/dev/null | grep -q "version $version\."; then client=docker; fi
    run python3 "$here/docker_cli.py" check "$build/davit" $client
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^[0-9]{3,}\ rows\ are\ true$ ]]
}

@test "a row that is not true is found" {
    cp "$here/docker_cli.py" "$BATS_TEST_TMPDIR"
    sed 's/^| run | `--name VALUE` | works |$/| run | `--nmae VALUE` | works |/; s/^| swarm |  | .*$/| swarm |  | works |/' "$here/docker-cli.md" > "$BATS_TEST_TMPDIR/docker-cli.md"
    run python3 "$BATS_TEST_TMPDIR/docker_cli.py" check "$build/davit"
    [ "$status" -eq 1 ]
    [[ "$output" == *"run --nmae: davit says None"* ]]
    [[ "$output" == *"swarm: davit has no such command"* ]]
}

@test "every command names a flag that it has not, and an argument too many" {
    run python3 "$here/wrong_words.py" "$build/davit"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^[0-9]{4,}\ mistakes\ are\ named$ ]]
}
