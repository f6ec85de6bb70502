/* bundle: decoding and refusing configurations, seccomp profiles, users, capabilities, environment.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "bundle/bundle.h"

static int parse(struct arena *arena, const char *text, struct oci_config *config,
                 struct error *err)
{
    memset(config, 0, sizeof(*config));
    return oci_config_parse(arena, text, strlen(text), config, err);
}

#define WITH(body) "{\"ociVersion\":\"1.2.0\"," body "}"
#define PROCESS(body) WITH("\"process\":{\"cwd\":\"/\"," body "}")
#define LINUX(body) WITH("\"linux\":{" body "}")

static void bad_configurations_are_refused_with_their_path(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{}", "ociVersion: required"},
        {"{\"ociVersion\":\"2.0.0\"}", "ociVersion: 2.0.0"},
        {"{\"ociVersion\":\"x\"}", "ociVersion: \"x\" is not a version"},
        {WITH("\"root\":{}"), "root.path: required"},
        {WITH("\"root\":{\"path\":1}"), "root.path: expected a string"},
        {WITH("\"process\":{}"), "process.cwd: required"},
        {WITH("\"process\":{\"cwd\":\"tmp\"}"), "process.cwd: \"tmp\" is not an absolute path"},
        {PROCESS("\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_CHOWN\",3]}"),
         "process.capabilities.bounding[2]: expected a string"},
        {PROCESS("\"user\":{\"uid\":-1}"), "process.user.uid"},
        {PROCESS("\"user\":{\"uid\":4294967295}"), "is not a user or group id"},
        {PROCESS("\"user\":{\"additionalGids\":[1,\"x\"]}"), "process.user.additionalGids[1]"},
        {PROCESS("\"env\":[\"A=b\",\"=c\"]"), "process.env[1]"},
        {PROCESS("\"oomScoreAdj\":1001"), "process.oomScoreAdj"},
        {PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]"),
         "soft limit 2 is above the hard limit 1"},
        {PROCESS("\"rlimits\":[{\"type\":\"A\",\"soft\":1,\"hard\":1},{\"type\":\"A\",\"soft\":1,"
                 "\"hard\":1}]"),
         "process.rlimits[1]: A stands twice"},
        {PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}"),
         "process.ioPriority.priority"},
        {PROCESS("\"scheduler\":{\"policy\":\"SCHED_X\"}"), "process.scheduler.policy"},
        {WITH("\"mounts\":[{\"type\":\"tmpfs\"}]"), "mounts[0].destination: required"},
        {WITH("\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}"), "hooks.poststop[0].path"},
        {WITH("\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"timeout\":0}]}"),
         "hooks.prestart[0].timeout"},
        {WITH("\"hostname\":\"a\""), "hostname: needs a uts namespace"},
        {LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]"),
         "linux.namespaces[1]: pid stands twice"},
        {LINUX("\"namespaces\":[{\"type\":\"bogus\"}]"), "linux.namespaces[0].type: unknown value"},
        {LINUX("\"namespaces\":[{\"type\":\"net\",\"path\":\"/x\"}]"), "linux.namespaces[0].type"},
        {LINUX("\"namespaces\":[{\"type\":\"network\",\"path\":\"x\"}]"),
         "linux.namespaces[0].path"},
        {LINUX("\"devices\":[{\"path\":\"/dev/x\",\"type\":\"q\"}]"), "linux.devices[0].type"},
        {LINUX("\"resources\":{\"memory\":{\"limit\":\"1g\"}}"), "linux.resources.memory.limit"},
        {LINUX("\"resources\":{\"rdma\":{\"mlx\":{\"hcaHandles\":-1}}}"),
         "linux.resources.rdma.mlx.hcaHandles"},
        {LINUX("\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":-1}]}"),
         "linux.resources.hugepageLimits[0].limit"},
        {LINUX("\"netDevices\":{\"eth0\":{\"name\":23}}"), "linux.netDevices.eth0.name"},
        {LINUX("\"rootfsPropagation\":\"x\""), "linux.rootfsPropagation"},
        {LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"],"
               "\"action\":\"x\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"x\"}]}]}"),
         "linux.seccomp.syscalls[0].args[0].index"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct oci_config config;
        struct error err = {0};

        if (parse(&arena, cases[i].text, &config, &err) == 0)
            fail_msg("accepted: %s", cases[i].text);
        assert_error_contains(err, cases[i].message);
    }
}

static void unknown_properties_are_tolerated(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct oci_config config;

    (void)state;
    assert_int_equal(
        parse(&arena, WITH("\"x\":{\"y\":[1]},\"windows\":{},\"linux\":{\"z\":1}"), &config, NULL),
        0);
}

/* The default configuration stays the same when it is encoded and decoded. */
static void the_default_survives_a_round_trip(void **state)
{
    cleanup_arena struct arena arena = {0};
    struct oci_config config = {0};
    struct oci_config again;
    struct json_writer *first;
    struct json_writer *second;

    (void)state;
    oci_config_make_default(&arena, &config);
    first = oci_config_encode(&config, true);
    assert_int_equal(parse(&arena, json_writer_text(first), &again, NULL), 0);
    second = oci_config_encode(&again, true);
    assert_string_equal(json_writer_text(first), json_writer_text(second));
    assert_non_null(oci_config_namespace(&again, OCI_NAMESPACE_PID));
    assert_null(oci_config_namespace(&again, OCI_NAMESPACE_USER));
    json_writer_free(first);
    json_writer_free(second);
}

static void capability_names_take_any_spelling(void **state)
{
    cleanup_arena struct arena arena = {0};
    const char *added[] = {"net_admin", "CAP_SYS_PTRACE"};
    const char *dropped[] = {"ALL"};
    const char *wrong[] = {"CAP_NOPE"};
    struct string_list none = {0};
    struct string_list set;
    struct error err;

    (void)state;
    assert_int_equal(capabilities_resolve(&arena, &none, &none, &set, &err), 0);
    assert_int_equal(set.count, 14);
    assert_false(string_list_has(&set, "CAP_SYS_ADMIN"));
    assert_int_equal(capabilities_resolve(&arena, &(struct string_list){added, 2},
                                          &(struct string_list){dropped, 1}, &set, &err),
                     0);
    assert_int_equal(set.count, 2);
    assert_true(string_list_has(&set, "CAP_NET_ADMIN"));
    assert_true(capabilities_resolve(&arena, &(struct string_list){wrong, 1}, &none, &set, &err) <
                0);
    assert_error_contains(err, "CAP_NOPE");
}

static bool allows(const struct oci_seccomp *seccomp, const char *call)
{
    for (size_t i = 0; i < seccomp->rules.count; i++) {
        if (strcmp(seccomp->rules.items[i].action, "SCMP_ACT_ALLOW") == 0 &&
            seccomp->rules.items[i].args.count == 0 &&
            string_list_has(&seccomp->rules.items[i].names, call))
            return true;
    }
    return false;
}

static void the_default_profile_follows_capabilities(void **state)
{
    cleanup_arena struct arena arena = {0};
    const char *admin[] = {"CAP_SYS_ADMIN"};
    size_t length = seccomp_default_profile_length;
    struct string_list none = {0};
    struct oci_seccomp plain = {0};
    struct oci_seccomp privileged = {0};
    struct error err;

    (void)state;
    assert_int_equal(
        seccomp_profile_resolve(&arena, seccomp_default_profile, length, &none, &plain, &err), 0);
    assert_true(allows(&plain, "openat"));
    assert_false(allows(&plain, "mount"));
    assert_false(allows(&plain, "clone3"));
    assert_false(allows(&plain, "kexec_load"));
    assert_false(allows(&plain, "io_uring_setup"));
    assert_int_equal(seccomp_profile_resolve(&arena, seccomp_default_profile, length,
                                             &(struct string_list){admin, 1}, &privileged, &err),
                     0);
    assert_true(allows(&privileged, "mount"));
    assert_true(plain.architectures.count >= 1);
}

static void write_file(int root, const char *path, const char *text)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void users_are_found_by_name_inside_the_root(void **state)
{
    static const struct {
        const char *spec;
        uint32_t uid;
        uint32_t gid;
        size_t groups;
        const char *home;
    } cases[] = {
        {NULL, 0, 0, 0, "/root"},
        {"alice", 1000, 1001, 3, "/home/alice"},
        {"1000", 1000, 1001, 3, "/home/alice"},
        {"alice:wheel", 1000, 10, 0, "/home/alice"},
        {"42", 42, 0, 0, "/"},
        {"42:43", 42, 43, 0, "/"},
        {":wheel", 0, 10, 0, "/root"},
    };
    char template[] = "/tmp/davit-unit.XXXXXX";
    int root;
    struct error err;

    (void)state;
    assert_non_null(mkdtemp(template));
    root = open(template, O_RDONLY | O_DIRECTORY);
    mkdirat(root, "etc", 0755);
    write_file(root, "etc/passwd",
               "broken\nroot:x:0:0:r:/root:/bin/sh\n"
               "alice:x:1000:1001::/home/alice:/bin/sh\nbad:x:-1:0::/:\n");
    write_file(root, "etc/group", "wheel:x:10:bob,alice\nstaff:x:20:alice\nother:x:30:bob\n");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct oci_user user = {0};
        const char *home;

        assert_int_equal(user_resolve(&arena, root, cases[i].spec, &user, &home, &err), 0);
        assert_int_equal(user.uid, cases[i].uid);
        assert_int_equal(user.gid, cases[i].gid);
        assert_string_equal(home, cases[i].home);
        if (cases[i].groups > 0)
            assert_int_equal(user.additional_gid_count, cases[i].groups);
    }
    {
        cleanup_arena struct arena arena = {0};
        struct oci_user user = {0};
        const char *home;

        assert_true(user_resolve(&arena, root, "nobody", &user, &home, &err) < 0);
        assert_error_contains(err, "unable to find user nobody");
        /* A link to the host's accounts leads to the container's own root. */
        unlinkat(root, "etc/passwd", 0);
        assert_int_equal(symlinkat("/etc/hostname", root, "etc/passwd"), 0);
        assert_true(user_resolve(&arena, root, "alice", &user, &home, &err) < 0);
    }
    close(root);
    path_remove_tree(AT_FDCWD, template, NULL);
}

static void environments_merge_by_name(void **state)
{
    cleanup_arena struct arena arena = {0};
    const char *base[] = {"A=1", "AB=2", "C=3"};
    const char *changes[] = {"A=9", "C", "D=4"};
    struct string_list merged;

    (void)state;
    env_merge(&arena, &(struct string_list){base, 3}, &(struct string_list){changes, 3}, &merged);
    assert_int_equal(merged.count, 3);
    assert_string_equal(env_get(&merged, "A"), "9");
    assert_string_equal(env_get(&merged, "AB"), "2");
    assert_null(env_get(&merged, "C"));
}

static void options_become_a_valid_configuration(void **state)
{
    cleanup_arena struct arena arena = {0};
    const char *args[] = {"sh"};
    const struct bundle_options options = {
        .args = {args, 1}, .hostname = "h", .is_root_readonly = true, .no_new_privileges = true};
    struct oci_config config = {0};
    struct oci_config again;
    struct json_writer *writer;
    struct error err;

    (void)state;
    assert_int_equal(bundle_make_config(&arena, &options, &config, &err), 0);
    writer = oci_config_encode(&config, false);
    assert_int_equal(parse(&arena, json_writer_text(writer), &again, &err), 0);
    assert_true(again.root->is_readonly);
    assert_true(again.process->no_new_privileges);
    assert_int_equal(again.process->capabilities->inheritable.count, 0);
    assert_int_equal(again.process->capabilities->ambient.count, 0);
    assert_true(string_list_has(&again.linux->masked_paths, "/proc/kcore"));
    json_writer_free(writer);
    assert_true(bundle_make_config(&arena, &(struct bundle_options){0}, &config, &err) < 0);
    assert_error_contains(err, "no command specified");
}

static void a_pids_limit_of_zero_is_a_limit_since_1_3(void **state)
{
    static const char text[] = "{\"ociVersion\":\"1.%d.0\",\"linux\":{\"resources\":{\"pids\":"
                               "{\"limit\":0}}}}";

    (void)state;
    for (int minor = 2; minor <= 3; minor++) {
        cleanup_arena struct arena arena = {0};
        struct oci_config config = {0};
        const char *document = arena_printf(&arena, text, minor);

        assert_int_equal(oci_config_parse(&arena, document, strlen(document), &config, NULL), 0);
        assert_int_equal(config.linux->resources->pids->limit.is_set, minor == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pids_limit_of_zero_is_a_limit_since_1_3),
        cmocka_unit_test(bad_configurations_are_refused_with_their_path),
        cmocka_unit_test(unknown_properties_are_tolerated),
        cmocka_unit_test(the_default_survives_a_round_trip),
        cmocka_unit_test(capability_names_take_any_spelling),
        cmocka_unit_test(the_default_profile_follows_capabilities),
        cmocka_unit_test(users_are_found_by_name_inside_the_root),
        cmocka_unit_test(environments_merge_by_name),
        cmocka_unit_test(options_become_a_valid_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
