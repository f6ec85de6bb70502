/* The worker, on honest and hostile layers. */
#include "test.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "images/worker/worker.h"

struct fixture {
    char path[64];
    int outer; /* holds "layer" and "secret" */
    int layer;
    struct archive *archive;
    int tar_fd;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    int fd;

    strcpy(fixture->path, "/tmp/davit-unit.XXXXXX");
    if (mkdtemp(fixture->path) == NULL)
        return -1;
    fixture->outer = open(fixture->path, O_RDONLY | O_DIRECTORY);
    mkdirat(fixture->outer, "layer", 0755);
    fixture->layer = openat(fixture->outer, "layer", O_RDONLY | O_DIRECTORY);
    fd = openat(fixture->outer, "secret", O_WRONLY | O_CREAT, 0600);
    (void)!write(fd, "untouched", 9);
    close(fd);
    fixture->tar_fd = openat(fixture->outer, "tar", O_RDWR | O_CREAT, 0600);
    fixture->archive = archive_write_new();
    archive_write_set_format_pax(fixture->archive);
    archive_write_open_fd(fixture->archive, fixture->tar_fd);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->archive != NULL)
        archive_write_free(fixture->archive);
    close(fixture->layer);
    close(fixture->outer);
    close(fixture->tar_fd);
    path_remove_tree(AT_FDCWD, fixture->path, NULL);
    free(fixture);
    return 0;
}

static struct archive_entry *entry_new(const char *name, unsigned int type, mode_t mode)
{
    struct archive_entry *entry = archive_entry_new();

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, type);
    archive_entry_set_perm(entry, mode);
    archive_entry_set_mtime(entry, 1000000000, 123456789);
    return entry;
}

static void add(struct fixture *fixture, struct archive_entry *entry, const char *content)
{
    archive_entry_set_size(entry, content != NULL ? (la_int64_t)strlen(content) : 0);
    assert_int_equal(archive_write_header(fixture->archive, entry), ARCHIVE_OK);
    if (content != NULL)
        archive_write_data(fixture->archive, content, strlen(content));
    archive_entry_free(entry);
}

static void add_file(struct fixture *fixture, const char *name, const char *content)
{
    add(fixture, entry_new(name, AE_IFREG, 0644), content);
}

static void add_link(struct fixture *fixture, const char *name, const char *target, bool is_hard)
{
    struct archive_entry *entry = entry_new(name, is_hard ? AE_IFREG : AE_IFLNK, 0777);

    if (is_hard)
        archive_entry_set_hardlink(entry, target);
    else
        archive_entry_set_symlink(entry, target);
    add(fixture, entry, NULL);
}

static int extract(struct fixture *fixture, const struct worker_limits *limits, struct error *err)
{
    char digest[DIGEST_SIZE];

    archive_write_close(fixture->archive);
    archive_write_free(fixture->archive);
    fixture->archive = NULL;
    lseek(fixture->tar_fd, 0, SEEK_SET);
    return layer_extract(fixture->layer, fixture->tar_fd,
                         limits != NULL ? limits : &worker_default_limits, NULL, -1, digest, err);
}

static void assert_content(int directory, const char *name, const char *content)
{
    char text[64] = "";
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW);

    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    assert_string_equal(text, content);
    close(fd);
}

static void assert_nothing_left_the_layer(struct fixture *fixture)
{
    int duplicate = openat(fixture->outer, ".", O_RDONLY | O_DIRECTORY);
    DIR *dir = fdopendir(duplicate);
    size_t count = 0;

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    assert_int_equal(count, 5); /* ".", "..", layer, secret, tar */
    assert_content(fixture->outer, "secret", "untouched");
}

static void an_honest_layer_is_reproduced(void **state)
{
    struct fixture *fixture = *state;
    struct archive_entry *entry = entry_new("bin/tool", AE_IFREG, 04755);
    struct error err = {0};
    struct stat status;
    char value[32] = "";

    add(fixture, entry_new("bin", AE_IFDIR, 0750), NULL);
    archive_entry_set_uid(entry, 3000000);
    archive_entry_set_gid(entry, 5);
    archive_entry_xattr_add_entry(entry, "user.note", "hi", 2);
    add(fixture, entry, "tool");
    add_link(fixture, "bin/hard", "bin/tool", true);
    add_link(fixture, "bin/soft", "tool", false);
    entry = entry_new("dev/null", AE_IFCHR, 0666);
    archive_entry_set_rdevmajor(entry, 1);
    archive_entry_set_rdevminor(entry, 3);
    add(fixture, entry, NULL);
    if (extract(fixture, NULL, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(fstatat(fixture->layer, "bin/tool", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 04755);
    assert_int_equal(status.st_uid, 3000000);
    assert_int_equal(status.st_nlink, 2);
    assert_true(status.st_mtim.tv_sec == 1000000000 && status.st_mtim.tv_nsec == 123456789);
    assert_int_equal(fstatat(fixture->layer, "bin", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0750);
    assert_true(status.st_mtim.tv_sec == 1000000000);
    assert_int_equal(fchdir(fixture->layer), 0);
    assert_int_equal(getxattr("bin/tool", "user.note", value, sizeof(value)), 2);
    assert_int_equal(fstatat(fixture->layer, "dev/null", &status, 0), 0);
    assert_true(S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
    assert_int_equal(chdir("/"), 0);
}

static void whiteouts_take_overlayfs_form(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct stat status;
    char value[4] = "";

    add_file(fixture, "dir/.wh.gone", "");
    add_file(fixture, "opaque/.wh..wh..opq", "");
    add_file(fixture, "opaque/new", "n");
    add_file(fixture, "both", "kept");
    add_file(fixture, ".wh.both", "");
    if (extract(fixture, NULL, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(fstatat(fixture->layer, "dir/gone", &status, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISCHR(status.st_mode) && status.st_rdev == 0);
    assert_int_equal(fchdir(fixture->layer), 0);
    assert_int_equal(getxattr("opaque", "trusted.overlay.opaque", value, sizeof(value)), 1);
    assert_int_equal(chdir("/"), 0);
    assert_content(fixture->layer, "opaque/new", "n");
    assert_content(fixture->layer, "both", "kept");
}

static void whiteouts_below_what_is_no_directory_hide_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct stat status;

    add_file(fixture, "was/directory", "a file now");
    add_file(fixture, "was/directory/.wh.inner", "");
    add_link(fixture, "link", "elsewhere", false);
    add_file(fixture, "elsewhere/file", "");
    add_file(fixture, "link/.wh.file2", "");
    add_file(fixture, "link/.wh..wh..opq", "");
    if (extract(fixture, NULL, &err) < 0)
        fail_msg("%s", err.message);
    assert_content(fixture->layer, "was/directory", "a file now");
    assert_true(fstatat(fixture->layer, "elsewhere/file2", &status, AT_SYMLINK_NOFOLLOW) < 0);
    assert_int_equal(fchdir(fixture->layer), 0);
    assert_true(getxattr("elsewhere", "trusted.overlay.opaque", NULL, 0) < 0);
    assert_int_equal(chdir("/"), 0);
}

static void dot_dot_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    add_file(fixture, "a/../../secret", "stolen");
    assert_true(extract(fixture, NULL, &err) < 0);
    assert_int_equal(err.code, ERROR_CORRUPT);
    assert_error_contains(err, "would leave the layer");
    assert_nothing_left_the_layer(fixture);
}

static void absolute_names_stay_inside(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    cleanup_free char *name = memory_printf("%s/secret", fixture->path);

    add_file(fixture, name, "mine");
    assert_int_equal(extract(fixture, NULL, &err), 0);
    assert_nothing_left_the_layer(fixture);
    assert_content(fixture->layer, name + 1, "mine");
}

static void a_symlink_parent_leads_nowhere_outside(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    add_link(fixture, "up", "..", false);
    add_link(fixture, "abs", fixture->path, false);
    add_file(fixture, "up/secret", "stolen");
    add_file(fixture, "abs/secret", "stolen");
    extract(fixture, NULL, &err);
    assert_nothing_left_the_layer(fixture);
}

static void a_symlink_is_replaced_not_followed(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    add_link(fixture, "link", "../secret", false);
    add_file(fixture, "link", "new");
    assert_int_equal(extract(fixture, NULL, &err), 0);
    assert_nothing_left_the_layer(fixture);
    assert_content(fixture->layer, "link", "new");
}

static void hard_links_cannot_reach_outside(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    add_link(fixture, "steal", "../secret", true);
    assert_true(extract(fixture, NULL, &err) < 0);
    assert_nothing_left_the_layer(fixture);
}

static void whiteouts_of_parents_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    add_file(fixture, ".wh...", "");
    assert_true(extract(fixture, NULL, &err) < 0);
    assert_nothing_left_the_layer(fixture);
}

static void the_root_stays_a_directory(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};

    add_link(fixture, ".", "/etc", false);
    assert_true(extract(fixture, NULL, &err) < 0);
    assert_error_contains(err, "root is not a directory");
}

static void overlay_attributes_of_an_image_are_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct archive_entry *entry = entry_new("d", AE_IFDIR, 0755);
    struct error err = {0};
    char value[32];

    archive_entry_xattr_add_entry(entry, "trusted.overlay.redirect", "/etc", 4);
    add(fixture, entry, NULL);
    assert_int_equal(extract(fixture, NULL, &err), 0);
    assert_int_equal(fchdir(fixture->layer), 0);
    assert_int_equal(getxattr("d", "trusted.overlay.redirect", value, sizeof(value)), -1);
    assert_int_equal(chdir("/"), 0);
}

static void bombs_hit_a_limit(void **state)
{
    struct fixture *fixture = *state;
    const struct worker_limits small = {.layer_bytes = 5, .layer_entries = 10};
    struct error err = {0};

    add_file(fixture, "big", "more than five bytes");
    assert_int_equal(extract(fixture, &small, &err), -EFBIG);
    assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void too_many_entries_hit_a_limit(void **state)
{
    struct fixture *fixture = *state;
    const struct worker_limits small = {.layer_bytes = 1000, .layer_entries = 1};
    struct error err = {0};

    add_file(fixture, "a", "");
    add_file(fixture, "b", "");
    assert_true(extract(fixture, &small, &err) < 0);
    assert_error_contains(err, "more than 1 entries");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_honest_layer_is_reproduced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whiteouts_take_overlayfs_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whiteouts_below_what_is_no_directory_hide_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(dot_dot_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absolute_names_stay_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_symlink_parent_leads_nowhere_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_symlink_is_replaced_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hard_links_cannot_reach_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whiteouts_of_parents_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_root_stays_a_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overlay_attributes_of_an_image_are_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(bombs_hit_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_entries_hit_a_limit, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
