/* images: references, documents, and the worker on honest and hostile archives. */
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
#include "cli/versions.h"
#include "images/fetch/fetch.h"
#include "images/images.h"
#include "images/worker/ahead.h"
#include "images/worker/packages.h"
#include "images/worker/worker.h"
#include "supervisor/images/registries.h"

static void references_follow_the_grammar(void **state)
{
    static const struct {
        const char *text;
        const char *name;
        const char *tag;
    } good[] = {
        {"busybox", "docker.io/library/busybox", "latest"},
        {"busybox:1.36", "docker.io/library/busybox", "1.36"},
        {"me/app", "docker.io/me/app", "latest"},
        {"docker.io/library/busybox:x", "docker.io/library/busybox", "x"},
        {"localhost/a:b", "localhost/a", "b"},
        {"host:5000/a/b_c/d__e/f-g:T.1", "host:5000/a/b_c/d__e/f-g", "T.1"},
        {"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "docker.io/library/a", ""},
    };
    static const char *const bad[] = {
        "",     ":tag",    "UPPER",       "a//b", "-a",  "a-",         "a..b", "a:",
        "a:-x", "a/b:c/d", "a@sha256:12", "../a", "a b", "host:5000/", "/a",   "a___b",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct image_reference reference;
        struct error err;

        if (image_reference_parse(good[i].text, &reference, &err) < 0)
            fail_msg("%s", err.message);
        assert_string_equal(reference.name, good[i].name);
        assert_string_equal(reference.tag, good[i].tag);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct image_reference reference;

        if (image_reference_parse(bad[i], &reference, NULL) == 0)
            fail_msg("accepted \"%s\" as %s", bad[i], reference.name);
    }
}

static void familiar_names_are_what_was_typed(void **state)
{
    char name[256];

    (void)state;
    image_reference_familiar("docker.io/library/busybox:latest", name, sizeof(name));
    assert_string_equal(name, "busybox:latest");
    image_reference_familiar("docker.io/me/app:1", name, sizeof(name));
    assert_string_equal(name, "me/app:1");
    image_reference_familiar("localhost/app:1", name, sizeof(name));
    assert_string_equal(name, "localhost/app:1");
}

static void documents_are_checked(void **state)
{
    static const char *const bad[] = {
        "{\"schemaVersion\":1,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:1\",\"size\":1},"
        "\"layers\":[]}",
        "{\"schemaVersion\":2,\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:../../etc/"
        "passwd\","
        "\"size\":1},\"layers\":[]}",
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:"
        "0123456789abcdef01234"
        "56789abcdef0123456789abcdef0123456789abcdef\",\"size\":-1},\"layers\":[]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cleanup_arena struct arena arena = {0};
        struct image_manifest manifest = {0};

        assert_true(image_manifest_parse(&arena, bad[i], strlen(bad[i]), &manifest, NULL) < 0);
    }
}

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

static void challenges_are_read(void **state)
{
    static const char challenge[] = "Bearer realm=\"https://auth.example/token\", service=plain ,"
                                    "scope=\"repository:a/b:pull,push\",empty=\"\"";
    char value[32];

    (void)state;
    assert_true(challenge_get(challenge, "realm", value, sizeof(value)));
    assert_string_equal(value, "https://auth.example/token");
    assert_true(challenge_get(challenge, "SERVICE", value, sizeof(value)));
    assert_string_equal(value, "plain");
    assert_true(challenge_get(challenge, "scope", value, sizeof(value)));
    assert_string_equal(value, "repository:a/b:pull,push");
    assert_true(challenge_get(challenge, "empty", value, sizeof(value)));
    assert_string_equal(value, "");
    /* Not within another's value, not without one, and none that does not fit. */
    assert_false(challenge_get(challenge, "pull", value, sizeof(value)));
    assert_false(challenge_get("Bearer realm", "realm", value, sizeof(value)));
    assert_false(challenge_get("Bearer x=\"realm=y\"", "realm", value, sizeof(value)));
    assert_false(challenge_get(challenge, "realm", value, 8));
}

static void registries_are_located_by_their_rules(void **state)
{
    static const char *mirror = "https://mirror.example";
    struct registry known[] = {
        {.domain = "docker.io", .mirrors = {&mirror, 1}},
        {.domain = "old.example", .is_insecure = true},
    };
    const struct registries registries = {known, ARRAY_SIZE(known)};
    static const struct {
        const char *image;
        const char *repository;
        const char *urls[3];
    } cases[] = {
        {"busybox", "library/busybox", {"https://mirror.example", "https://registry-1.docker.io"}},
        {"quay.example/a/b:1", "a/b", {"https://quay.example"}},
        {"old.example/a", "a", {"https://old.example", "http://old.example"}},
        {"localhost:5000/a", "a", {"https://localhost:5000", "http://localhost:5000"}},
        {"127.0.0.1:5000/a", "a", {"https://127.0.0.1:5000", "http://127.0.0.1:5000"}},
        {"localhost.example/a", "a", {"https://localhost.example"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_arena struct arena arena = {0};
        struct image_reference reference;
        struct fetch_setup setup = {0};
        size_t count = 0;

        assert_int_equal(image_reference_parse(cases[i].image, &reference, NULL), 0);
        registries_locate(&registries, &reference, true, &arena, &setup);
        assert_string_equal(setup.repository, cases[i].repository);
        while (count < ARRAY_SIZE(cases[i].urls) && cases[i].urls[count] != NULL)
            count++;
        assert_int_equal(setup.endpoints.count, count);
        for (size_t j = 0; j < count; j++) {
            assert_string_equal(setup.endpoints.items[j].url, cases[i].urls[j]);
            /* A mirror gets no login; what is said in the clear goes to no registry unasked. */
            assert_true(setup.endpoints.items[j].is_mirror ==
                        (strcmp(cases[i].urls[j], mirror) == 0));
        }
    }
}

struct numbers {
    size_t next;
    size_t end;
    int error; /* at the end */
};

static ssize_t read_numbers(void *source, void *bytes, size_t size, struct error *err)
{
    struct numbers *numbers = source;
    unsigned char *out = bytes;
    size_t count = 0;

    if (numbers->next == numbers->end && numbers->error != 0)
        return error_set(err, ERROR_CORRUPT, numbers->error, "torn");
    while (count < size && count < 1000 && numbers->next < numbers->end)
        out[count++] = (unsigned char)(numbers->next++ % 251);
    return (ssize_t)count;
}

static void what_is_read_ahead_is_what_comes(void **state)
{
    struct numbers numbers = {.end = 10000000};
    struct error err = {0};
    struct ahead *ahead = ahead_start(read_numbers, &numbers, &err);
    unsigned char bytes[7777];
    size_t total = 0;
    ssize_t count;

    (void)state;
    assert_non_null(ahead);
    while ((count = ahead_read(ahead, bytes, sizeof(bytes), &err)) > 0) {
        for (ssize_t i = 0; i < count; i++)
            assert_int_equal(bytes[i], total++ % 251);
    }
    assert_int_equal(count, 0);
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), 0);
    assert_int_equal(total, 10000000);
    ahead_stop(ahead);
}

static void an_error_comes_after_what_came_before_it(void **state)
{
    struct numbers numbers = {.end = 5000, .error = EBADMSG};
    struct error err = {0};
    struct ahead *ahead = ahead_start(read_numbers, &numbers, &err);
    unsigned char bytes[3000];

    (void)state;
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), 3000);
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), 2000);
    assert_int_equal(ahead_read(ahead, bytes, sizeof(bytes), &err), -EBADMSG);
    assert_string_equal(err.message, "torn");
    ahead_stop(ahead);
}

static void reading_ahead_ends_in_the_middle(void **state)
{
    struct numbers numbers = {.end = SIZE_MAX};
    struct error err = {0};
    struct ahead *ahead = ahead_start(read_numbers, &numbers, &err);
    unsigned char byte;

    (void)state;
    assert_int_equal(ahead_read(ahead, &byte, 1, &err), 1);
    ahead_stop(ahead);
}

static void rpm_headers_are_read_and_broken_ones_refused(void **state)
{
    /* name "a", version "1", release "2", epoch 3, in a store of 12 bytes */
    static const unsigned char good[] = {
        0, 0,    0, 4, 0, 0, 0,    12, 0, 0,   3, 0xe8, 0, 0,   0, 6, 0, 0,    0, 0, 0,
        0, 0,    1, 0, 0, 3, 0xe9, 0,  0, 0,   6, 0,    0, 0,   2, 0, 0, 0,    1, 0, 0,
        3, 0xea, 0, 0, 0, 6, 0,    0,  0, 4,   0, 0,    0, 1,   0, 0, 3, 0xeb, 0, 0, 0,
        4, 0,    0, 0, 8, 0, 0,    0,  1, 'a', 0, '1',  0, '2', 0, 0, 0, 0,    0, 0, 3};
    struct packages packages = {0};
    struct error err = {0};

    (void)state;
    assert_int_equal(packages_parse_rpm_header(&packages, good, sizeof(good), &err), 0);
    assert_int_equal(packages.list.count, 1);
    assert_string_equal(packages.list.items[0].name, "a");
    assert_string_equal(packages.list.items[0].version, "3:1-2");
    for (size_t length = 0; length < sizeof(good) - 4; length++)
        assert_true(packages_parse_rpm_header(&packages, good, length, &err) < 0);
    packages_release(&packages);
}

struct version_order {
    int (*compare)(const char *left, const char *right);
    const char *older;
    const char *newer;
};

static void versions_are_ordered_as_their_package_managers_order_them(void **state)
{
    static const struct version_order orders[] = {
        {version_compare_deb, "1.0-1", "1.0-2"},
        {version_compare_deb, "1.0~rc1-1", "1.0-1"},
        {version_compare_deb, "1.0~~", "1.0~"},
        {version_compare_deb, "9.9", "1:0.1"},
        {version_compare_deb, "1.9", "1.10"},
        {version_compare_deb, "1.0", "1.0+deb12u1"},
        {version_compare_deb, "5.2.15-2", "5.2.15-2+b13"},
        {version_compare_deb, "1.0a", "1.0+"},
        {version_compare_deb, "1.00", "1.1"},
        {version_compare_deb, "2024.99999999999999999999", "2024.100000000000000000000"},
        {version_compare_apk, "1.2.3-r0", "1.2.3-r1"},
        {version_compare_apk, "1.2_alpha1", "1.2_beta"},
        {version_compare_apk, "1.2_rc2", "1.2"},
        {version_compare_apk, "1.2", "1.2_p1"},
        {version_compare_apk, "1.2_p1", "1.2_p2"},
        {version_compare_apk, "1.2", "1.2a"},
        {version_compare_apk, "1.2a", "1.2b"},
        {version_compare_apk, "1.2", "1.2.1"},
        {version_compare_apk, "1.9", "1.10"},
        {version_compare_apk, "1.01", "1.1"},
        {version_compare_apk, "1.2.4-r10", "1.2.5-r0"},
        {version_compare_rpm, "1.0-1", "1.0-2"},
        {version_compare_rpm, "1.0~rc1-1", "1.0-1"},
        {version_compare_rpm, "1.0-1", "1.0^git1-1"},
        {version_compare_rpm, "1.0^git1-1", "1.0.1-1"},
        {version_compare_rpm, "9-1", "1:1-1"},
        {version_compare_rpm, "1.a-1", "1.1-1"},
        {version_compare_rpm, "1.0.a", "1.0.b"},
        {version_compare_rpm, "5.1.8-6.el9_1", "5.1.8-6.el9_10"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        const struct version_order *order = &orders[i];

        if (order->compare(order->older, order->newer) >= 0 ||
            order->compare(order->newer, order->older) <= 0)
            fail_msg("%s is not before %s", order->older, order->newer);
        assert_int_equal(order->compare(order->older, order->older), 0);
    }
    assert_int_equal(version_compare_deb("0:1.0-1", "1.0-1"), 0);
    assert_int_equal(version_compare_deb("1.0", "1.0-0"), 0);
    assert_int_equal(version_compare_rpm("1.0.0", "1_0_0"), 0);
    assert_int_equal(version_compare_rpm("1.0-5", "1.0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_read),
        cmocka_unit_test(registries_are_located_by_their_rules),
        cmocka_unit_test(references_follow_the_grammar),
        cmocka_unit_test(familiar_names_are_what_was_typed),
        cmocka_unit_test(documents_are_checked),
        cmocka_unit_test(rpm_headers_are_read_and_broken_ones_refused),
        cmocka_unit_test(versions_are_ordered_as_their_package_managers_order_them),
        cmocka_unit_test(what_is_read_ahead_is_what_comes),
        cmocka_unit_test(an_error_comes_after_what_came_before_it),
        cmocka_unit_test(reading_ahead_ends_in_the_middle),
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
