/* base: paths, files, and the removal of trees. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/file_twice.h"
#include "base/path.h"

static int make_directory(void **state)
{
    char template[] = "/tmp/davit-unit.XXXXXX";
    int *fd = malloc(sizeof(*fd));

    if (mkdtemp(template) == NULL)
        return -1;
    *fd = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = fd;
    return *fd < 0;
}

static int remove_directory(void **state)
{
    int *fd = *state;
    char path[64];
    char target[256];
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
    length = readlink(path, target, sizeof(target) - 1);
    target[length] = '\0';
    path_remove_tree(AT_FDCWD, target, NULL);
    close(*fd);
    free(fd);
    return 0;
}

static void symlinks_cannot_leave_the_root(void **state)
{
    int root = *(int *)*state;
    int fd;

    mkdirat(root, "etc", 0755);
    assert_int_equal(symlinkat("/etc", root, "absolute"), 0);
    assert_int_equal(symlinkat("../../../../etc", root, "dots"), 0);
    fd = path_open_in_root(root, "absolute/passwd", O_RDONLY, 0);
    assert_int_equal(fd, -ENOENT);
    fd = path_open_in_root(root, "dots/passwd", O_RDONLY, 0);
    assert_int_equal(fd, -ENOENT);
    fd = path_open_in_root(root, "../../../etc", O_PATH | O_DIRECTORY, 0);
    assert_true(fd >= 0);
    assert_int_equal(faccessat(fd, "passwd", F_OK, 0), -1);
    close(fd);
    assert_int_equal(path_open_beneath(root, "absolute", O_PATH, 0), -ELOOP);
    assert_int_equal(path_open_beneath(root, "../x", O_PATH, 0), -EXDEV);
}

static void directories_are_made_inside_only(void **state)
{
    int root = *(int *)*state;
    struct error err;
    cleanup_close int fd = -1;

    mkdirat(root, "real", 0755);
    assert_int_equal(symlinkat("/real", root, "link"), 0);
    fd = path_make_directories(root, "/link/a/b", 0755, &err);
    assert_true(fd >= 0);
    assert_int_equal(faccessat(root, "real/a/b", F_OK, 0), 0);
    assert_true(path_make_directories(root, "missing/../../x", 0755, &err) < 0);
    assert_int_equal(faccessat(root, "x", F_OK, 0), -1);
}

static void links_are_followed_inside_to_what_is_not_there(void **state)
{
    static const struct {
        const char *path;
        const char *leads_to;
    } cases[] = {
        {"/etc/resolv.conf", "/run/systemd/stub"},
        {"climbs", "/etc/passwd"},
        {"absolute/below", "/nowhere/below"},
        {"plain//./deep/../x", "/plain/x"},
        {"../../..", "/"},
        {"", "/"},
        {"through/climbs", "/etc/passwd"},
    };
    int root = *(int *)*state;
    char resolved[PATH_MAX];

    mkdirat(root, "etc", 0755);
    mkdirat(root, "run", 0755);
    assert_int_equal(symlinkat("../run/systemd/stub", root, "etc/resolv.conf"), 0);
    assert_int_equal(symlinkat("../../../etc/passwd", root, "climbs"), 0);
    assert_int_equal(symlinkat("/nowhere", root, "absolute"), 0);
    assert_int_equal(symlinkat("/", root, "through"), 0);
    assert_int_equal(symlinkat("loop", root, "loop"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(path_resolve_in_root(root, cases[i].path, resolved), 0);
        assert_string_equal(resolved, cases[i].leads_to);
    }
    assert_int_equal(path_resolve_in_root(root, "loop", resolved), -ELOOP);
}

/* A chain of `depth` directories called `name` below fd; a file called `leaf` at its end. */
static void make_chain(int fd, const char *name, int depth, const char *leaf)
{
    fd = dup(fd);
    for (int i = 0; i < depth; i++) {
        int next;

        assert_true(mkdirat(fd, name, 0755) == 0 || errno == EEXIST);
        next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    if (leaf != NULL)
        close(openat(fd, leaf, O_CREAT | O_WRONLY, 0644));
    close(fd);
}

static void deep_trees_are_removed(void **state)
{
    int root = *(int *)*state;

    make_chain(root, "d", 3000, "file");
    assert_int_equal(path_remove_tree(root, "d", NULL), 0);
    assert_int_equal(faccessat(root, "d", F_OK, 0), -1);
}

static uint64_t measure(int root)
{
    uint64_t bytes = 0;
    struct error err = {0};

    assert_int_equal(path_tree_size(root, "d", &bytes, &err), 0);
    return bytes;
}

static void deep_trees_are_measured(void **state)
{
    int root = *(int *)*state;
    const char text[8192] = "";
    struct rlimit former;
    uint64_t bytes;
    char name[32];

    make_chain(root, "d", 3000, NULL);
    getrlimit(RLIMIT_NOFILE, &former);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, former.rlim_max});
    bytes = measure(root);
    /* Beside the deep part: found when the directory is read on after it. */
    for (int i = 0; i < 20; i++) {
        cleanup_close int fd = openat(root, "d/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(file_replace(fd, name, text, sizeof(text), 0600, true, NULL), 0);
    }
    assert_int_equal(measure(root) - bytes, 20 * sizeof(text));
    setrlimit(RLIMIT_NOFILE, &former);
}

/* Names of 255 bytes, names that look like davit's own, branches at every depth. */
static void trees_of_any_names_are_removed(void **state)
{
    int root = *(int *)*state;
    char longest[256];
    int fd;

    memset(longest, 'n', 255);
    longest[255] = '\0';
    mkdirat(root, "d", 0755);
    fd = openat(root, "d", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 3; i++) {
        char name[32];

        snprintf(name, sizeof(name), ".davit-deep-%d", i);
        make_chain(fd, name, 70, "file");
        make_chain(fd, "d", 200 + i, name);
    }
    make_chain(fd, longest, 300, longest);
    make_chain(fd, "empty", 130, NULL);
    close(fd);
    assert_int_equal(path_remove_tree(root, "d", NULL), 0);
    assert_int_equal(faccessat(root, "d", F_OK, 0), -1);
}

/* A tree is removed with fewer descriptors than it is deep. */
static void removing_takes_few_descriptors(void **state)
{
    int root = *(int *)*state;
    struct rlimit before;
    struct rlimit few;
    int result;

    make_chain(root, "d", 1000, "file");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){100, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    result = path_remove_tree(root, "d", NULL);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(result, 0);
}

/* A mount point at `depth` cannot be removed: the removal of the tree has to fail and say so. */
static void check_obstacle(int root, int depth)
{
    char path[PATH_MAX] = "d";
    struct error err = {0};

    make_chain(root, "d", depth, NULL);
    for (int i = 1; i < depth; i++)
        strcat(path, "/d");
    assert_int_equal(mkdirat(root, "d/other", 0755), 0);
    make_chain(root, "d/other", 0, "file");
    assert_int_equal(fchdir(root), 0);
    assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
    assert_true(path_remove_tree(root, "d", &err) < 0);
    assert_true(strstr(err.message, "mounted") != NULL);
    assert_int_equal(faccessat(root, path, F_OK, 0), 0);
    assert_int_equal(umount(path), 0);
    assert_int_equal(path_remove_tree(root, "d", &err), 0);
}

static void what_cannot_be_removed_ends_the_removal(void **state)
{
    char link[PATH_FD_SIZE];
    char path[PATH_MAX] = "";
    int root;

    assert_true(readlink(path_of_fd(link, *(int *)*state), path, sizeof(path) - 1) > 0);
    if (unshare(CLONE_NEWNS) < 0)
        skip();
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    /* The fixture's descriptor is of the old mount namespace, where the tmpfs could not be mounted.
     */
    root = open(path, O_RDONLY | O_DIRECTORY);
    check_obstacle(root, 10);
    check_obstacle(root, 400);
    close(root);
    assert_int_equal(chdir("/"), 0);
}

static void moving_takes_nobodys_name(void **state)
{
    int root = *(int *)*state;
    struct error err = {0};

    mkdirat(root, "into", 0755);
    for (int i = 0; i < 3; i++) {
        mkdirat(root, "one", 0755);
        assert_int_equal(path_move_unique(root, "one", root, "into", &err), 0);
    }
    assert_int_equal(faccessat(root, "into", F_OK, 0), 0);
    assert_int_equal(faccessat(root, "into.1", F_OK, 0), 0);
    assert_int_equal(faccessat(root, "into.3", F_OK, 0), 0);
    assert_int_equal(path_move_unique(root, "one", root, "into", &err), -ENOENT);
}

static void only_files_of_strangers_are_opened(void **state)
{
    int root = *(int *)*state;
    cleanup_close int fd = -1;

    close(openat(root, "file", O_CREAT | O_WRONLY, 0644));
    mkdirat(root, "directory", 0755);
    assert_int_equal(mkfifoat(root, "pipe", 0644), 0);
    assert_int_equal(symlinkat("/file", root, "link"), 0);
    assert_int_equal(symlinkat("/pipe", root, "to-pipe"), 0);
    fd = path_open_regular_in_root(root, "/link");
    assert_true(fd >= 0);
    assert_int_equal(path_open_regular_in_root(root, "directory"), -EINVAL);
    /* Opening a pipe could wait for its other end, or take the bytes that somebody writes. */
    assert_int_equal(path_open_regular_in_root(root, "pipe"), -EINVAL);
    assert_int_equal(path_open_regular_in_root(root, "to-pipe"), -EINVAL);
    assert_int_equal(path_open_regular_in_root(root, "none"), -ENOENT);
}

/* Sends until the socket is full. Returns how many messages were sent. */
static void removing_does_not_follow_links(void **state)
{
    int root = *(int *)*state;
    int fd;

    mkdirat(root, "keep", 0755);
    fd = openat(root, "keep/file", O_CREAT | O_WRONLY, 0644);
    close(fd);
    mkdirat(root, "gone", 0755);
    assert_int_equal(symlinkat("../keep", root, "gone/link"), 0);
    assert_int_equal(path_remove_tree(root, "gone", NULL), 0);
    assert_int_equal(faccessat(root, "keep/file", F_OK, 0), 0);
    assert_int_equal(path_remove_tree(root, "never-was", NULL), 0);
}

static void replacing_leaves_no_temporary(void **state)
{
    int root = *(int *)*state;
    cleanup_buffer struct buffer text = {0};
    struct error err;

    mkdirat(root, "files", 0755);
    {
        cleanup_close int fd = openat(root, "files", O_RDONLY | O_DIRECTORY);
        int duplicate = dup(fd);
        cleanup_dir DIR *dir = fdopendir(duplicate);
        size_t count = 0;

        assert_int_equal(file_replace(fd, "a", "one", 3, 0600, true, &err), 0);
        assert_int_equal(file_replace(fd, "a", "two!", 4, 0600, false, &err), 0);
        assert_int_equal(file_read(fd, "a", 16, &text, &err), 0);
        assert_string_equal(text.data, "two!");
        while (readdir(dir) != NULL)
            count++;
        assert_int_equal(count, 3);
        text.length = 0;
        assert_int_equal(file_read(fd, "a", 3, &text, &err), -EFBIG);
    }
}

static void what_a_dead_process_left_is_not_in_the_way(void **state)
{
    int root = *(int *)*state;
    struct error err;

    for (int i = 0; i < 100; i++) {
        char name[64];
        int fd;

        snprintf(name, sizeof(name), ".b.%d.%d", (int)getpid(), i);
        fd = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    assert_int_equal(file_replace(root, "b", "one", 3, 0600, true, &err), 0);
}

static int take_text(void *context, const char *text, size_t length, struct error *err)
{
    if (strncmp(text, "says ", 5) != 0)
        return error_set(err, ERROR_INVALID, EINVAL, "it says nothing");
    snprintf(context, 64, "%.*s", (int)length, text);
    return 0;
}

/* In place, as a disk or a hand would. */
static void overwrite(int directory_fd, const char *name, const char *text)
{
    int fd = openat(directory_fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_int_equal(file_write_fd(fd, text, strlen(text)), 0);
    close(fd);
}

static void check_twice(int directory_fd, const char *expected, bool is_damage_expected)
{
    char said[64] = "";
    bool is_damaged;

    assert_int_equal(
        file_read_twice(directory_fd, "file", 1000, take_text, said, &is_damaged, NULL), 0);
    assert_string_equal(said, expected);
    assert_int_equal(is_damaged, is_damage_expected);
}

static void of_two_files_the_whole_one_is_taken(void **state)
{
    int fd = *(int *)*state;

    assert_int_equal(file_replace_twice(fd, "file", "says this", 9, 0600, NULL), 0);
    if (fsetxattr(fd, "user.davit", "", 0, 0) < 0 && errno == ENOTSUP)
        skip(); /* a filesystem without extended attributes */
    check_twice(fd, "says this", false);
    overwrite(fd, "file", "says that");
    check_twice(fd, "says this", true);
    check_twice(fd, "says this", false);
    overwrite(fd, ".file.copy", "says that");
    check_twice(fd, "says this", false);
    /* Neither is whole. */
    overwrite(fd, "file", "says more");
    check_twice(fd, "says more", true);
    /* An editor has replaced it. */
    assert_int_equal(file_replace(fd, "file", "says else", 9, 0600, false, NULL), 0);
    check_twice(fd, "says else", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(symlinks_cannot_leave_the_root, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(directories_are_made_inside_only, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(links_are_followed_inside_to_what_is_not_there,
                                        make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(deep_trees_are_removed, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(deep_trees_are_measured, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(moving_takes_nobodys_name, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(only_files_of_strangers_are_opened, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(trees_of_any_names_are_removed, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(removing_takes_few_descriptors, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(what_cannot_be_removed_ends_the_removal, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(removing_does_not_follow_links, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(of_two_files_the_whole_one_is_taken, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(replacing_leaves_no_temporary, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(what_a_dead_process_left_is_not_in_the_way, make_directory,
                                        remove_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
