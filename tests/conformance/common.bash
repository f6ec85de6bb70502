# What the conformance tests add to those of the integration tests.
. "$(dirname "${BASH_SOURCE[0]}")/../integration/common.bash"
probe=$build/conformance/probe

setup() {
    setup_bundle
    cp "$probe" "$dir/bundle/rootfs/bin/probe"
}
teardown() {
    [ -z "${helpers:-}" ] || kill $helpers 2>/dev/null || true
    teardown_bundle
}

# A container that sleeps, in the background.
start_sleeping() {
    program sleep 1000
    runtime run --detach --bundle "$dir/bundle" "$id" </dev/null >/dev/null 2>&1
    pid=$(runtime state "$id" | jq .pid)
}
needs_user_namespaces() {
    unshare --user true 2>/dev/null || skip "this host allows no user namespaces (a chroot, or a sysctl)"
}
