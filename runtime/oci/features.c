/* davit-oci features: runtime-spec features.md and features-linux.md. */
#include <errno.h>
#include <stdio.h>

#include "base/build.h"
#include "bundle/bundle.h"
#include "oci.h"
#include "runtime/mount_options.h"

static const char *const hook_names[] = {"prestart",       "createRuntime", "createContainer",
                                         "startContainer", "poststart",     "poststop"};

static void write_hooks(struct json_writer *writer)
{
    json_key(writer, "hooks");
    json_array_open(writer);
    for (size_t i = 0; i < sizeof(hook_names) / sizeof(hook_names[0]); i++)
        json_string(writer, hook_names[i]);
    json_array_close(writer);
}

static void write_enabled(struct json_writer *writer, const char *name)
{
    json_key(writer, name);
    json_object_open(writer);
    json_member_boolean(writer, "enabled", true);
    json_object_close(writer);
}

static void write_names(struct json_writer *writer)
{
    json_key(writer, "namespaces");
    json_array_open(writer);
    for (size_t i = OCI_NAMESPACE_UNSET + 1; i < OCI_NAMESPACE_COUNT; i++)
        json_string(writer, oci_namespace_names[i]);
    json_array_close(writer);
    json_key(writer, "capabilities");
    json_array_open(writer);
    for (int i = 0; capability_name(i) != NULL; i++)
        json_string(writer, capability_name(i));
    json_array_close(writer);
}

static void write_cgroup(struct json_writer *writer)
{
    json_key(writer, "cgroup");
    json_object_open(writer);
    json_member_boolean(writer, "v1", false);
    json_member_boolean(writer, "v2", true);
    json_member_boolean(writer, "systemd", true);
    json_member_boolean(writer, "systemdUser", false);
    json_member_boolean(writer, "rdma", true);
    json_object_close(writer);
}

static void write_seccomp(struct json_writer *writer, struct arena *arena)
{
    struct seccomp_names names;

    seccomp_list_names(arena, &names);
    json_key(writer, "seccomp");
    json_object_open(writer);
    json_member_boolean(writer, "enabled", true);
    json_member_strings(writer, "actions", &names.actions);
    json_member_strings(writer, "operators", &names.operators);
    json_member_strings(writer, "archs", &names.architectures);
    json_member_strings(writer, "knownFlags", &names.known_flags);
    json_member_strings(writer, "supportedFlags", &names.supported_flags);
    json_object_close(writer);
}

static void write_memory_policy(struct json_writer *writer, struct arena *arena)
{
    struct string_list modes = {0};
    struct string_list flags = {0};

    memory_policy_list_names(arena, &modes, &flags);
    json_key(writer, "memoryPolicy");
    json_object_open(writer);
    json_member_strings(writer, "modes", &modes);
    json_member_strings(writer, "flags", &flags);
    json_object_close(writer);
}

static void write_intel_rdt(struct json_writer *writer)
{
    json_key(writer, "intelRdt");
    json_object_open(writer);
    json_member_boolean(writer, "enabled", true);
    json_member_boolean(writer, "schemata", true);
    json_member_boolean(writer, "monitoring", true);
    json_object_close(writer);
}

static void write_linux(struct json_writer *writer, struct arena *arena)
{
    json_key(writer, "linux");
    json_object_open(writer);
    write_names(writer);
    write_cgroup(writer);
    write_seccomp(writer, arena);
    write_enabled(writer, "apparmor");
    write_enabled(writer, "selinux");
    write_memory_policy(writer, arena);
    write_intel_rdt(writer);
    json_key(writer, "mountExtensions");
    json_object_open(writer);
    write_enabled(writer, "idmap");
    json_object_close(writer);
    write_enabled(writer, "netDevices");
    json_object_close(writer);
}

/* Annotations like those of other runtimes, which clients look for: our version, and that
 * checkpoints can be made (by CRIU, if it is installed). */
static void write_annotations(struct json_writer *writer)
{
    json_key(writer, "annotations");
    json_object_open(writer);
    json_member_string(writer, "io.davit.version", davit_version);
    json_member_string(writer, "org.opencontainers.runc.checkpoint.enabled", "true");
    json_object_close(writer);
    json_key(writer, "potentiallyUnsafeConfigAnnotations");
    json_array_open(writer);
    json_string(writer, "org.systemd.property.");
    json_string(writer, "org.criu.config");
    json_string(writer, BUNDLE_ANNOTATION_INIT);
    json_array_close(writer);
}

int oci_features(struct oci_context *context, int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct json_writer *writer;
    struct string_list mount_options = {0};

    if (argc != 1)
        return error_set(&context->err, ERROR_INVALID, EINVAL, "%s: takes no arguments", argv[0]);
    writer = json_writer_new(true);
    mount_options_list(&arena, &mount_options);
    json_object_open(writer);
    json_member_string(writer, "ociVersionMin", OCI_VERSION_MIN);
    json_member_string(writer, "ociVersionMax", OCI_VERSION);
    write_hooks(writer);
    json_member_strings(writer, "mountOptions", &mount_options);
    write_linux(writer, &arena);
    write_annotations(writer);
    json_object_close(writer);
    fputs(json_writer_text(writer), stdout);
    json_writer_free(writer);
    return 0;
}
