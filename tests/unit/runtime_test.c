/* runtime and cgroups: mount options, resources as settings, seccomp filters that really run. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "bundle/bundle.h"
#include "cgroups/cgroups.h"
#include "runtime/mount_mappings.h"
#include "runtime/mount_options.h"
#include "runtime/resctrl.h"
#include "runtime/runtime.h"

static int parse_options(struct arena *arena, const char *type, const char *const *options,
                         size_t count, struct mount_options *parsed, struct error *err)
{
    struct oci_mount mount = {.destination = "/x", .type = type};

    mount.options.items = arena_new(arena, count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        mount.options.items[mount.options.count++] = options[i];
    return mount_options_parse(arena, &mount, parsed, err);
}

static void mount_options_are_sorted(void **state)
{
    static const char *const options[] = {"nosuid", "rro",      "noatime",
                                          "rslave", "mode=755", "size=1k"};
    cleanup_arena struct arena arena = {0};
    struct mount_options parsed;
    struct error err;

    (void)state;
    assert_int_equal(parse_options(&arena, "tmpfs", options, ARRAY_SIZE(options), &parsed, &err),
                     0);
    assert_true(parsed.set == (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
    assert_true(parsed.recursive_set == MOUNT_ATTR_RDONLY);
    assert_true((parsed.clear & MOUNT_ATTR__ATIME) != 0);
    assert_true(parsed.is_propagation_recursive);
    assert_int_equal(parsed.data.count, 2);
}

static void a_later_option_wins(void **state)
{
    static const char *const options[] = {"ro", "rw", "nodev", "dev"};
    cleanup_arena struct arena arena = {0};
    struct mount_options parsed;

    (void)state;
    assert_int_equal(parse_options(&arena, "tmpfs", options, 4, &parsed, NULL), 0);
    assert_true((parsed.set & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV)) == 0);
    assert_true((parsed.clear & MOUNT_ATTR_RDONLY) != 0);
}

static void only_a_bind_mount_maps_ids(void **state)
{
    static const char *const idmap[] = {"idmap"};
    cleanup_arena struct arena arena = {0};
    struct mount_options parsed;
    struct error err;

    (void)state;
    assert_int_equal(parse_options(&arena, "bind", idmap, 1, &parsed, &err), 0);
    assert_true(parse_options(&arena, "tmpfs", idmap, 1, &parsed, &err) < 0);
}

static void options_in_one_string_are_cut_at_commas_but_not_in_quotes(void **state)
{
    static const char *const options[] = {"ro,nosuid,size=1m", "context=\"a:b:c1,c2\",nofail",
                                          "x-davit.subpath=a,ro"};
    cleanup_arena struct arena arena = {0};
    struct mount_options parsed;

    (void)state;
    assert_int_equal(parse_options(&arena, "tmpfs", options, 3, &parsed, NULL), 0);
    assert_true(parsed.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
    assert_int_equal(parsed.data.count, 2);
    assert_string_equal(parsed.data.items[0], "size=1m");
    assert_string_equal(parsed.data.items[1], "context=a:b:c1,c2");
    assert_string_equal(parsed.subpath, "a,ro");
}

static void access_times_are_those_of_mount_2(void **state)
{
    static const struct {
        const char *options[2];
        uint64_t set;
    } cases[] = {
        {{"noatime", "relatime"}, MOUNT_ATTR_NOATIME},
        {{"strictatime", "noatime"}, MOUNT_ATTR_STRICTATIME},
        {{"norelatime", ""}, MOUNT_ATTR_RELATIME},
        {{"noatime", "atime"}, MOUNT_ATTR_RELATIME},
        {{"strictatime", "nostrictatime"}, MOUNT_ATTR_RELATIME},
    };
    cleanup_arena struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mount_options parsed;

        assert_int_equal(parse_options(&arena, "tmpfs", cases[i].options, 2, &parsed, NULL), 0);
        assert_true(parsed.set == cases[i].set);
        assert_true(parsed.clear == MOUNT_ATTR__ATIME);
    }
}

static void mappings_of_an_option_are_parsed(void **state)
{
    struct oci_id_mapping outer = {.container_id = 0, .host_id = 100000, .size = 1000};
    struct oci_linux linux_part = {.uid_mappings = {&outer, 1}, .gid_mappings = {&outer, 1}};
    static const char *const bad[] = {"",
                                      "uids=0-1-1",
                                      "uids=0-1-0;gids=0-1-1",
                                      "uids=0-1",
                                      "uids=0-1-1;gids=0-1-1x",
                                      "uids=@0-2000-1;gids=0-0-1",
                                      "uids=0-1-1#;gids=0-0-1",
                                      "uids=0-1-1;uids=0-1-1"};
    cleanup_arena struct arena arena = {0};
    struct oci_mount mount = {0};

    (void)state;
    assert_int_equal(
        mount_mappings_parse(&arena, "uids=0-1-10#20-11-5;gids=@0-7-3", &linux_part, &mount, NULL),
        0);
    assert_int_equal(mount.uid_mappings.count, 2);
    assert_int_equal(mount.uid_mappings.items[1].container_id, 20);
    assert_int_equal(mount.uid_mappings.items[1].host_id, 11);
    assert_int_equal(mount.uid_mappings.items[1].size, 5);
    assert_int_equal(mount.gid_mappings.items[0].host_id, 100007);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = {0};

        assert_int_equal(mount_mappings_parse(&arena, bad[i], &linux_part, &mount, &err), -EINVAL);
        assert_error_contains(err, "option idmap=");
    }
}

static const char *setting(const struct cgroup_settings *settings, const char *file)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].file, file) == 0)
            return settings->items[i].value;
    }
    return "(none)";
}

static int convert(struct arena *arena, const char *text, struct cgroup_settings *settings,
                   struct error *err)
{
    struct oci_resources resources = {0};

    memset(settings, 0, sizeof(*settings));
    assert_int_equal(
        json_decode_text(arena, text, strlen(text), &oci_resources_type, &resources, err), 0);
    return resources_to_settings(&resources, settings, err);
}

static void resources_become_cgroup2_settings(void **state)
{
    static const char text[] =
        "{\"memory\":{\"limit\":1048576,\"swap\":3145728,\"reservation\":524288},\"cpu\":{"
        "\"shares\":"
        "1024,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\"},\"pids\":{\"limit\":7},"
        "\"blockIO\":{"
        "\"weight\":1000,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}]},"
        "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":9}],\"unified\":{\"memory.high\":"
        "\"1M\"}}";
    cleanup_arena struct arena arena = {0};
    struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    unsigned int controllers;
    struct error err;

    (void)state;
    assert_int_equal(convert(&arena, text, settings, &err), 0);
    assert_string_equal(setting(settings, "memory.max"), "1048576");
    assert_string_equal(setting(settings, "memory.swap.max"), "2097152");
    assert_string_equal(setting(settings, "memory.low"), "524288");
    assert_string_equal(setting(settings, "cpu.weight"), "39");
    assert_string_equal(setting(settings, "cpu.max"), "50000 100000");
    assert_string_equal(setting(settings, "cpuset.cpus"), "0-1");
    assert_string_equal(setting(settings, "pids.max"), "7");
    assert_string_equal(setting(settings, "io.weight"), "default 10000");
    assert_string_equal(setting(settings, "io.max"), "8:0 rbps=600");
    assert_string_equal(setting(settings, "hugetlb.2MB.max"), "9");
    assert_string_equal(setting(settings, "memory.high"), "1M");
    assert_int_equal(cgroup_settings_controllers(settings, &controllers, &err), 0);
    assert_int_equal(controllers, CGROUP_MEMORY | CGROUP_CPU | CGROUP_CPUSET | CGROUP_PIDS |
                                      CGROUP_IO | CGROUP_HUGETLB);
    cgroup_settings_release(settings);
    free(settings);
}

static void impossible_resources_are_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{\"memory\":{\"swappiness\":10}}", "memory.swappiness"},
        {"{\"memory\":{\"disableOOMKiller\":true}}", "memory.disableOOMKiller"},
        {"{\"memory\":{\"swap\":10}}", "memory.swap: needs memory.limit"},
        {"{\"memory\":{\"limit\":20,\"swap\":10}}", "memory.swap: 10 is below"},
        {"{\"cpu\":{\"realtimeRuntime\":1}}", "cpu.realtimeRuntime"},
        {"{\"network\":{\"classID\":1}}", "net_cls"},
        {"{\"hugepageLimits\":[{\"pageSize\":\"../x\",\"limit\":1}]}",
         "hugepageLimits[0].pageSize"},
    };
    struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct error err = {0};

        assert_true(convert(&arena, cases[i].text, settings, &err) < 0);
        assert_error_contains(err, cases[i].message);
        cgroup_settings_release(settings);
    }
    free(settings);
}

static void settings_stay_in_their_directory(void **state)
{
    static const char *const files[] = {"../cgroup.procs", "memory.max/../../x", "cgroup.procs",
                                        "nonsense.max"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
        unsigned int controllers;
        struct error err;

        cgroup_settings_add(settings, "unified", files[i], "1");
        assert_true(cgroup_settings_controllers(settings, &controllers, &err) < 0);
        cgroup_settings_release(settings);
        free(settings);
    }
}

static void a_missing_controller_is_named(void **state)
{
    const struct cgroup_hierarchy hierarchy = {.fd = -1, .path = "/x", .available = CGROUP_PIDS};
    struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    struct error err;

    (void)state;
    cgroup_settings_add(settings, "pids limit", "pids.max", "1");
    assert_int_equal(cgroup_check_settings(&hierarchy, settings, &err), 0);
    cgroup_settings_add(settings, "memory limit", "memory.max", "1");
    assert_true(cgroup_check_settings(&hierarchy, settings, &err) < 0);
    assert_error_contains(err, "memory limit: this host's cgroup2 at /x has no memory controller");
    cgroup_settings_release(settings);
    free(settings);
}

/* Programs of every shape pass the kernel's verifier. */
static void device_programs_are_accepted(void **state)
{
    static const struct cgroup_device_rule rules[] = {
        {true, 'c', 1, 3, CGROUP_DEVICE_ALL},     {false, 'a', -1, -1, CGROUP_DEVICE_ALL},
        {true, 'a', -1, -1, CGROUP_DEVICE_MKNOD}, {false, 'b', 8, -1, CGROUP_DEVICE_WRITE},
        {true, 'c', -1, 5, CGROUP_DEVICE_READ},   {true, 'a', -1, -1, CGROUP_DEVICE_ALL},
    };
    struct cgroup_hierarchy hierarchy;
    struct cgroup *cgroup = memory_new_one(struct cgroup);
    char path[64];
    struct error err = {0};

    (void)state;
    snprintf(path, sizeof(path), "/davit-unit-%d", (int)getpid());
    assert_int_equal(cgroup_hierarchy_open(&hierarchy, &err), 0);
    assert_int_equal(cgroup_create(&hierarchy, path, 0, true, cgroup, &err), 0);
    for (size_t first = 0; first < ARRAY_SIZE(rules); first++) {
        for (size_t count = 0; first + count <= ARRAY_SIZE(rules); count++) {
            if (cgroup_apply_devices(cgroup, rules + first, count, &err) < 0)
                fail_msg("rules %zu to %zu: %s", first, first + count, err.message);
        }
    }
    assert_int_equal(cgroup_remove(&hierarchy, cgroup, 1000, &err), 0);
    cgroup_hierarchy_close(&hierarchy);
    free(cgroup);
}

/* What the rules allow: for each kind of access the last rule that matches decides; without one the
 * access is denied. */
static bool rules_allow(const struct cgroup_device_rule *rules, size_t count, char type,
                        unsigned int major, unsigned int minor, unsigned int access)
{
    for (unsigned int bit = 1; bit <= CGROUP_DEVICE_ALL; bit <<= 1) {
        bool is_allowed = false;

        if ((access & bit) == 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            const struct cgroup_device_rule *rule = &rules[i];

            if ((rule->type == 'a' || rule->type == type) && (rule->access & bit) != 0 &&
                (rule->major < 0 || rule->major == major) &&
                (rule->minor < 0 || rule->minor == minor))
                is_allowed = rule->is_allowed;
        }
        if (!is_allowed)
            return false;
    }
    return true;
}

static void make_random_rule(unsigned int *seed, struct cgroup_device_rule *rule)
{
    static const int numbers[] = {-1, 2, 3, 5};

    *rule = (struct cgroup_device_rule){
        .is_allowed = rand_r(seed) % 2 == 0,
        .type = "abcc"[rand_r(seed) % 4],
        .major = numbers[rand_r(seed) % 4],
        .minor = numbers[rand_r(seed) % 4],
        .access = rand_r(seed) % 2 == 0 ? CGROUP_DEVICE_ALL
                                        : (unsigned int)rand_r(seed) % CGROUP_DEVICE_ALL + 1,
    };
}

/* Runs in a child in the cgroup. access(2) asks for a device without opening it. Exits with the
 * number, counted from 1, of the first device for which kernel and rules disagree, or 0. */
static _Noreturn void try_devices(const struct cgroup_device_rule *rules, size_t count,
                                  int directory_fd)
{
    static const unsigned int numbers[] = {2, 3, 5, 4095};
    static const struct {
        int mode;
        unsigned int access;
    } modes[] = {{R_OK, CGROUP_DEVICE_READ},
                 {W_OK, CGROUP_DEVICE_WRITE},
                 {R_OK | W_OK, CGROUP_DEVICE_READ | CGROUP_DEVICE_WRITE}};

    for (unsigned int i = 0; i < 32; i++) {
        char type = i < 16 ? 'c' : 'b';
        unsigned int major = numbers[i / 4 % 4];
        unsigned int minor = numbers[i % 4];
        mode_t kind = type == 'c' ? S_IFCHR : S_IFBLK;
        bool is_denied = mknodat(directory_fd, "new", kind | 0600, makedev(major, minor)) < 0;
        char name[16];

        if (is_denied == rules_allow(rules, count, type, major, minor, CGROUP_DEVICE_MKNOD))
            _exit((int)i + 1);
        unlinkat(directory_fd, "new", 0);
        snprintf(name, sizeof(name), "%u", i);
        for (size_t j = 0; j < ARRAY_SIZE(modes); j++) {
            is_denied = faccessat(directory_fd, name, modes[j].mode, 0) < 0;
            if (is_denied == rules_allow(rules, count, type, major, minor, modes[j].access))
                _exit((int)i + 1);
        }
    }
    _exit(0);
}

static void device_programs_decide_as_the_rules_say(void **state)
{
    static const unsigned int numbers[] = {2, 3, 5, 4095};
    struct cgroup_hierarchy hierarchy;
    struct cgroup *cgroup = memory_new_one(struct cgroup);
    char directory[] = "/tmp/davit-devices-XXXXXX";
    char path[64];
    cleanup_close int directory_fd = -1;
    unsigned int seed = 1;
    struct error err = {0};

    (void)state;
    assert_non_null(mkdtemp(directory));
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned int i = 0; i < 32; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(mknodat(directory_fd, name, (i < 16 ? S_IFCHR : S_IFBLK) | 0600,
                                 makedev(numbers[i / 4 % 4], numbers[i % 4])),
                         0);
    }
    snprintf(path, sizeof(path), "/davit-unit-devices-%d", (int)getpid());
    assert_int_equal(cgroup_hierarchy_open(&hierarchy, &err), 0);
    assert_int_equal(cgroup_create(&hierarchy, path, 0, true, cgroup, &err), 0);
    for (int round = 0; round < 100; round++) {
        struct cgroup_device_rule rules[10];
        size_t count = (size_t)round % (ARRAY_SIZE(rules) + 1);
        int status;
        pid_t pid;

        for (size_t i = 0; i < count; i++)
            make_random_rule(&seed, &rules[i]);
        assert_int_equal(cgroup_apply_devices(cgroup, rules, count, &err), 0);
        pid = fork();
        if (pid == 0) {
            if (file_write_value(cgroup->fd, "cgroup.procs", "0") < 0)
                _exit(99);
            try_devices(rules, count, directory_fd);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("round %d: device %d", round, WEXITSTATUS(status) - 1);
    }
    assert_int_equal(cgroup_remove(&hierarchy, cgroup, 1000, &err), 0);
    cgroup_hierarchy_close(&hierarchy);
    free(cgroup);
    assert_int_equal(path_remove_tree(AT_FDCWD, directory, &err), 0);
}

/* Runs `call` under the filter in a child. Returns its errno, 0 for success, or -1 if it was
 * killed. */
static int under_filter(const struct oci_seccomp *seccomp, long call)
{
    struct seccomp_program program;
    struct {
        unsigned short length;
        void *filter;
    } filter;
    int status;
    pid_t pid;

    assert_int_equal(seccomp_compile(seccomp, &program, NULL), 0);
    filter.length = (unsigned short)program.length;
    filter.filter = program.instructions;
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
            _exit(99);
        _exit(syscall(call, 0, 0, 0, 0) < 0 ? errno : 0);
    }
    waitpid(pid, &status, 0);
    seccomp_program_release(&program);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void unknown_calls_get_enosys_and_others_the_default(void **state)
{
    cleanup_arena struct arena arena = {0};
    size_t length = seccomp_default_profile_length;
    struct string_list none = {0};
    struct oci_seccomp seccomp = {0};

    (void)state;
    assert_int_equal(
        seccomp_profile_resolve(&arena, seccomp_default_profile, length, &none, &seccomp, NULL), 0);
    assert_int_equal(under_filter(&seccomp, SYS_getppid), 0);
    assert_int_equal(under_filter(&seccomp, SYS_swapoff), EPERM);
    assert_int_equal(under_filter(&seccomp, 999), ENOSYS);
    assert_int_equal(under_filter(&seccomp, SYS_clone3), ENOSYS);
#ifdef __x86_64__
    /* The x32 way to number a call is no way around the filter. */
    assert_int_not_equal(under_filter(&seccomp, 0x40000000 | SYS_swapoff), 0);
#endif
}

static void bad_filters_are_refused_by_name(void **state)
{
    struct oci_seccomp seccomp = {.default_action = "SCMP_ACT_BOGUS"};
    const char *flags[] = {"SECCOMP_FILTER_FLAG_BOGUS"};
    const char *arches[] = {"SCMP_ARCH_BOGUS"};
    struct seccomp_program program;
    struct error err;

    (void)state;
    assert_true(seccomp_compile(&seccomp, &program, &err) < 0);
    assert_error_contains(err, "SCMP_ACT_BOGUS");
    seccomp.default_action = "SCMP_ACT_ALLOW";
    seccomp.flags = (struct string_list){flags, 1};
    assert_true(seccomp_compile(&seccomp, &program, &err) < 0);
    assert_error_contains(err, "SECCOMP_FILTER_FLAG_BOGUS");
    seccomp.flags.count = 0;
    seccomp.architectures = (struct string_list){arches, 1};
    assert_true(seccomp_compile(&seccomp, &program, &err) < 0);
    assert_error_contains(err, "SCMP_ARCH_BOGUS");
    seccomp.architectures.count = 0;
    seccomp.default_action = "SCMP_ACT_NOTIFY";
    assert_true(seccomp_compile(&seccomp, &program, &err) < 0);
    assert_error_contains(err, "listenerPath");
}

/* A directory that looks like a mounted resctrl filesystem, with one class "shared". */
static int make_resctrl(char *path)
{
    static const char schemata[] = "    L3:0=f;1=f\n    MB:0=100;1=100\n";
    static const char *const directories[] = {"shared", "shared/mon_groups"};
    static const char *const files[] = {"tasks", "schemata", "shared/tasks", "shared/schemata"};
    int fd;

    assert_non_null(mkdtemp(path));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
        assert_int_equal(mkdirat(fd, directories[i], 0755), 0);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        cleanup_close int file = openat(fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        if (strstr(files[i], "schemata") != NULL)
            assert_int_equal(file_write_fd(file, schemata, sizeof(schemata) - 1), 0);
    }
    return fd;
}

static void assert_file(int fd, const char *name, const char *expected)
{
    cleanup_buffer struct buffer text = {0};

    assert_int_equal(file_read(fd, name, 4096, &text, NULL), 0);
    assert_string_equal(buffer_text(&text), expected);
}

static void a_class_that_exists_is_joined_and_compared(void **state)
{
    char path[] = "/tmp/davit-resctrl.XXXXXX";
    int fd = make_resctrl(path);
    struct oci_intel_rdt rdt = {.clos_id = "shared", .l3_cache_schema = "L3:0=f;1=f"};
    struct error err;

    (void)state;
    assert_int_equal(resctrl_apply(fd, &rdt, "one", 42, &err), 0);
    assert_file(fd, "shared/tasks", "42");
    rdt.mem_bw_schema = "MB:0=50";
    assert_int_equal(resctrl_apply(fd, &rdt, "one", 42, &err), -EEXIST);
    assert_error_contains(err, "MB:0=50");
    /* The class was there before the container, and so it is after it. */
    resctrl_remove(fd, &rdt, "one");
    assert_int_equal(faccessat(fd, "shared", F_OK, 0), 0);
    close(fd);
    path_remove_tree(AT_FDCWD, path, NULL);
}

static void a_class_without_schemata_has_to_exist(void **state)
{
    char path[] = "/tmp/davit-resctrl.XXXXXX";
    int fd = make_resctrl(path);
    struct oci_intel_rdt rdt = {.clos_id = "none"};
    struct error err;

    (void)state;
    assert_int_equal(resctrl_apply(fd, &rdt, "one", 42, &err), -ENOENT);
    assert_int_equal(faccessat(fd, "none", F_OK, 0), -1);
    rdt.clos_id = "/";
    assert_int_equal(resctrl_apply(fd, &rdt, "one", 43, &err), 0);
    assert_file(fd, "tasks", "43");
    close(fd);
    path_remove_tree(AT_FDCWD, path, NULL);
}

/* The kernel puts files into a new group's directory; a plain filesystem does not, so joining the
 * new group fails here. The test sees only that the group is made and removed. */
static void a_monitoring_group_is_made_and_removed(void **state)
{
    char path[] = "/tmp/davit-resctrl.XXXXXX";
    int fd = make_resctrl(path);
    struct oci_intel_rdt rdt = {.clos_id = "shared", .enable_monitoring = true};
    struct error err;

    (void)state;
    assert_int_equal(resctrl_apply(fd, &rdt, "one", 42, &err), -ENOENT);
    assert_error_contains(err, "mon_groups/one/tasks");
    assert_int_equal(faccessat(fd, "shared/mon_groups/one", F_OK, 0), 0);
    resctrl_remove(fd, &rdt, "one");
    assert_int_equal(faccessat(fd, "shared/mon_groups/one", F_OK, 0), -1);
    close(fd);
    path_remove_tree(AT_FDCWD, path, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mount_options_are_sorted),
        cmocka_unit_test(a_later_option_wins),
        cmocka_unit_test(only_a_bind_mount_maps_ids),
        cmocka_unit_test(options_in_one_string_are_cut_at_commas_but_not_in_quotes),
        cmocka_unit_test(access_times_are_those_of_mount_2),
        cmocka_unit_test(mappings_of_an_option_are_parsed),
        cmocka_unit_test(resources_become_cgroup2_settings),
        cmocka_unit_test(impossible_resources_are_refused_by_name),
        cmocka_unit_test(settings_stay_in_their_directory),
        cmocka_unit_test(a_missing_controller_is_named),
        cmocka_unit_test(device_programs_are_accepted),
        cmocka_unit_test(device_programs_decide_as_the_rules_say),
        cmocka_unit_test(unknown_calls_get_enosys_and_others_the_default),
        cmocka_unit_test(bad_filters_are_refused_by_name),
        cmocka_unit_test(a_class_that_exists_is_joined_and_compared),
        cmocka_unit_test(a_class_without_schemata_has_to_exist),
        cmocka_unit_test(a_monitoring_group_is_made_and_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
